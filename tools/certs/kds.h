/* SPDX-License-Identifier: MIT */
/*
 * What AMD's Key Distribution Service hands out, and where (AMD 57230, chapter 4): for each product
 * and kind of key a chain of ASK (or ASVK) and ARK and a revocation list, and for each chip and TCB
 * a VCEK. VLEKs it gives to clouds alone.
 */
#ifndef SOCLE_TOOLS_CERTS_KDS_H
#define SOCLE_TOOLS_CERTS_KDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/evidence/host/amd_chain.h"

#define KDS_URL "https://kdsintf.amd.com"
#define KDS_PATH_MAX 256u
#define KDS_CERTIFICATES_SIZE_MAX (64u << 10)
#define KDS_CRL_SIZE_MAX (1u << 20)

/* What is looked for. */
struct kds_wanted {
	enum report_product product;
	enum report_signing_key key;
	const uint8_t *chip_id; /* PSP_CHIP_ID_SIZE bytes; of a VCEK */
	struct report_tcb tcb;	/* of a VCEK */
};

enum kds_item { KDS_CHAIN, KDS_SIGNER, KDS_CRL };

/* What messages call an item; how large it may be. */
const char *kds_item_name(enum kds_item item);
size_t kds_item_size_max(enum kds_item item);

/* What follows KDS_URL, and the name of its file in a cache, which has no slash. */
void kds_path(const struct kds_wanted *wanted, enum kds_item item, char path[KDS_PATH_MAX]);
void kds_file_name(const struct kds_wanted *wanted, enum kds_item item, char name[KDS_PATH_MAX]);

/* What was found so far. */
struct kds_found {
	struct amd_chain chain;
	X509_CRL *crl;
};

/* Whose root will do: AMD's; or, if own is not NULL, that emulated one alone. */
struct kds_trust {
	X509 *own;
	time_t at;
};

/*
 * Takes the bytes of an item, the chain first: well-formed, and by whom and for what it has to be,
 * at that time. NULL, or what is wrong; then nothing of it was taken.
 */
const char *kds_take(struct kds_found *found, const struct kds_wanted *wanted, enum kds_item item,
		     const struct kds_trust *trust, const void *data, size_t size);

void kds_free(struct kds_found *found);

#endif
