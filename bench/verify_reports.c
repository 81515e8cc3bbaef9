/* SPDX-License-Identifier: MIT */
/*
 * How long libsocle-verify takes for a report whose chain it knows: evidence, chain and verdict,
 * and all of it freed. Prints the median in microseconds.
 *
 *	verify_reports DIRECTORY ROUNDS
 *
 * DIRECTORY has report.bin, ask.pem, vcek.pem and the own root ark.pem.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/samples.h"
#include "tools/libverify/socle-verify.h"

#define FILE_MAX (64u << 10)

static const char rules[] =
	"{\"format\": 1, \"look_at\": \"report\", \"allow\": {\"emulated\": true}}";

struct blob {
	unsigned char data[FILE_MAX];
	size_t size;
};

static void stop(const char *what)
{
	fprintf(stderr, "verify_reports: %s\n", what);
	exit(1);
}

static void read_file(const char *directory, const char *name, struct blob *blob)
{
	char path[4096];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		stop("the folder's name is too long");
	file = fopen(path, "rbe");
	if (!file)
		stop(path);
	blob->size = fread(blob->data, 1, sizeof(blob->data), file);
	fclose(file);
}

static void add(struct socle_evidence *evidence, enum socle_part part, const struct blob *blob)
{
	char error[SOCLE_ERROR_SIZE];

	if (!evidence || !socle_evidence_add(evidence, part, blob->data, blob->size, error))
		stop(evidence ? error : "out of memory");
}

static struct socle_chain *make_chain(const char *directory, const struct blob *report)
{
	static const struct {
		const char *name;
		enum socle_part part;
	} files[] = { { "ask.pem", SOCLE_CERT_ISSUER },
		      { "vcek.pem", SOCLE_CERT_SIGNER },
		      { "ark.pem", SOCLE_OWN_ROOT } };
	struct socle_evidence *evidence = socle_evidence_new();
	char error[SOCLE_ERROR_SIZE];
	struct socle_chain *chain;
	struct blob blob;

	add(evidence, SOCLE_REPORT, report);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		read_file(directory, files[i].name, &blob);
		add(evidence, files[i].part, &blob);
	}
	chain = socle_chain_of(evidence, error);
	if (!chain)
		stop(error);
	socle_evidence_free(evidence);
	return chain;
}

static void judge(const struct socle_policy *policy, const struct socle_chain *chain,
		  const struct blob *report)
{
	struct socle_evidence *evidence = socle_evidence_new();
	char error[SOCLE_ERROR_SIZE];
	struct socle_verdict *verdict;

	add(evidence, SOCLE_REPORT, report);
	if (!socle_evidence_add_chain(evidence, chain, error))
		stop(error);
	verdict = socle_verify(evidence, policy, error);
	if (!verdict || socle_verdict_status(verdict) != SOCLE_TRUSTED)
		stop(verdict ? "the report is refused" : error);
	socle_verdict_free(verdict);
	socle_evidence_free(evidence);
}

int main(int argc, char **argv)
{
	static struct samples samples;
	struct socle_policy *policy;
	struct socle_chain *chain;
	char error[SOCLE_ERROR_SIZE];
	struct blob report;
	int rounds = argc == 3 ? atoi(argv[2]) : 0;

	if (rounds < 1 || rounds > (int)SAMPLES_MAX)
		stop("a folder and 1 to 2000 rounds are wanted");
	read_file(argv[1], "report.bin", &report);
	chain = make_chain(argv[1], &report);
	policy = socle_policy_read(rules, strlen(rules), error);
	if (!policy)
		stop(error);
	for (int i = 0; i < rounds; i++) {
		uint64_t start = samples_now();

		judge(policy, chain, &report);
		samples_add(&samples, start);
	}
	printf("%.1f\n", samples_median(&samples));
	socle_policy_free(policy);
	socle_chain_free(chain);
	return 0;
}
