/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes across vCPUs. A vCPU that serves in VMPL0 flushes before it runs the guest again; one
 * that runs the guest is called back to VMPL0 by an IPI. So nobody waits for a vCPU that waits.
 */
#include "monitor/arch/hw/flush.h"

#include "monitor/arch/arch.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/log/die.h"
#include "monitor/mem/tlb.h"
#include "monitor/vcpu/vcpu.h"

#define PATIENCE_NS 30000000000ull /* a host that schedules no vCPU for so long lets none go on */

static uint32_t requested;

void flush_enter_guest(struct cpu *cpu)
{
	uint32_t want;

	do {
		want = __atomic_load_n(&requested, __ATOMIC_SEQ_CST);
		if (cpu->flushed != want) {
			tlb_flush_all();
			__atomic_store_n(&cpu->flushed, want, __ATOMIC_SEQ_CST);
		}
		__atomic_store_n(&cpu->in_guest, true, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&requested, __ATOMIC_SEQ_CST) != want);
}

void flush_leave_guest(struct cpu *cpu)
{
	__atomic_store_n(&cpu->in_guest, false, __ATOMIC_SEQ_CST);
}

static bool may_hold_old(const struct cpu *cpu, uint32_t want)
{
	return __atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST) &&
	       (int32_t)(__atomic_load_n(&cpu->flushed, __ATOMIC_SEQ_CST) - want) < 0;
}

static void wait_for(const struct cpu *cpu, uint32_t want)
{
	uint64_t start = arch_now_ns();

	while (may_hold_old(cpu, want)) {
		if (arch_now_ns() - start > PATIENCE_NS)
			die(DIE_HOST, "a vCPU does not come back to flush its TLB");
		__builtin_ia32_pause();
	}
}

void arch_flush_guest_tlb(void)
{
	uint32_t want = __atomic_add_fetch(&requested, 1, __ATOMIC_SEQ_CST);
	unsigned int count = vcpu_count();

	tlb_flush_all();
	for (unsigned int i = 0; i < count; i++) {
		if (i != cpu_this()->index && may_hold_old(cpu_at(i), want) && !timer_send_flush(i))
			die(DIE_HOST, "the host sends no IPI to flush a TLB");
	}
	for (unsigned int i = 0; i < count; i++) {
		if (i != cpu_this()->index)
			wait_for(cpu_at(i), want);
	}
}
