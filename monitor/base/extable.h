/* SPDX-License-Identifier: MIT */
/*
 * Instructions of ring 0 that may raise an exception, for it is the host's to say whether they can
 * be executed, and where each goes on then. Inline assembly adds one by a macro of these.
 */
#ifndef SOCLE_MONITOR_BASE_EXTABLE_H
#define SOCLE_MONITOR_BASE_EXTABLE_H

#include <stdint.h>

struct extable_entry {
	uint64_t instruction;
	uint64_t fixup;
	uint64_t vectors; /* bit n: exception n is meant */
};

/* Set by link.ld. */
extern const struct extable_entry extable_begin[], extable_end[];

#define EXTABLE_TEXT(from, to, vectors) \
	".pushsection .extable, \"a\"\n.quad " from ", " to ", " vectors "\n.popsection\n"

/*
 * Assembly text: the instruction at label from may fault and goes on at label to. The first is for
 * memory that can be taken away (#PF, #VC), the second for an instruction that can be withheld
 * (#UD, #GP for an operand that this processor does not have, #VC).
 */
#define EXTABLE_ENTRY(from, to) EXTABLE_TEXT(from, to, "1 << 14 | 1 << 29")
#define EXTABLE_WITHHELD(from, to) EXTABLE_TEXT(from, to, "1 << 6 | 1 << 13 | 1 << 29")

#endif
