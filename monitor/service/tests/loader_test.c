/* SPDX-License-Identifier: MIT */
/* Executables: what a good one looks like in memory, and that no hostile one is loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/image/elf.h"
#include "monitor/service/linux.h"
#include "monitor/service/tests/harness.h"

#define SEGMENT(index, field) (64u + (index)*ELF_SEGMENT_SIZE + (field))
enum {
	TYPE = 0,
	FLAGS = 4,
	OFFSET = 8,
	ADDRESS = 16,
	FILE_SIZE = 32,
	MEMORY_SIZE = 40,
	ALIGN = 48
};

static struct conf_service conf = { .name = "test" };

/* Loads file, after it was put into the archive, with a budget of so many pages. */
static const char *load(struct service *service, const uint8_t *file, size_t size, uint32_t pages)
{
	struct loader_archive archive;
	const uint8_t *at = harness_add("exec", file, size);

	archive = harness_archive();
	memset(service, 0, sizeof(*service));
	service->conf = &conf;
	check(page_owner_init(&service->owner, "test", pages, true));
	check(space_create(&service->space, &service->owner));
	return loader_load(service, &archive, at, size);
}

static unsigned int rights_at(const struct service *service, uint64_t at, gpa_t *page)
{
	unsigned int rights = 0;

	return space_lookup(&service->space, (va_t){ at }, page, &rights) ? rights : 0;
}

static uint64_t auxv(const struct service *service, uint64_t type)
{
	uint64_t at = service->context.regs.rsp + 32, entry[2];

	do {
		check(space_read(&service->space, entry, (va_t){ at }, sizeof(entry)));
		at += sizeof(entry);
	} while (entry[0] != type && entry[0] != LINUX_AT_NULL);
	check(entry[0] == type);
	return entry[1];
}

static void good_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE], bytes[0x2000], zeros[0x2000] = { 0 };
	size_t free_before, free_after, all;
	gpa_t page;

	harness_init();
	page_alloc_stats(&free_before, &all);
	check(load(&service, file, harness_elf(file, 0), 100) == NULL);
	check(rights_at(&service, 0x400000, &page) == MAP_READ);
	check(page.raw >= HARNESS_REGION + HARNESS_ARCHIVE_OFFSET);
	check(rights_at(&service, 0x401000, &page) == (MAP_READ | MAP_EXEC));
	check(page.raw >= HARNESS_REGION + HARNESS_ARCHIVE_OFFSET);
	check(rights_at(&service, 0x402000, &page) == (MAP_READ | MAP_WRITE));
	check(page_owned(&service.owner, page));
	check(rights_at(&service, 0x404000, &page) == (MAP_READ | MAP_WRITE));
	check(rights_at(&service, 0x405000, &page) == 0);
	check(service.heap_start == 0x405000 && service.heap_end == 0x405000);
	/* File bytes up to the file's end of the segment, zeros behind it, on the same page too. */
	check(space_read(&service.space, bytes, (va_t){ 0x402000 }, sizeof(bytes)));
	check(memcmp(bytes, file + 0x2000, 0x800) == 0);
	check(memcmp(bytes + 0x800, zeros, sizeof(bytes) - 0x800) == 0);
	process_free(&service);
	check(service.owner.used == 0);
	page_alloc_stats(&free_after, &all);
	check(free_before == free_after);
}

static void loads_a_good_one(void **state)
{
	(void)state;
	run_alone(good_body);
}

static void stack_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE], random[16];
	uint64_t head[4];
	char name[5];
	gpa_t page;

	harness_init();
	check(load(&service, file, harness_elf(file, 0), 100) == NULL);
	check(service.context.regs.rip == PROGRAM_TEXT);
	check(service.context.regs.rsp % 16 == 0);
	check(space_read(&service.space, head, (va_t){ service.context.regs.rsp }, sizeof(head)));
	check(head[0] == 1 && head[2] == 0 && head[3] == 0);
	check(space_read(&service.space, name, (va_t){ head[1] }, sizeof(name)));
	check(strcmp(name, "test") == 0);
	check(auxv(&service, LINUX_AT_PAGESZ) == 4096);
	check(auxv(&service, LINUX_AT_PHDR) == 0x400040);
	check(auxv(&service, LINUX_AT_PHNUM) == 4);
	check(auxv(&service, LINUX_AT_PHENT) == 56);
	check(auxv(&service, LINUX_AT_NULL) == 0); /* it ends before what lies above it */
	check(auxv(&service, LINUX_AT_ENTRY) == PROGRAM_TEXT);
	check(space_read(&service.space, random, (va_t){ auxv(&service, LINUX_AT_RANDOM) },
			 sizeof(random)));
	check(random[0] == 0xa5 && random[15] == 0xa5);
	/* No page above and below the stack, and nothing executable in it. */
	check(rights_at(&service, PROCESS_STACK_TOP, &page) == 0);
	check(rights_at(&service, PROCESS_STACK_TOP - PROCESS_STACK_SIZE - 1, &page) == 0);
	check(rights_at(&service, PROCESS_STACK_TOP - PROCESS_STACK_SIZE, &page) ==
	      (MAP_READ | MAP_WRITE));
}

static void builds_the_stack(void **state)
{
	(void)state;
	run_alone(stack_body);
}

struct mutation {
	size_t offset;
	uint64_t value;
	size_t size;
	const char *why;
};

static const struct mutation mutations[] = {
	{ 0, 0x7e, 1, "not a little-endian ELF64 file" },
	{ 4, 1, 1, "not a little-endian ELF64 file" }, /* 32 bits */
	{ 5, 2, 1, "not a little-endian ELF64 file" }, /* big-endian */
	{ 6, 0, 1, "not a little-endian ELF64 file" },
	{ 16, 1, 2, "not an executable" }, /* relocatable */
	{ 16, 3, 2, "the executable is not linked to fixed addresses" },
	{ 18, 3, 2, "not for x86-64" },
	{ 20, 2, 4, "not a little-endian ELF64 file" },
	{ 24, 0x400000, 8, "the entry point lies in no executable segment" },
	{ 24, 0x401100, 8, "the entry point lies in no executable segment" },
	{ 24, 0x402000, 8, "the entry point lies in no executable segment" },
	{ 24, UINT64_MAX, 8, "the entry point lies in no executable segment" },
	{ 32, HARNESS_ELF_SIZE - 4 * ELF_SEGMENT_SIZE + 1, 8,
	  "the file is shorter than its headers" },
	{ 32, UINT64_MAX, 8, "the file is shorter than its headers" },
	{ 32, UINT64_MAX - 4 * ELF_SEGMENT_SIZE + 1, 8, "the file is shorter than its headers" },
	{ 54, 55, 2, "program headers of the wrong size or number" },
	{ 56, 0, 2, "program headers of the wrong size or number" },
	{ 56, 33, 2, "program headers of the wrong size or number" },
	{ SEGMENT(0, TYPE), ELF_SEGMENT_INTERP, 4, "the executable is not static" },
	{ SEGMENT(0, TYPE), ELF_SEGMENT_DYNAMIC, 4, "the executable is not static" },
	{ SEGMENT(1, FLAGS), 7, 4, "a segment is writable and executable" },
	{ SEGMENT(2, FLAGS), 7, 4, "a segment is writable and executable" },
	{ SEGMENT(1, FLAGS), ELF_FLAG_EXEC, 4, "a segment cannot be read" },
	{ SEGMENT(2, FLAGS), ELF_FLAG_READ, 4,
	  "a segment that is not writable wants zeroed memory" },
	{ SEGMENT(3, FLAGS), 7, 4, "the stack is executable" },
	{ SEGMENT(0, OFFSET), UINT64_MAX - 0xfff, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, OFFSET), HARNESS_ELF_SIZE, 8, "a segment's ranges make no sense" },
	{ SEGMENT(1, FILE_SIZE), UINT64_MAX, 8, "a segment's ranges make no sense" },
	{ SEGMENT(1, FILE_SIZE), 0x2001, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, MEMORY_SIZE), 0x7ff, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, MEMORY_SIZE), UINT64_MAX, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, MEMORY_SIZE), 0x80000000, 8,
	  "a segment lies outside the place of executables" },
	{ SEGMENT(2, ADDRESS), 0x7ffff000, 8, "a segment lies outside the place of executables" },
	{ SEGMENT(2, ADDRESS), 0x0000800000000000, 8,
	  "a segment lies outside the place of executables" },
	{ SEGMENT(2, ADDRESS), 0xffff800000000000, 8,
	  "a segment lies outside the place of executables" },
	{ SEGMENT(0, ADDRESS), 0, 8, "a segment lies outside the place of executables" },
	{ SEGMENT(0, ADDRESS), 0xf000, 8, "a segment lies outside the place of executables" },
	{ SEGMENT(2, ADDRESS), 0x402010, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, ALIGN), 0x1800, 8, "a segment's ranges make no sense" },
	{ SEGMENT(2, ADDRESS), 0x401000, 8, "loaded segments overlap or do not ascend" },
	{ SEGMENT(2, ADDRESS), 0x300000, 8, "loaded segments overlap or do not ascend" },
	{ SEGMENT(1, ADDRESS), 0x400000, 8, "loaded segments overlap or do not ascend" },
};

static const struct mutation *mutation;

static void mutation_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];
	const char *why;

	harness_init();
	harness_elf(file, 0);
	memcpy(file + mutation->offset, &mutation->value, mutation->size);
	why = load(&service, file, sizeof(file), 100);
	if (!why || strcmp(why, mutation->why) != 0)
		check_at(false, why ? why : "loaded", mutation->why, (int)(mutation - mutations));
	process_free(&service);
	check(service.owner.used == 0);
}

static void refuses_hostile_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
		mutation = &mutations[i];
		run_alone(mutation_body);
	}
}

/* An alignment below a page passes the ELF reader; two segments then share a page. */
static void shared_page_body(void)
{
	static const uint64_t small = 8, address = 0x401800, offset = 0x1800;
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];

	harness_init();
	harness_elf(file, 0);
	memcpy(file + SEGMENT(2, ALIGN), &small, 8);
	memcpy(file + SEGMENT(2, ADDRESS), &address, 8);
	memcpy(file + SEGMENT(2, OFFSET), &offset, 8);
	check(strcmp(load(&service, file, sizeof(file), 100),
		     "a writable segment cannot be mapped") == 0);
	process_free(&service);
	check(service.owner.used == 0);
}

static void unaligned_body(void)
{
	static const uint64_t small = 8, address = 0x402008;
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];

	harness_init();
	harness_elf(file, 0);
	memcpy(file + SEGMENT(2, ALIGN), &small, 8);
	memcpy(file + SEGMENT(2, ADDRESS), &address, 8);
	check(strcmp(load(&service, file, sizeof(file), 100),
		     "a segment is not aligned to pages") == 0);
}

static void refuses_segments_that_share_pages(void **state)
{
	(void)state;
	run_alone(shared_page_body);
	run_alone(unaligned_body);
}

static void packed_body(void)
{
	static struct service service = { .conf = &conf };
	struct loader_archive archive;
	uint8_t file[HARNESS_ELF_SIZE];
	const uint8_t *at;

	harness_init();
	at = harness_add_packed("exec", file, harness_elf(file, 0));
	memcpy((uint8_t *)at, file, sizeof(file));
	archive = harness_archive();
	check(page_owner_init(&service.owner, "test", 100, true));
	check(space_create(&service.space, &service.owner));
	check(strcmp(loader_load(&service, &archive, at, sizeof(file)),
		     "the archive does not hold the file at the start of a page") == 0);
}

static void writable_archive_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];

	harness_init();
	harness.unsealed = true;
	check(strcmp(load(&service, file, harness_elf(file, 0), 100),
		     "a read-only segment cannot be mapped") == 0);
}

static void maps_code_only_from_a_sealed_archive(void **state)
{
	(void)state;
	run_alone(packed_body);
	run_alone(writable_archive_body);
}

/* With every smaller budget loading fails somewhere, and everything is given back. */
static void budget_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];
	const char *why = "";
	uint32_t pages = 1;

	for (; why && pages < 200; pages++) {
		struct loader_archive archive;
		const uint8_t *at;

		harness_init();
		at = harness_add("exec", file, harness_elf(file, 0));
		archive = harness_archive();
		memset(&service, 0, sizeof(service));
		service.conf = &conf;
		/* One owner, registered once: the allocator takes no more than 32. */
		if (pages == 1)
			check(page_owner_init(&service.owner, "test", pages, true));
		service.owner = (struct page_owner){ .name = "test", .limit = pages, .id = 1 };
		check(space_create(&service.space, &service.owner));
		why = loader_load(&service, &archive, at, sizeof(file));
		check(service.owner.used <= pages);
		process_free(&service);
		check(service.owner.used == 0);
	}
	check(pages > PROCESS_STACK_SIZE / ABI_PAGE_SIZE && pages < 100);
}

static void keeps_to_its_budget(void **state)
{
	(void)state;
	run_alone(budget_body);
}

static void no_random_body(void)
{
	static struct service service;
	uint8_t file[HARNESS_ELF_SIZE];

	harness_init();
	harness.no_random = true;
	check(strcmp(load(&service, file, harness_elf(file, 0), 100),
		     "the CPU gives no random bytes") == 0);
}

static void wants_random_bytes(void **state)
{
	(void)state;
	run_alone(no_random_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_a_good_one),
		cmocka_unit_test(builds_the_stack),
		cmocka_unit_test(refuses_hostile_files),
		cmocka_unit_test(refuses_segments_that_share_pages),
		cmocka_unit_test(maps_code_only_from_a_sealed_archive),
		cmocka_unit_test(keeps_to_its_budget),
		cmocka_unit_test(wants_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
