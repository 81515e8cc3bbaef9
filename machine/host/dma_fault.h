/* SPDX-License-Identifier: MIT */
/* What a device wanted and did not reach: out of a line that QEMU's trace writes. */
#ifndef SOCLE_MACHINE_HOST_DMA_FAULT_H
#define SOCLE_MACHINE_HOST_DMA_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The trace events of QEMU's that there have to be: the second is of a QEMU that logs events, and
 * names no device.
 */
#define DMA_FAULT_EVENT "amdvi_get_pte_hwerror"
#define DMA_FAULT_PAGE "amdvi_page_fault"
#define DMA_FAULT_NO_DEVICE 0x100u

struct dma_fault {
	unsigned int
		function; /* of bus 0: device in 7:3, function in 2:0; or DMA_FAULT_NO_DEVICE */
	uint64_t gpa;
	unsigned int shift; /* how exact gpa is: what is below that bit is not known */
};

/* False: the line says nothing of the kind. */
bool dma_fault_parse(const char *line, struct dma_fault *fault);

#endif
