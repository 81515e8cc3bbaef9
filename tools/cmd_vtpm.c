/* SPDX-License-Identifier: MIT */
/* `socle vtpm serve`: the vtpm service's code as a Linux process, for any TPM 2.0 client. */
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/vtpm/server.h"

#define KEY_FILE_MAX 256u
#define TPM_SU_CLEAR 0u
#define TPM_SU_STATE 1u

static const char usage[] =
	"usage: socle vtpm serve [OPTION]... --profile FILE {--port PORT | --socket PATH}\n"
	"\n"
	"Runs the code of the vtpm service as a Linux process: TPM commands on PORT of localhost,\n"
	"control on PORT + 1; or control on a Unix socket, over which the client passes its\n"
	"command channel, as QEMU does.\n"
	"\n"
	"  --profile FILE   how the TPM is provisioned (docs/profiles.md)\n"
	"  --port PORT      0: any two free ports in a row; the line \"listening PORT\" tells\n"
	"  --socket PATH    swtpm's control channel there; implies --swtpm\n"
	"  --mssim          the simulator's shape, tpm2-tss's \"mssim\" (the default)\n"
	"  --swtpm          swtpm's shape, tpm2-tss's \"swtpm\"\n"
	"  --flags LIST     how the TPM is found, words with commas between: not-need-init (on, "
	"and\n"
	"                   waiting for TPM2_Startup), startup-clear, startup-state (on, and\n"
	"                   started so), startup-none (nothing is started). --mssim: "
	"startup-clear\n"
	"                   by default; --swtpm: off until the client's CMD_INIT by default\n"
	"  --state DIR      keep the TPM's permanent state there; without it the TPM is a new one\n"
	"                   and ends with the program\n"
	"  --key FILE       seal that state with the key in FILE: 32 bytes, or 64 hexadecimal "
	"digits\n"
	"  --terminate      end when a connection to the control channel ends\n"
	"\n"
	"The TPM has no certificates, for there is nobody to attest it (docs/vtpm-serve.md).\n"
	"\n"
	"Exit status: 0 a client or a signal ended it, 1 misuse, or the TPM does not start.\n";

enum option_id {
	OPT_FLAGS = 256,
	OPT_KEY,
	OPT_MSSIM,
	OPT_PORT,
	OPT_PROFILE,
	OPT_SOCKET,
	OPT_STATE,
	OPT_SWTPM,
	OPT_TERMINATE,
};

static const struct option long_options[] = {
	{ "flags", required_argument, NULL, OPT_FLAGS },
	{ "help", no_argument, NULL, 'h' },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "mssim", no_argument, NULL, OPT_MSSIM },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "swtpm", no_argument, NULL, OPT_SWTPM },
	{ "terminate", no_argument, NULL, OPT_TERMINATE },
	{ 0 },
};

/* What is done to the TPM before the first client comes. */
enum start {
	START_DEFAULT, /* as the shape has it */
	START_OFF,
	START_ON,
	START_CLEAR,
	START_STATE,
};

struct arguments {
	const char *profile, *state, *key, *flags;
	const struct server_shape *shape;
	enum start start;
	struct server_place place;
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
	case OPT_FLAGS:
		a->flags = optarg;
		return true;
	case OPT_KEY:
		a->key = optarg;
		return true;
	case OPT_MSSIM:
		a->shape = &server_mssim;
		return true;
	case OPT_SWTPM:
		a->shape = &server_swtpm;
		return true;
	case OPT_SOCKET:
		a->place.socket = optarg;
		return true;
	case OPT_TERMINATE:
		a->place.terminate = true;
		return true;
	case OPT_PORT:
		a->has_port = true;
		return parse_port(optarg, &a->place.port);
	case OPT_PROFILE:
		a->profile = optarg;
		return true;
	default:
		a->state = optarg;
		return true;
	}
}

/* swtpm's words; the one that starts most counts, and any other startup than these is TPM 1.2's. */
static bool take_flag(const char *word, size_t length, enum start *start)
{
	static const struct {
		const char *word;
		enum start start;
	} flags[] = { { "not-need-init", START_ON },
		      { "startup-clear", START_CLEAR },
		      { "startup-none", START_OFF },
		      { "startup-state", START_STATE } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strlen(flags[i].word) != length || memcmp(flags[i].word, word, length) != 0)
			continue;
		if (flags[i].start > *start)
			*start = flags[i].start;
		return true;
	}
	return false;
}

static bool parse_flags(struct arguments *a)
{
	const char *at = a->flags;

	while (at) {
		size_t length = strcspn(at, ",");

		if (!take_flag(at, length, &a->start))
			return false;
		at = at[length] ? at + length + 1 : NULL;
	}
	return true;
}

static bool take_key(const struct file_bytes *bytes, uint8_t key[STATE_FILE_KEY_SIZE])
{
	char text[HEX_TEXT_SIZE(STATE_FILE_KEY_SIZE)] = "";
	bool ok;

	if (bytes->size == STATE_FILE_KEY_SIZE) {
		memcpy(key, bytes->data, bytes->size);
		return true;
	}
	if (bytes->size != sizeof(text) - 1 &&
	    (bytes->size != sizeof(text) || bytes->data[sizeof(text) - 1] != '\n'))
		return false;
	memcpy(text, bytes->data, sizeof(text) - 1);
	ok = hex_read(text, key, STATE_FILE_KEY_SIZE);
	OPENSSL_cleanse(text, sizeof(text));
	return ok;
}

static bool read_key(const char *path, uint8_t key[STATE_FILE_KEY_SIZE], struct host_error *error)
{
	struct file_bytes bytes;
	struct host_error reason;
	bool ok;

	if (!file_read(path, KEY_FILE_MAX, &bytes, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	ok = take_key(&bytes, key);
	OPENSSL_cleanse(bytes.data, bytes.size);
	file_free(&bytes);
	return ok || host_fail(error, "%s: a key is 32 bytes or 64 hexadecimal digits", path);
}

static bool open_file(const struct arguments *a, struct state_file *file, struct host_error *error)
{
	uint8_t key[STATE_FILE_KEY_SIZE];
	bool ok = (!a->key || read_key(a->key, key, error)) &&
		  state_file_open(file, a->state, a->key ? key : NULL, error);

	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

static bool start_tpm(struct vtpm_device *device, enum start start, struct host_error *error)
{
	uint32_t rc;

	if (start == START_OFF)
		return true;
	if (!vtpm_device_power_on(device, error))
		return false;
	if (start == START_ON)
		return true;
	rc = vtpm_device_startup(device, start == START_STATE ? TPM_SU_STATE : TPM_SU_CLEAR);
	return rc == 0 || host_fail(error, "TPM2_Startup gives response code 0x%x", rc);
}

/* A signal that ends the program makes this readable: nothing is cut short by it. */
static int open_stop(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool serve_tpm(struct arguments *a, struct state_file *file, struct host_error *error)
{
	struct vtpm_device *device = calloc(1, sizeof(*device));
	struct server server = { .device = device, .adopted = -1 };
	bool ok;

	if (!device)
		return host_fail(error, "out of memory");
	ok = vtpm_device_open(device, a->profile, file, a->place.stop, error) &&
	     start_tpm(device, a->start, error) && server_run(&server, a->shape, &a->place, error);
	vtpm_device_close(device);
	free(device);
	return ok;
}

static int run_server(struct arguments *a)
{
	struct state_file file = { .directory = -1 };
	struct host_error error;
	bool ok;

	umask(077); /* what is kept are seeds */
	a->place.stop = open_stop();
	if (a->place.stop < 0)
		return cmd_error("vtpm: signals: %s", strerror(errno));
	ok = (!a->state || open_file(a, &file, &error)) &&
	     serve_tpm(a, a->state ? &file : NULL, &error);
	state_file_close(&file);
	close(a->place.stop);
	return ok ? CMD_OK : cmd_error("vtpm: %s", error.text);
}

static int check(struct arguments *a)
{
	if (!a->profile || a->has_port == (a->place.socket != NULL))
		return cmd_error("vtpm serve wants --profile, and --port or --socket");
	if (a->key && !a->state)
		return cmd_error("vtpm: --key is for --state");
	if (!parse_flags(a))
		return cmd_error("vtpm: --flags: \"%s\" has a word that is none", a->flags);
	if (a->place.socket)
		a->shape = &server_swtpm;
	if (a->start == START_DEFAULT)
		a->start = a->shape == &server_mssim ? START_CLEAR : START_OFF;
	return CMD_OK;
}

int cmd_vtpm(int argc, char **argv)
{
	struct arguments a = { .shape = &server_mssim };
	int id, status;

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
	status = check(&a);
	return status == CMD_OK ? run_server(&a) : status;
}
