/* SPDX-License-Identifier: MIT */
/*
 * Exits by the GHCB page and by its MSR (GHCB specification, 2.3.1 and section 4; errors: table
 * "SW_EXITINFO2 error codes", 2 bad usage, 3 bad scratch area, 4 a field is not marked valid, 5 bad
 * input, 6 unknown event). Judge from outside: KVM's sev_es_validate_vmgexit() and
 * setup_vmgexit_scratch() (arch/x86/kvm/svm/sev.c).
 */
#include "tests/machine/rules/families.h"

#define SECTION "GHCB specification, 4.1"
#define MSR_SECTION "GHCB specification, 2.3.1"
#define OK 0ull
#define ERROR(code) (2ull << 60 | (code))
#define ANY_ERROR ERROR(0xff) /* refused; hosts differ in the reason */
#define RAX 0x1f8u
#define RCX 0x308u
#define RDX 0x310u
#define RBX 0x318u
#define SCRATCH 0x3a8u
#define PSC_LARGE (1ull << 56)

struct event {
	uint64_t code, info_1, info_2;
	uint16_t fields[4]; /* marked valid, up to a 0 */
	uint64_t rax, rcx, scratch;
};

static uint8_t private_page[4096] __attribute__((aligned(4096)));

static uint64_t result_of(struct ghcb_answer a)
{
	return (uint64_t)(a.result & 0xf) << 60 | (a.info_2 & 0xfffffffffffffff);
}

static uint64_t send(uint64_t arg)
{
	const struct event *e = (const struct event *)arg;
	volatile struct ghcb *ghcb = ghcb_own();
	struct ghcb_answer answer;

	ghcb->rax = e->rax;
	ghcb->rcx = e->rcx;
	ghcb->sw_scratch = e->scratch;
	for (unsigned int i = 0; i < 4 && e->fields[i]; i++)
		ghcb_set_valid(e->fields[i]);
	answer = ghcb_exit(e->code, e->info_1, e->info_2);
	/* What an exit that succeeds says beyond that is not the rule's. */
	return answer.result == 0 ? OK : result_of(answer);
}

static uint64_t event(const struct rule_case *c)
{
	return act(0, c->vmpl, send, c->rule->arg);
}

static uint64_t event_there(const struct rule_case *c)
{
	return act(1, c->vmpl, send, c->rule->arg);
}

static uint64_t event_refused(const struct rule_case *c)
{
	return act(0, c->vmpl, send, c->rule->arg) >> 60 == 2 ? ANY_ERROR : 0;
}

static const struct event hv_features = { .code = 0x8000fffd };
static const struct event unknown = { .code = 0x80001234 };
static const struct event unknown_low = { .code = 0x7fffffff };
static const struct event nmi_complete = { .code = 0x80000003 };
static const struct event wbinvd = { .code = 0x89 };
static const struct event out_without_rax = { .code = 0x7b, .info_1 = 0x80ull << 16 | 1 << 4 };
static const struct event out_byte = { 0x7b, 0x80ull << 16 | 1 << 4, 0, { RAX }, 0, 0, 0 };
static const struct event in_byte = { .code = 0x7b, .info_1 = 0x3fdull << 16 | 1 << 4 | 1 };
static const struct event outs_without_scratch = {
	.code = 0x7b, .info_1 = 0x80ull << 16 | 1 << 9 | 1 << 4 | 1 << 2, .info_2 = 1
};
static const struct event rdmsr_without_rcx = { .code = 0x7c };
static const struct event wrmsr_without_value = { 0x7c, 1, 0, { RCX }, 0, 0x1b, 0 };
static const struct event rdmsr = { 0x7c, 0, 0, { RCX }, 0, 0x1b, 0 };
static const struct event cpuid_without_rax = { 0x72, 0, 0, { RCX }, 0, 0, 0 };
static const struct event cpuid_without_rcx = { 0x72, 0, 0, { RAX }, 0, 0, 0 };
static const struct event cpuid_d_without_xcr0 = { 0x72, 0, 0, { RAX, RCX }, 0xd, 0, 0 };
static const struct event cpuid = { 0x72, 0, 0, { RAX, RCX }, 0, 0, 0 };
static const struct event mmio_without_scratch = { .code = 0x80000001,
						   .info_1 = 0xfee00030,
						   .info_2 = 4 };
static const struct event mmio_write_without_scratch = { .code = 0x80000002,
							 .info_1 = 0xfee000b0,
							 .info_2 = 4 };
static const struct event mmio_private_scratch = {
	0x80000001, 0xfee00030, 4, { SCRATCH }, 0, 0, (uint64_t)private_page
};
static const struct event mmio_far_scratch = { 0x80000001, 0xfee00030,	  4, { SCRATCH }, 0,
					       0,	   0xfffffffff000 };
static const struct event psc_without_scratch = { .code = 0x80000010 };
static const struct event psc_private_scratch = {
	0x80000010, 0, 0, { SCRATCH }, 0, 0, (uint64_t)private_page
};
static const struct event request_misaligned = { .code = 0x80000011,
						 .info_1 = RULE_PAGE + 8,
						 .info_2 = RULE_PAGE + 0x1000 };
static const struct event request_same_page = { .code = 0x80000011,
						.info_1 = RULE_PAGE,
						.info_2 = RULE_PAGE };
static const struct event extended_without_rax = { .code = 0x80000012,
						   .info_1 = RULE_PAGE,
						   .info_2 = RULE_PAGE + 0x1000 };
static const struct event run_vmpl4 = { .code = 0x80000018, .info_1 = 4 };

static uint64_t own_level(uint64_t arg)
{
	(void)arg;
	return ghcb_exit(0x80000018, actor_level(), 0).result;
}

static uint64_t run_own_level(const struct rule_case *c)
{
	return act(0, c->vmpl, own_level, 0);
}

static uint64_t no_exit_code(uint64_t arg)
{
	volatile struct ghcb *ghcb = ghcb_own();

	(void)arg;
	ghcb->sw_exit_code = 0x8000fffd;
	ghcb_set_valid(0x398);
	ghcb_set_valid(0x3a0);
	ghcb_exit_at(ghcb_gpa());

	struct ghcb_answer answer = { (uint32_t)ghcb->sw_exit_info_1, ghcb->sw_exit_info_2 };

	ghcb_clear();
	return result_of(answer);
}

static uint64_t without_exit_code(const struct rule_case *c)
{
	return act(0, c->vmpl, no_exit_code, 0);
}

static uint64_t usage_one(uint64_t arg)
{
	struct ghcb_answer answer;

	(void)arg;
	ghcb_own()->usage = 1;
	answer = ghcb_exit(0x8000fffd, 0, 0);
	ghcb_own()->usage = 0;
	return result_of(answer);
}

static uint64_t bad_usage(const struct rule_case *c)
{
	return act(0, c->vmpl, usage_one, 0);
}

/* The page state change structure, in the GHCB's own buffer: header and first entry. */
struct list {
	uint64_t header, entry;
};

static uint64_t page_state(uint64_t arg)
{
	const struct list *l = (const struct list *)arg;
	volatile struct ghcb *ghcb = ghcb_own();
	volatile uint64_t *list = (volatile uint64_t *)ghcb->shared_buffer;

	list[0] = l->header;
	list[1] = l->entry;
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(SCRATCH);
	return result_of(ghcb_exit(0x80000010, 0, 0));
}

static uint64_t list_event(const struct rule_case *c)
{
	return act(0, c->vmpl, page_state, c->rule->arg);
}

static const struct list end_too_high = { 253ull << 16, RULE_PAGE | 1ull << 52 };
static const struct list unknown_operation = { 0, RULE_PAGE | 5ull << 52 };
static const struct list operation_zero = { 0, RULE_PAGE };
static const struct list misaligned_large = { 0, (RULE_LARGE + 0x1000) | PSC_LARGE | 1ull << 52 };
static const struct list one_page = { 0, RULE_PAGE | 1ull << 52 };

#define PSC_SECTION "GHCB specification, 4.1.6"
#define BAD_HEADER (1ull << 32 | 1)
#define BAD_ENTRY (1ull << 32 | 2)

/* The cursor is past the last entry when all is done. */
static uint64_t cursor(const struct rule_case *c)
{
	uint64_t bad = act(0, c->vmpl, page_state, (uint64_t)&one_page);

	return bad | *(volatile uint64_t *)ghcb_own()->shared_buffer;
}

static const struct rule rules[] = {
	{ "hypervisor features", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event,
	  (uint64_t)&hv_features, OK },
	{ "unknown event: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event, (uint64_t)&unknown,
	  ERROR(6) },
	{ "unknown exit code of a CPU: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&unknown_low, ERROR(6) },
	{ "exit code not marked valid: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0,
	  without_exit_code, 0, ERROR(4) },
	{ "usage 1: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, bad_usage, 0, ERROR(2) },
	{ "NMI complete", SECTION, RULE_HOST, 0, 1, 0, event, (uint64_t)&nmi_complete, OK },
	{ "WBINVD", SECTION, RULE_HOST, 0, 1, 0, event, (uint64_t)&wbinvd, OK },
	{ "IOIO, OUT without RAX: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event,
	  (uint64_t)&out_without_rax, ERROR(4) },
	{ "IOIO, OUT", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event, (uint64_t)&out_byte, OK },
	{ "IOIO, IN", SECTION, RULE_HOST, 0, 1, 0, event, (uint64_t)&in_byte, OK },
	{ "IOIO, OUTS without scratch area: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&outs_without_scratch, ERROR(4) },
	{ "MSR without RCX: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event,
	  (uint64_t)&rdmsr_without_rcx, ERROR(4) },
	{ "MSR, write without RAX and RDX: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&wrmsr_without_value, ERROR(4) },
	{ "MSR, read of the APIC base", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event,
	  (uint64_t)&rdmsr, OK },
	{ "CPUID without RAX: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&cpuid_without_rax, ERROR(4) },
	{ "CPUID without RCX: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&cpuid_without_rcx, ERROR(4) },
	{ "CPUID leaf 0xD without XCR0: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&cpuid_d_without_xcr0, ERROR(4) },
	{ "CPUID", SECTION, RULE_HOST, LEVELS_ALL, 1, 0, event, (uint64_t)&cpuid, OK },
	{ "MMIO read without scratch area: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&mmio_without_scratch, ERROR(4) },
	{ "MMIO write without scratch area: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&mmio_write_without_scratch, ERROR(4) },
	{ "MMIO, scratch area outside of RAM: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&mmio_far_scratch, ERROR(3) },
	{ "page state change without scratch area: refused", PSC_SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&psc_without_scratch, ERROR(4) },
	{ "page state change, 254 entries: bad header", PSC_SECTION, RULE_HOST, 0, 1, 0, list_event,
	  (uint64_t)&end_too_high, BAD_HEADER },
	{ "page state change, operation 5: bad entry", PSC_SECTION, RULE_HOST, LEVEL(0), 1, 0,
	  list_event, (uint64_t)&unknown_operation, BAD_ENTRY },
	{ "page state change, operation 0: bad entry", PSC_SECTION, RULE_HOST, 0, 1, 0, list_event,
	  (uint64_t)&operation_zero, BAD_ENTRY },
	{ "page state change, 2 MiB not aligned: bad entry", PSC_SECTION, RULE_HOST, 0, 1, 0,
	  list_event, (uint64_t)&misaligned_large, BAD_ENTRY },
	{ "page state change of one page", PSC_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, list_event,
	  (uint64_t)&one_page, OK },
	{ "page state change: the cursor is past the last entry", PSC_SECTION, RULE_HOST, 0, 1, 0,
	  cursor, 0, 1 },
	{ "guest request, page not aligned: refused", SECTION, RULE_HOST, 0, 1, 0, event_refused,
	  (uint64_t)&request_misaligned, ANY_ERROR },
	{ "guest request, one page for both: refused", SECTION, RULE_HOST, 0, 1, 0, event_refused,
	  (uint64_t)&request_same_page, ANY_ERROR },
	{ "extended guest request without RAX: refused", SECTION, RULE_HOST, 0, 1, 0, event_refused,
	  (uint64_t)&extended_without_rax, ANY_ERROR },
	{ "run VMPL4: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, NEED_LEVELS, event_refused,
	  (uint64_t)&run_vmpl4, ANY_ERROR },
	{ "run its own level: refused", SECTION, RULE_HOST, LEVELS_ALL, 1, NEED_LEVELS,
	  run_own_level, 0, 2 },
	{ "the second vCPU, hypervisor features", SECTION, RULE_HOST, LEVELS_ALL, 2, 0, event_there,
	  (uint64_t)&hv_features, OK },
	{ "the second vCPU, unknown event: refused", SECTION, RULE_HOST, LEVELS_ALL, 2, 0,
	  event_there, (uint64_t)&unknown, ERROR(6) },
};

/* Converted by some hosts, refused by others: for machines that refuse (docs/hosts.md). */
static const struct rule private_rules[] = {
	{ "MMIO, private scratch area: refused", SECTION, RULE_HOST, 0, 1, 0, event,
	  (uint64_t)&mmio_private_scratch, ERROR(3) },
	{ "page state change, private scratch area: refused", PSC_SECTION, RULE_HOST, 0, 1, 0,
	  event, (uint64_t)&psc_private_scratch, ERROR(3) },
};

/* The MSR protocol. The answers, and what must be left of them. */

static uint64_t msr_call(uint64_t request)
{
	return ghcb_msr_call(request);
}

struct msr_request {
	uint64_t request, mask;
};

static uint64_t msr_event(const struct rule_case *c)
{
	const struct msr_request *r = (const struct msr_request *)c->rule->arg;

	return act(c->rule->vcpus > 1, c->vmpl, msr_call, r->request) & r->mask;
}

static const struct msr_request sev_info = { 0x002, 0xfff };
static const struct msr_request sev_info_max = { 0x002, 0xffffull << 48 };
static const struct msr_request cpuid_eax = { 1ull << 32 | 0x004, 0xc0000fff };
static const struct msr_request cpuid_edx = { 1ull << 32 | 3ull << 30 | 0x004, 0xc0000fff };
static const struct msr_request features = { 0x080, 0xfff };
static const struct msr_request features_snp = { 0x080, 1ull << 12 };
static const struct msr_request preferred = { 0x010, 0xfff };
static const struct msr_request change_to_private = { RULE_PAGE | 1ull << 52 | 0x014, ~0ull };

/* Bit 0: the answer is one; bit 1: it says that it failed. */
static uint64_t msr_refused(const struct rule_case *c)
{
	uint64_t answer = act(0, c->vmpl, msr_call, c->rule->arg);

	return (uint64_t)((answer & 0xfff) == 0x015 || (answer & 0xfff) == 0x017) |
	       (uint64_t)(answer >> 32 != 0) << 1;
}

static const struct rule msr_rules[] = {
	{ "SEV information", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, msr_event,
	  (uint64_t)&sev_info, 0x001 },
	{ "SEV information: protocol 2", MSR_SECTION, RULE_HOST, 0, 1, 0, msr_event,
	  (uint64_t)&sev_info_max, 2ull << 48 },
	{ "CPUID, EAX", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, msr_event, (uint64_t)&cpuid_eax,
	  0x005 },
	{ "CPUID, EDX", MSR_SECTION, RULE_HOST, 0, 1, 0, msr_event, (uint64_t)&cpuid_edx,
	  3ull << 30 | 0x005 },
	{ "hypervisor features", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, msr_event,
	  (uint64_t)&features, 0x081 },
	{ "hypervisor features: SNP", MSR_SECTION, RULE_HOST, 0, 1, 0, msr_event,
	  (uint64_t)&features_snp, 1ull << 12 },
	{ "preferred GHCB", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, msr_event,
	  (uint64_t)&preferred, 0x011 },
	{ "page state change to private", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, 0, msr_event,
	  (uint64_t)&change_to_private, 0x015 },
	{ "page state change, operation 7: refused", MSR_SECTION, RULE_HOST, 0, 1, 0, msr_refused,
	  RULE_PAGE | 7ull << 52 | 0x014, 3 },
	{ "run VMPL7: refused", MSR_SECTION, RULE_HOST, LEVELS_ALL, 1, NEED_LEVELS, msr_refused,
	  7ull << 32 | 0x016, 3 },
	{ "the second vCPU, SEV information", MSR_SECTION, RULE_HOST, LEVELS_ALL, 2, 0, msr_event,
	  (uint64_t)&sev_info, 0x001 },
};

const struct rule_family ghcb_pages = { "GHCB", rules, RULE_COUNT(rules), 0, 0 };
const struct rule_family ghcb_private = { "GHCB", private_rules, RULE_COUNT(private_rules), 0, 0 };
const struct rule_family ghcb_msr = { "GHCB MSR", msr_rules, RULE_COUNT(msr_rules), 0, 0 };
