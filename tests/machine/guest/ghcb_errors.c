/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor answers to a GHCB that it cannot use: SW_EXITINFO1 = 2 and the reason in
 * SW_EXITINFO2 (GHCB specification, section 4: 1 not registered, 2 invalid usage, 3 invalid scratch
 * area, 4 missing input, 5 invalid input, 6 invalid event).
 */
#include "tests/machine/guest/guest.h"

static uint8_t other_page[4096] __attribute__((aligned(4096)));

static void expect(const char *rule, struct ghcb_answer answer, uint64_t reason)
{
	check(rule, (uint64_t)answer.result << 32 | answer.info_2, 2ull << 32 | reason);
}

static struct ghcb_answer take_answer(void)
{
	struct ghcb_answer answer = { (uint32_t)ghcb->sw_exit_info_1, ghcb->sw_exit_info_2 };

	ghcb_clear();
	return answer;
}

/* A CPUID exit whose exit code is not marked valid. */
static struct ghcb_answer without_exit_code(void)
{
	ghcb->sw_exit_code = 0x72;
	ghcb->sw_exit_info_1 = 0;
	ghcb->sw_exit_info_2 = 0;
	ghcb_set_valid(0x398);
	ghcb_set_valid(0x3a0);
	ghcb_exit_at(ghcb_gpa());
	return take_answer();
}

static struct ghcb_answer with_usage(uint32_t usage)
{
	ghcb->usage = usage;
	return ghcb_exit(0x8000fffd, 0, 0);
}

static struct ghcb_answer with_scratch(uint64_t scratch)
{
	ghcb->sw_scratch = scratch;
	ghcb_set_valid(0x3a8);
	return ghcb_exit(0x80000010, 0, 0);
}

static struct ghcb_answer ap_creation(uint64_t request)
{
	ghcb->rax = 1;
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x80000013, request, (uint64_t)other_page);
}

/* An exit through a shared page that nobody has registered. */
static struct ghcb_answer unregistered(void)
{
	uint64_t gpa = (uint64_t)other_page;
	volatile struct ghcb *other = (volatile struct ghcb *)shared_view(gpa);

	check("PVALIDATE gives a page up", pvalidate(gpa, 0, 0).eax, 0);
	check("which becomes shared", page_make_shared(gpa), 0x015);
	for (size_t i = 0; i < sizeof(*other); i++)
		((volatile uint8_t *)other)[i] = 0;
	other->sw_exit_code = 0x8000fffd;
	other->protocol_version = 2;
	other->valid_bitmap[0x390 / 64] = 1u << 0x390 / 8 % 8 | 1u << 0x398 / 8 % 8 |
					  1u << 0x3a0 / 8 % 8;
	ghcb_exit_at(gpa);
	return (struct ghcb_answer){ (uint32_t)other->sw_exit_info_1, other->sw_exit_info_2 };
}

void test_main(void)
{
	struct ghcb_answer good = ghcb_exit(0x8000fffd, 0, 0);

	check("hypervisor features: SW_EXITINFO1", good.result, 0);
	check("hypervisor features: SNP, AP creation, multiple VMPLs", good.info_2 & 0x23, 0x23);
	expect("exit code not valid: missing input", without_exit_code(), 4);
	expect("OUT without RAX: missing input", ghcb_exit(0x7b, 0xe9ull << 16 | 1 << 4, 0), 4);
	expect("RDMSR without RCX: missing input", ghcb_exit(0x7c, 0, 0), 4);
	expect("CPUID without registers: missing input", ghcb_exit(0x72, 0, 0), 4);
	expect("unknown exit: invalid event", ghcb_exit(0x80001234, 0, 0), 6);
	expect("exit that SNP guests do not have: invalid event", ghcb_exit(0x7fffffff, 0, 0), 6);
	expect("usage 1: invalid usage", with_usage(1), 2);
	expect("scratch area in private memory: invalid scratch",
	       with_scratch((uint64_t)other_page), 3);
	expect("scratch area outside of RAM: invalid scratch", with_scratch(0xfffffffff000), 3);
	expect("AP creation, unknown request: invalid input", ap_creation(2ull << 16 | 3), 5);
	expect("AP creation, unknown APIC id: invalid input",
	       ap_creation(200ull << 32 | 2ull << 16 | 1), 5);
	expect("run VMPL4: invalid input", ghcb_exit(0x80000018, 4, 0), 5);
	expect("page not registered", unregistered(), 1);
	good = ghcb_exit(0x8000fffd, 0, 0);
	check("and the registered one still works", good.result, 0);
}
