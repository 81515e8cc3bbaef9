/* SPDX-License-Identifier: MIT */
/*
 * The parser of profiles: what it takes, and line and reason of what it does not.
 *
 *	profile_test PROFILE...
 *
 * The profiles named are Socle's own, all of which it must take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/tpm/profile.h"

static struct profile profile;
static char **files;

static void expect_ok(const char *text)
{
	struct profile_error error;

	if (!profile_parse(&profile, text, strlen(text), &error))
		fail_msg("line %u: %s", error.line, error.reason);
}

static void expect_error(const char *text, unsigned int line, const char *reason)
{
	struct profile_error error;

	assert_false(profile_parse(&profile, text, strlen(text), &error));
	assert_string_equal(error.reason, reason);
	assert_int_equal(error.line, line);
}

/* Of 5 lines. */
#define HEAD "profile p\npcr-banks sha256\nplatform-auth random\nmanifests 1\ncertificates none\n"
#define ECC "0023000b00050072000000100018000b0003001000000000"
#define RSA "0001000b00050072000000100014000b0800000000000000"
#define KEY(name, template, unique, handle)                                                       \
	"key " name "\n role ak\n hierarchy endorsement\n template " template "\n unique " unique \
									      "\n handle " handle \
									      "\n" /* 6 */
#define AK KEY("ak-ecc-p256", ECC, "given", "none")
#define AK_RSA KEY("ak-rsa2048", RSA, "given", "none")
#define EK(name)                                                                        \
	"key " name "\n role ek\n hierarchy endorsement\n unique given\n handle none\n" \
	" template 0023000b000300b20000 00060080004300100003 001000000000\n"
#define NV(attributes, content, locked)                                              \
	"nv 0x01c10003\n attributes " attributes "\n policy none\n content " content \
	"\n locked " locked "\n"

static void test_complete(void **state)
{
	const struct profile_key *key;
	const struct profile_nv *nv;

	(void)state;
	expect_ok("# comment\n\nprofile tcg # name\npcr-banks sha1 sha256\nplatform-auth empty\n"
		  "manifests 1\ncertificates optional\ncertificate-timeout 3s\n"
		  "attest-when-eh-disabled no\n" AK KEY("ak-rsa2048", RSA, "random", "0x81000003")
			  NV("0x42072001", "template ak-ecc-p256",
			     "yes") "nv 0x01800000\n attributes 0x42072001\n policy zeros:32\n"
				    " content blob 0102 zeros:2\n locked no");
	assert_string_equal(profile.name, "tcg");
	assert_int_equal(profile.bank_count, 2);
	assert_int_equal(profile.banks[0], 0x0004);
	assert_int_equal(profile.banks[1], 0x000b);
	assert_false(profile.platform_auth_random);
	assert_false(profile.attest_when_eh_disabled);
	assert_int_equal(profile.manifests, 2);
	assert_int_equal(profile.certificates, PROFILE_CERTIFICATES_OPTIONAL);
	assert_int_equal(profile.certificate_timeout_ms, 3000);
	assert_int_equal(profile.key_count, 2);
	key = profile_find_key(&profile, 0x82);
	assert_ptr_equal(key, &profile.keys[0]);
	assert_int_equal(key->template_size, 24);
	assert_int_equal(key->handle, 0);
	assert_int_equal(profile.keys[1].handle, 0x81000003);
	assert_int_equal(profile.keys[1].template_size, 24 + 256);
	assert_null(profile_find_key(&profile, 0x83));
	assert_int_equal(profile.nv_count, 2);
	nv = &profile.nv[0];
	assert_int_equal(nv->index, 0x01c10003);
	assert_int_equal(nv->content, PROFILE_CONTENT_TEMPLATE);
	assert_int_equal(nv->key, 0);
	assert_true(nv->locked);
	nv = &profile.nv[1];
	assert_int_equal(nv->policy_size, 32);
	assert_int_equal(nv->blob_size, 4);
	assert_memory_equal(profile.blobs + nv->blob_offset, "\x01\x02\x00\x00", 4);
}

/* The one directive that has a default. */
static void test_default(void **state)
{
	(void)state;
	expect_ok(HEAD AK);
	assert_true(profile.attest_when_eh_disabled);
	assert_true(profile.platform_auth_random);
}

static void test_unique(void **state)
{
	(void)state;
	expect_ok(HEAD KEY("ak-ecc-p256", ECC, "zero", "none"));
	assert_int_equal(profile.keys[0].template_size, 20 + 2 + 32 + 2 + 32);
	assert_memory_equal(profile.keys[0].template + 20, "\x00\x20\x00", 3);
	assert_memory_equal(profile.keys[0].template + 54, "\x00\x20\x00", 3);
	expect_error(HEAD KEY("ak-ecc-p256",
			      "0023000b00050072000000100018000b00030010 0001 ff 0000", "zero",
			      "none"),
		     6, "the template's unique field must be empty to be filled");
}

static void test_tpm_profile(void **state)
{
	(void)state;
	expect_ok(HEAD AK);
	assert_string_equal(profile.tpm_profile, "");
	expect_ok(HEAD "tpm-profile default-v1\n" AK);
	assert_string_equal(profile.tpm_profile, "default-v1");
	expect_error(HEAD "tpm-profile a\ntpm-profile a\n" AK, 7, "this property was given before");
}

/* It goes to libtpms within a string of JSON. */
static void test_tpm_profile_name(void **state)
{
	static const char *const names[] = { "", "a\"b", "a\\b", "A" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct profile_error error;
		char text[200];

		snprintf(text, sizeof(text), HEAD "tpm-profile %s\n", names[i]);
		assert_false(profile_parse(&profile, text, strlen(text), &error));
		assert_int_equal(error.line, 6);
	}
}

/* As it stands there, from brace to brace. */
static void test_tpm_profile_json(void **state)
{
	(void)state;
	expect_ok(HEAD "tpm-profile {\"Name\":\"custom\"}\n" AK);
	assert_string_equal(profile.tpm_profile, "{\"Name\":\"custom\"}");
	expect_ok(HEAD "  tpm-profile \t{ \"a\" :\t\"b#c\" } \t # of ours\n" AK);
	assert_string_equal(profile.tpm_profile, "{ \"a\" :\t\"b#c\" }");
	expect_ok(HEAD "tpm-profile {}\n" AK);
	assert_string_equal(profile.tpm_profile, "{}");
	expect_error(HEAD "tpm-profile {\n}\n" AK, 6,
		     "a tpm-profile in braces ends with one, on its line");
	expect_error(HEAD "tpm-profile {\"a\": #}\n" AK, 6,
		     "a tpm-profile in braces ends with one, on its line");
	expect_error(HEAD "tpm-profile {} x\n" AK, 6,
		     "a tpm-profile in braces ends with one, on its line");
	expect_error(HEAD "tpm-profile {\"\xc3\xa4\"}\n" AK, 6,
		     "a tpm-profile has printable characters of ASCII only");
	expect_error(HEAD "tpm-profile {\x01}\n" AK, 6,
		     "a tpm-profile has printable characters of ASCII only");
	expect_error(HEAD "tpm-profile {\x7f}\n" AK, 6,
		     "a tpm-profile has printable characters of ASCII only");
	expect_error(HEAD "tpm-profile {}\ntpm-profile {}\n" AK, 7,
		     "this property was given before");
}

/* 2047 bytes, and one more. */
static void test_tpm_profile_size(void **state)
{
	char text[sizeof(HEAD) + PROFILE_TPM_PROFILE_MAX + 400], json[PROFILE_TPM_PROFILE_MAX + 1];

	(void)state;
	memset(json, 'x', sizeof(json));
	json[0] = '{';
	json[PROFILE_TPM_PROFILE_MAX - 2] = '}';
	json[PROFILE_TPM_PROFILE_MAX - 1] = '\0';
	snprintf(text, sizeof(text), HEAD "tpm-profile %s\n" AK, json);
	expect_ok(text);
	assert_string_equal(profile.tpm_profile, json);
	json[PROFILE_TPM_PROFILE_MAX - 2] = 'x';
	json[PROFILE_TPM_PROFILE_MAX - 1] = '}';
	json[PROFILE_TPM_PROFILE_MAX] = '\0';
	snprintf(text, sizeof(text), HEAD "tpm-profile %s\n" AK, json);
	expect_error(text, 6, "a tpm-profile has at most 2047 bytes");
}

static void test_platform_certificate(void **state)
{
	(void)state;
	expect_ok(HEAD AK NV("0x42072001", "platform-certificate", "yes"));
	assert_int_equal(profile.nv[0].content, PROFILE_CONTENT_PLATFORM);
	assert_int_equal(profile.nv[0].key, PROFILE_NO_KEY);
	expect_error(HEAD AK NV("0x42072001", "platform-certificate ak-ecc-p256", "yes"), 15,
		     "something follows where the line should end");
}

/* Evidence that a guest has made anew: the vtpm writes it by an authorization that it alone has. */
static void test_renewed_evidence(void **state)
{
	static const char wants[] =
		"evidence that is made anew wants AUTHWRITE, and neither AUTHREAD nor locked";

	(void)state;
	expect_ok(HEAD AK_RSA NV("0x42030005", "evidence ak-rsa2048 0x01400002", "no"));
	assert_int_equal(profile.nv[0].user_data, 0x01400002);
	expect_ok(HEAD AK_RSA NV("0x42072001", "evidence ak-rsa2048", "yes"));
	assert_int_equal(profile.nv[0].user_data, 0);
	expect_error(HEAD AK_RSA NV("0x42072005", "evidence ak-rsa2048 0x01400002", "no"), 12,
		     wants);
	expect_error(HEAD AK_RSA NV("0x42030001", "evidence ak-rsa2048 0x01400002", "no"), 12,
		     wants);
	expect_error(HEAD AK_RSA NV("0x42032005", "evidence ak-rsa2048 0x01400002", "yes"), 12,
		     wants);
	expect_error(HEAD AK_RSA NV("0x42030005", "evidence ak-rsa2048 0x02400002", "no"), 15,
		     "an NV index is from 0x01000000 to 0x01ffffff");
	expect_error(HEAD AK_RSA NV("0x42030005", "evidence ak-rsa2048 0x01400002 1", "no"), 15,
		     "something follows where the line should end");
	expect_error(HEAD AK_RSA NV("0x42030005", "template ak-rsa2048 0x01400002", "no"), 15,
		     "something follows where the line should end");
	expect_error(HEAD AK_RSA NV("0x42030005", "evidence ak-rsa2048 0x01400002",
				    "no") "nv 0x01c10004\n attributes 0x42030005\n policy none\n"
					  " content evidence ak-rsa2048 0x01400003\n locked no\n",
		     17, "other evidence is made anew already");
}

static void test_missing(void **state)
{
	static const char lacks[] =
		"profile, pcr-banks, platform-auth, manifests or certificates is missing";

	(void)state;
	expect_error("", 0, lacks);
	expect_error("profile p\n" AK, 0, lacks);
	expect_error(HEAD, 0, "the profile has no key");
	expect_error(HEAD "key", 6, "a key's name is missing");
	expect_error(HEAD "key ak-ecc-p256\n role ak\n", 6,
		     "the key lacks role, hierarchy, template, unique or handle");
	expect_error(HEAD "key ak-ecc-p256\n template\n", 7, "the template is empty");
	expect_error(HEAD AK "nv 0x01800000\n policy none\n", 12,
		     "the NV object lacks attributes, policy, content or locked");
	expect_error("profile p\npcr-banks", 2, "pcr-banks wants at least one algorithm");
	expect_error("profile p\npcr-banks sha1\nplatform-auth empty\nmanifests 0 1\n"
		     "certificates none\n" AK,
		     0, "manifest version 0 wants the key ek-rsa2048");
	expect_error("profile p\npcr-banks sha1\nplatform-auth empty\nmanifests 1\n"
		     "certificates optional\n" AK,
		     0, "certificate-timeout is missing");
	expect_error(HEAD "certificate-timeout 5s\n" AK, 0,
		     "certificate-timeout without certificates");
}

static void test_twice(void **state)
{
	(void)state;
	expect_error("profile p\nprofile q\n", 2, "this property was given before");
	expect_error("pcr-banks sha1 sha1\n", 1, "this PCR bank was named before");
	expect_error("manifests 1 1\n", 1, "this manifest version was named before");
	expect_error(HEAD AK AK, 12, "this key was defined before");
	expect_error(HEAD "key ak-ecc-p256\n role ak\n role ak\n", 8,
		     "this property was given before");
	expect_error(HEAD EK("ek-ecc-p256") EK("ek-h2-ecc-p256"), 12,
		     "another key has this template");
	expect_error(HEAD KEY("ak-ecc-p256", ECC, "given", "0x81000003")
			     KEY("ak-rsa2048", RSA, "given", "0x81000003"),
		     12, "another key has this persistent handle");
	expect_error(HEAD AK NV("0x42072001", "template ak-ecc-p256", "yes")
			     NV("0x42072001", "template ak-ecc-p256", "yes"),
		     17, "this NV index was defined before");
}

static void test_malformed(void **state)
{
	(void)state;
	expect_error("profiles p\n", 1, "unknown keyword");
	expect_error("profile P\n", 1, "a name has only a-z, 0-9 and -");
	expect_error("profile p q\n", 1, "something follows where the line should end");
	expect_error("profile aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 1, "the name is too long");
	expect_error("pcr-banks md5\n", 1, "unknown PCR bank");
	expect_error("platform-auth secret\n", 1, "platform-auth is random or empty");
	expect_error("manifests 2\n", 1, "a manifest version is 0 or 1");
	expect_error("certificates yes\n", 1, "certificates is none, optional or required");
	expect_error("certificate-timeout 5\n", 1,
		     "certificate-timeout is a number of seconds with s");
	expect_error("certificate-timeout 0s\n", 1, "certificate-timeout is from 1s to 60s");
	expect_error("certificate-timeout 61s\n", 1, "certificate-timeout is from 1s to 60s");
	expect_error("attest-when-eh-disabled maybe\n", 1, "attest-when-eh-disabled is yes or no");
	expect_error(HEAD "key ek\n", 6, "there is no key of this name");
	expect_error(HEAD "key ak-ecc-p256\n profile x\n", 7, "a key has no such property");
	expect_error(HEAD "key ak-ecc-p256\n role owner\n", 7, "a role is ek or ak");
	expect_error(HEAD "key ak-ecc-p256\n hierarchy owner\n", 7, "the hierarchy is endorsement");
	expect_error(HEAD "key ak-ecc-p256\n template 0\n", 7, "hexadecimal digits come in pairs");
	expect_error(HEAD "key ak-ecc-p256\n template 0G\n", 7,
		     "bytes are in lower-case hexadecimal");
	expect_error(HEAD "key ak-ecc-p256\n template zeros:x\n", 7,
		     "zeros: wants a number of bytes");
	expect_error(HEAD "key ak-ecc-p256\n template zeros:641\n", 7, "too many bytes");
	expect_error(HEAD "key ak-ecc-p256\n template zeros:640 00\n", 7, "too many bytes");
	expect_error(HEAD "key ak-ecc-p256\n unique mine\n", 7, "unique is given, zero or random");
	expect_error(HEAD "key ak-ecc-p256\n handle 0x81800000\n", 7,
		     "handle is none or from 0x81000000 to 0x817fffff");
	expect_error(HEAD AK "nv 0x02000000\n", 12, "an NV index is from 0x01000000 to 0x01ffffff");
	expect_error(HEAD AK "nv 0x01000000\n content wisdom\n", 13,
		     "content is template, certificate, platform-certificate, evidence or blob");
	expect_error(HEAD AK "nv 0x01000000\n content template ak-rsa2048\n", 13,
		     "the profile has no such key before this line");
	expect_error(HEAD AK "nv 0x01000000\n content blob\n", 13, "the blob is empty");
	expect_error(HEAD AK "nv 0x01000000\n content blob zeros:2049\n", 13,
		     "the blob is too long");
	expect_error(HEAD AK "nv 0x01000000\n policy 00\n", 13,
		     "policy is none or a SHA-256 digest");
}

/* Templates that could not be attested, and attributes that would make a lock worthless. */
static void test_rules(void **state)
{
	(void)state;
	expect_error(HEAD KEY("ak-ecc-p256", "0023000b000500520000 0010 0018000b 0003001000000000",
			      "given", "none"),
		     6, "somebody else could know the key");
	expect_error(HEAD KEY("ak-ecc-p256", ECC "00", "given", "none"), 6,
		     "bytes follow the template");
	expect_error(HEAD "key ek-ecc-p256\n role ek\n hierarchy endorsement\n template " ECC
			  "\n unique given\n handle none\n",
		     6, "an ek decrypts, an ak signs");
	expect_error(HEAD KEY("ek-ecc-p256", ECC, "given", "none"), 6,
		     "the key's name is not one of its role");
	expect_error(HEAD KEY("ak-ecc-p384", ECC, "given", "none"), 6,
		     "the template's type or size is not that of the key's name");
	expect_error(HEAD KEY("ak-rsa2048", ECC, "given", "none"), 6,
		     "the template's type or size is not that of the key's name");
	expect_error(HEAD AK NV("0x02072001", "template ak-ecc-p256", "yes"), 12,
		     "attributes must have PLATFORMCREATE and PPWRITE");
	expect_error(HEAD AK NV("0x42072000", "template ak-ecc-p256", "yes"), 12,
		     "attributes must have PLATFORMCREATE and PPWRITE");
	expect_error(HEAD AK NV("0x42070001", "template ak-ecc-p256", "yes"), 12,
		     "locked wants WRITEDEFINE or WRITE_STCLEAR in attributes");
	expect_error(HEAD AK NV("0x42002001", "template ak-ecc-p256", "yes"), 12,
		     "attributes must let somebody read");
	expect_error(HEAD AK NV("0x42072011", "template ak-ecc-p256", "yes"), 12,
		     "attributes must be those of an ordinary index");
	expect_error(HEAD AK NV("0x62072001", "template ak-ecc-p256", "yes"), 12,
		     "attributes has a bit that the TPM itself sets, or a reserved one");
	expect_error(HEAD AK NV("0x42072001", "certificate ak-ecc-p256", "yes"), 12,
		     "a certificate is wanted, but the profile says certificates none");
	expect_error(HEAD AK NV("0x42072001", "evidence ak-ecc-p256", "yes"), 12,
		     "evidence names an RSA key");
}

#define STORAGE "0001000b00030072000000060080004300100800000000000000"

static void test_ahead(void **state)
{
	(void)state;
	expect_ok(HEAD AK "ahead owner\n template " STORAGE "\n"
			  "ahead endorsement\n template " STORAGE "\n");
	assert_int_equal(profile.ahead_count, 2);
	assert_int_equal(profile.ahead[0].hierarchy, 0x40000001);
	assert_int_equal(profile.ahead[1].hierarchy, 0x4000000b);
	assert_int_equal(profile.ahead[0].template_size, 26);
	assert_int_equal(profile.ahead[0].template[1], 1);
	expect_error(HEAD AK "ahead null\n", 12, "what is found ahead is owner's or endorsement's");
	expect_error(HEAD AK "ahead platform\n", 12,
		     "what is found ahead is owner's or endorsement's");
	expect_error(HEAD AK "ahead\n", 12, "what is found ahead is owner's or endorsement's");
	expect_error(HEAD AK "ahead owner x\n", 12, "something follows where the line should end");
	expect_error(HEAD AK "ahead owner\n", 12, "what is found ahead lacks its template");
	expect_error(HEAD AK "ahead owner\n unique zero\n", 13,
		     "what is found ahead has no such property");
	expect_error(HEAD AK "ahead owner\n template\n", 13, "the template is empty");
	expect_error(HEAD AK "ahead owner\n template " STORAGE "\n template " STORAGE "\n", 14,
		     "this property was given before");
	expect_error(HEAD AK "ahead owner\n template " STORAGE "00\n", 12,
		     "bytes follow the template");
	expect_error(HEAD AK "ahead owner\n template " ECC "\n", 12,
		     "only RSA keys have primes to be found ahead");
	expect_error(HEAD AK "ahead owner\n template " STORAGE "\n"
			     "ahead owner\n template " STORAGE "\n",
		     14, "this key is found ahead already");
	expect_error(HEAD AK "ahead owner\n template " STORAGE "\n"
			     "ahead owner\n template " RSA "\n"
			     "ahead endorsement\n template " STORAGE "\n"
			     "ahead endorsement\n template " RSA "\n"
			     "ahead endorsement\n",
		     20, "too many keys to find ahead");
}

static void test_limits(void **state)
{
	char text[8192] = HEAD AK, line[64];

	(void)state;
	for (int i = 0; i < PROFILE_NV_MAX; i++) {
		snprintf(line, sizeof(line), "nv 0x018000%02x\n attributes 0x42072001\n", i);
		strcat(text, line);
		strcat(text, " policy none\n content blob 00\n locked no\n");
	}
	expect_ok(text);
	strcat(text, "nv 0x01900000\n");
	expect_error(text, 12 + 5 * PROFILE_NV_MAX, "too many NV objects");
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(PROFILE_SIZE_MAX);

	assert_non_null(file);
	assert_non_null(text);
	*size = fread(text, 1, PROFILE_SIZE_MAX, file);
	assert_true(*size > 0 && *size < PROFILE_SIZE_MAX);
	fclose(file);
	return text;
}

/*
 * Socle's own profiles are taken, and any prefix of one is taken or refused and never read past
 * its end, which the sanitizers watch.
 */
static void test_files(void **state)
{
	(void)state;
	for (char **path = files; *path; path++) {
		struct profile_error error;
		size_t size;
		char *text = read_file(*path, &size);

		if (!profile_parse(&profile, text, size, &error))
			fail_msg("%s:%u: %s", *path, error.line, error.reason);
		for (size_t cut = 0; cut < size; cut++) {
			char *copy = malloc(cut ? cut : 1);

			memcpy(copy, text, cut);
			profile_parse(&profile, copy, cut, &error);
			free(copy);
		}
		free(text);
	}
}

/* Changed bytes are no profile or another one: never a crash. The seed makes it repeatable. */
static void test_changed_bytes(void **state)
{
	struct profile_error error;
	unsigned int seed = 1;
	size_t size;
	char *text = read_file(files[0], &size);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t at = (size_t)rand_r(&seed) % size;
		char old = text[at];

		text[at] = (char)rand_r(&seed);
		if (!profile_parse(&profile, text, size, &error))
			assert_non_null(error.reason);
		text[at] = old;
	}
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_renewed_evidence),
		cmocka_unit_test(test_tpm_profile),
		cmocka_unit_test(test_tpm_profile_name),
		cmocka_unit_test(test_tpm_profile_json),
		cmocka_unit_test(test_tpm_profile_size),
		cmocka_unit_test(test_platform_certificate),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_changed_bytes),
	};

	if (argc < 2)
		return 2;
	files = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
