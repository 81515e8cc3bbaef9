/* SPDX-License-Identifier: MIT */
#include "monitor/arch/model/tests/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/die.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/mem/secret.h"
#include "monitor/protocol/ahead.h"
#include "monitor/vcpu/registry.h"

static struct world_service services[SERVICE_ROLES];
static uint8_t states[MODEL_PAGES];

static const struct socle_params params = {
	.region = { WORLD_REGION, WORLD_REGION_SIZE },
	.cpu_count = WORLD_CPUS,
	.ram_count = 2,
	.loaded_count = 1,
	.ram = { { 0, 8 * MIB }, { 10 * MIB, 6 * MIB } },
	.loaded = { { WORLD_LOADED, 1 * MIB } },
};

/* Nothing that a test does as guest or host may end the monitor. */
_Noreturn void die(enum die_reason reason, const char *why)
{
	fprintf(stderr, "the monitor died: %d: %s\n", reason, why);
	abort();
}

static void need(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "the world cannot be: %s\n", what);
		abort();
	}
}

static void launch_pages(uint64_t at, uint64_t size)
{
	for (uint64_t page = at; page < at + size; page += ABI_PAGE_SIZE) {
		need(rmp_launch_page(model_rmp(), page / ABI_PAGE_SIZE, false) == SNP_RESULT_OK,
		     "launch page");
	}
}

static void validate(uint64_t at, enum arch_page_size size)
{
	uint64_t pages = size == ARCH_PAGE_2M ? RMP_PAGES_2M : 1;
	enum guest_page_state found;
	bool changed;

	need(guest_pages_take(gpa(at), pages, GUEST_PAGE_INVALID, &found), "take");
	need(guest_pages_validate(gpa(at), size, false, &changed) == SNP_RESULT_OK && changed,
	     "validate");
}

static void launch(void)
{
	launch_pages(WORLD_REGION, WORLD_REGION_SIZE);
	need(rmp_launch_page(model_rmp(), WORLD_BOOT_VMSA / ABI_PAGE_SIZE, true) == SNP_RESULT_OK,
	     "boot VMSA");
	launch_pages(WORLD_LOADED, 1 * MIB);
	for (uint64_t page = WORLD_LOADED; page < 2 * MIB; page += ABI_PAGE_SIZE)
		need(guest_pages_grant(gpa(page), ARCH_PAGE_4K) == SNP_RESULT_OK, "grant");
	validate(WORLD_LARGE, ARCH_PAGE_2M);
	for (uint64_t page = WORLD_SMALL; page < WORLD_SMALL + MIB; page += ABI_PAGE_SIZE)
		validate(page, ARCH_PAGE_4K);
	validate(WORLD_LAST_PAGE, ARCH_PAGE_4K);
}

/* As die() does, whose list has the state of commands in turns. */
static void forget_commands(void)
{
	static bool listed;

	if (!listed) {
		svsm_vtpm_init();
		ahead_init();
	}
	listed = true;
	secret_wipe();
}

void world_start(void)
{
	/* What an earlier world left unfinished. */
	for (uint64_t page = 0; page < MODEL_SIZE; page += ABI_PAGE_SIZE)
		svsm_attest_forget_vcpu(gpa(page));
	forget_commands();
	model_reset();
	memset(services, 0, sizeof(services));
	for (size_t i = 0; i < SERVICE_ROLES; i++)
		services[i].available = true;
	need(guest_pages_init(&params, states, sizeof(states)), "states of pages");
	launch();
	world_put_vmsa(WORLD_BOOT_VMSA);
	need(registry_init(WORLD_CPUS, gpa(WORLD_BOOT_VMSA), gpa(WORLD_BOOT_CAA)), "registry");
	model_journal_clear();
}

struct world_service *world_service(enum service_role role)
{
	return &services[role];
}

bool service_available(enum service_role role)
{
	return services[role].available;
}

/* A copy of exactly the reply's size, on the heap, so that sanitizers watch over it. */
static void answer_now(struct world_service *service, struct service_answer *answer)
{
	uint8_t *copy = NULL;

	if (service->while_working)
		service->while_working();
	*answer = (struct service_answer){ .status = service->status };
	if (!service->available)
		answer->status = SERVICE_ERR_FAILED;
	if (answer->status != SERVICE_OK)
		return;
	copy = malloc(service->reply_size ? service->reply_size : 1);
	need(copy, "memory");
	memcpy(copy, service->reply, service->reply_size);
	answer->payload = copy;
	answer->size = service->reply_size;
}

static enum service_status take_request(struct world_service *service, uint32_t op,
					const void *payload, size_t size)
{
	need(size <= sizeof(service->payload), "request size");
	if (!service->available)
		return SERVICE_ERR_FAILED;
	if (service->suspended && service == &services[SERVICE_TWIN])
		return SERVICE_ERR_BUSY;
	if (service->suspended) { /* it comes to its end first (service/call.h) */
		service->suspended = false;
		service->is_kept = true;
		answer_now(service, &service->kept);
	}
	service->calls++;
	service->op = op;
	if (size)
		memcpy(service->payload, payload, size);
	service->payload_size = size;
	return SERVICE_OK;
}

void service_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		 struct service_answer *answer)
{
	struct world_service *service = &services[role];

	*answer = (struct service_answer){ .status = take_request(service, op, payload, size) };
	if (answer->status == SERVICE_OK)
		answer_now(service, answer);
}

void service_answer_free(struct service_answer *answer)
{
	free((void *)(uintptr_t)answer->payload);
	*answer = (struct service_answer){ .status = SERVICE_OK };
}

enum service_status service_call(enum service_role role, uint32_t op, const void *payload,
				 size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	struct service_answer answer;
	enum service_status status;

	service_ask(role, op, payload, size, &answer);
	status = answer.size > reply_max ? SERVICE_ERR_NO_MEMORY : answer.status;
	*reply_size = answer.size;
	if (answer.size != 0 && answer.size <= reply_max)
		memcpy(reply, answer.payload, answer.size);
	service_answer_free(&answer);
	return status;
}

void service_try_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		     struct service_answer *answer)
{
	*answer = (struct service_answer){ .status = SERVICE_ERR_BUSY };
	if (!services[role].in_use && !services[role].suspended)
		service_ask(role, op, payload, size, answer);
}

enum service_status service_try(enum service_role role, uint32_t op, const void *payload,
				size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	*reply_size = 0;
	if (services[role].in_use || services[role].suspended)
		return SERVICE_ERR_BUSY;
	return service_call(role, op, payload, size, reply, reply_max, reply_size);
}

enum service_progress service_call_start(enum service_role role, uint32_t op, const void *payload,
					 size_t size, bool keep, struct service_answer *answer)
{
	struct world_service *service = &services[role];

	(void)keep;
	*answer = (struct service_answer){ .status = take_request(service, op, payload, size) };
	if (answer->status != SERVICE_OK)
		return SERVICE_FINISHED;
	service->suspended = true;
	return service_call_continue(role, answer);
}

enum service_progress service_call_continue(enum service_role role, struct service_answer *answer)
{
	struct world_service *service = &services[role];

	*answer = (struct service_answer){ .status = SERVICE_ERR_FAILED };
	if (service->is_kept) {
		*answer = service->kept;
		service->is_kept = false;
	}
	if (!service->suspended)
		return SERVICE_FINISHED;
	if (service->slices > 0) {
		service->slices--;
		if (service->while_working)
			service->while_working();
		*answer = (struct service_answer){ .status = SERVICE_OK };
		return SERVICE_PENDING;
	}
	service->suspended = false;
	answer_now(service, answer);
	return SERVICE_FINISHED;
}

void service_give_up(enum service_role role, const char *why)
{
	(void)why;
	services[role].available = false;
}

void service_call_abort(enum service_role role)
{
	services[role].aborts += services[role].suspended;
	services[role].suspended = false;
}

/* As run/serve.c does it, but unseen by hooks and journal. */
static void put_svme(gpa_t vmsa, bool svme)
{
	uint8_t *efer = model_memory(gpa(vmsa.raw + offsetof(struct snp_vmsa, efer) + 1));

	*efer = (uint8_t)(svme ? *efer | 0x10 : *efer & ~0x10);
}

struct svsm_call world_call(unsigned int cpu, uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	return world_level_call(guest_vmpl(), cpu, rax, rcx, rdx, r8);
}

struct svsm_call world_level_call(unsigned int vmpl, unsigned int cpu, uint64_t rax, uint64_t rcx,
				  uint64_t rdx, uint64_t r8)
{
	struct registry_vcpu vcpu;

	model_set_cpu(cpu);
	need(registry_enter(cpu, vmpl, &vcpu), "the caller has a vCPU");

	struct svsm_call call = {
		.rax = rax,
		.rcx = rcx,
		.rdx = rdx,
		.r8 = r8,
		.caller = { .cpu = cpu, .vmpl = vmpl, .vmsa = vcpu.vmsa, .caa = vcpu.caa },
	};

	put_svme(vcpu.vmsa, false);
	svsm_dispatch(&call, 1);
	if (!call.caller_deleted)
		put_svme(vcpu.vmsa, true);
	registry_leave(cpu, vmpl);
	return call;
}

uint32_t world_core(uint32_t call, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	return (uint32_t)world_call(0, CORE(call), rcx, rdx, r8).rax;
}

void world_put(uint64_t at, const void *from, size_t size)
{
	need(at + size <= MODEL_SIZE, "guest memory");
	memcpy(model_memory(gpa(at)), from, size);
}

void world_get(void *to, uint64_t at, size_t size)
{
	need(at + size <= MODEL_SIZE, "guest memory");
	memcpy(to, model_memory(gpa(at)), size);
}

void world_put_vmsa(uint64_t page)
{
	world_put_vmsa_of(page, (uint8_t)guest_vmpl());
}

void world_put_vmsa_of(uint64_t page, uint8_t vmpl)
{
	struct snp_vmsa vmsa = { .vmpl = vmpl,
				 .efer = 1ull << 12,
				 .sev_features = MODEL_SEV_FEATURES };

	world_put(page, &vmsa, sizeof(vmsa));
}

void world_create(unsigned int cpu, uint64_t vmsa, uint64_t caa)
{
	world_put_vmsa(vmsa);
	need(world_core(SVSM_CORE_CREATE_VCPU, vmsa, caa, cpu) == SVSM_SUCCESS, "create vCPU");
}

void world_share_as(uint64_t page, unsigned int perms)
{
	uint64_t rdx = 3 | (uint64_t)perms << RMP_PERM_SHIFT;
	struct rmp_outcome out;

	out = rmp_adjust(model_rmp(), guest_vmpl(), page / ABI_PAGE_SIZE, SNP_PAGE_4K, rdx);
	need(out.status == RMP_DONE && out.eax == SNP_RESULT_OK, "RMPADJUST of the first level");
}

void world_share(uint64_t page)
{
	world_share_as(page, RMP_PERM_ALL);
}

void world_create_lower(unsigned int cpu, uint64_t vmsa, uint64_t caa)
{
	world_put_vmsa_of(vmsa, 3);
	need(world_core(SVSM_CORE_CREATE_VCPU, vmsa, caa, cpu) == SVSM_SUCCESS,
	     "create a vCPU at VMPL3");
	world_share(caa);
}

void world_put_list(uint64_t list, uint16_t count, uint16_t next, const uint64_t *entries)
{
	struct svsm_pvalidate_list header = { .entries = count, .next = next };

	world_put(list, &header, sizeof(header));
	if (count)
		world_put(list + sizeof(header), entries, count * sizeof(*entries));
}

bool world_guest_owns(uint64_t page)
{
	return model_allows(gpa(page), 2, RMP_PERM_ALL);
}

/* The rights that VMPL1 to VMPL3 have, four bits for each. */
static unsigned int rights(uint64_t page)
{
	unsigned int all = 0;

	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++) {
		for (unsigned int perm = 1; perm <= RMP_PERM_EXEC_SUPER; perm <<= 1) {
			if (model_allows(gpa(page), vmpl, perm))
				all |= perm << 4 * vmpl;
		}
	}
	return all;
}

bool world_guest_barred(uint64_t page)
{
	return rights(page) == 0;
}

bool world_guest_reads(uint64_t page)
{
	return rights(page) == RMP_PERM_READ << 8;
}
