/* SPDX-License-Identifier: MIT */
#include "monitor/arch/arch.h"

#include "monitor/base/cpu_ops.h"
#include "monitor/ghcb/ghcb.h"

#define TERM_SET_SOCLE 2u

static bool alternate; /* atomic */

void arch_guest_alternate(bool on)
{
	__atomic_store_n(&alternate, on, __ATOMIC_RELAXED);
}

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
	uint64_t features = arch_sev_features() & ~SNP_FEATURE_RESTRICTED_INJECTION;

	return features |
	       (__atomic_load_n(&alternate, __ATOMIC_RELAXED) ? SNP_FEATURE_ALTERNATE_INJECTION
							      : 0);
}

_Noreturn void arch_terminate(uint32_t reason)
{
	ghcb_terminate(TERM_SET_SOCLE, (uint8_t)reason);
}
