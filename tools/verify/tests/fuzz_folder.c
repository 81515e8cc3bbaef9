/* SPDX-License-Identifier: MIT */
/*
 * Files of any bytes in the guest's folder and in the relying party's own, by the names of both:
 * a name's number, a length in two bytes, the bytes, and so on. The first byte says how much is
 * looked at. What is the relying party's own is never taken from the guest.
 */
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/host/file.h"
#include "core/base/tests/fuzz_hold.h"
#include "tests/lib/scratch_dir.h"
#include "tools/verify/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The order is that of tests/verify/fuzz_corpus.py. */
static const char *const names[] = {
	"outblob",	"auxblob",	  "manifestblob",    "report.bin", "certs.bin",
	"manifest.bin", "ark.pem",	  "ask.pem",	     "vcek.pem",   "asvk.pem",
	"vlek.pem",	"selector.bin",	  "context.bin",     "ek.pub",	   "ak.pub",
	"answer.bin",	"quote.msg",	  "quote.sig",	     "quote.pcrs", "eventlog.bin",
	"nonce.bin",	"challenge.json", "measurement.hex",
};

#define NAMES (sizeof(names) / sizeof(names[0]))
#define MINE_BIT 0x80u

static char guests[FILE_PATH_MAX / 2], mine[FILE_PATH_MAX / 2];

static void make_folders(void)
{
	const char *scratch;

	if (guests[0])
		return;
	scratch = scratch_dir_make();
	atexit(scratch_dir_remove);
	snprintf(guests, sizeof(guests), "%s/guest", scratch);
	snprintf(mine, sizeof(mine), "%s/mine", scratch);
	hold(mkdir(guests, 0700) == 0 && mkdir(mine, 0700) == 0, "folders");
}

static void remove_files(const char *folder)
{
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		remove(path);
	}
}

static void write_file(const char *folder, const char *name, const uint8_t *data, size_t size)
{
	char path[FILE_PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	hold(f && fwrite(data, 1, size, f) == size, "a file");
	fclose(f);
}

static void write_files(const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];

		if (length > size - 3)
			length = size - 3;
		write_file(data[0] & MINE_BIT ? mine : guests, names[(data[0] & ~MINE_BIT) % NAMES],
			   data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
}

static bool has(const char *folder, const char *name)
{
	char path[FILE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void load(const struct folder_paths *paths, enum folder_depth depth)
{
	struct socle_evidence *evidence = folder_load(paths, depth);

	if (evidence) {
		hold(socle_evidence_has(evidence, SOCLE_OWN_ROOT) == has(mine, "ark.pem"),
		     "whose root it is");
		hold(depth == FOLDER_REPORT || has(mine, "nonce.bin"), "whose nonce it is");
		hold(socle_evidence_has(evidence, SOCLE_OWN_CHALLENGE) ==
			     (depth == FOLDER_QUOTE && has(mine, "challenge.json")),
		     "whose challenge it is");
	}
	socle_evidence_free(evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct folder_paths paths = { .directory = guests, .mine = mine };
	uint8_t measurement[FOLDER_MEASUREMENT_SIZE];

	if (size == 0)
		return 0;
	make_folders();
	write_files(data + 1, size - 1);
	hold(folder_paths_ok(&paths), "two folders");
	if (folder_has_measurement(&paths))
		folder_load_measurement(&paths, measurement);
	if (data[0] % 4 == FOLDER_QUOTE + 1)
		socle_evidence_free(folder_load_unchallenged(&paths));
	else
		load(&paths, (enum folder_depth)(data[0] % 4));
	remove_files(guests);
	remove_files(mine);
	return 0;
}
