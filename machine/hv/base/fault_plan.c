/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/fault_plan.h"

#include "machine/hv/base/log.h"

#define STRIKES_LOGGED 16u

static struct {
	uint32_t occasions, strikes;
} counts[MAILBOX_FAULT_COUNT];

bool fault_strikes(enum mailbox_fault fault)
{
	const struct mailbox_fault_plan *plan = &hv_mailbox()->faults[fault];
	uint32_t n = ++counts[fault].occasions;
	bool strikes = plan->every != 0 ? n % plan->every == 0 : n == plan->nth;

	if (strikes && ++counts[fault].strikes <= STRIKES_LOGGED)
		hv_log("fault %u of the list that --help shows, its occasion %u", fault + 1, n);
	return strikes;
}
