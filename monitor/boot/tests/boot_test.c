/* SPDX-License-Identifier: MIT */
/*
 * The start on the first vCPU: its order, what ends it, and which parameter blocks are refused
 * (abi/params.h says what one holds, base/die.h the reasons). Every other part is a name in a list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/host_memory.h"
#include "monitor/boot/processor.h"
#include "monitor/boot/start.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"
#include "monitor/protocol/ahead.h"
#include "monitor/protocol/protocol.h"
#include "monitor/run/run.h"
#include "monitor/service/service.h"
#include "monitor/trap/trap.h"
#include "monitor/vcpu/secrets.h"

#define MEMORY 0x30000000ull /* the array that is there */
#define REGION 0x30000000ull
#define REGION_SIZE 0x1000000ull
#define IMAGE REGION
#define TABLES (REGION + 0x100000)
#define PARAMS (REGION + 0x200000)
#define CPUID (REGION + 0x201000)
#define SECRETS (REGION + 0x202000)
#define ARCHIVE (REGION + 0x300000)
#define FREE (REGION + 0xfff000)
#define C_BIT 51u
#define HOST (REGION + 0x400000)
#define HOST_CPUS 7u /* where the host says how many */

void boot_main(uint64_t params_gpa, uint64_t image_gpa, uint32_t c_bit);

/* Where link.ld ends what is read-only; the size of that is counted from the image's address. */
const char image_read_only_end[1] = { 0 };
#define READ_ONLY_SIZE ((uint64_t)(uintptr_t)image_read_only_end - 0xffffffff80000000)

static const struct socle_params good = {
	.magic = 0x4d4152504c434f53,
	.version = 4,
	.size = sizeof(struct socle_params),
	.features = 7,
	.region = { REGION, REGION_SIZE },
	.image = { IMAGE, 0x100000 },
	.page_tables = { TABLES, 0x10000 },
	.archive = { ARCHIVE, 0x123456 },
	.free = { FREE, 0x1000 },
	.cpuid_page = CPUID,
	.secrets_page = SECRETS,
	.cpu_count = 1,
	.guest_vmpl = 2,
	.guest.rip = 0x100000,
	.ram_count = 1,
};

static struct cpu *cpu;
static uint64_t image; /* where the stub says that it runs */
static struct socle_params params;
static char order[512], lines[1024];
static enum die_reason reason;
static const char *failing; /* the part that fails */
static uint64_t sev_features;
static bool host_suffices, no_pages;
static uint64_t host_features;
static const char *last_words;
static unsigned int warnings, validated, large;
static bool small_pages, failing_large;
static uint32_t host_cpus;
static uint64_t growth, grown_valid, added; /* RAM that is taken, and how far */
static bool unchanged;
static struct page_owner *monitor_pages;
static jmp_buf over;

/* Notes the part. False when it is the one that fails. */
static bool part(const char *name)
{
	strncat(order, name, sizeof(order) - strlen(order) - 2);
	strcat(order, " ");
	return !failing || strcmp(failing, name) != 0;
}

void *direct_ptr(gpa_t at)
{
	static struct snp_cpuid_page cpuid_page;
	static uint8_t host_pages[SOCLE_HOST_SIZE];

	if (at.raw == params.cpuid_page)
		return &cpuid_page;
	if (at.raw == HOST)
		return host_pages;
	assert_int_equal(at.raw, PARAMS);
	return &params;
}

void arch_host_negotiate(void)
{
	part("negotiate");
}

bool cpuid_init(const struct snp_cpuid_page *page)
{
	assert_ptr_equal(page, direct_ptr(gpa(params.cpuid_page)));
	return part("cpuid");
}

/* A page of the image, in which only what may be written to is mapped so. */
bool processor_c_bit(gpa_t launched)
{
	assert_int_equal(launched.raw % 0x1000, 0);
	return part("c-bit");
}

bool processor_features(uint64_t allow_missing)
{
	assert_int_equal(allow_missing, params.allow_missing);
	return part("processor");
}

bool arch_random_start(void)
{
	return part("random");
}

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	assert_true(validate);
	*changed = !unchanged;
	if (growth && page.raw < params.free.gpa) {
		assert_int_equal(page.raw, 0x107000 + grown_valid);
		grown_valid += 0x1000;
		return 0;
	}
	assert_int_equal(page.raw, params.free.gpa + 0x1000 * validated);
	if (size && small_pages)
		return 6; /* FAIL_SIZEMISMATCH */
	validated += size ? 512 : 1;
	large += size;
	return (validated == 1 && !part("validate")) || (size && failing_large) ? 1 : 0;
}

bool page_alloc_init(gpa_t first, size_t pages)
{
	assert_int_equal(first.raw, params.free.gpa);
	assert_int_equal(pages, params.free.size / 0x1000);
	return part("alloc");
}

bool page_alloc_add(gpa_t first, size_t pages)
{
	assert_int_equal(first.raw, 0x107000);
	assert_int_equal(grown_valid, growth);
	added = pages * 0x1000;
	return true;
}

bool page_owner_init(struct page_owner *owner, const char *name, uint32_t limit, bool secret)
{
	(void)name;
	assert_int_equal(limit, 4096 + 2496);
	assert_false(secret);
	monitor_pages = owner;
	return part("owner");
}

bool map_init(const struct map_config *config, struct page_owner *owner)
{
	assert_int_equal(config->root.raw, TABLES);
	assert_int_equal(config->c_bit, 1ull << C_BIT);
	assert_int_equal(config->text.gpa, IMAGE);
	assert_int_equal(config->text.size, READ_ONLY_SIZE);
	assert_int_equal(config->archive.gpa, ARCHIVE);
	assert_int_equal(config->archive.size, params.archive.size);
	assert_ptr_equal(owner, monitor_pages);
	return part("map");
}

void trap_init_idt(void)
{
	part("idt");
}

bool cpu_create(unsigned int index, struct page_owner *owner)
{
	assert_int_equal(index, 0);
	assert_ptr_equal(owner, monitor_pages);
	return part("create");
}

void cpu_load(struct cpu *which)
{
	const uint8_t *stack = __builtin_frame_address(0);

	assert_ptr_equal(which, cpu);
	/* By now on the stack of the block, pages 2 to 9 of it. */
	assert_in_range(stack, (uintptr_t)cpu + 0x2000, (uintptr_t)cpu + 0xa000 - 1);
	part("load");
}

void trap_load_idt(void)
{
	part("gates");
}

bool trap_seal_idt(void)
{
	return part("seal");
}

bool arch_host_pages(struct cpu *which, struct page_owner *owner)
{
	assert_ptr_equal(which, cpu);
	assert_ptr_equal(owner, monitor_pages);
	return !no_pages;
}

bool arch_host_name_ghcb(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	which->ghcb = part("ghcb") ? (void *)&params : NULL; /* not looked at */
	return which->ghcb;
}

bool arch_host_name_doorbell(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	return part("doorbell");
}

/* The block itself, or, where the host completes it, a copy. */
static bool is_block(const struct socle_params *block)
{
	return params.host.size ? block != &params && block->cpu_count == host_cpus
				: block == &params;
}

uint64_t map_c_bit(void)
{
	return 1ull << C_BIT;
}

const char *host_memory_read(struct socle_params *to, const void *pages, uint64_t limit)
{
	assert_ptr_not_equal(to, &params);
	assert_ptr_equal(pages, direct_ptr(gpa(params.host.gpa)));
	assert_int_equal(limit, 1ull << 46); /* the C-bit is above it here */
	to->cpu_count = host_cpus;
	to->ram_count = 2;
	to->ram[0] = (struct socle_range){ 0, 0x5000 };
	to->ram[1] = (struct socle_range){ 0x100000, 0x7000 + growth };
	return part("host") ? NULL : "the host's words";
}

bool map_direct_add(struct socle_range range)
{
	assert_int_equal(range.size, range.gpa ? 0x7000 + growth : 0x5000);
	return part("ram");
}

void arch_ports_init(const struct socle_params *block)
{
	assert_ptr_equal(block, &params);
	part("ports");
}

bool arch_host_suffices(uint64_t *features)
{
	*features = host_features;
	return host_suffices;
}

uint64_t arch_sev_features(void)
{
	return sev_features;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	size_t used = strlen(lines);
	va_list args;

	va_start(args, fmt);
	vsnprintf(lines + used, sizeof(lines) - used, fmt, args);
	va_end(args);
	strcat(lines, "\n");
	warnings += level != LOG_INFO;
}

void secrets_init(const struct socle_params *block)
{
	assert_true(is_block(block));
	part("secrets");
}

bool arch_requests_init(struct page_owner *owner)
{
	assert_ptr_equal(owner, monitor_pages);
	return part("requests");
}

bool arch_clock_init(void)
{
	return part("clock");
}

void arch_guest_alternate(bool on)
{
	assert_true(on);
	part("alternate");
}

void guest_apic_init(uint32_t cpu_count)
{
	assert_int_equal(cpu_count, params.cpu_count);
	part("apic");
}

bool arch_guest_interrupts_init(void)
{
	return part("told");
}

void boot_start_others(unsigned int count, struct page_owner *owner)
{
	assert_int_equal(count, params.host.size ? host_cpus : params.cpu_count);
	assert_ptr_equal(owner, monitor_pages);
	part("others");
}

/* Before a service runs, whose commands it is for. */
void svsm_vtpm_init(void)
{
	part("vtpm");
}

void ahead_init(void)
{
	part("primes");
}

void services_start(const struct socle_params *block)
{
	assert_true(is_block(block));
	part("services");
}

void arch_host_channel_mute(void)
{
	part("mute");
}

void boot_take_memory(const struct socle_params *block, struct page_owner *owner)
{
	assert_true(is_block(block));
	assert_ptr_equal(owner, monitor_pages);
	part("memory");
}

void ahead_start(bool preempts)
{
	part(preempts ? "ahead" : "keys");
}

void page_alloc_stats(size_t *free_pages, size_t *all_pages)
{
	*free_pages = 2;
	*all_pages = 3;
}

void boot_launch_guest(const struct socle_params *block, const struct socle_range *grown,
		       struct page_owner *owner)
{
	assert_int_equal(grown->size, growth);
	assert_true(is_block(block));
	assert_ptr_equal(owner, monitor_pages);
	part("guest");
}

_Noreturn void run_loop(void)
{
	part("run");
	longjmp(over, 1);
}

_Noreturn void die(enum die_reason why, const char *text)
{
	last_words = text;
	reason = why;
	longjmp(over, 1);
}

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	fake_cpu.others[0] = cpu;
	sev_features = 1u << 0 | 1u << 3;
	small_pages = failing_large = false;
	host_suffices = true;
	no_pages = false;
	host_features = 0x27;
	host_cpus = HOST_CPUS;
	growth = 0;
	failing = NULL;
	unchanged = false;
	params = good;
	image = IMAGE;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

/* Starts; the reason of its end, or 0 when the run loop is reached. */
static enum die_reason boot(void)
{
	order[0] = lines[0] = '\0';
	reason = 0;
	warnings = validated = large = 0;
	added = grown_valid = 0;
	if (setjmp(over) == 0)
		boot_main(PARAMS, image, C_BIT);
	return reason;
}

static void everything_comes_in_its_order(void **state)
{
	(void)state;
	assert_int_equal(boot(), 0);
	assert_string_equal(
		order, "negotiate cpuid c-bit validate alloc owner map idt create load gates seal "
		       "ghcb ports doorbell processor random secrets requests clock others vtpm "
		       "primes memory services mute ahead guest "
		       "run ");
	assert_int_equal(warnings, 0);
	assert_string_equal(lines, "VMPL0, 1 vCPUs, host features 0x27, SEV features 0x9\n"
				   "services ready\n"
				   "private memory: 8 of 12 KiB free\n"
				   "starting the guest at VMPL2\n");
}

static void without_a_guest_none_is_launched(void **state)
{
	(void)state;
	params.guest.rip = 0;
	assert_int_equal(boot(), 0);
	assert_null(strstr(order, "guest"));
	assert_null(strstr(order, "memory"));
	assert_non_null(strstr(order, "mute ahead run"));
}

/* Whose timer does not reach VMPL0 while the guest runs does nothing ahead. */
static void nothing_is_done_ahead_without_the_flag(void **state)
{
	(void)state;
	params.features &= ~SOCLE_FEATURE_PREEMPTS;
	assert_int_equal(boot(), 0);
	assert_non_null(strstr(order, "mute keys guest run"));
}

static void all_free_pages_become_ours(void **state)
{
	(void)state;
	params.free = (struct socle_range){ FREE - 0x2000, 0x3000 };
	assert_int_equal(boot(), 0);
	assert_int_equal(validated, 3);
}

/*
 * Whatever is aligned and whole; page by page before and behind it, and where the host has small
 * ones.
 */
static void free_memory_is_validated_in_2_mib(void **state)
{
	(void)state;
	params.free = (struct socle_range){ REGION + 0x1ff000, 0x402000 };
	assert_int_equal(boot(), 0);
	assert_int_equal(validated, 1026);
	assert_int_equal(large, 2);
	small_pages = true;
	assert_int_equal(boot(), 0);
	assert_int_equal(validated, 1026);
	assert_int_equal(large, 0);
	unchanged = true;
	params.free = (struct socle_range){ REGION + 0x200000, 0x200000 };
	assert_int_equal(boot(), 4);
	small_pages = false;
	assert_int_equal(boot(), 4);
	unchanged = false;
	failing_large = true; /* another error is no reason to try it otherwise */
	assert_int_equal(boot(), 4);
	assert_int_equal(validated, 512);
}

static void a_part_that_fails_ends_the_start(void **state)
{
	static const struct {
		const char *name;
		enum die_reason reason;
	} parts[] = {
		{ "cpuid", 2 },	   { "c-bit", 7 },    { "processor", 7 }, { "random", 7 },
		{ "validate", 4 }, { "alloc", 2 },    { "owner", 2 },	  { "map", 2 },
		{ "create", 6 },   { "seal", 1 },     { "ghcb", 5 },	  { "requests", 5 },
		{ "clock", 7 },	   { "doorbell", 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char last[32] = " ";

		failing = parts[i].name;
		assert_int_equal(boot(), parts[i].reason);
		/* Nothing comes after it. */
		strcat(strcat(last, failing), " ");
		assert_string_equal(order + strlen(order) - strlen(last), last);
	}
	failing = NULL;
	unchanged = true; /* valid already: another page than the one of the launch */
	assert_int_equal(boot(), 4);
}

static void a_host_without_what_an_svsm_needs_ends_the_start(void **state)
{
	(void)state;
	host_suffices = false;
	assert_int_equal(boot(), 7);
	assert_null(strstr(order, "secrets"));
	/*
	 * A host without restricted injection, as upstream KVM, knows no doorbell page: it is not
	 * asked.
	 */
	assert_null(strstr(order, "doorbell"));
	host_features = 0x3;
	assert_int_equal(boot(), 7);
	assert_non_null(strstr(order, "ports"));
	assert_string_equal(last_words, "the host lacks multi-VMPL, which an SVSM needs");
	host_features = 0x25;
	assert_int_equal(boot(), 7);
	assert_string_equal(last_words, "the host lacks AP creation, which an SVSM needs");
	host_features = 0x23;
	assert_int_equal(boot(), 7);
	assert_string_equal(last_words, "the host lacks restricted injection, which an SVSM needs");
}

/* A block of version 3: RAM and vCPUs from the host, and firmware in the place of a kernel. */
static void leave_it_to_the_host(void)
{
	params.host = (struct socle_range){ HOST, 0x3000 };
	params.cpu_count = 0;
	params.guest.rip = 0;
	params.firmware = (struct socle_range){ 0xffc00000, 0x400000 };
	params.guest_vmsa = REGION + 0x500000;
}

/* A GHCB is enough to say so; and what the host says of RAM and vCPUs is not looked at before. */
static void a_host_without_pages_ends_the_start(void **state)
{
	(void)state;
	leave_it_to_the_host();
	no_pages = true;
	assert_int_equal(boot(), 5);
	assert_string_equal(last_words, "no GHCB or doorbell page");
	assert_non_null(strstr(order, "ghcb ports "));
	assert_null(strstr(order, "host"));
	no_pages = false;
	failing = "doorbell";
	assert_int_equal(boot(), 5);
	assert_string_equal(last_words, "no GHCB or doorbell page");
	assert_null(strstr(order, "host"));
}

/* GHCB feature 9; before another vCPU starts, whose own part it is, too. */
static void the_guests_apic_is_for_those_who_ask(void **state)
{
	(void)state;
	params.features |= SOCLE_FEATURE_GUEST_APIC;
	host_features = 0x227;
	assert_int_equal(boot(), 0);
	assert_non_null(strstr(order, "clock alternate apic told others "));
	failing = "told";
	assert_int_equal(boot(), 5);
	failing = NULL;
	host_features = 0x27;
	assert_int_equal(boot(), 7);
	assert_string_equal(last_words,
			    "the host lacks alternate injection, which this image needs");
	assert_null(strstr(order, "alternate"));
}

/* SEV_FEATURES: SNP is bit 0 of them, restricted injection 3. */
static void a_vm_that_is_none_of_ours_ends_the_start(void **state)
{
	(void)state;
	sev_features = ~(1ull << 0);
	assert_int_equal(boot(), 7);
	sev_features = ~(1ull << 3);
	assert_int_equal(boot(), 7);
	sev_features = 1u << 0 | 1u << 3;
	assert_int_equal(boot(), 0);
}

static void the_host_completes_the_block(void **state)
{
	(void)state;
	leave_it_to_the_host();
	assert_int_equal(boot(), 0);
	assert_non_null(strstr(order, "ghcb ports doorbell host ram ram processor "));
	assert_non_null(strstr(order, "mute ahead guest run"));
	assert_non_null(strstr(lines, "VMPL0, 7 vCPUs"));
	assert_int_equal(params.cpu_count, 0);
	failing = "host";
	assert_int_equal(boot(), 5);
	assert_string_equal(last_words, "the host's words");
	failing = "ram";
	assert_int_equal(boot(), 6);
}

/* Ten vCPUs are two more than the region is for; the RAM is told of by the firmware's map. */
static void more_than_the_region_is_for_takes_ram(void **state)
{
	(void)state;
	leave_it_to_the_host();
	host_cpus = 10;
	growth = 2 * 0x18000;
	params.guest_map = 0x801000;
	assert_int_equal(boot(), 0);
	assert_int_equal(added, growth);
	assert_non_null(strstr(lines, "takes 192 KiB of RAM at 0x107000"));
	params.guest_map = 0; /* firmware that cannot be told */
	assert_int_equal(boot(), 6);
	assert_int_equal(added, 0);
	assert_non_null(strstr(lines, "there is room for 16 GiB and 8 vCPUs"));
}

static void refused(void)
{
	assert_int_equal(boot(), 2);
	assert_string_equal(order, "negotiate ");
	params = good;
	image = IMAGE;
}

static void a_block_of_another_kind_is_refused(void **state)
{
	(void)state;
	params.magic++;
	refused();
	params.version = 2;
	refused();
	params.size--;
	refused();
	params.features |= 16;
	refused();
	params.allow_missing = 0x40;
	refused();
	params.host_channel_pin = 24; /* an IOAPIC has 24 */
	refused();
	params.guest_vmpl = 0;
	refused();
	params.guest_vmpl = 4;
	refused();
	params.lower_calls = 4;
	refused();
	params.region.size += 0x1000;
	refused();
	image += 0x1000; /* another image than the one that the block names */
	refused();
}

static void counts_have_bounds(void **state)
{
	(void)state;
	params.ram_count = 0;
	refused();
	params.ram_count = 9;
	refused();
	params.loaded_count = 65;
	refused();
	params.cpu_count = 0;
	refused();
	params.cpu_count = MONITOR_CPUS_MAX + 1;
	refused();
	params.ram_count = 8;
	params.loaded_count = 64;
	params.cpu_count = MONITOR_CPUS_MAX;
	assert_int_equal(boot(), 0);
}

static void what_is_the_hosts_lies_in_the_region(void **state)
{
	(void)state;
	leave_it_to_the_host();
	params.host.size = 0x2000;
	refused();
	leave_it_to_the_host();
	params.host.gpa = REGION + REGION_SIZE - 0x2000;
	refused();
	leave_it_to_the_host();
	params.guest_vmsa = REGION + REGION_SIZE;
	refused();
	params.guest_vmsa = 8; /* without firmware nobody looks */
	assert_int_equal(boot(), 0);
}

/* Each place lies in the region, whole, on a page. */
static void places_are_in_the_region(void **state)
{
	struct socle_range *const ranges[] = { &params.image, &params.page_tables, &params.archive,
					       &params.free };
	uint64_t *const pages[] = { &params.cpuid_page, &params.secrets_page };

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		ranges[i]->size = REGION + REGION_SIZE - ranges[i]->gpa + 1;
		refused();
		ranges[i]->gpa = image = REGION - 0x1000;
		refused();
		ranges[i]->gpa = image = REGION + 8;
		refused();
		ranges[i]->size = UINT64_MAX;
		refused();
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		*pages[i] = REGION - 0x1000;
		refused();
		*pages[i] = REGION + REGION_SIZE;
		refused();
		*pages[i] += 8;
		refused();
		/* The last page of the region is a page of it. */
		*pages[i] = REGION + REGION_SIZE - 0x1000;
		assert_int_equal(boot(), 0);
		params = good;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_comes_in_its_order, start, end),
		cmocka_unit_test_setup_teardown(without_a_guest_none_is_launched, start, end),
		cmocka_unit_test_setup_teardown(nothing_is_done_ahead_without_the_flag, start, end),
		cmocka_unit_test_setup_teardown(all_free_pages_become_ours, start, end),
		cmocka_unit_test_setup_teardown(free_memory_is_validated_in_2_mib, start, end),
		cmocka_unit_test_setup_teardown(a_part_that_fails_ends_the_start, start, end),
		cmocka_unit_test_setup_teardown(a_host_without_what_an_svsm_needs_ends_the_start,
						start, end),
		cmocka_unit_test_setup_teardown(a_host_without_pages_ends_the_start, start, end),
		cmocka_unit_test_setup_teardown(the_guests_apic_is_for_those_who_ask, start, end),
		cmocka_unit_test_setup_teardown(a_vm_that_is_none_of_ours_ends_the_start, start,
						end),
		cmocka_unit_test_setup_teardown(a_block_of_another_kind_is_refused, start, end),
		cmocka_unit_test_setup_teardown(counts_have_bounds, start, end),
		cmocka_unit_test_setup_teardown(the_host_completes_the_block, start, end),
		cmocka_unit_test_setup_teardown(what_is_the_hosts_lies_in_the_region, start, end),
		cmocka_unit_test_setup_teardown(places_are_in_the_region, start, end),
		cmocka_unit_test_setup_teardown(more_than_the_region_is_for_takes_ram, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
