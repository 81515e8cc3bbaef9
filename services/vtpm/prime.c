/* SPDX-License-Identifier: MIT */
#include "services/vtpm/prime.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <string.h>

#define WORD_BITS 64u
#define WORDS_MAX (PRIME_BITS_MAX / WORD_BITS)
#define DRBG_MAGIC 0x47425244u
#define LEVEL_LAST 1u
#define EXPONENT_MIN 65537u
/* No state of a key that is being made comes near the reseeding that libtpms then refuses. */
#define RESEED_COUNTER_MAX (1u << 19)

/*
 * What libtpms calls DRBG_STATE and bigNum, as versions 0.9 and 0.10 have them on x86-64
 * (src/tpm2/crypto/CryptRand.h, src/tpm2/crypto/openssl/BnValues.h). Whether this one's are the
 * same is tried out before a prime is used (finder.h).
 */
struct drbg {
	uint64_t reseed_counter;
	uint32_t magic;
	uint8_t seed[PRIME_SEED_SIZE] __attribute__((aligned(8)));
	uint8_t level;
	uint32_t last_value[4];
};
ABI_SIZE(struct drbg, 88);
ABI_OFFSET(struct drbg, seed, 16);
ABI_OFFSET(struct drbg, level, 64);
ABI_OFFSET(struct drbg, last_value, 68);

struct number {
	uint64_t allocated, size; /* in words */
	uint64_t words[];
};

typedef uint32_t generator(struct number *prime, uint32_t bits, uint32_t exponent,
			   struct drbg *drbg);

/* Its name up to 0.9, and from 0.10 on. One of the two, or none, is there. */
__attribute__((weak)) generator __real_BnGeneratePrimeForRSA, __real_TpmRsa_GeneratePrimeForRSA;
generator __wrap_BnGeneratePrimeForRSA, __wrap_TpmRsa_GeneratePrimeForRSA;

/* libtpms has no context for it. */
static const struct prime_source *asked;

void prime_ask(const struct prime_source *source)
{
	asked = source;
}

static generator *real(void)
{
	return __real_BnGeneratePrimeForRSA ? __real_BnGeneratePrimeForRSA
					    : __real_TpmRsa_GeneratePrimeForRSA;
}

bool prime_wrapped(void)
{
	return real();
}

static void take_state(struct prime_state *state, const struct drbg *drbg)
{
	*state = (struct prime_state){ .reseed_counter = drbg->reseed_counter,
				       .level = drbg->level };
	memcpy(state->seed, drbg->seed, sizeof(state->seed));
	memcpy(state->last_value, drbg->last_value, sizeof(state->last_value));
}

static void put_state(struct drbg *drbg, const struct prime_state *state)
{
	drbg->reseed_counter = state->reseed_counter;
	drbg->level = (uint8_t)state->level;
	memcpy(drbg->seed, state->seed, sizeof(drbg->seed));
	memcpy(drbg->last_value, state->last_value, sizeof(drbg->last_value));
}

/* What lies above a number in its room is zero. */
static void put_number(struct number *number, const struct prime_found *found)
{
	uint64_t words = found->order.bits / WORD_BITS;

	memcpy(number->words, found->words, words * sizeof(uint64_t));
	for (uint64_t i = words; i < number->size; i++)
		number->words[i] = 0;
	number->size = words;
}

bool prime_order_ok(const struct prime_order *order)
{
	return order->bits && order->bits % WORD_BITS == 0 && order->bits <= PRIME_BITS_MAX &&
	       order->exponent >= EXPONENT_MIN && order->exponent % 2 &&
	       order->state.level <= LEVEL_LAST && !order->state.reserved &&
	       order->state.reseed_counter <= RESEED_COUNTER_MAX;
}

bool prime_ok(const struct prime_found *found)
{
	const struct prime_state *after = &found->after;
	uint32_t words = found->order.bits / WORD_BITS;

	if (!prime_order_ok(&found->order) || after->level != found->order.state.level ||
	    after->reserved)
		return false;
	for (uint32_t i = words; i < WORDS_MAX; i++) {
		if (found->words[i])
			return false;
	}
	return found->words[0] & 1 && found->words[words - 1] >> 63;
}

/* found has its order, and zeros else. False for what is not as long as the order says. */
static bool take_found(struct prime_found *found, const struct number *number,
		       const struct drbg *drbg)
{
	uint64_t words = found->order.bits / WORD_BITS;

	if (number->size != words)
		return false;
	memcpy(found->words, number->words, words * sizeof(uint64_t));
	take_state(&found->after, drbg);
	return prime_ok(found);
}

static uint32_t search(generator *generate, struct number *number, const struct prime_order *order,
		       struct drbg *drbg)
{
	struct prime_found found = { .order = *order };
	uint32_t rc = generate(number, order->bits, order->exponent, drbg);

	if (rc == TPM_SUCCESS && take_found(&found, number, drbg))
		asked->searched(asked->context, &found);
	OPENSSL_cleanse(&found, sizeof(found));
	return rc;
}

static uint32_t ask(generator *generate, struct number *number, const struct prime_order *order,
		    struct drbg *drbg)
{
	struct prime_found found = { .order = *order };
	uint32_t rc = TPM_SUCCESS;

	switch (asked->ask(asked->context, order, &found)) {
	case PRIME_KNOWN:
		put_number(number, &found);
		put_state(drbg, &found.after);
		break;
	case PRIME_CANCEL:
		TPMLIB_CancelCommand(); /* libtpms looks before it goes on */
		break;
	default:
		rc = search(generate, number, order, drbg);
	}
	OPENSSL_cleanse(&found, sizeof(found));
	return rc;
}

/*
 * A number that is random rather than derived from a seed comes without a state, or with another
 * one.
 */
static uint32_t wrap(generator *generate, struct number *number, uint32_t bits, uint32_t exponent,
		     struct drbg *drbg)
{
	struct prime_order order = { .bits = bits, .exponent = exponent };
	uint32_t rc;

	if (!asked || !drbg || drbg->magic != DRBG_MAGIC)
		return generate(number, bits, exponent, drbg);
	take_state(&order.state, drbg);
	if (!prime_order_ok(&order) || number->allocated < bits / WORD_BITS)
		return generate(number, bits, exponent, drbg);
	rc = ask(generate, number, &order, drbg);
	OPENSSL_cleanse(&order, sizeof(order));
	return rc;
}

uint32_t __wrap_BnGeneratePrimeForRSA(struct number *prime, uint32_t bits, uint32_t exponent,
				      struct drbg *drbg)
{
	return wrap(__real_BnGeneratePrimeForRSA, prime, bits, exponent, drbg);
}

uint32_t __wrap_TpmRsa_GeneratePrimeForRSA(struct number *prime, uint32_t bits, uint32_t exponent,
					   struct drbg *drbg)
{
	return wrap(__real_TpmRsa_GeneratePrimeForRSA, prime, bits, exponent, drbg);
}

bool prime_find(const struct prime_order *order, struct prime_found *found)
{
	/* With as much room beside the number as libtpms gives it. */
	union {
		struct number number;
		uint64_t room[2 + WORDS_MAX + 1];
	} prime = { 0 };
	struct drbg drbg = { .magic = DRBG_MAGIC };
	bool ok;

	if (!prime_order_ok(order) || !real())
		return false;
	*found = (struct prime_found){ .order = *order };
	put_state(&drbg, &order->state);
	prime.number.allocated = WORDS_MAX + 1;
	ok = real()(&prime.number, order->bits, order->exponent, &drbg) == TPM_SUCCESS &&
	     take_found(found, &prime.number, &drbg);
	OPENSSL_cleanse(&prime, sizeof(prime));
	OPENSSL_cleanse(&drbg, sizeof(drbg));
	return ok;
}
