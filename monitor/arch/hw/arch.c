/* SPDX-License-Identifier: MIT */
#include "monitor/arch/arch.h"

#include "monitor/base/cpu_ops.h"
#include "monitor/ghcb/ghcb.h"

#define TERM_SET_SOCLE 2u

unsigned int arch_cpu_index(void)
{
	/* Before the first vCPU is on its own stack there is no other. */
	return cpu_on_block() ? cpu_this()->index : 0;
}

uint64_t arch_sev_features(void)
{
	return cpu_read_msr(SNP_MSR_SEV_STATUS) >> SNP_SEV_STATUS_FEATURES_SHIFT;
}

uint64_t arch_guest_sev_features(void)
{
	/* #HV is for us: a stock guest takes plain interrupts. */
	return arch_sev_features() & ~SNP_FEATURE_RESTRICTED_INJECTION;
}

_Noreturn void arch_terminate(uint32_t reason)
{
	ghcb_terminate(TERM_SET_SOCLE, (uint8_t)reason);
}
