/* SPDX-License-Identifier: MIT */
#include "monitor/mem/tests/fake_tables.h"

#include <string.h>

#include "monitor/base/direct.h"

const struct map_config fake_tables_config = {
	.root = { ROOT },
	.c_bit = C_BIT,
	.text = { TEXT, 0x1000 },
	.archive = { ARCHIVE, 0x1800 },
};

uint64_t *fake_entry(uint64_t table, unsigned int index)
{
	return (uint64_t *)direct_ptr(gpa(table)) + index;
}

void fake_tables_build(void)
{
	memset(direct_ptr(gpa(ROOT)), 0, 6 * ABI_PAGE_SIZE);
	*fake_entry(ROOT, 0) = DIRECT_PDPT | C_BIT | P | W;
	*fake_entry(ROOT, 256) = DIRECT_PDPT | C_BIT | P | W;
	*fake_entry(ROOT, 511) = IMAGE_PDPT | C_BIT | P | W;
	*fake_entry(DIRECT_PDPT, 0) = DIRECT_PD | C_BIT | P | W;
	*fake_entry(DIRECT_PD, FAKE_BASE >> 21) = FAKE_BASE | C_BIT | P | W | PS | NX;
	*fake_entry(IMAGE_PDPT, 510) = IMAGE_PD | C_BIT | P | W;
	*fake_entry(IMAGE_PD, 0) = IMAGE_PT | C_BIT | P | W;
	*fake_entry(IMAGE_PT, 0) = TEXT | C_BIT | P;
	*fake_entry(IMAGE_PT, 1) = DATA | C_BIT | P | W | NX;
}
