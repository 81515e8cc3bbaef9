/* SPDX-License-Identifier: MIT */
/* `socle ca`: a certificate authority for the keys of vTPMs (docs/ca.md). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "core/base/host/unix_socket.h"
#include "tools/ca/certify.h"
#include "tools/ca/channel.h"
#include "tools/ca/issue.h"
#include "tools/ca/policy_files.h"
#include "tools/ca/serve.h"
#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/policy_options.h"

#define ROOT_DAYS 7300L
#define LEAF_DAYS 3650L
#define DAYS_MAX 36500u
#define CONNECT_WAIT_S 60u
#define CLIENT_STAY_S 120u
#define SECONDS_MAX 86400u
#define CLIENTS_MAX 16u
#define BACKLOG 16
#define INPUT_MAX (64u << 10)

struct arguments {
	const char *name, *image, *listen, *connect, *output, *certs, *ark, *nonce;
	const char *directory, *request;
	long days; /* of the authority's own certificate */
	unsigned int wait, stay;
	bool once;
	struct option_measurement measurement;
	struct option_tcb minimum_tcb;
	struct option_files crls;
	struct ca_policy policy;
	struct ca_certify_order order;
};

static const char *read_text(void *to, char *value)
{
	*(const char **)to = value;
	return ca_certificate_text_ok(value) ? NULL : "1 to 64 printable characters";
}

static const char *read_id(void *to, char *value)
{
	*(const char **)to = value;
	return ca_certificate_id_ok(value) ? NULL : "id: and eight hexadecimal digits";
}

static const char *read_profile(void *to, char *value)
{
	char name[CA_PROFILE_NAME_MAX];

	*(const char **)to = value;
	return ca_request_profile(name, value, strlen(value)) ? "the name of a profile" : NULL;
}

static const struct option_row init_rows[] = {
	OPTION(struct arguments, name, "name", READ, "NAME",
	       "the authority's common name (default Socle CA)", .read = read_text),
	OPTION(struct arguments, days, "days", NUMBER, "N", "how long its certificate lasts",
	       .least = 1, .most = DAYS_MAX),
	{ 0 },
};

static const struct option_row serve_rows[] = {
	OPTION(struct arguments, listen, "listen", SOCKET, "unix:PATH",
	       "serve whoever connects there; with --once, only the first"),
	OPTION(struct arguments, once, "once", FLAG, NULL, "end when the first has left"),
	OPTION(struct arguments, stay, "stay", NUMBER, "SECONDS",
	       "how long a client may stay, whatever it does", .least = 1, .most = SECONDS_MAX),
	OPTION(struct arguments, connect, "connect", SOCKET, "unix:PATH",
	       "serve the vTPM behind `socle run --vmpl0-channel unix:PATH`"),
	OPTION(struct arguments, wait, "wait", NUMBER, "SECONDS",
	       "how long to wait until that is there", .least = 1, .most = SECONDS_MAX),
	{ 0 },
};

static const struct option_row issue_rows[] = {
	OPTION(struct arguments, output, "output", FOLDER, "OUTPUT",
	       "the directory that gets key-0.der, key-1.der, ...", .letter = 'o',
	       .required = true),
	OPTION(struct arguments, nonce, "nonce", FILE, "FILE",
	       "the 64 bytes that the authority sent and the request answers: its own, not the "
	       "request's",
	       .required = true),
	{ 0 },
};

static const struct option_row policy_rows[] = {
	OPTION(struct arguments, image, "image", FILE, "FILE",
	       "the report must measure this IGVM file"),
	OPTION(struct arguments, measurement, "measurement", READ, "HEX",
	       "or have this measurement", .read = option_read_measurement),
	OPTION(struct arguments, policy.report.trust_emulated, "trust-emulated", FLAG, NULL,
	       "accept the roots of the emulated machine"),
	OPTION(struct arguments, ark, "ark", FILE, "FILE",
	       "the root of the report's certificates; an emulated one must be given, for anybody "
	       "can make one"),
	OPTION(struct arguments, certs, "certs", FOLDER, "DIR",
	       "read ark.pem, ask.pem and vcek.pem from there instead of taking them from the "
	       "request"),
	OPTION(struct arguments, crls, "crl", READ, "FILE",
	       "a revocation list of AMD's: no certificate above the report may be revoked; read "
	       "once",
	       .repeats = true, .read = option_read_crl_file),
	OPTION(struct arguments, minimum_tcb, "minimum-tcb", READ,
	       "FMC,BOOTLOADER,TEE,SNP,MICROCODE", "the least TCB to accept, each 0 to 255",
	       .read = option_read_tcb),
	OPTION(struct arguments, policy.profile, "profile", READ, "NAME",
	       "serve only vTPMs with this profile", .read = read_profile),
	{ 0 },
};

static const struct option_row content_rows[] = {
	OPTION(struct arguments, policy.days, "days", NUMBER, "N",
	       "how long certificates of keys last", .least = 1, .most = DAYS_MAX),
	OPTION(struct arguments, policy.tpm.manufacturer, "tpm-manufacturer", READ, "id:HEX",
	       "what the certificates say of the TPM", .read = read_id),
	OPTION(struct arguments, policy.tpm.model, "tpm-model", READ, "TEXT", "likewise",
	       .read = read_text),
	OPTION(struct arguments, policy.tpm.version, "tpm-version", READ, "id:HEX", "likewise",
	       .read = read_id),
	{ 0 },
};

static const struct option_row certify_rows[] = {
	OPTION(struct arguments, order.output, "output", FOLDER, "OUTPUT",
	       "the directory that gets NAME.der for each NAME.pub, and platform.der",
	       .letter = 'o', .required = true),
	OPTION(struct arguments, order.platform_key, "platform", TEXT, "NAME",
	       "make a certificate of the platform, too, for that endorsement key"),
	OPTION(struct arguments, order.platform.manufacturer, "platform-manufacturer", READ, "TEXT",
	       "what it says of the platform (default Socle)", .read = read_text),
	OPTION(struct arguments, order.platform.model, "platform-model", READ, "TEXT",
	       "likewise (default Socle)", .read = read_text),
	OPTION(struct arguments, order.platform.version, "platform-version", READ, "TEXT",
	       "likewise (default 1)", .read = read_text),
	{ 0 },
};

/* Nothing is signed before the policy for reports is complete. */
static bool finish_policy(struct arguments *a)
{
	struct policy *report = &a->policy.report;
	const struct option_tcb *tcb = &a->minimum_tcb;

	if (!a->image == !a->measurement.given) {
		cmd_error("ca: give an image or a measurement, one of them");
		return false;
	}
	if (a->image && !option_measure_image(a->image, &a->measurement))
		return false;
	if (!policy_add(report, POLICY_MEASUREMENTS, "", a->measurement.value,
			sizeof(a->measurement.value))) {
		cmd_error("ca: out of memory");
		return false;
	}
	report->minimum_tcb = (struct report_tcb){ tcb->fmc, tcb->bootloader, tcb->tee, tcb->snp,
						   tcb->microcode };
	return ca_load_crls(&a->crls, report) && ca_load_chain(a->certs, a->ark, &a->policy.chain);
}

static enum cmd_status init(void *arguments)
{
	const struct arguments *a = arguments;
	struct host_error error;

	if (ca_authority_init(a->directory, a->name, a->days, &error))
		return CMD_OK;
	return cmd_file_error(a->directory, "%s", error.text);
}

static void reap(unsigned int *clients, bool wait)
{
	while (*clients > 0 && waitpid(-1, NULL, wait ? 0 : WNOHANG) > 0) {
		(*clients)--;
		wait = false;
	}
}

/* Serves one client until it leaves, or for at most seconds. Returns the exit status. */
static enum cmd_status serve_one(int fd, unsigned int seconds, const struct ca_authority *ca,
				 const struct ca_policy *policy)
{
	struct ca_channel channel = ca_channel_open(fd, seconds);
	enum cmd_status status = ca_serve(&channel, ca, policy) ? CMD_OK : CMD_REFUSED;

	close(fd);
	return status;
}

/* One process per client, so that none can block another. Runs until a signal or an error. */
static enum cmd_status serve_many(int listener, const struct arguments *a,
				  const struct ca_authority *ca)
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

static enum cmd_status serve_listen(const struct arguments *a, const struct ca_authority *ca)
{
	struct unix_socket_file file;
	int listener = unix_socket_listen(a->listen, 0, BACKLOG, &file), fd;
	enum cmd_status status = CMD_MISUSE;

	if (listener < 0)
		return cmd_file_error(a->listen, "%s", strerror(errno));
	printf("listening\n");
	fflush(stdout);
	if (!a->once)
		return serve_many(listener, a, ca);
	fd = accept(listener, NULL, NULL);
	if (fd >= 0)
		status = serve_one(fd, a->stay, ca, &a->policy);
	else
		cmd_error("ca: accept: %s", strerror(errno));
	close(listener);
	unix_socket_remove(a->listen, &file);
	return status;
}

static enum cmd_status serve(const struct arguments *a, const struct ca_authority *ca)
{
	int fd;

	if (!a->listen == !a->connect)
		return cmd_error("ca serve wants --listen or --connect");
	if (a->listen)
		return serve_listen(a, ca);
	fd = ca_channel_connect(a->connect, a->wait);
	if (fd < 0)
		return cmd_file_error(a->connect, "%s", strerror(errno));
	/* There is no other client that this one could block: it may stay as long as it likes. */
	return serve_one(fd, 0, ca, &a->policy);
}

static bool read_input(const char *directory, const char *name, struct file_bytes *bytes)
{
	char path[FILE_PATH_MAX];
	struct host_error error;

	if (file_path(path, directory, name, &error))
		return cmd_read_file(path, INPUT_MAX, bytes);
	cmd_file_error(directory, "%s", error.text);
	return false;
}

/* A request in files; the nonce is the authority's, and never read from where the others are. */
struct request_files {
	struct file_bytes profile, nonce, report, manifest, certificates;
};

static bool read_request(const struct arguments *a, const char *directory, struct request_files *f)
{
	*f = (struct request_files){ 0 };
	return read_input(directory, "profile", &f->profile) &&
	       cmd_read_file(a->nonce, INPUT_MAX, &f->nonce) &&
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
	char name[32], path[FILE_PATH_MAX];
	struct host_error error;

	snprintf(name, sizeof(name), "key-%zu.der", index);
	if (file_path(path, directory, name, &error) &&
	    file_write(path, der->data, der->size, &error))
		return true;
	cmd_file_error(directory, "%s: %s", name, error.text);
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

static enum cmd_status issue_files(const struct arguments *a, const struct ca_authority *ca,
				   const struct request_files *files)
{
	struct vtpm_manifest manifest;
	struct host_error error;
	struct ca_issued issued;
	enum cmd_status status;

	if (!judge_files(ca, &a->policy, files, &manifest, &error) ||
	    !ca_issue(ca, &a->policy, &manifest, &issued, &error)) {
		cmd_error("ca: refused: %s", error.text);
		return CMD_REFUSED;
	}
	status = write_issued(a->output, &issued) ? CMD_OK : CMD_MISUSE;
	ca_issued_free(&issued);
	return status;
}

static enum cmd_status issue(const struct arguments *a, const struct ca_authority *ca)
{
	struct request_files files;
	enum cmd_status status = CMD_MISUSE;

	if (read_request(a, a->request, &files))
		status = issue_files(a, ca, &files);
	free_request(&files);
	return status;
}

static enum cmd_status with_authority(struct arguments *a,
				      enum cmd_status (*run)(const struct arguments *a,
							     const struct ca_authority *ca))
{
	enum cmd_status status = CMD_MISUSE;
	struct ca_authority ca;
	struct host_error error;

	if (!ca_authority_open(&ca, a->directory, &error))
		return cmd_file_error(a->directory, "%s", error.text);
	if (finish_policy(a))
		status = run(a, &ca);
	amd_chain_free(&a->policy.chain);
	policy_free(&a->policy.report);
	ca_authority_close(&ca);
	return status;
}

static enum cmd_status run_certify(void *arguments)
{
	const struct arguments *a = arguments;
	enum cmd_status status = CMD_OK;
	struct ca_authority ca;
	struct host_error error;

	if (!ca_authority_open(&ca, a->directory, &error))
		return cmd_file_error(a->directory, "%s", error.text);
	if (!ca_certify(&ca, &a->policy, &a->order, &error))
		status = cmd_error("ca: %s", error.text);
	ca_authority_close(&ca);
	return status;
}

static enum cmd_status run_serve(void *arguments)
{
	return with_authority(arguments, serve);
}

static enum cmd_status run_issue(void *arguments)
{
	return with_authority(arguments, issue);
}

static const struct option_row directory[] = {
	OPTION(struct arguments, directory, "DIRECTORY", FOLDER, NULL, "the authority"),
	{ 0 },
};

static const struct option_row issue_operands[] = {
	OPTION(struct arguments, directory, "DIRECTORY", FOLDER, NULL, "the authority"),
	OPTION(struct arguments, request, "REQUEST", FOLDER, NULL, "the request"),
	{ 0 },
};

static const struct option_row certify_operands[] = {
	OPTION(struct arguments, directory, "DIRECTORY", FOLDER, NULL, "the authority"),
	OPTION(struct arguments, order.keys, "KEYS", FOLDER, NULL,
	       "the public keys, NAME.pub, as socle vtpm keys and tpm2-tools write them"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ CMD_OK, "well" },
	{ CMD_MISUSE, "misuse or unreadable file" },
	{ CMD_REFUSED, "a request was refused" },
	{ 0 },
};

static const struct arguments policy_defaults = {
	.wait = CONNECT_WAIT_S,
	.stay = CLIENT_STAY_S,
	/* As libtpms reports itself: vendor IBM, firmware version 0x20191023. */
	.policy = { .tpm = { "id:49424D00", "Socle vTPM", "id:20191023" },
		    .report.depth = EVIDENCE_REPORT,
		    .days = LEAF_DAYS },
	.order = { .platform = { "Socle", "Socle", "1" } },
};

#define POLICY_TITLE "Policy; an image or a measurement must be given"
#define CONTENT_TITLE "What certificates say"

static const struct command ca_init = {
	.name = "init",
	.summary = "make an authority",
	.about = "Makes an authority in DIRECTORY.",
	.groups = (const struct option_group[]){ { NULL, init_rows }, { 0 } },
	.operands = directory,
	.statuses = statuses,
	.defaults = &(const struct arguments){ .name = "Socle CA", .days = ROOT_DAYS },
	.size = sizeof(struct arguments),
	.run = init,
};

static const struct command ca_serve_command = {
	.name = "serve",
	.summary = "answer vTPMs over Socle's host channel",
	.about = "Answers vTPMs over Socle's host channel. A certificate is made only for keys "
		 "that a report binds to the nonce, the profile and a trusted launch.",
	.groups = (const struct option_group[]){ { NULL, serve_rows },
						 { POLICY_TITLE, policy_rows },
						 { CONTENT_TITLE, content_rows },
						 { 0 } },
	.operands = directory,
	.statuses = statuses,
	.defaults = &policy_defaults,
	.size = sizeof(struct arguments),
	.run = run_serve,
};

static const struct command ca_issue_command = {
	.name = "issue",
	.summary = "answer a request in files",
	.about = "Answers a request in files: profile, report.bin, manifest.bin, certs.bin in "
		 "the directory REQUEST. A certificate is made only for keys that a report binds "
		 "to the nonce, the profile and a trusted launch.",
	.groups = (const struct option_group[]){ { NULL, issue_rows },
						 { POLICY_TITLE, policy_rows },
						 { CONTENT_TITLE, content_rows },
						 { 0 } },
	.operands = issue_operands,
	.statuses = statuses,
	.defaults = &policy_defaults,
	.size = sizeof(struct arguments),
	.run = run_issue,
};

static const struct command ca_certify_command = {
	.name = "certify",
	.summary = "certify keys that the operator vouches for",
	.about = "Makes a certificate for each public key NAME.pub in KEYS, a restricted key that "
		 "is "
		 "bound to its TPM. There is no report: that these are the keys of a TPM, and of "
		 "which "
		 "one, is the operator's word.",
	.groups = (const struct option_group[]){ { NULL, certify_rows },
						 { CONTENT_TITLE, content_rows },
						 { 0 } },
	.operands = certify_operands,
	.defaults = &policy_defaults,
	.size = sizeof(struct arguments),
	.run = run_certify,
};

const struct command cmd_ca = {
	.name = "ca",
	.summary = "certify the keys of vTPMs",
	.commands = (const struct command *const[]){ &ca_init, &ca_serve_command, &ca_issue_command,
						     &ca_certify_command, NULL },
};
