/* SPDX-License-Identifier: MIT */
/* `socle ca`: a certificate authority for the keys of vTPMs (docs/ca.md). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "tools/ca/channel.h"
#include "tools/ca/issue.h"
#include "tools/ca/serve.h"
#include "tools/cmd.h"
#include "tools/verify/policy.h"

#define REFUSED 2
#define ROOT_DAYS 7300L
#define LEAF_DAYS 3650L
#define DAYS_MAX 36500u
#define CONNECT_WAIT_S 60u
#define CLIENT_STAY_S 120u
#define SECONDS_MAX 86400u
#define CLIENTS_MAX 16u
#define INPUT_MAX (64u << 10)
#define PATH_SIZE 4096

static const char usage[] =
	"usage: socle ca init [--name NAME] [--days N] DIRECTORY\n"
	"       socle ca serve --listen unix:PATH [--once] [--stay SECONDS] POLICY... DIRECTORY\n"
	"       socle ca serve --connect unix:PATH [--wait SECONDS] POLICY... DIRECTORY\n"
	"       socle ca issue POLICY... -o OUTPUT DIRECTORY REQUEST\n"
	"\n"
	"A certificate authority for the keys of vTPMs. `init` makes one in DIRECTORY. `serve`\n"
	"answers vTPMs over Socle's host channel, `issue` a request in files (profile, nonce.bin,\n"
	"report.bin, manifest.bin, certs.bin in the directory REQUEST). A certificate is made "
	"only\n"
	"for keys that a report binds to the nonce, the profile and a trusted launch.\n"
	"\n"
	"  --name NAME           the authority's common name (Socle CA)\n"
	"  --days N              how long certificates last (the authority's 7300, keys' 3650)\n"
	"  --listen unix:PATH    serve whoever connects there; with --once, only the first\n"
	"  --stay SECONDS        how long a client may stay, whatever it does (120)\n"
	"  --connect unix:PATH   serve the vTPM behind `socle run --vmpl0-channel unix:PATH`\n"
	"  --wait SECONDS        how long to wait until that is there (60)\n"
	"  -o, --output OUTPUT   the directory that gets key-0.der, key-1.der, ...\n"
	"\n"
	"Policy; an image or a measurement must be given:\n"
	"  --image FILE          the report must measure this IGVM file\n"
	"  --measurement HEX     or have this measurement\n"
	"  --trust-emulated      accept the roots of the emulated machine\n"
	"  --ark FILE            the root of the report's certificates; an emulated one must be\n"
	"                        given, for anybody can make one\n"
	"  --certs DIR           read ark.pem, ask.pem and vcek.pem from there instead of taking\n"
	"                        them from the request\n"
	"  --minimum-tcb FMC,BOOTLOADER,TEE,SNP,MICROCODE\n"
	"                        the least TCB to accept, each 0 to 255\n"
	"  --profile NAME        serve only vTPMs with this profile\n"
	"  --tpm-manufacturer id:HEX, --tpm-model TEXT, --tpm-version id:HEX\n"
	"                        what the certificates say of the TPM\n"
	"\n"
	"Exit status: 0 well, 1 misuse or unreadable file, 2 a request was refused.\n";

enum option_id {
	OPT_ARK = 256,
	OPT_CERTS,
	OPT_CONNECT,
	OPT_DAYS,
	OPT_IMAGE,
	OPT_LISTEN,
	OPT_MANUFACTURER,
	OPT_MEASUREMENT,
	OPT_MINIMUM_TCB,
	OPT_MODEL,
	OPT_NAME,
	OPT_ONCE,
	OPT_PROFILE,
	OPT_STAY,
	OPT_TRUST_EMULATED,
	OPT_VERSION,
	OPT_WAIT,
};

static const struct option long_options[] = {
	{ "ark", required_argument, NULL, OPT_ARK },
	{ "certs", required_argument, NULL, OPT_CERTS },
	{ "connect", required_argument, NULL, OPT_CONNECT },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ "help", no_argument, NULL, 'h' },
	{ "image", required_argument, NULL, OPT_IMAGE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "measurement", required_argument, NULL, OPT_MEASUREMENT },
	{ "minimum-tcb", required_argument, NULL, OPT_MINIMUM_TCB },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "output", required_argument, NULL, 'o' },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "stay", required_argument, NULL, OPT_STAY },
	{ "tpm-manufacturer", required_argument, NULL, OPT_MANUFACTURER },
	{ "tpm-model", required_argument, NULL, OPT_MODEL },
	{ "tpm-version", required_argument, NULL, OPT_VERSION },
	{ "trust-emulated", no_argument, NULL, OPT_TRUST_EMULATED },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ 0 },
};

struct arguments {
	const char *name, *image, *listen, *connect, *output, *certs, *ark;
	long days; /* 0: not given */
	unsigned int wait, stay;
	bool once, help;
	struct ca_policy policy;
	char **rest;
	int rest_count;
};

static bool parse_days(const char *text, long *days)
{
	uint64_t number;

	if (!cmd_number(text, 1, DAYS_MAX, &number))
		return false;
	*days = (long)number;
	return true;
}

static bool parse_seconds(const char *text, unsigned int *seconds)
{
	uint64_t count;

	if (!cmd_number(text, 1, SECONDS_MAX, &count))
		return false;
	*seconds = (unsigned int)count;
	return true;
}

/* The options that say what is demanded of requests; false for a bad value. */
static bool take_policy_option(struct ca_policy *policy, int id, const char *value)
{
	char name[CA_PROFILE_NAME_MAX];

	switch (id) {
	case OPT_MEASUREMENT:
		policy->report.has_measurement = true;
		return hex_read(value, policy->report.measurement, PSP_MEASUREMENT_SIZE);
	case OPT_MINIMUM_TCB:
		return policy_parse_tcb(value, &policy->report.minimum_tcb);
	case OPT_PROFILE:
		policy->profile = value;
		return !ca_request_profile(name, value, strlen(value));
	case OPT_MANUFACTURER:
		policy->tpm.manufacturer = value;
		return ca_certificate_id_ok(value);
	case OPT_MODEL:
		policy->tpm.model = value;
		return ca_certificate_text_ok(value);
	case OPT_VERSION:
		policy->tpm.version = value;
		return ca_certificate_id_ok(value);
	default:
		policy->report.trust_emulated = true;
		return true;
	}
}

static bool take_option(struct arguments *a, int id, const char *value)
{
	switch (id) {
	case OPT_ARK:
		a->ark = value;
		return true;
	case OPT_CERTS:
		a->certs = value;
		return true;
	case OPT_CONNECT:
		return cmd_unix_path(value, &a->connect);
	case OPT_DAYS:
		return parse_days(value, &a->days);
	case OPT_IMAGE:
		a->image = value;
		return true;
	case OPT_LISTEN:
		return cmd_unix_path(value, &a->listen);
	case OPT_NAME:
		a->name = value;
		return ca_certificate_text_ok(value);
	case OPT_ONCE:
		a->once = true;
		return true;
	case OPT_STAY:
		return parse_seconds(value, &a->stay);
	case OPT_WAIT:
		return parse_seconds(value, &a->wait);
	case 'o':
		a->output = value;
		return true;
	default:
		return take_policy_option(&a->policy, id, value);
	}
}

static bool parse_arguments(struct arguments *a, int argc, char **argv)
{
	int id, index;

	*a = (struct arguments){
		.name = "Socle CA",
		.wait = CONNECT_WAIT_S,
		.stay = CLIENT_STAY_S,
		/* What libtpms says of itself: vendor IBM, firmware version 0x20191023. */
		.policy.tpm = { "id:49424D00", "Socle vTPM", "id:20191023" },
		.policy.report.depth = EVIDENCE_REPORT,
	};
	opterr = 0;
	while ((id = getopt_long(argc, argv, "ho:", long_options, &index)) != -1) {
		if (id == 'h') {
			a->help = true;
			return true;
		}
		if (id == '?') {
			cmd_bad_option("ca", argc, argv);
			return false;
		}
		if (!take_option(a, id, optarg)) {
			cmd_error("ca: --%s: \"%s\" is not a value for it",
				  id == 'o' ? "output" : long_options[index].name, optarg);
			return false;
		}
	}
	a->rest = argv + optind;
	a->rest_count = argc - optind;
	return true;
}

/* Certificates that the authority has of its own. */
static bool load_chain(const struct arguments *a, struct amd_chain *chain)
{
	const struct evidence_paths paths = { .directory = a->certs, .ark = a->ark };

	if (a->certs)
		return evidence_load_chain(&paths, chain);
	if (a->ark)
		chain->ark = evidence_load_certificate(a->ark);
	return !a->ark || chain->ark;
}

/* What is demanded of reports has to be complete before anything is signed. */
static bool finish_policy(struct arguments *a)
{
	struct policy *report = &a->policy.report;

	a->policy.days = a->days ? a->days : LEAF_DAYS;
	if (!a->image == !report->has_measurement) {
		cmd_error("ca: give an image or a measurement, one of them");
		return false;
	}
	if (a->image)
		report->has_measurement = policy_measure_image(a->image, report->measurement);
	return report->has_measurement && load_chain(a, &a->policy.chain);
}

static int init(const struct arguments *a)
{
	struct host_error error;

	if (a->rest_count != 1)
		return cmd_error("ca init wants one directory");
	if (ca_authority_init(a->rest[0], a->name, a->days ? a->days : ROOT_DAYS, &error))
		return CMD_OK;
	return cmd_file_error(a->rest[0], "%s", error.text);
}

static void reap(unsigned int *clients, bool wait)
{
	while (*clients > 0 && waitpid(-1, NULL, wait ? 0 : WNOHANG) > 0) {
		(*clients)--;
		wait = false;
	}
}

/* Answers a client for at most that many seconds, or until it leaves. The exit status. */
static int serve_one(int fd, unsigned int seconds, const struct ca_authority *ca,
		     const struct ca_policy *policy)
{
	struct ca_channel channel = ca_channel_open(fd, seconds);
	int status = ca_serve(&channel, ca, policy) ? CMD_OK : REFUSED;

	close(fd);
	return status;
}

/* A process for each client: none can hold up another. Ends only by a signal or an error. */
static int serve_many(int listener, const struct arguments *a, const struct ca_authority *ca)
{
	unsigned int clients = 0;

	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pid_t child;

		if (fd < 0)
			return cmd_error("ca: accept: %s", strerror(errno));
		child = fork();
		if (child == 0)
			_exit(serve_one(fd, a->stay, ca, &a->policy));
		close(fd);
		if (child < 0)
			return cmd_error("ca: fork: %s", strerror(errno));
		clients++;
		reap(&clients, clients >= CLIENTS_MAX);
	}
}

static int serve_listen(const struct arguments *a, const struct ca_authority *ca)
{
	int listener = ca_channel_listen(a->listen), fd, status;

	if (listener < 0)
		return cmd_file_error(a->listen, "%s", strerror(errno));
	printf("listening\n");
	fflush(stdout);
	if (!a->once)
		return serve_many(listener, a, ca);
	fd = accept(listener, NULL, NULL);
	status = fd >= 0 ? serve_one(fd, a->stay, ca, &a->policy)
			 : cmd_error("ca: accept: %s", strerror(errno));
	close(listener);
	unlink(a->listen);
	return status;
}

static int serve(const struct arguments *a, const struct ca_authority *ca)
{
	int fd;

	if (!a->listen == !a->connect)
		return cmd_error("ca serve wants --listen or --connect");
	if (a->listen)
		return serve_listen(a, ca);
	fd = ca_channel_connect(a->connect, a->wait);
	if (fd < 0)
		return cmd_file_error(a->connect, "%s", strerror(errno));
	/* The one client of this authority holds nobody up: it stays for as long as it runs. */
	return serve_one(fd, 0, ca, &a->policy);
}

static bool path_in(const char *directory, const char *name, char path[PATH_SIZE])
{
	if (snprintf(path, PATH_SIZE, "%s/%s", directory, name) < PATH_SIZE)
		return true;
	cmd_file_error(directory, "the name is too long");
	return false;
}

static bool read_input(const char *directory, const char *name, struct file_bytes *bytes)
{
	struct host_error error;
	char path[PATH_SIZE];

	*bytes = (struct file_bytes){ 0 };
	if (!path_in(directory, name, path))
		return false;
	if (file_read(path, INPUT_MAX, bytes, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

/* A request in files. */
struct request_files {
	struct file_bytes profile, nonce, report, manifest, certificates;
};

static bool read_request(const struct arguments *a, const char *directory, struct request_files *f)
{
	*f = (struct request_files){ 0 };
	return read_input(directory, "profile", &f->profile) &&
	       read_input(directory, "nonce.bin", &f->nonce) &&
	       read_input(directory, "report.bin", &f->report) &&
	       read_input(directory, "manifest.bin", &f->manifest) &&
	       (a->certs || read_input(directory, "certs.bin", &f->certificates));
}

static void free_request(struct request_files *f)
{
	file_free(&f->profile);
	file_free(&f->nonce);
	file_free(&f->report);
	file_free(&f->manifest);
	file_free(&f->certificates);
}

static bool write_certificate(const char *directory, size_t index, const struct file_bytes *der)
{
	char name[32], path[PATH_SIZE];
	struct host_error error;

	snprintf(name, sizeof(name), "key-%zu.der", index);
	if (!path_in(directory, name, path))
		return false;
	if (file_write(path, der->data, der->size, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

static bool write_issued(const char *directory, const struct ca_issued *issued)
{
	if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
		cmd_file_error(directory, "%s", strerror(errno));
		return false;
	}
	for (size_t i = 0; i < issued->count; i++) {
		if (!write_certificate(directory, i, &issued->certificates[i]))
			return false;
	}
	return true;
}

static bool judge_files(const struct ca_authority *ca, const struct ca_policy *policy,
			const struct request_files *f, struct vtpm_manifest *manifest,
			struct host_error *error)
{
	struct ca_request_parts parts = { .report = f->report.data,
					  .report_size = f->report.size,
					  .manifest = f->manifest.data,
					  .manifest_size = f->manifest.size,
					  .certificates = f->certificates.data,
					  .certificates_size = f->certificates.size };
	size_t length = f->profile.size;
	char profile[CA_PROFILE_NAME_MAX];
	const char *wrong;

	if (length > 0 && f->profile.data[length - 1] == '\n')
		length--;
	wrong = ca_request_profile(profile, f->profile.data, length);
	if (wrong)
		return host_fail(error, "%s", wrong);
	if (f->nonce.size != SVSM_NONCE_SIZE)
		return host_fail(error, "nonce: it has not %u bytes", SVSM_NONCE_SIZE);
	return ca_request_judge(policy, f->nonce.data, profile, &parts, manifest, error) &&
	       ca_authority_use_nonce(ca, f->nonce.data, f->nonce.size, error);
}

static int issue_files(const struct arguments *a, const struct ca_authority *ca,
		       const struct request_files *files)
{
	struct vtpm_manifest manifest;
	struct host_error error;
	struct ca_issued issued;
	int status;

	if (!judge_files(ca, &a->policy, files, &manifest, &error) ||
	    !ca_issue(ca, &a->policy, &manifest, &issued, &error)) {
		cmd_error("ca: refused: %s", error.text);
		return REFUSED;
	}
	status = write_issued(a->output, &issued) ? CMD_OK : CMD_MISUSE;
	ca_issued_free(&issued);
	return status;
}

static int issue(const struct arguments *a, const struct ca_authority *ca)
{
	struct request_files files;
	int status = CMD_MISUSE;

	if (a->rest_count != 2 || !a->output)
		return cmd_error("ca issue wants the authority, a request, and -o OUTPUT");
	if (read_request(a, a->rest[1], &files))
		status = issue_files(a, ca, &files);
	free_request(&files);
	return status;
}

static int with_authority(struct arguments *a,
			  int (*run)(const struct arguments *a, const struct ca_authority *ca))
{
	struct ca_authority ca;
	struct host_error error;
	int status = CMD_MISUSE;

	if (a->rest_count < 1)
		return cmd_error("ca: the authority's directory is missing");
	if (!ca_authority_open(&ca, a->rest[0], &error))
		return cmd_file_error(a->rest[0], "%s", error.text);
	if (finish_policy(a))
		status = run(a, &ca);
	amd_chain_free(&a->policy.chain);
	ca_authority_close(&ca);
	return status;
}

int cmd_ca(int argc, char **argv)
{
	struct arguments a;

	if (argc < 2)
		return cmd_error("ca: init, serve or issue; see `socle ca --help`");
	if (!parse_arguments(&a, argc - 1, argv + 1))
		return CMD_MISUSE;
	if (a.help || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(usage, stdout);
		return CMD_OK;
	}
	if (strcmp(argv[1], "init") == 0)
		return init(&a);
	if (strcmp(argv[1], "serve") == 0)
		return with_authority(&a, serve);
	if (strcmp(argv[1], "issue") == 0)
		return with_authority(&a, issue);
	return cmd_error("ca: unknown command \"%s\"; see `socle ca --help`", argv[1]);
}
