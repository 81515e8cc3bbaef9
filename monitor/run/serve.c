/* SPDX-License-Identifier: MIT */
#include "monitor/run/serve.h"

#include <stddef.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/protocol/protocol.h"
#include "monitor/vcpu/registry.h"

enum outcome {
	OUTCOME_GO_ON,	 /* the guest runs on */
	OUTCOME_DELETED, /* it deleted itself: nobody is to be answered */
	OUTCOME_GONE,	 /* its VMSA is not there any more */
};

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
	/* It must name a less privileged VMPL. That one has no right on a VMSA, and gets none. */
	eax = arch_rmpadjust(vmsa, ARCH_PAGE_4K, level_without_rights(), SNP_RMPADJUST_VMSA);
	if (eax == ARCH_RESULT_FAULT || !arch_vmsa_set_runnable(vmsa, false, &runnable))
		return false;
	*stopped = eax == SNP_RESULT_OK && !runnable;
	return true;
}

static enum outcome answer(unsigned int cpu, struct registry_vcpu *vcpu, uint8_t pending)
{
	struct svsm_call call = {
		.caller = { .cpu = cpu,
			    .vmpl = guest_vmpl(),
			    .vmsa = vcpu->vmsa,
			    .caa = vcpu->caa },
	};

	if (!take_registers(vcpu->vmsa, &call))
		return OUTCOME_GONE;
	svsm_dispatch(&call, pending);
	vcpu->caa = call.caller.caa; /* it may have asked for another one */
	if (call.caller_deleted)
		return OUTCOME_DELETED;
	return put_results(vcpu->vmsa, &call) ? OUTCOME_GO_ON : OUTCOME_GONE;
}

/*
 * The VMSA has stopped. The exit code and call_pending say whether it is a call, and only they;
 * while it may have been an event that brought us here, RAX has to agree.
 */
static enum outcome serve_stopped(unsigned int cpu, struct registry_vcpu *vcpu, bool interrupted)
{
	uint64_t exit_code, rax;
	uint8_t pending;
	bool readable;

	if (!read_field(vcpu->vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code))
		return OUTCOME_GONE;
	if (exit_code != SVM_EXIT_VMGEXIT)
		return OUTCOME_GO_ON;
	if (interrupted && !read_field(vcpu->vmsa, offsetof(struct snp_vmsa, rax), &rax))
		return OUTCOME_GONE;
	if (interrupted && !svsm_call_exists(rax))
		return OUTCOME_GO_ON;
	pending = arch_guest_exchange8(vcpu->caa, 0, &readable);
	return readable && pending ? answer(cpu, vcpu, pending) : OUTCOME_GO_ON;
}

/* The same, with nothing handed to the vCPU by its APIC meanwhile. */
static enum outcome serve_apic(unsigned int cpu, struct registry_vcpu *vcpu, bool interrupted)
{
	enum outcome outcome;

	if (!guest_apic_withdraw(cpu, vcpu))
		return OUTCOME_GONE;
	outcome = serve_stopped(cpu, vcpu, interrupted);
	if (outcome == OUTCOME_GO_ON && !guest_apic_present(cpu, vcpu))
		return OUTCOME_GONE;
	return outcome;
}

static enum outcome serve(unsigned int cpu, struct registry_vcpu *vcpu, bool interrupted)
{
	enum outcome outcome = OUTCOME_GO_ON;
	bool stopped, was;

	if (!stop(vcpu->vmsa, &stopped))
		return OUTCOME_GONE;
	if (stopped)
		outcome = serve_apic(cpu, vcpu, interrupted);
	if (outcome == OUTCOME_GO_ON && !arch_vmsa_set_runnable(vcpu->vmsa, true, &was))
		return OUTCOME_GONE;
	return outcome;
}

bool serve_vcpu(unsigned int cpu, bool interrupted)
{
	struct registry_vcpu vcpu;

	if (!registry_enter(cpu, &vcpu))
		return false;
	switch (serve(cpu, &vcpu, interrupted)) {
	case OUTCOME_GO_ON:
		registry_leave(cpu);
		return true;
	case OUTCOME_DELETED:
		registry_leave(cpu);
		return false;
	case OUTCOME_GONE:
		break;
	}
	registry_end(cpu);
	svsm_attest_forget_vcpu(vcpu.vmsa);
	log_printf(LOG_WARNING, "vCPU %u ends: its VMSA is not there any more", cpu);
	return false;
}

bool serve_has_run(unsigned int cpu)
{
	uint64_t exit_code = SERVE_NEVER_LEFT;
	struct registry_vcpu vcpu;
	bool there;

	if (!registry_enter(cpu, &vcpu))
		return true;
	there = read_field(vcpu.vmsa, offsetof(struct snp_vmsa, exit_code), &exit_code);
	registry_leave(cpu);
	return !there || exit_code != SERVE_NEVER_LEFT;
}
