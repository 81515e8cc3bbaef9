/* SPDX-License-Identifier: MIT */
/* Page tables in the array of fake_memory.h, as an image builder makes them for the monitor. */
#ifndef SOCLE_MONITOR_MEM_TESTS_FAKE_TABLES_H
#define SOCLE_MONITOR_MEM_TESTS_FAKE_TABLES_H

#include "monitor/mem/map.h"
#include "monitor/mem/tests/fake_memory.h"

/* Literal bits of APM volume 2, 5.4, not the names of the code under test. */
#define P 1ull
#define W 2ull
#define U 4ull
#define D 0x40ull
#define PS 0x80ull
#define G 0x100ull
#define NX 0x8000000000000000ull
#define C_BIT (1ull << 47)

/* Pages of the array by their use: tables, then what they map. */
#define ROOT FAKE_BASE
#define DIRECT_PDPT (FAKE_BASE + 0x1000)
#define DIRECT_PD (FAKE_BASE + 0x2000)
#define IMAGE_PDPT (FAKE_BASE + 0x3000)
#define IMAGE_PD (FAKE_BASE + 0x4000)
#define IMAGE_PT (FAKE_BASE + 0x5000)
#define TEXT (FAKE_BASE + 0x6000)
#define DATA (FAKE_BASE + 0x7000)
#define ARCHIVE (FAKE_BASE + 0x8000)
#define POOL (FAKE_BASE + 0x20000)
#define POOL_PAGES 64u

/* TEXT is the text, ARCHIVE and half of the page behind it the archive. */
extern const struct map_config fake_tables_config;

/*
 * Makes them anew. The direct map is one 2 MiB page, as it is where no page needs rights of its
 * own; the image is TEXT, then DATA. The stub's identity map is still there.
 */
void fake_tables_build(void);

/* One entry of the table at that gPA. */
uint64_t *fake_entry(uint64_t table, unsigned int index);

#endif
