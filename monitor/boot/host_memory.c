/* SPDX-License-Identifier: MIT */
/*
 * Every number here is the host's. What it says wrongly about RAM costs its guest memory or its
 * start, never Socle or what the launch measured: RAM over either is refused, and so is a map that
 * has two meanings. IGVM (igvm_defs, IGVM_VHS_MEMORY_MAP_ENTRY): entries are sorted, one of no
 * pages ends them.
 */
#include "monitor/boot/host_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "abi/igvm.h"
#include "core/base/bytes.h"
#include "monitor/base/limits.h"
#include "monitor/base/ranges.h"

#define MAP_ENTRIES (SOCLE_HOST_MAP_SIZE / sizeof(struct igvm_memory_map_entry))

/* MADT (ACPI 6.5, 5.2.12): a header of 36 bytes, two numbers, then entries {type, length}. */
#define MADT_LENGTH 4u
#define MADT_ENTRIES 44u
#define MADT_LOCAL_APIC 0u
#define MADT_LOCAL_X2APIC 9u
#define MADT_ENABLED 1u

/* IOAPIC to the local APICs' last page: devices of every PC (SDM volume 3, 11.4.1). */
static const struct socle_range devices = { 0xfec00000, 0xff000000 - 0xfec00000 };

struct reading {
	struct socle_params *params;
	const uint8_t *pages;
	uint64_t limit;
	uint64_t end; /* of the map's entries so far */
};

/* Appends to ram[], or to the range that ends where this one starts. */
static const char *add_ram(struct socle_params *p, const struct socle_range *range)
{
	struct socle_range *last = p->ram_count ? &p->ram[p->ram_count - 1] : NULL;

	if (last && last->gpa + last->size == range->gpa) {
		last->size += range->size;
		return NULL;
	}
	if (p->ram_count == SOCLE_PARAMS_RAM_MAX)
		return "the host's memory map has RAM in too many pieces";
	p->ram[p->ram_count++] = *range;
	return NULL;
}

static const char *take_ram(struct reading *r, const struct socle_range *range)
{
	const struct socle_params *p = r->params;

	if (ranges_overlap(range, &p->region))
		return "the host's memory map has RAM where Socle is";
	if (ranges_overlap(range, &p->firmware))
		return "the host's memory map has RAM where the firmware is";
	if (ranges_overlap(range, &devices))
		return "the host's memory map has RAM where the APICs are";
	return add_ram(r->params, range);
}

static const char *take_entry(struct reading *r, const struct igvm_memory_map_entry *e)
{
	struct socle_range range;

	if (e->first_page > r->limit / ABI_PAGE_SIZE ||
	    e->pages > r->limit / ABI_PAGE_SIZE - e->first_page)
		return "the host's memory map goes beyond what can be addressed";
	range = (struct socle_range){ e->first_page * ABI_PAGE_SIZE, e->pages * ABI_PAGE_SIZE };
	if (range.gpa < r->end)
		return "the host's memory map is not sorted, or overlaps itself";
	r->end = range.gpa + range.size;
	return e->type == IGVM_MEMORY_RAM ? take_ram(r, &range) : NULL;
}

static const char *read_map(struct reading *r)
{
	const uint8_t *at = r->pages + SOCLE_HOST_MAP;

	for (size_t i = 0; i < MAP_ENTRIES; i++) {
		struct igvm_memory_map_entry entry;
		const char *wrong;

		memcpy(&entry, at + i * sizeof(entry), sizeof(entry));
		if (entry.pages == 0)
			return r->params->ram_count ? NULL : "the host's memory map has no RAM";
		wrong = take_entry(r, &entry);
		if (wrong)
			return wrong;
	}
	return "the host's memory map has no end";
}

/* What the launch loaded has to be RAM, or the firmware itself. */
static const char *check_loaded(const struct socle_params *p)
{
	for (uint32_t i = 0; i < p->loaded_count; i++) {
		const struct socle_range *l = &p->loaded[i];

		if (!range_within_any(l, &p->firmware, 1) &&
		    !range_within_any(l, p->ram, p->ram_count))
			return "the host's memory map lacks RAM that the firmware starts with";
	}
	return NULL;
}

/* Region and firmware have their place among the ranges, of which they overlap none. */
static const char *insert(struct socle_params *p, const struct socle_range *range)
{
	uint32_t at = p->ram_count;

	if (range->size == 0)
		return NULL;
	if (p->ram_count == SOCLE_PARAMS_RAM_MAX)
		return "the host's memory map has RAM in too many pieces";
	for (; at > 0 && p->ram[at - 1].gpa > range->gpa; at--)
		p->ram[at] = p->ram[at - 1];
	p->ram[at] = *range;
	p->ram_count++;
	return NULL;
}

static const char *read_count(struct reading *r)
{
	uint32_t count;

	memcpy(&count, r->pages + SOCLE_HOST_COUNT, sizeof(count));
	if (count == 0 || count > MONITOR_CPUS_MAX)
		return "the host's number of vCPUs is not 1 to 64";
	r->params->cpu_count = count;
	return NULL;
}

/* The APIC id of an entry that is a usable processor's. */
static bool processor_of(struct bytes_reader r, uint32_t *id)
{
	uint8_t type = bytes_u8(&r);
	uint32_t flags = 0;

	(void)bytes_u8(&r); /* the length, which the reader has */
	if (type == MADT_LOCAL_APIC) {
		(void)bytes_u8(&r); /* the processor's UID */
		*id = bytes_u8(&r);
		flags = bytes_le32(&r);
	} else if (type == MADT_LOCAL_X2APIC) {
		(void)bytes_le16(&r); /* reserved */
		*id = bytes_le32(&r);
		flags = bytes_le32(&r);
		(void)bytes_le32(&r); /* the UID */
	}
	return !r.bad && (flags & MADT_ENABLED);
}

/* Each of the ids 0 to cpu_count - 1 once: the host is asked for vCPUs by these. */
static const char *read_madt(const struct reading *r)
{
	const uint8_t *table = r->pages + SOCLE_HOST_MADT;
	struct bytes_reader header = bytes_reader_init(table + MADT_LENGTH, sizeof(uint32_t));
	uint32_t length = bytes_le32(&header), count = 0, id;
	uint64_t seen = 0;

	_Static_assert(MONITOR_CPUS_MAX <= 64, "a bit for each vCPU");
	if (memcmp(table, "APIC", 4) != 0 || length < MADT_ENTRIES || length > SOCLE_HOST_MADT_SIZE)
		return "the host's MADT is none";
	for (uint32_t at = MADT_ENTRIES, size; at < length; at += size) {
		size = length - at >= 2 ? table[at + 1] : 0;
		if (size < 2 || size > length - at)
			return "the host's MADT has an entry of a wrong size";
		if (!processor_of(bytes_reader_init(table + at, size), &id))
			continue;
		if (id >= r->params->cpu_count)
			return "the host's MADT has an APIC id that is not below the number of "
			       "vCPUs";
		if (seen & 1ull << id)
			return "the host's MADT has an APIC id twice";
		seen |= 1ull << id;
		count++;
	}
	return count == r->params->cpu_count
		       ? NULL
		       : "the host's MADT has fewer processors than the host says";
}

const char *host_memory_read(struct socle_params *params, const void *pages, uint64_t limit)
{
	struct reading r = { .params = params, .pages = pages, .limit = limit };
	const char *wrong;

	params->ram_count = 0;
	wrong = read_count(&r);
	if (!wrong)
		wrong = read_map(&r);
	if (!wrong)
		wrong = check_loaded(params);
	if (!wrong)
		wrong = insert(params, &params->region);
	if (!wrong)
		wrong = insert(params, &params->firmware);
	return wrong ? wrong : read_madt(&r);
}
