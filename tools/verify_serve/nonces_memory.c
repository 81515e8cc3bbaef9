/* SPDX-License-Identifier: MIT */
/*
 * All live as long, so the order in which they were given out is that in which they end: a list
 * from the oldest to the newest. A table of chains by the first bytes of a nonce, which are random,
 * finds one.
 */
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/verify_serve/nonces.h"

#define NONE UINT32_MAX

struct entry {
	uint8_t nonce[NONCE_SIZE];
	uint64_t ends;
	char *record;	       /* NULL: none; a secret is in it */
	uint32_t older, newer; /* of the list; newer is the next of the free ones, too */
	uint32_t next;	       /* of the chain */
};

struct memory {
	struct nonce_store store;
	pthread_mutex_t lock;
	uint32_t oldest, newest, unused, count, size;
	uint32_t *chains;
	struct entry entries[];
};

static uint32_t *chain_of(struct memory *m, const uint8_t *nonce)
{
	uint32_t first;

	memcpy(&first, nonce, sizeof(first));
	return &m->chains[first % m->size];
}

static void unchain(struct memory *m, uint32_t index)
{
	uint32_t *link = chain_of(m, m->entries[index].nonce);

	while (*link != index)
		link = &m->entries[*link].next;
	*link = m->entries[index].next;
}

static void unlist(struct memory *m, uint32_t index)
{
	struct entry *e = &m->entries[index];

	*(e->older == NONE ? &m->oldest : &m->entries[e->older].newer) = e->newer;
	*(e->newer == NONE ? &m->newest : &m->entries[e->newer].older) = e->older;
}

static void record_free(char *record)
{
	if (record)
		OPENSSL_cleanse(record, strlen(record));
	free(record);
}

static void drop(struct memory *m, uint32_t index)
{
	struct entry *e = &m->entries[index];

	unchain(m, index);
	unlist(m, index);
	OPENSSL_cleanse(e->nonce, sizeof(e->nonce));
	record_free(e->record);
	e->record = NULL;
	e->newer = m->unused;
	m->unused = index;
	m->count--;
}

static void drop_ended(struct memory *m, uint64_t now)
{
	while (m->oldest != NONE && m->entries[m->oldest].ends <= now)
		drop(m, m->oldest);
}

static uint32_t find(struct memory *m, const uint8_t *nonce)
{
	uint32_t index = *chain_of(m, nonce);

	while (index != NONE && CRYPTO_memcmp(m->entries[index].nonce, nonce, NONCE_SIZE) != 0)
		index = m->entries[index].next;
	return index;
}

/* Takes the record over. */
static void add(struct memory *m, const uint8_t *nonce, char *record, uint64_t ends)
{
	uint32_t index = m->unused, *chain = chain_of(m, nonce);
	struct entry *e = &m->entries[index];

	m->unused = e->newer;
	memcpy(e->nonce, nonce, NONCE_SIZE);
	e->ends = ends;
	e->record = record;
	e->next = *chain;
	*chain = index;
	e->older = m->newest;
	e->newer = NONE;
	*(m->newest == NONE ? &m->oldest : &m->entries[m->newest].newer) = index;
	m->newest = index;
	m->count++;
}

static enum nonce_result memory_put(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				    const char *record, uint64_t now)
{
	struct memory *m = (struct memory *)store;
	char *copy = record ? strndup(record, NONCE_RECORD_MAX - 1) : NULL;
	enum nonce_result result = NONCE_OK;

	if (record && !copy)
		return NONCE_LOST;
	pthread_mutex_lock(&m->lock);
	drop_ended(m, now);
	if (m->unused == NONE)
		result = NONCE_FULL;
	else
		add(m, nonce, copy, now + NONCE_LIFE_S * 1000);
	pthread_mutex_unlock(&m->lock);
	if (result != NONCE_OK)
		record_free(copy);
	return result;
}

static enum nonce_result memory_take(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				     char record[NONCE_RECORD_MAX], uint64_t now)
{
	struct memory *m = (struct memory *)store;
	uint32_t index;

	record[0] = '\0';
	pthread_mutex_lock(&m->lock);
	drop_ended(m, now);
	index = find(m, nonce);
	if (index != NONE) {
		if (m->entries[index].record)
			snprintf(record, NONCE_RECORD_MAX, "%s", m->entries[index].record);
		drop(m, index);
	}
	pthread_mutex_unlock(&m->lock);
	return index != NONE ? NONCE_OK : NONCE_UNKNOWN;
}

static size_t memory_held(struct nonce_store *store, uint64_t now)
{
	struct memory *m = (struct memory *)store;
	size_t count;

	pthread_mutex_lock(&m->lock);
	drop_ended(m, now);
	count = m->count;
	pthread_mutex_unlock(&m->lock);
	return count;
}

static void memory_free(struct nonce_store *store)
{
	struct memory *m = (struct memory *)store;

	while (m->oldest != NONE)
		drop(m, m->oldest);
	pthread_mutex_destroy(&m->lock);
	free(m->chains);
	free(m);
}

struct nonce_store *nonces_in_memory(size_t most)
{
	struct memory *m = calloc(1, sizeof(*m) + most * sizeof(m->entries[0]));
	uint32_t *chains = calloc(most, sizeof(*chains));

	if (!m || !chains) {
		free(m);
		free(chains);
		return NULL;
	}
	*m = (struct memory){ { memory_put, memory_take, memory_held, memory_free },
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .oldest = NONE,
			      .newest = NONE,
			      .unused = 0,
			      .size = (uint32_t)most,
			      .chains = chains };
	for (uint32_t i = 0; i < m->size; i++) {
		chains[i] = NONE;
		m->entries[i].newer = i + 1 < m->size ? i + 1 : NONE;
	}
	return &m->store;
}
