/* SPDX-License-Identifier: MIT */
#include "tools/certs/kds.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/amd_crl.h"

static const char *kind_name(const struct kds_wanted *wanted)
{
	return wanted->key == REPORT_KEY_VLEK ? "vlek" : "vcek";
}

const char *kds_item_name(enum kds_item item)
{
	static const char *const names[] = { "certificate chain", "VCEK", "revocation list" };

	return names[item];
}

size_t kds_item_size_max(enum kds_item item)
{
	return item == KDS_CRL ? KDS_CRL_SIZE_MAX : KDS_CERTIFICATES_SIZE_MAX;
}

/* As many bytes of CHIP_ID as the product's id has. */
static void chip_text(const struct kds_wanted *wanted, char text[HEX_TEXT_SIZE(PSP_CHIP_ID_SIZE)])
{
	hex_write(text, wanted->chip_id, report_chip_id_size(wanted->product));
}

void kds_path(const struct kds_wanted *wanted, enum kds_item item, char path[KDS_PATH_MAX])
{
	const struct report_tcb *tcb = &wanted->tcb, all = report_tcb(UINT64_MAX, wanted->product);
	char chip[HEX_TEXT_SIZE(PSP_CHIP_ID_SIZE)], fmc[16] = "";
	int length = snprintf(path, KDS_PATH_MAX, "/%s/v1/%s/", kind_name(wanted),
			      report_product_name(wanted->product));
	size_t room = KDS_PATH_MAX - (size_t)length;

	path += length;
	if (item != KDS_SIGNER) {
		snprintf(path, room, "%s", item == KDS_CRL ? "crl" : "cert_chain");
		return;
	}
	chip_text(wanted, chip);
	if (all.fmc)
		snprintf(fmc, sizeof(fmc), "fmcSPL=%u&", tcb->fmc);
	snprintf(path, room, "%s?%sblSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", chip, fmc,
		 tcb->bootloader, tcb->tee, tcb->snp, tcb->microcode);
}

void kds_file_name(const struct kds_wanted *wanted, enum kds_item item, char name[KDS_PATH_MAX])
{
	const struct report_tcb *tcb = &wanted->tcb;
	const char *product = report_product_name(wanted->product);
	char chip[HEX_TEXT_SIZE(PSP_CHIP_ID_SIZE)];

	if (item != KDS_SIGNER) {
		snprintf(name, KDS_PATH_MAX, "%s-%s.%s", product, kind_name(wanted),
			 item == KDS_CRL ? "crl" : "chain.pem");
		return;
	}
	chip_text(wanted, chip);
	snprintf(name, KDS_PATH_MAX, "%s-vcek-%s-%u.%u.%u.%u.%u.der", product, chip, tcb->fmc,
		 tcb->bootloader, tcb->tee, tcb->snp, tcb->microcode);
}

/* Of a root: the relying party's own, to the byte, or any of AMD's. */
static const char *root_error(const struct amd_chain *chain, const struct kds_trust *trust)
{
	if (!trust->own)
		return amd_chain_known_root_error(chain->ark);
	return X509_cmp(chain->ark, trust->own) == 0 ? NULL : "the root is not yours";
}

/* SEV-Milan, SEV-VLEK-Milan: the product is what the issuer's name ends in. */
static bool is_issuer_of(const X509 *issuer, const struct kds_wanted *wanted)
{
	char name[64], expected[64];
	int length = X509_NAME_get_text_by_NID(X509_get_subject_name(issuer), NID_commonName, name,
					       sizeof(name));

	snprintf(expected, sizeof(expected), "SEV-%s%s",
		 wanted->key == REPORT_KEY_VLEK ? "VLEK-" : "",
		 report_product_name(wanted->product));
	return length > 0 && strcmp(name, expected) == 0;
}

static const char *chain_error(const struct amd_chain *chain, const struct kds_wanted *wanted,
			       const struct kds_trust *trust)
{
	const char *error = root_error(chain, trust);

	if (!error)
		error = amd_chain_authorities_error(chain, trust->at);
	if (!error && !is_issuer_of(chain->issuer, wanted))
		error = "the issuer is another product's, or another kind of key's";
	return error;
}

static const char *take_chain(struct kds_found *found, const struct kds_wanted *wanted,
			      const struct kds_trust *trust, const void *data, size_t size)
{
	struct amd_chain chain = {
		.key = wanted->key,
		.ark = amd_chain_pick_certificate(data, size, AMD_CHAIN_ARK, wanted->key),
		.issuer = amd_chain_pick_certificate(data, size, AMD_CHAIN_ISSUER, wanted->key),
	};
	const char *error = chain.ark && chain.issuer ? chain_error(&chain, wanted, trust)
						      : "it is no chain of two certificates";

	if (error)
		amd_chain_free(&chain);
	else
		found->chain = chain;
	return error;
}

static const char *signer_error(const struct amd_chain *chain, const struct kds_wanted *wanted,
				const struct kds_trust *trust)
{
	struct amd_signer_info info;
	const char *error = amd_chain_error(chain, trust->at);

	if (!error && amd_chain_root_error(chain, trust->own != NULL))
		error = "its marks are not those of its root";
	if (!error)
		error = amd_chain_signer_info(chain, &info);
	if (error)
		return error;
	if (info.product != wanted->product)
		return "it is for another product";
	if (memcmp(info.hwid, wanted->chip_id, report_chip_id_size(wanted->product)) != 0)
		return "it is for another chip";
	if (!report_tcb_at_least(info.tcb, wanted->tcb) ||
	    !report_tcb_at_least(wanted->tcb, info.tcb))
		return "it is for another TCB";
	return NULL;
}

static const char *take_signer(struct kds_found *found, const struct kds_wanted *wanted,
			       const struct kds_trust *trust, const void *data, size_t size)
{
	struct amd_chain chain = found->chain;
	const char *error = "it is no certificate";

	chain.signer = amd_chain_read_certificate(data, size);
	if (chain.signer)
		error = signer_error(&chain, wanted, trust);
	if (error)
		X509_free(chain.signer);
	else
		found->chain.signer = chain.signer;
	return error;
}

/* Whether the list names the certificates is for `socle verify --crl`. */
static const char *take_crl(struct kds_found *found, const struct kds_trust *trust,
			    const void *data, size_t size)
{
	STACK_OF(X509_CRL) *lists = NULL;
	const char *error = amd_crl_read(&lists, data, size);

	if (!error && sk_X509_CRL_num(lists) != 1)
		error = "it is more than one revocation list";
	if (!error)
		error = amd_crl_list_error(found->chain.ark, sk_X509_CRL_value(lists, 0),
					   trust->at);
	if (!error)
		found->crl = sk_X509_CRL_pop(lists);
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return error;
}

const char *kds_take(struct kds_found *found, const struct kds_wanted *wanted, enum kds_item item,
		     const struct kds_trust *trust, const void *data, size_t size)
{
	if (size == 0 || size > kds_item_size_max(item))
		return size ? "it is too large" : "it is empty";
	switch (item) {
	case KDS_CHAIN:
		return take_chain(found, wanted, trust, data, size);
	case KDS_SIGNER:
		return take_signer(found, wanted, trust, data, size);
	default:
		return take_crl(found, trust, data, size);
	}
}

void kds_free(struct kds_found *found)
{
	amd_chain_free(&found->chain);
	X509_CRL_free(found->crl);
	found->crl = NULL;
}
