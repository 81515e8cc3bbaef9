// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The extended attestation call. The SVSM reads the request from one page and writes into buffers
 * that are physically contiguous, whole pages, and the guest's private memory. A key that has to be
 * made first takes the SVSM many turns: each ends with SVSM_ERR_INCOMPLETE, and the same call, with
 * the same request in the same place, goes on.
 */
#include "attest_call.h"

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "svsm.h"

/* The answer tells the sizes that it needs; they may grow once more between two attempts. */
#define ATTEST_ATTEMPTS 3
/* Registers that the SVSM left alone. No size is that large. */
#define UNTOUCHED (~0ull)

/* What the SVSM reads. It may be guest memory of any alignment; a page keeps it in one piece. */
struct request_page {
	struct svsm_attest_op_ex op;
	u8 nonce[SVSM_NONCE_SIZE];
	u8 selector[SVSM_SELECTOR_MAX];
};

struct buffers {
	struct request_page *request;
	void *parts[ATTEST_PARTS];
	size_t sizes[ATTEST_PARTS];
};

/* The SVSM makes one key at a time: callers wait here and not in its answers. */
static DEFINE_MUTEX(call_lock);

static void free_part(struct buffers *buffers, int part)
{
	if (buffers->parts[part])
		free_pages_exact(buffers->parts[part], buffers->sizes[part]);
	buffers->parts[part] = NULL;
}

static void free_buffers(struct buffers *buffers)
{
	int part;

	for (part = 0; part < ATTEST_PARTS; part++)
		free_part(buffers, part);
	free_page((unsigned long)buffers->request);
}

static int alloc_part(struct buffers *buffers, int part, size_t size)
{
	free_part(buffers, part);
	buffers->sizes[part] = PAGE_ALIGN(size);
	buffers->parts[part] = alloc_pages_exact(buffers->sizes[part], GFP_KERNEL | __GFP_ZERO);
	return buffers->parts[part] ? 0 : -ENOMEM;
}

/* Room for what one key's manifest and the host's certificates usually take. */
static int alloc_buffers(struct buffers *buffers)
{
	static const size_t sizes[ATTEST_PARTS] = { 4096, 8192, 16384 };
	int part, rc = 0;

	BUILD_BUG_ON(sizeof(struct request_page) > ABI_PAGE_SIZE);
	buffers->request = (struct request_page *)get_zeroed_page(GFP_KERNEL);
	if (!buffers->request)
		return -ENOMEM;
	for (part = 0; part < ATTEST_PARTS && !rc; part++)
		rc = alloc_part(buffers, part, sizes[part]);
	return rc;
}

static struct svsm_loc location(void *address, size_t size)
{
	return (struct svsm_loc){ .gpa = size ? virt_to_phys(address) : 0, .size = size };
}

static void fill_request(struct buffers *buffers, const struct attest_request *request)
{
	struct request_page *page = buffers->request;

	memcpy(page->nonce, request->nonce, sizeof(page->nonce));
	memcpy(page->selector, request->selector, request->selector_size);
	page->op = (struct svsm_attest_op_ex){
		.base = {
			.report = location(buffers->parts[ATTEST_REPORT],
					   buffers->sizes[ATTEST_REPORT]),
			.nonce = location(page->nonce, sizeof(page->nonce)),
			.manifest = location(buffers->parts[ATTEST_MANIFEST],
					     buffers->sizes[ATTEST_MANIFEST]),
			.certificates = location(buffers->parts[ATTEST_CERTIFICATES],
						 buffers->sizes[ATTEST_CERTIFICATES]),
			.service = request->service,
			.manifest_version = request->manifest_version,
		},
		.selector = location(page->selector, request->selector_size),
	};
}

/* Sizes that the SVSM told in its registers, by part; false when it told none. */
static bool told_sizes(const struct svsm_regs *regs, u64 request_gpa, u64 sizes[ATTEST_PARTS])
{
	sizes[ATTEST_MANIFEST] = regs->rcx;
	sizes[ATTEST_CERTIFICATES] = regs->rdx;
	sizes[ATTEST_REPORT] = regs->r8;
	return regs->rcx != request_gpa && regs->rdx != UNTOUCHED && regs->r8 != UNTOUCHED;
}

/* After "invalid parameter": 0 when a buffer was too small and is larger now. */
static int grow(struct buffers *buffers, const u64 sizes[ATTEST_PARTS])
{
	int part, rc, grown = 0;

	for (part = 0; part < ATTEST_PARTS; part++) {
		if (sizes[part] <= buffers->sizes[part])
			continue;
		if (sizes[part] > ATTEST_PART_MAX)
			return -EFBIG;
		rc = alloc_part(buffers, part, sizes[part]);
		if (rc)
			return rc;
		grown++;
	}
	return grown ? 0 : -EINVAL;
}

static int errno_of(u64 result)
{
	switch (result) {
	case SVSM_ERR_UNSUPPORTED_PROTOCOL:
	case SVSM_ERR_UNSUPPORTED_CALL:
		return -EOPNOTSUPP;
	case SVSM_ERR_INVALID_FORMAT:
	case SVSM_ERR_INVALID_PARAMETER:
	case SVSM_ERR_INVALID_REQUEST:
		return -EINVAL;
	case SVSM_ERR_ATTEST_SELECTOR:
		return -EPERM;
	case SVSM_ERR_SERVICE_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int copy_answer(const struct buffers *buffers, const u64 sizes[ATTEST_PARTS],
		       struct attest_answer *answer)
{
	int part;

	for (part = 0; part < ATTEST_PARTS; part++) {
		struct attest_blob *blob = &answer->parts[part];

		if (sizes[part] > buffers->sizes[part])
			return -EIO;
		if (!sizes[part])
			continue;
		blob->data = kvmemdup(buffers->parts[part], sizes[part], GFP_KERNEL);
		if (!blob->data)
			return -ENOMEM;
		blob->size = sizes[part];
	}
	return answer->parts[ATTEST_REPORT].size ? 0 : -EIO;
}

/* -EAGAIN: the buffers are larger now, and the call is worth another attempt. */
static int attempt(struct buffers *buffers, const struct attest_request *request,
		   struct attest_answer *answer, u64 *result)
{
	const u64 gpa = virt_to_phys(buffers->request);
	struct svsm_regs regs = {
		.rax = svsm_call_id(SVSM_PROTOCOL_ATTEST, SVSM_ATTEST_SINGLE_SERVICE_EX),
		.rcx = gpa,
		.rdx = UNTOUCHED,
		.r8 = UNTOUCHED,
	};
	u64 sizes[ATTEST_PARTS];
	bool told;
	int rc;

	fill_request(buffers, request);
	/* Nothing stays of a creation that nobody goes on with. */
	rc = svsm_call_resumable(&regs, 0);
	if (rc)
		return rc;
	*result = regs.rax;
	told = told_sizes(&regs, gpa, sizes);
	if (regs.rax == SVSM_ERR_INVALID_PARAMETER && told) {
		rc = grow(buffers, sizes);
		return rc ? rc : -EAGAIN;
	}
	if (regs.rax != SVSM_SUCCESS)
		return errno_of(regs.rax);
	return told ? copy_answer(buffers, sizes, answer) : -EIO;
}

static int call_locked(struct buffers *buffers, const struct attest_request *request,
		       struct attest_answer *answer, u64 *result)
{
	int i, rc = -EAGAIN;

	if (mutex_lock_killable(&call_lock))
		return -EINTR;
	for (i = 0; rc == -EAGAIN && i < ATTEST_ATTEMPTS; i++)
		rc = attempt(buffers, request, answer, result);
	mutex_unlock(&call_lock);
	return rc == -EAGAIN ? -EIO : rc;
}

int attest_call(const struct attest_request *request, struct attest_answer *answer, u64 *result)
{
	struct buffers buffers = {};
	int rc;

	memset(answer, 0, sizeof(*answer));
	rc = alloc_buffers(&buffers);
	if (!rc)
		rc = call_locked(&buffers, request, answer, result);
	free_buffers(&buffers);
	if (rc)
		attest_answer_free(answer);
	return rc;
}

void attest_answer_free(struct attest_answer *answer)
{
	int part;

	for (part = 0; part < ATTEST_PARTS; part++)
		kvfree(answer->parts[part].data);
	memset(answer, 0, sizeof(*answer));
}
