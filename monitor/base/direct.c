/* SPDX-License-Identifier: MIT */
#include "monitor/base/direct.h"

#include "abi/params.h"

void *direct_ptr(gpa_t at)
{
	return (void *)(uintptr_t)(SOCLE_VA_DIRECT + at.raw);
}
