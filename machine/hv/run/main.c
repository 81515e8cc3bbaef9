/* SPDX-License-Identifier: MIT */
/*
 * Start of the hypervisor: the boot CPU sets everything up and wakes the others, which run the
 * guest. It runs none itself (MACHINE_BOOT_CPUS).
 */
#include "machine/hv/base/cpu.h"
#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/tables.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/chipset.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/memory/iommu.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/page_state.h"
#include "machine/hv/plane/control_area.h"
#include "machine/hv/plane/cpuid.h"
#include "machine/hv/run/cpu_needs.h"
#include "machine/hv/run/run.h"

#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CR4_PSE (1ull << 4)
#define CR4_PGE (1ull << 7)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

static volatile bool machine_up; /* all CPUs are ready: guests may run */

_Noreturn void hv_main(void);
_Noreturn void hv_ap_main(void);

static void check_mailbox(const struct mailbox *m)
{
	if (m->magic != MAILBOX_MAGIC || m->version != MAILBOX_VERSION)
		hv_panic("the mailbox is not there: magic %lx version %u", m->magic, m->version);
}

/*
 * QEMU flushes its TLB once more, and with it what it knows of translated code, where VMRUN or
 * #VMEXIT changes one of PSE, PGE, SMEP and SMAP. All guests that matter have them all.
 */
static void set_cr4(void)
{
	uint32_t structured = x86_cpuid(7, 0).ebx;
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_PSE | CR4_PGE;
	if (structured & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (structured & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (x86_cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) /* to switch XCR0 between planes */
		cr4 |= CR4_OSXSAVE;
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

/* What a CPU needs before it can run guests. */
static void cpu_init(struct vcpu *v)
{
	tables_load();
	trap_load();
	set_cr4();
	x86_wrmsr(X86_MSR_VM_HSAVE_PA, (uint64_t)page_take(1));
	lapic_init();
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		local_apic_start(v, &v->planes[vmpl]);
}

static void fill_cpuid_page(uint64_t gpa, bool extended_state, const struct cpuid_machine *machine)
{
	struct snp_cpuid_page *page = guest_ptr(gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);
	const struct snp_cpuid_entry *entry;
	struct cpuid_refusal refusal;

	if (cpuid_fill_page(page, extended_state, machine, &refusal))
		return;
	if (refusal.entry == MAILBOX_CPUID_HEADER)
		hv_stop(MAILBOX_STOP_CPUID_PAGE, gpa, refusal.entry, 0, 0);
	entry = &page->entries[refusal.entry];
	hv_stop(MAILBOX_STOP_CPUID_PAGE, gpa, refusal.entry,
		entry->eax_in | (uint64_t)entry->ecx_in << 32, refusal.reg);
}

/* The pages that host and AMD-SP fill with what the CPU can do. */
static void fill_cpuid_pages(const struct mailbox *m)
{
	struct cpuid_machine machine = cpuid_this_machine();

	for (uint32_t i = 0; i < m->page_range_count; i++) {
		const struct mailbox_pages *pages = &m->pages[i];

		for (uint64_t n = 0; pages->type == PSP_PAGE_TYPE_CPUID && n < pages->count; n++)
			fill_cpuid_page(pages->gpa + n * ABI_PAGE_SIZE,
					pages->flags & MAILBOX_PAGES_CPUID_XF, &machine);
	}
}

/*
 * The TSC's rate, as GUEST_TSC_FREQ and secrets page have it: whole MHz, and by how much less the
 * mean is (TSC_FACTOR). A guest with Secure TSC measures nothing itself, so for one it is measured
 * longer.
 */
static void find_tsc_rate(struct mailbox *m)
{
	uint64_t khz = m->secure_tsc ? lapic_clock_khz() : lapic_clocks(1000);
	uint64_t mhz = (khz + 999) / 1000;

	m->tsc_mhz = (uint32_t)mhz;
	m->tsc_factor = (uint32_t)(((mhz * 1000 - khz) * 100000 + mhz * 500) / (mhz * 1000));
	for (uint32_t i = 0; i < m->page_range_count; i++) {
		const struct mailbox_pages *pages = &m->pages[i];

		for (uint64_t n = 0; pages->type == PSP_PAGE_TYPE_SECRETS && n < pages->count;
		     n++) {
			struct snp_secrets *secrets = guest_ptr(pages->gpa + n * ABI_PAGE_SIZE,
								ABI_PAGE_SIZE, GUEST_PRIVATE);

			secrets->tsc_factor = m->tsc_factor;
		}
	}
}

_Noreturn void hv_main(void)
{
	struct mailbox *m = hv_mailbox();

	check_mailbox(m);
	cpu_needs_check(m->cpu_reduced ? 0 : m->qemu_version);
	cpu_set_count(m->cpu_count);
	tables_init();
	tables_load();
	trap_init();
	control_area_init();
	guest_init();
	page_state_init();
	npt_init();
	vcpu_init_all(m);
	fill_cpuid_pages(m);
	chipset_init();
	iommu_init();
	trap_load();
	lapic_init();
	lapic_calibrate();
	find_tsc_rate(m);
	pins_init();
	for (unsigned int i = 0; i < m->cpu_count; i++)
		cpu_start(i);
	chipset_show_shadow_ram();
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
	v->cpu->online = true;
	while (!machine_up)
		x86_pause();
	run_loop(v);
}
