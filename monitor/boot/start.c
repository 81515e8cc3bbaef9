/* SPDX-License-Identifier: MIT */
/*
 * Bring-up of the other vCPUs. Each starts in 64-bit mode on its own stack, by a VMSA that says so:
 * there is no real mode and no trampoline.
 */
#include "monitor/boot/start.h"

#include "core/snp/vmsa.h"
#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/cpu/cpu.h"
#include "monitor/run/run.h"
#include "monitor/trap/trap.h"
#include "monitor/vcpu/vmsa.h"

static _Noreturn void ap_main(void)
{
	struct cpu *cpu = cpu_this();

	cpu_load(cpu);
	trap_load_idt();
	if (!arch_host_name_ghcb(cpu) || !arch_host_name_doorbell(cpu))
		die(DIE_HOST, "a vCPU got no GHCB or doorbell page");
	if (!arch_timer_init())
		die(DIE_UNSUPPORTED, "the host has no APIC timer for VMPL0 of a vCPU");
	if (guest_apic_wanted() && !arch_guest_interrupts_init())
		die(DIE_HOST, "the host does not tell of the guest's interrupts");
	run_loop();
}

static gpa_t build_vmsa(unsigned int index, struct page_owner *owner)
{
	const struct cpu *cpu = cpu_at(index);
	const struct socle_guest_entry entry = {
		.rip = (uint64_t)(uintptr_t)ap_main,
		/* As after a call: the ABI wants the stack 16-aligned before it. */
		.rsp = (uint64_t)(uintptr_t)cpu + CPU_STACK_TOP - sizeof(uint64_t),
		.cr3 = map_kernel_cr3(),
		.gdt_base = (uint64_t)(uintptr_t)cpu->gdt,
		.gdt_limit = sizeof(cpu->gdt) - 1,
		.cs_selector = SELECTOR_KERNEL_CS,
		.ds_selector = SELECTOR_KERNEL_DS,
	};
	gpa_t page;

	if (!vmsa_alloc(owner, &page))
		die(DIE_MEMORY, "no memory for the VMSA of a vCPU");
	vmsa_long_mode(direct_ptr(page), &entry, arch_sev_features());
	if (!vmsa_commit(page))
		die(DIE_RMP, "a page of ours cannot become a VMSA");
	return page;
}

void boot_start_others(unsigned int wanted, struct page_owner *owner)
{
	for (unsigned int i = 1; i < wanted; i++) {
		if (!cpu_create(i, owner))
			die(DIE_MEMORY, "no memory for a vCPU");
		if (!arch_host_pages(cpu_at(i), owner))
			die(DIE_HOST, "no GHCB or doorbell page");

		gpa_t vmsa = build_vmsa(i, owner);

		if (!arch_start_vcpu(i, VMPL0, vmsa, arch_sev_features()))
			die(DIE_HOST, "the host refuses to start a vCPU");
	}
}
