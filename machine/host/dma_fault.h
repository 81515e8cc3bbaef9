/* SPDX-License-Identifier: MIT */
/* What a device wanted and did not reach: out of a line that QEMU's trace writes. */
#ifndef SOCLE_MACHINE_HOST_DMA_FAULT_H
#define SOCLE_MACHINE_HOST_DMA_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* The trace event of QEMU's that there has to be. */
#define DMA_FAULT_EVENT "amdvi_get_pte_hwerror"

struct dma_fault {
	unsigned int function; /* of bus 0: device in 7:3, function in 2:0 */
	uint64_t gpa;
	unsigned int shift; /* how exact gpa is: what is below that bit is not known */
};

/* False: the line says nothing of the kind. */
bool dma_fault_parse(const char *line, struct dma_fault *fault);

#endif
