/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_CREATE_VCPU and SVSM_CORE_DELETE_VCPU (58019, sections 6.3 and 6.4). */
#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/vcpu/registry.h"

struct new_vcpu {
	gpa_t vmsa;
	gpa_t caa;
	unsigned int cpu;
};

static uint32_t result_of_registry(enum registry_result result)
{
	switch (result) {
	case REGISTRY_OK:
		return SVSM_SUCCESS;
	case REGISTRY_UNKNOWN:
	case REGISTRY_BOOT:
		return SVSM_ERR_INVALID_PARAMETER;
	case REGISTRY_IN_USE:
		return SVSM_ERR_DELETE_VCPU_IN_USE;
	case REGISTRY_ADDRESS:
	case REGISTRY_FAULT:
	case REGISTRY_GONE:
		return SVSM_ERR_INVALID_ADDRESS;
	case REGISTRY_FULL:
		break;
	}
	return SVSM_ERR_INVALID_REQUEST;
}

static uint32_t decode_create(const struct svsm_call *call, struct new_vcpu *new)
{
	*new = (struct new_vcpu){
		.vmsa = gpa(call->rcx),
		.caa = gpa(call->rdx),
		.cpu = (uint32_t)call->r8, /* the register is 4 bytes wide here */
	};
	if (!gpa_aligned(new->vmsa, ABI_PAGE_SIZE) || !gpa_aligned(new->caa, ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	if (new->vmsa.raw == new->caa.raw)
		return SVSM_ERR_INVALID_ADDRESS;
	if (new->cpu == call->caller.cpu)
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

/* A page that cannot be granted again stays taken: the guest loses it, nobody else gets it. */
static void give_back(gpa_t vmsa)
{
	if (guest_pages_grant(vmsa, ARCH_PAGE_4K) == SNP_RESULT_OK)
		guest_pages_set(vmsa, 1, GUEST_PAGE_VALID);
}

/* Reads what matters of a VMSA that no vCPU of the guest can write any more. */
static uint32_t check_vmsa(gpa_t vmsa)
{
	uint64_t efer, features;
	uint8_t vmpl;

	if (!arch_guest_read(&vmpl, gpa(vmsa.raw + offsetof(struct snp_vmsa, vmpl)), 1) ||
	    !arch_guest_read(&efer, gpa(vmsa.raw + offsetof(struct snp_vmsa, efer)), 8) ||
	    !arch_guest_read(&features, gpa(vmsa.raw + offsetof(struct snp_vmsa, sev_features)), 8))
		return SVSM_ERR_INVALID_ADDRESS;
	if (vmpl != guest_vmpl() || !(efer & SNP_VMSA_EFER_SVME) ||
	    features != arch_guest_sev_features())
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

/*
 * In this order: first nobody but VMPL0 can write the page, by whatever translation, then it is
 * checked, then it is a VMSA. A check before that would be of something that the guest changes
 * afterwards; and a CPU that could still write a VMSA would be at VMPL0 with its next entry.
 */
static uint32_t make_vmsa(gpa_t vmsa)
{
	uint32_t result = svsm_result_of_page(guest_pages_revoke(vmsa, ARCH_PAGE_4K));

	if (result != SVSM_SUCCESS)
		return result;
	if (!arch_flush_guest_tlb())
		return SVSM_ERR_CREATE_VCPU_NOT_FLUSHED;
	result = check_vmsa(vmsa);
	if (result != SVSM_SUCCESS)
		return result;
	/* Linux reads SEV_FEATURES there once more when it asks the host to start the vCPU. */
	return svsm_result_of_page(arch_rmpadjust(vmsa, ARCH_PAGE_4K, guest_vmpl(),
						  SNP_RMPADJUST_VMSA | SNP_RMPADJUST_READ));
}

/* Until it is committed nobody is served by the new vCPU, and nobody else gets its pages. */
static uint32_t commit_create(const struct new_vcpu *new)
{
	enum guest_page_state found;
	uint32_t result;

	if (!guest_pages_take(new->vmsa, 1, GUEST_PAGE_VALID, &found))
		return SVSM_ERR_INVALID_ADDRESS;
	result = result_of_registry(registry_reserve(new->cpu, new->vmsa, new->caa));
	if (result != SVSM_SUCCESS) {
		guest_pages_set(new->vmsa, 1, GUEST_PAGE_VALID);
		return result;
	}
	result = make_vmsa(new->vmsa);
	if (result == SVSM_SUCCESS) {
		guest_apic_start(new->cpu);
		registry_commit(new->vmsa);
		return result;
	}
	registry_cancel(new->vmsa);
	give_back(new->vmsa);
	return result;
}

uint32_t svsm_core_create_vcpu(struct svsm_call *call)
{
	struct new_vcpu new;
	uint32_t result = decode_create(call, &new);

	return result == SVSM_SUCCESS ? commit_create(&new) : result;
}

/*
 * A caller that deletes its own VMSA gets no answer. A VMSA of a more privileged level than the
 * caller's cannot be in the registry, where all are of guest_vmpl().
 */
uint32_t svsm_core_delete_vcpu(struct svsm_call *call)
{
	gpa_t vmsa = gpa(call->rcx);
	enum registry_result result;

	if (!gpa_aligned(vmsa, ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	result = registry_delete(vmsa, call->caller.cpu, &call->caller_deleted);
	if (result == REGISTRY_OK || result == REGISTRY_GONE)
		svsm_attest_forget_vcpu(vmsa);
	return result_of_registry(result);
}
