/* SPDX-License-Identifier: MIT */
/* `socle nonce`: what a relying party asks with. */
#include <openssl/rand.h>
#include <stdio.h>

#include "abi/svsm.h"
#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/options.h"

struct arguments {
	const char *output;
};

static enum cmd_status make_nonce(void *arguments)
{
	const struct arguments *a = arguments;
	char text[HEX_TEXT_SIZE(SVSM_NONCE_SIZE)];
	uint8_t nonce[SVSM_NONCE_SIZE];
	struct host_error error;

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return cmd_error("nonce: no random numbers");
	if (a->output && !file_write_new(a->output, 0644, nonce, sizeof(nonce), &error))
		return cmd_file_error(a->output, "%s", error.text);
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
