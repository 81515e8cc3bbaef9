/* SPDX-License-Identifier: MIT */
#include "monitor/arch/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/limits.h"
#include "monitor/lock/lock.h"

struct scripted_failure {
	unsigned int countdown; /* 0: none */
	uint32_t eax;
};

static struct {
	struct rmp_entry entries[MODEL_PAGES];
	struct rmp rmp;
	model_hook hook;
	void *hook_context;
	bool in_hook;
	struct scripted_failure failures[MODEL_OPS];
	unsigned int cpu;
	struct model_event journal[MODEL_JOURNAL_MAX];
	size_t journal_count;
	uint64_t clock;
	bool alternate;
	struct ghcb_doorbell_vmpl descriptors[MONITOR_CPUS_MAX];
	unsigned int kicks[MONITOR_CPUS_MAX], eois[256];
	struct model_alternate_end ended;
} model;

static uint8_t memory[MODEL_SIZE] __attribute__((aligned(ABI_PAGE_SIZE)));

void model_reset(void)
{
	memset(&model, 0, sizeof(model));
	memset(memory, 0, sizeof(memory));
	model.rmp = (struct rmp){ .entries = model.entries, .count = MODEL_PAGES };
}

void model_set_hook(model_hook hook, void *context)
{
	model.hook = hook;
	model.hook_context = context;
}

void model_fail_with(enum model_op op, unsigned int nth, uint32_t eax)
{
	model.failures[op] = (struct scripted_failure){ .countdown = nth, .eax = eax };
}

void model_fail(enum model_op op, unsigned int nth)
{
	model_fail_with(op, nth, ARCH_RESULT_FAULT);
}

void model_set_cpu(unsigned int cpu)
{
	model.cpu = cpu;
}

const struct model_event *model_journal(size_t *count)
{
	*count = model.journal_count < MODEL_JOURNAL_MAX ? model.journal_count : MODEL_JOURNAL_MAX;
	return model.journal;
}

void model_journal_clear(void)
{
	model.journal_count = 0;
}

uint8_t *model_memory(gpa_t at)
{
	if (at.raw >= MODEL_SIZE)
		abort();
	return &memory[at.raw];
}

struct rmp *model_rmp(void)
{
	return &model.rmp;
}

void model_host_unassign(gpa_t page, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t index = page.raw / ABI_PAGE_SIZE + i;

		if (index < MODEL_PAGES && (model.entries[index].flags & RMP_SIZE_2M))
			(void)rmp_smash(&model.rmp, index);
		(void)rmp_unassign(&model.rmp, index, SNP_PAGE_4K);
	}
}

void model_host_assign(gpa_t page, uint64_t pages)
{
	unsigned int size = pages == RMP_PAGES_2M ? SNP_PAGE_2M : SNP_PAGE_4K;
	uint64_t step = size == SNP_PAGE_2M ? RMP_PAGES_2M : 1;

	for (uint64_t i = 0; i < pages; i += step) {
		uint64_t index = page.raw / ABI_PAGE_SIZE + i;

		if (rmp_assign(&model.rmp, index, size) == SNP_RESULT_OK)
			memset(&memory[index * ABI_PAGE_SIZE], MODEL_SCRAMBLED,
			       step * ABI_PAGE_SIZE);
	}
}

bool model_allows(gpa_t page, unsigned int vmpl, unsigned int perms)
{
	return rmp_access(&model.rmp, page.raw / ABI_PAGE_SIZE, vmpl, perms) == RMP_DONE;
}

/* True when the test's hook and script let the operation happen; else *eax is its result. */
static bool allowed(enum model_op op, gpa_t at, uint64_t size, uint64_t argument, uint32_t *eax)
{
	struct model_event event = { .op = op, .at = at, .size = size, .argument = argument };
	struct scripted_failure *failure = &model.failures[op];
	bool ok = true;

	if (model.journal_count < MODEL_JOURNAL_MAX)
		model.journal[model.journal_count] = event;
	model.journal_count++;
	*eax = ARCH_RESULT_FAULT;
	if (model.hook && !model.in_hook) {
		model.in_hook = true;
		ok = model.hook(model.hook_context, &event);
		model.in_hook = false;
	}
	if (failure->countdown > 0 && --failure->countdown == 0) {
		*eax = failure->eax;
		ok = false;
	}
	return ok;
}

/*
 * The host mends what stopped an instruction by a nested page fault, as it must before the vCPU can
 * go on. False for faults that are the guest's.
 */
static bool host_mends(const struct rmp_outcome *out, uint64_t index, uint64_t pages)
{
	if (out->status == RMP_NEEDS_SMASH)
		return rmp_smash(&model.rmp, index) == SNP_RESULT_OK;
	if (out->status != RMP_NOT_ASSIGNED)
		return false;
	model_host_assign(gpa(index * ABI_PAGE_SIZE), pages);
	if (!(model.entries[index].flags & RMP_ASSIGNED))
		model_host_assign(gpa(index * ABI_PAGE_SIZE), 1);
	return model.entries[index].flags & RMP_ASSIGNED;
}

static uint64_t pages_of(enum arch_page_size size)
{
	return size == ARCH_PAGE_2M ? RMP_PAGES_2M : 1;
}

/* A page is named by its first byte (arch.h). */
static void assert_page(gpa_t page)
{
	if (!gpa_aligned(page, ABI_PAGE_SIZE))
		abort();
}

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	uint64_t index = page.raw / ABI_PAGE_SIZE;
	struct rmp_outcome out;
	uint32_t eax;

	assert_page(page);
	*changed = false;
	if (!allowed(MODEL_PVALIDATE, page, pages_of(size) * ABI_PAGE_SIZE, validate, &eax))
		return eax;
	do {
		out = rmp_pvalidate(&model.rmp, index, size, validate);
	} while (out.status != RMP_DONE && host_mends(&out, index, pages_of(size)));
	if (out.status != RMP_DONE)
		return ARCH_RESULT_FAULT;
	*changed = out.eax == SNP_RESULT_OK && !out.unchanged;
	return out.eax;
}

uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms)
{
	uint64_t index = page.raw / ABI_PAGE_SIZE;
	struct rmp_outcome out;
	uint32_t eax;

	assert_page(page);
	if (!allowed(MODEL_RMPADJUST, page, pages_of(size) * ABI_PAGE_SIZE, vmpl | perms, &eax))
		return eax;
	do {
		out = rmp_adjust(&model.rmp, 0, index, size, vmpl | perms);
	} while (out.status != RMP_DONE && host_mends(&out, index, pages_of(size)));
	return out.status == RMP_DONE ? out.eax : ARCH_RESULT_FAULT;
}

uint32_t arch_rmpquery(gpa_t page, unsigned int vmpl, enum arch_page_size *size, uint64_t *rights)
{
	struct rmp_answer answer = { 0 };
	struct rmp_outcome out;
	uint32_t eax;

	assert_page(page);
	*size = ARCH_PAGE_4K;
	*rights = 0;
	if (!allowed(MODEL_RMPQUERY, page, ABI_PAGE_SIZE, vmpl, &eax))
		return eax;
	out = rmp_query(&model.rmp, 0, page.raw / ABI_PAGE_SIZE, vmpl, &answer);
	if (out.status == RMP_NOT_ASSIGNED)
		model_host_assign(page, 1); /* and it is not validated then */
	if (out.status != RMP_DONE)
		return ARCH_RESULT_FAULT;
	*size = answer.size == SNP_PAGE_2M ? ARCH_PAGE_2M : ARCH_PAGE_4K;
	*rights = answer.rdx & ~SNP_RMPADJUST_VMPL_MASK;
	return out.eax;
}

bool arch_flush_guest_tlb(void)
{
	uint32_t eax;

	return allowed(MODEL_FLUSH, gpa(0), 0, 0, &eax);
}

/*
 * Whether VMPL0 may access the page. The host assigns one that is not assigned, which is not
 * validated then: the access faults now.
 */
static bool page_accessible(uint64_t index, unsigned int perms)
{
	enum rmp_status status = rmp_access(&model.rmp, index, 0, perms);

	if (status == RMP_NOT_ASSIGNED)
		model_host_assign(gpa(index * ABI_PAGE_SIZE), 1);
	return status == RMP_DONE;
}

/* Bytes of [at, at + size) that VMPL0 may access, from at on. */
static size_t accessible(gpa_t at, size_t size, unsigned int perms)
{
	size_t done = 0;

	while (done < size) {
		if (!page_accessible((at.raw + done) / ABI_PAGE_SIZE, perms))
			break;
		done += ABI_PAGE_SIZE - (at.raw + done) % ABI_PAGE_SIZE;
	}
	return done < size ? done : size;
}

bool arch_guest_read(void *to, gpa_t from, size_t size)
{
	size_t part;
	uint32_t eax;

	if (!allowed(MODEL_READ, from, size, 0, &eax))
		return false;
	part = accessible(from, size, RMP_PERM_READ);
	if (part)
		memcpy(to, &memory[from.raw], part);
	return part == size;
}

bool arch_guest_write(gpa_t to, const void *from, size_t size)
{
	size_t part;
	uint32_t eax;

	if (!allowed(MODEL_WRITE, to, size, 0, &eax))
		return false;
	part = accessible(to, size, RMP_PERM_WRITE);
	if (part)
		memcpy(&memory[to.raw], from, part);
	return part == size;
}

bool arch_guest_zero(gpa_t page, size_t size)
{
	size_t part;
	uint32_t eax;

	assert_page(page);
	if (!allowed(MODEL_ZERO, page, size, 0, &eax))
		return false;
	part = accessible(page, size, RMP_PERM_WRITE);
	if (part)
		memset(&memory[page.raw], 0, part);
	return part == size;
}

uint8_t arch_guest_exchange8(gpa_t at, uint8_t value, bool *ok)
{
	uint8_t was;
	uint32_t eax;

	*ok = allowed(MODEL_EXCHANGE, at, 1, value, &eax) &&
	      accessible(at, 1, RMP_PERM_READ | RMP_PERM_WRITE) == 1;
	if (!*ok)
		return 0;
	was = memory[at.raw];
	memory[at.raw] = value;
	return was;
}

bool arch_vmsa_set_runnable(gpa_t vmsa, bool runnable, bool *was)
{
	gpa_t at = gpa(vmsa.raw + offsetof(struct snp_vmsa, efer));
	uint64_t efer;
	uint32_t eax;

	*was = false;
	if (!allowed(MODEL_RUNNABLE, at, sizeof(efer), runnable, &eax) ||
	    accessible(at, sizeof(efer), RMP_PERM_READ | RMP_PERM_WRITE) != sizeof(efer))
		return false;
	memcpy(&efer, &memory[at.raw], sizeof(efer));
	*was = efer & SNP_VMSA_EFER_SVME;
	efer = runnable ? efer | SNP_VMSA_EFER_SVME : efer & ~SNP_VMSA_EFER_SVME;
	memcpy(&memory[at.raw], &efer, sizeof(efer));
	return true;
}

/* The AMD-SP is not modelled: the host says that it is busy. */
uint64_t arch_guest_request(const void *request, void *response, void *certificates,
			    size_t *cert_size)
{
	(void)request;
	(void)response;
	(void)certificates;
	(void)cert_size;
	return (uint64_t)PSP_VMM_ERR_BUSY << 32;
}

bool arch_random(void *to, size_t size)
{
	memset(to, 0x5a, size); /* so that every run of a test is the same */
	return true;
}

uint64_t arch_now_ns(void)
{
	return model.clock += 1000;
}

bool arch_sleep(uint64_t ns)
{
	if (lock_any_held())
		return false;
	model.clock += ns;
	return true;
}

void model_pass(uint64_t ns)
{
	model.clock += ns;
}

unsigned int arch_cpu_index(void)
{
	return model.cpu;
}

uint64_t arch_guest_sev_features(void)
{
	return MODEL_SEV_FEATURES | (model.alternate ? SNP_FEATURE_ALTERNATE_INJECTION : 0);
}

void arch_guest_alternate(bool on)
{
	model.alternate = on;
}

struct ghcb_doorbell_vmpl *arch_guest_descriptor(void)
{
	return &model.descriptors[model.cpu];
}

struct ghcb_doorbell_vmpl *arch_guest_interrupts(void)
{
	return &model.descriptors[model.cpu];
}

unsigned int model_kicks(unsigned int cpu)
{
	return model.kicks[cpu];
}

unsigned int model_eois(uint8_t vector)
{
	return model.eois[vector];
}

struct model_alternate_end model_alternate_ended(void)
{
	return model.ended;
}

void arch_kick(unsigned int cpu)
{
	model.kicks[cpu]++;
}

void arch_specific_eoi(uint8_t vector)
{
	model.eois[vector]++;
}

void arch_alternate_end(uint8_t tpr, bool shadow, bool interrupts)
{
	model.ended = (struct model_alternate_end){ true, tpr, shadow, interrupts };
}

void arch_log_putc(char c)
{
	(void)c;
}

bool arch_host_channel_write(const void *from, size_t size, size_t *moved)
{
	(void)from;
	(void)size;
	*moved = 0;
	return false;
}

bool arch_host_channel_read(void *to, size_t size, size_t *moved)
{
	(void)to;
	(void)size;
	*moved = 0;
	return false;
}

_Noreturn void arch_terminate(uint32_t reason)
{
	(void)reason;
	abort();
}
