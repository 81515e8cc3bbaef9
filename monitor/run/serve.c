/* SPDX-License-Identifier: MIT */
#include "monitor/run/serve.h"

#include <stddef.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/protocol.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/vmsa.h"

enum outcome {
	OUTCOME_GO_ON,	  /* the guest runs on */
	OUTCOME_ANSWERED, /* and it has made a call */
	OUTCOME_DELETED,  /* it deleted itself: nobody is to be answered */
	OUTCOME_GONE,	  /* its VMSA is not there any more */
};

/* A vCPU of the guest, whose turn it is. */
struct turn {
	unsigned int cpu, vmpl;
	struct registry_vcpu vcpu;
	bool doubtful; /* its exit may not be what brought us here: RAX has to name a call */
};

static bool goes_on(enum outcome outcome)
{
	return outcome == OUTCOME_GO_ON || outcome == OUTCOME_ANSWERED;
}

static bool read_field(gpa_t vmsa, size_t offset, uint64_t *value)
{
	return arch_guest_read(value, gpa(vmsa.raw + offset), sizeof(*value));
}

static bool write_field(gpa_t vmsa, size_t offset, uint64_t value)
{
	return arch_guest_write(gpa(vmsa.raw + offset), &value, sizeof(value));
}

static bool take_registers(gpa_t vmsa, struct svsm_call *call)
{
	return read_field(vmsa, offsetof(struct snp_vmsa, rax), &call->rax) &&
	       read_field(vmsa, offsetof(struct snp_vmsa, rcx), &call->rcx) &&
	       read_field(vmsa, offsetof(struct snp_vmsa, rdx), &call->rdx) &&
	       read_field(vmsa, offsetof(struct snp_vmsa, r8), &call->r8) &&
	       read_field(vmsa, offsetof(struct snp_vmsa, r9), &call->r9);
}

static bool put_results(gpa_t vmsa, const struct svsm_call *call)
{
	return write_field(vmsa, offsetof(struct snp_vmsa, rax), call->rax) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, rcx), call->rcx) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, rdx), call->rdx) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, r8), call->r8) &&
	       write_field(vmsa, offsetof(struct snp_vmsa, r9), call->r9);
}

/* False when the VMSA is not there any more. Otherwise *stopped says whether it is proved to be. */
static bool stop(gpa_t vmsa, bool *stopped)
{
	bool runnable = true;
	uint32_t eax;

	*stopped = false;
	if (!arch_vmsa_set_runnable(vmsa, false, &runnable))
		return false;
	/*
	 * It must name a less privileged VMPL. That one needs no right on a VMSA, and has none
	 * then.
	 */
	eax = arch_rmpadjust(vmsa, ARCH_PAGE_4K, level_without_rights(), SNP_RMPADJUST_VMSA);
	if (eax == ARCH_RESULT_FAULT || !arch_vmsa_set_runnable(vmsa, false, &runnable))
		return false;
	*stopped = eax == SNP_RESULT_OK && !runnable;
	return true;
}

static enum outcome answer(struct turn *turn, uint8_t pending)
{
	struct registry_vcpu *vcpu = &turn->vcpu;
	struct svsm_call call = {
		.caller = { .cpu = turn->cpu,
			    .vmpl = turn->vmpl,
			    .vmsa = vcpu->vmsa,
			    .caa = vcpu->caa },
	};

	if (!take_registers(vcpu->vmsa, &call))
		return OUTCOME_GONE;
	svsm_dispatch(&call, pending);
	vcpu->caa = call.caller.caa; /* it may have asked for another one */
	if (call.caller_deleted)
		return OUTCOME_DELETED;
	return put_results(vcpu->vmsa, &call) ? OUTCOME_ANSWERED : OUTCOME_GONE;
}

/* call_pending, which becomes 0. An area that its own level cannot use any more is none. */
static uint8_t take_pending(const struct turn *turn)
{
	const uint64_t use = SNP_RMPADJUST_READ | SNP_RMPADJUST_WRITE;
	gpa_t caa = turn->vcpu.caa;
	bool readable;
	uint8_t pending;

	if ((guest_pages_rights(caa, ARCH_PAGE_4K, turn->vmpl) & use) != use)
		return 0;
	pending = arch_guest_exchange8(caa, 0, &readable);
	return readable ? pending : 0;
}

/*
 * The VMSA has stopped. The exit code and call_pending say whether it is a call, and only they;
 * while it may have been something else that brought us here, RAX has to agree.
 */
static enum outcome serve_stopped(struct turn *turn)
{
	gpa_t vmsa = turn->vcpu.vmsa;
	uint64_t exit_code, rax;
	uint8_t pending;

	if (!read_field(vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code))
		return OUTCOME_GONE;
	if (exit_code != SVM_EXIT_VMGEXIT)
		return OUTCOME_GO_ON;
	if (turn->doubtful && !read_field(vmsa, offsetof(struct snp_vmsa, rax), &rax))
		return OUTCOME_GONE;
	if (turn->doubtful && !svsm_call_exists(rax))
		return OUTCOME_GO_ON;
	pending = take_pending(turn);
	return pending ? answer(turn, pending) : OUTCOME_GO_ON;
}

/* The same of the first level, with nothing handed to the vCPU by its APIC meanwhile. */
static enum outcome serve_first(struct turn *turn)
{
	enum outcome outcome;

	if (!guest_apic_withdraw(turn->cpu, &turn->vcpu))
		return OUTCOME_GONE;
	outcome = serve_stopped(turn);
	if (goes_on(outcome) && !guest_apic_present(turn->cpu, &turn->vcpu))
		return OUTCOME_GONE;
	return outcome;
}

/*
 * The same of another level. Each exit of it is looked at once: while its VMSA stays where it is,
 * who comes here are others, and what it had begun at that exit is no call of theirs.
 */
static enum outcome serve_lower(struct turn *turn)
{
	enum outcome outcome = serve_stopped(turn);

	if (goes_on(outcome) &&
	    !write_field(turn->vcpu.vmsa, offsetof(struct snp_vmsa, exit_code), VMSA_NEVER_LEFT))
		return OUTCOME_GONE;
	return outcome;
}

/*
 * False: it is another level's VMSA that nobody has left since it was looked at, or that is gone.
 */
static bool has_left(const struct turn *turn, enum outcome *outcome)
{
	uint64_t exit_code;

	*outcome = OUTCOME_GO_ON;
	if (!level_is_lower(turn->vmpl))
		return true;
	if (!read_field(turn->vcpu.vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code))
		*outcome = OUTCOME_GONE;
	return *outcome == OUTCOME_GO_ON && exit_code != VMSA_NEVER_LEFT;
}

static enum outcome serve(struct turn *turn)
{
	gpa_t vmsa = turn->vcpu.vmsa;
	enum outcome outcome;
	bool stopped, was;

	if (!has_left(turn, &outcome))
		return outcome;
	if (!stop(vmsa, &stopped))
		return OUTCOME_GONE;
	if (stopped)
		outcome = level_is_lower(turn->vmpl) ? serve_lower(turn) : serve_first(turn);
	if (goes_on(outcome) && !arch_vmsa_set_runnable(vmsa, true, &was))
		return OUTCOME_GONE;
	return outcome;
}

static enum outcome serve_level(struct turn *turn)
{
	enum outcome outcome;

	if (!registry_enter(turn->cpu, turn->vmpl, &turn->vcpu))
		return OUTCOME_DELETED;
	outcome = serve(turn);
	if (outcome != OUTCOME_GONE) {
		registry_leave(turn->cpu, turn->vmpl);
		return outcome;
	}
	registry_end(turn->cpu, turn->vmpl);
	svsm_attest_forget_vcpu(turn->vcpu.vmsa);
	log_printf(LOG_WARNING, "vCPU %u ends at VMPL%u: its VMSA is not there any more", turn->cpu,
		   turn->vmpl);
	return outcome;
}

/*
 * Whether a less privileged level of the vCPU has an exit that nobody has looked at: then that may
 * be what brings us here, and not vmpl's.
 */
static bool lower_has_left(unsigned int cpu, unsigned int vmpl)
{
	while (++vmpl < SNP_VMPL_COUNT) {
		uint64_t exit_code = VMSA_NEVER_LEFT;
		struct registry_vcpu vcpu;
		bool there;

		if (!registry_enter(cpu, vmpl, &vcpu))
			continue;
		there = read_field(vcpu.vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code);
		registry_leave(cpu, vmpl);
		if (!there || exit_code != VMSA_NEVER_LEFT)
			return true;
	}
	return false;
}

unsigned int serve_vcpu(unsigned int cpu, unsigned int interrupted)
{
	unsigned int to_run = VMPL0;
	bool called = false;

	for (unsigned int vmpl = guest_vmpl(); vmpl < SNP_VMPL_COUNT; vmpl++) {
		struct turn turn = { .cpu = cpu, .vmpl = vmpl };
		enum outcome outcome;
		bool answered;

		turn.doubtful = called || interrupted & 1u << vmpl || lower_has_left(cpu, vmpl);
		outcome = serve_level(&turn);
		answered = outcome == OUTCOME_ANSWERED;
		if (goes_on(outcome) && (to_run == VMPL0 || (answered && !called)))
			to_run = vmpl;
		called |= answered;
	}
	return to_run;
}

bool serve_has_run(unsigned int cpu)
{
	uint64_t exit_code = VMSA_NEVER_LEFT;
	struct registry_vcpu vcpu;
	bool there;

	if (!registry_enter(cpu, guest_vmpl(), &vcpu))
		return true;
	there = read_field(vcpu.vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code);
	registry_leave(cpu, guest_vmpl());
	return !there || exit_code != VMSA_NEVER_LEFT;
}
