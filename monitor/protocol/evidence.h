/* SPDX-License-Identifier: MIT */
/*
 * Evidence in the vTPM's NV memory that the guest has made anew (docs/profiles.md). The vtpm does
 * not reach the attest service after its start, so the monitor stands between: the vtpm says of
 * which key and with which 64 bytes, the attest service makes all that is bound, and the vtpm
 * stores it.
 */
#ifndef SOCLE_MONITOR_PROTOCOL_EVIDENCE_H
#define SOCLE_MONITOR_PROTOCOL_EVIDENCE_H

/*
 * Takes as long as a report does. Where nothing comes of it the log says so and the evidence stays
 * what it was. The caller holds no lock: while the host is busy the vCPU sleeps.
 */
void evidence_renew(void);

#endif
