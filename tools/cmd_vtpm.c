/* SPDX-License-Identifier: MIT */
/* `socle vtpm serve`: the vtpm service's code as a Linux process, for any TPM 2.0 client. */
#include <errno.h>
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
#include "tools/options.h"
#include "tools/vtpm/provision.h"
#include "tools/vtpm/server.h"
#include "tools/vtpm/tpms.h"

#define KEY_FILE_MAX 256u
#define TPM_SU_CLEAR 0u
#define TPM_SU_STATE 1u

#define PORT_UNSET UINT32_MAX

/* What is done to the TPM before the first client comes. */
enum start {
	START_DEFAULT, /* as the shape has it */
	START_OFF,
	START_ON,
	START_CLEAR,
	START_STATE,
};

enum shape {
	SHAPE_MSSIM,
	SHAPE_SWTPM,
};

struct arguments {
	const char *profile, *state, *key, *folder;
	enum shape shape;
	enum start start;
	uint32_t port;
	struct server_place place;
};

/* swtpm's words; any other startup than these is TPM 1.2's. */
static const struct {
	const char *word;
	enum start start;
} flags[] = { { "not-need-init", START_ON },
	      { "startup-clear", START_CLEAR },
	      { "startup-none", START_OFF },
	      { "startup-state", START_STATE } };

/* The word that starts most counts. */
static bool take_flag(const char *word, size_t length, enum start *start)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strlen(flags[i].word) != length || memcmp(flags[i].word, word, length) != 0)
			continue;
		if (flags[i].start > *start)
			*start = flags[i].start;
		return true;
	}
	return false;
}

static const char *read_flags(void *start, char *list)
{
	const char *at = list;

	while (at) {
		size_t length = strcspn(at, ",");

		if (!take_flag(at, length, start))
			return "words that it knows, with commas between";
		at = at[length] ? at + length + 1 : NULL;
	}
	return NULL;
}

#define PROFILE_ROW                                                \
	OPTION(struct arguments, profile, "profile", FILE, "FILE", \
	       "how the TPM is provisioned (docs/profiles.md)", .required = true)
#define KEY_ROW                                            \
	OPTION(struct arguments, key, "key", FILE, "FILE", \
	       "seal that state with the key in FILE: 32 bytes, or 64 hexadecimal digits")

static const struct option_row option_rows[] = {
	PROFILE_ROW,
	/* The control port is the next one. */
	OPTION(struct arguments, port, "port", NUMBER, "PORT",
	       "0: any two free ports in a row; the line \"listening PORT\" tells",
	       .most = UINT16_MAX - 1),
	OPTION(struct arguments, place.socket, "socket", FILE, "PATH",
	       "swtpm's control channel there; implies --swtpm"),
	OPTION(struct arguments, shape, "mssim", SET, NULL,
	       "the simulator's shape, tpm2-tss's \"mssim\" (the default)", .set = SHAPE_MSSIM),
	OPTION(struct arguments, shape, "swtpm", SET, NULL, "swtpm's shape, tpm2-tss's \"swtpm\"",
	       .set = SHAPE_SWTPM),
	OPTION(struct arguments, start, "flags", READ, "LIST",
	       "how the TPM is found, words with commas between: not-need-init (on, and waiting "
	       "for TPM2_Startup), startup-clear, startup-state (on, and started so), startup-none "
	       "(nothing is started). --mssim: startup-clear by default; --swtpm: off until the "
	       "client's CMD_INIT by default",
	       .read = read_flags, OPTION_WORDS(flags, .word)),
	OPTION(struct arguments, state, "state", FOLDER, "DIR",
	       "keep the TPM's permanent state there; without it the TPM is a new one and ends "
	       "with the program"),
	KEY_ROW,
	OPTION(struct arguments, place.terminate, "terminate", FLAG, NULL,
	       "end when a connection to the control channel ends"),
	OPTION(struct arguments, place.daemon.background, "daemon", FLAG, NULL,
	       "go on in the background when it is ready"),
	OPTION(struct arguments, place.daemon.pid_file, "pid", FILE, "FILE",
	       "write the process's id there when it is ready; taken away at the end"),
	OPTION(struct arguments, place.daemon.log_file, "log", FILE, "FILE",
	       "append to FILE what would go to standard error"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ CMD_OK, "a client or a signal ended it" },
	{ CMD_MISUSE, "misuse, or the TPM does not start" },
	{ 0 },
};

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

struct serving {
	const struct arguments *a;
	struct state_file file;
	struct vtpm_device device;
};

/*
 * What is wrong with the command, the profile or the place to listen has been said before anything
 * is on the disk.
 */
static bool prepare(void *context, struct host_error *error)
{
	struct serving *s = context;

	return (!s->a->state || open_file(s->a, &s->file, error)) &&
	       vtpm_device_open(&s->device, s->a->profile, s->a->state ? &s->file : NULL,
				s->a->place.stop, error) &&
	       start_tpm(&s->device, s->a->start, error);
}

static bool serve_tpm(const struct arguments *a, struct host_error *error)
{
	static const struct server_shape *const shapes[] = { &server_mssim, &server_swtpm };
	struct serving *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s)
		return host_fail(error, "out of memory");
	s->a = a;
	s->file.directory = -1;
	ok = tpms_load(error) && vtpm_device_profile_check(a->profile, error) &&
	     server_run(&(struct server){ .device = &s->device,
					  .adopted = -1,
					  .prepare = prepare,
					  .context = s },
			shapes[a->shape], &a->place, error);
	vtpm_device_close(&s->device);
	state_file_close(&s->file);
	free(s);
	return ok;
}

static enum cmd_status run_server(struct arguments *a)
{
	struct host_error error;
	bool ok;

	umask(077); /* the state holds the TPM's seeds */
	a->place.stop = open_stop();
	if (a->place.stop < 0)
		return cmd_error("vtpm: signals: %s", strerror(errno));
	ok = daemon_open_log(&a->place.daemon, &error) && serve_tpm(a, &error);
	close(a->place.stop);
	return ok ? CMD_OK : cmd_error("vtpm: %s", error.text);
}

static enum cmd_status run_serve(void *arguments)
{
	struct arguments *a = arguments;
	struct host_error error;

	if (!daemon_sockets(a->place.sockets, SERVER_CHANNELS, &a->place.socket_count, &error))
		return cmd_error("vtpm serve: %s", error.text);
	if ((a->port != PORT_UNSET) + (a->place.socket != NULL) + (a->place.socket_count > 0) != 1)
		return cmd_error("vtpm serve: give one of --port and --socket, or, by a service "
				 "manager, sockets");
	if (a->place.socket_count == 1)
		a->shape = SHAPE_SWTPM;
	if (a->key && !a->state)
		return cmd_error("vtpm serve: --key is for --state");
	a->place.port = (uint16_t)a->port;
	if (a->place.socket)
		a->shape = SHAPE_SWTPM;
	if (a->start == START_DEFAULT)
		a->start = a->shape == SHAPE_MSSIM ? START_CLEAR : START_OFF;
	return run_server(a);
}

static const struct command cmd_vtpm_serve = {
	.name = "serve",
	.summary = "serve TPM commands on ports of localhost or a socket",
	.about = "Runs the code of the vtpm service as a Linux process: TPM commands on PORT of "
		 "localhost, control on PORT + 1; or control on a Unix socket, over which the "
		 "client passes its command channel, as QEMU does. One of --port and --socket must "
		 "be given, unless a service manager passes sockets that listen: one for control, "
		 "or "
		 "one for commands and one for control.\n\n"
		 "The TPM has no certificates but those that socle vtpm certify puts into it, for "
		 "there is nobody to attest it (docs/vtpm-serve.md).",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.statuses = statuses,
	.defaults = &(const struct arguments){ .port = PORT_UNSET },
	.size = sizeof(struct arguments),
	.run = run_serve,
};

/* What is done to a TPM that nobody uses. */
typedef bool (*offline)(struct vtpm_device *device, const char *folder, struct host_error *error);

static bool with_device(const struct arguments *a, struct state_file *file, int stop, offline run,
			struct host_error *error)
{
	struct vtpm_device *device = calloc(1, sizeof(*device));
	bool ok;

	if (!device)
		return host_fail(error, "out of memory");
	ok = tpms_load(error) && vtpm_device_open(device, a->profile, file, stop, error) &&
	     run(device, a->folder, error);
	vtpm_device_close(device);
	free(device);
	return ok;
}

static enum cmd_status run_offline(struct arguments *a, offline run)
{
	struct state_file file = { .directory = -1 };
	int stop = open_stop();
	struct host_error error;
	bool ok;

	if (stop < 0)
		return cmd_error("vtpm: signals: %s", strerror(errno));
	ok = vtpm_device_profile_check(a->profile, &error) && open_file(a, &file, &error);
	ok = ok && with_device(a, &file, stop, run, &error);
	state_file_close(&file);
	close(stop);
	return ok ? CMD_OK : cmd_error("vtpm: %s", error.text);
}

static enum cmd_status run_keys(void *arguments)
{
	return run_offline(arguments, provision_write_keys);
}

static enum cmd_status run_certify(void *arguments)
{
	return run_offline(arguments, provision_certify);
}

#define STATE_ROW                                               \
	OPTION(struct arguments, state, "state", FOLDER, "DIR", \
	       "where the TPM is kept; a new one is made there", .required = true)

static const struct option_row keys_rows[] = {
	PROFILE_ROW,
	STATE_ROW,
	KEY_ROW,
	OPTION(struct arguments, folder, "output", FOLDER, "OUTPUT",
	       "the directory that gets NAME.pub for each key of the profile", .letter = 'o',
	       .required = true),
	{ 0 },
};

static const struct option_row certify_rows[] = { PROFILE_ROW, STATE_ROW, KEY_ROW, { 0 } };

static const struct option_row certify_operands[] = {
	OPTION(struct arguments, folder, "CERTIFICATES", FOLDER, NULL,
	       "NAME.der for keys of the profile, platform.der for the platform"),
	{ 0 },
};

static const struct command cmd_vtpm_keys = {
	.name = "keys",
	.summary = "write the public keys of a TPM that is kept in a directory",
	.about = "Writes the public keys of the profile, as TPM2B_PUBLIC, for an authority "
		 "(socle ca certify).",
	.groups = (const struct option_group[]){ { NULL, keys_rows }, { 0 } },
	.size = sizeof(struct arguments),
	.run = run_keys,
};

static const struct command cmd_vtpm_certify = {
	.name = "certify",
	.summary = "put certificates into a TPM that is kept in a directory",
	.about = "Puts certificates into the NV indices that the profile has for them, in place of "
		 "older ones. Each must be for the key that its name says; all are stored or none. "
		 "For "
		 "the TPM it is a restart.",
	.groups = (const struct option_group[]){ { NULL, certify_rows }, { 0 } },
	.operands = certify_operands,
	.size = sizeof(struct arguments),
	.run = run_certify,
};

const struct command cmd_vtpm = {
	.name = "vtpm",
	.summary = "run a vTPM as a Linux process, for any TPM client",
	.commands = (const struct command *const[]){ &cmd_vtpm_serve, &cmd_vtpm_keys,
						     &cmd_vtpm_certify, NULL },
};
