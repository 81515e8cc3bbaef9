/* SPDX-License-Identifier: MIT */
/* The rules of a guest that asks for no feature but SNP. */
#include "tests/machine/rules/families.h"

const struct rule_family *const rule_families[] = {
	&rmpadjust_4k,	   &rmpadjust_4k_only,
	&rmpadjust_2m,	   &rmpadjust_2m_only,
	&pvalidate_4k,	   &pvalidate_4k_only,
	&pvalidate_2m,	   &pvalidate_2m_only,
	&stale_rights,	   &in_use,
	&vmsa_kept,	   &vc_64bit,
	&vc_wide,	   &vc_tables64,
	&vc_svm,	   &vc_level,
	&vc_compat32,	   &vc_tables32,
	&vc_compat16,	   &vc_legacy32,
	&vc_legacy16,	   &vc_real,
	&ghcb_pages,	   &ghcb_private,
	&ghcb_msr,	   &messages_0,
	&messages_1,	   &messages_2,
	&messages_3,	   &messages_header,
	&messages_lower_1, &messages_lower_3,
	&doorbell_absent,  &creation,
	&planes,	   &apic_ids,
	&kvm_clock,	   NULL,
};

const struct rule *const rule_ending;
