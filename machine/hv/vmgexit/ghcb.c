/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/ghcb.h"

#include <string.h>

#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/vmgexit/handlers.h"

static bool is_valid(const uint8_t bitmap[16], size_t offset)
{
	return bitmap[offset / 64] >> (offset / 8 % 8) & 1;
}

static uint64_t read_once(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* Registers that go in, those before the scratch address out, too. */
static const struct {
	uint16_t in_page, in_call;
	uint32_t field;
} registers[] = {
	{ offsetof(struct ghcb, rax), offsetof(struct ghcb_call, rax), GHCB_FIELD_RAX },
	{ offsetof(struct ghcb, rbx), offsetof(struct ghcb_call, rbx), GHCB_FIELD_RBX },
	{ offsetof(struct ghcb, rcx), offsetof(struct ghcb_call, rcx), GHCB_FIELD_RCX },
	{ offsetof(struct ghcb, rdx), offsetof(struct ghcb_call, rdx), GHCB_FIELD_RDX },
	{ offsetof(struct ghcb, sw_scratch), offsetof(struct ghcb_call, scratch),
	  GHCB_FIELD_SCRATCH },
	{ offsetof(struct ghcb, xcr0), offsetof(struct ghcb_call, xcr0), GHCB_FIELD_XCR0 },
};
#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

static uint64_t *field_at(void *base, uint16_t offset)
{
	return (uint64_t *)((uint8_t *)base + offset);
}

/* Copies what the guest says, once. A field that is not marked valid reads 0. */
static void take_inputs(struct ghcb_call *c, struct ghcb *page)
{
	uint8_t bitmap[sizeof(page->valid_bitmap)];

	memcpy(bitmap, page->valid_bitmap, sizeof(bitmap));
	c->code = read_once(&page->sw_exit_code);
	c->info_1 = read_once(&page->sw_exit_info_1);
	c->info_2 = read_once(&page->sw_exit_info_2);
	for (size_t i = 0; i < REGISTERS; i++) {
		if (!is_valid(bitmap, registers[i].in_page))
			continue;
		c->fields |= registers[i].field;
		*field_at(c,
			  registers[i].in_call) = read_once(field_at(page, registers[i].in_page));
	}
	if (is_valid(bitmap, offsetof(struct ghcb, sw_exit_code)) &&
	    is_valid(bitmap, offsetof(struct ghcb, sw_exit_info_1)) &&
	    is_valid(bitmap, offsetof(struct ghcb, sw_exit_info_2)))
		c->fields |= GHCB_FIELD_EXIT;
}

static void put_field(struct ghcb *page, uint16_t offset, uint64_t value)
{
	*field_at(page, offset) = value;
	page->valid_bitmap[offset / 64] |= (uint8_t)(1u << offset / 8 % 8);
}

/* Writes the answer. The page may have been made private meanwhile: then there is no answer. */
static void put_outputs(struct ghcb_call *c)
{
	struct ghcb *page = guest_ptr(c->gpa, sizeof(*page), GUEST_SHARED);

	if (page == NULL)
		return;
	memset(page->valid_bitmap, 0, sizeof(page->valid_bitmap));
	for (size_t i = 0; i < REGISTERS; i++)
		if (c->output & registers[i].field)
			put_field(page, registers[i].in_page, *field_at(c, registers[i].in_call));
	put_field(page, offsetof(struct ghcb, sw_exit_info_1), c->result_1);
	put_field(page, offsetof(struct ghcb, sw_exit_info_2), c->result_2);
}

/* VMMCALL: there is no hypercall here, so the instruction does not exist. */
static void undefined(struct ghcb_call *c)
{
	ghcb_inject_ud(c);
}

static void features(struct ghcb_call *c)
{
	c->result_2 = hv_mailbox()->host.hv_features;
}

struct nae_exit {
	uint32_t code;
	uint32_t needs; /* GHCB_FIELD_* besides GHCB_FIELD_EXIT */
	const char *name;
	void (*handler)(struct ghcb_call *c); /* NULL: the host has no effect of its own to offer */
	uint64_t feature; /* GHCB_HV_FEATURE_* without which the host does not know it; 0: none */
};

static const struct nae_exit exits[] = {
	{ SVM_EXIT_IOIO, 0, "IOIO", nae_ioio, 0 },
	{ SVM_EXIT_MSR, GHCB_FIELD_RCX, "MSR", nae_msr, 0 },
	{ SVM_EXIT_CPUID, GHCB_FIELD_RAX | GHCB_FIELD_RCX, "CPUID", nae_cpuid, 0 },
	{ GHCB_EXIT_MMIO_READ, GHCB_FIELD_SCRATCH, "MMIO read", nae_mmio, 0 },
	{ GHCB_EXIT_MMIO_WRITE, GHCB_FIELD_SCRATCH, "MMIO write", nae_mmio, 0 },
	{ GHCB_EXIT_RUN_VMPL, 0, "run VMPL", nae_run_vmpl, GHCB_HV_FEATURE_MULTI_VMPL },
	{ GHCB_EXIT_PSC, GHCB_FIELD_SCRATCH, "page state change", nae_page_state, 0 },
	{ GHCB_EXIT_NMI_COMPLETE, 0, "NMI complete", nae_nmi_complete, 0 },
	{ GHCB_EXIT_AP_RESET_HOLD, 0, "AP reset hold", nae_reset_hold, 0 },
	{ GHCB_EXIT_AP_JUMP_TABLE, 0, "AP jump table", nae_jump_table, 0 },
	{ GHCB_EXIT_GUEST_REQUEST, 0, "guest request", nae_guest_request, 0 },
	{ GHCB_EXIT_EXT_GUEST_REQUEST, GHCB_FIELD_RAX | GHCB_FIELD_RBX, "extended guest request",
	  nae_guest_request, 0 },
	{ GHCB_EXIT_AP_CREATION, 0, "AP creation", nae_ap_creation, GHCB_HV_FEATURE_AP_CREATION },
	{ GHCB_EXIT_HV_DOORBELL, 0, "#HV doorbell page", nae_doorbell,
	  GHCB_HV_FEATURE_RESTRICTED_INJECTION },
	{ GHCB_EXIT_HV_IPI, 0, "#HV IPI", nae_ipi, GHCB_HV_FEATURE_RESTRICTED_INJECTION },
	{ GHCB_EXIT_CONFIGURE_INT_INJ, 0, "configure interrupt injection", nae_configure_int_inj,
	  GHCB_HV_FEATURE_EXTENDED_INTERRUPTS },
	{ GHCB_EXIT_DISABLE_ALT_INJ, 0, "disable alternate injection", nae_disable_alt_inj,
	  GHCB_HV_FEATURE_EXTENDED_INTERRUPTS },
	{ GHCB_EXIT_SPECIFIC_EOI, 0, "specific EOI", nae_specific_eoi,
	  GHCB_HV_FEATURE_EXTENDED_INTERRUPTS },
	{ GHCB_EXIT_GET_APIC_IDS, GHCB_FIELD_RAX, "get APIC ids", nae_apic_ids,
	  GHCB_HV_FEATURE_APIC_ID_LIST },
	{ GHCB_EXIT_HV_FEATURES, 0, "hypervisor features", features, 0 },
	{ GHCB_EXIT_TERM_REQUEST, 0, "termination request", nae_terminate, 0 },
	{ GHCB_EXIT_UNSUPPORTED, 0, "unsupported #VC", nae_unsupported, 0 },
	{ SVM_EXIT_WBINVD, 0, "WBINVD", NULL, 0 },
	{ SVM_EXIT_DR7_WRITE, 0, "write of DR7", NULL, 0 },
	{ SVM_EXIT_VMMCALL, 0, "VMMCALL", undefined, 0 },
};

static const struct nae_exit *find_exit(uint64_t code)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (exits[i].code == code && ghcb_host_has(exits[i].feature))
			return &exits[i];
	}
	return NULL;
}

static void log_refusal(const struct ghcb_call *c, const char *name)
{
	if (c->result_1 == GHCB_RESULT_ERROR && ghcb_refusal_is_news(c->v))
		hv_log("VMPL%u of vCPU %u: %s refused, error %lu, infos %lx %lx", c->p->vmpl,
		       c->v->id, name, c->result_2, c->info_1, c->info_2);
}

static void dispatch(struct ghcb_call *c)
{
	const struct nae_exit *e;

	if (!(c->fields & GHCB_FIELD_EXIT)) {
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
		return;
	}
	e = find_exit(c->code);
	if (e == NULL) {
		ghcb_error(c, GHCB_ERROR_INVALID_EVENT);
		return;
	}
	counters_exit(c->v->id, c->p->vmpl, MAILBOX_EXIT_NAE | e->code);
	if ((c->fields & e->needs) != e->needs)
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
	else if (e->handler != NULL)
		e->handler(c);
	log_refusal(c, e->name);
}

/*
 * The GHCB is no shared page. A host that keeps the two sides of a page apart, as KVM does, reads
 * zeros there, which ask for nothing, and its answer is not in the guest's page.
 */
static void no_page(struct vcpu *v, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);

	if (ghcb_refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: GHCB at %lx is not a shared page", p->vmpl, v->id, gpa);
	if (!hv_mailbox()->host.converts)
		hv_stop(MAILBOX_STOP_GUEST_TERMINATE, p->vmpl, GHCB_TERM_SET_GENERIC,
			GHCB_TERM_GENERIC_PROTOCOL, 0);
}

static void page_exit(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct ghcb_call c = { .v = v, .p = p, .gpa = p->ghcb_msr & ~HV_C_BIT };
	struct ghcb *page = guest_ptr(c.gpa, sizeof(*page), GUEST_SHARED);

	if (page == NULL) {
		no_page(v, c.gpa);
		return;
	}
	take_inputs(&c, page);
	if (p->ghcb_registered != c.gpa)
		ghcb_error(&c, GHCB_ERROR_NOT_REGISTERED);
	else if (page->usage != 0)
		ghcb_error(&c, GHCB_ERROR_INVALID_USAGE);
	else
		dispatch(&c);
	put_outputs(&c);
}

bool ghcb_asks_for_vmpl0(struct vcpu *v)
{
	uint64_t request = vcpu_plane(v)->ghcb_msr;
	const struct ghcb *page;

	if ((request & GHCB_MSR_INFO_MASK) == GHCB_MSR_RUN_VMPL_REQ)
		return (request >> 32 & 0xff) == 0;
	if ((request & GHCB_MSR_INFO_MASK) != 0)
		return false;
	page = guest_ptr(request & ~HV_C_BIT, sizeof(*page), GUEST_SHARED);
	return page && read_once(&page->sw_exit_code) == GHCB_EXIT_RUN_VMPL &&
	       read_once(&page->sw_exit_info_1) == 0;
}

void ghcb_vmgexit(struct vcpu *v)
{
	uint64_t request = vcpu_plane(v)->ghcb_msr;

	if ((request & GHCB_MSR_INFO_MASK) == 0)
		page_exit(v);
	else
		ghcb_msr_protocol(v, request);
}
