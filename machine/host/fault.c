/* SPDX-License-Identifier: MIT */
#include "machine/host/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
};

/* The number that is all of text; 0: it is none, or too large. */
static uint32_t occasion(const char *text)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end || errno || value > FAULT_OCCASION_MAX)
		return 0;
	return (uint32_t)value;
}

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
	uint32_t n = occasion(every ? when + 1 : when);

	if (i < 0 || n == 0 || plan[i].nth != 0 || plan[i].every != 0)
		return false;
	if (every)
		plan[i].every = n;
	else
		plan[i].nth = n;
	return true;
}
