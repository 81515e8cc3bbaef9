/* SPDX-License-Identifier: MIT */
/*
 * Parts of evidence, any bytes each: a part's number, its length in two bytes, its bytes, and so
 * on. The first byte says by a policy of which depth all that could be added is judged, or that it
 * is not, which is far faster, and with its highest bit, whether by rules about the boot, too. What
 * is trusted at a depth is so at the one above it.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "tools/libverify/socle-verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTHS 3u

static const char *const depths[DEPTHS] = { "report", "keys", "quote" };

/* That of the test vectors, and of a boot that the corpus has. */
static struct socle_policy *policy_of(const char *depth, bool boot)
{
	char json[768];
	struct socle_policy *policy;

	snprintf(
		json, sizeof(json),
		"{\"format\": 1, \"look_at\": \"%s\", \"allow\": {\"emulated\": true}, "
		"\"measurements\": {\"expected\": "
		"\"2490f51633ff4f6d36dd49a521c5d5f54397c7ca9033d839e127c6d8bbdc9dcafc3c2a531fb3e499"
		"45b22d00dfb598d0\"}%s}",
		depth,
		boot ? ", \"boot\": {\"secure_boot\": true, \"signers\": {\"s\": "
		       "\"c0ffee00000000000000000000000000000000000000000000000000000000ff\"}, "
		       "\"command_lines\": {\"c\": \"root=/dev/vda ro\"}}"
		     : "");
	policy = socle_policy_read(json, strlen(json), NULL);
	hold(policy, "a policy");
	return policy;
}

static void add_all(struct socle_evidence *evidence, const uint8_t *data, size_t size)
{
	char error[SOCLE_ERROR_SIZE];

	while (size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];

		if (length > size - 3)
			length = size - 3;
		error[0] = '\0';
		if (!socle_evidence_add(evidence, (enum socle_part)data[0], data + 3, length,
					error))
			hold(error[0] && !strchr(error, '\n'), "a refusal has one line");
		data += 3 + length;
		size -= 3 + length;
	}
}

/* The status; -1 where there is no verdict. */
static int judge(const struct socle_evidence *evidence, const char *depth, bool boot)
{
	struct socle_policy *policy = policy_of(depth, boot);
	char error[SOCLE_ERROR_SIZE] = "";
	struct socle_verdict *verdict = socle_verify(evidence, policy, error);
	int status = verdict ? (int)socle_verdict_status(verdict) : -1;
	char *text = verdict ? socle_verdict_json(verdict, true) : NULL;

	hold(verdict ? text != NULL : error[0] != '\0', "a verdict, or why there is none");
	hold(!verdict || socle_verdict_emulated(verdict) || status != SOCLE_TRUSTED,
	     "nobody here has a key of AMD's");
	socle_text_free(text);
	socle_verdict_free(verdict);
	socle_policy_free(policy);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct socle_evidence *evidence = size ? socle_evidence_new() : NULL;
	size_t depth = size ? (data[0] & 0x7f) % (DEPTHS + 1) : 0;
	bool boot = size && depth == DEPTHS - 1 && data[0] >> 7;
	int status;

	if (!evidence)
		return 0;
	add_all(evidence, data + 1, size - 1);
	status = depth < DEPTHS ? judge(evidence, depths[depth], boot) : -1;
	if (status == SOCLE_TRUSTED) {
		socle_text_free(socle_policy_make(evidence, depths[depth], NULL));
		hold(depth == 0 || judge(evidence, depths[depth - 1], false) == SOCLE_TRUSTED,
		     "what is trusted with more is trusted with less");
	}
	socle_evidence_free(evidence);
	return 0;
}
