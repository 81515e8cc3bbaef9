/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a server of AMD's, or a cache, gives: a chain, made PEM from pieces
 * whose length together is in two bytes, and behind it a certificate of a chip, or a revocation
 * list. The first byte says of which product and key, and whether the chain's root is trusted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "core/evidence/tests/fuzz_pem.h"
#include "tools/certs/kds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Midday of 1 January 2027. */
#define NOW 1798804800

static void take(const struct kds_wanted *wanted, const struct kds_trust *trust, const char *chain,
		 size_t chain_size, const uint8_t *data, size_t size)
{
	struct kds_found found = { 0 };

	if (kds_take(&found, wanted, KDS_CHAIN, trust, chain, chain_size)) {
		hold(!found.chain.ark && !found.chain.issuer, "something of a refused chain");
		return;
	}
	hold(found.chain.ark && found.chain.issuer, "a chain");
	hold(!kds_take(&found, wanted, KDS_SIGNER, trust, data, size) ==
		     (found.chain.signer != NULL),
	     "a certificate");
	hold(!kds_take(&found, wanted, KDS_CRL, trust, data, size) == (found.crl != NULL),
	     "a list");
	kds_free(&found);
}

/* All names that are asked for, with their ends. */
static void name(const struct kds_wanted *wanted)
{
	char path[KDS_PATH_MAX], file[KDS_PATH_MAX];

	for (int item = KDS_CHAIN; item <= KDS_CRL; item++) {
		kds_path(wanted, (enum kds_item)item, path);
		kds_file_name(wanted, (enum kds_item)item, file);
		hold(strlen(path) < sizeof(path) - 1 && strlen(file) < sizeof(file) - 1,
		     "a name that is cut off");
		hold(!strchr(file, '/'), "a file's name with a slash");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t chip[PSP_CHIP_ID_SIZE];
	size_t length = size >= 3 ? (size_t)data[1] << 8 | data[2] : 0, pem_size;
	struct kds_wanted wanted = { .chip_id = chip };
	struct kds_trust trust = { .at = NOW };
	char *pem;

	if (size < 3 || length > size - 3)
		return 0;
	wanted.product = (enum report_product)(1 + (data[0] & 3));
	wanted.key = data[0] & 4 ? REPORT_KEY_VLEK : REPORT_KEY_VCEK;
	name(&wanted);
	pem = fuzz_pem(data + 3, length, &pem_size);
	if (data[0] & 8)
		trust.own = amd_chain_pick_certificate(pem, pem_size, AMD_CHAIN_ARK, wanted.key);
	take(&wanted, &trust, pem, pem_size, data + 3 + length, size - 3 - length);
	X509_free(trust.own);
	free(pem);
	return 0;
}
