/* SPDX-License-Identifier: MIT */
/*
 * A guest that has taken over its vTPM (tests/services/taken_over.c) has reports made over whatever
 * bytes it likes, by the calls that every guest may make. It must get none that reads as one of
 * another context: docs/spec/create-and-attest.md, section 6.1.
 */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define CALL_SERVICES 0x100000000ull
#define CALL_SINGLE 0x100000001ull
#define CALL_EXTENDED 0x100000002ull
#define VTPM_COMMAND 0x200000001ull
#define SERVICE_FAILED 0x80001001ull
#define COMMAND_HEADER 9u
#define FILL 0xa5

/* Public areas as docs/spec/create-and-attest.md has them; nobody looks at the keys' numbers. */
#define EK_SIZE 314u
#define AK_SIZE 88u
static const uint8_t ek_head[] = {
	0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2, 0x00, 0x20, 0x83, 0x71, 0x97, 0x67, 0x44,
	0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e,
	0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa, 0x00, 0x06, 0x00,
	0x80, 0x00, 0x43, 0x00, 0x10, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
};
static const uint8_t ak_head[] = {
	0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00,
	0x10, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x20
};
static const uint8_t key_82[] = { 2, 0, 0, 0, 0, 0, 0, 0, 0x82, 0, 0, 0 };

#define VTPM                                                                                      \
	0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7, 0xdd, 0xe5, 0xbf, \
		0xe3

/* What stands between nonce and manifest in each context but the plain one. */
static const struct tag {
	const char *name;
	uint8_t bytes[48];
	size_t size;
	uint32_t version; /* of the manifest behind it */
} tags
	[] = {
		{ "the authority's",
		  { 'S', 'C', 'A', 'R', VTPM, 1, 0, 0, 0, 3, 0, 0, 0, 't', 'c', 'g' },
		  31,
		  1 },
		{ "a selection's",
		  { 'S', 'S', 'M', '2', VTPM, 1, 0, 0, 0,    12, 0, 0, 0,
		    2,	 0,   0,   0,	0,    0, 0, 0, 0x82, 0,	 0, 0 },
		  40,
		  1 },
		{ "a selection's, version 0",
		  { 'S', 'S', 'M', '2', VTPM, 0, 0, 0, 0,    12, 0, 0, 0,
		    2,	 0,   0,   0,	0,    0, 0, 0, 0x82, 0,	 0, 0 },
		  40,
		  0 },
		{ "all services'",
		  { 0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46, 0xa1, 0xff, 0x58,
		    0xf9, 0xc9, 0x4b, 0x87, 0xbb, 0x6a, 1,    0,    0,	  1,	0,
		    0,	  0,	VTPM, 48,   0,	  0,	0,    0x3a, 1,	  0,	0 },
		  48,
		  0 },
	};
#define TAGS (sizeof(tags) / sizeof(tags[0]))

static struct bytes {
	uint8_t data[1024];
	size_t size;
} said;

static void put(const void *data, size_t size)
{
	memcpy(said.data + said.size, data, size);
	said.size += size;
}

/* A number of these bytes, and what stands between two of them. */
static void put_number(uint8_t value, size_t size)
{
	memset(said.data + said.size, value, size);
	said.size += size;
}

static void put_ek(void)
{
	put(ek_head, sizeof(ek_head));
	put_number(0xd5, 256);
}

static void put_ak(void)
{
	put(ak_head, sizeof(ak_head));
	put_number(0x3c, 32);
	put("\x00\x20", 2);
	put_number(0x3c, 32);
}

/* One key, in that version. */
static void put_manifest(uint32_t version, bool ak)
{
	if (version == 1) {
		put("\0\0\0\1\0\0\0\1", 8);
		put(ak ? "\x00\x58" : "\x01\x3a", 2);
	}
	if (ak)
		put_ak();
	else
		put_ek();
}

/* The pages of a rule. */
static struct {
	uint64_t command, block, report, manifest;
} at;

static void take_pages(void)
{
	at.command = page_new();
	at.block = page_new();
	at.report = page_new();
	at.manifest = page_new();
}

/* The vTPM says from now on what is in said. */
static void tell_vtpm(void)
{
	uint8_t *page = (uint8_t *)at.command;
	const struct svsm_vtpm_cmd_req req = { .command = 8, .size = (uint32_t)said.size };

	memcpy(page, &req, COMMAND_HEADER);
	memcpy(page + COMMAND_HEADER, said.data, said.size);
	expect("the vTPM takes its words", svsm_call(VTPM_COMMAND, at.command, 0, 0), 0);
}

/* RAX of a call, whose buffers hold nothing before it. */
static uint64_t attest(uint64_t call, uint32_t version)
{
	struct svsm_attest_op_ex *op = (struct svsm_attest_op_ex *)at.block;
	uint8_t *rest = (uint8_t *)at.block + 0x100;

	memset((void *)at.report, FILL, 4096);
	memset((void *)at.manifest, FILL, 4096);
	memset(rest, 0x6e, 64);
	memcpy(rest + 64, key_82, sizeof(key_82));
	*op = (struct svsm_attest_op_ex){
		.base = {
			.report = { at.report, 4096, 0 },
			.nonce = { (uint64_t)rest, 64, 0 },
			.manifest = { at.manifest, 4096, 0 },
			.service = { { VTPM } },
			.manifest_version = version,
		},
		.selector = { (uint64_t)rest + 64, sizeof(key_82), 0 },
	};
	return svsm_call(call, at.block, 0, 0);
}

static bool untouched(uint64_t page)
{
	const uint8_t *bytes = (const uint8_t *)page;

	for (size_t i = 0; i < 4096; i++) {
		if (bytes[i] != FILL)
			return false;
	}
	return true;
}

static void expect_no_report(const char *what, uint64_t call, uint32_t version)
{
	expect(what, attest(call, version), SERVICE_FAILED);
	expect("the report's buffer is untouched", untouched(at.report), true);
	expect("the manifest's buffer is untouched", untouched(at.manifest), true);
}

/* The control: what is a manifest, and answers the call, gets a report. */
static void expect_report(const char *what, uint64_t call, uint32_t version, bool ak)
{
	size_t before = call == CALL_SERVICES ? 48 : 0;

	said.size = 0;
	put_manifest(version, ak);
	tell_vtpm();
	expect(what, attest(call, version), 0);
	expect("the report is there", untouched(at.report), false);
	expect("the manifest is what the vTPM says",
	       memcmp((const uint8_t *)at.manifest + before, said.data, said.size), 0);
}

static void true_manifests(void)
{
	take_pages();
	expect_report("call 0", CALL_SERVICES, 0, false);
	expect_report("call 1, version 0", CALL_SINGLE, 0, false);
	expect_report("call 1, version 1", CALL_SINGLE, 1, false);
	expect_report("call 1, version 1, of an AK", CALL_SINGLE, 1, true);
	expect_report("call 2, version 0", CALL_EXTENDED, 0, true);
	expect_report("call 2, version 1", CALL_EXTENDED, 1, true);
}

/* All contexts' bytes as the manifest, with a manifest behind them that is good there. */
static void other_contexts(uint64_t call)
{
	take_pages();
	for (size_t i = 0; i < TAGS; i++) {
		said.size = 0;
		put(tags[i].bytes, tags[i].size);
		put_manifest(tags[i].version, tags[i].bytes[3] == '2');
		tell_vtpm();
		expect_no_report(tags[i].name, call, 0);
		if (call != CALL_SERVICES)
			expect_no_report(tags[i].name, call, 1);
	}
}

static void other_contexts_by_call_0(void)
{
	other_contexts(CALL_SERVICES);
}

static void other_contexts_by_call_1(void)
{
	other_contexts(CALL_SINGLE);
}

static void other_contexts_by_call_2(void)
{
	other_contexts(CALL_EXTENDED);
}

static void other_keys(void)
{
	take_pages();
	said.size = 0;
	put_manifest(0, true);
	tell_vtpm();
	expect_no_report("an AK in call 0", CALL_SERVICES, 0);
	expect_no_report("an AK in call 1, version 0", CALL_SINGLE, 0);
	said.size = 0;
	put_manifest(1, false);
	tell_vtpm();
	expect_no_report("an EK for an AK", CALL_EXTENDED, 1);
	expect_no_report("version 1 for version 0", CALL_SINGLE, 0);
	expect_no_report("version 1 in call 0", CALL_SERVICES, 0);
	said.size = 0;
	put_manifest(0, false);
	tell_vtpm();
	expect_no_report("version 0 for version 1", CALL_SINGLE, 1);
	expect_no_report("a version that is none", CALL_SINGLE, 2);
}

static void broken_manifests(void)
{
	take_pages();
	said.size = 0;
	put_manifest(0, false);
	said.size--;
	tell_vtpm();
	expect_no_report("a byte too few", CALL_SINGLE, 0);
	said.size++;
	put("", 1);
	tell_vtpm();
	expect_no_report("a byte too many", CALL_SINGLE, 0);
	said.size--;
	said.data[7] ^= 2;
	tell_vtpm();
	expect_no_report("a key that can leave its TPM", CALL_SINGLE, 0);
}

const struct rule rules[] = {
	{ "true manifests get reports", "58019, section 7", true_manifests, 1 },
	{ "no other context's bytes by call 0", "create-and-attest, 6.1", other_contexts_by_call_0,
	  1 },
	{ "no other context's bytes by call 1", "create-and-attest, 6.1", other_contexts_by_call_1,
	  1 },
	{ "no other context's bytes by call 2", "create-and-attest, 6.1", other_contexts_by_call_2,
	  1 },
	{ "no keys but those that were asked for", "create-and-attest, 10, 7", other_keys, 1 },
	{ "no broken manifests", "create-and-attest, 7 and 8", broken_manifests, 1 },
	{ 0 },
};
