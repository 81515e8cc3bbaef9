/* SPDX-License-Identifier: MIT */
/*
 * What a VMM says of a guest at its launch, as the guest meets it: GOSVW in the secrets page,
 * HOST_DATA in reports, and no report where it disabled the VCEK (SEV-SNP Firmware ABI:
 * SNP_LAUNCH_START, SNP_LAUNCH_FINISH, MSG_REPORT_REQ). That KEY_SEL 0 and 1 are INVALID_KEY then
 * was seen by others on a host of AWS; KVM and QEMU hand the values through.
 */
#include "tests/machine/guest/guest.h"
#include "tests/machine/rules/message.h"

#define SECRETS_PAGE 0x702000ull
#define GUEST_REQUEST 0x80000011ull

/* As the runner gives them. */
#define HOST_DATA_FIRST 0x40u
#define WORKAROUNDS_FIRST 0xa0u

static uint8_t request_page[4096] __attribute__((aligned(4096)));
static uint8_t response_page[4096] __attribute__((aligned(4096)));
static struct message_response answer;

static void share(uint8_t *page)
{
	(void)pvalidate((uint64_t)page, SNP_PAGE_4K, 0);
	(void)page_make_shared((uint64_t)page);
}

/* The status in the answer to a request for a report by that key. */
static uint32_t ask(uint64_t seqno, uint32_t key_select)
{
	const uint8_t *key = ((const struct snp_secrets *)SECRETS_PAGE)->vmpck[0];
	struct message_request request = message_report(0, seqno);
	struct ghcb_answer host;

	request.request.flags = key_select;
	message_seal(&request, key);
	message_put((uint64_t)request_page, &request);
	host = ghcb_exit(GUEST_REQUEST, (uint64_t)request_page, (uint64_t)response_page);
	check("the host passes a request for a report on", host.result | host.info_2, 0);
	message_get((uint64_t)response_page, &answer);
	check("the AMD-SP answers it", message_open(&answer, key), 1);
	return answer.response.status;
}

/* How many of the bytes are first, first + 1 and so on. */
static uint64_t counted(const uint8_t *bytes, uint64_t size, unsigned int first)
{
	uint64_t count = 0;

	while (count < size && bytes[count] == (uint8_t)(first + count))
		count++;
	return count;
}

void test_main(void)
{
	const struct snp_secrets *secrets = (const struct snp_secrets *)SECRETS_PAGE;

	check("GOSVW is what the host gave", counted(secrets->gosvw, 16, WORKAROUNDS_FIRST), 16);
	share(request_page);
	share(response_page);
	check("a report by whichever key", ask(1, 0), VCEK_DISABLED ? PSP_STATUS_INVALID_KEY : 0);
	check("  has the host's data",
	      counted(answer.response.report.host_data, 32, HOST_DATA_FIRST),
	      VCEK_DISABLED ? 0 : 32);
	check("a report by the VCEK", ask(3, 1), VCEK_DISABLED ? PSP_STATUS_INVALID_KEY : 0);
	check("a report by the VLEK", ask(5, 2), PSP_STATUS_INVALID_KEY);
}
