/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_CORE_TPM_TESTS_FUZZ_SELECTOR_H
#define SOCLE_CORE_TPM_TESTS_FUZZ_SELECTOR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads any bytes as a selector and as a manifest, and aborts when what was accepted breaks a
 * rule. Returns 0, as libFuzzer wants.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
