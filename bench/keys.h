/* SPDX-License-Identifier: MIT */
/* Templates of attestation keys whose unique field is new each time, so that each is a new key. */
#ifndef SOCLE_BENCH_KEYS_H
#define SOCLE_BENCH_KEYS_H

#include <stddef.h>
#include <stdint.h>

#define KEYS_TEMPLATE_MAX 512u

enum keys_kind {
	KEYS_ECC_P256,
	KEYS_RSA_2048,
};

/* Writes a TPMT_PUBLIC and returns its size. */
size_t keys_template(enum keys_kind kind, uint8_t template[KEYS_TEMPLATE_MAX]);

#endif
