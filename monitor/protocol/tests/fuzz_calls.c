/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest and host, driven by bytes: any call with any registers and memory, pages taken
 * away and given, faults. Whatever happens, the monitor answers, and what must hold at the end
 * holds. With libFuzzer as LLVMFuzzerTestOneInput; test_fuzz.c feeds it from a fixed seed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/tests/fuzz_calls.h"
#include "monitor/vcpu/registry.h"

static const uint64_t places[] = {
	0,
	WORLD_LOADED,
	WORLD_BOOT_CAA,
	WORLD_LARGE,
	WORLD_INVALID,
	WORLD_INVALID + 2 * MIB,
	WORLD_HOLE,
	WORLD_SMALL,
	WORLD_SMALL + 0x10000,
	WORLD_SMALL + 0x11000,
	WORLD_SMALL + MIB - 0x1000,
	WORLD_REGION,
	WORLD_REGION - 0x1000,
	WORLD_REGION + WORLD_REGION_SIZE,
	WORLD_BOOT_VMSA,
	WORLD_LAST_PAGE,
	MODEL_SIZE,
	0 - 0x1000ull,
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static void hold(bool holds, const char *what, uint64_t page)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s, at %llx\n", what, (unsigned long long)page);
	abort();
}

/* An address: mostly one that matters, sometimes anything. */
static uint64_t address(struct bytes_reader *r)
{
	uint8_t how = bytes_u8(r);
	uint64_t base = places[how % PLACES];

	switch (how >> 5) {
	case 0:
		return bytes_le64(r);
	case 1:
		return base + bytes_le16(r);
	case 2:
		return base + bytes_u8(r) * 8ull;
	case 3:
		return base + 0x1000ull * bytes_u8(r);
	default:
		return base;
	}
}

/* The guest writes where it may. */
static void guest_writes(struct bytes_reader *r)
{
	uint64_t at = address(r);
	size_t size = bytes_u8(r);
	const uint8_t *from = bytes_take(r, size);

	for (size_t i = 0; from && i < size; i++) {
		if (at + i < MODEL_SIZE && model_allows(gpa(at + i), 2, RMP_PERM_WRITE))
			*model_memory(gpa(at + i)) = from[i];
	}
}

static void guest_writes_a_list(struct bytes_reader *r)
{
	uint64_t entries[8];
	uint64_t at = (address(r) & ~7ull) % MODEL_SIZE;
	uint16_t count = bytes_u8(r) % 8 + 1;
	uint16_t next = bytes_u8(r) % 4;

	for (size_t i = 0; i < 8; i++)
		entries[i] = (address(r) & ~0xff0ull) | (bytes_u8(r) & 0xd);
	if (at % 0x1000 < 0xf00 && model_allows(gpa(at), 2, RMP_PERM_WRITE))
		world_put_list(at, count, next, entries);
}

static void guest_writes_a_vmsa(struct bytes_reader *r)
{
	uint64_t at = (address(r) & ~0xfffull) % MODEL_SIZE;

	if (model_allows(gpa(at), 2, RMP_PERM_WRITE))
		world_put_vmsa(at);
}

/* The host does to a page what it likes, but to Socle's own and to VMSAs, where that only stops. */
static void host_acts(struct bytes_reader *r)
{
	uint64_t at = (address(r) & ~0xfffull) % MODEL_SIZE;
	bool ours = at >= WORLD_REGION && at < WORLD_REGION + WORLD_REGION_SIZE;

	if (ours || registry_is_vmsa(gpa(at)))
		return;
	if (bytes_u8(r) & 1)
		model_host_unassign(gpa(at), 1);
	else
		model_host_assign(gpa(at), 1);
}

static void fails(struct bytes_reader *r)
{
	enum model_op op = bytes_u8(r) % MODEL_OPS;
	unsigned int nth = bytes_u8(r) % 8;

	model_fail_with(op, nth, bytes_u8(r));
}

static void service_answers(struct bytes_reader *r)
{
	struct world_service *service = world_service(bytes_u8(r) % SERVICE_ROLES);
	size_t size = bytes_u8(r);

	service->status = bytes_u8(r) % 7;
	service->reply_size = bytes_le16(r);
	bytes_copy(r, service->reply, size);
}

static void guest_calls(struct bytes_reader *r)
{
	unsigned int cpu = bytes_u8(r) % WORLD_CPUS;
	uint8_t which = bytes_u8(r);
	uint64_t rax = (uint64_t)(which >> 4 & 3) << 32 | (which & 15);
	struct registry_vcpu vcpu;
	struct svsm_call call;

	if (which >> 6 == 3)
		rax = bytes_le64(r);
	if (!registry_enter(cpu, &vcpu))
		return;
	registry_leave(cpu);

	uint64_t rcx = address(r), rdx = address(r), r8 = bytes_u8(r);

	call = world_call(cpu, rax, rcx, rdx, r8);
	hold(call.rax == 0 || (call.rax >= 0x80000001 && call.rax <= 0x80001fff), "result",
	     call.rax);
}

/* What the guest can reach is its own and valid; what is a VMSA or Socle's it cannot reach. */
static void check_world(void)
{
	for (uint64_t page = 0; page < MODEL_SIZE; page += ABI_PAGE_SIZE) {
		enum guest_page_state state = guest_pages_state(gpa(page));
		bool ours = page >= WORLD_REGION && page < WORLD_REGION + WORLD_REGION_SIZE;

		if (state != GUEST_PAGE_VALID && state != GUEST_PAGE_CALLING)
			hold(world_guest_barred(page), "guest reaches a page", page);
		if (ours || registry_is_vmsa(gpa(page)))
			hold(state == GUEST_PAGE_TAKEN, "page is not taken", page);
		if (ours && page != WORLD_BOOT_VMSA)
			hold(*model_memory(gpa(page)) == 0, "region was written", page);
		if (registry_is_vmsa(gpa(page)))
			hold(model_memory(gpa(page))[0xca] == 2, "VMPL of a VMSA", page);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const actions[])(struct bytes_reader *) = {
		guest_calls,	     guest_calls, guest_writes, guest_writes_a_list,
		guest_writes_a_vmsa, host_acts,	  fails,	service_answers,
	};
	struct bytes_reader r = bytes_reader_init(data, size);

	world_start();
	while (bytes_left(&r) > 0)
		actions[bytes_u8(&r) % (sizeof(actions) / sizeof(actions[0]))](&r);
	check_world();
	return 0;
}
