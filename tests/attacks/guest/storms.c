/* SPDX-License-Identifier: MIT */
/*
 * Storms: #VC, NMIs, IPIs and VMGEXITs of the guest while calls are served, and RMP instructions.
 */
#include "tests/attacks/guest/attack.h"
#include "tests/attacks/guest/lives.h"

#define X2APIC_ICR 0x830u
#define ICR_NMI 0x400ull
#define ICR_INIT 0x4500ull
#define ICR_FIXED_VECTOR 0xf0ull
#define CALLS 50u

static volatile uint64_t nmis, vcs;
static volatile bool over;

static void (*usual_handler)(struct trap_frame *frame);

/* CPUID, IN and OUT are answered by going on behind them: two bytes each, with a prefix none. */
static void count_events(struct trap_frame *frame)
{
	if (frame->vector == 2) {
		__atomic_fetch_add(&nmis, 1, __ATOMIC_SEQ_CST);
		return;
	}
	if (frame->vector == 29 && frame->error == 0x72) {
		__atomic_fetch_add(&vcs, 1, __ATOMIC_SEQ_CST);
		frame->rip += 2;
		return;
	}
	usual_handler(frame);
}

static void begin_storm(void)
{
	usual_handler = trap_handler;
	trap_handler = count_events;
	nmis = vcs = 0;
	over = false;
}

static void end_storm(void)
{
	trap_handler = usual_handler;
}

static void make_calls(void)
{
	uint64_t page = page_new();

	for (unsigned int i = 0; i < CALLS; i++) {
		expect("a call", svsm_alive(), true);
		expect("invalidate", svsm_pvalidate(page), 0);
		expect("validate", svsm_pvalidate(page | ENTRY_VALIDATE), 0);
	}
}

/* #VC between all calls, each with a page state change by the host. */
static void vc_storm(void)
{
	uint64_t page = page_new();

	begin_storm();
	for (unsigned int i = 0; i < CALLS; i++) {
		__asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
		expect("a call", svsm_alive(), true);
		expect("give a page up", page_give_up(page), 0);
		expect("take it back", page_get_back(page), 0);
	}
	end_storm();
	expect("each CPUID was a #VC", vcs, CALLS);
}

static void send_nmis(void)
{
	cpu_apic_on();
	while (!over)
		(void)ghcb_msr_write(X2APIC_ICR, ICR_NMI);
}

/* CPU 1 sends NMIs to CPU 0, whose handler tells the host that it is done. */
static void nmi_storm(void)
{
	cpu_apic_on();
	begin_storm();
	cpu_begin(1, send_nmis);
	for (unsigned int i = 0; i < CALLS || nmis == 0; i++) {
		expect("a call", svsm_alive(), true);
		(void)ghcb_exit(0x80000003, 0, 0); /* NMI complete */
	}
	over = true;
	cpu_end(1);
	(void)ghcb_exit(0x80000003, 0, 0);
	make_calls();
	end_storm();
	expect("NMIs came", nmis != 0, true);
}

/* Interrupts stay masked; INIT without a vCPU to start, and IPIs to CPUs that are not there. */
static void send_ipis(void)
{
	cpu_apic_on();
	while (!over) {
		(void)ghcb_msr_write(X2APIC_ICR, ICR_FIXED_VECTOR);
		(void)ghcb_msr_write(X2APIC_ICR, 200ull << 32 | ICR_NMI);
		(void)ghcb_msr_write(X2APIC_ICR, 0xfffull << 32 | ICR_FIXED_VECTOR);
	}
}

static void ipi_storm(void)
{
	over = false;
	cpu_apic_on();
	cpu_begin(1, send_ipis);
	make_calls();
	over = true;
	cpu_end(1);
}

/* Runs VMPL0 as often as it can, without a call. */
static void run_vmpl0(void)
{
	struct svsm_regs regs = { 0 };

	while (!over)
		expect("VMPL0 ran", svsm_run(&regs), true);
}

static void run_storm(void)
{
	over = false;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, run_vmpl0);
	make_calls();
	over = true;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
}

/* All CPUs change the same pages: each change is somebody's, once. */
static uint64_t common;
static volatile uint64_t gone, back;

static void change_common(void)
{
	for (unsigned int i = 0; i < CALLS; i++) {
		uint64_t out = svsm_pvalidate(common), in = svsm_pvalidate(common | ENTRY_VALIDATE);

		expect("invalidate", out == 0 || out == 0x80001010 || out == 0x80000003, true);
		expect("validate", in == 0 || in == 0x80001010 || in == 0x80000003, true);
		__atomic_fetch_add(&gone, out == 0, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&back, in == 0, __ATOMIC_SEQ_CST);
	}
}

static void same_page(void)
{
	common = page_new();
	gone = back = 0;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, change_common);
	change_common();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
	if (!page_valid(common))
		back += svsm_pvalidate(common | ENTRY_VALIDATE) == 0;
	expect("it came back as often as it went", back, gone);
	expect("and it went", gone != 0, true);
}

/* All CPUs want the same calling area: one has it at a time. */
static volatile uint64_t owners;

/*
 * From the moment of this call the area may be another CPU's: its call_pending is not looked at
 * again.
 */
static void leave_common(uint64_t to)
{
	struct svsm_regs regs = { .rax = CORE_REMAP_CA, .rcx = to };

	__atomic_store_n(&((struct svsm_caa *)common)->call_pending, 1, __ATOMIC_SEQ_CST);
	expect("VMPL0 ran", svsm_run(&regs), true);
	cpu_this()->caa = to;
	expect("back", regs.rax, 0);
	expect("a call in the old area", svsm_alive(), true);
}

static void want_common(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->caa;

	for (unsigned int i = 0; i < CALLS; i++) {
		uint64_t result = svsm_call(CORE_REMAP_CA, common, 0, 0);

		expect("REMAP_CA", result == 0 || result == 0x80000003, true);
		if (result != 0)
			continue;
		cpu->caa = common;
		expect("nobody else has it", __atomic_fetch_add(&owners, 1, __ATOMIC_SEQ_CST), 0);
		expect("a call there", svsm_alive(), true);
		__atomic_fetch_sub(&owners, 1, __ATOMIC_SEQ_CST);
		leave_common(old);
	}
}

static void same_area(void)
{
	common = page_new();
	owners = 0;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, want_common);
	want_common();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
}

/* RMP instructions are Socle's: APM volume 3. */
static void rmp_instructions(void)
{
	const uint64_t at[] = { page_new(), places.svsm, places.svsm + 0x1000,
				places.svsm + places.svsm_size - 0x1000 };
	struct fault fault = { 0 };
	uint32_t eax;

	for (unsigned int i = 0; i < 4; i++) {
		for (uint64_t validate = 0; validate < 2; validate++) {
			expect("PVALIDATE faults", try_pvalidate(at[i], 0, validate, &fault), true);
			expect("#GP", fault.vector, 13);
		}
		for (uint64_t vmpl = 0; vmpl < 3; vmpl++) {
			expect("RMPADJUST", try_rmpadjust(at[i], 0, 0xf00 | vmpl, &eax, &fault),
			       false);
			expect("FAIL_PERMISSION", eax, 2);
			(void)try_rmpadjust(at[i], 0, SNP_RMPADJUST_VMSA | vmpl, &eax, &fault);
			expect("FAIL_PERMISSION for a VMSA", eax, 2);
		}
	}
	for (unsigned int i = 1; i < 4; i++) {
		(void)try_rmpadjust(at[i], 0, SNP_RMPADJUST_READ | 3, &eax, &fault);
		expect("a right that VMPL2 has not", eax, 2);
	}
	expect("a right that VMPL2 has", try_rmpadjust(at[0], 0, 0x103, &eax, &fault), false);
	expect("0", eax, 0);
	expect("and back", try_rmpadjust(at[0], 0, 0x003, &eax, &fault), false);
	(void)try_rmpadjust(at[0], 0, SNP_RMPADJUST_VMSA | 3, &eax, &fault);
	if (places.cpus > 1) {
		expect("no VMSA by VMPL2", cpu_refused(1, 2, at[0]), true);
		vcpu_replace(1);
	}
}

const struct rule rules[] = {
	{ "RMP instructions of VMPL2", "APM 3, PVALIDATE, RMPADJUST", rmp_instructions, 1 },
	{ "a storm of #VC", "APM 2, 15.35.5", vc_storm, 1 },
	{ "a storm of NMIs", "56421 4.1.4", nmi_storm, 2 },
	{ "a storm of IPIs", "APM 2, 16.5", ipi_storm, 2 },
	{ "a storm of runs without a call", "58019 4", run_storm, 2 },
	{ "all vCPUs change one page", "58019 6.2", same_page, 2 },
	{ "all vCPUs want one calling area", "58019 6.1", same_area, 2 },
	{ NULL, NULL, NULL, 0 },
};
