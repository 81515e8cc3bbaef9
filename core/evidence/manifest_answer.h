/* SPDX-License-Identifier: MIT */
/*
 * Whether a manifest of the vTPM answers a selector (docs/spec/create-and-attest.md, section 10,
 * point 7). It is checked before the manifest is bound into a report, and again by whoever verifies
 * the report.
 */
#ifndef SOCLE_CORE_EVIDENCE_MANIFEST_ANSWER_H
#define SOCLE_CORE_EVIDENCE_MANIFEST_ANSWER_H

#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/selector.h"

/*
 * The selector is not of kind NONE. The manifest has to have one key, made from the template or of
 * the id's kind; what an NV index held cannot be checked here. NULL, or what is wrong.
 */
const char *manifest_answer_error(const struct vtpm_manifest *manifest,
				  const struct selector *selector);

#endif
