/* SPDX-License-Identifier: MIT */
/*
 * Page state changes that Socle does not know of: the guest asks the host alone, and then uses the
 * page in a call. The host converts what is shared when Socle touches it, so that the page is not
 * validated then; a private page that was shared in between is not either (APM volume 2, 15.36.6).
 * The call that needed the page is refused with INVALID_ADDRESS, 0x80000003, and the guest has lost
 * the page, for Socle goes by what it validated.
 */
#include "tests/attacks/guest/attack.h"

/* The ways behind Socle's back. What the page is afterwards, when somebody has touched it. */
enum way {
	SHARED_BY_MSR,
	AGAIN_BY_MSR,
	SHARED_BY_LIST,
	AGAIN_BY_LIST,
	WAYS,
};

static void change_4k(uint64_t page, enum way way)
{
	bool by_list = way == SHARED_BY_LIST || way == AGAIN_BY_LIST;
	bool again = way == AGAIN_BY_MSR || way == AGAIN_BY_LIST;

	expect("the host makes it shared",
	       by_list ? psc_list(page, PSC_SHARED, false) : psc_msr(page, PSC_SHARED), true);
	if (again)
		expect("and private again",
		       by_list ? psc_list(page, PSC_PRIVATE, false) : psc_msr(page, PSC_PRIVATE),
		       true);
}

/* A page of the guest that has gone this way. It is not validated when the rule ends. */
static uint64_t page_lost(enum way way)
{
	uint64_t page = page_new();

	pages_keep(page, 1, "invalid");
	change_4k(page, way);
	return page;
}

/* A page that Socle does not look at, for what it knows of it decides: the guest touches it. */
static void touch(uint64_t page)
{
	struct fault fault = { 0 };
	uint64_t value;

	expect("the page is not validated", try_read(page, &value, &fault), true);
	expect("#VC", fault.vector, 29);
	expect("PAGE_NOT_VALIDATED", fault.error, 0x404);
}

static void for_all_ways(void (*attack)(uint64_t page))
{
	for (enum way way = 0; way < WAYS; way++)
		attack(page_lost(way));
}

static void as_entry(uint64_t page)
{
	expect("invalidate", svsm_pvalidate(page), 0x80000003);
	expect("invalidate, ignored", svsm_pvalidate(page | ENTRY_IGNORE_CF), 0x80000003);
	expect("validate, ignored", svsm_pvalidate(page | ENTRY_VALIDATE | ENTRY_IGNORE_CF),
	       0x80000003);
	expect("validate", svsm_pvalidate(page | ENTRY_VALIDATE), 0x80001010);
	touch(page);
}

static void invalidate(void)
{
	for_all_ways(as_entry);
}

/* What Socle holds for valid it does not validate a second time: the host could exchange it. */
static void as_valid(uint64_t page)
{
	expect("validate", svsm_pvalidate(page | ENTRY_VALIDATE), 0x80001010);
	touch(page);
}

static void validate(void)
{
	for_all_ways(as_valid);
}

static void as_list(uint64_t page)
{
	expect("its header", svsm_call(CORE_PVALIDATE, page, 0, 0), 0x80000003);
	touch(page);
}

static void lists(void)
{
	for_all_ways(as_list);
}

static void as_deposit(uint64_t page)
{
	expect("DEPOSIT_MEM", svsm_call(CORE_DEPOSIT_MEM, page, 0, 0), 0x80000003);
	expect("WITHDRAW_MEM", svsm_call(CORE_WITHDRAW_MEM, page, 0, 0), 0x80000003);
	touch(page);
}

static void deposits(void)
{
	for_all_ways(as_deposit);
}

static void as_area(uint64_t page)
{
	expect("REMAP_CA", svsm_call(CORE_REMAP_CA, page, 0, 0), 0x80000003);
	expect("the old area is served", svsm_alive(), true);
	touch(page);
}

static void areas(void)
{
	for_all_ways(as_area);
}

static void as_vmsa(uint64_t page)
{
	expect("CREATE_VCPU", svsm_call(CORE_CREATE_VCPU, page, page_new(), 1), 0x80000003);
	touch(page);
}

static void vmsas(void)
{
	for_all_ways(as_vmsa);
}

static void as_area_of_another(uint64_t page)
{
	uint64_t vmsa = page_new();

	cpu_vmsa(vmsa, 1);
	expect("CREATE_VCPU", svsm_call(CORE_CREATE_VCPU, vmsa, page, 1), 0x80000003);
	touch(page);
}

static void areas_of_others(void)
{
	for_all_ways(as_area_of_another);
}

/* In a list: what is before it is done, what is behind it is not, and the cursor says so. */
static void in_a_list(void)
{
	for (enum way way = 0; way < WAYS; way++) {
		uint64_t before = page_new(), behind = page_new();
		struct pvalidate_list *list = svsm_list();
		uint64_t page = page_lost(way);

		page_fill(behind);
		list->entries = 3;
		list->next = 0;
		list->entry[0] = before;
		list->entry[1] = page;
		list->entry[2] = behind;
		expect("result", svsm_pvalidate_list(), 0x80000003);
		expect("the cursor is at the page", list->next, 1);
		expect("what is behind it is what it was", page_filled(behind), true);
		expect("what is before it is invalid", svsm_pvalidate(before), 0x80001010);
		expect("and can be had again", svsm_pvalidate(before | ENTRY_VALIDATE), 0);
		touch(page);
	}
}

/* A page of 2 MiB, shared and private again as a whole. */
static void large_again(void)
{
	uint64_t page = page_new_2m();

	pages_keep(page, 512, "invalid");
	expect("shared", psc_list(page, PSC_SHARED, true), true);
	expect("private", psc_list(page, PSC_PRIVATE, true), true);
	expect("invalidate", svsm_pvalidate(page | ENTRY_2M), 0x80000003);
	expect("validate, ignored",
	       svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0x80000003);
	expect("invalidate a page in it", svsm_pvalidate(page + 0x3000), 0x80000003);
	touch(page);
}

/* One page of 2 MiB. The whole is not a page any more for the RMP, and that one is not valid. */
static void large_part(void)
{
	uint64_t page = page_new_2m(), inner = page + 0x7000;

	pages_keep(page, 1, NULL);
	pages_keep(inner, 1, "invalid");
	expect("shared", psc_msr(inner, PSC_SHARED), true);
	expect("private", psc_msr(inner, PSC_PRIVATE), true);
	expect("invalidate the whole", svsm_pvalidate(page | ENTRY_2M), 0x80001006);
	expect("validate the whole, ignored",
	       svsm_pvalidate(page | ENTRY_2M | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0x80001006);
	expect("invalidate the page", svsm_pvalidate(inner), 0x80000003);
	page_fill(page);
	expect("its neighbours are the guest's", page_filled(page), true);
	touch(inner);
}

/* A calling area with a call pending: Socle cannot read it, so there is no call. */

static void make_lost_call(void)
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };

	expect("VMPL0 ran", svsm_run(&regs), true);
	expect("there was no call", regs.rcx, 1);
}

static void lose_area(enum way way)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t caa = cpu->caa, new = page_new();

	*(volatile uint8_t *)caa = 1;
	pages_keep(caa, 1, "invalid");
	pages_keep(new, 1, NULL);
	change_4k(caa, way);
	cpu_begin(1, make_lost_call);
	cpu_end(1);
	expect("the host stops that CPU", cpu_stop(1), true);
	expect("delete it", svsm_call(CORE_DELETE_VCPU, cpu->vmsa, 0, 0), 0);
	cpu_vmsa(cpu->vmsa, 1);
	expect("create it with another area", svsm_call(CORE_CREATE_VCPU, cpu->vmsa, new, 1), 0);
	expect("it runs", cpu_enter(1, cpu->vmsa, new), true);
	touch(caa);
}

static void pending_call(void)
{
	for (enum way way = 0; way < WAYS; way++)
		lose_area(way);
}

/* VMSAs. The host cannot take one from a vCPU that runs on it; one that is parked it can. */

static void running_vmsa(void)
{
	expect("by MSR", psc_msr(cpu_at(1)->vmsa, PSC_SHARED), false);
	expect("by list", psc_list(cpu_at(1)->vmsa, PSC_SHARED, false), false);
	expect("its VMPL is what it was", *(volatile uint8_t *)(cpu_at(1)->vmsa + 0xca),
	       places.vmpl);
}

static void start_on_another_page(void)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t vmsa = page_new();

	cpu_vmsa(vmsa, 1);
	expect("create with another VMSA", svsm_call(CORE_CREATE_VCPU, vmsa, cpu->caa, 1), 0);
	pages_keep(vmsa, 1, "vmsa");
	expect("it runs", cpu_enter(1, vmsa, cpu->caa), true);
}

/* Its page is nobody's any more: the host could show the VMSA again. */
static void lose_parked_vmsa(enum way way)
{
	uint64_t vmsa = cpu_at(1)->vmsa;

	expect("the host stops that CPU", cpu_stop(1), true);
	pages_keep(vmsa, 1, "invalid");
	change_4k(vmsa, way);
	expect("VMRUN refuses it", cpu_refused(1, 2, vmsa), true);
	expect("delete it", svsm_call(CORE_DELETE_VCPU, vmsa, 0, 0), 0x80000003);
	expect("it is forgotten", svsm_call(CORE_DELETE_VCPU, vmsa, 0, 0), 0x80000005);
	expect("validate its page", svsm_pvalidate(vmsa | ENTRY_VALIDATE), 0x80000003);
	expect("invalidate its page", svsm_pvalidate(vmsa), 0x80000003);
	start_on_another_page();
	touch(vmsa);
}

static void parked_vmsa(void)
{
	for (enum way way = 0; way < WAYS; way++)
		lose_parked_vmsa(way);
}

/* Made, and lost before it ever ran. */
static void lose_new_vmsa(enum way way)
{
	uint64_t vmsa = page_new();

	cpu_vmsa(vmsa, 1);
	expect("create", svsm_call(CORE_CREATE_VCPU, vmsa, cpu_at(1)->caa, 1), 0);
	pages_keep(vmsa, 1, "invalid");
	change_4k(vmsa, way);
	expect("the host stops the old one", cpu_stop(1), true);
	expect("VMRUN refuses the new one", cpu_refused(1, 2, vmsa), true);
	expect("delete the new one", svsm_call(CORE_DELETE_VCPU, vmsa, 0, 0), 0x80000003);
	expect("delete the old one", svsm_call(CORE_DELETE_VCPU, cpu_at(1)->vmsa, 0, 0), 0);
	cpu_vmsa(cpu_at(1)->vmsa, 1);
	expect("create it again", svsm_call(CORE_CREATE_VCPU, cpu_at(1)->vmsa, cpu_at(1)->caa, 1),
	       0);
	expect("it runs", cpu_enter(1, cpu_at(1)->vmsa, cpu_at(1)->caa), true);
	touch(vmsa);
}

static void new_vmsa(void)
{
	for (enum way way = 0; way < WAYS; way++)
		lose_new_vmsa(way);
}

/* The other CPU takes the page, and this one uses it. */
static uint64_t victim;

static void take_victim(void)
{
	change_4k(victim, AGAIN_BY_LIST);
}

static void by_another_cpu(void)
{
	void (*const uses[])(uint64_t) = { as_entry, as_list, as_area, as_vmsa };

	for (unsigned int i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		victim = page_new();
		pages_keep(victim, 1, "invalid");
		cpu_begin(1, take_victim);
		cpu_end(1);
		uses[i](victim);
	}
}

const struct rule rules[] = {
	{ "invalidate what the host took", "58019 6.2; APM 2, 15.36.6", invalidate, 1 },
	{ "validate what the host took", "58019 6.2; APM 2, 15.36.6", validate, 1 },
	{ "a list that the host took", "58019 6.2", lists, 1 },
	{ "DEPOSIT_MEM and WITHDRAW_MEM lists that the host took", "58019 6.5, 6.6", deposits, 1 },
	{ "REMAP_CA to what the host took", "58019 6.1", areas, 1 },
	{ "the host took one page of a list", "58019 6.2", in_a_list, 1 },
	{ "the host took 2 MiB", "58019 6.2; APM 3, PVALIDATE", large_again, 1 },
	{ "the host took one page of 2 MiB", "58019 6.2; APM 3, RMPADJUST", large_part, 1 },
	{ "CREATE_VCPU with a VMSA that the host took", "58019 6.3", vmsas, 2 },
	{ "CREATE_VCPU with a calling area that the host took", "58019 6.3", areas_of_others, 2 },
	{ "the host took a calling area with a call in it", "58019 4", pending_call, 2 },
	{ "the VMSA of a vCPU that runs stays", "APM 2, 15.36.12", running_vmsa, 2 },
	{ "the host took the VMSA of a parked vCPU", "58019 6.4", parked_vmsa, 2 },
	{ "the host took a VMSA that was never run", "58019 6.4", new_vmsa, 2 },
	{ "another vCPU took the page", "58019 6", by_another_cpu, 2 },
	{ NULL, NULL, NULL, 0 },
};
