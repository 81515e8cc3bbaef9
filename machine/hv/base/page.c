/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/page.h"

#include "machine/hv/base/log.h"

void *page_take(uint64_t count)
{
	static uint64_t next;
	uint64_t end = MACHINE_HV_BASE + machine_shown_offset(hv_mailbox()->guest_ram_size);
	uint64_t at = next ? next : MACHINE_HV_BASE + MACHINE_PAGES_OFFSET;

	if (count > (end - at) / ABI_PAGE_SIZE)
		hv_panic("out of hypervisor memory: %lu pages wanted", count);
	next = at + count * ABI_PAGE_SIZE;
	return (void *)at;
}
