/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_RUN_RUN_H
#define SOCLE_MONITOR_RUN_RUN_H

/* Serves the guest of this vCPU for ever, on its own stack. */
_Noreturn void run_loop(void);

#endif
