/* SPDX-License-Identifier: MIT */
/* Random numbers: what the start asks, and the two instructions, which tests have a script for. */
#ifndef SOCLE_MONITOR_ARCH_HW_RANDOM_H
#define SOCLE_MONITOR_ARCH_HW_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The start-up tests, on the first vCPU. False: what the CPU gives is stuck, and the monitor must not
 * start. True also where it offers none: arch_random() then gives no byte. random.c
 */
bool random_start(void);

/* RDSEED and RDRAND, once. False: the CPU has no value now. rdrand.c */
bool random_read_seed(uint64_t *value);
bool random_read_rand(uint64_t *value);

#endif
