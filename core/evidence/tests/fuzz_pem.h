/* SPDX-License-Identifier: MIT */
/* Certificates of a fuzzer's as PEM, whose base64 no mutation survives. */
#ifndef SOCLE_CORE_EVIDENCE_TESTS_FUZZ_PEM_H
#define SOCLE_CORE_EVIDENCE_TESTS_FUZZ_PEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * PEM of each piece: a length in two bytes, as many bytes, and so on, the last one as long as there
 * are. *pem_size bytes, for free(); aborts when memory is short.
 */
char *fuzz_pem(const uint8_t *data, size_t size, size_t *pem_size);

#endif
