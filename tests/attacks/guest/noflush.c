/* SPDX-License-Identifier: MIT */
/*
 * A host that withholds INVLPGB: Socle cannot know whether a CPU still writes to a page that is to
 * become a VMSA, so that CREATE_VCPU is refused (0x80001020). All else is served.
 */
#include "tests/attacks/guest/attack.h"

static void create_refused(void)
{
	uint64_t vmsa = page_new(), caa = page_new();

	cpu_vmsa(vmsa, 1);
	expect("result", svsm_call(CORE_CREATE_VCPU, vmsa, caa, 1), 0x80001020);
	expect("its VMPL is the guest's to write", *(volatile uint8_t *)(vmsa + 0xca), 2);
	*(volatile uint8_t *)(vmsa + 0xca) = 0;
	expect("VMPL 0", svsm_call(CORE_CREATE_VCPU, vmsa, caa, 1), 0x80001020);
	expect("VMRUN refuses it", cpu_refused(1, 2, vmsa), true);
	expect("it is no vCPU", svsm_call(CORE_DELETE_VCPU, vmsa, 0, 0), 0x80000005);
}

/* Refused ones leave nothing: there is room for as many as there are places, and more. */
static void refused_many_times(void)
{
	uint64_t vmsa = page_new(), caa = page_new();

	for (unsigned int i = 0; i < 300; i++) {
		cpu_vmsa(vmsa, 1);
		expect("result", svsm_call(CORE_CREATE_VCPU, vmsa, caa, 1), 0x80001020);
	}
}

static void pages_go_on(void)
{
	uint64_t page = page_new(), large = page_new_2m();

	expect("give a page up", page_give_up(page), 0);
	expect("take it back", page_get_back(page), 0);
	expect("it is zero", page_zero(page), true);
	expect("invalidate 2 MiB", svsm_pvalidate(large | ENTRY_2M), 0);
	expect("validate 2 MiB", svsm_pvalidate(large | ENTRY_2M | ENTRY_VALIDATE), 0);
	expect("they are zero", page_zero(large + 0x1ff000), true);
}

static void area_goes_on(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->caa, new = page_new();

	expect("REMAP_CA", svsm_call(CORE_REMAP_CA, new, 0, 0), 0);
	cpu->caa = new;
	expect("a call there", svsm_alive(), true);
	expect("back", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
	cpu->caa = old;
}

const struct rule rules[] = {
	{ "CREATE_VCPU is refused", "APM 3, INVLPGB", create_refused, 2 },
	{ "as often as it is tried", "APM 3, INVLPGB", refused_many_times, 2 },
	{ "pages change as ever", "58019 6.2", pages_go_on, 1 },
	{ "calling areas move as ever", "58019 6.1", area_goes_on, 1 },
	{ NULL, NULL, NULL, 0 },
};
