/* SPDX-License-Identifier: MIT */
/*
 * Whether a manifest of the vTPM is one to a selector (docs/spec/create-and-attest.md, section 10,
 * point 7): who binds it into a report asks that, and who verifies the report asks it again.
 */
#ifndef SOCLE_CORE_EVIDENCE_MANIFEST_ANSWER_H
#define SOCLE_CORE_EVIDENCE_MANIFEST_ANSWER_H

#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/selector.h"

/*
 * selector selects something. One key, made from the template or of the id's kind; what an NV index
 * held is not known here. NULL, or what is wrong.
 */
const char *manifest_answer_error(const struct vtpm_manifest *manifest,
				  const struct selector *selector);

#endif
