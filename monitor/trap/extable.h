/* SPDX-License-Identifier: MIT */
/*
 * Instructions of ring 0 that may fault on memory which the host can take away, and where each
 * goes on then. EXTABLE_ENTRY in inline assembly adds one.
 */
#ifndef SOCLE_MONITOR_TRAP_EXTABLE_H
#define SOCLE_MONITOR_TRAP_EXTABLE_H

#include <stdint.h>

struct extable_entry {
	uint64_t instruction;
	uint64_t fixup;
};

/* Set by link.ld. */
extern const struct extable_entry extable_begin[], extable_end[];

/* Assembly text: the instruction at label from may fault and goes on at label to. */
#define EXTABLE_ENTRY(from, to) \
	".pushsection .extable, \"a\"\n.quad " from ", " to "\n.popsection\n"

#endif
