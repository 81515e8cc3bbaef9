// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The call of an SVSM by the GHCB MSR protocol.
 *
 * The MSR is one register that two parties of a CPU use: this code, and the kernel's #VC handler,
 * which puts the address of its own GHCB there before each of its exits. Interrupts are off, so the
 * only one that can come between is an NMI, whose handler takes #VC exceptions of its own and whose
 * end is itself an exit. Step by step:
 *
 *  - Before our write of the MSR: the NMI leaves the kernel's GHCB address, which we overwrite.
 *  - Between our write and the VMGEXIT: the NMI leaves the kernel's GHCB address in our place, and
 *    the VMGEXIT presents that GHCB, which the #VC handler invalidated when it was done. The host
 *    refuses such an exit and resumes us, and the SVSM never ran: call_pending is still set.
 *  - Between the VMGEXIT and our restore: the MSR no longer holds the host's answer. That is why
 *    nothing here reads the answer.
 *  - After our restore: there is nothing left to disturb.
 *
 * So call_pending alone says whether the SVSM took the call. The SVSM clears it in memory that the
 * host cannot write. While it is set the call has had no effect and is made again.
 *
 * A host may run the SVSM during one of the NMI's exits. The SVSM then sees call_pending with the
 * registers of the NMI's code, and answers into those. Our own exit later finds nothing pending and
 * leaves our registers alone: RAX still holds the identifier of the call. That is not a result of
 * any call made here, as svsm_call() never makes call 0 of protocol 0, so it ends as an error.
 */
#include "svsm.h"

#include <asm/msr-index.h>

#include <linux/cc_platform.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

/* GHCB MSR protocol (AMD 56421): run the VMPL in bits 39:32, which is 0. */
#define GHCB_MSR_RUN_VMPL0 0x016ull

/* NMIs that each hit the few instructions between WRMSR and VMGEXIT. */
#define SVSM_ATTEMPTS 64
#define SVSM_BUSY_MS 60000

extern u8 snp_vmpl;

/*
 * Not the kernel's accessors: they may be traced or patched, and between the two MSR writes below
 * nothing may run that could take an exception.
 */
static __always_inline u64 read_msr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (u64)high << 32 | low;
}

static __always_inline void write_msr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static __always_inline void vmgexit(struct svsm_regs *regs)
{
	register u64 r8 asm("r8") = regs->r8;
	register u64 r9 asm("r9") = regs->r9;

	asm volatile("rep; vmmcall"
		     : "+a"(regs->rax), "+c"(regs->rcx), "+d"(regs->rdx), "+r"(r8), "+r"(r9)
		     :
		     : "memory");
	regs->r8 = r8;
	regs->r9 = r9;
}

/* This CPU's calling area; the kernel's #VC handler answers the MSR. Interrupts are off. */
static struct svsm_caa *calling_area(void)
{
	u64 gpa = read_msr(MSR_SVSM_CAA);

	if (!gpa || !IS_ALIGNED(gpa, ABI_PAGE_SIZE) || !pfn_valid(PHYS_PFN(gpa)))
		return NULL;
	return phys_to_virt(gpa);
}

/* One exit. True when the SVSM took the call; regs hold its outputs then. */
static bool svsm_exit(struct svsm_caa *caa, struct svsm_regs *regs)
{
	struct svsm_regs attempt = *regs;
	u64 ghcb;

	WRITE_ONCE(caa->call_pending, 1);
	ghcb = read_msr(MSR_AMD64_SEV_ES_GHCB);
	write_msr(MSR_AMD64_SEV_ES_GHCB, GHCB_MSR_RUN_VMPL0);
	vmgexit(&attempt);
	write_msr(MSR_AMD64_SEV_ES_GHCB, ghcb);
	if (xchg(&caa->call_pending, 0))
		return false;
	*regs = attempt;
	return true;
}

static int svsm_call_once(struct svsm_regs *regs)
{
	struct svsm_caa *caa;
	unsigned long flags;
	bool taken = false;
	int i;

	local_irq_save(flags);
	caa = calling_area();
	for (i = 0; caa && !taken && i < SVSM_ATTEMPTS; i++)
		taken = svsm_exit(caa, regs);
	local_irq_restore(flags);
	return taken ? 0 : -EIO;
}

bool svsm_present(void)
{
	return cc_platform_has(CC_ATTR_GUEST_SEV_SNP) && snp_vmpl != 0;
}

/*
 * Makes the call until the SVSM is done with it. Resumable: its turns are many, and have no limit
 * but that of the task's life, and patience_ms of one that is being killed.
 */
static int svsm_call_to_end(struct svsm_regs *regs, bool resumable, unsigned int patience_ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(SVSM_BUSY_MS);
	unsigned long patience = jiffies + msecs_to_jiffies(patience_ms);

	for (;;) {
		struct svsm_regs attempt = *regs;
		int rc = svsm_call_once(&attempt);

		if (rc)
			return rc;
		if (attempt.rax != SVSM_ERR_BUSY && attempt.rax != SVSM_ERR_INCOMPLETE) {
			*regs = attempt;
			return 0;
		}
		if (resumable && fatal_signal_pending(current) &&
		    time_after_eq(jiffies, patience))
			return -EINTR;
		/* Work goes on only while the SVSM is called; it is busy without our help. */
		if (resumable && attempt.rax == SVSM_ERR_INCOMPLETE)
			cond_resched();
		else if (time_before(jiffies, end))
			usleep_range(100, 1000); /* so that the guest lives while the SVSM works */
		else
			return -ETIMEDOUT;
	}
}

int svsm_call(struct svsm_regs *regs)
{
	return svsm_call_to_end(regs, false, 0);
}

int svsm_call_resumable(struct svsm_regs *regs, unsigned int patience_ms)
{
	return svsm_call_to_end(regs, true, patience_ms);
}

int svsm_query_protocol(u32 protocol, u32 version)
{
	struct svsm_regs regs = {
		.rax = svsm_call_id(SVSM_PROTOCOL_CORE, SVSM_CORE_QUERY_PROTOCOL),
		.rcx = (u64)protocol << 32 | version,
	};
	int rc = svsm_call(&regs);

	if (rc)
		return rc;
	if (regs.rax != SVSM_SUCCESS)
		return -EIO;
	/* Highest version above lowest; zero when this version is not spoken. */
	return regs.rcx ? 0 : -EOPNOTSUPP;
}
