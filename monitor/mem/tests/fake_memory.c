/* SPDX-License-Identifier: MIT */
#include "monitor/mem/tests/fake_memory.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"

static uint8_t memory[FAKE_PAGES * ABI_PAGE_SIZE] __attribute__((aligned(4096)));

void fake_memory_fill(uint8_t byte)
{
	memset(memory, byte, sizeof(memory));
}

void *direct_ptr(gpa_t at)
{
	assert_in_range(at.raw, FAKE_BASE, FAKE_BASE + sizeof(memory) - 1);
	return memory + (at.raw - FAKE_BASE);
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	mock_assert(0, why, __FILE__, __LINE__);
	abort();
}

unsigned int arch_cpu_index(void)
{
	return 0;
}
