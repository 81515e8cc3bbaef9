/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/guest.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"

struct rmp guest_ram;
struct guest_layout guest_layout;

static void launch_range(const struct mailbox_pages *range)
{
	bool large = range->flags & MAILBOX_PAGES_LARGE;
	bool vmsa = range->type == PSP_PAGE_TYPE_VMSA;
	uint64_t first = range->gpa >> ABI_PAGE_SHIFT;

	for (uint64_t i = 0; i < range->count; i += large ? RMP_PAGES_2M : 1) {
		uint64_t page = first + i;

		if (!guest_is_ram(page << ABI_PAGE_SHIFT) ||
		    (large ? rmp_launch_large(&guest_ram, page)
			   : rmp_launch_page(&guest_ram, page, vmsa)))
			hv_panic("launch page %lx is not RAM or there twice",
				 page << ABI_PAGE_SHIFT);
	}
}

void guest_init(void)
{
	struct mailbox *m = hv_mailbox();

	if (m->guest_ram_size > MACHINE_GUEST_RAM_MAX || m->guest_ram_size % ABI_PAGE_SIZE ||
	    m->flash_size > MACHINE_FLASH_MAX || m->flash_size % ABI_PAGE_SIZE ||
	    m->extra_size > MACHINE_EXTRA_MAX || m->extra_size % ABI_PAGE_SIZE)
		hv_panic("guest RAM of %lx bytes, flash of %lx, extra memory of %lx",
			 m->guest_ram_size, m->flash_size, m->extra_size);
	guest_layout.low_end = machine_ram_low(m->guest_ram_size) >> ABI_PAGE_SHIFT;
	guest_layout.high_end = machine_ram_end(m->guest_ram_size) >> ABI_PAGE_SHIFT;
	guest_layout.flash = GUEST_PAGE_4G - (m->flash_size >> ABI_PAGE_SHIFT);
	guest_layout.extra_pages = m->extra_size >> ABI_PAGE_SHIFT;
	/* An entry for each page up to the last one, holes among them, which stay untouched. */
	guest_ram.count = guest_layout.high_end;
	if ((m->flash_size || m->extra_size) && guest_ram.count < GUEST_PAGE_4G)
		guest_ram.count = GUEST_PAGE_4G;
	guest_ram.entries = page_take(page_count(guest_ram.count * sizeof(struct rmp_entry)));
	m->rmp_offset = (uint64_t)guest_ram.entries - MACHINE_HV_BASE;
	if (m->devices) {
		guest_layout.shown = page_take(page_count(guest_ram.count));
		guest_layout.shown_at = MACHINE_HV_BASE + machine_shown_offset(m->guest_ram_size);
		m->shown_offset = (uint64_t)guest_layout.shown - MACHINE_HV_BASE;
	}
	if (m->page_range_count > MAILBOX_PAGES_MAX)
		hv_panic("%u launch ranges", m->page_range_count);
	for (uint32_t i = 0; i < m->page_range_count; i++)
		launch_range(&m->pages[i]);
}

void *guest_ptr(uint64_t gpa, size_t size, enum guest_side side)
{
	const struct rmp_entry *entry = guest_rmp(gpa);
	uint64_t offset = gpa % ABI_PAGE_SIZE;

	if (!entry || size > ABI_PAGE_SIZE - offset)
		return NULL;
	if (!!(entry->flags & RMP_ASSIGNED) != (side == GUEST_PRIVATE))
		return NULL;
	return (void *)(guest_frame(guest_page(gpa)) + offset);
}

/* How many of size bytes lie in the page of gpa. */
static size_t part_in_page(uint64_t gpa, size_t size)
{
	size_t part = ABI_PAGE_SIZE - gpa % ABI_PAGE_SIZE;

	return part < size ? part : size;
}

bool guest_write_shared(uint64_t gpa, const void *from, size_t size)
{
	const uint8_t *bytes = from;

	for (size_t done = 0; done < size;) {
		size_t part = part_in_page(gpa + done, size - done);
		void *at = guest_ptr(gpa + done, part, GUEST_SHARED);

		if (!at)
			return false;
		memcpy(at, bytes + done, part);
		done += part;
	}
	return true;
}

bool guest_read_shared(uint64_t gpa, void *to, size_t size)
{
	uint8_t *bytes = to;

	for (size_t done = 0; done < size;) {
		size_t part = part_in_page(gpa + done, size - done);
		const void *at = guest_ptr(gpa + done, part, GUEST_SHARED);

		if (!at)
			return false;
		memcpy(bytes + done, at, part);
		done += part;
	}
	return true;
}
