/* SPDX-License-Identifier: MIT */
#include "monitor/service/loader.h"

#include <string.h>

#include "core/image/elf.h"
#include "monitor/arch/arch.h"
#include "monitor/service/linux.h"

#define PAGE_MASK ((uint64_t)(ABI_PAGE_SIZE - 1))
#define RANDOM_SIZE 16u

struct loader {
	struct service *service;
	const struct loader_archive *archive;
	struct elf_file elf;
	uint64_t headers; /* address of the program headers, 0: not loaded */
	uint64_t end;	  /* of the last segment */
	bool entry_ok;
};

static unsigned int rights_of(const struct elf_segment *s)
{
	return (s->flags & ELF_FLAG_READ ? MAP_READ : 0) |
	       (s->flags & ELF_FLAG_WRITE ? MAP_WRITE : 0) |
	       (s->flags & ELF_FLAG_EXEC ? MAP_EXEC : 0);
}

static const char *check_load(const struct elf_segment *s)
{
	if (!(s->flags & ELF_FLAG_READ))
		return "a segment cannot be read";
	if ((s->flags & ELF_FLAG_WRITE) && (s->flags & ELF_FLAG_EXEC))
		return "a segment is writable and executable";
	if (s->address < SPACE_USER_MIN || s->memory_size > PROCESS_IMAGE_MAX ||
	    s->address > PROCESS_IMAGE_MAX - s->memory_size)
		return "a segment lies outside the place of executables";
	if ((s->address ^ s->offset) & PAGE_MASK)
		return "a segment is not aligned to pages";
	if (!(s->flags & ELF_FLAG_WRITE) && s->memory_size != s->file_size)
		return "a segment that is not writable wants zeroed memory";
	return NULL;
}

static const char *check_segment(const struct elf_segment *s)
{
	switch (s->type) {
	case ELF_SEGMENT_LOAD:
		return check_load(s);
	case ELF_SEGMENT_INTERP:
	case ELF_SEGMENT_DYNAMIC:
		return "the executable is not static";
	case ELF_SEGMENT_GNU_STACK:
		return s->flags & ELF_FLAG_EXEC ? "the stack is executable" : NULL;
	default:
		return NULL;
	}
}

/* The whole pages that hold the segment lie in the archive, so nothing else shows through them. */
static const char *map_in_place(struct loader *l, const struct elf_segment *s)
{
	uint64_t offset = (uint64_t)(elf_segment_data(&l->elf, s) - l->archive->data);
	uint64_t from = page_down(offset), to = page_up(offset + s->file_size);
	uint64_t at = page_down(s->address);

	if ((offset ^ s->address) & PAGE_MASK)
		return "the archive does not hold the file at the start of a page";
	if (to > page_up(l->archive->range.size))
		return "the file lies outside the archive";
	if (from < to && !space_map(&l->service->space, va(at), gpa(l->archive->range.gpa + from),
				    (to - from) / ABI_PAGE_SIZE, rights_of(s)))
		return "a read-only segment cannot be mapped";
	return NULL;
}

static const char *map_copy(struct loader *l, const struct elf_segment *s)
{
	struct address_space *space = &l->service->space;
	uint64_t end = page_up(s->address + s->memory_size);

	for (uint64_t at = page_down(s->address); at < end; at += ABI_PAGE_SIZE) {
		if (!space_map_new(space, va(at), rights_of(s)))
			return "a writable segment cannot be mapped";
	}
	if (!space_write(space, va(s->address), elf_segment_data(&l->elf, s), s->file_size))
		return "a writable segment cannot be filled";
	return NULL;
}

/* Notes what the start of the program needs to know from a loaded segment. */
static void note_segment(struct loader *l, const struct elf_segment *s)
{
	uint64_t headers_size = (uint64_t)l->elf.segment_count * ELF_SEGMENT_SIZE;

	if (l->elf.headers_offset >= s->offset &&
	    l->elf.headers_offset - s->offset <= s->file_size &&
	    headers_size <= s->file_size - (l->elf.headers_offset - s->offset))
		l->headers = s->address + (l->elf.headers_offset - s->offset);
	if ((s->flags & ELF_FLAG_EXEC) && l->elf.entry >= s->address &&
	    l->elf.entry - s->address < s->memory_size)
		l->entry_ok = true;
	l->end = s->address + s->memory_size;
}

static const char *load_segments(struct loader *l)
{
	for (unsigned int i = 0; i < l->elf.segment_count; i++) {
		struct elf_segment s = elf_segment(&l->elf, i);
		const char *why = check_segment(&s);

		if (!why && s.type == ELF_SEGMENT_LOAD && s.memory_size != 0) {
			why = s.flags & ELF_FLAG_WRITE ? map_copy(l, &s) : map_in_place(l, &s);
			note_segment(l, &s);
		}
		if (why)
			return why;
	}
	return l->entry_ok ? NULL : "the entry point lies in no executable segment";
}

/* What lies at the stack pointer of a new process (System V ABI, AMD64, section 3.4.1). */
struct start_block {
	uint64_t words[24];
	unsigned int count;
};

static void add_words(struct start_block *block, uint64_t first, uint64_t second)
{
	block->words[block->count++] = first;
	block->words[block->count++] = second;
}

/* argc, argv, no environment, auxv. */
static struct start_block make_start_block(const struct loader *l, uint64_t name, uint64_t random)
{
	struct start_block block = { .count = 0 };

	add_words(&block, 1, name);
	add_words(&block, 0, 0);
	add_words(&block, LINUX_AT_RANDOM, random);
	add_words(&block, LINUX_AT_PAGESZ, ABI_PAGE_SIZE);
	add_words(&block, LINUX_AT_ENTRY, l->elf.entry);
	/* A static C library looks for the headers itself when nobody tells it. */
	if (l->headers) {
		add_words(&block, LINUX_AT_PHDR, l->headers);
		add_words(&block, LINUX_AT_PHENT, ELF_SEGMENT_SIZE);
		add_words(&block, LINUX_AT_PHNUM, l->elf.segment_count);
	}
	add_words(&block, LINUX_AT_NULL, 0);
	return block;
}

/* Every address that this gives is a multiple of 16, the stack pointer too. */
static bool push(struct loader *l, uint64_t *top, const void *data, size_t size)
{
	*top = (*top - size) & ~15ull;
	return space_write(&l->service->space, va(*top), data, size);
}

static const char *fill_stack(struct loader *l, const uint8_t random[RANDOM_SIZE], uint64_t *stack)
{
	const char *name = l->service->conf->name;
	uint64_t top = PROCESS_STACK_TOP, random_at, name_at;
	bool pushed = push(l, &top, random, RANDOM_SIZE);
	struct start_block block;

	random_at = top;
	pushed &= push(l, &top, name, strlen(name) + 1);
	name_at = top;
	block = make_start_block(l, name_at, random_at);
	pushed &= push(l, &top, block.words, block.count * sizeof(block.words[0]));
	*stack = top;
	return pushed ? NULL : "the stack cannot be filled";
}

static const char *make_stack(struct loader *l, uint64_t *stack)
{
	uint64_t top = PROCESS_STACK_TOP;
	uint8_t random[RANDOM_SIZE];

	for (uint64_t at = top - PROCESS_STACK_SIZE; at < top; at += ABI_PAGE_SIZE) {
		if (!space_map_new(&l->service->space, va(at), MAP_READ | MAP_WRITE))
			return "there is no memory for the stack";
	}
	if (!arch_random(random, sizeof(random)))
		return "the CPU gives no random bytes";
	return fill_stack(l, random, stack);
}

const char *loader_load(struct service *service, const struct loader_archive *archive,
			const uint8_t *file, size_t size)
{
	struct loader l = { .service = service, .archive = archive };
	enum elf_result result = elf_open(&l.elf, file, size);
	const char *why;
	uint64_t stack;

	if (result != ELF_OK)
		return elf_result_text(result);
	if (l.elf.type != ELF_TYPE_EXEC)
		return "the executable is not linked to fixed addresses";
	why = load_segments(&l);
	if (!why)
		why = make_stack(&l, &stack);
	if (why)
		return why;
	service->heap_start = page_up(l.end);
	service->heap_end = service->heap_start;
	user_context_init(&service->context, &service->space, va(l.elf.entry), va(stack));
	return NULL;
}
