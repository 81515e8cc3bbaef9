/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/control_area.h"

#include <string.h>

#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/x86.h"

#define PERMISSION_PAGES 2u
#define PERMISSION_RANGE_BYTES 2048u /* 0x2000 MSRs, two bits each */
#define IO_PERMISSION_PAGES 3u

static uint8_t *permissions, *io_permissions;

static void pass(uint32_t msr)
{
	uint32_t range = msr >> 16 == 0xc000 ? 1 : msr >> 16 == 0xc001 ? 2 : 0;
	uint32_t bit = (msr & 0x1fff) * 2;

	permissions[range * PERMISSION_RANGE_BYTES + bit / 8] &= (uint8_t) ~(3u << bit % 8);
}

void control_area_init(void)
{
	permissions = page_take(PERMISSION_PAGES);
	io_permissions = page_take(IO_PERMISSION_PAGES);
	memset(permissions, 0xff, PERMISSION_PAGES * ABI_PAGE_SIZE);
	memset(io_permissions, 0xff, IO_PERMISSION_PAGES * ABI_PAGE_SIZE);
	for (uint32_t msr = 0x174; msr <= 0x176; msr++) /* SYSENTER */
		pass(msr);
	for (uint32_t msr = 0xc0000081; msr <= 0xc0000084; msr++) /* STAR to SFMASK */
		pass(msr);
	for (uint32_t msr = 0xc0000100; msr <= 0xc0000103; msr++) /* segment bases, TSC_AUX */
		pass(msr);
}

void control_area_reset(struct plane *p, uint64_t vintr_ctrl)
{
	struct vmcb *c = p->vmcb;

	c->intercept_exceptions = 1u << X86_VECTOR_UD;
	if (hv_mailbox()->xsave) /* insn/xsave.c */
		c->intercept_exceptions |= 1u << X86_VECTOR_GP;
	c->intercept_1 = VMCB_INTERCEPT1_INTR | VMCB_INTERCEPT1_NMI | VMCB_INTERCEPT1_VINTR |
			 VMCB_INTERCEPT1_CR0_SEL | VMCB_INTERCEPT1_CPUID | VMCB_INTERCEPT1_HLT |
			 VMCB_INTERCEPT1_INVLPGA | VMCB_INTERCEPT1_IOIO | VMCB_INTERCEPT1_MSR |
			 VMCB_INTERCEPT1_SHUTDOWN;
	c->intercept_2 = VMCB_INTERCEPT2_SVM_ALL;
	if (p->tsc_scale != SNP_TSC_SCALE_ONE) { /* QEMU knows an offset alone */
		c->intercept_1 |= VMCB_INTERCEPT1_RDTSC;
		c->intercept_2 |= VMCB_INTERCEPT2_RDTSCP;
	}
	/* QEMU 7.2 aborts at a write while V_IRQ is set, and no QEMU knows reserved bits of CR8. */
	c->intercept_cr_write = VMCB_INTERCEPT_CR8;
	c->iopm = (uint64_t)io_permissions;
	c->msrpm = (uint64_t)permissions;
	c->asid = p->vmpl + 1;
	c->tlb_control = VMCB_TLB_FLUSH_ALL;
	c->int_control = VMCB_INT_V_MASKING | (uint32_t)(vintr_ctrl & VMCB_INT_V_TPR_MASK);
	/*
	 * Nobody sees this vector: the exit comes before it. But QEMU keeps V_IRQ in a word that
	 * other threads write without a lock, and a VIRQ that was taken back may still be there, in
	 * the guest, where it exits for nothing, or after #VMEXIT, where it is one of ours that
	 * does nothing.
	 */
	c->int_vector = LAPIC_VECTOR_SPURIOUS;
	c->np_control = VMCB_NP_ENABLE;
}
