/* SPDX-License-Identifier: MIT */
#include "monitor/apic/guest.h"

#include <stddef.h>

#include "abi/svsm.h"
#include "monitor/apic/host.h"
#include "monitor/arch/arch.h"
#include "monitor/base/limits.h"
#include "monitor/lock/lock.h"

#define CAA_NO_EOI_REQUIRED offsetof(struct svsm_caa, no_eoi_required)
/*
 * What the CPU has of a vCPU beyond what it is handed: an interrupt shadow, and an NMI that is
 * handled.
 */
#define OF_THE_CPU (SNP_VINTR_SHADOW | SNP_VINTR_NMI_MASK)
#define NOTHING (-1)
#define RFLAGS_IF (1ull << 9)

struct place {
	struct lock lock;
	struct apic apic;
	bool emulated;	/* atomic: read without the lock */
	bool given;	/* to the host: what is sent to it by others has no way there */
	int queued;	/* the vector that the VMSA has as V_IRQ, or NOTHING */
	bool flag;	/* no_eoi_required may be set */
	uint64_t event; /* withdrawn: what EVENTINJ has to have; not ours to take back */
};

static struct {
	uint32_t cpu_count;	/* 0: the image has no such guest */
	uint32_t registrations; /* atomic */
	struct place places[MONITOR_CPUS_MAX];
} guest;

void guest_apic_init(uint32_t cpu_count)
{
	guest.cpu_count = cpu_count;
	guest.registrations = 1;
	for (unsigned int cpu = 0; cpu < MONITOR_CPUS_MAX; cpu++) {
		guest.places[cpu] = (struct place){
			.lock = { .rank = LOCK_RANK_APIC },
			.queued = NOTHING,
		};
		apic_reset(&guest.places[cpu].apic, cpu);
	}
	if (cpu_count != 0)
		guest_apic_start(0);
}

bool guest_apic_wanted(void)
{
	return guest.cpu_count != 0;
}

static struct place *begin(unsigned int cpu)
{
	struct place *place = &guest.places[cpu];

	lock_acquire(&place->lock);
	return place;
}

static void finish(struct place *place)
{
	lock_release(&place->lock);
}

void guest_apic_start(unsigned int cpu)
{
	struct place *place;

	if (cpu >= guest.cpu_count)
		return;
	place = begin(cpu);
	apic_reset(&place->apic, cpu);
	place->queued = NOTHING;
	place->flag = false;
	place->event = 0;
	place->given = __atomic_load_n(&guest.registrations, __ATOMIC_ACQUIRE) == 0;
	__atomic_store_n(&place->emulated, !place->given, __ATOMIC_RELEASE);
	finish(place);
}

bool guest_apic_emulated(unsigned int cpu)
{
	return cpu < guest.cpu_count &&
	       __atomic_load_n(&guest.places[cpu].emulated, __ATOMIC_ACQUIRE);
}

static bool read_field(gpa_t vmsa, size_t offset, uint64_t *value)
{
	return arch_guest_read(value, gpa(vmsa.raw + offset), sizeof(*value));
}

static bool write_field(gpa_t vmsa, size_t offset, uint64_t value)
{
	return arch_guest_write(gpa(vmsa.raw + offset), &value, sizeof(value));
}

/*
 * The flag as the guest left it, cleared in the same step. One that cannot be read was not cleared.
 */
static void end_lazy(struct place *place, gpa_t caa)
{
	struct apic_effects e; /* of an interrupt whose end the host waits for no flag was set */
	uint8_t flag = 1;
	bool ok;

	if (place->flag) {
		flag = arch_guest_exchange8(gpa(caa.raw + CAA_NO_EOI_REQUIRED), 0, &ok);
		flag = ok ? flag : 1;
	}
	place->flag = false;
	apic_end_lazy(&place->apic, flag, &e);
}

static void offer_lazy(struct place *place, gpa_t caa)
{
	bool ok;

	if (!apic_offer_lazy(&place->apic))
		return;
	(void)arch_guest_exchange8(gpa(caa.raw + CAA_NO_EOI_REQUIRED), 1, &ok);
	place->flag = ok;
}

/*
 * An event that an exit cut has left IRR for good, and comes again as it was. So does one of
 * EVENTINJ that the CPU has not seen yet. A virtual interrupt and a virtual NMI that still stand go
 * back.
 */
static void take_back(struct place *place, uint64_t vintr, uint64_t event_inj, uint64_t cut)
{
	place->event = 0;
	if (vintr & SNP_VINTR_BUSY)
		place->event = cut;
	else if (event_inj & SVM_EVENT_VALID)
		place->event = event_inj;
	if (place->queued != NOTHING && (vintr & SNP_VINTR_IRQ))
		apic_untake(&place->apic, (uint8_t)place->queued);
	place->queued = NOTHING;
	place->apic.nmi |= (vintr & SNP_VINTR_NMI) != 0;
	apic_set_class(&place->apic, vintr & SNP_VINTR_TPR_MASK);
}

bool guest_apic_withdraw(unsigned int cpu, const struct registry_vcpu *vcpu)
{
	uint64_t vintr, event_inj, cut;
	struct ghcb_doorbell_vmpl *descriptor;
	struct place *place;

	if (!guest_apic_emulated(cpu))
		return true;
	if (!read_field(vcpu->vmsa, offsetof(struct snp_vmsa, vintr_ctrl), &vintr) ||
	    !read_field(vcpu->vmsa, offsetof(struct snp_vmsa, event_inj), &event_inj) ||
	    !read_field(vcpu->vmsa, offsetof(struct snp_vmsa, exit_int_info), &cut))
		return false;
	descriptor = arch_guest_interrupts();
	place = begin(cpu);
	take_back(place, vintr, event_inj, cut);
	end_lazy(place, vcpu->caa);
	if (descriptor != NULL)
		apic_host_collect(&place->apic, descriptor);
	finish(place);
	return true;
}

/* What waits, as a virtual interrupt; also one that V_TPR still keeps out. */
static uint64_t queue(struct place *place)
{
	int vector = apic_next(&place->apic);

	if (vector < 0)
		return 0;
	apic_take(&place->apic, (uint8_t)vector);
	place->queued = vector;
	return SNP_VINTR_IRQ | (uint64_t)(vector >> 4) << SNP_VINTR_PRIORITY_SHIFT |
	       (uint64_t)vector << SNP_VINTR_VECTOR_SHIFT;
}

/* The CPU takes it when the handler of the one before is through (APM volume 2, 15.21.10). */
static uint64_t queue_nmi(struct place *place)
{
	bool nmi = place->apic.nmi;

	place->apic.nmi = false;
	return SNP_VINTR_NMI_ENABLE | (nmi ? SNP_VINTR_NMI : 0);
}

bool guest_apic_present(unsigned int cpu, const struct registry_vcpu *vcpu)
{
	uint64_t vintr, event;
	struct place *place;

	if (!guest_apic_emulated(cpu))
		return true;
	if (!read_field(vcpu->vmsa, offsetof(struct snp_vmsa, vintr_ctrl), &vintr))
		return false;
	place = begin(cpu);
	vintr = (vintr & OF_THE_CPU) | SNP_VINTR_GIF | place->apic.tpr >> 4;
	vintr |= queue(place) | queue_nmi(place);
	event = place->event;
	offer_lazy(place, vcpu->caa);
	finish(place);
	return write_field(vcpu->vmsa, offsetof(struct snp_vmsa, event_inj), event) &&
	       write_field(vcpu->vmsa, offsetof(struct snp_vmsa, vintr_ctrl), vintr);
}

bool guest_apic_read(unsigned int cpu, uint64_t reg, uint64_t *value)
{
	struct place *place = begin(cpu);
	bool there = apic_read(&place->apic, reg, value);

	finish(place);
	return there;
}

/* The order is what the header says: first IRR, then the host. False: this APIC is the host's. */
static bool send_to(unsigned int from, unsigned int to, const struct apic_ipi *ipi)
{
	struct place *place = begin(to);
	bool emulated = place->emulated, given = place->given;

	if (emulated)
		apic_request(&place->apic, ipi);
	finish(place);
	if (emulated && to != from)
		arch_kick(to);
	return !given;
}

static enum guest_apic_result send(unsigned int from, const struct apic_ipi *ipi)
{
	enum guest_apic_result result = GUEST_APIC_DONE;

	for (unsigned int to = 0; to < guest.cpu_count; to++)
		if (apic_reaches(ipi, from, to) && !send_to(from, to, ipi))
			result = GUEST_APIC_GIVEN;
	return result;
}

enum guest_apic_result guest_apic_write(unsigned int cpu, uint64_t reg, uint64_t value)
{
	struct place *place = begin(cpu);
	struct apic_effects e;
	bool done = apic_write(&place->apic, reg, value, &e);

	finish(place);
	if (!done)
		return GUEST_APIC_REFUSED;
	if (e.host_eoi)
		arch_specific_eoi(e.host_vector);
	return e.sent ? send(cpu, &e.ipi) : GUEST_APIC_DONE;
}

bool guest_apic_configure_vector(unsigned int cpu, uint64_t rcx)
{
	struct place *place = begin(cpu);
	bool done = apic_configure_vector(&place->apic, rcx);

	finish(place);
	return done;
}

bool guest_apic_register(void)
{
	uint32_t count = __atomic_load_n(&guest.registrations, __ATOMIC_ACQUIRE);

	do {
		if (count == 0 || count == UINT32_MAX)
			return false;
	} while (!__atomic_compare_exchange_n(&guest.registrations, &count, count + 1, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

void guest_apic_deregister(void)
{
	uint32_t count = __atomic_load_n(&guest.registrations, __ATOMIC_ACQUIRE);

	do {
		if (count == 0)
			return;
	} while (!__atomic_compare_exchange_n(&guest.registrations, &count, count - 1, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (count == 1)
		arch_guest_alternate(false); /* of VMSAs that are yet to be */
}

bool guest_apic_settle(unsigned int cpu, gpa_t vmsa)
{
	struct ghcb_doorbell_vmpl *descriptor;
	uint64_t vintr, rflags, features;
	struct place *place;
	uint8_t tpr;

	if (__atomic_load_n(&guest.registrations, __ATOMIC_ACQUIRE) != 0)
		return true;
	if (!read_field(vmsa, offsetof(struct snp_vmsa, vintr_ctrl), &vintr) ||
	    !read_field(vmsa, offsetof(struct snp_vmsa, rflags), &rflags) ||
	    !read_field(vmsa, offsetof(struct snp_vmsa, sev_features), &features))
		return false;
	place = begin(cpu);
	place->given = true;
	__atomic_store_n(&place->emulated, false, __ATOMIC_RELEASE);
	tpr = place->apic.tpr;
	descriptor = arch_guest_descriptor();
	if (descriptor != NULL)
		apic_host_hand_over(&place->apic, descriptor);
	finish(place);
	arch_alternate_end(tpr, vintr & SNP_VINTR_SHADOW, rflags & RFLAGS_IF);
	return write_field(vmsa, offsetof(struct snp_vmsa, vintr_ctrl), tpr >> 4) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, event_inj), 0) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, sev_features),
			   features & ~SNP_FEATURE_ALTERNATE_INJECTION);
}
