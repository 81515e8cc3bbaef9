/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/ghcb.h"

#include <string.h>

#include "machine/hv/base/counters.h"
#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/doorbell.h"
#include "machine/hv/event/irq.h"
#include "machine/hv/insn/invlpgb.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/plane/cpuid.h"
#include "machine/hv/vmgexit/call.h"
#include "machine/hv/vmgexit/guest_request.h"
#include "machine/hv/vmgexit/ioio.h"
#include "machine/hv/vmgexit/mmio.h"
#include "machine/hv/vmgexit/msr.h"
#include "machine/hv/vmgexit/page_state.h"

#define MSR_NO_PREFERENCE (~0ull << 12) /* all-ones page number */
#define MSR_FAILED (1ull << 32)
#define REFUSALS_LOGGED 64u /* of each vCPU: the log is not the guest's to fill */
#define AP_REQUEST_MASK 0xffffull
#define AP_VMPL_SHIFT 16
#define AP_VMPL_MASK 0xfull
#define AP_RESERVED_MASK 0xfff00000ull
#define AP_APIC_ID_SHIFT 32

/* Answers. */

void ghcb_error(struct ghcb_call *c, uint64_t error)
{
	c->result_1 = GHCB_RESULT_ERROR;
	c->result_2 = error;
	c->output = 0;
}

static void inject(struct ghcb_call *c, uint32_t event)
{
	c->result_1 = GHCB_RESULT_INJECT;
	c->result_2 = event | SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_VALID;
	c->output = 0;
}

void ghcb_inject_gp(struct ghcb_call *c)
{
	inject(c, X86_VECTOR_GP | SVM_EVENT_ERROR_CODE);
}

void ghcb_inject_ud(struct ghcb_call *c)
{
	inject(c, X86_VECTOR_UD);
}

void *ghcb_scratch(struct ghcb_call *c, uint64_t size)
{
	void *data = NULL;

	if (size <= ABI_PAGE_SIZE && (c->fields & GHCB_FIELD_SCRATCH))
		data = guest_ptr(c->scratch, size, GUEST_SHARED);
	if (data == NULL)
		ghcb_error(c, GHCB_ERROR_INVALID_SCRATCH);
	return data;
}

/* The page. */

static bool is_valid(const uint8_t bitmap[16], size_t offset)
{
	return bitmap[offset / 64] >> (offset / 8 % 8) & 1;
}

static uint64_t read_once(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static uint32_t valid_fields(const uint8_t bitmap[16])
{
	static const struct {
		uint16_t offset;
		uint16_t field;
	} fields[] = {
		{ offsetof(struct ghcb, rax), GHCB_FIELD_RAX },
		{ offsetof(struct ghcb, rbx), GHCB_FIELD_RBX },
		{ offsetof(struct ghcb, rcx), GHCB_FIELD_RCX },
		{ offsetof(struct ghcb, rdx), GHCB_FIELD_RDX },
		{ offsetof(struct ghcb, sw_scratch), GHCB_FIELD_SCRATCH },
	};
	uint32_t valid = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (is_valid(bitmap, fields[i].offset))
			valid |= fields[i].field;
	}
	if (is_valid(bitmap, offsetof(struct ghcb, sw_exit_code)) &&
	    is_valid(bitmap, offsetof(struct ghcb, sw_exit_info_1)) &&
	    is_valid(bitmap, offsetof(struct ghcb, sw_exit_info_2)))
		valid |= GHCB_FIELD_EXIT;
	return valid;
}

/* Copies what the guest says, once. A field that is not marked valid reads 0. */
static void take_inputs(struct ghcb_call *c, const struct ghcb *page)
{
	uint8_t bitmap[sizeof(page->valid_bitmap)];

	memcpy(bitmap, page->valid_bitmap, sizeof(bitmap));
	c->fields = valid_fields(bitmap);
	c->code = read_once(&page->sw_exit_code);
	c->info_1 = read_once(&page->sw_exit_info_1);
	c->info_2 = read_once(&page->sw_exit_info_2);
	c->scratch = c->fields & GHCB_FIELD_SCRATCH ? read_once(&page->sw_scratch) : 0;
	c->rax = c->fields & GHCB_FIELD_RAX ? read_once(&page->rax) : 0;
	c->rbx = c->fields & GHCB_FIELD_RBX ? read_once(&page->rbx) : 0;
	c->rcx = c->fields & GHCB_FIELD_RCX ? read_once(&page->rcx) : 0;
	c->rdx = c->fields & GHCB_FIELD_RDX ? read_once(&page->rdx) : 0;
}

static void put_field(struct ghcb *page, uint64_t *field, uint64_t value)
{
	size_t offset = (size_t)((uint8_t *)field - (uint8_t *)page);

	*field = value;
	page->valid_bitmap[offset / 64] |= (uint8_t)(1u << offset / 8 % 8);
}

/* Writes the answer. The page may have been made private meanwhile: then there is no answer. */
static void put_outputs(struct ghcb_call *c)
{
	struct ghcb *page = guest_ptr(c->gpa, sizeof(*page), GUEST_SHARED);

	if (page == NULL)
		return;
	memset(page->valid_bitmap, 0, sizeof(page->valid_bitmap));
	if (c->output & GHCB_FIELD_RAX)
		put_field(page, &page->rax, c->rax);
	if (c->output & GHCB_FIELD_RBX)
		put_field(page, &page->rbx, c->rbx);
	if (c->output & GHCB_FIELD_RCX)
		put_field(page, &page->rcx, c->rcx);
	if (c->output & GHCB_FIELD_RDX)
		put_field(page, &page->rdx, c->rdx);
	put_field(page, &page->sw_exit_info_1, c->result_1);
	put_field(page, &page->sw_exit_info_2, c->result_2);
}

/* Exits. */

static bool refusal_is_news(const struct vcpu *v)
{
	static unsigned int refusals[MACHINE_CPUS_MAX];

	if (refusals[v->id] == REFUSALS_LOGGED)
		return false;
	return ++refusals[v->id] <= REFUSALS_LOGGED;
}

static struct cpuid_regs answer_cpuid(const struct vcpu *v, uint64_t leaf, uint64_t subleaf)
{
	struct cpuid_machine machine = { .cpus = vcpu_count(), .invlpgb = invlpgb_offered() };

	return cpuid_answer((uint32_t)leaf, (uint32_t)subleaf, v->id, &machine);
}

static void cpuid_exit(struct ghcb_call *c)
{
	struct cpuid_regs r = answer_cpuid(c->v, c->rax, c->rcx);

	c->rax = r.eax;
	c->rbx = r.ebx;
	c->rcx = r.ecx;
	c->rdx = r.edx;
	c->output = GHCB_FIELD_RAX | GHCB_FIELD_RBX | GHCB_FIELD_RCX | GHCB_FIELD_RDX;
}

/* Exits that ask for an instruction's effect on the host, which has none to offer. */
static void nothing_exit(struct ghcb_call *c)
{
	(void)c;
}

/* VMMCALL: there is no hypercall here, so the instruction does not exist. */
static void undefined_exit(struct ghcb_call *c)
{
	ghcb_inject_ud(c);
}

static void nmi_complete_exit(struct ghcb_call *c)
{
	irq_nmi_complete(c->v);
}

static void reset_hold_exit(struct ghcb_call *c)
{
	c->result_2 = 1; /* seen when SIPI has ended the hold */
	c->after = GHCB_AFTER_HOLD;
}

/*
 * The jump table is for SEV-ES, where INIT-SIPI has to find a start address; with SNP the address
 * is in the secrets page, and AP creation needs none. Set is accepted, get says that there is none.
 */
static void jump_table_exit(struct ghcb_call *c)
{
	if (c->info_1 > 1)
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

static bool ap_create(struct ghcb_call *c, uint32_t apic_id, unsigned int vmpl, bool on_init)
{
	if (!(c->fields & GHCB_FIELD_RAX) || c->info_2 % ABI_PAGE_SIZE != 0)
		return false;
	return vcpu_set_vmsa(apic_id, vmpl, c->info_2, c->rax, on_init);
}

/* A level may start vCPUs at its own level and at less privileged ones. */
static void ap_creation_exit(struct ghcb_call *c)
{
	uint32_t apic_id = (uint32_t)(c->info_1 >> AP_APIC_ID_SHIFT);
	unsigned int vmpl = c->info_1 >> AP_VMPL_SHIFT & AP_VMPL_MASK;
	bool done = false;

	if (c->p->vmpl == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_AP_CREATION)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (!(c->info_1 & AP_RESERVED_MASK) && vmpl < SNP_VMPL_COUNT && vmpl >= c->p->vmpl) {
		switch (c->info_1 & AP_REQUEST_MASK) {
		case GHCB_AP_CREATE_ON_INIT:
			done = ap_create(c, apic_id, vmpl, true);
			break;
		case GHCB_AP_CREATE:
			done = ap_create(c, apic_id, vmpl, false);
			break;
		case GHCB_AP_DESTROY:
			done = vcpu_clear_vmsa(apic_id, vmpl);
			break;
		default:
			break;
		}
	}
	if (!done)
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

static void hv_ipi_exit(struct ghcb_call *c)
{
	struct apic_effects effects = { 0 };

	apic_send_ipi(irq_apic(c->p), c->info_1, &effects);
	irq_apic_effects(c->v, c->p, &effects);
}

/* The list: a count, then that many ids, all 32 bits wide. It fits one page. */
static void get_apic_ids_exit(struct ghcb_call *c)
{
	uint32_t list[1 + MACHINE_CPUS_MAX];
	bool room = c->rax >= 1;

	c->rax = 1;
	c->output = GHCB_FIELD_RAX;
	if (!room)
		return;
	list[0] = vcpu_count();
	for (uint32_t i = 0; i < list[0]; i++)
		list[1 + i] = i;
	if (c->info_1 % ABI_PAGE_SIZE != 0 ||
	    !guest_write_shared(c->info_1, list, (1 + list[0]) * sizeof(list[0])))
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

static void run_vmpl_exit(struct ghcb_call *c)
{
	if (c->info_1 >= SNP_VMPL_COUNT || c->info_1 == c->p->vmpl) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	c->target_vmpl = (unsigned int)c->info_1;
	c->after = GHCB_AFTER_SWITCH;
}

static void hv_features_exit(struct ghcb_call *c)
{
	c->result_2 = GHCB_HV_FEATURES_OFFERED;
}

static void term_request_exit(struct ghcb_call *c)
{
	hv_log("VMPL%u of vCPU %u asks for termination: set %u code 0x%x", c->p->vmpl, c->v->id,
	       (unsigned int)(c->info_1 & 0xf), (unsigned int)(c->info_1 >> 4 & 0xff));
	hv_stop(MAILBOX_STOP_GUEST_TERMINATE, c->p->vmpl, c->info_1 & 0xf, c->info_1 >> 4 & 0xff,
		0);
}

/* The guest could not handle a #VC: the instruction that caused it does not exist for it. */
static void unsupported_exit(struct ghcb_call *c)
{
	if (refusal_is_news(c->v))
		hv_log("VMPL%u of vCPU %u does not support #VC 0x%llx at %llx", c->p->vmpl,
		       c->v->id, (unsigned long long)c->info_1,
		       (unsigned long long)c->p->vmcb->rip);
	ghcb_inject_ud(c);
}

struct nae_exit {
	uint32_t code;
	uint32_t needs; /* GHCB_FIELD_* beside GHCB_FIELD_EXIT */
	const char *name;
	void (*handler)(struct ghcb_call *c);
};

static const struct nae_exit exits[] = {
	{ SVM_EXIT_IOIO, 0, "IOIO", ioport_exit },
	{ SVM_EXIT_MSR, GHCB_FIELD_RCX, "MSR", nae_msr_exit },
	{ SVM_EXIT_CPUID, GHCB_FIELD_RAX | GHCB_FIELD_RCX, "CPUID", cpuid_exit },
	{ GHCB_EXIT_MMIO_READ, GHCB_FIELD_SCRATCH, "MMIO read", mmio_exit },
	{ GHCB_EXIT_MMIO_WRITE, GHCB_FIELD_SCRATCH, "MMIO write", mmio_exit },
	{ GHCB_EXIT_RUN_VMPL, 0, "run VMPL", run_vmpl_exit },
	{ GHCB_EXIT_PSC, GHCB_FIELD_SCRATCH, "page state change", psc_exit },
	{ GHCB_EXIT_NMI_COMPLETE, 0, "NMI complete", nmi_complete_exit },
	{ GHCB_EXIT_AP_RESET_HOLD, 0, "AP reset hold", reset_hold_exit },
	{ GHCB_EXIT_AP_JUMP_TABLE, 0, "AP jump table", jump_table_exit },
	{ GHCB_EXIT_GUEST_REQUEST, 0, "guest request", guest_request_exit },
	{ GHCB_EXIT_EXT_GUEST_REQUEST, GHCB_FIELD_RAX | GHCB_FIELD_RBX, "extended guest request",
	  guest_request_extended_exit },
	{ GHCB_EXIT_AP_CREATION, 0, "AP creation", ap_creation_exit },
	{ GHCB_EXIT_HV_DOORBELL, 0, "#HV doorbell page", doorbell_exit },
	{ GHCB_EXIT_HV_IPI, 0, "#HV IPI", hv_ipi_exit },
	{ GHCB_EXIT_GET_APIC_IDS, GHCB_FIELD_RAX, "get APIC ids", get_apic_ids_exit },
	{ GHCB_EXIT_HV_FEATURES, 0, "hypervisor features", hv_features_exit },
	{ GHCB_EXIT_TERM_REQUEST, 0, "termination request", term_request_exit },
	{ GHCB_EXIT_UNSUPPORTED, 0, "unsupported #VC", unsupported_exit },
	{ SVM_EXIT_WBINVD, 0, "WBINVD", nothing_exit },
	{ SVM_EXIT_DR7_WRITE, 0, "write of DR7", nothing_exit },
	{ SVM_EXIT_VMMCALL, 0, "VMMCALL", undefined_exit },
};

static const struct nae_exit *find_exit(uint64_t code)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (exits[i].code == code)
			return &exits[i];
	}
	return NULL;
}

static void log_refusal(const struct ghcb_call *c, const char *name)
{
	if (c->result_1 == GHCB_RESULT_ERROR && refusal_is_news(c->v))
		hv_log("VMPL%u of vCPU %u: %s refused, error %u, infos %llx %llx", c->p->vmpl,
		       c->v->id, name, (unsigned int)c->result_2, (unsigned long long)c->info_1,
		       (unsigned long long)c->info_2);
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
	counters_exit(c->v, MAILBOX_EXIT_NAE | e->code);
	if ((c->fields & e->needs) != e->needs)
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
	else
		e->handler(c);
	log_refusal(c, e->name);
}

static bool run_vmpl(struct vcpu *v, unsigned int vmpl)
{
	if (v->current == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_RUN_VMPL))
		return false;
	return vcpu_switch_plane(v, vmpl);
}

/* The answer is in the page before the caller's state is put away; it sees it when it resumes. */
static void switch_after(struct ghcb_call *c)
{
	if (run_vmpl(c->v, c->target_vmpl))
		return;
	ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
	put_outputs(c);
}

/*
 * The GHCB is no shared page. A host that keeps the two sides of a page apart, as KVM does, reads
 * zeros there, which ask for nothing, and its answer is not in the guest's page.
 */
static void no_page(struct vcpu *v, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);

	if (refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: GHCB at %llx is not a shared page", p->vmpl, v->id,
		       (unsigned long long)gpa);
	if (!hv_mailbox()->converts)
		hv_stop(MAILBOX_STOP_GUEST_TERMINATE, p->vmpl, GHCB_TERM_SET_GENERIC,
			GHCB_TERM_GENERIC_PROTOCOL, 0);
}

static void page_exit(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct ghcb_call c = { .v = v, .p = p, .gpa = p->ghcb_msr & ~HV_C_BIT };
	const struct ghcb *page = guest_ptr(c.gpa, sizeof(*page), GUEST_SHARED);

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
	if (c.after == GHCB_AFTER_SWITCH)
		switch_after(&c);
	if (c.after == GHCB_AFTER_HOLD) {
		irq_plane_hold(p);
		vcpu_halt(v);
	}
}

/* MSR protocol. */

uint64_t ghcb_msr_reset_value(void)
{
	return GHCB_MSR_SEV_INFO_RESP | (uint64_t)GHCB_PROTOCOL_MAX << 48 |
	       (uint64_t)GHCB_PROTOCOL_MIN << 32 | (uint64_t)MACHINE_C_BIT << 24;
}

static uint64_t msr_cpuid(struct vcpu *v, uint64_t request)
{
	struct cpuid_regs r = answer_cpuid(v, request >> 32, 0);
	const uint32_t registers[4] = { r.eax, r.ebx, r.ecx, r.edx };
	unsigned int which = request >> 30 & 3;

	return GHCB_MSR_CPUID_RESP | (uint64_t)which << 30 | (uint64_t)registers[which] << 32;
}

static uint64_t msr_register(struct plane *p, uint64_t request)
{
	uint64_t gpa = request & ~GHCB_MSR_INFO_MASK & ~HV_C_BIT;

	/* An all-ones page number is the refusal. */
	if (!npt_is_ram(gpa))
		return GHCB_MSR_REG_GPA_RESP | MSR_NO_PREFERENCE;
	p->ghcb_registered = gpa;
	return GHCB_MSR_REG_GPA_RESP | (request & ~GHCB_MSR_INFO_MASK);
}

static uint64_t msr_page_state(uint64_t request)
{
	uint64_t gpa = request & 0xffffffffffull << ABI_PAGE_SHIFT & ~HV_C_BIT;

	if (!psc_page(gpa, request >> 52 & 0xf))
		return GHCB_MSR_PSC_RESP | MSR_FAILED;
	return GHCB_MSR_PSC_RESP;
}

static void msr_run_vmpl(struct vcpu *v, uint64_t request)
{
	struct plane *p = vcpu_plane(v);
	unsigned int vmpl = request >> 32 & 0xff;

	p->ghcb_msr = GHCB_MSR_RUN_VMPL_RESP;
	if (run_vmpl(v, vmpl))
		return;
	if (refusal_is_news(v))
		hv_log("VMPL%u of vCPU %u: VMPL%u cannot run", p->vmpl, v->id, vmpl);
	p->ghcb_msr = GHCB_MSR_RUN_VMPL_RESP | MSR_FAILED;
}

_Noreturn static void msr_terminate(struct vcpu *v, uint64_t request)
{
	unsigned int vmpl = v->current;
	unsigned int set = request >> GHCB_MSR_TERM_SET_SHIFT & 0xf;
	unsigned int code = request >> GHCB_MSR_TERM_CODE_SHIFT & 0xff;

	hv_log("VMPL%u of vCPU %u asks for termination: set %u code 0x%x, rip %llx", vmpl, v->id,
	       set, code, (unsigned long long)vcpu_plane(v)->vmcb->rip);
	hv_stop(MAILBOX_STOP_GUEST_TERMINATE, vmpl, set, code, 0);
}

static void msr_hold(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);

	p->ghcb_msr = GHCB_MSR_AP_RESET_HOLD_RESP | 1ull << 12;
	irq_plane_hold(p);
	vcpu_halt(v);
}

static void msr_exit_request(struct vcpu *v, uint64_t request)
{
	struct plane *p = vcpu_plane(v);

	switch (request & GHCB_MSR_INFO_MASK) {
	case GHCB_MSR_SEV_INFO_REQ:
		p->ghcb_msr = ghcb_msr_reset_value();
		return;
	case GHCB_MSR_CPUID_REQ:
		p->ghcb_msr = msr_cpuid(v, request);
		return;
	case GHCB_MSR_AP_RESET_HOLD_REQ:
		msr_hold(v);
		return;
	case GHCB_MSR_PREF_GPA_REQ:
		p->ghcb_msr = GHCB_MSR_PREF_GPA_RESP | MSR_NO_PREFERENCE;
		return;
	case GHCB_MSR_REG_GPA_REQ:
		p->ghcb_msr = msr_register(p, request);
		return;
	case GHCB_MSR_PSC_REQ:
		p->ghcb_msr = msr_page_state(request);
		return;
	case GHCB_MSR_RUN_VMPL_REQ:
		msr_run_vmpl(v, request);
		return;
	case GHCB_MSR_HV_FEATURES_REQ:
		p->ghcb_msr = GHCB_MSR_HV_FEATURES_RESP | GHCB_HV_FEATURES_OFFERED << 12;
		return;
	case GHCB_MSR_TERM_REQ:
		msr_terminate(v, request);
	default:
		/* The value stays, which no guest takes for an answer. */
		if (refusal_is_news(v))
			hv_log("VMPL%u of vCPU %u: MSR protocol knows no request %llx", p->vmpl,
			       v->id, (unsigned long long)request);
	}
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
	uint64_t info = request & GHCB_MSR_INFO_MASK;

	if (info == 0) {
		page_exit(v);
		return;
	}
	counters_exit(v, MAILBOX_EXIT_MSR_PROTOCOL | info);
	msr_exit_request(v, request);
}
