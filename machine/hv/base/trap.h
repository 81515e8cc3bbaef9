/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own interrupt table. Interrupts and NMIs come only inside trap_idle() and
 * trap_window(): everywhere else GIF is 0. An interrupt's stub notes the vector in its
 * CPU's taken[] (cpu.h) and nothing more: no EOI is sent.
 */
#ifndef SOCLE_MACHINE_HV_BASE_TRAP_H
#define SOCLE_MACHINE_HV_BASE_TRAP_H

/* Builds the table, once, on the boot CPU. */
void trap_init(void);

/* Loads it on this CPU and sets GIF to 0. */
void trap_load(void);

/*
 * Sleep until an interrupt or NMI comes; let in those that are pending. Both come and leave with
 * GIF = 0 and IF = 0 (trap.S), in any lock state.
 */
void trap_idle(void);
void trap_window(void);

#endif
