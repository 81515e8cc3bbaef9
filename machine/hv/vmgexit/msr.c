/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/pv_eoi.h"
#include "machine/hv/vmgexit/kvm_clock.h"

#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu

/* Values that do not change; writes vanish. */
struct constant_msr {
	uint32_t first, last;
	uint64_t value;
};

static const struct constant_msr constants[] = {
	{ 0x0000008b, 0x0000008b, 0 },	     /* PATCH_LEVEL */
	{ 0x000000fe, 0x000000fe, 0 },	     /* MTRRcap: neither fixed nor variable ranges */
	{ 0x00000179, 0x0000017a, 0 },	     /* MCG_CAP: no banks; MCG_STATUS */
	{ 0x00000200, 0x0000020f, 0 },	     /* variable MTRRs */
	{ 0x00000250, 0x0000026f, 0 },	     /* fixed MTRRs */
	{ 0x000002ff, 0x000002ff, 0x806 },   /* MTRRdefType: enabled, write-back */
	{ 0xc0010010, 0xc0010010, 0 },	     /* SYSCFG */
	{ 0xc0010015, 0xc0010015, 1 << 24 }, /* HWCR: TscFreqSel, as after reset */
	{ 0xc001001f, 0xc001001f, 0 },	     /* NB_CFG */
	{ 0xc0010055, 0xc0010055, 0 },	     /* interrupt pending and CMP-halt */
	{ 0xc0010058, 0xc0010058, 0 },	     /* MMIO configuration base: none */
	{ 0xc0010114, 0xc0010114, 1 << 4 },  /* VM_CR: SVM disabled */
	{ 0xc0011020, 0xc0011028, 0 },	     /* LS_CFG and its neighbours */
	{ 0xc0011029, 0xc0011029, 1 << 1 },  /* DE_CFG: LFENCE serializes */
	{ 0xc001102a, 0xc00110ff, 0 },
};

static const struct constant_msr *find_constant(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (msr >= constants[i].first && msr <= constants[i].last)
			return &constants[i];
	}
	return NULL;
}

static bool has_pv_eoi(uint32_t msr)
{
	return hv_mailbox()->host.kvm_eoi && msr == PV_EOI_MSR;
}

static bool is_apic(uint32_t msr)
{
	return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

/* False: #GP. */
static bool read_msr(struct ghcb_call *c, uint32_t msr, uint64_t *value)
{
	const struct constant_msr *k = find_constant(msr);

	if (is_apic(msr))
		return apic_msr_read(local_apic(c->p), msr, clock_now(), value);
	if (kvm_clock_has(msr))
		*value = *kvm_clock_msr(c->p, msr);
	else if (has_pv_eoi(msr))
		*value = c->p->apic->pv_eoi.msr;
	else if (msr == MSR_APIC_BASE)
		*value = local_apic(c->p)->base;
	else if (msr == MSR_TSC)
		*value = clock_now(); /* a Secure TSC's offset is not the host's to know */
	else if (k != NULL)
		*value = k->value;
	else
		return false;
	return true;
}

static bool write_msr(struct ghcb_call *c, uint32_t msr, uint64_t value)
{
	struct apic_effects effects = { 0 };

	if (is_apic(msr)) {
		if (!apic_msr_write(local_apic(c->p), msr, value, clock_now(), &effects))
			return false;
		local_apic_effects(c->v, c->p, &effects);
		return true;
	}
	if (kvm_clock_has(msr)) {
		kvm_clock_write(c->p, msr, value);
		return true;
	}
	if (has_pv_eoi(msr))
		return pv_eoi_write(c->p, value);
	if (msr == MSR_APIC_BASE)
		return apic_base_write(local_apic(c->p), value);
	/* The clock is the machine's: a guest that sets it is not heard. */
	return msr == MSR_TSC || find_constant(msr) != NULL;
}

void nae_msr(struct ghcb_call *c)
{
	uint32_t msr = (uint32_t)c->rcx;
	uint64_t value = 0;

	if (c->info_1 > 1) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (is_apic(msr) && c->v->current == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_APIC)) {
		ghcb_inject_gp(c);
		return;
	}
	if (c->info_1 == 1) {
		const uint32_t both = GHCB_FIELD_RAX | GHCB_FIELD_RDX;

		if ((c->fields & both) != both) {
			ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
			return;
		}
		if (!write_msr(c, msr, (c->rdx & 0xffffffff) << 32 | (c->rax & 0xffffffff)))
			ghcb_inject_gp(c);
		return;
	}
	if (!read_msr(c, msr, &value)) {
		ghcb_inject_gp(c);
		return;
	}
	c->rax = (uint32_t)value;
	c->rdx = value >> 32;
	c->output |= GHCB_FIELD_RAX | GHCB_FIELD_RDX;
}
