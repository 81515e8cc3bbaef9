/* SPDX-License-Identifier: MIT */
/* How large the parts of evidence may be, for who keeps, reads and judges them. */
#ifndef SOCLE_CORE_EVIDENCE_LIMITS_H
#define SOCLE_CORE_EVIDENCE_LIMITS_H

#define EVIDENCE_REPORT_SIZE_MAX (128u << 10) /* with what it comes in */
#define EVIDENCE_LOG_SIZE_MAX (512u << 10) /* of an event log; real ones have up to some 100 KiB */
#define EVIDENCE_PART_SIZE_MAX (64u << 10) /* of any other */

#endif
