/* SPDX-License-Identifier: MIT */
#include "services/vtpm/ahead.h"

#include <openssl/crypto.h>
#include <string.h>

#include "abi/tpm.h"
#include "services/vtpm/tpm_command.h"
#include "services/vtpm/vtpm.h"

static unsigned int hierarchy_bit(uint32_t hierarchy)
{
	return hierarchy == TPM_RH_OWNER ? AHEAD_OWNER : AHEAD_ENDORSEMENT;
}

/* Every member is compared: neither structure has padding. */
static bool same_order(const struct prime_order *a, const struct prime_order *b)
{
	return CRYPTO_memcmp(a, b, sizeof(*a)) == 0;
}

static struct ahead_prime *find(struct ahead *ahead, const struct prime_order *order)
{
	for (size_t i = 0; i < AHEAD_KEYS_MAX * AHEAD_PRIMES; i++) {
		struct ahead_prime *prime = &ahead->keys[i / AHEAD_PRIMES].primes[i % AHEAD_PRIMES];

		if (prime->wanted && same_order(&prime->found.order, order))
			return prime;
	}
	return NULL;
}

static void want(struct ahead_prime *prime, const struct prime_order *order)
{
	*prime = (struct ahead_prime){ .wanted = true, .found = { .order = *order } };
}

static enum prime_answer ask(void *context, const struct prime_order *order,
			     struct prime_found *found)
{
	struct ahead *ahead = context;
	const struct ahead_prime *prime;

	if (ahead->learning) {
		/* The same key may be wished for twice: found once, it serves both. */
		if (!find(ahead, order))
			want(&ahead->learning->primes[0], order);
		return PRIME_CANCEL;
	}
	prime = ahead->trusted ? find(ahead, order) : NULL;
	if (!prime || !prime->known)
		return PRIME_SEARCH;
	*found = prime->found;
	ahead->taken++;
	return PRIME_KNOWN;
}

/* The guest was faster: what its command has found serves its next one, and nobody need find it. */
static void searched(void *context, const struct prime_found *found)
{
	struct ahead *ahead = context;

	if (ahead->trusted)
		ahead_take(ahead, found);
}

void ahead_init(struct ahead *ahead)
{
	ahead->under_way = true;
	ahead->source = (struct prime_source){ ask, searched, ahead };
	prime_ask(&ahead->source);
}

size_t ahead_listed(const struct profile *profile, struct ahead_wish *wishes)
{
	for (size_t i = 0; i < profile->ahead_count; i++) {
		const struct profile_ahead *from = &profile->ahead[i];

		wishes[i] = (struct ahead_wish){ from->hierarchy, from->template,
						 from->template_size };
	}
	return profile->ahead_count;
}

static void learn(struct ahead *ahead, struct ahead_key *key, const struct ahead_wish *wish)
{
	struct tpm_primary primary;

	key->hierarchy = wish->hierarchy;
	ahead->learning = key;
	/* It succeeds for no key with primes, and what an error leaves is undone as all else. */
	(void)tpm_create_primary_of(wish->hierarchy, wish->template, wish->size, &primary);
	ahead->learning = NULL;
}

void ahead_learn(struct ahead *ahead, const struct ahead_wish *wishes, size_t count)
{
	if (!prime_wrapped())
		return;
	for (size_t i = 0; i < count; i++) {
		if (wishes[i].size && !ahead->keys[i].primes[0].wanted)
			learn(ahead, &ahead->keys[i], &wishes[i]);
	}
}

void ahead_learn_unseen(struct ahead *ahead, const struct ahead_wish *wishes, size_t count)
{
	struct tpm_checkpoint checkpoint;

	if (!prime_wrapped() || !count || !tpm_checkpoint(&checkpoint))
		return;
	ahead_learn(ahead, wishes, count);
	vtpm_roll_back(&checkpoint);
}

void ahead_forget(struct ahead *ahead, unsigned int hierarchies)
{
	for (size_t i = 0; i < AHEAD_KEYS_MAX; i++) {
		struct ahead_key *key = &ahead->keys[i];

		if (hierarchy_bit(key->hierarchy) & hierarchies)
			OPENSSL_cleanse(key, sizeof(*key));
	}
}

/*
 * TPM2_Clear has a new seed for the owner. It leaves the endorsement seed, and no proof enters a
 * primary key: those of the endorsement hierarchy stay what they are, and their primes are kept. A
 * reset leaves the seeds as they are, and is where all that was computed before it ends. No key of
 * the platform's is found ahead.
 */
unsigned int ahead_changed_by(uint32_t command_code)
{
	switch (command_code) {
	case TPM_CC_CLEAR:
		return AHEAD_OWNER;
	case TPM_CC_STARTUP:
		return AHEAD_ALL;
	case TPM_CC_CHANGE_EPS:
		return AHEAD_ENDORSEMENT;
	default:
		return 0;
	}
}

bool ahead_has(const struct ahead *ahead, size_t place)
{
	const struct ahead_prime *primes = ahead->keys[place].primes;

	return ahead->trusted && primes[0].known && primes[1].known;
}

const struct prime_order *ahead_next(const struct ahead *ahead)
{
	for (size_t i = 0; i < AHEAD_KEYS_MAX * AHEAD_PRIMES; i++) {
		const struct ahead_prime *prime =
			&ahead->keys[i / AHEAD_PRIMES].primes[i % AHEAD_PRIMES];

		if (prime->wanted && !prime->known)
			return &prime->found.order;
	}
	return NULL;
}

bool ahead_waits(const struct ahead *ahead)
{
	return ahead->under_way && ahead_next(ahead);
}

/* The second prime is drawn from the state that the first one leaves. */
static void want_next(struct ahead *ahead, const struct prime_found *found)
{
	struct prime_order order = found->order;

	order.state = found->after;
	for (size_t i = 0; i < AHEAD_KEYS_MAX; i++) {
		struct ahead_prime *primes = ahead->keys[i].primes;

		if (primes[0].known && !primes[1].wanted &&
		    same_order(&primes[0].found.order, &found->order))
			want(&primes[1], &order);
	}
	OPENSSL_cleanse(&order, sizeof(order));
}

void ahead_take(struct ahead *ahead, const struct prime_found *found)
{
	struct ahead_prime *prime = find(ahead, &found->order);

	ahead->trusted = true;
	if (!prime || prime->known)
		return;
	prime->found = *found;
	prime->known = true;
	want_next(ahead, found);
}
