/* SPDX-License-Identifier: MIT */
/*
 * The service "ahead": finds primes by order. It knows no seed and no template, and has no TPM but
 * one that it makes itself for a test.
 */
#ifndef SOCLE_SERVICES_VTPM_FINDER_H
#define SOCLE_SERVICES_VTPM_FINDER_H

#include "services/common/serve.h"

struct finder {
	bool tried, agrees;
};

/*
 * Tries that this libtpms makes the same key of primes that were found ahead as without: a TPM of
 * one's own makes an RSA-1024 storage key by a search of its own, and again by primes of ours; the
 * two have one public area, and a child of the first loads under the second, which it does only
 * where prime, exponent and seed are the same. Takes as long as four primes. This process has no
 * other TPM.
 */
bool finder_agrees(void);

/*
 * A serve_handler; its context is a struct finder. An order before libtpms agrees has none but
 * refusals.
 */
enum service_status finder_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out);

#endif
