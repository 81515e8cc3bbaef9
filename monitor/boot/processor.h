/* SPDX-License-Identifier: MIT */
/* What the start demands of the processor, before any secret is touched. */
#ifndef SOCLE_MONITOR_BOOT_PROCESSOR_H
#define SOCLE_MONITOR_BOOT_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/addr.h"

/*
 * True when the page, of the file's launch and mapped with the C-bit that the CPUID page names, is
 * one that the launch validated: PVALIDATE finds nothing to change there. A bit that is none would
 * be part of the address, and no page of that address was launched.
 */
bool processor_c_bit(gpa_t launched);

/*
 * True when CPUID has every feature of core/snp/cpu_features.h but those in allow_missing
 * (SOCLE_MISSING_*). The log names each that is not there.
 */
bool processor_features(uint64_t allow_missing);

#endif
