/* SPDX-License-Identifier: MIT */
#include "machine/host/launch_pages.h"

#include <string.h>

#include "core/base/bytes.h"

#define PC_HOLE_START 0xa0000ull
#define PC_HOLE_END 0xc0000ull

bool launch_in_flash(uint64_t gpa, uint64_t size)
{
	uint64_t first = MACHINE_4G - MACHINE_FLASH_MAX;

	return gpa >= first && gpa < MACHINE_4G && size <= MACHINE_4G - gpa;
}

bool launch_in_extra(uint64_t gpa, uint64_t size)
{
	return gpa >= MACHINE_EXTRA_BASE &&
	       bytes_range_ok(gpa - MACHINE_EXTRA_BASE, size, MACHINE_EXTRA_MAX);
}

bool launch_in_ram(uint64_t gpa, uint64_t size, uint64_t ram_size)
{
	uint64_t low = machine_ram_low(ram_size), end = machine_ram_end(ram_size);

	return bytes_range_ok(gpa, size, low) ||
	       (end > low && gpa >= MACHINE_4G &&
		bytes_range_ok(gpa - MACHINE_4G, size, end - MACHINE_4G));
}

bool launch_in_video_memory(uint64_t gpa, uint64_t size)
{
	return gpa < PC_HOLE_END && gpa + size > PC_HOLE_START;
}

uint8_t *launch_place(const struct machine_memory *memory, uint64_t gpa, uint64_t size)
{
	if (launch_in_flash(gpa, size))
		return memory->flash + (gpa - (MACHINE_4G - MACHINE_FLASH_MAX));
	if (launch_in_extra(gpa, size))
		return memory->extra + (gpa - MACHINE_EXTRA_BASE);
	return memory->guest_ram + machine_ram_offset(memory->guest_ram_size, gpa);
}

bool launch_add_pages(struct mailbox *mailbox, struct mailbox_pages pages, struct host_error *error)
{
	struct mailbox_pages *last = &mailbox->pages[mailbox->page_range_count];

	if (mailbox->page_range_count > 0) {
		last--;
		if (last->type == pages.type && last->flags == pages.flags &&
		    last->gpa + (uint64_t)last->count * ABI_PAGE_SIZE == pages.gpa) {
			last->count += pages.count;
			return true;
		}
		last++;
	}
	if (mailbox->page_range_count == MAILBOX_PAGES_MAX)
		return host_fail(error, "pages lie in more than %u separate ranges",
				 MAILBOX_PAGES_MAX);
	*last = pages;
	mailbox->page_range_count++;
	return true;
}

void launch_begin(const struct launch_machine *machine, const struct machine_memory *memory,
		  struct psp *psp)
{
	const struct launch_properties *properties = &machine->properties;
	struct mailbox *mailbox = memory->mailbox;

	for (unsigned int i = 0; i < MACHINE_CPUS_MAX; i++)
		mailbox->vmsa_gpa[i] = MAILBOX_NO_VMSA;
	mailbox->version = MAILBOX_VERSION;
	mailbox->cpu_count = machine->cpu_count;
	mailbox->guest_ram_size = memory->guest_ram_size;
	mailbox->magic = MAILBOX_MAGIC;
	memcpy(psp->launch.workarounds, properties->workarounds, sizeof(psp->launch.workarounds));
	memcpy(psp->launch.host_data, properties->host_data, sizeof(psp->launch.host_data));
	psp->launch.vcek_disabled = properties->vcek_disabled;
}
