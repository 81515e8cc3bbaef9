/* SPDX-License-Identifier: MIT */
/*
 * The guest's APICs in the run loop's turn: 58019, APIC protocol and calling area; APM volume 2,
 * 15.36.16 and table B-4 for what is where in a VMSA. The test is the CPU: it takes what the VMSA
 * has by clearing V_IRQ or EVENTINJ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/arch/model/tests/world.h"
#include "monitor/run/serve.h"

#define VMSA(cpu) (WORLD_SMALL + 0x10000 * (uint64_t)(cpu))
#define CAA(cpu) (VMSA(cpu) + 0x1000)
#define NEW_CAA (WORLD_SMALL + 0x80000)

#define READ(reg) 0x300000002ull, (reg), 0
#define WRITE(reg, value) 0x300000003ull, (reg), (value)
#define CONFIGURE(what) 0x300000001ull, (what), 0
#define VECTOR(rcx) 0x300000004ull, (rcx), 0

/* In each VMSA: interrupts are let in, and NMIs are virtual. */
#define GIF (1ull << 9 | 1ull << 26)
#define IRQ (1ull << 8)
#define SHADOW (1ull << 10)
#define NMI (1ull << 11)
#define NMI_MASK (1ull << 12)
#define BUSY (1ull << 63)
#define QUEUED(v) (GIF | IRQ | (uint64_t)((v) >> 4) << 16 | (uint64_t)(v) << 32)

enum field {
	RFLAGS = 0x170,
	RAX = 0x1f8,
	RCX = 0x308,
	RDX = 0x310,
	EXITINTINFO = 0x3a0,
	SEV_FEATURES = 0x3b0,
	VINTR = 0x3b8,
	EXIT_CODE = 0x3c0,
	EVENTINJ = 0x3e0,
};

static uint64_t get(unsigned int cpu, enum field field)
{
	uint64_t value;

	world_get(&value, VMSA(cpu) + field, sizeof(value));
	return value;
}

static void put(unsigned int cpu, enum field field, uint64_t value)
{
	world_put(VMSA(cpu) + field, &value, sizeof(value));
}

static uint8_t *flag(uint64_t caa)
{
	return model_memory(gpa(caa + 2));
}

/* The host runs VMPL0 of that vCPU, whose VMPL2 has left without a call. */
static void turn(unsigned int cpu)
{
	model_set_cpu(cpu);
	put(cpu, EXIT_CODE, 0x60);
	assert_int_equal(serve_vcpu(cpu, 0), 2);
}

static uint64_t call(unsigned int cpu, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
	model_set_cpu(cpu);
	put(cpu, RAX, rax);
	put(cpu, RCX, rcx);
	put(cpu, RDX, rdx);
	put(cpu, EXIT_CODE, 0x403);
	*model_memory(gpa(CAA(cpu))) = 1;
	assert_int_equal(serve_vcpu(cpu, 0), 2);
	return get(cpu, RAX);
}

static uint64_t reg(unsigned int cpu, uint64_t number)
{
	assert_int_equal(call(cpu, READ(number)), 0);
	return get(cpu, RDX);
}

/* The CPU enters VMPL2 with IF set: what can be taken is. */
static void take(unsigned int cpu)
{
	put(cpu, EVENTINJ, 0);
	put(cpu, VINTR, get(cpu, VINTR) & ~IRQ);
}

static int setup(void **state)
{
	(void)state;
	world_start();
	guest_apic_init(WORLD_CPUS);
	world_create(1, VMSA(1), CAA(1));
	world_create(2, VMSA(2), CAA(2));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_apic_init(0);
	return 0;
}

static void not_there_without_the_flag(void **state)
{
	(void)state;
	guest_apic_init(0);
	put(1, VINTR, 0x1234);
	assert_int_equal(call(1, READ(0x802)), 0x80000001);
	assert_int_equal(call(1, 0x300000005, 0, 0), 0x80000001);
	assert_int_equal(call(1, 6, 0x300000001, 0), 0);
	assert_int_equal(get(1, RCX), 0);
	assert_int_equal(get(1, VINTR), 0x1234);
}

static void handed_over_and_drawn_back(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
	assert_int_equal(reg(1, 0x822), 1u << 17);
	assert_int_equal(reg(1, 0x812), 0);
	assert_int_equal(reg(1, 0x80a), 0);
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
	assert_int_equal(call(1, WRITE(0x83f, 0x61)), 0); /* a higher one takes its place */
	assert_int_equal(get(1, VINTR), QUEUED(0x61));
	take(1);
	assert_int_equal(reg(1, 0x813), 1u << 1);
	assert_int_equal(reg(1, 0x822), 1u << 17);
	assert_int_equal(get(1, VINTR), GIF);
	assert_int_equal(call(1, WRITE(0x80b, 0)), 0);
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
}

/* What TPR keeps out is queued all the same: CR8 is lowered without a call. */
static void queued_below_tpr(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x808, 0x72)), 0);
	assert_int_equal(get(1, VINTR), GIF | 7);
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	assert_int_equal(get(1, VINTR), QUEUED(0x51) | 7);
	put(1, VINTR, (QUEUED(0x51) & ~IRQ) | SHADOW | 3);
	assert_int_equal(reg(1, 0x808), 0x30);
	assert_int_equal(reg(1, 0x812), 1u << 17);
	assert_int_equal(get(1, VINTR), GIF | SHADOW | 3);
}

static void lazy_eoi(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	assert_int_equal(*flag(CAA(1)), 1);
	take(1);
	turn(1);
	assert_int_equal(*flag(CAA(1)), 1); /* still in service, and offered again */
	*flag(CAA(1)) = 0;
	turn(1);
	assert_int_equal(reg(1, 0x812), 0);
	assert_int_equal(*flag(CAA(1)), 0);
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	assert_int_equal(call(1, WRITE(0x83f, 0x41)), 0);
	assert_int_equal(*flag(CAA(1)), 0); /* another waits */
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
}

/* A flag that the guest clears before it has the interrupt ends nothing. */
static void lazy_eoi_too_early(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	*flag(CAA(1)) = 0;
	turn(1);
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
}

/* The flag goes with the calling area, and is not left in a page that is the guest's again. */
static void lazy_eoi_in_the_new_area(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	take(1);
	turn(1);
	assert_int_equal(*flag(CAA(1)), 1);
	*flag(NEW_CAA) = 0;
	assert_int_equal(call(1, 0, NEW_CAA, 0), 0); /* REMAP_CA */
	assert_int_equal(*flag(CAA(1)), 0);
	assert_int_equal(*flag(NEW_CAA), 1);
}

/* An exit cuts a delivery: it comes again, once, and is in service all the time. */
static void cut_delivery(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	put(1, VINTR, (QUEUED(0x51) & ~IRQ) | BUSY);
	put(1, EXITINTINFO, 0x80000051);
	turn(1);
	assert_int_equal(get(1, EVENTINJ), 0x80000051);
	assert_int_equal(get(1, VINTR), GIF);
	turn(1); /* the host has not entered VMPL2 meanwhile */
	assert_int_equal(get(1, EVENTINJ), 0x80000051);
	put(1, VINTR, BUSY | GIF); /* cut once more */
	put(1, EVENTINJ, 0);
	turn(1);
	assert_int_equal(get(1, EVENTINJ), 0x80000051);
	take(1);
	put(1, EXITINTINFO, 0);
	assert_int_equal(reg(1, 0x812), 1u << 17);
	assert_int_equal(get(1, EVENTINJ), 0);
	assert_int_equal(reg(1, 0x822), 0);
}

/* So does an exception of the guest's own, and one of a higher class waits beside it. */
static void cut_exception(void **state)
{
	(void)state;
	put(1, VINTR, BUSY | GIF);
	put(1, EXITINTINFO, 0x123480000b0eull);
	assert_int_equal(call(2, WRITE(0x830, 1ull << 32 | 0x71)), 0);
	turn(1);
	assert_int_equal(get(1, EVENTINJ), 0x123480000b0eull);
	assert_int_equal(get(1, VINTR), QUEUED(0x71));
}

static void nmi(void **state)
{
	(void)state;
	assert_int_equal(call(2, WRITE(0x830, 1ull << 32 | 0x400)), 0);
	turn(1);
	assert_int_equal(get(1, VINTR), GIF | NMI);
	turn(1); /* not taken: it stays one */
	assert_int_equal(get(1, VINTR), GIF | NMI);
	put(1, VINTR, GIF | NMI_MASK); /* its handler runs, and the next one waits for it */
	assert_int_equal(call(2, WRITE(0x830, 1ull << 32 | 0x400)), 0);
	turn(1);
	assert_int_equal(get(1, VINTR), GIF | NMI | NMI_MASK);
	put(1, VINTR, GIF | NMI_MASK); /* IRET, and the next one is taken */
	turn(1);
	assert_int_equal(get(1, VINTR), GIF | NMI_MASK);
	assert_int_equal(get(1, EVENTINJ), 0);
}

/* An exit cuts its delivery: it comes again by EVENTINJ, and another one waits beside it. */
static void cut_nmi(void **state)
{
	(void)state;
	put(1, VINTR, BUSY | GIF);
	put(1, EXITINTINFO, 0x80000202);
	assert_int_equal(call(2, WRITE(0x830, 1ull << 32 | 0x400)), 0);
	turn(1);
	assert_int_equal(get(1, EVENTINJ), 0x80000202);
	assert_int_equal(get(1, VINTR), GIF | NMI);
}

/* First it stands there, then the target's VMPL0 is called; who is not there is not. */
static void ipi(void **state)
{
	(void)state;
	assert_int_equal(call(1, WRITE(0x830, 0x80051)), 0); /* all */
	assert_int_equal(model_kicks(0), 1);
	assert_int_equal(model_kicks(1), 0);
	assert_int_equal(model_kicks(2), 1);
	assert_int_equal(model_kicks(3), 0);
	assert_int_equal(get(1, VINTR), QUEUED(0x51));
	turn(2);
	assert_int_equal(get(2, VINTR), QUEUED(0x51));
	world_create(3, VMSA(3), CAA(3));
	turn(3); /* a new vCPU has nothing of what came before */
	assert_int_equal(get(3, VINTR), GIF);
}

static void host(void **state)
{
	struct ghcb_doorbell_vmpl *d;

	(void)state;
	model_set_cpu(1);
	d = arch_guest_descriptor();
	d->status = 0x61;
	turn(1);
	assert_int_equal(get(1, VINTR), GIF);
	assert_int_equal(call(1, VECTOR(0x161)), 0);
	assert_int_equal(call(1, VECTOR(0x11e)), 0x80000005);
	d->status = 0x61 | 1u << 10;
	turn(1);
	assert_int_equal(get(1, VINTR), QUEUED(0x61));
	assert_int_equal(*flag(CAA(1)), 0); /* the host waits for its end */
	take(1);
	turn(1);
	assert_int_equal(model_eois(0x61), 0);
	assert_int_equal(call(1, WRITE(0x80b, 0)), 0);
	assert_int_equal(model_eois(0x61), 1);
	assert_int_equal(call(1, WRITE(0x80b, 0)), 0);
	assert_int_equal(model_eois(0x61), 1);
}

static void registrations(void **state)
{
	(void)state;
	assert_int_equal(call(1, CONFIGURE(2)), 0);
	assert_int_equal(call(1, CONFIGURE(1)), 0);
	assert_int_equal(call(1, CONFIGURE(0)), 0);
	assert_int_equal(call(1, CONFIGURE(3)), 0x80000005);
	assert_int_equal(call(1, CONFIGURE(1ull << 32)), 0x80000005);
	assert_int_equal(reg(1, 0x802), 1);
	assert_int_equal(call(1, CONFIGURE(1)), 0);
	assert_int_equal(call(1, READ(0x802)), 0x80000001);
	assert_int_equal(call(2, CONFIGURE(2)), 0x80001000); /* too late */
	assert_int_equal(reg(2, 0x802), 2);		     /* it goes when this vCPU asks */
	assert_int_equal(call(2, CONFIGURE(1)), 0);
	assert_int_equal(call(2, READ(0x802)), 0x80000001);
}

static void goes_to_the_host(void **state)
{
	struct model_alternate_end end;
	struct ghcb_doorbell_vmpl *d;

	(void)state;
	put(1, SEV_FEATURES, 0x11);
	put(1, RFLAGS, 0x202);
	assert_int_equal(call(1, WRITE(0x808, 0x35)), 0);
	assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
	take(1);
	turn(1);
	assert_int_equal(call(1, WRITE(0x83f, 0x61)), 0);
	assert_int_equal(call(1, CONFIGURE(1)), 0);
	end = model_alternate_ended();
	assert_true(end.ended && end.interrupts && !end.shadow);
	assert_int_equal(end.tpr, 0x35);
	d = arch_guest_descriptor();
	assert_int_equal(d->status, 1u << 14);
	assert_int_equal(d->irr[2], 1u << 1);
	assert_int_equal(d->isr[2], 1u << 17);
	assert_int_equal(get(1, SEV_FEATURES), 1);
	assert_int_equal(get(1, VINTR), 3);
	assert_int_equal(*flag(CAA(1)), 0);
	turn(1);
	assert_int_equal(get(1, VINTR), 3);
	world_create(3, VMSA(3), CAA(3));
	assert_int_equal(call(3, READ(0x802)), 0x80000001);
}

/*
 * Host or guest take the VMSA or the calling area away, at every step: the vCPU ends, or goes on.
 */
static void pages_that_go(void **state)
{
	static const enum model_op ops[] = { MODEL_READ, MODEL_WRITE, MODEL_EXCHANGE };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		for (unsigned int nth = 1; nth <= 16; nth++) {
			setup(state);
			assert_int_equal(call(1, WRITE(0x83f, 0x51)), 0);
			take(1);
			put(1, EXIT_CODE, 0x60);
			model_fail(ops[i], nth);
			model_set_cpu(1);
			(void)serve_vcpu(1, 0);
			model_fail(ops[i], 0);
			assert_int_equal(reg(2, 0x802), 2);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(not_there_without_the_flag),
		TEST(handed_over_and_drawn_back),
		TEST(queued_below_tpr),
		TEST(lazy_eoi),
		TEST(lazy_eoi_too_early),
		TEST(lazy_eoi_in_the_new_area),
		TEST(cut_delivery),
		TEST(cut_exception),
		TEST(nmi),
		TEST(cut_nmi),
		TEST(ipi),
		TEST(host),
		TEST(registrations),
		TEST(goes_to_the_host),
		TEST(pages_that_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
