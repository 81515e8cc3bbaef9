/* SPDX-License-Identifier: MIT */
/* `socle nonce`: what a relying party asks with. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/svsm.h"
#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/options.h"

struct arguments {
	const char *output;
};

/* Whole or not at all, and never over another one. */
static bool write_new(const char *path, const uint8_t *nonce, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, nonce, size) == (ssize_t)size && fsync(fd) == 0;
	if (close(fd) == 0 && ok)
		return true;
	unlink(path);
	return false;
}

static enum cmd_status make_nonce(void *arguments)
{
	const struct arguments *a = arguments;
	char text[HEX_TEXT_SIZE(SVSM_NONCE_SIZE)];
	uint8_t nonce[SVSM_NONCE_SIZE];

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return cmd_error("nonce: no random numbers");
	if (a->output && !write_new(a->output, nonce, sizeof(nonce)))
		return cmd_file_error(a->output, "%s", strerror(errno));
	hex_write(text, nonce, sizeof(nonce));
	if (puts(text) == EOF || fflush(stdout) != 0)
		return cmd_error("nonce: cannot write it");
	return CMD_OK;
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, output, "output", FILE, "FILE",
	       "make this file with the bytes themselves, for `socle verify`; it must not be "
	       "there, for a nonce is used once",
	       .letter = 'o'),
	{ 0 },
};

const struct command cmd_nonce = {
	.name = "nonce",
	.summary = "make what a guest has to answer",
	.about = "Prints a new nonce of 64 random bytes, for one attestation, in the digits that "
		 "`socle-guest attest --nonce` takes.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.size = sizeof(struct arguments),
	.run = make_nonce,
};
