/* SPDX-License-Identifier: MIT */
#include "monitor/base/levels.h"

#include "abi/params.h"
#include "abi/snp.h"

static unsigned int guest_level = SOCLE_GUEST_VMPL_DEFAULT;
static uint32_t granted;

bool levels_init(unsigned int guest, uint32_t lower_calls)
{
	if (guest == 0 || guest >= SNP_VMPL_COUNT || (lower_calls & ~SOCLE_LOWER_KNOWN))
		return false;
	guest_level = guest;
	granted = lower_calls;
	return true;
}

unsigned int guest_vmpl(void)
{
	return guest_level;
}

bool level_is_lower(unsigned int vmpl)
{
	return vmpl > guest_level && vmpl < SNP_VMPL_COUNT;
}

bool level_lower_may(uint32_t calls)
{
	return (granted & calls) == calls;
}

unsigned int level_without_rights(void)
{
	return guest_level == 1 ? 2 : 1;
}
