/* SPDX-License-Identifier: MIT */
/* The attacker was started by AP_CREATION: its VMPL0 half has sent nobody to VMPL2. */
#include "tests/attacks/guest/stale.h"

static void attack(void)
{
	stale_attack(stale_page());
}

const struct rule rules[] = {
	{ "a CPU that the host started keeps no write right", "APM 3, RMPADJUST", attack, 2 },
	{ NULL, NULL, NULL, 0 },
};
