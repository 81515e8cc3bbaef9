/* SPDX-License-Identifier: MIT */
/*
 * An exit that cuts a delivery (APM volume 2, 15.36.16 and table B-4: EXITINTINFO 0x3a0): the event
 * stands in EXITINTINFO, BUSY is set, and VMRUN refuses the VMSA until VMPL0 has cleared it. The
 * event is VMPL0's to inject again. The runner's plan of faults: every second delivery is cut.
 */
#include "tests/machine/guest/alternate.h"

#define BUSY (1ull << 63)
#define GIF 0x200ull
#define V_IRQ (1ull << 8 | GIF | 1ull << 16 | 31ull << 32)
#define EVENT 0x8000001full /* interrupt 31 */
#define EXIT_NPF 0x400u

static volatile uint64_t taken;

static void note(struct trap_frame *frame)
{
	if (frame->vector != 31)
		trap_unhandled(frame);
	taken++;
}

static void let_in(void)
{
	__asm__ volatile("sti; nop; nop; cli");
}

static void cut(volatile struct snp_vmsa *vmsa, const char *rule, uint64_t vintr_after)
{
	uint64_t before = taken;

	check(rule, level2_run(), 0x017);
	check("  not taken yet", taken, before);
	check("  EXITINTINFO", vmsa->exit_int_info, EVENT);
	check("  EVENTINJ is gone", vmsa->event_inj, 0);
	check("  BUSY", vmsa->vintr_ctrl, vintr_after | BUSY);
	check("  the reason is no VMGEXIT", vmsa->exit_code, EXIT_NPF);
	check("  VMRUN refuses it", level2_run() != 0x017, 1);
	vmsa->vintr_ctrl &= ~BUSY;
	vmsa->event_inj = vmsa->exit_int_info;
	alternate_step(let_in);
	check("  injected again: taken, once", taken, before + 1);
	check("  nothing is left", vmsa->exit_int_info | vmsa->event_inj, 0);
	check("  not BUSY", vmsa->vintr_ctrl >> 63, 0);
}

void test_main(void)
{
	volatile struct snp_vmsa *vmsa = alternate_start();

	trap_handler = note;
	alternate_step(let_in);
	vmsa->event_inj = EVENT;
	alternate_step(let_in);
	check("EVENTINJ that nothing cuts", taken, 1);
	vmsa->event_inj = EVENT;
	cut(vmsa, "EVENTINJ: the exit leads to VMPL0", GIF);
	vmsa->vintr_ctrl = V_IRQ;
	vmsa->rflags |= 0x200;
	cut(vmsa, "V_IRQ: the exit leads to VMPL0", V_IRQ & ~(1ull << 8));
	trap_handler = NULL;
}
