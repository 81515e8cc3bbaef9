/* SPDX-License-Identifier: MIT */
/* From the results of other parts to those of a call. */
#ifndef SOCLE_MONITOR_PROTOCOL_RESULT_H
#define SOCLE_MONITOR_PROTOCOL_RESULT_H

#include <stdint.h>

#include "abi/service.h"

/* Result of a call whose service answered status (or could not). */
uint32_t svsm_result_of_service(enum service_status status);

/* Result of a call in which PVALIDATE or RMPADJUST gave eax, or ARCH_RESULT_FAULT. */
uint32_t svsm_result_of_page(uint32_t eax);

#endif
