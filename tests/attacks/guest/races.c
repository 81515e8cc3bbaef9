/* SPDX-License-Identifier: MIT */
/*
 * Races, one after the other: CPU 1 makes a call and is held before the N-th step of its VMPL0 (the
 * machine's `--hold N`); then CPU 0 takes away what the call is about, or CPU 2 makes a call that
 * conflicts; then CPU 1 goes on. Each rule is one call, with all attacks. N is the runner's, which
 * raises it until every call ends before its N-th step.
 *
 * What a call may answer is given for each attack. Whatever it was, each page is one thing only
 * afterwards: the guest's, valid; private and not validated; or nobody's. Were it a VMSA all the
 * same, or one with rights, the machine's memory would show it (tests/attacks/memory.py).
 */
#include "tests/attacks/guest/hold.h"
#include "tests/attacks/guest/lives.h"

#define VICTIM 1u     /* makes the call */
#define ACCOMPLICE 2u /* makes the conflicting one */
#define SPARE 3u      /* whose VMSAs are made and deleted; it does not run here */
#define LIST_LENGTH 4u
#define PATIENCE 20000u /* looks at what may never come */

/* One race. */
static struct {
	uint64_t target, second; /* the pages that the call is about */
	uint64_t more[LIST_LENGTH];
	struct svsm_regs regs;
	uint64_t rax;	      /* that it was made with */
	uint64_t conflicting; /* RAX of the accomplice's call */
	volatile bool armed, held, answered;
} race;

static unsigned int held_races;

/* ---- Calls, and what they are about ---- */

static void set_call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	race.regs = (struct svsm_regs){ .rax = rax, .rcx = rcx, .rdx = rdx, .r8 = r8 };
}

static void set_list(uint64_t flags, unsigned int count)
{
	struct pvalidate_list *list = (struct pvalidate_list *)cpu_at(VICTIM)->list;

	list->entries = (uint16_t)count;
	list->next = 0;
	list->entry[0] = race.target | flags;
	for (unsigned int i = 1; i < count; i++)
		list->entry[i] = race.more[i] | flags;
	set_call(CORE_PVALIDATE, (uint64_t)list, 0, 0);
}

static void prepare_query(void)
{
	set_call(CORE_QUERY_PROTOCOL, 1, 0, 0);
}

static void prepare_invalidate(void)
{
	set_list(0, 1);
}

static void prepare_validate(void)
{
	expect("give the page up", page_give_up(race.target), 0);
	expect("private", psc_msr(race.target, PSC_PRIVATE), true);
	set_list(ENTRY_VALIDATE, 1);
}

static void prepare_again(void)
{
	set_list(ENTRY_VALIDATE | ENTRY_IGNORE_CF, 1);
}

static void prepare_list(void)
{
	for (unsigned int i = 1; i < LIST_LENGTH; i++)
		race.more[i] = page_new();
	set_list(0, LIST_LENGTH);
}

static void prepare_remap(void)
{
	set_call(CORE_REMAP_CA, race.target, 0, 0);
}

static void prepare_create(void)
{
	cpu_vmsa(race.target, SPARE);
	set_call(CORE_CREATE_VCPU, race.target, race.second, SPARE);
}

static void prepare_delete(void)
{
	cpu_vmsa(race.target, SPARE);
	expect("create", vcpu_create(race.target, race.second, SPARE), 0);
	set_call(CORE_DELETE_VCPU, race.target, 0, 0);
}

static void prepare_withdraw(void)
{
	set_call(CORE_WITHDRAW_MEM, race.target, 0, 0);
}

/* ---- Attacks, while the victim is held ---- */

static void attack_nothing(void)
{
}

static void attack_share(void)
{
	(void)psc_msr(race.target, PSC_SHARED);
}

static void attack_again(void)
{
	(void)psc_list(race.target, PSC_SHARED, false);
	(void)psc_list(race.target, PSC_PRIVATE, false);
}

static void attack_second(void)
{
	(void)psc_msr(race.second, PSC_SHARED);
	(void)psc_msr(race.second, PSC_PRIVATE);
}

/* The victim's list, to addresses of Socle. */
static void attack_list(void)
{
	struct pvalidate_list *list = (struct pvalidate_list *)cpu_at(VICTIM)->list;

	for (unsigned int i = 0; i < LIST_LENGTH; i++)
		list->entry[i] = (places.svsm + i * 0x1000) | ENTRY_VALIDATE | ENTRY_IGNORE_CF;
	list->entries = 511;
	list->next = 0;
}

/* What a VMSA must not say, as long as the page is the guest's to write. */
static void attack_vmsa(void)
{
	struct fault fault;
	uint32_t eax;

	if (try_rmpadjust(race.target, 0, 3 | SNP_RMPADJUST_WRITE, &eax, &fault) || eax != 0)
		return;
	(void)try_rmpadjust(race.target, 0, 3, &eax, &fault);
	*(volatile uint8_t *)(race.target + 0xca) = 0;
}

static void attack_pending(void)
{
	*(volatile uint8_t *)cpu_at(VICTIM)->caa = 1;
}

/* The host takes the VMSA of the vCPU whose call is being served. */
static void attack_caller(void)
{
	(void)psc_msr(cpu_at(VICTIM)->vmsa, PSC_SHARED);
	(void)psc_msr(cpu_at(VICTIM)->vmsa, PSC_PRIVATE);
}

static void attack_area(void)
{
	(void)psc_msr(cpu_at(VICTIM)->caa, PSC_SHARED);
	(void)psc_msr(cpu_at(VICTIM)->caa, PSC_PRIVATE);
}

/* Conflicting calls, on the accomplice. */

static void conflict_invalidate(void)
{
	race.conflicting = svsm_pvalidate(race.target);
}

static void conflict_validate(void)
{
	race.conflicting = svsm_pvalidate(race.target | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
}

static void conflict_remap(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->caa;

	race.conflicting = svsm_call(CORE_REMAP_CA, race.target, 0, 0);
	if (race.conflicting == 0) {
		cpu->caa = race.target;
		expect("and back", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
		cpu->caa = old;
	}
}

static void conflict_create(void)
{
	race.conflicting = vcpu_create(race.target, race.second, SPARE);
}

static void conflict_delete(void)
{
	race.conflicting = vcpu_delete(race.target);
}

static void conflict_delete_caller(void)
{
	race.conflicting = vcpu_delete(cpu_at(VICTIM)->vmsa);
}

struct attack {
	const char *what;
	void (*run)(void);	/* on CPU 0 */
	void (*conflict)(void); /* or on the accomplice */
};

static const struct attack attacks[] = {
	{ "nothing", attack_nothing, NULL },
	{ "share the page", attack_share, NULL },
	{ "share the page, and make it private", attack_again, NULL },
	{ "share the second page, and make it private", attack_second, NULL },
	{ "rewrite the list", attack_list, NULL },
	{ "rewrite the VMSA", attack_vmsa, NULL },
	{ "set call_pending", attack_pending, NULL },
	{ "take the caller's VMSA", attack_caller, NULL },
	{ "take the caller's calling area", attack_area, NULL },
	{ "invalidate the page", NULL, conflict_invalidate },
	{ "validate the page", NULL, conflict_validate },
	{ "REMAP_CA to the page", NULL, conflict_remap },
	{ "CREATE_VCPU of the page", NULL, conflict_create },
	{ "DELETE_VCPU of the page", NULL, conflict_delete },
	{ "DELETE_VCPU of the caller", NULL, conflict_delete_caller },
};

/* ---- The calls ---- */

#define ANSWERS_MAX 5u

struct call {
	const char *what;
	void (*prepare)(void);
	/* The attack that is the same call: not both may succeed. */
	void (*same)(void);
	/* What it may answer under attack, 58019 section 6; without any it is 0. */
	uint64_t answers[ANSWERS_MAX];
};

static const struct call query = { "QUERY_PROTOCOL", prepare_query, NULL, { 0 } };
static const struct call invalidate = {
	"invalidate", prepare_invalidate, conflict_invalidate, { 0, 0x80000003, 0x80001010 }
};
static const struct call validate = {
	"validate", prepare_validate, NULL, { 0, 0x80000003, 0x80001010 }
};
static const struct call again = {
	"validate a valid page", prepare_again, NULL, { 0, 0x80000003 }
};
static const struct call list = {
	"invalidate a list", prepare_list, conflict_invalidate, { 0, 0x80000003, 0x80001010 }
};
static const struct call remap = { "REMAP_CA", prepare_remap, NULL, { 0, 0x80000003 } };
static const struct call create = {
	"CREATE_VCPU", prepare_create, conflict_create, { 0, 0x80000003, 0x80000005 }
};
static const struct call delete = {
	"DELETE_VCPU", prepare_delete, conflict_delete, { 0, 0x80000003, 0x80000005 }
};
static const struct call withdraw = { "WITHDRAW_MEM", prepare_withdraw, NULL, { 0, 0x80000003 } };

/* ---- One race ---- */

static void make_call(void)
{
	*(volatile uint8_t *)cpu_this()->caa = 1;
	hold_arm();
	race.armed = true;
	race.answered = svsm_run(&race.regs);
}

/* A conflicting call may have to wait for the one that is held. */
static void begin_conflict(void (*conflict)(void))
{
	cpu_begin(ACCOMPLICE, conflict);
	for (unsigned int i = 0; i < PATIENCE && cpu_at(ACCOMPLICE)->job; i++)
		cpu_relax();
}

static void hold_and_attack(const struct attack *attack)
{
	while (!race.armed)
		cpu_relax();
	hold_wait();
	race.held = hold_state() == HOLD_HELD;
	if (!race.held)
		return;
	held_races++;
	if (attack->conflict)
		begin_conflict(attack->conflict);
	else
		attack->run();
	hold_go_on();
	if (attack->conflict)
		cpu_end(ACCOMPLICE);
}

/* The victim's VMSA was taken, or deleted just before it was entered again. */
static bool lost(const struct attack *attack)
{
	return race.held && (attack->run == attack_caller ||
			     (attack->conflict == conflict_delete_caller && !race.conflicting));
}

/* Waits for the end of the victim's call, unless that may never come. */
static bool returned(const struct attack *attack)
{
	bool wait = !lost(attack);

	for (unsigned int i = 0; wait || i < PATIENCE; i++) {
		if (!__atomic_load_n(&cpu_at(VICTIM)->job, __ATOMIC_SEQ_CST))
			return true;
		cpu_relax();
	}
	return false;
}

/* What a page is: tried with a right that the guest may give, and takes back. */
static const char *state_of(uint64_t page)
{
	struct fault fault;
	uint32_t eax;

	if (try_rmpadjust(page, 0, 3 | SNP_RMPADJUST_WRITE, &eax, &fault))
		return "invalid";
	if (eax != 0)
		return "lost";
	(void)try_rmpadjust(page, 0, 3, &eax, &fault);
	return NULL;
}

/* Brings a page back into the guest's hands if it can be had, and says what it is if not. */
static void settle(uint64_t page)
{
	(void)vcpu_delete(page);
	if (state_of(page))
		(void)svsm_pvalidate(page | ENTRY_VALIDATE);
	pages_keep(page, 1, state_of(page));
}

/* Makes the victim anew, in pages of its own. */
static void revive(void)
{
	struct cpu *cpu = cpu_at(VICTIM);
	uint64_t vmsa = page_new(), caa = page_new(), old = cpu->vmsa, area = cpu->caa;

	(void)cpu_stop(VICTIM);
	settle(old);
	settle(area);
	cpu_vmsa(vmsa, VICTIM);
	expect("the victim is made anew", vcpu_create(vmsa, caa, VICTIM), 0);
	expect("and runs", cpu_enter(VICTIM, vmsa, caa), true);
	pages_keep(vmsa, 1, "vmsa");
	pages_keep(caa, 1, NULL);
}

static bool may_answer(const struct call *call, const struct attack *attack)
{
	if (!race.held || attack->run == attack_nothing)
		return race.regs.rax == 0;
	if (attack->run == attack_area && race.regs.rax == race.rax)
		return true; /* there was no call to see */
	for (unsigned int i = 0; i < ANSWERS_MAX; i++) {
		if (call->answers[i] == race.regs.rax)
			return true;
	}
	return false;
}

static void judge(const struct call *call, const struct attack *attack)
{
	if (!may_answer(call, attack))
		expect(attack->what, race.regs.rax, call->answers[0]);
	expect("VMPL0 ran", race.answered, true);
	if (race.held && attack->conflict && attack->conflict == call->same)
		expect("one of two equal calls fails", race.conflicting == 0 && race.regs.rax == 0,
		       false);
}

static void run_race(const struct call *call, const struct attack *attack)
{
	uint64_t area = cpu_at(VICTIM)->caa;
	bool ended;

	race.target = page_new();
	race.second = page_new();
	race.armed = race.held = race.answered = false;
	call->prepare();
	race.rax = race.regs.rax;
	cpu_begin(VICTIM, make_call);
	hold_and_attack(attack);
	ended = returned(attack);
	if (ended)
		judge(call, attack);
	if (ended && call == &remap && race.regs.rax == 0)
		cpu_at(VICTIM)->caa = race.target;
	if (!ended || (race.held && attack->run == attack_caller) || state_of(cpu_at(VICTIM)->caa))
		revive();
	settle(area);
	settle(race.target);
	settle(race.second);
	for (unsigned int i = 1; call == &list && i < LIST_LENGTH; i++)
		settle(race.more[i]);
}

/* CPU 3 is nobody: its VMSAs are made and deleted here. */
static void retire_spare(void)
{
	if (!cpu_at(SPARE)->up)
		return;
	expect("the host stops CPU 3", cpu_stop(SPARE), true);
	expect("delete it", vcpu_delete(cpu_at(SPARE)->vmsa), 0);
	pages_keep(cpu_at(SPARE)->vmsa, 1, NULL);
}

static void run_races(const struct call *call)
{
	retire_spare();
	held_races = 0;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		run_race(call, &attacks[i]);
	note("held %u %s", held_races, call->what);
}

static void race_query(void)
{
	run_races(&query);
}

static void race_invalidate(void)
{
	run_races(&invalidate);
}

static void race_validate(void)
{
	run_races(&validate);
}

static void race_again(void)
{
	run_races(&again);
}

static void race_list(void)
{
	run_races(&list);
}

static void race_remap(void)
{
	run_races(&remap);
}

static void race_create(void)
{
	run_races(&create);
}

static void race_delete(void)
{
	run_races(&delete);
}

static void race_withdraw(void)
{
	run_races(&withdraw);
}

const struct rule rules[] = {
	{ "races of QUERY_PROTOCOL", "58019 6.7", race_query, 4 },
	{ "races of an invalidation", "58019 6.2", race_invalidate, 4 },
	{ "races of a validation", "58019 6.2", race_validate, 4 },
	{ "races of a validation of a valid page", "58019 6.2", race_again, 4 },
	{ "races of a list", "58019 6.2", race_list, 4 },
	{ "races of REMAP_CA", "58019 6.1", race_remap, 4 },
	{ "races of CREATE_VCPU", "58019 6.3", race_create, 4 },
	{ "races of DELETE_VCPU", "58019 6.4", race_delete, 4 },
	{ "races of WITHDRAW_MEM", "58019 6.6", race_withdraw, 4 },
	{ NULL, NULL, NULL, 0 },
};
