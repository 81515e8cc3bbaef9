/* SPDX-License-Identifier: MIT */
/* The order in which the monitor comes to life, on the first vCPU. */
#include "abi/ghcb.h"
#include "abi/params.h"
#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/boot.h"
#include "monitor/boot/growth.h"
#include "monitor/boot/host_memory.h"
#include "monitor/boot/processor.h"
#include "monitor/boot/start.h"
#include "monitor/cpu/cpu.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"
#include "monitor/protocol/ahead.h"
#include "monitor/protocol/protocol.h"
#include "monitor/run/run.h"
#include "monitor/service/service.h"
#include "monitor/trap/trap.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/secrets.h"

ABI_OFFSET(struct socle_params, page_tables, PARAMS_TABLES);
ABI_OFFSET(struct socle_params, cpuid_page, PARAMS_CPUID_PAGE);
ABI_OFFSET(struct snp_cpuid_page, entries, CPUID_FIRST_ENTRY);
ABI_OFFSET(struct snp_cpuid_entry, ebx, CPUID_ENTRY_EBX);
_Static_assert(sizeof(struct snp_cpuid_entry) == CPUID_ENTRY_SIZE, "CPUID entry size");
_Static_assert(SNP_CPUID_MAX_ENTRIES == CPUID_ENTRIES_MAX, "CPUID entries");

#define ADDRESS_MAX \
	(1ull << 46) /* as much as the direct map has room for, and more than any VM has */
#define OWNER_PAGES_MAX (SOCLE_REGION_SIZE / ABI_PAGE_SIZE + PAGE_ALLOC_MORE_MAX)

/* link.ld: everything below is read-only, everything from here on is not executable. */
extern const char image_read_only_end[];

static struct socle_range grown;	/* RAM that Socle has taken; size 0: none */
static struct socle_params completed;	/* by what the host says, where the block leaves it to it */
static struct page_owner monitor_pages; /* page tables, per-vCPU blocks, GHCBs, VMSAs */
static const struct socle_params *boot_params;
/* Launched as zeros, and never used: for processor_c_bit() alone. */
static uint8_t page_of_launch[ABI_PAGE_SIZE] __attribute__((aligned(ABI_PAGE_SIZE)));

void boot_main(uint64_t params_gpa, uint64_t image_gpa, uint32_t c_bit);

static bool in_region(const struct socle_params *params, uint64_t page, uint64_t size)
{
	return gpa_aligned(gpa(page), ABI_PAGE_SIZE) &&
	       gpa_within(gpa(page), size, gpa(params->region.gpa), params->region.size);
}

/* How many vCPUs there are: the block says it, or where the host does. */
static bool host_or_counts(const struct socle_params *p)
{
	if (p->host.size)
		return p->host.size == SOCLE_HOST_SIZE && in_region(p, p->host.gpa, p->host.size);
	return p->cpu_count && p->cpu_count <= MONITOR_CPUS_MAX;
}

/* The block is measured, so a wrong one is our own builder's: this finds mistakes, not attacks. */
static bool params_sound(const struct socle_params *p)
{
	return p->magic == SOCLE_PARAMS_MAGIC && p->version == SOCLE_PARAMS_VERSION &&
	       p->size == sizeof(*p) && !(p->features & ~SOCLE_FEATURES_KNOWN) &&
	       !(p->allow_missing & ~SOCLE_MISSING_KNOWN) && p->region.size == SOCLE_REGION_SIZE &&
	       p->ram_count && p->ram_count <= SOCLE_PARAMS_RAM_MAX &&
	       p->loaded_count <= SOCLE_PARAMS_LOADED_MAX && host_or_counts(p) &&
	       p->host_channel_pin < SOCLE_IOAPIC_PINS &&
	       in_region(p, p->image.gpa, p->image.size) &&
	       in_region(p, p->page_tables.gpa, p->page_tables.size) &&
	       in_region(p, p->archive.gpa, p->archive.size) &&
	       in_region(p, p->free.gpa, p->free.size) &&
	       in_region(p, p->cpuid_page, ABI_PAGE_SIZE) &&
	       in_region(p, p->secrets_page, ABI_PAGE_SIZE) &&
	       (!p->firmware.size || in_region(p, p->guest_vmsa, ABI_PAGE_SIZE));
}

/* False: the host has small pages there. Whatever else goes wrong ends the VM. */
static bool validated(uint64_t at, enum arch_page_size size)
{
	bool changed;
	uint32_t result = arch_pvalidate(gpa(at), size, true, &changed);

	if (size == ARCH_PAGE_2M && result == SNP_RESULT_FAIL_SIZEMISMATCH)
		return false;
	if (result != SNP_RESULT_OK || !changed)
		die(DIE_RMP, "a page of the monitor's region cannot be validated");
	return true;
}

/* As much at once as goes, or page by page where the host has small ones. Returns its bytes. */
static uint64_t validate_own(uint64_t at, uint64_t left)
{
	uint64_t done = 0;

	if (!gpa_aligned(gpa(at), ABI_PAGE_SIZE_2M) || left < ABI_PAGE_SIZE_2M) {
		(void)validated(at, ARCH_PAGE_4K);
		return ABI_PAGE_SIZE;
	}
	if (validated(at, ARCH_PAGE_2M))
		return ABI_PAGE_SIZE_2M;
	for (; done < ABI_PAGE_SIZE_2M; done += ABI_PAGE_SIZE)
		(void)validated(at + done, ARCH_PAGE_4K);
	return done;
}

/* Pages that the file did not load become ours: nobody else's content survives in them. */
static void validate_free(const struct socle_range *range)
{
	for (uint64_t at = 0; at < range->size;)
		at += validate_own(range->gpa + at, range->size - at);
}

static void start_memory(const struct socle_params *params, uint64_t image_gpa, uint64_t c_bit)
{
	struct map_config config = {
		.root = gpa(params->page_tables.gpa),
		.c_bit = c_bit,
		.text = { image_gpa, (uint64_t)(uintptr_t)image_read_only_end - SOCLE_VA_IMAGE },
		.archive = params->archive,
	};

	validate_free(&params->free);
	if (!page_alloc_init(gpa(params->free.gpa), params->free.size / ABI_PAGE_SIZE) ||
	    !page_owner_init(&monitor_pages, "monitor", OWNER_PAGES_MAX, false))
		die(DIE_PARAMS, "the monitor's free memory cannot be counted");
	if (!map_init(&config, &monitor_pages))
		die(DIE_PARAMS, "the image's page tables are not what they should be");
}

/* What the host does not announce, for the log: the first of these. */
static const char *missing_feature(uint64_t have)
{
	static const struct {
		uint64_t feature;
		const char *missing;
	} needed[] = {
		{ GHCB_HV_FEATURE_MULTI_VMPL, "the host lacks multi-VMPL, which an SVSM needs" },
		{ GHCB_HV_FEATURE_RESTRICTED_INJECTION,
		  "the host lacks restricted injection, which an SVSM needs" },
		{ GHCB_HV_FEATURE_AP_CREATION, "the host lacks AP creation, which an SVSM needs" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!(have & needed[i].feature))
			return needed[i].missing;
	}
	return "the host lacks a feature that an SVSM needs";
}

/* Everything that the guest and we cannot do without. */
static void check_host(void)
{
	uint64_t have, features = arch_sev_features();

	if (!arch_host_suffices(&have))
		die(DIE_UNSUPPORTED, missing_feature(have));
	if (!(features & SNP_FEATURE_SNP) || !(features & SNP_FEATURE_RESTRICTED_INJECTION))
		die(DIE_UNSUPPORTED, "this is no SNP VM with restricted injection");
}

static void log_host(unsigned int cpu_count)
{
	uint64_t have;

	(void)arch_host_suffices(&have);
	log_printf(LOG_INFO, "VMPL0, %u vCPUs, host features 0x%lx, SEV features 0x%lx", cpu_count,
		   have, arch_sev_features());
}

/*
 * Takes RAM for what grows with the VM, where the region is not made for as much. Firmware has to
 * be told, for it would use it else.
 */
static void grow(struct socle_params *params)
{
	uint64_t size = growth_size(params);
	const char *wrong;

	if (!size)
		return;
	if (!params->guest_map) {
		log_printf(
			LOG_ERROR,
			"the firmware cannot be told which RAM Socle takes: there is room for %u "
			"GiB and %u vCPUs",
			GROWTH_FREE_GIB, GROWTH_FREE_CPUS);
		die(DIE_MEMORY, "the host has more RAM or vCPUs than Socle has memory for");
	}
	wrong = growth_cut(params, size, &grown);
	if (wrong)
		die(DIE_HOST, wrong);
	validate_free(&grown);
	if (!page_alloc_add(gpa(grown.gpa), grown.size / ABI_PAGE_SIZE))
		die(DIE_BUG, "the RAM that was taken cannot be counted");
	log_printf(LOG_INFO, "takes %lu KiB of RAM at 0x%lx", grown.size >> 10, grown.gpa);
}

/*
 * RAM and vCPUs as the host says, where the block says neither. The host could write to its pages
 * until they were launched, and then nobody.
 */
static const struct socle_params *complete_params(const struct socle_params *params)
{
	uint64_t limit = map_c_bit() < ADDRESS_MAX ? map_c_bit() : ADDRESS_MAX;
	const char *wrong;

	if (!params->host.size)
		return params;
	completed = *params;
	wrong = host_memory_read(&completed, direct_ptr(gpa(params->host.gpa)), limit);
	if (wrong)
		die(DIE_HOST, wrong);
	for (uint32_t i = 0; i < completed.ram_count; i++) {
		if (!map_direct_add(completed.ram[i]))
			die(DIE_MEMORY, "no memory for tables of as much RAM as the host says");
	}
	grow(&completed);
	return &completed;
}

/* The host has to know alternate injection, and to tell us what it has for the guest. */
static void start_guest_apic(const struct socle_params *params)
{
	uint64_t have;

	if (!(params->features & SOCLE_FEATURE_GUEST_APIC))
		return;
	(void)arch_host_suffices(&have);
	if (!(have & GHCB_HV_FEATURE_EXTENDED_INTERRUPTS))
		die(DIE_UNSUPPORTED, "the host lacks alternate injection, which this image needs");
	arch_guest_alternate(true);
	guest_apic_init(params->cpu_count);
	if (!arch_guest_interrupts_init())
		die(DIE_HOST, "the host does not tell of the guest's interrupts");
}

static bool has_guest(const struct socle_params *params)
{
	return params->guest.rip || params->firmware.size;
}

static void log_memory(void)
{
	size_t free_pages, all_pages;

	page_alloc_stats(&free_pages, &all_pages);
	log_printf(LOG_INFO, "private memory: %zu of %zu KiB free",
		   free_pages * ABI_PAGE_SIZE / 1024, all_pages * ABI_PAGE_SIZE / 1024);
}

/* On the first vCPU's own stack, where #VC and #HV can be handled. */
static _Noreturn void boot_on_own_stack(void)
{
	const struct socle_params *params = boot_params;
	struct cpu *cpu = cpu_this();
	bool has_pages;

	cpu_load(cpu);
	trap_load_idt();
	if (!trap_seal_idt())
		die(DIE_BUG, "the IDT cannot be sealed");
	has_pages = arch_host_pages(cpu, &monitor_pages);
	has_pages = arch_host_name_ghcb(cpu) && has_pages;
	if (cpu->ghcb) /* enough to say what is missing */
		arch_ports_init(params);
	check_host();
	if (!has_pages || !arch_host_name_doorbell(cpu))
		die(DIE_HOST, "no GHCB or doorbell page");
	params = complete_params(params);
	log_host(params->cpu_count);
	if (!processor_features(params->allow_missing))
		die(DIE_UNSUPPORTED, "the processor lacks what this image needs");
	if (!arch_random_start())
		die(DIE_UNSUPPORTED, "the processor's random numbers are not random");
	secrets_init(params);
	if (!arch_requests_init(&monitor_pages))
		die(DIE_HOST, "no shared pages for guest requests");
	if (!arch_clock_init())
		die(DIE_UNSUPPORTED, "the host has no APIC timer for VMPL0");
	start_guest_apic(params);
	boot_start_others(params->cpu_count, &monitor_pages);
	svsm_vtpm_init();
	ahead_init();
	if (has_guest(params))
		boot_take_memory(params, &monitor_pages);
	services_start(params);
	arch_host_channel_mute();
	ahead_start(params->features & SOCLE_FEATURE_PREEMPTS);
	log_printf(LOG_INFO, "services ready");
	log_memory();
	if (has_guest(params)) {
		boot_launch_guest(params, &grown, &monitor_pages);
		log_printf(LOG_INFO, "starting the guest at VMPL%u", guest_vmpl());
	}
	run_loop();
}

static _Noreturn void switch_to_own_stack(void)
{
	uint64_t top = (uint64_t)(uintptr_t)cpu_at(BOOT_CPU) + CPU_STACK_TOP;

	__asm__ volatile("mov %0, %%rsp\n"
			 "xor %%ebp, %%ebp\n"
			 "call *%1\n"
			 :
			 : "r"(top), "r"(boot_on_own_stack)
			 : "memory");
	__builtin_unreachable();
}

/* Called by the entry stub, on the boot stack, with no exception handler yet. */
void boot_main(uint64_t params_gpa, uint64_t image_gpa, uint32_t c_bit)
{
	const struct socle_params *params = direct_ptr(gpa(params_gpa));

	arch_host_negotiate();
	if (!params_sound(params) || params->image.gpa != image_gpa ||
	    !levels_init(params->guest_vmpl, params->lower_calls))
		die(DIE_PARAMS, "the parameter block contradicts itself");
	if (!cpuid_init(direct_ptr(gpa(params->cpuid_page))))
		die(DIE_PARAMS, "the CPUID page is empty");

	/* A page of the image's data: everything else of the launch is mapped read-only. */
	if (!processor_c_bit(gpa(image_gpa + (uint64_t)(uintptr_t)page_of_launch - SOCLE_VA_IMAGE)))
		die(DIE_UNSUPPORTED, "the C-bit of the CPUID page is none");

	boot_params = params;
	start_memory(params, image_gpa, 1ull << c_bit);
	trap_init_idt();
	if (!cpu_create(BOOT_CPU, &monitor_pages))
		die(DIE_MEMORY, "no memory for the first vCPU");
	switch_to_own_stack();
}
