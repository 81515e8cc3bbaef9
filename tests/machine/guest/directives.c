/* SPDX-License-Identifier: MIT */
/*
 * What the loader left of each directive of an IGVM file: this guest says it, byte for byte, and
 * the runner (../directives_test.py), which made the file and knows the machine, judges it. The
 * rules that a guest itself can tell are checked here.
 */
#include <string.h>

#include "tests/machine/guest/guest.h"
#include "tests/machine/rules/message.h"

/* Places that the runner puts things at. */
#define PARAMETERS 0x2000000ull
#define PARAMETER_COUNT 10u
#define UNMEASURED_PAGE 0x2010000ull
#define SHARED_PAGE 0x2011000ull
#define ERROR_PAGE 0x2012000ull
#define SMALL_PAGE 0x2013000ull
#define SECOND_FLAG 0x2016000ull /* the second vCPU writes 1 there */
#define LARGE_PAGE 0x2200000ull
#define CPUID_PAGE 0x701000ull
#define SECRETS_PAGE 0x702000ull
#define CPUID_XF_PAGE 0x703000ull
#define GUEST_REQUEST 0x80000011ull

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC 0xfee00d00u /* of the boot CPU, enabled, with MSRs */
#define MSR_X2APIC_ICR 0x830u
#define ICR_INIT 0x4500u
#define ICR_TO_CPU_1 (1ull << 32)

static void hex_byte(char *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	to[0] = digits[byte >> 4];
	to[1] = digits[byte & 15];
}

/* NAME and the page's bytes up to the last that is not 0, in lines of 64. */
static void show(const char *name, volatile const void *page)
{
	volatile const uint8_t *bytes = page;
	unsigned int used = 4096;
	char line[2 * 64 + 1];

	while (used > 0 && bytes[used - 1] == 0)
		used--;
	say(name);
	for (unsigned int at = 0; at < used; at += 64) {
		unsigned int n = used - at < 64 ? used - at : 64;

		for (unsigned int i = 0; i < n; i++)
			hex_byte(line + 2 * i, bytes[at + i]);
		line[2 * n] = '\0';
		say(line);
	}
}

static void show_parameters(void)
{
	static const char *const names[PARAMETER_COUNT] = {
		"= VP_COUNT",	  "= ENVIRONMENT_INFO",
		"= MEMORY_MAP",	  "= MMIO_RANGES",
		"= COMMAND_LINE", "= MADT",
		"= SRAT",	  "= SLIT",
		"= PPTT",	  "= DEVICE_TREE",
	};

	for (unsigned int i = 0; i < PARAMETER_COUNT; i++)
		show(names[i], private_view(PARAMETERS + i * 4096ull));
}

/*
 * APM volume 3, PVALIDATE: CF says that nothing changed, SIZEMISMATCH that a page is of small ones.
 */
static void check_pages(void)
{
	struct pvalidate_result r = pvalidate(UNMEASURED_PAGE, SNP_PAGE_4K, 1);

	check("an unmeasured page is validated", (uint64_t)r.eax << 1 | r.carry, 1);
	r = pvalidate(PARAMETERS, SNP_PAGE_4K, 1);
	check("so is a page of parameters", (uint64_t)r.eax << 1 | r.carry, 1);
	r = pvalidate(LARGE_PAGE, SNP_PAGE_2M, 1);
	check("a page of 2 MiB is one", (uint64_t)r.eax << 1 | r.carry, 1);
	r = pvalidate(LARGE_PAGE + (2u << 20), SNP_PAGE_2M, 1);
	check("pages of 4 KiB in its place are not", r.eax, SNP_RESULT_FAIL_SIZEMISMATCH);
	show("= large", private_view(LARGE_PAGE));
	show("= large end", private_view(LARGE_PAGE + (2u << 20) - 4096));
}

/* GHCB specification and APM volume 2, 16.13: INIT starts a vCPU that the launch gave a VMSA. */
static void check_second_vcpu(void)
{
	volatile uint32_t *flag = (volatile uint32_t *)private_view(SECOND_FLAG);
	uint32_t count;

	if (*(volatile uint32_t *)private_view(PARAMETERS) < 2)
		return;
	check("the second vCPU waits", *flag, 0);
	check("the local APIC is enabled", ghcb_msr_write(MSR_APIC_BASE, APIC_BASE_X2APIC), 1);
	check("INIT is sent", ghcb_msr_write(MSR_X2APIC_ICR, ICR_TO_CPU_1 | ICR_INIT), 1);
	for (count = 0; *flag == 0 && count < 1000; count++)
		ghcb_in8(0x80); /* lets the other CPU run where both share one */
	check("and starts it with the file's VMSA", *flag, 1);
}

static void share(uint8_t *page)
{
	(void)pvalidate((uint64_t)page, SNP_PAGE_4K, 0);
	(void)page_make_shared((uint64_t)page);
}

/* What the AMD-SP says of the launch, its SNP_ID_BLOCK among it (firmware ABI, MSG_REPORT_REQ). */
static void show_report(void)
{
	static uint8_t request_page[4096] __attribute__((aligned(4096)));
	static uint8_t response_page[4096] __attribute__((aligned(4096)));
	static union {
		struct message_response response;
		uint8_t page[4096];
	} answer;
	const uint8_t *key = ((const struct snp_secrets *)private_view(SECRETS_PAGE))->vmpck[0];
	struct message_request request = message_report(0, 1);
	struct ghcb_answer host;

	share(request_page);
	share(response_page);
	message_seal(&request, key);
	message_put((uint64_t)request_page, &request);
	host = ghcb_exit(GUEST_REQUEST, (uint64_t)request_page, (uint64_t)response_page);
	check("the host passes a request for a report on", host.result | host.info_2, 0);
	message_get((uint64_t)response_page, &answer.response);
	check("the AMD-SP answers it", message_open(&answer.response, key), 1);
	check("  with a report", answer.response.response.status, PSP_STATUS_OK);
	memmove(answer.page, &answer.response.response.report, sizeof(struct psp_report));
	memset(answer.page + sizeof(struct psp_report), 0,
	       sizeof(answer) - sizeof(struct psp_report));
	show("= report", answer.page);
}

void test_main(void)
{
	show_parameters();
	show("= unmeasured", private_view(UNMEASURED_PAGE));
	show("= shared", shared_view(SHARED_PAGE));
	show("= errors", shared_view(ERROR_PAGE));
	show("= zeros", private_view(SMALL_PAGE));
	show("= CPUID", private_view(CPUID_PAGE));
	show("= CPUID_XF", private_view(CPUID_XF_PAGE));
	check_pages();
	show_report();
	check_second_vcpu();
	say("= end");
}
