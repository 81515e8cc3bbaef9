/* SPDX-License-Identifier: MIT */
#include "monitor/vcpu/registry.h"

#include <stddef.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/lock/lock.h"
#include "monitor/mem/guest_pages.h"

/* One VMSA; used is false for a free place. */
struct place {
	struct registry_vcpu vcpu;
	unsigned int cpu, vmpl;
	unsigned int by; /* the level that made it */
	bool used;
	bool made; /* committed: before that it is only reserved */
	bool boot;
	bool entered; /* the run loop of cpu serves a call of it */
};

static struct {
	struct lock lock;
	uint32_t cpu_count;
	struct place places[REGISTRY_VMSAS_MAX];
	/* By APIC id and level. NULL: there is no such vCPU of the guest. */
	struct place *current[MONITOR_CPUS_MAX][SNP_VMPL_COUNT];
	/* May differ from current: a newer one was added. */
	struct place *entered[MONITOR_CPUS_MAX][SNP_VMPL_COUNT];
} registry = { .lock = { .rank = LOCK_RANK_REGISTRY } };

static struct place *find_free(void)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		if (!registry.places[i].used)
			return &registry.places[i];
	}
	return NULL;
}

/* Whether by has made as many as it may. */
static bool has_its_share(unsigned int by)
{
	unsigned int made = 0;

	if (!level_is_lower(by))
		return false;
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++)
		made += registry.places[i].used && registry.places[i].by == by;
	return made >= REGISTRY_VMSAS_LOWER_MAX;
}

static struct place *find_vmsa(gpa_t vmsa)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		if (registry.places[i].used && registry.places[i].vcpu.vmsa.raw == vmsa.raw)
			return &registry.places[i];
	}
	return NULL;
}

/* That of a VMSA whose caller has reserved it, and has neither committed nor cancelled it yet. */
static struct place *find_reserved(gpa_t vmsa)
{
	struct place *place = find_vmsa(vmsa);

	assert_own(place && !place->made, "a VMSA that is made was reserved");
	return place;
}

static bool is_vcpu(unsigned int cpu, unsigned int vmpl)
{
	return cpu < registry.cpu_count && vmpl < SNP_VMPL_COUNT;
}

static struct place *find_entered(unsigned int cpu, unsigned int vmpl)
{
	return is_vcpu(cpu, vmpl) ? registry.entered[cpu][vmpl] : NULL;
}

/* ---- Calling areas ---- */

static bool has_caa(const struct place *place, gpa_t caa)
{
	return place->used && place->vcpu.caa.raw == caa.raw;
}

static bool vcpu_has_caa(unsigned int cpu, unsigned int vmpl, gpa_t caa)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		const struct place *place = &registry.places[i];

		if (has_caa(place, caa) && place->cpu == cpu && place->vmpl == vmpl)
			return true;
	}
	return false;
}

/* One place fewer has it; a page that no place has is a plain page again. */
static void release_caa(gpa_t caa)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		if (has_caa(&registry.places[i], caa))
			return;
	}
	guest_pages_set(caa, 1, GUEST_PAGE_VALID);
}

/*
 * Nobody else may have the page before its byte is written, and no call be pending in it before it
 * is anybody's calling area. Who could not write that byte gets it written by nobody, also where
 * the area is this vCPU's already: the first level may have taken it back.
 */
static enum registry_result hold_caa(unsigned int cpu, unsigned int vmpl, unsigned int by,
				     gpa_t caa)
{
	const uint64_t use = SNP_RMPADJUST_READ | SNP_RMPADJUST_WRITE;
	bool shared = vcpu_has_caa(cpu, vmpl, caa), ok;
	enum guest_page_state found;

	if (shared && (guest_pages_rights(caa, ARCH_PAGE_4K, by) & use) != use)
		return REGISTRY_ADDRESS;
	if (!shared && !guest_pages_take_for(by, caa, ARCH_PAGE_4K, use, &found))
		return REGISTRY_ADDRESS;
	(void)arch_guest_exchange8(caa, 0, &ok);
	if (!shared)
		guest_pages_set(caa, 1, ok ? GUEST_PAGE_CALLING : GUEST_PAGE_VALID);
	return ok ? REGISTRY_OK : REGISTRY_FAULT;
}

/* ---- Start and service ---- */

static void fill(struct place *place, unsigned int cpu, unsigned int vmpl, unsigned int by,
		 gpa_t vmsa, gpa_t caa)
{
	*place = (struct place){
		.vcpu = { .vmsa = vmsa, .caa = caa },
		.cpu = cpu,
		.vmpl = vmpl,
		.by = by,
		.used = true,
	};
}

static void make_current(struct place *place)
{
	place->made = true;
	registry.current[place->cpu][place->vmpl] = place;
}

static void start_empty(uint32_t cpu_count)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++)
		registry.places[i] = (struct place){ .used = false };
	for (size_t i = 0; i < MONITOR_CPUS_MAX; i++) {
		for (size_t vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			registry.current[i][vmpl] = registry.entered[i][vmpl] = NULL;
	}
	registry.cpu_count = cpu_count;
}

bool registry_init(uint32_t cpu_count, gpa_t boot_vmsa, gpa_t boot_caa)
{
	enum guest_page_state found;

	if (cpu_count == 0 || cpu_count > MONITOR_CPUS_MAX)
		return false;
	if (!guest_pages_take(boot_caa, 1, GUEST_PAGE_VALID, &found))
		return false;
	lock_acquire(&registry.lock);
	start_empty(cpu_count);
	fill(&registry.places[0], 0, guest_vmpl(), guest_vmpl(), boot_vmsa, boot_caa);
	registry.places[0].boot = true;
	make_current(&registry.places[0]);
	lock_release(&registry.lock);
	guest_pages_set(boot_caa, 1, GUEST_PAGE_CALLING);
	return true;
}

bool registry_enter(unsigned int cpu, unsigned int vmpl, struct registry_vcpu *vcpu)
{
	struct place *place = NULL;

	lock_acquire(&registry.lock);
	if (is_vcpu(cpu, vmpl))
		place = registry.current[cpu][vmpl];
	if (place) {
		place->entered = true;
		registry.entered[cpu][vmpl] = place;
		*vcpu = place->vcpu;
	}
	lock_release(&registry.lock);
	return place != NULL;
}

void registry_leave(unsigned int cpu, unsigned int vmpl)
{
	struct place *place;

	lock_acquire(&registry.lock);
	place = find_entered(cpu, vmpl);
	if (place) {
		place->entered = false;
		registry.entered[cpu][vmpl] = NULL;
	}
	lock_release(&registry.lock);
}

static void forget(struct place *place)
{
	struct place **current = &registry.current[place->cpu][place->vmpl];
	struct place **entered = &registry.entered[place->cpu][place->vmpl];
	gpa_t caa = place->vcpu.caa;

	if (*current == place)
		*current = NULL;
	if (*entered == place)
		*entered = NULL;
	*place = (struct place){ .used = false };
	release_caa(caa);
}

void registry_end(unsigned int cpu, unsigned int vmpl)
{
	struct place *place;

	lock_acquire(&registry.lock);
	place = find_entered(cpu, vmpl);
	if (place)
		forget(place);
	lock_release(&registry.lock);
}

bool registry_is_vmsa(gpa_t page)
{
	bool is;

	lock_acquire(&registry.lock);
	is = find_vmsa(page) != NULL;
	lock_release(&registry.lock);
	return is;
}

/* ---- Creation ---- */

static enum registry_result reserve(unsigned int cpu, unsigned int vmpl, unsigned int by,
				    gpa_t vmsa, gpa_t caa)
{
	struct place *place = find_free();
	enum registry_result result;

	if (!is_vcpu(cpu, vmpl))
		return REGISTRY_UNKNOWN;
	if (registry.current[cpu][vmpl] && registry.current[cpu][vmpl]->boot)
		return REGISTRY_BOOT;
	if (!place || has_its_share(by))
		return REGISTRY_FULL;
	result = hold_caa(cpu, vmpl, by, caa);
	if (result == REGISTRY_OK)
		fill(place, cpu, vmpl, by, vmsa, caa);
	return result;
}

enum registry_result registry_reserve(unsigned int cpu, unsigned int vmpl, unsigned int by,
				      gpa_t vmsa, gpa_t caa)
{
	enum registry_result result;

	lock_acquire(&registry.lock);
	result = reserve(cpu, vmpl, by, vmsa, caa);
	lock_release(&registry.lock);
	return result;
}

void registry_commit(gpa_t vmsa)
{
	lock_acquire(&registry.lock);
	make_current(find_reserved(vmsa));
	lock_release(&registry.lock);
}

void registry_cancel(gpa_t vmsa)
{
	lock_acquire(&registry.lock);
	forget(find_reserved(vmsa));
	lock_release(&registry.lock);
}

/* ---- Deletion ---- */

/*
 * The page is the first level's alone, whatever that has let others do with the VMSA. One of which
 * that cannot be said is nobody's.
 */
static enum registry_result bar_lower(gpa_t page)
{
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (level_is_lower(vmpl) &&
		    arch_rmpadjust(page, ARCH_PAGE_4K, vmpl, 0) != SNP_RESULT_OK)
			return REGISTRY_GONE;
	}
	return REGISTRY_OK;
}

/*
 * Makes the VMSA a normal page of the guest. The caller flushes: a less privileged level may lose
 * rights. Without EFER.SVME the host cannot enter it any more; when it runs already,
 * RMPADJUST refuses, and it must be able to go on.
 */
static enum registry_result release_vmsa(const struct place *place)
{
	gpa_t vmsa = place->vcpu.vmsa;
	uint32_t eax = ARCH_RESULT_FAULT;
	bool was;

	if (arch_vmsa_set_runnable(vmsa, false, &was))
		eax = guest_pages_grant(vmsa, ARCH_PAGE_4K);
	if (eax == SNP_RESULT_OK)
		return bar_lower(vmsa);
	if (eax == ARCH_RESULT_FAULT)
		return REGISTRY_GONE;
	if (!place->entered)
		(void)arch_vmsa_set_runnable(vmsa, true, &was);
	return eax == SNP_RESULT_FAIL_INUSE ? REGISTRY_IN_USE : REGISTRY_FAULT;
}

static enum registry_result delete_locked(gpa_t vmsa, unsigned int caller, unsigned int vmpl,
					  bool *own)
{
	struct place *place = find_vmsa(vmsa);
	enum registry_result result;

	if (!place || !place->made || place->vmpl < vmpl)
		return REGISTRY_UNKNOWN;
	if (place->boot)
		return REGISTRY_BOOT;
	*own = find_entered(caller, vmpl) == place;
	if (place->entered && !*own)
		return REGISTRY_IN_USE;
	result = release_vmsa(place);
	if (result == REGISTRY_OK)
		guest_pages_set(vmsa, 1, GUEST_PAGE_VALID);
	if (result == REGISTRY_OK || (result == REGISTRY_GONE && !*own))
		forget(place);
	return result;
}

enum registry_result registry_delete(gpa_t vmsa, unsigned int caller, unsigned int vmpl, bool *own)
{
	enum registry_result result;

	*own = false;
	lock_acquire(&registry.lock);
	result = delete_locked(vmsa, caller, vmpl, own);
	lock_release(&registry.lock);
	*own = *own && result == REGISTRY_OK;
	return result;
}

/* ---- Another calling area ---- */

static enum registry_result remap(struct place *place, gpa_t caa)
{
	gpa_t old = place->vcpu.caa;
	enum registry_result result;

	if (old.raw == caa.raw)
		return REGISTRY_OK;
	result = hold_caa(place->cpu, place->vmpl, place->vmpl, caa);
	if (result != REGISTRY_OK)
		return result;
	place->vcpu.caa = caa;
	release_caa(old);
	return REGISTRY_OK;
}

enum registry_result registry_remap(unsigned int cpu, unsigned int vmpl, gpa_t caa)
{
	enum registry_result result = REGISTRY_UNKNOWN;
	struct place *place;

	lock_acquire(&registry.lock);
	place = find_entered(cpu, vmpl);
	if (place)
		result = remap(place, caa);
	lock_release(&registry.lock);
	return result;
}
