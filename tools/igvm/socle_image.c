/* SPDX-License-Identifier: MIT */
#include "tools/igvm/socle_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/image/firmware.h"
#include "core/image/host/digest.h"
#include "core/snp/vmsa.h"
#include "tools/igvm/bare_program.h"
#include "tools/igvm/elf_image.h"
#include "tools/igvm/page_tables.h"

#define PAGE_MASK (ABI_PAGE_SIZE - 1ull)
#define LARGE_MASK (ABI_PAGE_SIZE_2M - 1ull)

#define RESET_VECTOR \
	16u /* how far before the end of firmware a processor starts (SDM volume 3, 10.1.4) */

/* The entry stub fits the image's first page, the only one with an identity mapping. */
#define STUB_SIZE ABI_PAGE_SIZE

struct layout {
	const struct socle_image_options *options;
	struct igvm_writer *writer;
	struct memory_plan plan;
	struct elf_image image;
	uint8_t *image_bytes; /* the image as it lies in memory, params.image.size bytes */
	uint64_t vmsa_page;
	struct socle_params params;
};

static uint64_t range_end(const struct socle_range *range)
{
	return range->gpa + range->size;
}

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

static bool base_aligned(uint64_t base, struct host_error *error)
{
	return base % ABI_PAGE_SIZE == 0 ||
	       host_fail(error, "the base 0x%llx is not a multiple of 4 KiB",
			 (unsigned long long)base);
}

/* Beside firmware it is wherever it was asked for, as long as all of it has 32-bit addresses. */
static bool place_beside_firmware(struct layout *l, struct host_error *error)
{
	uint64_t base = l->options->base ? l->options->base : SOCLE_IMAGE_FIRMWARE_BASE;

	if (!base_aligned(base, error))
		return false;
	if (base < MEMORY_HIGH_START || base > MEMORY_4G - SOCLE_REGION_SIZE)
		return host_fail(error, "no 16 MiB of memory at 0x%llx", (unsigned long long)base);
	l->params.region = (struct socle_range){ base, SOCLE_REGION_SIZE };
	return true;
}

static bool place_region(struct layout *l, struct host_error *error)
{
	const struct socle_image_options *o = l->options;
	const struct socle_range *below_4g = &l->plan.ram[1];
	uint64_t base = o->base;

	if (o->firmware.size)
		return place_beside_firmware(l, error);
	memory_plan_init(&l->plan, o->memory);
	if (base == 0)
		base = below_4g->gpa + below_4g->size - SOCLE_REGION_SIZE;
	if (!base_aligned(base, error))
		return false;
	if (base < MEMORY_HIGH_START || !memory_plan_take(&l->plan, base, SOCLE_REGION_SIZE))
		return host_fail(error, "no 16 MiB of RAM at 0x%llx", (unsigned long long)base);
	l->params.region = (struct socle_range){ base, SOCLE_REGION_SIZE };
	return true;
}

/* W^X, no page shared by two segments, all within the addresses that the tables can map. */
static bool check_segment(const struct elf_image_segment *segment, uint64_t end,
			  struct host_error *error)
{
	if (segment->address < end ||
	    segment->address + segment->memory_size > SOCLE_VA_IMAGE + SOCLE_REGION_SIZE)
		return host_fail(error,
				 "the segment at 0x%llx leaves the image's addresses or shares a "
				 "page with another",
				 (unsigned long long)segment->address);
	if ((segment->flags & ELF_FLAG_WRITE) && (segment->flags & ELF_FLAG_EXEC))
		return host_fail(error, "the segment at 0x%llx is writable and executable",
				 (unsigned long long)segment->address);
	return true;
}

static bool place_image(struct layout *l, struct host_error *error)
{
	const struct elf_image *image = &l->image;
	uint64_t end = SOCLE_VA_IMAGE;

	if (image->entry != SOCLE_VA_IMAGE || image->segments[0].address != SOCLE_VA_IMAGE ||
	    !(image->segments[0].flags & ELF_FLAG_EXEC))
		return host_fail(error, "the entry stub is not at the start of the image, 0x%llx",
				 (unsigned long long)SOCLE_VA_IMAGE);
	for (unsigned int i = 0; i < image->count; i++) {
		if (!check_segment(&image->segments[i], end, error))
			return false;
		end = page_up(image->segments[i].address + image->segments[i].memory_size);
	}
	l->params.image = (struct socle_range){ l->params.region.gpa, end - SOCLE_VA_IMAGE };
	return true;
}

static bool copy_image(struct layout *l, struct host_error *error)
{
	l->image_bytes = calloc(1, l->params.image.size);
	if (!l->image_bytes)
		return host_fail(error, "out of memory");
	for (unsigned int i = 0; i < l->image.count; i++) {
		const struct elf_image_segment *s = &l->image.segments[i];

		memcpy(l->image_bytes + (s->address - SOCLE_VA_IMAGE), s->data, s->file_size);
	}
	return true;
}

/* The segment of a page of the image, or NULL for a gap between segments. */
static const struct elf_image_segment *segment_of(const struct layout *l, uint64_t va)
{
	for (unsigned int i = 0; i < l->image.count; i++) {
		const struct elf_image_segment *s = &l->image.segments[i];

		if (va >= (s->address & ~PAGE_MASK) && va < page_up(s->address + s->memory_size))
			return s;
	}
	return NULL;
}

static bool within(const struct socle_range *range, uint64_t gpa)
{
	return gpa >= range->gpa && gpa < range_end(range);
}

/* What the direct map may not write: what is executable or constant under another name. */
static bool is_read_only(const struct layout *l, uint64_t params_page, uint64_t gpa)
{
	const struct socle_params *p = &l->params;
	const struct elf_image_segment *s;

	if (gpa == params_page)
		return true;
	if (within(&p->archive, gpa))
		return true;
	if (!within(&p->image, gpa))
		return false;
	s = segment_of(l, SOCLE_VA_IMAGE + (gpa - p->image.gpa));
	return !s || !(s->flags & ELF_FLAG_WRITE);
}

static bool touches_region(const struct layout *l, uint64_t gpa, uint64_t size)
{
	const struct socle_range *region = &l->params.region;

	return gpa < range_end(region) && region->gpa < gpa + size;
}

static void map_direct(const struct layout *l, struct page_tables *tables, uint64_t params_page)
{
	for (uint32_t i = 0; i < l->params.ram_count; i++) {
		const struct socle_range *ram = &l->params.ram[i];
		uint64_t gpa = ram->gpa;

		while (gpa < range_end(ram)) {
			uint64_t flags = PTE_NO_EXECUTE;
			bool large = (gpa & LARGE_MASK) == 0 &&
				     range_end(ram) - gpa >= ABI_PAGE_SIZE_2M &&
				     !touches_region(l, gpa, ABI_PAGE_SIZE_2M);

			if (large)
				flags |= PTE_LARGE;
			if (!is_read_only(l, params_page, gpa))
				flags |= PTE_WRITE;
			page_tables_map(tables, SOCLE_VA_DIRECT + gpa, gpa, flags);
			gpa += large ? ABI_PAGE_SIZE_2M : ABI_PAGE_SIZE;
		}
	}
}

static void map_image(const struct layout *l, struct page_tables *tables)
{
	for (uint64_t at = 0; at < l->params.image.size; at += ABI_PAGE_SIZE) {
		const struct elf_image_segment *s = segment_of(l, SOCLE_VA_IMAGE + at);
		uint64_t flags = 0;

		if (!s)
			continue;
		if (s->flags & ELF_FLAG_WRITE)
			flags |= PTE_WRITE;
		if (!(s->flags & ELF_FLAG_EXEC))
			flags |= PTE_NO_EXECUTE;
		page_tables_map(tables, SOCLE_VA_IMAGE + at, l->params.image.gpa + at, flags);
	}
	for (uint64_t at = 0; at < STUB_SIZE; at += ABI_PAGE_SIZE)
		page_tables_map(tables, l->params.image.gpa + at, l->params.image.gpa + at, 0);
}

/* Places what follows the image, for page tables of so many pages. Returns the parameters' page. */
static uint64_t place_rest(struct layout *l, size_t table_pages)
{
	struct socle_params *p = &l->params;
	uint64_t params_page;

	p->page_tables = (struct socle_range){ range_end(&p->image), table_pages * ABI_PAGE_SIZE };
	params_page = range_end(&p->page_tables);
	p->cpuid_page = params_page + ABI_PAGE_SIZE;
	p->secrets_page = p->cpuid_page + ABI_PAGE_SIZE;
	l->vmsa_page = p->secrets_page + ABI_PAGE_SIZE;
	if (p->firmware.size) {
		p->guest_vmsa = l->vmsa_page;
		p->host = (struct socle_range){ p->guest_vmsa + ABI_PAGE_SIZE, SOCLE_HOST_SIZE };
		l->vmsa_page = range_end(&p->host);
	}
	p->archive = (struct socle_range){ l->vmsa_page, l->options->archive.size };
	if (!igvm_writer_vmsa_is_held(l->writer))
		p->archive.gpa += ABI_PAGE_SIZE;
	p->free.gpa = page_up(range_end(&p->archive));
	p->free.size = p->free.gpa < range_end(&p->region) ? range_end(&p->region) - p->free.gpa
							   : 0;
	return params_page;
}

static void build_tables(const struct layout *l, struct page_tables *tables, uint64_t params_page)
{
	page_tables_init(tables, l->params.page_tables.gpa, 0);
	if (!tables->out_of_memory) {
		map_direct(l, tables, params_page);
		map_image(l, tables);
	}
}

/*
 * How many tables there are depends on RAM and region only, for all of the region has entries of
 * its own: so a first build with everything where it would be without tables gives the number.
 */
static bool add_tables(struct layout *l, uint64_t *params_page, struct host_error *error)
{
	struct page_tables tables;
	bool ok;

	build_tables(l, &tables, place_rest(l, 0));
	*params_page = place_rest(l, tables.pages);
	page_tables_free(&tables);
	if (l->params.free.size == 0)
		return host_fail(
			error, "image, tables and archive take %llu KiB of a region of %u KiB",
			(unsigned long long)(l->params.free.gpa - l->params.region.gpa) >> 10,
			SOCLE_REGION_SIZE >> 10);
	build_tables(l, &tables, *params_page);
	ok = !tables.out_of_memory && tables.pages * ABI_PAGE_SIZE == l->params.page_tables.size;
	if (ok)
		igvm_writer_bytes(l->writer, tables.gpa, tables.entries,
				  l->params.page_tables.size);
	page_tables_free(&tables);
	return ok || host_fail(error, "out of memory");
}

static bool add_linux(struct layout *l, struct guest_boot *boot, struct host_error *error)
{
	const struct socle_image_options *o = l->options;
	struct linux_boot_options options = { .kernel = o->kernel,
					      .initrd = o->initrd,
					      .cmdline = o->cmdline,
					      .cpu_count = o->cpu_count,
					      .reserved = l->params.region };

	return linux_boot_build(&options, &l->plan, l->writer, boot, error);
}

static bool add_loaded(struct layout *l, struct host_error *error)
{
	struct socle_params *p = &l->params;

	return igvm_writer_ranges(l->writer, p->loaded, SOCLE_PARAMS_LOADED_MAX,
				  &p->loaded_count) ||
	       host_fail(error, "the guest's pages are more than %u ranges",
			 SOCLE_PARAMS_LOADED_MAX);
}

/*
 * Pages of zeros, as QEMU launches them; Socle fills those for secrets and CPUID. hashes: the page
 * of kernel hashes, or NULL.
 */
static bool add_section(struct layout *l, const struct firmware_section *s, const uint8_t *hashes,
			struct host_error *error)
{
	if (touches_region(l, s->gpa, s->size))
		return host_fail(error, "the firmware has a section where Socle is, at 0x%x",
				 s->gpa);
	for (uint64_t at = 0; at < s->size; at += ABI_PAGE_SIZE)
		igvm_writer_page(l->writer, s->gpa + at, IGVM_PAGE_TYPE_NORMAL,
				 s->type == FIRMWARE_KERNEL_HASHES ? hashes : NULL);
	return true;
}

static bool add_sections(struct layout *l, const struct firmware *firmware,
			 struct host_error *error)
{
	const struct kernel_hashes *hashes = l->options->kernel_hashes;
	uint8_t page[ABI_PAGE_SIZE];

	if (hashes && !firmware->hash_table)
		return host_fail(error, "the firmware has no place for a table of kernel hashes");
	if (hashes)
		launch_firmware_hashes(firmware, hashes, page);
	for (uint32_t i = 0; i < firmware->section_count; i++) {
		if (!add_section(l, &firmware->sections[i], hashes ? page : NULL, error))
			return false;
	}
	return true;
}

static bool add_firmware(struct layout *l, struct host_error *error)
{
	const struct file_bytes *file = &l->options->firmware;
	const struct firmware_section *caa;
	struct socle_params *p = &l->params;
	struct firmware_error wrong;
	struct firmware firmware;

	if (!firmware_open(&firmware, file->data, file->size, &wrong))
		return host_fail(error, "the firmware: %s, at file offset %llu", wrong.what,
				 (unsigned long long)wrong.offset);
	caa = firmware_section(&firmware, FIRMWARE_CALLING_AREA);
	if (!caa)
		return host_fail(error, "the firmware names no calling area, so it knows no SVSM");
	if (touches_region(l, firmware.gpa, firmware.size))
		return host_fail(error, "the firmware, at 0x%llx, is where Socle is",
				 (unsigned long long)firmware.gpa);
	if (!add_sections(l, &firmware, error))
		return false;
	igvm_writer_bytes(l->writer, firmware.gpa, firmware.data, firmware.size);
	p->firmware = (struct socle_range){ firmware.gpa, firmware.size };
	p->guest_cpuid_page = firmware_section(&firmware, FIRMWARE_CPUID)->gpa;
	p->guest_secrets_page = firmware_section(&firmware, FIRMWARE_SECRETS)->gpa;
	p->guest_caa = caa->gpa;
	p->guest_map = firmware.map;
	p->guest_map_entries = firmware.map_size / sizeof(struct igvm_memory_map_entry);
	p->guest_count = firmware.count;
	return add_loaded(l, error);
}

static bool add_guest(struct layout *l, struct host_error *error)
{
	const struct socle_image_options *o = l->options;
	struct socle_params *p = &l->params;
	struct guest_boot boot;
	bool ok;

	if (o->firmware.size)
		return add_firmware(l, error);
	if (o->kernel.size == 0 && o->bare_guest.size == 0)
		return true;
	ok = o->kernel.size ? add_linux(l, &boot, error)
			    : bare_guest_build(&o->bare_guest, &l->plan, l->writer, &boot, error);
	if (!ok)
		return false;
	p->guest = boot.entry;
	p->guest_cpuid_page = boot.cpuid_page;
	p->guest_secrets_page = boot.secrets_page;
	p->guest_caa = boot.caa_page;
	return add_loaded(l, error);
}

static void fill_params(struct layout *l)
{
	const struct socle_image_options *o = l->options;
	struct socle_params *p = &l->params;

	p->magic = SOCLE_PARAMS_MAGIC;
	p->version = SOCLE_PARAMS_VERSION;
	p->size = sizeof(*p);
	p->host_channel_port = o->host_channel_port;
	p->debug_console_port = o->debug_console_port;
	p->host_channel_pin = o->host_channel_pin;
	if (o->host_channel_port != SOCLE_IMAGE_NO_PORT)
		p->features |= SOCLE_FEATURE_HOST_CHANNEL;
	if (o->debug_console_port != SOCLE_IMAGE_NO_PORT)
		p->features |= SOCLE_FEATURE_DEBUG_CONSOLE;
	if (o->preempts)
		p->features |= SOCLE_FEATURE_PREEMPTS;
	if (o->guest_apic)
		p->features |= SOCLE_FEATURE_GUEST_APIC;
	p->allow_missing = o->allow_missing;
	p->guest_vmpl = o->guest_vmpl;
	p->lower_calls = o->lower_calls;
	if (o->firmware.size) {
		p->ram_count = 1;
		p->ram[0] = p->region;
		return;
	}
	p->cpu_count = o->cpu_count;
	p->ram_count = l->plan.ram_count;
	memcpy(p->ram, l->plan.ram, l->plan.ram_count * sizeof(p->ram[0]));
}

/*
 * The guest's first VMSA: a processor's after its reset, with what is known only when it starts
 * left out.
 */
static void add_firmware_start(struct layout *l)
{
	const struct socle_params *p = &l->params;
	struct snp_vmsa vmsa;

	vmsa_kvm_reset(&vmsa, (uint32_t)(range_end(&p->firmware) - RESET_VECTOR), 0, 0);
	vmsa.vmpl = (uint8_t)p->guest_vmpl;
	igvm_writer_bytes(l->writer, p->guest_vmsa, &vmsa, sizeof(vmsa));
	igvm_writer_parameter(l->writer, p->host.gpa + SOCLE_HOST_COUNT, SOCLE_HOST_COUNT_SIZE,
			      IGVM_TYPE_VP_COUNT_PARAMETER);
	igvm_writer_parameter(l->writer, p->host.gpa + SOCLE_HOST_MAP, SOCLE_HOST_MAP_SIZE,
			      IGVM_TYPE_MEMORY_MAP);
	igvm_writer_parameter(l->writer, p->host.gpa + SOCLE_HOST_MADT, SOCLE_HOST_MADT_SIZE,
			      IGVM_TYPE_MADT);
}

static void add_region(struct layout *l, uint64_t params_page)
{
	const struct socle_params *p = &l->params;
	uint8_t page[ABI_PAGE_SIZE] = { 0 };
	struct snp_vmsa vmsa;

	igvm_writer_required(l->writer, p->region);
	igvm_writer_bytes(l->writer, p->image.gpa, l->image_bytes, p->image.size);
	memcpy(page, p, sizeof(*p));
	igvm_writer_page(l->writer, params_page, IGVM_PAGE_TYPE_NORMAL, page);
	igvm_writer_page(l->writer, p->cpuid_page, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	igvm_writer_page(l->writer, p->secrets_page, IGVM_PAGE_TYPE_SECRETS, NULL);
	igvm_writer_bytes(l->writer, p->archive.gpa, l->options->archive.data, p->archive.size);
	if (p->firmware.size)
		add_firmware_start(l);
	vmsa_protected_mode(&vmsa, (uint32_t)p->image.gpa, l->options->sev_features);
	vmsa.rbx = params_page;
	vmsa.rbp = p->image.gpa;
	igvm_writer_vp(l->writer, l->vmsa_page, &vmsa);
}

static bool build(struct layout *l, struct host_error *error)
{
	uint64_t params_page;

	if (!elf_image_read(&l->options->monitor, &l->image, error))
		return false;
	if (!place_region(l, error) || !place_image(l, error) || !copy_image(l, error) ||
	    !add_guest(l, error))
		return false;
	fill_params(l);
	if (!add_tables(l, &params_page, error))
		return false;
	add_region(l, params_page);
	return true;
}

bool socle_image_build(const struct socle_image_options *options, struct igvm_writer *writer,
		       struct socle_params *params, struct host_error *error)
{
	struct layout *layout = calloc(1, sizeof(*layout));
	bool ok;

	if (!layout)
		return host_fail(error, "out of memory");
	layout->options = options;
	layout->writer = writer;
	ok = build(layout, error);
	*params = layout->params;
	free(layout->image_bytes);
	free(layout);
	return ok;
}
