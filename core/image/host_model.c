/* SPDX-License-Identifier: MIT */
#include "core/image/host_model.h"

#include <string.h>

#include "abi/ghcb.h"
#include "abi/igvm.h"
#include "abi/snp.h"

const struct host_feature host_features[HOST_FEATURES] = {
	{ "ap-creation", GHCB_HV_FEATURE_AP_CREATION },
	{ "restricted-injection", GHCB_HV_FEATURE_RESTRICTED_INJECTION },
	{ "restricted-injection-timer", GHCB_HV_FEATURE_RESTRICTED_TIMER },
	{ "apic-id-list", GHCB_HV_FEATURE_APIC_ID_LIST },
	{ "multi-vmpl", GHCB_HV_FEATURE_MULTI_VMPL },
	{ "extended-interrupts", GHCB_HV_FEATURE_EXTENDED_INTERRUPTS },
};

/* Linux, arch/x86/kvm/svm/sev.c, GHCB_HV_FT_SUPPORTED. */
#define FEATURES_KVM (GHCB_HV_FEATURE_SNP | GHCB_HV_FEATURE_AP_CREATION)

/* QEMU, backends/igvm.c, its table of handlers. */
#define HEADERS_KVM                                                                      \
	IGVM_TYPE_SUPPORTED_PLATFORM, IGVM_TYPE_GUEST_POLICY, IGVM_TYPE_PARAMETER_AREA,  \
		IGVM_TYPE_PAGE_DATA, IGVM_TYPE_PARAMETER_INSERT, IGVM_TYPE_VP_CONTEXT,   \
		IGVM_TYPE_REQUIRED_MEMORY, IGVM_TYPE_VP_COUNT_PARAMETER, IGVM_TYPE_MADT, \
		IGVM_TYPE_SNP_ID_BLOCK, IGVM_TYPE_MEMORY_MAP, IGVM_TYPE_ENVIRONMENT_INFO

static const uint32_t headers_kvm[] = { HEADERS_KVM, 0 };
static const uint32_t headers_kvm_svsm[] = { HEADERS_KVM, IGVM_TYPE_DEVICE_TREE, 0 };
static const uint32_t headers_all[] = {
	HEADERS_KVM,
	IGVM_TYPE_RELOCATABLE_REGION,
	IGVM_TYPE_PAGE_TABLE_RELOCATION,
	IGVM_TYPE_CORIM_DOCUMENT,
	IGVM_TYPE_CORIM_SIGNATURE,
	IGVM_TYPE_CCA_POLICY,
	IGVM_TYPE_VERSION_STRING,
	IGVM_TYPE_SRAT,
	IGVM_TYPE_MMIO_RANGES,
	IGVM_TYPE_ERROR_RANGE,
	IGVM_TYPE_COMMAND_LINE,
	IGVM_TYPE_SLIT,
	IGVM_TYPE_PPTT,
	IGVM_TYPE_VBS_MEASUREMENT,
	IGVM_TYPE_DEVICE_TREE,
	0,
};

const struct host_model host_models[HOST_MODELS] = {
	{
		.name = "strict",
		.what = "every feature, and nothing forgiven",
		.hv_features = FEATURES_KVM | GHCB_HV_FEATURE_RESTRICTED_INJECTION |
			       GHCB_HV_FEATURE_RESTRICTED_TIMER | GHCB_HV_FEATURE_APIC_ID_LIST |
			       GHCB_HV_FEATURE_MULTI_VMPL | GHCB_HV_FEATURE_EXTENDED_INTERRUPTS,
		.sev_features = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION |
				SNP_FEATURE_ALTERNATE_INJECTION | SNP_FEATURE_DEBUG_SWAP |
				SNP_FEATURE_PREVENT_HOST_IBS | SNP_FEATURE_BTB_ISOLATION |
				SNP_FEATURE_SECURE_TSC | SNP_FEATURE_SMT_PROTECTION,
		.vmsa_place = HOST_VMSA_ANYWHERE,
		.vmsa_fields_all = true,
		.invlpgb = HOST_INVLPGB_ON,
		.invlpgb_count = 7,
		.preempt = HOST_PREEMPT_BETWEEN,
		.large_pages = true,
		.kvm_clock = true,
		.headers = headers_all,
	},
	{
		.name = "kvm-svsm",
		.what = "KVM and QEMU with planes, as COCONUT-SVSM's branches have them",
		.hv_features = FEATURES_KVM | GHCB_HV_FEATURE_RESTRICTED_INJECTION |
			       GHCB_HV_FEATURE_APIC_ID_LIST | GHCB_HV_FEATURE_MULTI_VMPL,
		.sev_features = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION |
				SNP_FEATURE_DEBUG_SWAP,
		.vmsa_place = HOST_VMSA_HELD_BY_HOST,
		.vmsa_not_at_2m = true,
		.features_fixed = true,
		.invlpgb = HOST_INVLPGB_ON,
		.preempt = HOST_PREEMPT_AT_EXITS,
		.converts = true,
		.sides_apart = true,
		.kvm_clock = true,
		.kvm_eoi = true,
		.headers = headers_kvm_svsm,
	},
	{
		.name = "kvm",
		.what = "upstream KVM and QEMU: SNP guests, but no SVSM",
		.hv_features = FEATURES_KVM,
		.sev_features = SNP_FEATURE_SNP,
		.vmsa_place = HOST_VMSA_HELD_BY_HOST,
		.vmsa_not_at_2m = true,
		.features_fixed = true,
		.invlpgb = HOST_INVLPGB_HIDDEN,
		.converts = true,
		.sides_apart = true,
		.kvm_clock = true,
		.kvm_eoi = true,
		.headers = headers_kvm,
	},
	{
		.name = "hyperv",
		.what = "Hyper-V without virtual TOM, which the machine lacks",
		.hv_features = FEATURES_KVM | GHCB_HV_FEATURE_RESTRICTED_INJECTION |
			       GHCB_HV_FEATURE_MULTI_VMPL,
		.sev_features = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION |
				SNP_FEATURE_DEBUG_SWAP | SNP_FEATURE_PREVENT_HOST_IBS |
				SNP_FEATURE_BTB_ISOLATION,
		.vmsa_place = HOST_VMSA_IN_RAM,
		.vmsa_fields_all = true,
		.invlpgb = HOST_INVLPGB_ON,
		.invlpgb_count = 7,
		.preempt = HOST_PREEMPT_AT_EXITS,
		.large_pages = true,
		.headers = headers_all,
	},
};

const struct host_model *host_model_find(const char *name)
{
	for (size_t i = 0; i < HOST_MODELS; i++) {
		if (strcmp(host_models[i].name, name) == 0)
			return &host_models[i];
	}
	return NULL;
}

bool host_model_takes(const struct host_model *model, uint32_t type)
{
	for (const uint32_t *header = model->headers; *header; header++) {
		if (*header == type)
			return true;
	}
	return false;
}
