/* SPDX-License-Identifier: MIT */
/*
 * One turn of the run loop: what the guest of a vCPU wants of us, if anything. Everything here goes
 * through arch.h, so that it runs under unit tests.
 */
#ifndef SOCLE_MONITOR_RUN_SERVE_H
#define SOCLE_MONITOR_RUN_SERVE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Serves the calls of the vCPU's current VMSAs, one for each level of the guest that it has, if
 * they made any (58019, calling sequence). The host may have us run at any time: while the VMSA
 * runs on another CPU, and after an exit that was no call. So a call is taken only from a VMSA that
 * is proved to have stopped and to stay so:
 *
 *	clear EFER.SVME		VMRUN refuses it from now on (APM volume 2, 15.5.1), but one
 *				that runs goes on, and its exit may write EFER back
 *	RMPADJUST that succeeds	it does not run: FAIL_INUSE says that it does (15.36.12)
 *	EFER.SVME still clear	no exit has written it back, so it was not entered since
 *
 * Only then are its exit code and registers what the guest left there, and only then is
 * call_pending taken. A VMSA that may be running is left alone, and so is its call: the host has to
 * come again when it has stopped. It is made runnable again on every path.
 *
 * The exit code says that the guest has left by VMGEXIT, and nothing that it cannot write says what
 * for. A host that runs VMPL0 for an event of VMPL0's own does that at any exit of the guest's,
 * also at one that an NMI's handler makes between the guest's store to call_pending and its
 * request. So while an event has come since that level ran (its bit of interrupted, 1 << VMPL),
 * registers that name no call of ours are none, and neither they nor call_pending are touched.
 * docs/planes.md says what is needed of the host beyond that.
 *
 * Levels are looked at from the first on. An exit of a less privileged one is looked at once, for
 * afterwards it is others that come; and where a more privileged one has just made a call, or a
 * less privileged one has an exit that nobody has looked at yet, RAX has to name one as it has
 * while an event has come.
 *
 * Returns the level to be run: the most privileged one that was answered, and where none was, the
 * most privileged one that there is. So a level that an event has interrupted goes on when the
 * guest's first level says so, if that has a vCPU here (docs/planes.md). VMPL0 when there is no
 * guest to go back to: the vCPU has no VMSA, has deleted it, or it is not there any more, which
 * ends this vCPU (registry_end()). Takes locks; the caller holds none.
 */
unsigned int serve_vcpu(unsigned int cpu, unsigned int interrupted);
#define SERVE_ALL_LEVELS 0xeu

/*
 * True when the VMSA of this vCPU's first level, which the guest cannot write, has the code of an
 * exit. For one that was built with VMSA_NEVER_LEFT that means that the guest has run; what the
 * GHCB page says about it may be the guest's word. True also without a VMSA. Takes locks; the
 * caller holds none.
 */
bool serve_has_run(unsigned int cpu);

#endif
