/* SPDX-License-Identifier: MIT */
/* The calling convention, and every core call with bad registers, addresses and alignments. */
#include "tests/attacks/guest/attack.h"

#define UNUSED_1 0x1111111111111111ull
#define UNUSED_2 0x2222222222222222ull

/* A call whose answer is result, and which leaves all other registers alone. */
static void expect_refused(const char *what, uint64_t rax, uint64_t result)
{
	struct svsm_regs regs = { rax, UNUSED_1, UNUSED_2, UNUSED_1, UNUSED_2 };

	expect("the call is taken", svsm_call_regs(&regs, 1), true);
	expect(what, regs.rax, result);
	expect("RCX stays", regs.rcx, UNUSED_1);
	expect("RDX stays", regs.rdx, UNUSED_2);
	expect("R8 stays", regs.r8, UNUSED_1);
	expect("R9 stays", regs.r9, UNUSED_2);
}

static void unknown_protocols(void)
{
	expect_refused("protocol 3", 0x300000000, 0x80000001);
	expect_refused("protocol 4", 0x400000000, 0x80000001);
	expect_refused("protocol 0x80000000", 0x8000000000000000, 0x80000001);
	expect_refused("protocol 0xffffffff", 0xffffffff00000000, 0x80000001);
}

static void unknown_calls(void)
{
	expect_refused("core call 8", 0x8, 0x80000002);
	expect_refused("core call 0xffffffff", 0xffffffff, 0x80000002);
	expect_refused("core call 0x80000001", 0x80000001, 0x80000002);
	expect_refused("attestation call 3", 0x100000003, 0x80000002);
	expect_refused("vTPM call 2", 0x200000002, 0x80000002);
}

static void pending_values(void)
{
	static const uint8_t values[] = { 2, 3, 0x80, 0xff };

	for (unsigned int i = 0; i < sizeof(values); i++) {
		struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };

		expect("the call is taken", svsm_call_regs(&regs, values[i]), true);
		expect("call_pending beyond 1", regs.rax, 0x80000004);
		expect("RCX stays", regs.rcx, 1);
	}
}

/* Without call_pending there is no call: nothing of it may be done. */
static void nothing_pending(void)
{
	uint64_t page = page_new();
	struct svsm_regs regs = { .rax = CORE_PVALIDATE, .rcx = cpu_this()->list };
	struct pvalidate_list *list = svsm_list();

	page_fill(page);
	list->entries = 1;
	list->next = 0;
	list->entry[0] = page;
	expect("VMPL0 ran", svsm_run(&regs), true);
	expect("RAX stays", regs.rax, CORE_PVALIDATE);
	expect("the list was not looked at", list->next, 0);
	expect("the page is what it was", page_filled(page), true);
}

/* Rest of the calling area: the guest's own, with what it likes in it. */
static void rest_of_area(void)
{
	uint8_t *area = (uint8_t *)cpu_this()->caa;

	for (unsigned int i = 1; i < 4096; i++)
		area[i] = 0xff;
	expect("a call with all else set", svsm_alive(), true);
	for (unsigned int i = 8; i < 4096; i++)
		expect("what is beyond the header stays", area[i], 0xff);
	for (unsigned int i = 1; i < 4096; i++)
		area[i] = 0;
}

static void query_protocol(void)
{
	static const struct {
		const char *what;
		uint64_t rcx, answer;
	} cases[] = {
		{ "core, version 1", 0x1, 0x100000001 },
		{ "core, version 0", 0x0, 0 },
		{ "core, version 2", 0x2, 0 },
		{ "core, version 0xffffffff", 0xffffffff, 0 },
		{ "protocol 3", 0x300000001, 0 },
		{ "protocol 0xffffffff", 0xffffffff00000001, 0 },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = cases[i].rcx };

		expect("the call is taken", svsm_call_regs(&regs, 1), true);
		expect("result", regs.rax, 0);
		expect(cases[i].what, regs.rcx, cases[i].answer);
	}
}

static void configure_vtom(void)
{
	struct svsm_regs regs = { .rax = CORE_CONFIGURE_VTOM, .rcx = 1 };

	expect("the call is taken", svsm_call_regs(&regs, 1), true);
	expect("query", regs.rax, 0);
	expect("query: no flag", regs.rcx, 0);
	for (unsigned int bit = 1; bit < 64; bit++)
		expect("query with a reserved bit",
		       svsm_call(CORE_CONFIGURE_VTOM, 1 | 1ull << bit, 0, 0), 0x80000005);
	expect("configure", svsm_call(CORE_CONFIGURE_VTOM, 0x80000000, 0, 0), 0x80000006);
	for (unsigned int bit = 5; bit < 12; bit++)
		expect("configure with a reserved bit",
		       svsm_call(CORE_CONFIGURE_VTOM, 1ull << bit, 0, 0), 0x80000005);
}

/* RCX of these calls must be aligned to 8 bytes (lists) or to a page. */
static void misaligned(void)
{
	uint64_t page = page_new();

	for (unsigned int bit = 0; bit < 12; bit++) {
		uint64_t at = page | 1ull << bit;

		expect("REMAP_CA", svsm_call(CORE_REMAP_CA, at, 0, 0), 0x80000005);
		expect("CREATE_VCPU, VMSA", svsm_call(CORE_CREATE_VCPU, at, page, 1), 0x80000005);
		expect("CREATE_VCPU, calling area", svsm_call(CORE_CREATE_VCPU, page, at, 1),
		       0x80000005);
		expect("DELETE_VCPU", svsm_call(CORE_DELETE_VCPU, at, 0, 0), 0x80000005);
		if (bit >= 3)
			continue;
		expect("PVALIDATE", svsm_call(CORE_PVALIDATE, at, 0, 0), 0x80000005);
		expect("DEPOSIT_MEM", svsm_call(CORE_DEPOSIT_MEM, at, 0, 0), 0x80000005);
		expect("WITHDRAW_MEM", svsm_call(CORE_WITHDRAW_MEM, at, 0, 0), 0x80000005);
	}
}

/* A call with each of the bad addresses in RCX must have this result. */
static void expect_bad_rcx(uint64_t rax, uint64_t result)
{
	struct bad_address bad[BAD_ADDRESSES];

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		expect(bad[i].what, svsm_call(rax, bad[i].gpa, 0, 0), result);
}

static void remap_bad(void)
{
	expect_bad_rcx(CORE_REMAP_CA, 0x80000003);
}

static void pvalidate_bad(void)
{
	expect_bad_rcx(CORE_PVALIDATE, 0x80000003);
}

static void deposit_bad(void)
{
	expect_bad_rcx(CORE_DEPOSIT_MEM, 0x80000003);
}

static void withdraw_bad(void)
{
	expect_bad_rcx(CORE_WITHDRAW_MEM, 0x80000003);
}

/* No such page is the VMSA of a vCPU. */
static void delete_bad(void)
{
	expect_bad_rcx(CORE_DELETE_VCPU, 0x80000005);
}

/* The list of DEPOSIT_MEM is judged like that of PVALIDATE, and then refused. */
static void deposit(void)
{
	uint64_t page = page_new();
	struct pvalidate_list *list = (struct pvalidate_list *)page;

	list->entries = 1;
	list->entry[0] = page;
	expect("a good list", svsm_call(CORE_DEPOSIT_MEM, page, 0, 0), 0x80000006);
	list->entries = 0;
	expect("no entry", svsm_call(CORE_DEPOSIT_MEM, page, 0, 0), 0x80000005);
	list->entries = 512;
	expect("more than a page of entries", svsm_call(CORE_DEPOSIT_MEM, page, 0, 0), 0x80000005);
	list->entries = 1;
	list->next = 1;
	expect("next beyond the entries", svsm_call(CORE_DEPOSIT_MEM, page, 0, 0), 0x80000005);
	expect("a list of 8 bytes at the page's end",
	       svsm_call(CORE_DEPOSIT_MEM, page + 4088, 0, 0), 0x80000005);
}

static void withdraw(void)
{
	uint64_t page = page_new();

	page_fill(page);
	expect("result", svsm_call(CORE_WITHDRAW_MEM, page, 0, 0), 0);
	expect("nothing was deposited", *(volatile uint16_t *)page, 0);
	expect("no room for an entry", svsm_call(CORE_WITHDRAW_MEM, page + 4088, 0, 0), 0x80000005);
	page_fill(page);
}

/* Calling areas. */

static void remap(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->caa, new = page_new();
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };

	*(volatile uint8_t *)new = 1;
	expect("the own area again", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
	expect("another page", svsm_call(CORE_REMAP_CA, new, 0, 0), 0);
	expect("its call_pending is 0", *(volatile uint8_t *)new, 0);
	*(volatile uint8_t *)old = 1;
	expect("VMPL0 ran", svsm_run(&regs), true);
	expect("no call in the old area", regs.rcx, 1);
	*(volatile uint8_t *)old = 0;
	cpu->caa = new;
	expect("a call in the new one", svsm_alive(), true);
	expect("back", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
	cpu->caa = old;
}

static void remap_not_valid(void)
{
	uint64_t page = page_new();

	expect("give a page up", page_give_up(page), 0);
	expect("a shared page", svsm_call(CORE_REMAP_CA, page, 0, 0), 0x80000003);
	expect("private again", psc_msr(page, PSC_PRIVATE), true);
	expect("a page that is not validated", svsm_call(CORE_REMAP_CA, page, 0, 0), 0x80000003);
	expect("take it back", svsm_pvalidate(page | ENTRY_VALIDATE), 0);
}

/* A calling area is no page of a list, and no other role has it. */
static void area_roles(void)
{
	uint64_t caa = cpu_this()->caa;

	expect("invalidate it", svsm_pvalidate(caa), 0x80000003);
	expect("validate it", svsm_pvalidate(caa | ENTRY_VALIDATE), 0x80000003);
	expect("validate it again", svsm_pvalidate(caa | ENTRY_VALIDATE | ENTRY_IGNORE_CF),
	       0x80000003);
	expect("the 2 MiB around it", svsm_pvalidate((caa & ~0x1fffffull) | ENTRY_2M), 0x80000003);
	expect("as a VMSA", svsm_call(CORE_CREATE_VCPU, caa, page_new(), 1) != 0, true);
	expect("delete it", svsm_call(CORE_DELETE_VCPU, caa, 0, 0), 0x80000005);
}

const struct rule rules[] = {
	{ "unknown protocols are refused", "58019 5, table 3", unknown_protocols, 1 },
	{ "unknown calls are refused", "58019 5, table 3", unknown_calls, 1 },
	{ "call_pending is 0 or 1", "58019 4", pending_values, 1 },
	{ "no call without call_pending", "58019 4", nothing_pending, 1 },
	{ "the rest of the calling area is the guest's", "58019 4", rest_of_area, 1 },
	{ "QUERY_PROTOCOL tells what there is", "58019 6.7", query_protocol, 1 },
	{ "CONFIGURE_VTOM: query only, no reserved bit", "58019 6.8", configure_vtom, 1 },
	{ "misaligned addresses are refused", "58019 6.1 to 6.6", misaligned, 1 },
	{ "REMAP_CA to what is not the guest's", "58019 6.1", remap_bad, 1 },
	{ "PVALIDATE list in what is not the guest's", "58019 6.2", pvalidate_bad, 1 },
	{ "DEPOSIT_MEM list in what is not the guest's", "58019 6.5", deposit_bad, 1 },
	{ "WITHDRAW_MEM list in what is not the guest's", "58019 6.6", withdraw_bad, 1 },
	{ "DELETE_VCPU of what is not the guest's", "58019 6.4", delete_bad, 1 },
	{ "DEPOSIT_MEM is refused", "58019 6.5", deposit, 1 },
	{ "WITHDRAW_MEM has nothing", "58019 6.6", withdraw, 1 },
	{ "REMAP_CA moves the calling area", "58019 6.1", remap, 1 },
	{ "REMAP_CA to a page that is not valid", "58019 6.1", remap_not_valid, 1 },
	{ "a calling area has no other role", "58019 6.1", area_roles, 1 },
	{ NULL, NULL, NULL, 0 },
};
