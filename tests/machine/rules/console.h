/* SPDX-License-Identifier: MIT */
/* Lines on the first serial port, COM1: all that a portable guest needs of a host's devices. */
#ifndef SOCLE_TESTS_MACHINE_CONSOLE_H
#define SOCLE_TESTS_MACHINE_CONSOLE_H

/* By VMPL0 of the first vCPU. A line is sent when it ends. */
void console_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
