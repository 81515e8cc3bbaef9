/* SPDX-License-Identifier: MIT */
#include "tools/igvm/plain_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/snp/vmsa.h"
#include "tools/igvm/bare_program.h"

#define PAGE_MASK (ABI_PAGE_SIZE - 1ull)

static bool page_address(uint64_t gpa, const char *name, struct host_error *error)
{
	if (gpa & PAGE_MASK)
		return host_fail(error, "the %s page 0x%llx is not a multiple of 4 KiB", name,
				 (unsigned long long)gpa);
	return true;
}

bool bare_image_build(const struct bare_image_options *options, struct igvm_writer *writer,
		      struct host_error *error)
{
	struct bare_program program;
	struct snp_vmsa vmsa;

	if (!page_address(options->cpuid_page, "CPUID", error) ||
	    !page_address(options->secrets_page, "secrets", error) ||
	    !page_address(options->vmsa_page, "VMSA", error))
		return false;
	if (!bare_program_add(&options->elf, writer, &program, error))
		return false;
	if (options->cpuid_page)
		igvm_writer_page(writer, options->cpuid_page, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	if (options->secrets_page)
		igvm_writer_page(writer, options->secrets_page, IGVM_PAGE_TYPE_SECRETS, NULL);
	vmsa_protected_mode(&vmsa, (uint32_t)program.entry, options->sev_features);
	igvm_writer_vp(writer, options->vmsa_page, &vmsa);
	return true;
}

static void mark(uint8_t *loaded, const struct igvm_writer *writer, uint64_t end)
{
	for (size_t i = 0; i < writer->count; i++) {
		const struct igvm_writer_item *item = &writer->items[i];

		for (uint64_t at = item->gpa; at < item->gpa + item->size && at < end;
		     at += ABI_PAGE_SIZE)
			loaded[at / ABI_PAGE_SIZE] = 1;
	}
}

/* True when a whole large page starts here and nothing of it is loaded. */
static bool large_page_free(const uint8_t *loaded, uint64_t gpa, uint64_t end)
{
	static const uint8_t none[ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE];

	return gpa % ABI_PAGE_SIZE_2M == 0 && end - gpa >= ABI_PAGE_SIZE_2M &&
	       memcmp(loaded + gpa / ABI_PAGE_SIZE, none, sizeof(none)) == 0;
}

static void add_zeros(struct igvm_writer *writer, const uint8_t *loaded, uint64_t gpa, uint64_t end)
{
	while (gpa < end) {
		if (large_page_free(loaded, gpa, end)) {
			igvm_writer_zero_2m(writer, gpa);
			gpa += ABI_PAGE_SIZE_2M;
			continue;
		}
		if (!loaded[gpa / ABI_PAGE_SIZE])
			igvm_writer_page(writer, gpa, IGVM_PAGE_TYPE_NORMAL, NULL);
		gpa += ABI_PAGE_SIZE;
	}
}

bool plain_linux_build(const struct plain_linux_options *options, struct igvm_writer *writer,
		       struct host_error *error)
{
	struct memory_plan plan;
	struct guest_boot boot;
	struct snp_vmsa vmsa;
	uint8_t *loaded;
	uint64_t end;

	memory_plan_init(&plan, options->memory);
	if (!page_address(options->vmsa_page, "VMSA", error) ||
	    !linux_boot_build(&options->linux_boot, &plan, writer, &boot, error))
		return false;
	igvm_writer_page(writer, boot.cpuid_page, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	igvm_writer_page(writer, boot.secrets_page, IGVM_PAGE_TYPE_SECRETS, NULL);
	vmsa_long_mode(&vmsa, &boot.entry, options->sev_features);
	igvm_writer_vp(writer, options->vmsa_page ? options->vmsa_page : boot.vmsa_page, &vmsa);
	end = plan.ram[plan.ram_count - 1].gpa + plan.ram[plan.ram_count - 1].size;
	loaded = calloc(1, end / ABI_PAGE_SIZE);
	if (!loaded)
		return host_fail(error, "out of memory");
	mark(loaded, writer, end);
	for (uint32_t i = 0; i < plan.ram_count; i++)
		add_zeros(writer, loaded, plan.ram[i].gpa, plan.ram[i].gpa + plan.ram[i].size);
	free(loaded);
	return true;
}
