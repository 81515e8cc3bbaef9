/* SPDX-License-Identifier: MIT */
/*
 * SNP AP creation (GHCB specification, 4.1.13 "SNP AP Creation"): requests 0 on INIT, 1 create,
 * 2 destroy. Answers: 0, or 2 in the upper half here and the error in the lower: 4 a field is not
 * marked valid, 5 bad input. Judge from outside: KVM's sev_es_validate_vmgexit() and
 * sev_snp_ap_creation() (arch/x86/kvm/svm/sev.c), which refuse the same.
 */
#include "tests/machine/rules/families.h"

#define SECTION "GHCB specification, SNP AP Creation"
#define REFUSED (2ull << 32)
#define BAD_INPUT 5
#define MISSING_INPUT 4
#define ON_INIT 0ull
#define CREATE 1ull
#define DESTROY 2ull
#define VMSA_BIT (1ull << 16)
#define DEBUG_SWAP (1ull << 5)
#define ICR_INIT 0x4500ull
#define ICR_STARTUP 0x4600ull
#define PAUSES 3000000ull

static uint64_t request(uint64_t apic_id, uint64_t vmpl, uint64_t what)
{
	return apic_id << 32 | vmpl << 16 | what;
}

static uint64_t features(void)
{
	return rule_sev_features();
}

/* Of the second vCPU, which keeps running: nothing here is done. */
enum { BAD_APIC_ID, BAD_VMPL, BAD_REQUEST, BAD_ALIGNMENT, BAD_FEATURES, OUTSIDE_RAM };

static uint64_t refused(const struct rule_case *c)
{
	uint64_t vmsa = (uint64_t)actor_vmsa(1, 3);

	switch (c->rule->arg) {
	case BAD_APIC_ID:
		return actor_ap_creation(request(200, 3, CREATE), vmsa, features());
	case BAD_VMPL:
		return actor_ap_creation(request(1, 4, CREATE), vmsa, features());
	case BAD_REQUEST:
		return actor_ap_creation(request(1, 3, 3), vmsa, features());
	case BAD_ALIGNMENT:
		return actor_ap_creation(request(1, 3, CREATE), vmsa + 8, features());
	case BAD_FEATURES:
		return actor_ap_creation(request(1, 3, CREATE), vmsa, features() | 1ull << 1);
	default:
		return actor_ap_creation(request(1, 3, CREATE), 0xffffff000, features());
	}
}

/*
 * VMPL3 of the second vCPU again, for features that this level has not had: KVM refuses that, for
 * each level has those of its first VMSA, and another host may take it. What the VMSA holds stays.
 */
static uint64_t changed_features(const struct rule_case *c)
{
	uint64_t bad = actor_end(1, 3), answer;

	(void)c;
	actor_fill_vmsa(1, 3);
	bad |= rmpadjust((uint64_t)actor_vmsa(1, 3), 0, VMSA_BIT | 1);
	answer = actor_ap_creation(request(1, 3, CREATE), (uint64_t)actor_vmsa(1, 3),
				   actor_vmsa(1, 3)->sev_features ^ DEBUG_SWAP);
	rule_outcome(answer);
	bad |= answer == (REFUSED | BAD_INPUT) ? 0 : answer;
	return bad | actor_end(1, 3) | actor_create(1, 3);
}

static uint64_t missing_features(const struct rule_case *c)
{
	struct ghcb_answer answer;

	(void)c;
	answer = ghcb_exit(0x80000013, request(1, 3, CREATE), (uint64_t)actor_vmsa(1, 3));
	return (uint64_t)answer.result << 32 | (uint32_t)answer.info_2;
}

static uint64_t nothing(uint64_t arg)
{
	return arg + 1;
}

static uint64_t destroyed(const struct rule_case *c)
{
	uint64_t bad = actor_end(1, c->vmpl);

	/* A level of a vCPU is asked for by its VMPL0, and nobody asks for VMPL0. */
	bad |= c->vmpl ? act(1, c->vmpl, nothing, 0) ^ ACTOR_DOES_NOT_RUN : 0;
	return bad | actor_create(1, c->vmpl);
}

static uint64_t created_again(const struct rule_case *c)
{
	uint64_t bad = actor_end(1, c->vmpl) | actor_create(1, c->vmpl);

	return bad | act(1, c->vmpl, nothing, 41);
}

/* What it wrote to its registers is gone: it starts with those of the VMSA. */
static uint64_t set_lstar(uint64_t value)
{
	msr_write(0xc0000082, value);
	return 0;
}

static uint64_t get_lstar(uint64_t arg)
{
	(void)arg;
	return msr_read(0xc0000082);
}

static uint64_t starts_from_vmsa(const struct rule_case *c)
{
	uint64_t bad = act(1, c->vmpl, set_lstar, 0x123456789000);

	bad |= act(1, c->vmpl, get_lstar, 0) ^ 0x123456789000;
	bad |= actor_end(1, c->vmpl) | actor_create(1, c->vmpl);
	return bad | act(1, c->vmpl, get_lstar, 0);
}

/* Of a level that is destroyed, the VMSA is not in use; it was while it ran. */
static uint64_t not_in_use(const struct rule_case *c)
{
	uint64_t vmsa = (uint64_t)actor_vmsa(1, 0);
	uint64_t in_use = rmpadjust(vmsa, 0, VMSA_BIT | 1), bad;

	(void)c;
	bad = actor_ap_creation(request(1, 0, DESTROY), 0, 0);
	bad |= rmpadjust(vmsa, 0, 1);
	bad |= actor_create(1, 0);
	return bad << 8 | in_use;
}

static bool answers_soon(void)
{
	for (uint64_t i = 0; i < PAUSES; i++) {
		if (act_is_done(1))
			return true;
		__asm__ volatile("pause");
	}
	return false;
}

/*
 * The second vCPU is to be started by INIT: bit 0 it runs at once, bit 1 after SIPI, bit 2 after
 * INIT. That another vCPU's APIC is addressed by id needs x2APIC here.
 */
static uint64_t on_init(const struct rule_case *c)
{
	uint64_t bad = actor_end(1, 0), ran = 0;

	(void)c;
	actor_fill_vmsa(1, 0);
	bad |= rmpadjust((uint64_t)actor_vmsa(1, 0), 0, VMSA_BIT | 1);
	bad |= actor_ap_creation(request(1, 0, ON_INIT), (uint64_t)actor_vmsa(1, 0), features());
	bad |= !apic_start();
	act_begin(1, 0, nothing, 0);
	ran |= answers_soon();
	(void)ghcb_msr_write(0x830, 1ull << 32 | ICR_STARTUP | 0x10);
	ran |= (uint64_t)answers_soon() << 1;
	(void)ghcb_msr_write(0x830, 1ull << 32 | ICR_INIT);
	ran |= (uint64_t)(act_finish(1) == 1) << 2;
	return bad << 8 | ran;
}

static uint64_t create_at(uint64_t vmpl)
{
	return actor_ap_creation(request(1, vmpl, CREATE), (uint64_t)actor_vmsa(1, 0), 1);
}

static uint64_t by_lower_level(const struct rule_case *c)
{
	return act(0, c->vmpl, create_at, 0);
}

static const struct rule rules[] = {
	{ "unknown APIC id: refused", SECTION, RULE_HOST, 0, 1, 0, refused, BAD_APIC_ID,
	  REFUSED | BAD_INPUT },
	{ "VMPL4: refused", SECTION, RULE_HOST, 0, 2, 0, refused, BAD_VMPL, REFUSED | BAD_INPUT },
	{ "unknown request: refused", SECTION, RULE_HOST, 0, 2, 0, refused, BAD_REQUEST,
	  REFUSED | BAD_INPUT },
	{ "VMSA that is no page: refused", SECTION, RULE_HOST, 0, 2, 0, refused, BAD_ALIGNMENT,
	  REFUSED | BAD_INPUT },
	{ "VMSA outside of RAM: refused", SECTION, RULE_HOST, 0, 2, 0, refused, OUTSIDE_RAM,
	  REFUSED | BAD_INPUT },
	{ "other SEV_FEATURES: refused", SECTION, RULE_HOST, 0, 2, 0, refused, BAD_FEATURES,
	  REFUSED | BAD_INPUT },
	{ "other SEV_FEATURES than the level had: refused, or taken", SECTION, RULE_HOST, 0, 2,
	  NEED_LEVELS, changed_features, 0, 0 },
	{ "SEV_FEATURES not marked valid: refused", SECTION, RULE_HOST, 0, 2, 0, missing_features,
	  0, REFUSED | MISSING_INPUT },
	{ "destroyed, and so not run", SECTION, RULE_HOST, LEVELS_ALL, 2, 0, destroyed, 0, 0 },
	{ "created again", SECTION, RULE_HOST, LEVELS_ALL, 2, 0, created_again, 0, 42 },
	{ "starts with the registers of its VMSA", SECTION, RULE_HOST, LEVELS_ALL, 2, 0,
	  starts_from_vmsa, 0, 0 },
	{ "destroyed: its VMSA is not in use", "APM volume 2, 15.36.12", RULE_HOST, 0, 2, 0,
	  not_in_use, 0, 3 },
	{ "on INIT: neither at once nor on SIPI", SECTION, RULE_HOST, 0, 2, 0, on_init, 0, 4 },
	{ "VMPL0 by a lower level: refused", SECTION, RULE_HOST, LEVELS_LOWER, 2, 0, by_lower_level,
	  0, REFUSED | BAD_INPUT },
};

const struct rule_family creation = { "AP creation", rules, RULE_COUNT(rules), 0, NEED_CREATION };
