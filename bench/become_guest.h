/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_BENCH_BECOME_GUEST_H
#define SOCLE_BENCH_BECOME_GUEST_H

#include <stdbool.h>

/*
 * The kernel goes on as a guest of floor/floor.c, which is /floor.ko, with these options, ","
 * between them, which becomes a space. False: it does not.
 */
bool become_guest(char *options);

#endif
