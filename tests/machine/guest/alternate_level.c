/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/alternate.h"

#define GIF (1ull << 9)
#define STEPS_MAX 100u

static uint8_t page[4096] __attribute__((aligned(4096)));
static void (*volatile step)(void);
static volatile bool done;

volatile struct ghcb_doorbell *alternate_doorbell(void)
{
	return shared_view((uint64_t)page);
}

static void at_level2(void)
{
	(void)ghcb_msr_call(0x012 | ghcb_gpa());
	for (;;) {
		if (step)
			step();
		done = true;
		level2_return();
	}
}

void alternate_step(void (*what)(void))
{
	step = what;
	done = false;
	for (unsigned int i = 0; i < STEPS_MAX && !done; i++)
		(void)level2_run();
	if (!done)
		check("level 2 comes to its end", done, 1);
}

static void start_doorbell(void)
{
	uint64_t gpa = (uint64_t)page;

	check("PVALIDATE gives the doorbell page up", pvalidate(gpa, 0, 0).eax, 0);
	check("which becomes shared", page_make_shared(gpa), 0x015);
	for (size_t i = 0; i < 4096; i++)
		((volatile uint8_t *)alternate_doorbell())[i] = 0;
	check("set the doorbell page", ghcb_exit(0x80000014, 1, gpa).result, 0);
	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("configure interrupt injection", ghcb_exit(0x8000001b, ALTERNATE_VECTOR, 0).result,
	      0);
}

struct snp_vmsa *alternate_start(void)
{
	struct snp_vmsa *vmsa = level2_create(at_level2);

	start_doorbell();
	vmsa->sev_features = ALTERNATE_FEATURES;
	vmsa->vintr_ctrl = GIF;
	check("RMPADJUST makes the VMSA page one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	ghcb->rax = ALTERNATE_FEATURES;
	ghcb_set_valid(0x1f8);
	check("AP creation with alternate injection",
	      ghcb_exit(0x80000013, 2 << 16 | 1, level2_vmsa()).result, 0);
	return vmsa;
}
