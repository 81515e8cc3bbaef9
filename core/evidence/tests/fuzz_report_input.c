/* SPDX-License-Identifier: MIT */
/*
 * Whatever somebody calls a report, a table or a revocation list. What can be read as a report has
 * to read as the same one from its hexadecimal digits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/amd_crl.h"
#include "core/evidence/host/cert_table.h"
#include "core/evidence/host/report_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hex(const struct report_input *first, const uint8_t *data, size_t size)
{
	char *text = malloc(HEX_TEXT_SIZE(size));
	struct report_input again;

	if (!text)
		abort();
	hex_write(text, data, size);
	if (report_input_read(&again, text, 2 * size) ||
	    memcmp(&again.report, &first->report, sizeof(again.report)) != 0 ||
	    again.table.size != first->table.size)
		abort();
	report_input_free(&again);
	free(text);
}

static bool is_text(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] < '\t' || data[i] > '~')
			return false;
	}
	return true;
}

static void read_table(const struct report_input *input)
{
	struct amd_chain chain;

	if (!cert_table_read(&chain, report_signing_key(&input->report), input->table.data,
			     input->table.size))
		amd_chain_free(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	STACK_OF(X509_CRL) *lists = NULL;
	struct report_input input;

	if (!report_input_read(&input, data, size)) {
		if (!is_text(data, size) && 2 * size <= EVIDENCE_REPORT_SIZE_MAX)
			check_hex(&input, data, size);
		if (input.table.size)
			read_table(&input);
		report_input_free(&input);
	}
	amd_crl_read(&lists, data, size);
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return 0;
}
