/* SPDX-License-Identifier: MIT */
/* The two instructions that give random numbers, which tests have a script for. */
#ifndef SOCLE_MONITOR_ARCH_HW_RANDOM_H
#define SOCLE_MONITOR_ARCH_HW_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* RDSEED and RDRAND, once. False: the CPU has no value now. */
bool random_read_seed(uint64_t *value);
bool random_read_rand(uint64_t *value);

#endif
