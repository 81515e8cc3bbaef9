/* SPDX-License-Identifier: MIT */
/*
 * The guest's start. What the file loaded is valid since the launch and only granted. All other RAM
 * is validated, zeroed and granted before the guest's first instruction, so that it never meets a
 * page that is not ready; but for firmware, which does that itself by SVSM_CORE_PVALIDATE, and
 * takes it for an error where RAM is valid already.
 */
#include <string.h>

#include "abi/igvm.h"
#include "core/snp/vmsa.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/preempt.h"
#include "monitor/boot/start.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/mem/map.h"
#include "monitor/mem/table.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/secrets.h"
#include "monitor/vcpu/vmsa.h"

#define LEAF_FEATURES 0x1u
#define PC_HOLE_START 0xa0000u
#define PC_HOLE_END 0x100000u
#define PAGES_OF_2M (ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE)

void boot_take_memory(const struct socle_params *params, struct page_owner *owner)
{
	size_t size = guest_pages_memory(params);
	size_t count = (size + ABI_PAGE_SIZE - 1) / ABI_PAGE_SIZE;
	gpa_t memory;

	if (!size || !page_alloc_span(owner, count, 1, &memory))
		die(DIE_MEMORY, "no memory for the states of the guest's pages");
	if (!guest_pages_init(params, direct_ptr(memory), count * ABI_PAGE_SIZE))
		die(DIE_PARAMS, "the parameter block's memory ranges contradict themselves");
}

static void validate_4k(gpa_t page)
{
	enum guest_page_state found;
	bool changed;

	if (!guest_pages_take(page, 1, GUEST_PAGE_INVALID, &found))
		return;
	/* "Unchanged" means that the host mapped one page to two addresses. */
	if (guest_pages_validate(page, ARCH_PAGE_4K, false, &changed) != SNP_RESULT_OK || !changed)
		die(DIE_RMP, "a page of the guest's RAM cannot be validated");
}

/*
 * Validates 2 MiB at once, or page by page where the host has small ones. The caller has taken it.
 */
static void validate_2m(gpa_t page)
{
	bool changed;
	uint32_t result = guest_pages_validate(page, ARCH_PAGE_2M, false, &changed);

	if (result == SNP_RESULT_OK && changed)
		return;
	if (result != SNP_RESULT_FAIL_SIZEMISMATCH)
		die(DIE_RMP, "a large page of the guest's RAM cannot be validated");
	for (unsigned int i = 0; i < PAGES_OF_2M; i++)
		validate_4k(gpa(page.raw + i * ABI_PAGE_SIZE));
}

/* Validates what is not valid yet at page, as much of it as goes at once. Returns its bytes. */
static uint64_t validate_next(gpa_t page, uint64_t left)
{
	enum guest_page_state found;

	if (gpa_aligned(page, ABI_PAGE_SIZE_2M) && left >= ABI_PAGE_SIZE_2M &&
	    guest_pages_take(page, PAGES_OF_2M, GUEST_PAGE_INVALID, &found)) {
		validate_2m(page);
		return ABI_PAGE_SIZE_2M;
	}
	validate_4k(page);
	return ABI_PAGE_SIZE;
}

static void validate_ram(const struct socle_range *ram)
{
	for (uint64_t at = 0; at < ram->size;)
		at += validate_next(gpa(ram->gpa + at), ram->size - at);
}

static void grant_loaded(const struct socle_range *loaded)
{
	for (uint64_t at = 0; at < loaded->size; at += ABI_PAGE_SIZE) {
		if (guest_pages_grant(gpa(loaded->gpa + at), ARCH_PAGE_4K) != SNP_RESULT_OK)
			die(DIE_RMP, "a loaded page of the guest cannot be granted");
	}
}

/* A page that the parameter block gives to the guest, checked to be just that. */
static void *guest_page(uint64_t page)
{
	if (!gpa_aligned(gpa(page), ABI_PAGE_SIZE) ||
	    guest_pages_state(gpa(page)) != GUEST_PAGE_VALID)
		die(DIE_PARAMS, "a page for the guest is not the guest's memory");
	return direct_ptr(gpa(page));
}

static void fill_pages(const struct socle_params *params)
{
	memcpy(guest_page(params->guest_cpuid_page), direct_ptr(gpa(params->cpuid_page)),
	       ABI_PAGE_SIZE);
	secrets_give_guest(params, guest_page(params->guest_secrets_page));
	memset(guest_page(params->guest_caa), 0, ABI_PAGE_SIZE);
}

/*
 * The start of RAM, with the hole of a PC's video memory, which firmware knows and wants to be no
 * end.
 */
static bool is_low_hole(const struct socle_range *before, const struct socle_range *after)
{
	return before->gpa == 0 && before->gpa + before->size >= PC_HOLE_START &&
	       after->gpa <= PC_HOLE_END;
}

static bool same_start(const struct socle_range *a, const struct socle_range *b)
{
	return b->size && a->gpa == b->gpa;
}

/* Plain RAM on both sides of it: what is Socle's or the firmware is no part of a piece of RAM. */
static bool goes_on_behind_the_hole(const struct socle_params *p, uint32_t i)
{
	const struct socle_range *after = &p->ram[i], *before = after - 1;

	return i && is_low_hole(before, after) && !same_start(before, &p->firmware) &&
	       !same_start(before, &p->region) && !same_start(after, &p->region);
}

/* The map for the firmware as it is written. */
struct map_writer {
	struct igvm_memory_map_entry *entries;
	uint32_t count, max; /* max: with the one of no pages that ends them */
	bool full;
};

static void add_entry(struct map_writer *map, const struct socle_range *range, uint16_t type)
{
	map->full |= map->count + 1 >= map->max;
	if (map->full)
		return;
	map->entries[map->count++] = (struct igvm_memory_map_entry){
		.first_page = range->gpa / ABI_PAGE_SIZE,
		.pages = range->size / ABI_PAGE_SIZE,
		.type = type,
	};
}

static void add_ram(struct map_writer *map, const struct socle_params *p, uint32_t i)
{
	const struct socle_range *r = &p->ram[i];

	if (map->count && goes_on_behind_the_hole(p, i))
		map->entries[map->count - 1].pages = (r->gpa + r->size) / ABI_PAGE_SIZE;
	else
		add_entry(map, r,
			  same_start(r, &p->region) ? IGVM_MEMORY_RESERVED : IGVM_MEMORY_RAM);
}

/*
 * The map for the firmware: RAM, and Socle as what nobody may have, with what it has taken of RAM.
 * False when there is no room for it.
 */
static bool make_map(const struct socle_params *p, const struct socle_range *grown,
		     struct map_writer *map)
{
	for (uint32_t i = 0; i < p->ram_count; i++) {
		const struct socle_range *r = &p->ram[i];

		if (same_start(r, &p->firmware))
			continue;
		add_ram(map, p, i);
		if (grown->size && r->gpa + r->size == grown->gpa)
			add_entry(map, grown, IGVM_MEMORY_RESERVED);
	}
	return map->count && !map->full;
}

/* Bytes of a loaded page of the guest, which is valid and nobody's yet but ours. */
static void *guest_bytes(uint64_t at)
{
	return (uint8_t *)guest_page(page_down(at)) + at % ABI_PAGE_SIZE;
}

/*
 * Firmware that asks an SVSM for the size of its memory gets what was checked; it finds the rest
 * out by itself. Without an answer it asks the host.
 */
static void tell_map(const struct socle_params *params, const struct socle_range *grown)
{
	struct igvm_memory_map_entry entries[SOCLE_PARAMS_RAM_MAX + 1] = { 0 };
	struct map_writer map = { .entries = entries, .max = SOCLE_PARAMS_RAM_MAX + 1 };

	if (!params->guest_map)
		return;
	if (map.max > params->guest_map_entries)
		map.max = params->guest_map_entries;
	if (!make_map(params, grown, &map)) {
		if (grown->size)
			die(DIE_MEMORY, "the firmware cannot be told which RAM Socle takes");
		log_printf(LOG_WARNING, "the firmware has no room for the map of its memory");
		return;
	}
	memcpy(guest_bytes(params->guest_map), entries, (map.count + 1) * sizeof(entries[0]));
}

/* Each is told where there is a place for it. */
static void tell_sizes(const struct socle_params *params, const struct socle_range *grown)
{
	tell_map(params, grown);
	if (params->guest_count)
		memcpy(guest_bytes(params->guest_count), &params->cpu_count,
		       sizeof(params->cpu_count));
}

static void set_c_bits(const struct socle_range *tables)
{
	for (uint64_t at = 0; at < tables->size; at += ABI_PAGE_SIZE) {
		uint64_t *table = guest_page(tables->gpa + at);

		for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
			if (table[i] & PTE_PRESENT)
				table[i] |= map_c_bit();
		}
	}
}

/* As a processor comes out of reset: EDX is its signature (APM volume 2, 14.1.3). */
static void firmware_vmsa(struct snp_vmsa *vmsa, gpa_t measured)
{
	*vmsa = *(const struct snp_vmsa *)direct_ptr(measured);
	vmsa->sev_features = arch_guest_sev_features();
	vmsa->efer |= SNP_VMSA_EFER_SVME;
	vmsa->rdx = cpuid_query(LEAF_FEATURES, 0).eax;
}

static gpa_t build_vmsa(const struct socle_params *params, struct page_owner *owner)
{
	struct snp_vmsa *vmsa;
	gpa_t page;

	if (!vmsa_alloc(owner, &page))
		die(DIE_MEMORY, "no memory for the guest's VMSA");
	vmsa = direct_ptr(page);
	if (params->firmware.size) {
		firmware_vmsa(vmsa, gpa(params->guest_vmsa));
	} else {
		vmsa_long_mode(vmsa, &params->guest, arch_guest_sev_features());
		vmsa->cr3 |= map_c_bit();
	}
	vmsa->vmpl = guest_vmpl();
	vmsa->exit_code = VMSA_NEVER_LEFT;
	if (!vmsa_commit(page))
		die(DIE_RMP, "a page of ours cannot become the guest's VMSA");
	return page;
}

void boot_launch_guest(const struct socle_params *params, const struct socle_range *grown,
		       struct page_owner *owner)
{
	for (uint32_t i = 0; !params->firmware.size && i < params->ram_count; i++)
		validate_ram(&params->ram[i]);
	for (uint32_t i = 0; i < params->loaded_count; i++)
		grant_loaded(&params->loaded[i]);
	fill_pages(params);
	tell_sizes(params, grown);
	set_c_bits(&params->guest.page_tables);
	if (params->features & SOCLE_FEATURE_PREEMPTS)
		preempt_try(gpa(params->guest_caa), owner);

	gpa_t vmsa = build_vmsa(params, owner);

	if (!registry_init(params->cpu_count, vmsa, gpa(params->guest_caa)))
		die(DIE_PARAMS, "the guest's first calling area is not its memory");
	if (!arch_start_vcpu(BOOT_CPU, guest_vmpl(), vmsa, arch_guest_sev_features()))
		die(DIE_HOST, "the host refuses the guest's first vCPU");
}
