/* SPDX-License-Identifier: MIT */
/*
 * A second level maps a page of the first's and touches it. APM volume 2, 15.36.5: a nested page
 * fault, by which the host ends the VM.
 */
#include "tests/attacks/guest/lower.h"

static uint64_t target;

static void touch(void)
{
	uint64_t value = 0;
	struct fault fault;

	if (WRITES)
		(void)try_write(target, 1, &fault);
	else
		(void)try_read(target, &value, &fault);
	expect("it reads a page of the first level's", value, 0);
	expect("it goes on behind that", true, false);
}

static void touched(void)
{
	target = page_new();
	page_fill(target);
	expect("it is made and starts", lower_start(page_new(), page_new()), true);
	/* The right to read is none to write. */
	lower_give(target, WRITES ? RIGHT_READ : 0);
	lower_run(touch);
}

const struct rule rules[] = {
	{ "a page of the first level's is not the second's", "APM 2, 15.36.5", touched, 1 },
	{ NULL, NULL, NULL, 0 },
};
