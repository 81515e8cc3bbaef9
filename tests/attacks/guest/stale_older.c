/* SPDX-License-Identifier: MIT */
/* The attacker runs on an older VMSA than the one that Socle serves for its APIC id. */
#include "tests/attacks/guest/stale.h"

static void attack(void)
{
	unsigned int id = stale_attacker();

	expect("create a newer VMSA", vcpu_create(vcpu_vmsa_new(id), cpu_at(id)->caa, id), 0);
	stale_attack(stale_page());
}

const struct rule rules[] = {
	{ "a CPU on an older VMSA keeps no write right", "APM 3, RMPADJUST", attack, 2 },
	{ NULL, NULL, NULL, 0 },
};
