/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/page.h"

#include <string.h>

#include "machine/hv/base/log.h"

extern char hv_bss_end[];

void *page_take(uint64_t count)
{
	static uint64_t next;
	uint64_t end = MACHINE_HV_BASE + MACHINE_MAILBOX_OFFSET;
	uint64_t at = next ? next : (uint64_t)hv_bss_end;

	if (count > (end - at) / ABI_PAGE_SIZE)
		hv_panic("out of hypervisor memory: %lu pages wanted", count);
	next = at + count * ABI_PAGE_SIZE;
	return memset((void *)at, 0, count * ABI_PAGE_SIZE);
}
