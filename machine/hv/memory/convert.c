/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/convert.h"

#include "machine/hv/base/log.h"
#include "machine/hv/memory/npt.h"

#define CONVERSIONS_LOGGED 64u /* the log is not the guest's to fill */

static bool convert(const struct vcpu *v, uint64_t gpa, bool make_private)
{
	static unsigned int conversions;
	uint64_t page = gpa & ~HV_C_BIT & ~(uint64_t)(ABI_PAGE_SIZE - 1);

	if (!hv_mailbox()->converts || !npt_page_state(page, false, make_private))
		return false;
	if (conversions < CONVERSIONS_LOGGED) {
		conversions++;
		hv_log("VMPL %u of vCPU %u: an access makes page %lx %s", v->current, v->id, page,
		       make_private ? "private" : "shared");
	}
	return true;
}

bool convert_to_private(const struct vcpu *v, uint64_t gpa)
{
	return npt_assign_on_fault(gpa) || convert(v, gpa, true);
}

bool convert_to_shared(const struct vcpu *v, uint64_t gpa)
{
	return convert(v, gpa, false);
}
