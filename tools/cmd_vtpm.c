/* SPDX-License-Identifier: MIT */
/* `socle vtpm serve`: the vtpm service as a Linux process, for any TPM 2.0 client. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/beside.h"
#include "tools/cmd.h"
#include "tools/vtpm/server.h"

static const char usage[] =
	"usage: socle vtpm serve [OPTION]... --profile FILE --port PORT\n"
	"\n"
	"Runs the vtpm service, the same executable that Socle runs, as a Linux process behind\n"
	"TCP on localhost: TPM commands on PORT, control on PORT + 1.\n"
	"\n"
	"  --profile FILE   how the TPM is provisioned (docs/profiles.md)\n"
	"  --port PORT      0: any two free ports in a row; the line \"listening PORT\" tells\n"
	"  --mssim          the simulator's shape, tpm2-tss's \"mssim\" (the default)\n"
	"  --swtpm          swtpm's shape, tpm2-tss's \"swtpm\"\n"
	"  --state DIR      keep the TPM's permanent state there; without it the TPM is a new one\n"
	"                   and ends with the program\n"
	"  --vtpm PATH      the service's executable (where it was built or installed)\n"
	"\n"
	"The TPM is on when the ports are open, and has executed TPM2_Startup(CLEAR); after a\n"
	"client's power cycle or reset on the simulator's platform port it waits for the client's\n"
	"TPM2_Startup. It has no certificates, for there is nobody to attest it.\n"
	"\n"
	"Exit status: 0 a client ended it, 1 misuse, or the TPM does not start.\n";

enum option_id { OPT_MSSIM = 256, OPT_PORT, OPT_PROFILE, OPT_STATE, OPT_SWTPM, OPT_VTPM };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "mssim", no_argument, NULL, OPT_MSSIM },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "swtpm", no_argument, NULL, OPT_SWTPM },
	{ "vtpm", required_argument, NULL, OPT_VTPM },
	{ 0 },
};

struct arguments {
	const char *profile, *state, *vtpm;
	const struct server_shape *shape;
	uint16_t port;
	bool has_port;
};

static bool parse_port(const char *text, uint16_t *port)
{
	uint64_t number;

	/* The next port is needed, too. */
	if (!cmd_number(text, 0, UINT16_MAX - 1, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool take_option(struct arguments *a, int id)
{
	switch (id) {
	case OPT_MSSIM:
		a->shape = &server_mssim;
		return true;
	case OPT_SWTPM:
		a->shape = &server_swtpm;
		return true;
	case OPT_PORT:
		a->has_port = true;
		return parse_port(optarg, &a->port);
	case OPT_PROFILE:
		a->profile = optarg;
		return true;
	case OPT_STATE:
		a->state = optarg;
		return true;
	default:
		a->vtpm = optarg;
		return true;
	}
}

static int run(const struct arguments *a, const char *executable)
{
	struct vtpm_device device;
	struct server server = { .device = &device };
	struct host_error error;
	bool ok;

	umask(077); /* what is kept are seeds */
	ok = vtpm_device_open(&device, executable, a->profile, a->state, &error) &&
	     vtpm_device_power_on(&device, false, &error) &&
	     server_run(&server, a->shape, a->port, &error);
	vtpm_device_close(&device);
	return ok ? CMD_OK : cmd_error("vtpm: %s", error.text);
}

static int serve(const struct arguments *a)
{
	static const char *const places[] = { "../services/vtpm", "../lib/socle/vtpm" };
	char *found = NULL;
	int status;

	if (!a->profile || !a->has_port)
		return cmd_error("vtpm serve wants --profile and --port");
	if (!a->vtpm)
		found = beside_find(places, sizeof(places) / sizeof(places[0]));
	if (!a->vtpm && !found)
		return cmd_error("vtpm: the service is not there; give --vtpm");
	status = run(a, a->vtpm ? a->vtpm : found);
	free(found);
	return status;
}

int cmd_vtpm(int argc, char **argv)
{
	struct arguments a = { .shape = &server_mssim };
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return CMD_OK;
		}
		if (id == '?')
			return cmd_bad_option("vtpm", argc, argv);
		if (!take_option(&a, id))
			return cmd_error("vtpm: --port: \"%s\" is not a port", optarg);
	}
	if (optind + 1 != argc || strcmp(argv[optind], "serve") != 0)
		return cmd_error("vtpm: the one command is serve; see `socle vtpm --help`");
	return serve(&a);
}
