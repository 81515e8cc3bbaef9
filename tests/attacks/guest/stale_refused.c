/* SPDX-License-Identifier: MIT */
/*
 * The host refused to run the attacker when its VMPL0 asked for that, and started it later. With
 * `--hold 2` its call is held after the first step; meanwhile the host stops its VMPL2.
 */
#include "tests/attacks/guest/hold.h"
#include "tests/attacks/guest/stale.h"

static void call_held(void)
{
	hold_arm();
	(void)svsm_alive(); /* started anew, it does not hear that VMPL0 ran */
}

static void refuse(unsigned int id)
{
	struct cpu *cpu = cpu_at(id);

	cpu_begin(id, call_held);
	hold_wait();
	expect("it is held in its call", hold_state(), HOLD_HELD);
	expect("the host stops its VMPL2", cpu_stop(id), true);
	hold_go_on();
	/*
	 * Its VMPL0 ends the call, and asks for VMPL2, which is not there: until then the VMSA
	 * waits.
	 */
	while (!(*(volatile uint64_t *)(cpu->vmsa + 0xd0) & 0x1000))
		cpu_relax();
	for (unsigned int i = 0; i < 100000; i++)
		cpu_relax();
	expect("the host starts it again", vmsa_start(id, 2, cpu->vmsa), 0);
	cpu_end(id);
	cpu->up = true;
}

static void attack(void)
{
	uint64_t page;

	refuse(stale_attacker());
	page = stale_page();
	stale_attack(page);
}

const struct rule rules[] = {
	{ "a CPU that the host refused to run keeps no write right", "APM 3, RMPADJUST", attack,
	  2 },
	{ NULL, NULL, NULL, 0 },
};
