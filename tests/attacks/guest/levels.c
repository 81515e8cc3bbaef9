/* SPDX-License-Identifier: MIT */
/*
 * A second level of the guest, and its attacks on the first: by the core protocol (58019, section
 * 6), by the services, which this image does not grant to it, and by RMPADJUST (APM volume 3).
 */
#include "tests/attacks/guest/lives.h"
#include "tests/attacks/guest/lower.h"

#define PAGE 0x1000ull
#define VMSA_VMPL 0xca
#define UNSUPPORTED_PROTOCOL 0x80000001ull
#define NOT_A_CALL 0x7e5a1000ull

/* What a job is about, and pages of the first level's for it. */
static uint64_t target, target_2;
static struct svsm_regs answer;

static void start(void)
{
	expect("it is made and starts", lower_start(page_new(), page_new()), true);
}

static void call_alive(void)
{
	expect("the core protocol", svsm_alive(), true);
}

static void alive(void)
{
	struct cpu *cpu = lower_cpu();

	start();
	for (unsigned int i = 0; i < 100; i++)
		lower_run(call_alive);
	expect("its VMSA is of its level", *(volatile uint8_t *)(cpu->vmsa + VMSA_VMPL),
	       lower_vmpl());
	expect("its VMSA as a VMSA", vcpu_create(cpu->vmsa, page_new(), 1), 0x80000003);
	expect("invalidate its VMSA", svsm_pvalidate(cpu->vmsa), 0x80000003);
	expect("invalidate its area", svsm_pvalidate(cpu->caa), 0x80000003);
	expect("REMAP_CA to its area", svsm_call(CORE_REMAP_CA, cpu->caa, 0, 0), 0x80000003);
}

/* ---- Rights: APM volume 3, RMPADJUST ---- */

static uint32_t adjust(uint64_t gpa, uint64_t vmpl, uint64_t rights)
{
	struct fault fault;
	uint32_t eax = ~0u;

	expect("no exception", try_rmpadjust(gpa, 0, rights | vmpl, &eax, &fault), false);
	return eax;
}

/* FAIL_PERMISSION: of a level that is not less privileged than its own it changes nothing. */
static void adjust_others(void)
{
	for (unsigned int vmpl = 0; vmpl <= lower_vmpl(); vmpl++) {
		expect("a page of the first", adjust(target, vmpl, RIGHTS_ALL), 2);
		expect("its own page", adjust(target_2, vmpl, RIGHTS_ALL), 2);
		expect("to take away", adjust(target_2, vmpl, 0), 2);
	}
}

static void rights(void)
{
	target = page_new();
	target_2 = page_new();
	page_fill(target);
	lower_give(target_2, RIGHTS_USE);
	for (unsigned int vmpl = 0; vmpl <= places.vmpl; vmpl++)
		expect("of the first level's own", adjust(target, vmpl, RIGHTS_ALL), 2);
	lower_run(adjust_others);
	lower_give(target_2, 0);
	expect("the page is what it was", page_filled(target), true);
}

/* An instruction of VMPL0 (APM volume 3): #GP for every other level. */
static void pvalidate_itself(void)
{
	struct fault fault = { 0 };

	expect("it faults", try_pvalidate(target, 0, 0, &fault), true);
	expect("#GP", fault.vector, 13);
	expect("it faults", try_pvalidate(target, 0, 1, &fault), true);
	expect("#GP", fault.vector, 13);
}

static void instructions(void)
{
	target = page_new();
	page_fill(target);
	lower_run(pvalidate_itself);
	expect("the page is what it was", page_filled(target), true);
}

/* ---- PVALIDATE ---- */

static void pvalidate_target(void)
{
	static const uint64_t bits[] = { 0, ENTRY_IGNORE_CF, ENTRY_VALIDATE,
					 ENTRY_VALIDATE | ENTRY_IGNORE_CF };

	for (unsigned int i = 0; i < 4; i++)
		expect("PVALIDATE of it", svsm_pvalidate(target | bits[i]), 0x80000003);
}

static void pvalidate_the_firsts(void)
{
	uint64_t large = page_new_2m();

	target = page_new();
	page_fill(target);
	lower_run(pvalidate_target);
	lower_give(target, RIGHT_READ);
	lower_run(pvalidate_target);
	lower_give(target, 0xd00); /* to read and to execute */
	lower_run(pvalidate_target);
	lower_give(target, 0);
	expect("the page is what it was", page_filled(target), true);
	target = large + 7 * PAGE;
	page_fill(target);
	lower_run(pvalidate_target);
	expect("the page is what it was", page_filled(target), true);
	target = large | ENTRY_2M;
	lower_run(pvalidate_target);
	target = places.caa;
	lower_run(pvalidate_target);
	target = places.secrets_page;
	lower_run(pvalidate_target);
	target = places.svsm;
	lower_run(pvalidate_target);
	target = places.svsm + places.svsm_size - PAGE;
	lower_run(pvalidate_target);
	target = lower_cpu()->vmsa;
	lower_run(pvalidate_target);
	target = places.ram_end;
	lower_run(pvalidate_target);
}

/* What is not valid has no rights: it is the first level that has it validated. */
static void pvalidate_invalid(void)
{
	expect("validate it", svsm_pvalidate(target | ENTRY_VALIDATE), 0x80000003);
	expect("validate it, ignored", svsm_pvalidate(target | ENTRY_VALIDATE | ENTRY_IGNORE_CF),
	       0x80000003);
}

static void steal_a_page_under_way(void)
{
	target = page_new();
	lower_give(target, RIGHTS_ALL);
	expect("the first gives it up", svsm_pvalidate(target), 0);
	lower_run(pvalidate_invalid);
	expect("the first has it back", svsm_pvalidate(target | ENTRY_VALIDATE), 0);
	lower_run(pvalidate_target);
	target = page_new();
	expect("shared", page_give_up(target), 0);
	expect("private", psc_msr(target, PSC_PRIVATE), true);
	lower_run(pvalidate_invalid);
	expect("the first has it back", svsm_pvalidate(target | ENTRY_VALIDATE), 0);
}

static void pvalidate_own(void)
{
	page_fill(target);
	expect("valid already", svsm_pvalidate(target | ENTRY_VALIDATE), 0x80001010);
	expect("it is what it was", page_filled(target), true);
	expect("emptied", svsm_pvalidate(target | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0);
	expect("it is zero", page_zero(target), true);
	page_fill(target); /* and for both still */
	expect("invalidate it", svsm_pvalidate(target), 0);
	expect("it is gone", svsm_pvalidate(target | ENTRY_VALIDATE), 0x80000003);
}

static void pvalidate_given(void)
{
	target = page_new();
	lower_give(target, RIGHTS_USE);
	lower_run(pvalidate_own);
	expect("the first has it validated", svsm_pvalidate(target | ENTRY_VALIDATE), 0);
	expect("it is zero", page_zero(target), true);
}

/* ---- Calling areas ---- */

static void remap_target(void)
{
	expect("REMAP_CA to it", svsm_call(CORE_REMAP_CA, target, 0, 0), 0x80000003);
}

static void remap_given(void)
{
	uint64_t old = cpu_this()->caa;

	expect("REMAP_CA to it", svsm_call(CORE_REMAP_CA, target, 0, 0), 0);
	cpu_this()->caa = target;
	expect("a call by it", svsm_alive(), true);
	expect("and back", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
	cpu_this()->caa = old;
}

static void areas(void)
{
	static const uint64_t given[] = { 0, RIGHT_READ, 0x200, 0xd00 };

	target = page_new();
	for (unsigned int i = 0; i < 4; i++) {
		page_fill(target);
		lower_give(target, given[i]);
		lower_run(remap_target);
		expect("the page is what it was", page_filled(target), true);
	}
	lower_give(target, RIGHTS_USE);
	lower_run(remap_given);
	lower_give(target, 0);
	target = places.caa;
	lower_run(remap_target);
	target = places.svsm;
	lower_run(remap_target);
	target = lower_cpu()->vmsa;
	lower_run(remap_target);
}

/* ---- vCPUs ---- */

/* A VMSA in a page of its own; that of its own level is the last, and is deleted again. */
static void create_levels(void)
{
	for (unsigned int vmpl = 0; vmpl < 256; vmpl++) {
		if (vmpl == lower_vmpl() || (vmpl > lower_vmpl() && vmpl < SNP_VMPL_COUNT))
			continue;
		*(volatile uint8_t *)(target + VMSA_VMPL) = (uint8_t)vmpl;
		expect("another level", vcpu_create(target, target_2, 1 % places.cpus), 0x80000005);
	}
	*(volatile uint8_t *)(target + VMSA_VMPL) = (uint8_t)lower_vmpl();
	expect("in the place of its own", vcpu_create(target, target_2, 0), 0x80000005);
}

static void create_of_the_firsts(void)
{
	expect("a page of the first as a VMSA", vcpu_create(target, target_2, 1), 0x80000003);
	expect("as an area", vcpu_create(target_2, target, 1), 0x80000003);
	expect("the first's area", vcpu_create(target_2, places.caa, 1), 0x80000003);
	expect("its own VMSA", vcpu_create(cpu_this()->vmsa, target_2, 1), 0x80000003);
}

static void creation(void)
{
	target = vcpu_vmsa_new(0);
	target_2 = page_new();
	((struct snp_vmsa *)target)->sev_features = 1;
	lower_give(target, RIGHTS_USE);
	lower_give(target_2, RIGHTS_USE);
	lower_run(create_levels);
	lower_give(target, 0);
	lower_give(target_2, 0);
}

static void create_of_pages(void)
{
	target = page_new();
	target_2 = vcpu_vmsa_new(1);
	((struct snp_vmsa *)target_2)->vmpl = (uint8_t)lower_vmpl();
	lower_give(target_2, RIGHTS_USE);
	lower_run(create_of_the_firsts);
	lower_give(target, RIGHT_READ);
	lower_run(create_of_the_firsts);
	lower_give(target, 0);
	lower_give(target_2, 0);
}

static void delete_the_firsts(void)
{
	for (uint64_t at = 0; at < places.svsm_size; at += PAGE)
		expect("a page of Socle", vcpu_delete(places.svsm + at), 0x80000005);
	expect("the VMSA of CPU 1", vcpu_delete(target), 0x80000005);
	expect("as an area", svsm_call(CORE_REMAP_CA, target, 0, 0), 0x80000003);
	pvalidate_target();
}

static void deletion(void)
{
	target = places.cpus > 1 ? cpu_at(1)->vmsa : places.svsm;
	lower_run(delete_the_firsts);
	if (places.cpus > 1) {
		target = cpu_at(1)->caa;
		lower_run(remap_target);
	}
}

/* ---- What calls copy ---- */

static void have_it_written(void)
{
	expect("the count of withdrawn pages", svsm_call(CORE_WITHDRAW_MEM, target, 0, 0),
	       0x80000003);
}

static void have_it_read(void)
{
	expect("a list", svsm_call(CORE_DEPOSIT_MEM, target, 0, 0), 0x80000003);
	expect("another one", svsm_call(CORE_PVALIDATE, target, 0, 0), 0x80000003);
}

static void copies(void)
{
	struct pvalidate_list *of_the_first;

	target = page_new();
	page_fill(target);
	lower_run(have_it_written);
	lower_give(target, RIGHT_READ);
	lower_run(have_it_written);
	lower_give(target, 0);
	expect("the page is what it was", page_filled(target), true);
	of_the_first = (struct pvalidate_list *)target;
	of_the_first->entries = 1;
	of_the_first->next = 0;
	of_the_first->entry[0] = target | ENTRY_VALIDATE;
	lower_run(have_it_read);
	target = places.caa;
	lower_run(have_it_written);
}

/* ---- Calls ---- */

/* A call that there is not, made just when an event comes, is not taken (docs/planes.md). */
static uint64_t call_until_taken(uint64_t rax)
{
	uint64_t result;

	do
		result = svsm_call(rax, target, 0, 0);
	while (result == SVSM_NOT_TAKEN);
	return result;
}

static void call_all(void)
{
	for (uint64_t protocol = 1; protocol < 6; protocol++) {
		for (uint64_t call = 0; call < 6; call++)
			expect("a protocol that it has not",
			       call_until_taken(protocol << 32 | call), UNSUPPORTED_PROTOCOL);
		answer = (struct svsm_regs){ .rax = CORE_QUERY_PROTOCOL,
					     .rcx = protocol << 32 | 1 };
		expect("the question is answered", svsm_call_regs(&answer, 1), true);
		expect("it is not offered", answer.rcx, 0);
	}
	for (uint64_t call = 8; call < 64; call++)
		expect("a core call that there is not", call_until_taken(call), 0x80000002);
	expect("the last core call", call_until_taken(0xffffffff), 0x80000002);
	expect("reserved protocols", call_until_taken(0x80000000ull << 32), UNSUPPORTED_PROTOCOL);
	expect("the last one", call_until_taken(0xffffffffull << 32), UNSUPPORTED_PROTOCOL);
	answer = (struct svsm_regs){ .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };
	expect("pending 2", svsm_call_regs(&answer, 2) && answer.rax == 0x80000004, true);
}

static void calls(void)
{
	target = page_new();
	page_fill(target);
	lower_run(call_all);
	expect("the page is what it was", page_filled(target), true);
}

/* On its way to a call it goes back to the first, which makes calls of its own. */
static void half_made(void)
{
	struct svsm_caa *caa = (struct svsm_caa *)cpu_this()->caa;

	for (unsigned int i = 0; i < 50; i++) {
		struct svsm_regs regs = { .rax = NOT_A_CALL, .rcx = 1, .rdx = 2, .r8 = 3, .r9 = 4 };

		__atomic_store_n(&caa->call_pending, 1, __ATOMIC_SEQ_CST);
		vmgexit_with(0x016 | (uint64_t)places.vmpl << 32, &regs);
		expect("RAX is its own", regs.rax, NOT_A_CALL);
		expect("RCX is its own", regs.rcx, 1);
		expect("R8 is its own", regs.r8, 3);
		expect("nobody took the call",
		       __atomic_exchange_n(&caa->call_pending, 0, __ATOMIC_SEQ_CST), 1);
		expect("its calls are answered", svsm_alive(), true);
	}
}

static void half_made_calls(void)
{
	__atomic_store_n(&lower_cpu()->job, half_made, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&lower_cpu()->job, __ATOMIC_SEQ_CST)) {
		expect("the host runs it", lower_go_on(), true);
		for (unsigned int i = 0; i < 3; i++)
			expect("the first's calls are answered", svsm_alive(), true);
	}
}

/* ---- Keys: 58019, section 3 ---- */

static unsigned int lowest_key; /* the most privileged level whose key there is */

static void look_at_keys(void)
{
	const volatile struct snp_secrets *page = (const volatile struct snp_secrets *)target;

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		unsigned int bits = 0;

		for (unsigned int i = 0; i < SNP_VMPCK_SIZE; i++)
			bits |= page->vmpck[vmpl][i];
		expect("VMPCKs of that level and of less privileged ones", bits != 0,
		       vmpl >= lowest_key);
	}
}

static void look_at_page(void)
{
	const volatile struct snp_secrets *page = (const volatile struct snp_secrets *)target;

	look_at_keys();
	expect("its level", page->svsm_guest_vmpl, lower_vmpl());
	expect("its area", page->svsm_caa, cpu_this()->caa);
}

/*
 * The first level makes the page of the second out of its own, as Socle made that out of its own.
 * If it hands on all that it has, there is still no key of a level above it.
 */
static void keys(void)
{
	const volatile uint8_t *own = (const volatile uint8_t *)places.secrets_page;
	struct snp_secrets *page;

	target = page_new();
	page = (struct snp_secrets *)target;
	for (unsigned int i = 0; i < PAGE; i++)
		((volatile uint8_t *)page)[i] = own[i];
	lower_give(target, RIGHT_READ);
	lowest_key = places.vmpl;
	lower_run(look_at_keys);
	for (unsigned int i = 0; i < SNP_VMPCK_SIZE; i++)
		((volatile uint8_t *)page->vmpck[places.vmpl])[i] = 0;
	page->svsm_guest_vmpl = (uint8_t)lower_vmpl();
	page->svsm_caa = lower_cpu()->caa;
	lowest_key = lower_vmpl();
	lower_run(look_at_page);
	lower_give(target, 0);
	target = places.secrets_page;
	lower_run(have_it_read);
	lower_run(pvalidate_target);
}

/* ---- Its end ---- */

static void end(void)
{
	struct cpu *cpu = lower_cpu();
	uint64_t vmsa = cpu->vmsa, caa = cpu->caa;

	lower_end();
	expect("delete it twice", vcpu_delete(vmsa), 0x80000005);
	expect("the VMSA is a page again", page_valid(vmsa), true);
	expect("so is its area", page_valid(caa), true);
	expect("it is made anew", lower_start(vmsa, caa), true);
	lower_run(call_alive);
	lower_end();
}

static void delete_itself(void)
{
	__atomic_store_n(&cpu_this()->job, NULL, __ATOMIC_SEQ_CST);
	(void)vcpu_delete(cpu_this()->vmsa);
	expect("a level runs without its VMSA", true, false);
}

static void suicide(void)
{
	uint64_t vmsa = page_new(), caa = page_new();

	expect("it is made anew", lower_start(vmsa, caa), true);
	lower_run(delete_itself);
	/* An event may have the first level go on before it has done so. */
	while (!page_valid(vmsa))
		(void)lower_go_on();
	pages_keep(vmsa, 1, NULL);
	expect("and can be one again", lower_start(vmsa, caa), true);
	lower_run(call_alive);
	lower_end();
}

const struct rule rules[] = {
	{ "a second level is made, and makes calls", "58019 6.3, 5", alive, 1 },
	{ "RMPADJUST gives nothing to one's own level", "APM 3, RMPADJUST", rights, 1 },
	{ "PVALIDATE is not its instruction", "APM 3, PVALIDATE", instructions, 1 },
	{ "PVALIDATE of the first level's pages", "58019 6.2", pvalidate_the_firsts, 1 },
	{ "PVALIDATE of pages that are not valid", "58019 6.2", steal_a_page_under_way, 1 },
	{ "PVALIDATE of what it was given", "58019 6.2", pvalidate_given, 1 },
	{ "REMAP_CA to what it cannot write", "58019 6.1", areas, 1 },
	{ "CREATE_VCPU of the first level", "58019 6.3", creation, 1 },
	{ "CREATE_VCPU in the first level's pages", "58019 6.3", create_of_pages, 2 },
	{ "DELETE_VCPU of the first level's VMSAs", "58019 6.4", deletion, 1 },
	{ "calls copy to and from the first level's pages", "58019 6", copies, 1 },
	{ "vTPM, attestation, APIC, reserved calls", "58019 5, 7, 8", calls, 1 },
	{ "a call that it has not made yet", "58019 5", half_made_calls, 1 },
	{ "its secrets page has its own keys", "58019 3, table 1", keys, 1 },
	{ "the first level deletes it", "58019 6.4", end, 1 },
	{ "it deletes itself", "58019 6.4", suicide, 1 },
	{ NULL, NULL, NULL, 0 },
};
