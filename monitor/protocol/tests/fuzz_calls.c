/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest of two levels and a hostile host, driven by bytes: any call with any registers
 * and memory, pages taken away and given, faults, work ahead in between. Whatever happens, the
 * monitor answers, what must hold at the end holds, and no call of VMPL3 reaches what VMPL3 could
 * not. With libFuzzer as LLVMFuzzerTestOneInput; fuzz_test.c feeds it from a fixed seed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/params.h"
#include "core/base/bytes.h"
#include "monitor/arch/model/tests/world.h"
#include "monitor/base/levels.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/ahead.h"
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
	WORLD_SMALL + 0x20000,
	WORLD_SMALL + 0x80000,
	WORLD_LAST_PAGE,
	MODEL_SIZE,
	0 - 0x1000ull,
};
#define PLACES (sizeof(places) / sizeof(places[0]))

#define UPPER 2u
#define LOWER 3u

/* Results by level, protocol and call: errors, successes. */
static unsigned long outcomes[SNP_VMPL_COUNT][4][16][2];
static unsigned long turns;

unsigned long fuzz_successes(unsigned int vmpl, unsigned int protocol, unsigned int call)
{
	return outcomes[vmpl][protocol][call][1];
}

unsigned long fuzz_turns(void)
{
	return turns;
}

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

/* Which level of the guest acts: now and then the one beneath the first. */
static unsigned int level(struct bytes_reader *r)
{
	return bytes_u8(r) & 3 ? UPPER : LOWER;
}

/* The guest writes where it may. */
static void guest_writes(struct bytes_reader *r)
{
	unsigned int vmpl = level(r);
	uint64_t at = address(r);
	size_t size = bytes_u8(r);
	const uint8_t *from = bytes_take(r, size);

	for (size_t i = 0; from && i < size; i++) {
		if (at + i < MODEL_SIZE && model_allows(gpa(at + i), vmpl, RMP_PERM_WRITE))
			*model_memory(gpa(at + i)) = from[i];
	}
}

/* The first level gives to the second what it likes, of what it has itself. */
static void guest_shares(struct bytes_reader *r)
{
	uint64_t page = address(r) / ABI_PAGE_SIZE % MODEL_PAGES;
	uint64_t operand = LOWER | (uint64_t)(bytes_u8(r) & RMP_PERM_ALL) << RMP_PERM_SHIFT;

	if (bytes_u8(r) & 1)
		operand |= (uint64_t)RMP_PERM_ALL << RMP_PERM_SHIFT;
	(void)rmp_adjust(model_rmp(), UPPER, page, SNP_PAGE_4K, operand);
}

static bool guest_can_write(uint64_t at, size_t size)
{
	return at < MODEL_SIZE && at % ABI_PAGE_SIZE + size <= ABI_PAGE_SIZE &&
	       model_allows(gpa(at), UPPER, RMP_PERM_WRITE);
}

/* What a call of VMPL3 finds: the RMP, and what is in the pages that matter. */
static struct {
	struct rmp_entry entries[MODEL_PAGES];
	uint8_t content[PLACES][ABI_PAGE_SIZE];
	bool registered[PLACES]; /* as a VMSA */
} before;

static uint64_t page_of(size_t place)
{
	return places[place] % MODEL_SIZE / ABI_PAGE_SIZE;
}

static void look(void)
{
	memcpy(before.entries, model_rmp()->entries, sizeof(before.entries));
	for (size_t i = 0; i < PLACES; i++) {
		gpa_t page = gpa(page_of(i) * ABI_PAGE_SIZE);

		memcpy(before.content[i], model_memory(page), ABI_PAGE_SIZE);
		before.registered[i] = registry_is_vmsa(page);
	}
}

static bool was_vmsa_of_lower(uint64_t page)
{
	return before.entries[page].flags & RMP_VMSA &&
	       model_memory(gpa(page * ABI_PAGE_SIZE))[0xca] == LOWER;
}

/*
 * A vCPU that deleted itself had rights on its page that could not be taken: the page is nobody's,
 * and another vCPU deletes it once more.
 */
static bool was_half_deleted(uint64_t page)
{
	for (size_t i = 0; i < PLACES; i++)
		if (page_of(i) == page)
			return before.registered[i] && !(before.entries[page].flags & RMP_VMSA);
	return false;
}

/*
 * VMPL3 could have written the page itself, or it was the VMSA of one of its vCPUs, which it may
 * delete. What is not validated is the host's to change, which assigns what somebody needs.
 */
static bool was_in_reach(uint64_t page)
{
	const struct rmp_entry *was = &before.entries[page], *is = &model_rmp()->entries[page];

	return (was->perms[LOWER] & RMP_PERM_WRITE) || was_vmsa_of_lower(page) ||
	       was_half_deleted(page) || !((was->flags | is->flags) & RMP_VALIDATED);
}

static void check_reach(void)
{
	const struct rmp_entry *now = model_rmp()->entries;

	for (uint64_t page = 0; page < MODEL_PAGES; page++) {
		if (memcmp(&now[page], &before.entries[page], sizeof(now[page])) != 0)
			hold(was_in_reach(page), "VMPL3 has changed a page that is not its own",
			     page * ABI_PAGE_SIZE);
	}
	for (size_t i = 0; i < PLACES; i++) {
		uint64_t page = page_of(i);

		if (memcmp(before.content[i], model_memory(gpa(page * ABI_PAGE_SIZE)),
			   ABI_PAGE_SIZE) != 0)
			hold(was_in_reach(page), "VMPL3 has written to a page that is not its own",
			     page * ABI_PAGE_SIZE);
	}
}

static bool has_vcpu(unsigned int cpu, unsigned int vmpl)
{
	struct registry_vcpu vcpu;
	bool has = registry_enter(cpu, vmpl, &vcpu);

	if (has)
		registry_leave(cpu, vmpl);
	return has;
}

/* VMPL3 has the core's protocol, and what the image grants it. */
static bool lower_may(uint64_t protocol)
{
	switch (protocol) {
	case SVSM_PROTOCOL_CORE:
		return true;
	case SVSM_PROTOCOL_ATTEST:
		return level_lower_may(SOCLE_LOWER_ATTEST);
	case SVSM_PROTOCOL_VTPM:
		return level_lower_may(SOCLE_LOWER_VTPM);
	default:
		return false;
	}
}

/* The registers are anything, or what the guest has prepared in its memory. */
static struct svsm_call call_as(struct bytes_reader *r, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
	unsigned int vmpl = level(r), cpu = bytes_u8(r) % WORLD_CPUS;
	uint64_t r8 = bytes_u8(r) % (WORLD_CPUS + 1);
	struct svsm_call call;

	for (unsigned int i = 0; i < WORLD_CPUS && !has_vcpu(cpu, vmpl); i++)
		cpu = i;
	if (!has_vcpu(cpu, vmpl))
		vmpl = UPPER;
	if (!has_vcpu(cpu, vmpl))
		cpu = 0;
	if (vmpl == LOWER)
		look();
	call = world_level_call(vmpl, cpu, rax, rcx, rdx, r8);
	if (vmpl == LOWER) {
		check_reach();
		hold(lower_may(rax >> 32) || call.rax == SVSM_ERR_UNSUPPORTED_PROTOCOL,
		     "a call that VMPL3 was not granted", rax);
	}
	/* Only the extended attestation may take several calls, and only it has the TPM's codes. */
	if (rax == ATTEST(SVSM_ATTEST_SINGLE_SERVICE_EX))
		hold(call.rax == 0 || (call.rax >= 0x80000000 && call.rax <= 0x80002fff), "result",
		     call.rax);
	else
		hold(call.rax == 0 || (call.rax >= 0x80000001 && call.rax <= 0x80001fff), "result",
		     call.rax);
	hold(call.rax != 0x80000000 || (call.rcx == rcx && call.rdx == rdx), "registers", call.rax);
	outcomes[vmpl][rax >> 32 & 3][rax & 15][call.rax == 0]++;
	return call;
}

static void guest_calls(struct bytes_reader *r)
{
	uint8_t which = bytes_u8(r);
	uint64_t rax = (uint64_t)(which >> 4 & 3) << 32 | (which & 15);
	uint64_t rcx = address(r), rdx = address(r);

	(void)call_as(r, which >> 6 == 3 ? bytes_le64(r) : rax, rcx, rdx);
}

static void guest_validates(struct bytes_reader *r)
{
	uint64_t entries[8];
	uint64_t at = address(r) & ~7ull;
	uint16_t count = bytes_u8(r) % 8 + 1;
	uint16_t next = bytes_u8(r) % 4;

	for (size_t i = 0; i < 8; i++)
		entries[i] = (address(r) & ~0xff0ull) | (bytes_u8(r) & 0xd);
	if (guest_can_write(at, 72))
		world_put_list(at, count, next, entries);
	(void)call_as(r, CORE(SVSM_CORE_PVALIDATE), at, 0);
}

static void guest_creates(struct bytes_reader *r)
{
	uint64_t at = address(r) & ~0xfffull, caa = address(r) & ~0xfffull;
	struct svsm_call call;

	if (guest_can_write(at, ABI_PAGE_SIZE))
		world_put_vmsa_of(at, (uint8_t)level(r));
	call = call_as(r, CORE(SVSM_CORE_CREATE_VCPU), at, caa);
	hold(call.rax != 0 || world_guest_reads(at), "new VMSA", at);
}

static void guest_deletes(struct bytes_reader *r)
{
	(void)call_as(r, CORE(SVSM_CORE_DELETE_VCPU), address(r) & ~0xfffull, 0);
}

static void guest_asks_the_tpm(struct bytes_reader *r)
{
	struct svsm_vtpm_cmd_req req = { 8, 0, bytes_le16(r) % 5000 };
	uint64_t at = address(r);

	if (guest_can_write(at, sizeof(req)))
		world_put(at, &req, sizeof(req));
	(void)call_as(r, VTPM(SVSM_VTPM_CMD), at, 0);
}

/*
 * The last operation block stands where it is, so that a call may go on with what it has begun. Its
 * buffers are mostly good, and where VMPL3 may be too: what comes behind them is to be tried.
 */
static void guest_attests(struct bytes_reader *r)
{
	static const uint64_t buffers[] = { WORLD_LARGE + 0x1ff0, WORLD_SMALL };
	uint8_t first = bytes_u8(r), second = bytes_u8(r);
	uint8_t how = first | second;
	uint64_t base = buffers[how & 1];
	struct svsm_attest_op_ex op = {
		.base = {
			.report = { how & 2 ? base : address(r), bytes_le16(r), 0 },
			.nonce = { how & 4 ? base : address(r), SVSM_NONCE_SIZE, 0 },
			.manifest = { how & 8 ? base + 0x4000 : address(r), bytes_le16(r), 0 },
			.certificates = { how & 16 ? base + 0x8000 : address(r), bytes_le16(r), 0 },
			.service = SVSM_GUID_VTPM,
			.manifest_version = bytes_u8(r) % 3,
		},
		.selector = { how & 32 ? base + 0x20 : address(r), bytes_u8(r) % 40, 0 },
	};
	uint64_t at = how & 64 ? WORLD_SMALL + 0x20000 : address(r);

	op.base.service.bytes[0] ^= bytes_u8(r) == 0;
	if (how & 128 && guest_can_write(at, sizeof(op)))
		world_put(at, &op, sizeof(op));
	(void)call_as(r, ATTEST(bytes_u8(r) % 4), at, UINT64_MAX);
}

/* The host does to a page what it likes, but to Socle's own, where that only stops. */
static void host_acts(struct bytes_reader *r)
{
	uint64_t at = (address(r) & ~0xfffull) % MODEL_SIZE;
	bool ours = at >= WORLD_REGION && at < WORLD_REGION + WORLD_REGION_SIZE;

	if (ours)
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

	model_fail_with(op, nth, bytes_u8(r) % 0x20 + 1); /* never a success without effect */
}

/* Replies that the monitor looks into, good but for their sizes now and then. */
static void attest_replies(struct bytes_reader *r, struct world_service *service)
{
	struct attest_reply sizes = { bytes_u8(r) + 1u, bytes_u8(r) };

	memcpy(service->reply, &sizes, sizeof(sizes));
	service->reply_size = sizeof(sizes) + sizes.report_size + sizes.certificates_size;
}

/* What is an answer to a selector is a manifest too, a template, and seeds. */
static void vtpm_replies(struct bytes_reader *r, struct world_service *service)
{
	struct vtpm_select_reply reply = { bytes_u8(r) % 5, bytes_le16(r) % 0x1200, bytes_u8(r) };

	memcpy(service->reply, &reply, sizeof(reply));
	service->reply_size = sizeof(reply) + bytes_le16(r) % 0x1200;
}

static void twin_replies(struct bytes_reader *r, struct world_service *service)
{
	uint32_t code = bytes_u8(r) & 1 ? bytes_le16(r) % 0x1200 : 0;

	memcpy(service->reply, &code, sizeof(code));
	service->reply_size = sizeof(code) + bytes_u8(r);
	service->slices = bytes_u8(r) % 4;
}

/* A prime, into which the monitor does not look. */
static void ahead_replies(struct bytes_reader *r, struct world_service *service)
{
	service->reply_size = bytes_u8(r) & 1 ? sizeof(struct prime_found) : bytes_u8(r);
	service->slices = bytes_u8(r) % 4;
}

/*
 * The low bits of the seed generation say what becomes of a key that was made: the vtpm takes it,
 * or answers as to a selector. And whether there is a prime to be found ahead.
 */
static void vtpm_works(void)
{
	struct world_service *service = world_service(SERVICE_VTPM);
	uint8_t mood = service->reply[offsetof(struct vtpm_select_reply, seed_generation)] & 3;

	if (service->reply_size == 0)
		service->reply_size = sizeof(struct vtpm_select_reply) + 20;
	if (service->op == VTPM_OP_AHEAD_NEXT)
		service->reply_size = mood ? sizeof(struct prime_order) : 0;
	if (service->op == VTPM_OP_AHEAD_FOUND)
		service->reply_size = 0;
	if (service->op == VTPM_OP_REMEMBER && mood > 1)
		service->reply[offsetof(struct vtpm_select_reply, outcome)] = SELECT_MANIFEST;
}

/* A service answers well, or anything. */
static void service_answers(struct bytes_reader *r)
{
	static void (*const replies[SERVICE_ROLES])(struct bytes_reader *,
						    struct world_service *) = {
		[SERVICE_VTPM] = vtpm_replies,
		[SERVICE_ATTEST] = attest_replies,
		[SERVICE_TWIN] = twin_replies,
		[SERVICE_AHEAD] = ahead_replies,
	};
	unsigned int role = bytes_u8(r) % SERVICE_ROLES;
	struct world_service *service = world_service(role);
	bool good = bytes_u8(r) & 3;

	service->status = good ? SERVICE_OK : bytes_u8(r) % 7;
	replies[role](r, service);
	service->while_working = role == SERVICE_VTPM ? vtpm_works : NULL;
	if (!good)
		service->reply_size = bytes_le16(r);
}

/* VMPL0's timer comes on some vCPU, with work ahead to do perhaps, while others use the vtpm. */
static void timer_comes(struct bytes_reader *r)
{
	unsigned int cpu = bytes_u8(r) % WORLD_CPUS;
	uint8_t how = bytes_u8(r);

	model_pass(bytes_u8(r) * 10000000ull);
	if (how & 4)
		ahead_wake(cpu);
	world_service(SERVICE_VTPM)->in_use = (how & 3) == 0;
	if (ahead_turn(cpu)) {
		turns++;
		hold(!ahead_due(cpu) || !ahead_turn(cpu), "a turn right behind a turn", cpu);
	}
	world_service(SERVICE_VTPM)->in_use = false;
}

/* VMPL2 may read it, and may have let VMPL3 do so. */
static bool is_read_only(uint64_t page)
{
	const uint8_t *perms = model_rmp()->entries[page / ABI_PAGE_SIZE].perms;

	return perms[1] == 0 && perms[UPPER] == RMP_PERM_READ &&
	       (perms[LOWER] & ~RMP_PERM_READ) == 0;
}

/* What the guest can reach is its own and valid; what is a VMSA or Socle's it cannot reach. */
static void check_world(void)
{
	for (uint64_t page = 0; page < MODEL_SIZE; page += ABI_PAGE_SIZE) {
		enum guest_page_state state = guest_pages_state(gpa(page));
		bool ours = page >= WORLD_REGION && page < WORLD_REGION + WORLD_REGION_SIZE;
		bool vmsa = rmp_is_vmsa(model_rmp(), page / ABI_PAGE_SIZE);

		/*
		 * A page that could not be given back is taken for ever, with what rights it had.
		 */
		if (ours || state == GUEST_PAGE_INVALID)
			hold(world_guest_barred(page), "guest reaches a page", page);
		if (ours || vmsa)
			hold(state == GUEST_PAGE_TAKEN, "page is not taken", page);
		if (ours && page != WORLD_BOOT_VMSA)
			hold(*model_memory(gpa(page)) == 0, "region was written", page);
		if (vmsa && !ours)
			hold(is_read_only(page), "rights on a VMSA", page);
		if (vmsa)
			hold(model_memory(gpa(page))[0xca] == UPPER ||
				     model_memory(gpa(page))[0xca] == LOWER,
			     "VMPL of a VMSA", page);
	}
}

/* Mostly there is a second level from the start, which has some of the pages that matter. */
static void start(struct bytes_reader *r)
{
	uint8_t how = bytes_u8(r);

	world_start();
	if (!levels_init(UPPER, how & SOCLE_LOWER_KNOWN))
		abort();
	ahead_start(!(how & 0x10));
	if ((how & 0xc) == 0)
		return;
	world_create_lower(how >> 6, WORLD_SMALL + 0x80000, WORLD_SMALL + 0x81000);
	for (uint64_t page = WORLD_SMALL; page <= WORLD_SMALL + 0x20000; page += ABI_PAGE_SIZE)
		world_share(page);
	world_share(WORLD_LOADED);
	world_share(WORLD_LAST_PAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const actions[])(struct bytes_reader *) = {
		guest_calls,   guest_writes,  guest_validates,	  guest_creates,
		guest_creates, guest_deletes, guest_asks_the_tpm, guest_attests,
		host_acts,     fails,	      service_answers,	  guest_validates,
		guest_shares,  guest_shares,  timer_comes,	  timer_comes,
	};
	struct bytes_reader r = bytes_reader_init(data, size);

	start(&r);
	while (bytes_left(&r) > 0)
		actions[bytes_u8(&r) % (sizeof(actions) / sizeof(actions[0]))](&r);
	check_world();
	return 0;
}
