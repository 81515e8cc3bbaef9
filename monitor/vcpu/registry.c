/* SPDX-License-Identifier: MIT */
#include "monitor/vcpu/registry.h"

#include <stddef.h>

#include "monitor/arch/arch.h"
#include "monitor/lock/lock.h"
#include "monitor/mem/guest_pages.h"

/* One VMSA; used is false for a free place. */
struct place {
	struct registry_vcpu vcpu;
	unsigned int cpu;
	bool used;
	bool boot;
	bool entered; /* the run loop of cpu serves a call of it */
};

static struct {
	struct lock lock;
	uint32_t cpu_count;
	struct place places[REGISTRY_VMSAS_MAX];
	struct place *current[REGISTRY_CPUS_MAX]; /* NULL: the CPU has no vCPU of the guest */
	struct place
		*entered[REGISTRY_CPUS_MAX]; /* may differ from current: a newer one was added */
} registry = { .lock = { .rank = LOCK_RANK_REGISTRY } };

static struct place *find_free(void)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		if (!registry.places[i].used)
			return &registry.places[i];
	}
	return NULL;
}

static struct place *find_vmsa(gpa_t vmsa)
{
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++) {
		if (registry.places[i].used && registry.places[i].vcpu.vmsa.raw == vmsa.raw)
			return &registry.places[i];
	}
	return NULL;
}

static enum registry_result can_add(unsigned int cpu)
{
	if (cpu >= registry.cpu_count)
		return REGISTRY_UNKNOWN;
	if (registry.current[cpu] && registry.current[cpu]->boot)
		return REGISTRY_BOOT;
	if (!find_free())
		return REGISTRY_FULL;
	return REGISTRY_OK;
}

static void add(unsigned int cpu, gpa_t vmsa, gpa_t caa, bool boot)
{
	struct place *place = find_free();

	*place = (struct place){
		.vcpu = { .vmsa = vmsa, .caa = caa },
		.cpu = cpu,
		.used = true,
		.boot = boot,
	};
	registry.current[cpu] = place;
}

bool registry_init(uint32_t cpu_count, gpa_t boot_vmsa, gpa_t boot_caa)
{
	enum guest_page_state found;

	if (cpu_count == 0 || cpu_count > REGISTRY_CPUS_MAX)
		return false;
	if (!guest_pages_take(boot_caa, 1, GUEST_PAGE_VALID, &found))
		return false;
	lock_acquire(&registry.lock);
	for (size_t i = 0; i < REGISTRY_VMSAS_MAX; i++)
		registry.places[i] = (struct place){ .used = false };
	for (size_t i = 0; i < REGISTRY_CPUS_MAX; i++)
		registry.current[i] = registry.entered[i] = NULL;
	registry.cpu_count = cpu_count;
	add(0, boot_vmsa, boot_caa, true);
	lock_release(&registry.lock);
	guest_pages_set(boot_caa, 1, GUEST_PAGE_CALLING);
	return true;
}

bool registry_enter(unsigned int cpu, struct registry_vcpu *vcpu)
{
	struct place *place = NULL;

	lock_acquire(&registry.lock);
	if (cpu < registry.cpu_count)
		place = registry.current[cpu];
	if (place) {
		place->entered = true;
		registry.entered[cpu] = place;
		*vcpu = place->vcpu;
	}
	lock_release(&registry.lock);
	return place != NULL;
}

void registry_leave(unsigned int cpu)
{
	lock_acquire(&registry.lock);
	if (cpu < registry.cpu_count && registry.entered[cpu]) {
		registry.entered[cpu]->entered = false;
		registry.entered[cpu] = NULL;
	}
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

enum registry_result registry_can_add(unsigned int cpu)
{
	enum registry_result result;

	lock_acquire(&registry.lock);
	result = can_add(cpu);
	lock_release(&registry.lock);
	return result;
}

enum registry_result registry_add(unsigned int cpu, gpa_t vmsa, gpa_t caa)
{
	enum registry_result result;

	lock_acquire(&registry.lock);
	result = can_add(cpu);
	if (result == REGISTRY_OK) {
		guest_pages_set(caa, 1, GUEST_PAGE_CALLING);
		add(cpu, vmsa, caa, false);
	}
	lock_release(&registry.lock);
	return result;
}

static void set_runnable(gpa_t vmsa, bool runnable)
{
	uint64_t *efer = &arch_vmsa(vmsa)->efer;

	if (runnable)
		__atomic_fetch_or(efer, SNP_VMSA_EFER_SVME, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(efer, ~SNP_VMSA_EFER_SVME, __ATOMIC_SEQ_CST);
}

/*
 * Makes the VMSA a normal page of the guest. Without EFER.SVME the host cannot enter it any more;
 * when it runs already, RMPADJUST refuses, and it must be able to go on.
 */
static enum registry_result release_vmsa(const struct place *place)
{
	gpa_t vmsa = place->vcpu.vmsa;
	uint32_t eax;

	set_runnable(vmsa, false);
	eax = guest_pages_grant(vmsa, ARCH_PAGE_4K);
	if (eax == SNP_RESULT_OK) {
		arch_flush_guest_tlb();
		return REGISTRY_OK;
	}
	set_runnable(vmsa, !place->entered);
	return eax == SNP_RESULT_FAIL_INUSE ? REGISTRY_IN_USE : REGISTRY_FAULT;
}

static void forget(struct place *place)
{
	if (registry.current[place->cpu] == place)
		registry.current[place->cpu] = NULL;
	if (registry.entered[place->cpu] == place)
		registry.entered[place->cpu] = NULL;
	guest_pages_set(place->vcpu.vmsa, 1, GUEST_PAGE_VALID);
	guest_pages_set(place->vcpu.caa, 1, GUEST_PAGE_VALID);
	*place = (struct place){ .used = false };
}

static enum registry_result delete_locked(gpa_t vmsa, unsigned int caller, bool *own)
{
	struct place *place = find_vmsa(vmsa);
	enum registry_result result;

	if (!place)
		return REGISTRY_UNKNOWN;
	if (place->boot)
		return REGISTRY_BOOT;
	*own = caller < registry.cpu_count && registry.entered[caller] == place;
	if (place->entered && !*own)
		return REGISTRY_IN_USE;
	result = release_vmsa(place);
	if (result == REGISTRY_OK)
		forget(place);
	return result;
}

enum registry_result registry_delete(gpa_t vmsa, unsigned int caller, bool *own)
{
	enum registry_result result;

	*own = false;
	lock_acquire(&registry.lock);
	result = delete_locked(vmsa, caller, own);
	lock_release(&registry.lock);
	*own = *own && result == REGISTRY_OK;
	return result;
}

bool registry_remap(unsigned int cpu, gpa_t caa)
{
	struct place *place = NULL;

	lock_acquire(&registry.lock);
	if (cpu < registry.cpu_count)
		place = registry.entered[cpu];
	if (place) {
		guest_pages_set(place->vcpu.caa, 1, GUEST_PAGE_VALID);
		guest_pages_set(caa, 1, GUEST_PAGE_CALLING);
		place->vcpu.caa = caa;
	}
	lock_release(&registry.lock);
	return place != NULL;
}
