/* SPDX-License-Identifier: MIT */
#include "machine/host/fault_plan.h"

#include <string.h>

#include "core/base/number.h"

const struct fault faults[MAILBOX_FAULT_COUNT] = {
	[MAILBOX_FAULT_TIMER_LOSE] = { "timer-lose", "a timer event of VMPL0 never comes" },
	[MAILBOX_FAULT_TIMER_DELAY] = { "timer-delay",
					"a timer event of VMPL0 comes 20 ms after its time" },
	[MAILBOX_FAULT_TIMER_REPEAT] = { "timer-repeat", "a timer event of VMPL0 comes twice" },
	[MAILBOX_FAULT_REFUSE_AP_CREATION] = { "refuse-ap-creation",
					       "the host refuses an AP creation of VMPL0" },
	[MAILBOX_FAULT_REFUSE_RUN_VMPL] = { "refuse-run-vmpl",
					    "the host refuses VMPL0 to run another VMPL" },
	[MAILBOX_FAULT_PLANES_AT_ONCE] = { "planes-at-once",
					   "a VMPL that is about to ask for VMPL0 has VMPL0 run "
					   "before it exits" },
	[MAILBOX_FAULT_PLANES_AT_ONCE_INTERRUPT] = { "planes-at-once-interrupt",
						     "the same at an interrupt of the host's" },
	[MAILBOX_FAULT_TLB_CONTROL] = { "tlb-control",
					"the host flushes all translations at a VMRUN" },
	[MAILBOX_FAULT_CUT_DELIVERY] = { "cut-delivery",
					 "an exit cuts the delivery of an event (alternate "
					 "injection)" },
	[MAILBOX_FAULT_REFUSE_APIC] = { "refuse-apic",
					"the host refuses an access of VMPL0 to its APIC" },
	[MAILBOX_FAULT_RESET_PLANE] = { "reset-plane", "the host makes a VMPL anew where VMPL0 "
						       "asks for it to run" },
	[MAILBOX_FAULT_AMD_SP_BUSY] = { "amd-sp-busy", "the host says that the AMD-SP is busy to a "
						       "request of VMPL0's" },
};

/* The fault that text begins with the name of; *when is what stands behind the equals sign. */
static int find(const char *text, const char **when)
{
	size_t length = strcspn(text, "=");

	*when = text[length] == '=' ? text + length + 1 : "/1";
	for (int i = 0; i < MAILBOX_FAULT_COUNT; i++) {
		if (strlen(faults[i].name) == length && memcmp(faults[i].name, text, length) == 0)
			return i;
	}
	return -1;
}

bool fault_parse(struct mailbox_fault_plan plan[MAILBOX_FAULT_COUNT], const char *text)
{
	const char *when;
	int i = find(text, &when);
	bool every = *when == '/';
	uint64_t n;

	when += every;
	if (i < 0 || !number_read(when, strlen(when), NUMBER_DECIMAL, 1, FAULT_OCCASION_MAX, &n) ||
	    plan[i].nth != 0 || plan[i].every != 0)
		return false;
	if (every)
		plan[i].every = (uint32_t)n;
	else
		plan[i].nth = (uint32_t)n;
	return true;
}
