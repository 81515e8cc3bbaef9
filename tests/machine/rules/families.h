/* SPDX-License-Identifier: MIT */
/* All families, for the lists of the images. */
#ifndef SOCLE_TESTS_MACHINE_FAMILIES_H
#define SOCLE_TESTS_MACHINE_FAMILIES_H

#include "tests/machine/rules/rules.h"

extern const struct rule_family rmpadjust_4k, rmpadjust_4k_only, rmpadjust_2m, rmpadjust_2m_only;
extern const struct rule_family pvalidate_4k, pvalidate_4k_only, pvalidate_2m, pvalidate_2m_only;
extern const struct rule_family stale_rights;
extern const struct rule_family vc_64bit, vc_compat32, vc_compat16, vc_legacy32, vc_legacy16;
extern const struct rule_family vc_svm, vc_level, vc_wide, vc_tables64, vc_tables32, vc_real;
extern const struct rule_family vmsa_kept;
extern const struct rule_family in_use;
extern const struct rule_family creation;
extern const struct rule_family ghcb_pages, ghcb_private, ghcb_msr;
extern const struct rule_family messages_0, messages_1, messages_2, messages_3;
extern const struct rule_family messages_header, messages_lower_1, messages_lower_3;
extern const struct rule_family alternate, alternate_announced;
extern const struct rule_family planes;
extern const struct rule_family kvm_clock, apic_ids;
extern const struct rule_family doorbell_absent, doorbell, doorbell_private;

#endif
