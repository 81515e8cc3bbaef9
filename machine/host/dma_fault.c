/* SPDX-License-Identifier: MIT */
#include "machine/host/dma_fault.h"

#include <stdlib.h>
#include <string.h>

#include "machine/mailbox.h"

#define LEVEL_BITS 9u
#define LEVELS 6u

static bool parse_page(const char *line, struct dma_fault *fault)
{
	const char *at = strstr(line, DMA_FAULT_PAGE);

	at = at ? strstr(at, "0x") : NULL;
	if (!at)
		return false;
	*fault = (struct dma_fault){ .function = DMA_FAULT_NO_DEVICE,
				     .gpa = strtoull(at, NULL, 16) & ~(uint64_t)(ABI_PAGE_SIZE - 1),
				     .shift = ABI_PAGE_SHIFT };
	return true;
}

bool dma_fault_parse(const char *line, struct dma_fault *fault)
{
	const char *at = strstr(line, DMA_FAULT_EVENT);
	uint64_t address, index, below;
	unsigned int level;

	at = at ? strstr(at, "0x") : NULL;
	if (!at)
		return parse_page(line, fault);
	address = strtoull(at, NULL, 16);
	level = address >> MACHINE_NO_PAGE_LEVEL_SHIFT & 7;
	if (!(address & MACHINE_NO_PAGE_TABLE) || address >> 52 != 0 || level == 0 ||
	    level > LEVELS)
		return false;
	index = address >> ABI_PAGE_SHIFT & MACHINE_NO_PAGE_INDEX_MASK;
	below = address % ABI_PAGE_SIZE / sizeof(uint64_t);
	fault->function = address >> MACHINE_NO_PAGE_FUNCTION_SHIFT & 0xff;
	fault->shift = ABI_PAGE_SHIFT + (level > 1 ? (level - 2) * LEVEL_BITS : 0);
	fault->gpa = (level > 1 ? index << LEVEL_BITS | below : index) << fault->shift;
	return true;
}
