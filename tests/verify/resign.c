/* SPDX-License-Identifier: MIT */
/*
 * Signs a report again with the emulated VCEK, and writes the chain beside it, so that a test can
 * alter any signed byte and still have a signature that verifies.
 *
 *	resign KEY_DIR REPORT [CERTIFICATE_DIR]
 *
 * With chip and TCBs of zeros in the report, they become the VCEK's.
 */
#include <stdio.h>
#include <string.h>

#include "core/snp/report.h"
#include "machine/host/chain.h"

static bool read_report(const char *path, struct psp_report *report)
{
	FILE *file = fopen(path, "rb");
	bool ok = file && fread(report, 1, sizeof(*report), file) == sizeof(*report);

	if (file)
		fclose(file);
	return ok;
}

static bool write_report(const char *path, const struct psp_report *report)
{
	FILE *file = fopen(path, "wb");
	bool ok = file && fwrite(report, 1, sizeof(*report), file) == sizeof(*report);

	return file && fclose(file) == 0 && ok;
}

static void adopt_chip(struct psp_report *report, const struct chain *chain)
{
	static const uint8_t none[PSP_CHIP_ID_SIZE];

	if (report->reported_tcb || memcmp(report->chip_id, none, sizeof(none)) != 0)
		return;
	memcpy(report->chip_id, chain->chip_id, sizeof(report->chip_id));
	report->current_tcb = report->committed_tcb = report->reported_tcb = report->launch_tcb =
		chain_tcb_version(chain);
}

int main(int argc, char **argv)
{
	struct host_error error;
	struct psp_report report;
	struct chain chain;

	if (argc < 3 || !read_report(argv[2], &report)) {
		fprintf(stderr, "usage: resign KEY_DIR REPORT [CERTIFICATE_DIR]\n");
		return 1;
	}
	if (!chain_open(&chain, argv[1], &error) ||
	    (argc > 3 && !chain_export(&chain, argv[3], &error))) {
		fprintf(stderr, "resign: %s\n", error.text);
		return 1;
	}
	adopt_chip(&report, &chain);
	if (!chain_sign_report(&chain, &report) || !write_report(argv[2], &report)) {
		fprintf(stderr, "resign: %s cannot be signed\n", argv[2]);
		return 1;
	}
	chain_close(&chain);
	return 0;
}
