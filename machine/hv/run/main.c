/* SPDX-License-Identifier: MIT */
/*
 * Start of the hypervisor: the boot CPU sets everything up and wakes the others, which run the
 * guest. It runs none itself (MACHINE_BOOT_CPUS).
 */
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/chipset.h"
#include "machine/hv/event/irq.h"
#include "machine/hv/insn/invlpgb.h"
#include "machine/hv/insn/msr.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/plane/cpuid.h"

#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define ICR_DESTINATION_SHIFT 24
#define AP_START_PAGE 0xffu /* rom.S: the alias of the ROM's last page */
#define AP_PATIENCE 20000000u
#define AP_TRIES 5u
#define CPUID_1_ECX_XSAVE (1u << 26)
#define PCI_CONFIG_ADDRESS 0xcf8u
#define PCI_CONFIG_DATA 0xcfcu
#define PCI_CONFIG_ENABLE (1u << 31)
#define PAM_FIRST 0x90u
#define PAM_LAST 0x96u
#define PAM_READ_WRITE 0x33u
#define CR4_OSXSAVE (1ull << 18)

static volatile bool machine_up; /* all CPUs are ready: guests may run */

_Noreturn void hv_main(void);
_Noreturn void hv_ap_main(void);

static void check_mailbox(const struct mailbox *m)
{
	if (m->magic != MAILBOX_MAGIC || m->version != MAILBOX_VERSION)
		hv_panic("the mailbox is not there: magic %lx version %u", m->magic, m->version);
}

/* What a CPU needs before it can run guests. */
static void cpu_init(struct vcpu *v)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;
	uint64_t cr4;

	trap_load();
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (ecx & CPUID_1_ECX_XSAVE) /* to switch XCR0 between planes */
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
	x86_wrmsr(X86_MSR_VM_HSAVE_PA, (uint64_t)page_take(1));
	irq_init_cpu(v);
}

/* The pages that the AMD-SP fills with what the CPU can do. */
static void fill_cpuid_pages(const struct mailbox *m)
{
	struct cpuid_machine machine = { .cpus = m->cpu_count, .invlpgb = invlpgb_offered() };

	for (uint32_t i = 0; i < m->page_range_count; i++) {
		if (m->pages[i].type != PSP_PAGE_TYPE_CPUID)
			continue;
		for (uint64_t n = 0; n < m->pages[i].count; n++)
			cpuid_fill_page(guest_ptr(m->pages[i].gpa + n * ABI_PAGE_SIZE,
						  ABI_PAGE_SIZE, GUEST_PRIVATE),
					&machine);
	}
}

static void send_ipi(uint32_t cpu, uint32_t low)
{
	x86_lapic_write(X86_LAPIC_ICR_HIGH, cpu << ICR_DESTINATION_SHIFT);
	x86_lapic_write(X86_LAPIC_ICR_LOW, low);
}

static void start_vcpu(const struct vcpu *v)
{
	send_ipi(vcpu_cpu(v->id), ICR_INIT);
	for (unsigned int i = 0; i < AP_TRIES; i++) {
		send_ipi(vcpu_cpu(v->id), ICR_STARTUP | AP_START_PAGE);
		for (unsigned int n = 0; n < AP_PATIENCE; n++) {
			if (v->online)
				return;
			x86_pause();
		}
	}
	hv_panic("the CPU of vCPU %u does not start", v->id);
}

/*
 * Shows RAM instead of ROM below 1 MiB, as a PC's firmware does: guests take it for memory. The
 * host bridge's PAM registers; not before the APs have started, which they do from the ROM.
 */
static void show_shadow_ram(void)
{
	for (uint32_t reg = PAM_FIRST; reg <= PAM_LAST; reg++) {
		x86_out32(PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE | (reg & ~3u));
		x86_out8((uint16_t)(PCI_CONFIG_DATA + reg % 4), PAM_READ_WRITE);
	}
}

_Noreturn void hv_main(void)
{
	struct mailbox *m = hv_mailbox();

	check_mailbox(m);
	trap_init();
	msr_init();
	npt_init();
	vcpu_init_all(m->cpu_count, m->vmsa_gpa);
	fill_cpuid_pages(m);
	chipset_init();
	trap_load();
	irq_init();
	for (unsigned int i = 0; i < m->cpu_count; i++)
		start_vcpu(vcpu_by_apic_id(i));
	show_shadow_ram();
	hv_log("hypervisor up: %u vCPUs, %lu MiB of guest RAM", m->cpu_count,
	       m->guest_ram_size >> 20);
	machine_up = true;
	x86_halt_for_good();
}

/* One after the other: the boot CPU waits for each, and all wait for it. */
_Noreturn void hv_ap_main(void)
{
	struct vcpu *v = vcpu_self();

	if (!v || v != vcpu_by_apic_id(v->id))
		hv_panic("a CPU without a vCPU started");
	cpu_init(v);
	v->online = true;
	while (!machine_up)
		x86_pause();
	vcpu_run(v);
}
