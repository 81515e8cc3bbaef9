/* SPDX-License-Identifier: MIT */
/*
 * libtpms's generator of RSA primes. It is a function of its arguments alone, the state of a
 * deterministic random generator among them, so a prime that was found once, and the state after
 * it, can stand in for another search. The linker wraps it (--wrap, services/meson.build); where it
 * does not, or where libtpms has no function of a known name, nothing here does anything.
 */
#ifndef SOCLE_SERVICES_VTPM_PRIME_H
#define SOCLE_SERVICES_VTPM_PRIME_H

#include <stdbool.h>

#include "abi/service.h"

enum prime_answer {
	PRIME_SEARCH, /* as ever */
	PRIME_KNOWN,  /* *found is it, but for its order */
	PRIME_CANCEL, /* the command that wants it ends with TPM_RC_CANCELED */
};

/*
 * Who is asked each time that the TPM wants a prime, and told what was found where the answer is
 * PRIME_SEARCH.
 */
struct prime_source {
	enum prime_answer (*ask)(void *context, const struct prime_order *order,
				 struct prime_found *found);
	void (*searched)(void *context, const struct prime_found *found);
	void *context;
};

/* From now on; NULL: nobody. The source stays the caller's. */
void prime_ask(const struct prime_source *source);

/* Whether the generator is there and wrapped. */
bool prime_wrapped(void);

/* True for an order that can be one of a key that this TPM makes. */
bool prime_order_ok(const struct prime_order *order);

/*
 * The same for a prime: as long as its order says, and nothing above. That it is prime is not
 * looked at.
 */
bool prime_ok(const struct prime_found *found);

/* Finds a prime, without a TPM; takes its time. False for no such order, or without a generator. */
bool prime_find(const struct prime_order *order, struct prime_found *found);

#endif
