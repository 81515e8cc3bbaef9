/* SPDX-License-Identifier: MIT */
#include "monitor/base/levels.h"

#include "abi/params.h"
#include "abi/snp.h"

static unsigned int guest_level = SOCLE_GUEST_VMPL_DEFAULT;

bool levels_init(unsigned int guest)
{
	if (guest == 0 || guest >= SNP_VMPL_COUNT)
		return false;
	guest_level = guest;
	return true;
}

unsigned int guest_vmpl(void)
{
	return guest_level;
}

unsigned int level_without_rights(void)
{
	return guest_level == 1 ? 2 : 1;
}
