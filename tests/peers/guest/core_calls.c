/* SPDX-License-Identifier: MIT */
/*
 * Calls of the core protocol, with good and bad inputs, and queries of the others: each prints what
 * came back, in a line "# NAME: RAX [REGISTER=VALUE]...", without an address in it. So the tables
 * of two SVSMs can be held beside each other; ../core_calls_test.py does that, and knows what 58019
 * wants.
 */
#include "tests/attacks/guest/attack.h"

#define ATTEST_SERVICES 0x100000000ull
#define ATTEST_SINGLE 0x100000001ull
#define VTPM_QUERY 0x200000000ull
#define VTPM_CMD 0x200000001ull
#define UNUSED_R9 0x9999999999999999ull

static void show_register(char *text, size_t *used, const char *name, uint64_t got, uint64_t was)
{
	static const char digits[] = "0123456789abcdef";
	bool started = false;

	if (got == was)
		return;
	text[(*used)++] = ' ';
	while (*name)
		text[(*used)++] = *name++;
	text[(*used)++] = '=';
	for (int shift = 60; shift >= 0; shift -= 4) {
		unsigned int digit = got >> shift & 0xf;

		started = started || digit != 0 || shift == 0;
		if (started)
			text[(*used)++] = digits[digit];
	}
}

/* Makes the call and prints what it changed. Returns RAX. */
static uint64_t show(const char *name, uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	struct svsm_regs regs = { rax, rcx, rdx, r8, UNUSED_R9 };
	bool taken = svsm_call_regs(&regs, 1);
	char text[128];
	size_t used = 0;

	show_register(text, &used, "RCX", regs.rcx, rcx);
	show_register(text, &used, "RDX", regs.rdx, rdx);
	show_register(text, &used, "R8", regs.r8, r8);
	show_register(text, &used, "R9", regs.r9, UNUSED_R9);
	text[used] = '\0';
	note("%s: %lx%s%s", name, regs.rax, text, taken ? "" : " (not taken)");
	return regs.rax;
}

/* A list of PVALIDATE with count entries of this one; how far it came is printed, too. */
static uint64_t show_list(const char *name, uint16_t entries, uint16_t next, uint64_t entry)
{
	struct pvalidate_list *list = svsm_list();
	uint64_t rax;

	list->entries = entries;
	list->next = next;
	list->reserved = 0;
	for (unsigned int i = 0; i < 511; i++)
		list->entry[i] = entry;
	rax = show(name, CORE_PVALIDATE, (uint64_t)list, 0, 0);
	if (list->next != next)
		note("%s: next %u", name, list->next);
	return rax;
}

static uint64_t show_entry(const char *name, uint64_t entry)
{
	return show_list(name, 1, 0, entry);
}

static void protocols(void)
{
	show("no such protocol", 0x500000000, 0, 0, 0);
	show("a reserved protocol", 0x8000000100000000, 0, 0, 0);
	show("core call 8", 8, 0, 0, 0);
	show("core call 0x80000000", 0x80000000, 0, 0, 0);
	show("attestation call 0x99", 0x100000099, 0, 0, 0);
	show("vTPM call 0x99", 0x200000099, 0, 0, 0);
}

/* The answer is all of RCX. */
static void show_query(const char *name, uint64_t rcx)
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = rcx };

	svsm_call_regs(&regs, 1);
	note("query %s: %lx RCX=%lx", name, regs.rax, regs.rcx);
}

static void query(void)
{
	show_query("core 1", 0x000000001);
	show_query("core 0", 0x000000000);
	show_query("core 2", 0x000000002);
	show_query("attestation 1", 0x100000001);
	show_query("attestation 3", 0x100000003);
	show_query("vTPM 1", 0x200000001);
	show_query("vTPM 2", 0x200000002);
	show_query("APIC 1", 0x300000001);
	show_query("protocol 0xffffffff", 0xffffffff00000001);
}

static void vtom(void)
{
	show("vTOM query", CORE_CONFIGURE_VTOM, 1, 0, 0);
	show("vTOM query, reserved bit", CORE_CONFIGURE_VTOM, 3, 0, 0);
	show("vTOM set", CORE_CONFIGURE_VTOM, 0x40000000, 0, 0);
	show("vTOM set, reserved bit", CORE_CONFIGURE_VTOM, 0x40000020, 0, 0);
}

static void memory_lists(void)
{
	struct pvalidate_list *list = svsm_list();

	list->entries = 1;
	list->next = 0;
	list->entry[0] = page_new();
	show("deposit a page", CORE_DEPOSIT_MEM, (uint64_t)list, 0, 0);
	list->entries = 0;
	show("deposit none", CORE_DEPOSIT_MEM, (uint64_t)list, 0, 0);
	show("deposit, list misaligned", CORE_DEPOSIT_MEM, (uint64_t)list + 4, 0, 0);
	list->entries = 1;
	show("withdraw", CORE_WITHDRAW_MEM, (uint64_t)list, 0, 0);
	if (list->entries == 0)
		note("withdraw: an empty list");
	show("withdraw, list misaligned", CORE_WITHDRAW_MEM, (uint64_t)list + 4, 0, 0);
}

static void pvalidate_lists(void)
{
	uint64_t list = (uint64_t)svsm_list(), page = page_new();

	show("PVALIDATE, list misaligned", CORE_PVALIDATE, list + 4, 0, 0);
	show("PVALIDATE, list beyond RAM", CORE_PVALIDATE, 0x7ffffffff000, 0, 0);
	show("PVALIDATE, list of the SVSM", CORE_PVALIDATE, places.svsm, 0, 0);
	show_list("PVALIDATE, no entry", 0, 0, page);
	show_list("PVALIDATE, next beyond entries", 1, 1, page);
	show_list("PVALIDATE, list beyond its page", 512, 0, page | ENTRY_VALIDATE);
	show_list("PVALIDATE, 511 unchanged, ignored", 511, 0,
		  page | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
	show_list("PVALIDATE, the last of three", 3, 2, page | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
	show_list("PVALIDATE, the first of two is unchanged", 2, 0, page | ENTRY_VALIDATE);
}

static void pvalidate_entries(void)
{
	uint64_t page = page_new();

	show_entry("validate a valid page", page | ENTRY_VALIDATE);
	show_entry("validate a valid page, ignored", page | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
	show_entry("invalidate", page);
	show_entry("validate", page | ENTRY_VALIDATE);
	*(volatile uint64_t *)page = 0x1234;
	show_entry("validate, still valid, ignored", page | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
	note("a valid page that is validated again: %s", page_zero(page) ? "cleared"
							 : *(volatile uint64_t *)page == 0x1234
								 ? "kept"
								 : "noise");
	show_entry("page size 2", page | ENTRY_VALIDATE | 2);
	show_entry("page size 3", page | ENTRY_VALIDATE | 3);
	show_entry("reserved bit 4", page | ENTRY_VALIDATE | 0x10);
	show_entry("reserved bit 11", page | ENTRY_VALIDATE | 0x800);
	show_entry("2 MiB, misaligned", page | ENTRY_VALIDATE | ENTRY_2M);
	show_entry("2 MiB, of 4 KiB pages", (page & ~0x1fffffull) | ENTRY_VALIDATE | ENTRY_2M);
	show_entry("beyond RAM", 0x7ffffffff000 | ENTRY_VALIDATE);
	show_entry("above all addresses", 0xfffffffffffff000 | ENTRY_VALIDATE);
	show_entry("a page of the SVSM, validate", places.svsm | ENTRY_VALIDATE);
	show_entry("a page of the SVSM, invalidate", places.svsm);
	show_entry("the caller's area, invalidate", cpu_this()->caa);
	show_query("after pages", 1);
}

static void remap(void)
{
	uint64_t old = cpu_this()->caa, page = page_new();

	show("REMAP_CA, misaligned by 4", CORE_REMAP_CA, page + 4, 0, 0);
	show("REMAP_CA, beyond RAM", CORE_REMAP_CA, 0x7ffffffff000, 0, 0);
	show("REMAP_CA, the SVSM's page", CORE_REMAP_CA, places.svsm, 0, 0);
	show("REMAP_CA, where it is", CORE_REMAP_CA, old, 0, 0);
	if (show("REMAP_CA, misaligned by 8", CORE_REMAP_CA, page + 8, 0, 0) == 0) {
		cpu_this()->caa = page + 8;
		if (show("REMAP_CA, back from there", CORE_REMAP_CA, old, 0, 0) == 0)
			cpu_this()->caa = old;
	}
	if (show("REMAP_CA", CORE_REMAP_CA, page, 0, 0) != 0)
		return;
	cpu_this()->caa = page;
	show_query("by the new area", 1);
	if (show("REMAP_CA, back", CORE_REMAP_CA, old, 0, 0) == 0)
		cpu_this()->caa = old;
}

/* A VMSA as it should be, in a page of its own. */
static uint64_t vmsa_new(unsigned int id)
{
	uint64_t page = page_new();

	cpu_vmsa(page, id);
	return page;
}

static void create_bad(void)
{
	uint64_t vmsa = vmsa_new(1), area = page_new();

	show("CREATE_VCPU, VMSA misaligned", CORE_CREATE_VCPU, vmsa + 8, area, 1);
	show("CREATE_VCPU, area misaligned by 4", CORE_CREATE_VCPU, vmsa, area + 4, 1);
	show("CREATE_VCPU, VMSA beyond RAM", CORE_CREATE_VCPU, 0x7ffffffff000, area, 1);
	if (places.cpus > 1) /* or the APIC id is bad, too */
		show("CREATE_VCPU, area beyond RAM", CORE_CREATE_VCPU, vmsa, 0x7ffffffff000, 1);
	show("CREATE_VCPU, VMSA of the SVSM", CORE_CREATE_VCPU, places.svsm, area, 1);
	show("CREATE_VCPU, one page as both", CORE_CREATE_VCPU, vmsa, vmsa, 1);
	show("CREATE_VCPU, APIC id that is not there", CORE_CREATE_VCPU, vmsa, area, 0x77);
	show("DELETE_VCPU, no VMSA", CORE_DELETE_VCPU, vmsa, 0, 0);
	show("DELETE_VCPU, misaligned", CORE_DELETE_VCPU, vmsa + 8, 0, 0);
	show("DELETE_VCPU, beyond RAM", CORE_DELETE_VCPU, 0x7ffffffff000, 0, 0);
	show_entry("the VMSA is still a page", vmsa | ENTRY_VALIDATE);
}

/* The fields that 58019 has the SVSM look at; for a vCPU that the VM has. */
static void create_fields(void)
{
	uint64_t area = page_new(), vmsa = vmsa_new(1);
	struct snp_vmsa *fields = (struct snp_vmsa *)vmsa;

	fields->vmpl = 0;
	show("CREATE_VCPU, VMPL 0", CORE_CREATE_VCPU, vmsa, area, 1);
	fields->vmpl = 1;
	show("CREATE_VCPU, VMPL 1", CORE_CREATE_VCPU, vmsa, area, 1);
	fields->vmpl = 2;
	fields->efer &= ~0x1000ull;
	show("CREATE_VCPU, EFER without SVME", CORE_CREATE_VCPU, vmsa, area, 1);
	fields->efer |= 0x1000;
	fields->sev_features = 0;
	show("CREATE_VCPU, no SEV_FEATURES", CORE_CREATE_VCPU, vmsa, area, 1);
	fields->sev_features = 9;
	show("CREATE_VCPU, other SEV_FEATURES", CORE_CREATE_VCPU, vmsa, area, 1);
	fields->sev_features = 1;
	show_entry("the page is the guest's again", vmsa | ENTRY_VALIDATE);
}

/* A vCPU that is made, and not run: for the second CPU, which runs on another VMSA. */
static void create_and_delete(void)
{
	uint64_t area = page_new(), vmsa = vmsa_new(1), other = vmsa_new(1);

	if (show("CREATE_VCPU, area misaligned by 8", CORE_CREATE_VCPU, other, area + 8, 1) == 0)
		show("DELETE_VCPU of that", CORE_DELETE_VCPU, other, 0, 0);
	if (show("CREATE_VCPU", CORE_CREATE_VCPU, vmsa, area, 1) != 0)
		return;
	show("CREATE_VCPU, a VMSA once more", CORE_CREATE_VCPU, vmsa, area, 1);
	show("CREATE_VCPU, a VMSA as area", CORE_CREATE_VCPU, other, vmsa, 1);
	show_entry("invalidate a VMSA", vmsa);
	show("REMAP_CA, a VMSA", CORE_REMAP_CA, vmsa, 0, 0);
	show("REMAP_CA, an area of another vCPU", CORE_REMAP_CA, area, 0, 0);
	show("DELETE_VCPU", CORE_DELETE_VCPU, vmsa, 0, 0);
	show("DELETE_VCPU, once more", CORE_DELETE_VCPU, vmsa, 0, 0);
	show_entry("it is a page of the guest again", vmsa | ENTRY_VALIDATE);
}

static void other_protocols(void)
{
	uint64_t page = page_new();
	struct svsm_regs regs = { .rax = VTPM_QUERY };

	for (unsigned int i = 0; i < 512; i++)
		((volatile uint64_t *)page)[i] = 0;
	svsm_call_regs(&regs, 1);
	note("vTPM query: %lx, %s", regs.rax, regs.rcx & 1u << 8 ? "sends commands" : "does not");
	show("vTPM command beyond RAM", VTPM_CMD, 0x7ffffffff000, 0, 0);
	show("vTPM command of the SVSM's page", VTPM_CMD, places.svsm, 0, 0);
	*(volatile uint32_t *)page = 7;
	show("vTPM platform command 7", VTPM_CMD, page, 0, 0);
	show("attestation, block beyond RAM", ATTEST_SERVICES, 0x7ffffffff000, 0, 0);
	show("attestation, block of the SVSM", ATTEST_SERVICES, places.svsm, 0, 0);
	show("attestation, block of zeros", ATTEST_SERVICES, page, 0, 0);
	show("single attestation, block of zeros", ATTEST_SINGLE, page, 0, 0);
	show_query("in the end", 1);
}

/* What an SVSM may not survive comes last. */
static void invalidate_twice(void)
{
	uint64_t page = page_new();

	show_entry("invalidate another page", page);
	show_entry("invalidate again", page);
	show_entry("invalidate again, ignored", page | ENTRY_IGNORE_CF);
	show_entry("and validate", page | ENTRY_VALIDATE);
}

static void table(void)
{
	protocols();
	query();
	vtom();
	memory_lists();
	pvalidate_lists();
	pvalidate_entries();
	remap();
	create_bad();
	other_protocols();
	if (places.cpus > 1) {
		create_fields();
		create_and_delete();
		/* Its own VMSA may not be the one that is served any more. */
		(void)cpu_stop(1);
	}
	invalidate_twice();
}

const struct rule rules[] = {
	{ "the table is complete", "58019, 6", table, 1 },
	{ 0 },
};
