/* SPDX-License-Identifier: MIT */
/*
 * Nonces that were given out and have not come back: each is good once, for NONCE_LIFE_S. A store
 * holds a bounded number of them, in the process's memory, or in etcd for several instances behind
 * a balancer. One whose evidence was challenged is put back with the record of that, and is good
 * once more.
 */
#ifndef SOCLE_TOOLS_VERIFY_SERVE_NONCES_H
#define SOCLE_TOOLS_VERIFY_SERVE_NONCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"

#define NONCE_SIZE 64u
#define NONCE_LIFE_S 120u
#define NONCE_STORE_MAX 1000000u
#define NONCE_RECORD_MAX 512u /* bytes of a record, with its end */
#define ETCD_URLS_MAX 8u

enum nonce_result {
	NONCE_OK,
	NONCE_UNKNOWN, /* never given out, used, or too old: which of them is not told */
	NONCE_FULL,    /* the store holds as many as it may */
	NONCE_LOST,    /* the store cannot be reached: a nonce may be gone, none is good twice */
};

/* Any number of threads may call put(), take() and held() at once. */
struct nonce_store {
	/*
	 * Keeps a nonce that it does not have, with the record of its challenge, or NULL for none;
	 * now is a time of clock_ms().
	 */
	enum nonce_result (*put)(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				 const char *record, uint64_t now);
	/*
	 * Takes one out, which nobody else gets then, with its record: "" for none, or without
	 * NONCE_OK.
	 */
	enum nonce_result (*take)(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				  char record[NONCE_RECORD_MAX], uint64_t now);
	size_t (*held)(struct nonce_store *store, uint64_t now);
	void (*free)(struct nonce_store *store);
};

/*
 * most: 1 to NONCE_STORE_MAX; the memory for them is taken at once, but for records. NULL when
 * there is too little.
 */
struct nonce_store *nonces_in_memory(size_t most);

/* How etcd is reached; what is NULL is not used. */
struct etcd_address {
	const char
		*urls[ETCD_URLS_MAX]; /* one after the other is tried when it cannot be reached */
	size_t url_count;
	const char *prefix;		    /* of all keys; other services have others */
	const char *ca, *certificate, *key; /* PEM files */
};

/*
 * In etcd, version 3.4 or later, by its JSON gateway. Each nonce is a key under a lease; a
 * transaction that compares and deletes takes it. held() is what this instance saw last. NULL with
 * a line that says why.
 */
struct nonce_store *nonces_in_etcd(const struct etcd_address *address, size_t most,
				   struct host_error *error);

#endif
