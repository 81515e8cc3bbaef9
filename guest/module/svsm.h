/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls to the SVSM (AMD 58019) from a Linux guest, without help of the kernel's own code. */
#ifndef SOCLE_GUEST_MODULE_SVSM_H
#define SOCLE_GUEST_MODULE_SVSM_H

#include "abi/svsm.h"

/* Registers of a call: inputs going in, outputs coming back. */
struct svsm_regs {
	u64 rax, rcx, rdx, r8, r9;
};

/* RAX of a call. */
static inline u64 svsm_call_id(u32 protocol, u32 call)
{
	return (u64)protocol << 32 | call;
}

/* True in an SNP guest that runs below an SVSM. Any context. */
bool svsm_present(void);

/*
 * Makes one call and sleeps while the SVSM says that it is busy or not done, for at most a minute.
 * Returns 0 when the SVSM ran the call: its result code is in regs->rax, an enum svsm_result.
 * -EIO when the host did not let it run, -ETIMEDOUT when it stayed busy; regs are then unchanged.
 * Process context, interrupts on.
 */
int svsm_call(struct svsm_regs *regs);

/*
 * As svsm_call(), for a call that takes the SVSM many turns (SVSM_ERR_INCOMPLETE) and whose length
 * nobody knows: other tasks and interrupts have the CPU between turns, and it ends with -EINTR when
 * the task is being killed and the call has taken patience_ms or more. The call's memory stays as
 * it is until the end.
 */
int svsm_call_resumable(struct svsm_regs *regs, unsigned int patience_ms);

/* Asks whether the SVSM speaks this version of a protocol (core call 6): 0, or -EOPNOTSUPP. */
int svsm_query_protocol(u32 protocol, u32 version);

#endif
