/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_CREATE_VCPU and SVSM_CORE_DELETE_VCPU (58019, sections 6.3 and 6.4). */
#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/vmsa.h"

struct new_vcpu {
	gpa_t vmsa;
	gpa_t caa;
	unsigned int cpu;
	unsigned int by;	       /* the caller's level */
	uint8_t vmpl;		       /* that the VMSA has to have */
	struct guest_page_rights kept; /* on the VMSA's page */
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

/*
 * A vCPU is at the level of its caller or at a less privileged one, and no vCPU replaces itself.
 * The level decides what the vCPU is to be, so it is looked at first, where the guest can still
 * change it, and the VMSA is held to it afterwards; one that cannot be is refused then, as its
 * other fields are.
 */
static uint32_t decode_level(const struct svsm_call *call, struct new_vcpu *new)
{
	gpa_t at = gpa(new->vmsa.raw + offsetof(struct snp_vmsa, vmpl));

	if (!guest_copy_in(call->caller.vmpl, &new->vmpl, at, sizeof(new->vmpl)))
		return SVSM_ERR_INVALID_ADDRESS;
	if (new->vmpl < call->caller.vmpl || new->vmpl >= SNP_VMPL_COUNT)
		new->vmpl = (uint8_t)call->caller.vmpl;
	if (new->cpu == call->caller.cpu &&new->vmpl == call->caller.vmpl)
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

static uint32_t decode_create(const struct svsm_call *call, struct new_vcpu *new)
{
	*new = (struct new_vcpu){
		.vmsa = gpa(call->rcx),
		.caa = gpa(call->rdx),
		.cpu = (uint32_t)call->r8, /* the register is 4 bytes wide here */
		.by = call->caller.vmpl,
	};
	if (!gpa_aligned(new->vmsa, ABI_PAGE_SIZE) || !gpa_aligned(new->caa, ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	if (new->vmsa.raw == new->caa.raw)
		return SVSM_ERR_INVALID_ADDRESS;
	return decode_level(call, new);
}

/* A page that cannot be granted again stays taken: the guest loses it, nobody else gets it. */
static void give_back(const struct new_vcpu *new)
{
	if (guest_pages_give_back(new->vmsa, ARCH_PAGE_4K, &new->kept) == SNP_RESULT_OK)
		guest_pages_set(new->vmsa, 1, GUEST_PAGE_VALID);
}

/*
 * SEV_FEATURES of the guest's first level are those of its boot vCPU. A less privileged level has
 * no APIC of Socle's, so no alternate injection.
 */
static uint64_t features_of(unsigned int vmpl)
{
	uint64_t features = arch_guest_sev_features();

	return level_is_lower(vmpl) ? features & ~SNP_FEATURE_ALTERNATE_INJECTION : features;
}

/* Reads what matters of a VMSA that no vCPU of the guest can write any more. */
static uint32_t check_vmsa(const struct new_vcpu *new)
{
	gpa_t vmsa = new->vmsa;

	uint64_t efer, features;
	uint8_t vmpl;

	if (!arch_guest_read(&vmpl, gpa(vmsa.raw + offsetof(struct snp_vmsa, vmpl)), 1) ||
	    !arch_guest_read(&efer, gpa(vmsa.raw + offsetof(struct snp_vmsa, efer)), 8) ||
	    !arch_guest_read(&features, gpa(vmsa.raw + offsetof(struct snp_vmsa, sev_features)), 8))
		return SVSM_ERR_INVALID_ADDRESS;
	if (vmpl != new->vmpl || !(efer & SNP_VMSA_EFER_SVME) || features != features_of(vmpl))
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

/*
 * The run loop looks at an exit of a less privileged level once (run/serve.h): what a VMSA says
 * that nobody has entered yet is none.
 */
static uint32_t forget_exit(const struct new_vcpu *new)
{
	const uint64_t never = VMSA_NEVER_LEFT;
	gpa_t at = gpa(new->vmsa.raw + offsetof(struct snp_vmsa, exit_code));

	if (level_is_lower(new->vmpl) && !arch_guest_write(at, &never, sizeof(never)))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

/*
 * In this order: first nobody but VMPL0 can write the page, by whatever translation, then it is
 * checked, then it is a VMSA. A check before that would be of something that the guest changes
 * afterwards; and a CPU that could still write a VMSA would be at VMPL0 with its next entry.
 */
static uint32_t make_vmsa(struct new_vcpu *new)
{
	uint32_t result =
		svsm_result_of_page(guest_pages_revoke(new->vmsa, ARCH_PAGE_4K, &new->kept));

	if (result != SVSM_SUCCESS)
		return result;
	if (!arch_flush_guest_tlb())
		return SVSM_ERR_CREATE_VCPU_NOT_FLUSHED;
	result = check_vmsa(new);
	if (result == SVSM_SUCCESS)
		result = forget_exit(new);
	if (result != SVSM_SUCCESS)
		return result;
	/*
	 * Linux reads SEV_FEATURES there once more when it asks the host to start the vCPU. The
	 * first level can let others read, too.
	 */
	return svsm_result_of_page(arch_rmpadjust(new->vmsa, ARCH_PAGE_4K, guest_vmpl(),
						  SNP_RMPADJUST_VMSA | SNP_RMPADJUST_READ));
}

/*
 * The page must be one that the caller can write: else it is not its own to give. Until it is
 * committed nobody is served by the new vCPU, and nobody else gets its pages.
 */
static uint32_t commit_create(struct new_vcpu *new)
{
	enum guest_page_state found;
	uint32_t result;

	if (!guest_pages_take_for(new->by, new->vmsa, ARCH_PAGE_4K, SNP_RMPADJUST_WRITE, &found))
		return SVSM_ERR_INVALID_ADDRESS;
	result = result_of_registry(
		registry_reserve(new->cpu, new->vmpl, new->by, new->vmsa, new->caa));
	if (result != SVSM_SUCCESS) {
		guest_pages_set(new->vmsa, 1, GUEST_PAGE_VALID);
		return result;
	}
	result = make_vmsa(new);
	if (result == SVSM_SUCCESS) {
		if (!level_is_lower(new->vmpl))
			guest_apic_start(new->cpu);
		registry_commit(new->vmsa);
		return result;
	}
	registry_cancel(new->vmsa);
	give_back(new);
	return result;
}

uint32_t svsm_core_create_vcpu(struct svsm_call *call)
{
	struct new_vcpu new;
	uint32_t result = decode_create(call, &new);

	return result == SVSM_SUCCESS ? commit_create(&new) : result;
}

/*
 * A caller that deletes its own VMSA gets no answer. One of a more privileged level than the
 * caller's is none that it could delete, or learn of: nothing of that vCPU is touched.
 */
uint32_t svsm_core_delete_vcpu(struct svsm_call *call)
{
	gpa_t vmsa = gpa(call->rcx);
	enum registry_result result;

	if (!gpa_aligned(vmsa, ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	result = registry_delete(vmsa, call->caller.cpu, call->caller.vmpl, &call->caller_deleted);
	if (result == REGISTRY_UNKNOWN)
		return result_of_registry(result);
	if (result == REGISTRY_OK)
		(void)arch_flush_guest_tlb(); /* for the guest's own sake, as after PVALIDATE */
	if (result == REGISTRY_OK || result == REGISTRY_GONE)
		svsm_attest_forget_vcpu(vmsa);
	return result_of_registry(result);
}
