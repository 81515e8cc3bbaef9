/* SPDX-License-Identifier: MIT */
/* Guest requests to the AMD-SP, through shared bounce pages. */
#include <string.h>

#include "core/base/bytes.h"
#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/lock/lock.h"

#define CERTIFICATE_PAGES 4u
#define CERTIFICATE_ENTRY_SIZE 24u /* GUID, u32 offset, u32 length */

static struct {
	struct lock lock;
	gpa_t request, response, certificates;
} bounce = { .lock = { .rank = LOCK_RANK_BOUNCE } };

bool arch_requests_init(struct page_owner *owner)
{
	return ghcb_share(owner, 1, &bounce.request) && ghcb_share(owner, 1, &bounce.response) &&
	       ghcb_share(owner, CERTIFICATE_PAGES, &bounce.certificates);
}

/*
 * Bytes of the certificate table at data, which nobody but us can change: up to the end of the
 * last certificate (GHCB specification, SNP Extended Guest Request). 0 when it is broken.
 */
static size_t table_size(const uint8_t *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	size_t end = 0;

	for (;;) {
		const uint8_t *guid = bytes_take(&r, sizeof(struct abi_guid));
		uint32_t offset = bytes_le32(&r), length = bytes_le32(&r);

		if (!guid || r.bad)
			return 0;
		if (r.pos > end)
			end = r.pos;
		if (bytes_are_zero(guid, sizeof(struct abi_guid)))
			return end == CERTIFICATE_ENTRY_SIZE ? 0 : end;
		/* NOLINTNEXTLINE(readability-suspicious-call-argument): alike in sound. */
		if (!bytes_range_ok(offset, length, size))
			return 0;
		if ((size_t)offset + length > end)
			end = (size_t)offset + length;
	}
}

/* Copies the host's table out of the shared pages, and only then looks at it. */
static void take_certificates(void *certificates, size_t *size)
{
	size_t room = *size < CERTIFICATE_PAGES * ABI_PAGE_SIZE ? *size
								: CERTIFICATE_PAGES * ABI_PAGE_SIZE;

	memcpy(certificates, direct_ptr(bounce.certificates), room);
	*size = table_size(certificates, room);
}

uint64_t arch_guest_request(const void *request, void *response, void *certificates,
			    size_t *cert_size)
{
	uint64_t pages = CERTIFICATE_PAGES;
	gpa_t table = certificates ? bounce.certificates : gpa(0);

	lock_acquire(&bounce.lock);
	memcpy(direct_ptr(bounce.request), request, ABI_PAGE_SIZE);
	memset(direct_ptr(bounce.response), 0, ABI_PAGE_SIZE);
	if (certificates)
		memset(direct_ptr(bounce.certificates), 0, CERTIFICATE_PAGES * ABI_PAGE_SIZE);

	uint64_t result = ghcb_guest_request(bounce.request, bounce.response, table, &pages);

	memcpy(response, direct_ptr(bounce.response), ABI_PAGE_SIZE);
	if (certificates && result == 0)
		take_certificates(certificates, cert_size);
	else if (certificates && result >> 32 == PSP_VMM_ERR_INVALID_LEN)
		*cert_size = (size_t)(pages & UINT32_MAX) * ABI_PAGE_SIZE;
	lock_release(&bounce.lock);
	return result;
}
