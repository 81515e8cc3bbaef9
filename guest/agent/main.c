/* SPDX-License-Identifier: MIT */
/*
 * socle-guest: the guest's end of an attestation.
 *
 *	socle-guest serve --channel DEVICE [--script FILE] [--folder DIR] [--tsm DIR] [--svsm DIR]
 *		[--tpm DEVICE]
 *	socle-guest attest [--key NAME | --template FILE | --nv INDEX] [--manifest-version N]
 *		--nonce HEX -o DIR
 *	socle-guest quote [--key NAME] [--template FILE | --nv INDEX] [--pcrs N,N...] [--tpm DEVICE]
 *		--nonce HEX -o DIR
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/agent/commands.h"
#include "guest/agent/configfs.h"
#include "guest/agent/session.h"
#include "guest/agent/svsm.h"
#include "guest/agent/tpm.h"

static int usage(bool help)
{
	fputs("usage: socle-guest serve --channel DEVICE [--script FILE] [--folder DIR]\n"
	      "\t[--tsm DIR] [--svsm DIR] [--tpm DEVICE]\n"
	      "       socle-guest attest|quote ...; both have --help\n",
	      help ? stdout : stderr);
	return help ? 0 : 1;
}

static int serve(const char *device, struct session *session)
{
	static struct channel channel;
	int rc;

	/* Secrets of a challenge pass through here: nobody else reads them. */
	if (mkdir(session->folder, 0700) != 0 && errno != EEXIST) {
		fprintf(stderr, "socle-guest: %s: %s\n", session->folder, strerror(errno));
		return 1;
	}
	rc = channel_open(&channel, device);
	if (rc != 0) {
		fprintf(stderr, "socle-guest: %s: %s\n", device, strerror(-rc));
		return 1;
	}
	session->channel = &channel;
	rc = session_serve(session);
	if (rc != 0)
		fprintf(stderr, "socle-guest: %s: %s\n", device, strerror(-rc));
	return rc == 0 ? 0 : 1;
}

static int command_serve(int argc, char **argv)
{
	static const struct option options[] = {
		/* The numbers are the places in values[] below. */
		{ "channel", required_argument, NULL, 0 }, { "script", required_argument, NULL, 1 },
		{ "folder", required_argument, NULL, 2 },  { "tsm", required_argument, NULL, 3 },
		{ "svsm", required_argument, NULL, 4 },	   { "tpm", required_argument, NULL, 5 },
		{ "help", no_argument, NULL, 'h' },	   { NULL, 0, NULL, 0 },
	};
	struct session session = {
		.script = "/lib/socle/attest.sh",
		.folder = "/run/socle",
		.tsm = TSM_ROOT,
		.svsm = SVSM_ROOT,
		.tpm = TPM_DEVICE,
	};
	const char *device = NULL;
	const char **const values[] = { &device,      &session.script, &session.folder,
					&session.tsm, &session.svsm,   &session.tpm };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option >= (int)(sizeof(values) / sizeof(values[0])))
			return usage(option == 'h');
		*values[option] = optarg;
	}
	if (device == NULL || optind != argc)
		return usage(false);
	return serve(device, &session);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "serve", command_serve },
		{ "attest", command_attest },
		{ "quote", command_quote },
	};

	configfs_remove_on_signals();
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return usage(argc == 2 && strcmp(argv[1], "--help") == 0);
}
