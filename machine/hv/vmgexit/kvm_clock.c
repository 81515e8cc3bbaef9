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
	static uint64_t wall_clock; /* one for the whole VM */

	return msr == MSR_WALL_CLOCK ? &wall_clock : &p->kvm_system_time;
}

/*
 * A structure that begins with its version: odd while the rest changes, and KVM goes on from the
 * one that it finds. To KVM the C-bit is an address bit like any other, beyond all RAM.
 */
static void write_versioned(uint64_t gpa, const void *structure, size_t size)
{
	const size_t version_size = sizeof(uint32_t);
	uint32_t version;

	if ((gpa & HV_C_BIT) || !guest_read_shared(gpa, &version, version_size))
		return;
	version = (version + 1) | 1;
	(void)guest_write_shared(gpa, &version, version_size);
	(void)guest_write_shared(gpa + version_size, (const uint8_t *)structure + version_size,
				 size - version_size);
	version++;
	(void)guest_write_shared(gpa, &version, version_size);
}

static void write_wall_clock(uint64_t gpa)
{
	uint64_t start = hv_mailbox()->started_at;
	struct wall_clock clock = {
		.seconds = (uint32_t)(start / NANOSECONDS),
		.nanoseconds = (uint32_t)(start % NANOSECONDS),
	};

	if (gpa != 0) /* none */
		write_versioned(gpa, &clock, sizeof(clock));
}

static void write_system_time(uint64_t gpa)
{
	uint64_t multiplier = lapic_nanoseconds_per_clock();
	struct system_time time = { .flags = FLAG_TSC_STABLE };

	if (gpa % ABI_PAGE_SIZE + sizeof(time) > ABI_PAGE_SIZE)
		return;
	for (; multiplier >> 32; multiplier >>= 1)
		time.shift++;
	time.multiplier = (uint32_t)multiplier;
	write_versioned(gpa, &time, sizeof(time));
}

void kvm_clock_write(struct plane *p, uint32_t msr, uint64_t value)
{
	*kvm_clock_msr(p, msr) = value;
	if (msr == MSR_WALL_CLOCK)
		write_wall_clock(value);
	else if (value & SYSTEM_TIME_ENABLED)
		write_system_time(value & ~SYSTEM_TIME_ENABLED);
}
