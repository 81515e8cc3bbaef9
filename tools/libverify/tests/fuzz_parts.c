/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as one part of evidence, whose number is the first byte, beside the report that the
 * second byte says a VCEK or a VLEK signed; and as the record of a challenge. Nothing is judged.
 */
#include <stdint.h>
#include <string.h>

#include "abi/psp.h"
#include "core/base/tests/fuzz_hold.h"
#include "tools/libverify/socle-verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold_line(const char *error)
{
	hold(error[0] != '\0', "a refusal without words");
	for (const char *c = error; *c; c++)
		hold(*c >= ' ' && *c != 0x7f, "a refusal has one line that can be printed");
}

static struct socle_evidence *evidence_of(bool vlek)
{
	static struct psp_report report = { .version = 3 };
	struct socle_evidence *evidence = socle_evidence_new();

	report.key_info = vlek ? 1u << 2 : 0;
	hold(evidence && socle_evidence_add(evidence, SOCLE_REPORT, &report, sizeof(report), NULL),
	     "a report");
	return evidence;
}

/* Of certificates, AMD's own may be there before. */
static bool is_certificate(enum socle_part part)
{
	return part >= SOCLE_CERT_ARK && part <= SOCLE_CERT_SIGNER;
}

static void add(enum socle_part part, bool vlek, const uint8_t *data, size_t size)
{
	struct socle_evidence *evidence = part == SOCLE_REPORT ? socle_evidence_new()
							       : evidence_of(vlek);
	char error[SOCLE_ERROR_SIZE] = "";
	bool added = socle_evidence_add(evidence, part, data, size, error);

	hold(is_certificate(part) ? !added || socle_evidence_has(evidence, part)
				  : added == socle_evidence_has(evidence, part),
	     "a part is there when it was added");
	if (added)
		hold(!socle_evidence_add(evidence, part, data, size, error), "a part, twice");
	hold_line(error);
	socle_evidence_free(evidence);
}

static void open_record(const uint8_t *data, size_t size)
{
	static const uint8_t answer[32];
	char error[SOCLE_ERROR_SIZE] = "";
	bool right;

	if (!socle_challenge_open(data, size, answer, sizeof(answer), &right, error)) {
		hold(!right, "an answer to no challenge");
		hold_line(error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	add((enum socle_part)data[0], data[1] & 1, data + 2, size - 2);
	if (data[0] == SOCLE_OWN_CHALLENGE)
		open_record(data + 2, size - 2);
	return 0;
}
