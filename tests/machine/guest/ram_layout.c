/* SPDX-License-Identifier: MIT */
/*
 * Memory of a guest of 3 GiB: two below the hole of a PC's devices, one from 4 GiB on. What is no
 * memory is the host's to answer: #VC with the exit code of a nested page fault, 0x400 (GHCB
 * specification, 4, MMIO; APM volume 2, 15.35.5). The hypervisor's own memory is no more to be seen
 * than any other.
 */
#include "tests/machine/guest/guest.h"

#define GIB (1ull << 30)
#define PAGE 4096ull
#define VC_NPF 0x400u

extern uint64_t pml4[512];

static volatile uint64_t vc_error, vc_count;

static void skip_load(struct trap_frame *frame)
{
	vc_error = frame->error;
	vc_count++;
	frame->rip += 3; /* the load in peek() */
}

static uint64_t peek(uint64_t at)
{
	uint64_t value = 0;

	__asm__ volatile("movq (%%rax), %%rbx" : "=b"(value) : "a"(at) : "memory");
	return value;
}

static void poke(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

/* Privately, at their own addresses, in pages of 1 GiB. */
static void map_gib(unsigned int number)
{
	uint64_t *pdpt = (uint64_t *)(pml4[0] & 0x7ffffffff000);
	uint64_t c_bit = pml4[0] & ~0xfffull & ~0x7ffffffff000ull;

	pdpt[number] = number * GIB | c_bit | 0x87;
}

static void memory_at(const char *rule, uint64_t at)
{
	check(rule, pvalidate(at, 0, 1).eax, 0);
	poke(at, ~at);
	check("  keeps its bytes", peek(at), ~at);
}

static void nothing_at(const char *rule, uint64_t at)
{
	vc_error = 0;
	vc_count = 0;
	trap_handler = skip_load;
	(void)peek(at);
	trap_handler = NULL;
	check(rule, vc_error, VC_NPF);
	check("  once", vc_count, 1);
}

void test_main(void)
{
	static const unsigned int gibs[] = { 2, 3, 4, 5, 128 };

	for (unsigned int i = 0; i < sizeof(gibs) / sizeof(gibs[0]); i++)
		map_gib(gibs[i]);
	memory_at("the first page from 4 GiB on", 4 * GIB);
	memory_at("the last page of RAM", 5 * GIB - PAGE);
	memory_at("a page in between", 4 * GIB + 0x12345000);
	check("each is another: the first page", peek(4 * GIB), ~(4 * GIB));
	check("PVALIDATE of 2 MiB from 4 GiB on", pvalidate(4 * GIB + 0x200000, 1, 1).eax, 0);
	poke(4 * GIB + 0x3ff000, 7);
	check("  keeps its bytes", peek(4 * GIB + 0x3ff000), 7);
	nothing_at("2 GiB: the hole", 2 * GIB);
	nothing_at("3 GiB: the hole", 3 * GIB);
	nothing_at("the last page below 4 GiB, without a flash", 4 * GIB - PAGE);
	nothing_at("5 GiB: behind all RAM", 5 * GIB);
	nothing_at("128 GiB, where the hypervisor is", 128 * GIB);
}
