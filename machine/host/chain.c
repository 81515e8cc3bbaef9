/* SPDX-License-Identifier: MIT */
#include "machine/host/chain.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/evidence/host/amd_chain.h"
#include "machine/host/files.h"

#define CHAIN_FOLDER "chain-2" /* the number goes up when old keys no longer serve */
#define RSA_BITS 4096
#define PSS_SALT_BYTES 48
#define VALID_DAYS (25 * 365)

#define OID_BASE "1.3.6.1.4.1.3704.1"
#define OID_STRUCT_VERSION OID_BASE ".1"
#define OID_PRODUCT_NAME OID_BASE ".2"
#define OID_SPL_BOOTLOADER OID_BASE ".3.1"
#define OID_SPL_TEE OID_BASE ".3.2"
#define OID_SPL_SNP OID_BASE ".3.3"
#define OID_SPL_MICROCODE OID_BASE ".3.8"
#define OID_HWID OID_BASE ".4"

#define PRODUCT_LINE "Milan"
#define PRODUCT_NAME PRODUCT_LINE "-B0"
#define CRL_ADDRESS "https://kdsintf.amd.com/vcek/v1/" PRODUCT_LINE "/crl"

static const struct report_tcb made_tcb = {
	.bootloader = 4, .tee = 0, .snp = 24, .microcode = 219
};

/* The private keys of the two upper certificates exist only while the chain is made. */
struct making {
	EVP_PKEY *ark_key, *ask_key;
	struct chain chain;
};

/* As AMD has them (57230), in AMD's order, and one of our own. */
static bool set_name(X509_NAME *name, const char *common_name)
{
	static const char *const fields[][2] = {
		{ "OU", "Engineering" },
		{ "C", "US" },
		{ "L", "Santa Clara" },
		{ "ST", "CA" },
		{ "O", "Advanced Micro Devices" },
		{ "serialNumber", AMD_CHAIN_EMULATED_NAME },
	};
	bool ok = true;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		ok = ok && X509_NAME_add_entry_by_txt(name, fields[i][0], MBSTRING_UTF8,
						      (const uint8_t *)fields[i][1], -1, -1, 0);
	}
	return ok && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						(const uint8_t *)common_name, -1, -1, 0);
}

static bool set_serial(X509 *cert)
{
	uint8_t bytes[8];
	uint64_t serial;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	memcpy(&serial, bytes, sizeof(serial));
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1);
}

/* A certificate without extensions and signature; issuer NULL: its own. */
static X509 *new_cert(const char *common_name, const X509 *issuer, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	const X509_NAME *issuer_name;
	bool ok;

	if (!cert)
		return NULL;
	ok = X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	     X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
	     X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) &&
	     set_name(X509_get_subject_name(cert), common_name) && X509_set_pubkey(cert, key);
	issuer_name = X509_get_subject_name(issuer ? issuer : cert);
	if (ok && X509_set_issuer_name(cert, issuer_name))
		return cert;
	X509_free(cert);
	return NULL;
}

static bool add_standard(X509 *cert, const X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX context;
	bool ok;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, (X509 *)issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static bool add_raw(X509 *cert, const char *oid, const uint8_t *value, size_t size)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	bool ok = object && octets && ASN1_OCTET_STRING_set(octets, value, (int)size);

	if (ok)
		ext = X509_EXTENSION_create_by_OBJ(NULL, object, 0, octets);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(object);
	return ok;
}

/* A DER INTEGER of one unsigned byte, which needs a leading zero from 0x80 on. */
static bool add_level(X509 *cert, const char *oid, uint8_t level)
{
	const uint8_t small[] = { 0x02, 1, level };
	const uint8_t large[] = { 0x02, 2, 0, level };

	if (level < 0x80)
		return add_raw(cert, oid, small, sizeof(small));
	return add_raw(cert, oid, large, sizeof(large));
}

static bool add_vcek_extensions(X509 *cert, const struct chain *chain)
{
	static const uint8_t product[] = "\x16\x08" PRODUCT_NAME; /* an IA5String */
	static const char *const reserved[] = { OID_BASE ".3.4", OID_BASE ".3.5", OID_BASE ".3.6",
						OID_BASE ".3.7" };
	bool ok = add_level(cert, OID_STRUCT_VERSION, 0) &&
		  add_raw(cert, OID_PRODUCT_NAME, product, sizeof(product) - 1) &&
		  add_level(cert, OID_SPL_BOOTLOADER, chain->tcb.bootloader) &&
		  add_level(cert, OID_SPL_TEE, chain->tcb.tee);

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		ok = ok && add_level(cert, reserved[i], 0);
	/* The hardware id stands in the extension as it is, without a type of its own. */
	return ok && add_level(cert, OID_SPL_SNP, chain->tcb.snp) &&
	       add_level(cert, OID_SPL_MICROCODE, chain->tcb.microcode) &&
	       add_raw(cert, OID_HWID, chain->chip_id, sizeof(chain->chip_id));
}

/* A UTF8String, for whoever looks at the certificate. */
static bool add_mark(X509 *cert)
{
	static const uint8_t text[] = "\x0c\x2aMade by the emulated SNP machine of Socle.";

	_Static_assert(sizeof(text) == 2 + 0x2a + 1, "the length of the text");
	return add_raw(cert, AMD_CHAIN_EMULATED_OID, text, sizeof(text) - 1);
}

static bool sign_pss(X509 *cert, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pss;
	bool ok = context && EVP_DigestSignInit(context, &pss, EVP_sha384(), NULL, key) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(pss, RSA_PKCS1_PSS_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_pss_saltlen(pss, PSS_SALT_BYTES) == 1 &&
		  X509_sign_ctx(cert, context) > 0;

	EVP_MD_CTX_free(context);
	return ok;
}

static bool make_ca(X509 **cert, const char *name, const X509 *issuer, EVP_PKEY *key,
		    EVP_PKEY *issuer_key, const char *constraints)
{
	*cert = new_cert(name, issuer, key);
	return *cert && add_standard(*cert, issuer, NID_subject_key_identifier, "hash") &&
	       (!issuer ||
		add_standard(*cert, issuer, NID_authority_key_identifier, "keyid:always")) &&
	       add_standard(*cert, issuer, NID_basic_constraints, constraints) &&
	       add_standard(*cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_standard(*cert, issuer, NID_crl_distribution_points, "URI:" CRL_ADDRESS) &&
	       add_mark(*cert) && sign_pss(*cert, issuer_key);
}

static bool make_chain(struct making *m)
{
	struct chain *chain = &m->chain;

	m->ark_key = EVP_RSA_gen(RSA_BITS);
	m->ask_key = EVP_RSA_gen(RSA_BITS);
	chain->vcek_key = EVP_EC_gen("P-384");
	chain->tcb = made_tcb;
	if (!m->ark_key || !m->ask_key || !chain->vcek_key ||
	    RAND_bytes(chain->chip_id, sizeof(chain->chip_id)) != 1)
		return false;
	if (!make_ca(&chain->ark, "ARK-" PRODUCT_LINE, NULL, m->ark_key, m->ark_key,
		     "critical,CA:TRUE"))
		return false;
	if (!make_ca(&chain->ask, "SEV-" PRODUCT_LINE, chain->ark, m->ask_key, m->ark_key,
		     "critical,CA:TRUE,pathlen:0"))
		return false;
	chain->vcek = new_cert("SEV-VCEK", chain->ask, chain->vcek_key);
	return chain->vcek && add_vcek_extensions(chain->vcek, chain) &&
	       sign_pss(chain->vcek, m->ask_key);
}

/* A certificate, or a private key. */
static bool write_pem(const char *dir, const char *name, const X509 *cert, const EVP_PKEY *key,
		      struct host_error *error)
{
	FILE *f = files_create(dir, name, key, error);
	bool ok;

	if (!f)
		return false;
	ok = (key ? PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)
		  : PEM_write_X509(f, cert)) == 1;
	if (!files_close(f, name, error))
		return false;
	return ok || host_fail_crypto(error, name);
}

static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

/* Makes the chain beside its place and moves it there; whoever comes first wins. */
static bool create(const char *dir, const char *place, struct host_error *error)
{
	struct making m = { 0 };
	char *draft = files_path(dir, ".new-XXXXXX");
	bool drafted = draft && mkdtemp(draft);
	bool ok = drafted || host_fail(error, "cannot write into %s: %s", dir, strerror(errno));

	if (ok)
		ok = make_chain(&m) || host_fail_crypto(error, "cannot make the report keys");
	ok = ok && chain_export(&m.chain, draft, error) &&
	     write_pem(draft, "vcek.key", NULL, m.chain.vcek_key, error);
	if (ok && rename(draft, place) != 0) {
		ok = errno == EEXIST || errno == ENOTEMPTY ||
		     host_fail(error, "cannot make %s: %s", place, strerror(errno));
		remove_folder(draft);
	} else if (drafted && !ok) {
		remove_folder(draft);
	}
	EVP_PKEY_free(m.ark_key);
	EVP_PKEY_free(m.ask_key);
	chain_close(&m.chain);
	free(draft);
	return ok;
}

static FILE *open_in(const char *dir, const char *name)
{
	char *path = files_path(dir, name);
	FILE *f = path ? fopen(path, "re") : NULL;

	free(path);
	return f;
}

static X509 *read_cert(const char *dir, const char *name)
{
	FILE *f = open_in(dir, name);
	X509 *cert = f ? PEM_read_X509(f, NULL, NULL, (void *)"") : NULL;

	if (f)
		fclose(f);
	return cert;
}

static EVP_PKEY *read_key(const char *dir, const char *name)
{
	FILE *f = open_in(dir, name);
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, (void *)"") : NULL;

	if (f)
		fclose(f);
	return key;
}

/* Reads the files, and judges the certificates as a verifier would. */
static bool load(struct chain *chain, const char *place)
{
	struct amd_chain read = { .ark = read_cert(place, "ark.pem"),
				  .issuer = read_cert(place, "ask.pem"),
				  .signer = read_cert(place, "vcek.pem"),
				  .key = REPORT_KEY_VCEK };
	struct amd_signer_info info;

	*chain = (struct chain){ .ark = read.ark,
				 .ask = read.issuer,
				 .vcek = read.signer,
				 .vcek_key = read_key(place, "vcek.key") };
	if (!read.ark || !read.issuer || !read.signer || !chain->vcek_key ||
	    amd_chain_root_error(&read, true) || amd_chain_error(&read, time(NULL)) ||
	    amd_chain_signer_info(&read, &info) ||
	    X509_check_private_key(chain->vcek, chain->vcek_key) != 1)
		return false;
	memcpy(chain->chip_id, info.hwid, sizeof(chain->chip_id));
	chain->tcb = info.tcb;
	return true;
}

bool chain_open(struct chain *chain, const char *dir, struct host_error *error)
{
	char *place = files_path(dir, CHAIN_FOLDER);
	bool ok = place || host_fail(error, "out of memory");

	*chain = (struct chain){ 0 };
	if (ok && access(place, F_OK) != 0)
		ok = files_make_dir(dir, error) && create(dir, place, error);
	if (ok && !load(chain, place)) {
		ERR_clear_error();
		ok = host_fail(error, "%s does not hold a whole chain of report keys; remove it",
			       place);
	}
	if (!ok)
		chain_close(chain);
	free(place);
	return ok;
}

void chain_close(struct chain *chain)
{
	X509_free(chain->ark);
	X509_free(chain->ask);
	X509_free(chain->vcek);
	EVP_PKEY_free(chain->vcek_key);
	*chain = (struct chain){ 0 };
}

bool chain_export(const struct chain *chain, const char *dir, struct host_error *error)
{
	return files_make_dir(dir, error) && write_pem(dir, "ark.pem", chain->ark, NULL, error) &&
	       write_pem(dir, "ask.pem", chain->ask, NULL, error) &&
	       write_pem(dir, "vcek.pem", chain->vcek, NULL, error);
}

uint64_t chain_tcb_version(const struct chain *chain)
{
	return chain->tcb.bootloader | (uint64_t)chain->tcb.tee << 8 |
	       (uint64_t)chain->tcb.snp << 48 | (uint64_t)chain->tcb.microcode << 56;
}

static bool write_signature(const uint8_t *der, size_t size, struct psp_report *report)
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
	bool ok = signature &&
		  BN_bn2lebinpad(ECDSA_SIG_get0_r(signature), report->signature_r,
				 sizeof(report->signature_r)) > 0 &&
		  BN_bn2lebinpad(ECDSA_SIG_get0_s(signature), report->signature_s,
				 sizeof(report->signature_s)) > 0;

	ECDSA_SIG_free(signature);
	return ok;
}

bool chain_sign_report(const struct chain *chain, struct psp_report *report)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[160];
	size_t size = sizeof(der);
	bool ok = context &&
		  EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, chain->vcek_key) == 1 &&
		  EVP_DigestSign(context, der, &size, (const uint8_t *)report,
				 PSP_REPORT_SIGNED_SIZE) == 1;

	EVP_MD_CTX_free(context);
	return ok && write_signature(der, size, report);
}

struct table_cert {
	struct abi_guid guid;
	const X509 *cert;
};

size_t chain_cert_table(const struct chain *chain, uint8_t *table, size_t size)
{
	const struct table_cert certs[] = {
		{ PSP_GUID_VCEK, chain->vcek },
		{ PSP_GUID_ASK, chain->ask },
		{ PSP_GUID_ARK, chain->ark },
	};
	const size_t count = sizeof(certs) / sizeof(certs[0]);
	struct psp_cert_entry entry = { 0 };
	size_t at = (count + 1) * sizeof(entry);

	if (at > size)
		return 0;
	memset(table, 0, at);
	for (size_t i = 0; i < count; i++) {
		int length = i2d_X509(certs[i].cert, NULL);
		uint8_t *out = table + at;

		if (length <= 0 || (size_t)length > size - at)
			return 0;
		entry.guid = certs[i].guid;
		entry.offset = (uint32_t)at;
		entry.length = (uint32_t)length;
		memcpy(table + i * sizeof(entry), &entry, sizeof(entry));
		i2d_X509(certs[i].cert, &out);
		at += (size_t)length;
	}
	return at;
}
