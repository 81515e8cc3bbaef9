/* SPDX-License-Identifier: MIT */
/*
 * Text that a guest, QEMU or a file wrote, on its way to a terminal, a log or JSON: what is no
 * printable ASCII would move what stands around it there, or is no JSON.
 */
#ifndef SOCLE_MACHINE_HOST_PRINTABLE_H
#define SOCLE_MACHINE_HOST_PRINTABLE_H

/* Makes each character that is none a dot. */
static inline void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '.';
	}
}

#endif
