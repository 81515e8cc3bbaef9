/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/tables.h"

#include <stdint.h>

#include "machine/hv/base/page.h"

#define ENTRIES 512u
#define PAGE_TABLE 0x63u /* present, writable, accessed, dirty */
#define PAGE_1G 0xe3u	 /* the same, and a page of 1 GiB */
#define GIB_SHIFT 30
#define ROOT_ENTRIES 256u /* 128 TiB: up to the C-bit, and what an address in 64 bits may be */

/* As in rom.S: none, 32-bit code, data, 64-bit code. */
static const uint64_t segments[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff,
				     0x00af9b000000ffff };

static uint64_t *root;

/* Each address its own: memory, and the devices of a guest, wherever it puts them. */
void tables_init(void)
{
	uint64_t *gibs = page_take(ROOT_ENTRIES);

	root = page_take(1);
	for (uint64_t i = 0; i < ROOT_ENTRIES * ENTRIES; i++)
		gibs[i] = i << GIB_SHIFT | PAGE_1G;
	for (uint64_t i = 0; i < ROOT_ENTRIES; i++)
		root[i] = (uint64_t)&gibs[i * ENTRIES] | PAGE_TABLE;
}

void tables_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { sizeof(segments) - 1, (uint64_t)segments };

	__asm__ volatile("lgdt %0; mov %1, %%cr3" : : "m"(gdtr), "r"(root) : "memory");
}
