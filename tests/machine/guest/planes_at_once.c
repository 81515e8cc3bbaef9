/* SPDX-License-Identifier: MIT */
/*
 * A host that runs VMPL0 while VMPL2 of the same vCPU has not exited (`--fault planes-at-once=/2`:
 * at each second time that VMPL2 asks for VMPL0). VMRUN marks a VMSA as in use and #VMEXIT stores
 * it (APM volume 2, 15.36.12 and 15.35.8): meanwhile any RMPADJUST of it gives FAIL_INUSE = 3, it
 * holds the exit before, and what VMPL0 writes there is overwritten by the exit that comes.
 */
#include "tests/machine/guest/guest.h"

#define VMSA_BIT 0x10000ull
#define PATIENCE 1000000u

void count_at_level2(void);
void dirty_registers(void);

static uint64_t field(unsigned int offset)
{
	return *(volatile uint64_t *)(level2_vmsa() + offset);
}

static void set_field(unsigned int offset, uint64_t value)
{
	*(volatile uint64_t *)(level2_vmsa() + offset) = value;
}

/*
 * What VMPL0 sees of VMPL2, read at once: to write a line takes many exits, and VMPL2 does not
 * wait for ever.
 */
struct sight {
	uint64_t answer, count, exit_code, efer, rbp, rip, xmm0, dr0;
	uint32_t adjust;
};

static struct sight run(void)
{
	volatile struct snp_vmsa *vmsa = (volatile struct snp_vmsa *)level2_vmsa();
	struct sight s = { .answer = level2_run() };

	s.adjust = rmpadjust(level2_vmsa(), 0, VMSA_BIT | 2);
	s.count = field(0x318); /* RBX */
	s.exit_code = field(0x3c0);
	s.efer = field(0xd0);
	s.rbp = field(0x328);
	s.rip = field(0x178);
	s.xmm0 = *(volatile uint64_t *)vmsa->xmm_registers;
	s.dr0 = vmsa->dr0;
	dirty_registers();
	return s;
}

static void expect(const char *rule, const struct sight *s, uint64_t count, uint32_t adjust)
{
	check(rule, s->answer, 0x017);
	check("  RMPADJUST of its VMSA", s->adjust, adjust);
	check("  RBX at 0x318: the count", s->count, count);
	check("  EXITCODE at 0x3c0: VMGEXIT", s->exit_code, 0x403);
	check("  EFER at 0xd0: SVME as it ran", s->efer >> 12 & 1, 1);
	check("  RBP at 0x328", s->rbp, 0x2222222222222222);
	check("  XMM0", s->xmm0, 0x2222222222222222);
	check("  DR0", s->dr0, 0x2222222222222222);
}

static void overwrite(void)
{
	set_field(0xd0, field(0xd0) & ~0x1000ull);
	set_field(0x318, 77);
	set_field(0x328, 77);
	set_field(0x3c0, 77);
}

void test_main(void)
{
	struct sight first, beside, second, third, waiting, fifth;
	uint64_t tries = 0;

	level2_create(count_at_level2);
	level2_start();
	first = run();
	beside = run();
	overwrite();
	second = run();
	expect("VMPL2 asks, and exits", &first, 1, 0);
	expect("it asks again, and VMPL0 runs before it exits", &beside, 1, 3);
	check("  RIP of the exit before", beside.rip, first.rip);
	expect("VMPL2 goes on, and exits", &second, 2, 0);

	third = run();
	waiting = run();
	while (rmpadjust(level2_vmsa(), 0, VMSA_BIT | 2) == 3 && tries < PATIENCE)
		tries++;
	check("VMPL0 only waits: VMPL2 has its turn, and exits", tries > 0 && tries < PATIENCE, 1);
	check("  RBX: the count", field(0x318), 4);
	expect("it asked a third time, and exited", &third, 3, 0);
	expect("a fourth time, and VMPL0 ran before it exited", &waiting, 3, 3);
	fifth = run();
	expect("and again, as if nothing had been", &fifth, 5, 0);
}
