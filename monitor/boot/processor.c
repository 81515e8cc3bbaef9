/* SPDX-License-Identifier: MIT */
#include "monitor/boot/processor.h"

#include "core/snp/cpu_features.h"
#include "monitor/arch/arch.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"

bool processor_c_bit(gpa_t launched)
{
	bool changed;

	return arch_pvalidate(launched, ARCH_PAGE_4K, true, &changed) == SNP_RESULT_OK && !changed;
}

static bool has(const struct cpu_feature *feature)
{
	struct cpuid_result result = cpuid_query(feature->leaf, 0);

	return (feature->where == CPU_EBX ? result.ebx : result.ecx) & feature->mask;
}

bool processor_features(uint64_t allow_missing)
{
	bool good = true;

	for (size_t i = 0; i < CPU_FEATURES; i++) {
		const struct cpu_feature *feature = &cpu_features[i];

		if (has(feature))
			continue;
		if (allow_missing & feature->flag) {
			log_printf(LOG_WARNING, "no %s, as the image allows: %s", feature->name,
				   feature->loss);
			continue;
		}
		log_printf(LOG_ERROR, "no %s: %s", feature->name, feature->loss);
		good = false;
	}
	return good;
}
