/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/kvm_clock.h"

#include "abi/types.h"
#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/memory/guest.h"

#define MSR_WALL_CLOCK 0x4b564d00u
#define MSR_SYSTEM_TIME 0x4b564d01u
#define SYSTEM_TIME_ENABLED 1ull
#define PLACE_ALIGNMENT 4u
#define VERSION 2u /* an odd one would be an update under way */
#define NANOSECONDS 1000000000ull
#define FLAG_TSC_STABLE (1u << 0) /* the same for all vCPUs */

/* When the guest's TSC was 0. */
struct wall_clock {
	uint32_t version, seconds, nanoseconds;
};
ABI_SIZE(struct wall_clock, 12);

/* Nanoseconds since then: ((TSC - tsc) << shift) * multiplier >> 32, and nanoseconds. */
struct system_time {
	uint32_t version, reserved_04;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags;
	uint8_t reserved_1e[2];
};
ABI_SIZE(struct system_time, 32);
ABI_OFFSET(struct system_time, multiplier, 24);

bool kvm_clock_has(uint32_t msr)
{
	return hv_mailbox()->host.kvm_clock && (msr == MSR_WALL_CLOCK || msr == MSR_SYSTEM_TIME);
}

uint64_t *kvm_clock_msr(struct plane *p, uint32_t msr)
{
	return msr == MSR_WALL_CLOCK ? &p->kvm_wall_clock : &p->kvm_system_time;
}

static void write_wall_clock(uint64_t gpa)
{
	uint64_t start = hv_mailbox()->started_at;
	struct wall_clock clock = {
		.version = VERSION,
		.seconds = (uint32_t)(start / NANOSECONDS),
		.nanoseconds = (uint32_t)(start % NANOSECONDS),
	};

	(void)guest_write_shared(gpa, &clock, sizeof(clock));
}

static void write_system_time(uint64_t gpa)
{
	uint64_t multiplier = lapic_nanoseconds_per_clock();
	struct system_time time = { .version = VERSION, .flags = FLAG_TSC_STABLE };

	for (; multiplier >> 32; multiplier >>= 1)
		time.shift++;
	time.multiplier = (uint32_t)multiplier;
	(void)guest_write_shared(gpa, &time, sizeof(time));
}

void kvm_clock_write(struct plane *p, uint32_t msr, uint64_t value)
{
	uint64_t gpa = value & ~(uint64_t)(PLACE_ALIGNMENT - 1) & ~HV_C_BIT;

	*kvm_clock_msr(p, msr) = value;
	if (msr == MSR_WALL_CLOCK)
		write_wall_clock(gpa);
	else if (value & SYSTEM_TIME_ENABLED)
		write_system_time(gpa);
}
