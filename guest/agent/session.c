/* SPDX-License-Identifier: MIT */
#include "guest/agent/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "abi/tpm.h"
#include "core/base/number.h"
#include "core/tpm/profile.h"
#include "guest/agent/file.h"
#include "guest/agent/quote.h"
#include "guest/agent/script.h"
#include "guest/agent/svsm.h"
#include "guest/agent/tsm.h"

/* What the evidence step leaves in the folder; every one of them is sent. */
static const char *const evidence_files[] = {
	"report.bin", "manifest.bin", "ek.pub",	    "ak.pub",		"ak.name",
	"quote.msg",  "quote.sig",    "quote.pcrs", "report-vmpl2.bin",
};

/* And these, where the TPM has them. */
static const char *const certificate_files[] = {
	"ek-rsa2048.der",  "ek-ecc-p256.der", "ak-rsa2048.der",
	"ak-ecc-p256.der", "evidence.bin",    "ek-ecc-p256.pub",
};

/* What an attested key leaves. */
static const char *const key_files[] = {
	"ak/manifest.bin", "ak/report.bin", "ak/quote.msg", "ak/quote.sig", "ak/quote.pcrs",
};

/* And these, where the key was selected, the host gave certificates, and firmware kept a log. */
static const char *const key_optional_files[] = {
	"ak/selector.bin",
	"ak/context.bin",
	"ak/certs.bin",
	"ak/eventlog.bin",
};

/* Tells the host that a step failed. Returns 0 when the host could be told. */
__attribute__((format(printf, 2, 3))) static int fail(const struct session *session,
						      const char *format, ...)
{
	char line[SCRIPT_LINE_MAX + 64];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "socle-guest: %s\n", line);
	return channel_send(session->channel, CHANNEL_ERROR, line, strlen(line));
}

static int send_file(const struct session *session, const char *name)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, session->folder, name);

	return rc == 0 ? channel_send_file(session->channel, path, name) : rc;
}

static int send_hello(const struct session *session)
{
	struct utsname name;
	char text[512];
	int length;

	if (uname(&name) != 0)
		return -errno;
	length = snprintf(text, sizeof(text), "kernel=%s\ncpus=%ld\ntpm=%s\n", name.release,
			  sysconf(_SC_NPROCESSORS_ONLN),
			  access(session->tpm, R_OK | W_OK) == 0 ? session->tpm : "none");
	if (length < 0 || (size_t)length >= sizeof(text))
		return -EMSGSIZE;
	return channel_send(session->channel, CHANNEL_HELLO, text, (size_t)length);
}

/* The report of the SVSM over the nonce. What went wrong is in report->failed. */
static int gather_vtpm_report(const struct session *session, const uint8_t *nonce,
			      struct tsm_report *report)
{
	int rc = tsm_report_vtpm(session->tsm, nonce, 0, report);

	if (rc != 0)
		return rc;
	report->failed = session->folder;
	if ((rc = file_write_in(session->folder, "nonce.bin", nonce, TSM_NONCE_SIZE)) != 0 ||
	    (rc = file_write_in(session->folder, "report.bin", report->report.data,
				report->report.size)) != 0)
		return rc;
	return file_write_in(session->folder, "manifest.bin", report->manifest.data,
			     report->manifest.size);
}

/*
 * A report for the kernel at its own VMPL, with the REPORT_DATA of the other one: a verifier that
 * does not look at the VMPL would take it. It is sent so that the host can try its verifier.
 */
static int gather_kernel_report(const struct session *session, struct tsm_report *report)
{
	uint8_t data[TSM_NONCE_SIZE];
	char path[FILE_PATH_MAX];
	int rc = file_path(path, session->folder, "binding.bin");
	ssize_t size;

	report->failed = "binding.bin";
	if (rc != 0)
		return rc;
	size = file_read(path, data, sizeof(data));
	if (size != (ssize_t)sizeof(data))
		return size < 0 ? (int)size : -EBADMSG;
	rc = tsm_report_kernel(session->tsm, data, report);
	if (rc != 0)
		return rc;
	report->failed = session->folder;
	return file_write_in(session->folder, "report-vmpl2.bin", report->report.data,
			     report->report.size);
}

/* Names of files below the folder. */
struct file_names {
	const char *const *names;
	size_t count;
};
#define FILE_NAMES(array) ((struct file_names){ array, sizeof(array) / sizeof((array)[0]) })

/* Sends those of `optional` that are there, all of `files`, and DONE. */
static int send_files(const struct session *session, struct file_names optional,
		      struct file_names files)
{
	for (size_t i = 0; i < optional.count + files.count; i++) {
		bool may_miss = i < optional.count;
		const char *name = may_miss ? optional.names[i] : files.names[i - optional.count];
		int rc = send_file(session, name);

		if (rc != 0 && !(may_miss && rc == -ENOENT))
			return fail(session, "send %s: %s", name, strerror(-rc));
	}
	return channel_send(session->channel, CHANNEL_DONE, NULL, 0);
}

static int attest(const struct session *session, const struct frame *frame,
		  struct tsm_report *report)
{
	char line[SCRIPT_LINE_MAX];
	int rc;

	if (frame->size != TSM_NONCE_SIZE)
		return fail(session, "nonce: %zu bytes instead of %u", frame->size, TSM_NONCE_SIZE);
	rc = gather_vtpm_report(session, frame->payload, report);
	if (rc != 0)
		return fail(session, "svsm report: %s: %s", report->failed, strerror(-rc));
	if (!script_run(session->script, "evidence", session->folder, line))
		return fail(session, "evidence: %s", line);
	rc = gather_kernel_report(session, report);
	if (rc != 0)
		return fail(session, "kernel report: %s: %s", report->failed, strerror(-rc));
	return send_files(session, FILE_NAMES(certificate_files), FILE_NAMES(evidence_files));
}

static int answer_nonce(const struct session *session, const struct frame *frame)
{
	struct tsm_report *report = malloc(sizeof(*report));
	int rc;

	if (report == NULL)
		return fail(session, "nonce: %s", strerror(ENOMEM));
	rc = attest(session, frame, report);
	free(report);
	return rc;
}

static int answer_challenge(const struct session *session, const struct frame *frame)
{
	char line[SCRIPT_LINE_MAX];
	int rc = file_write_in(session->folder, "challenge.bin", frame->payload, frame->size);

	if (rc != 0)
		return fail(session, "challenge: %s", strerror(-rc));
	if (!script_run(session->script, "activate", session->folder, line))
		return fail(session, "activate: %s", line);
	rc = send_file(session, "answer.bin");
	if (rc != 0)
		return fail(session, "send answer.bin: %s", strerror(-rc));
	return channel_send(session->channel, CHANNEL_DONE, NULL, 0);
}

static int answer_authority(const struct session *session, const struct frame *frame)
{
	char line[SCRIPT_LINE_MAX];
	int rc = file_write_in(session->folder, "ca.pem", frame->payload, frame->size);

	if (rc != 0)
		return fail(session, "authority: %s", strerror(-rc));
	if (!script_run(session->script, "certificates", session->folder, line))
		return fail(session, "certificates: %s", line);
	return channel_send(session->channel, CHANNEL_DONE, NULL, 0);
}

/* Takes NAME or NAME@INDEX apart. False when INDEX is none of NV memory. */
static bool take_key_name(char *name, struct quote_wish *quote)
{
	char *at = strchr(name, '@');
	uint64_t index;

	if (at != NULL) {
		*at = '\0';
		if (!number_read(at + 1, strlen(at + 1), NUMBER_PREFIXED, 0, UINT32_MAX, &index) ||
		    (index & TPM_HT_MASK) != TPM_HT_NV_INDEX)
			return false;
		quote->nv = (uint32_t)index;
	}
	quote->key = profile_key_id(name, strlen(name));
	return true;
}

/* Attests the key and quotes with it, both over the nonce, into ak/ below the folder. */
static bool gather_key(const struct session *session, const struct frame *frame, const char *folder,
		       struct problem *problem)
{
	const struct svsm_roots roots = { .svsm = session->svsm, .tsm = session->tsm };
	struct quote_wish quote = { .pcrs = { .bank = TPM_ALG_SHA256, .mask = QUOTE_PCRS } };
	struct svsm_wish wish = { .manifest_version = 0 };
	char name[PROFILE_NAME_MAX + sizeof("@0x01c10003")];
	size_t size = frame->size - TSM_NONCE_SIZE;

	if (frame->size <= TSM_NONCE_SIZE || size >= sizeof(name))
		return problem_set(problem, "a nonce and a key's name do not take %zu bytes",
				   frame->size);
	memcpy(wish.nonce, frame->payload, TSM_NONCE_SIZE);
	memcpy(quote.nonce, frame->payload, TSM_NONCE_SIZE);
	memcpy(name, frame->payload + TSM_NONCE_SIZE, size);
	name[size] = '\0';
	if (!take_key_name(name, &quote))
		return problem_set(problem, "no NV index comes after '%s@'", name);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return problem_set(problem, "%s: %s", folder, strerror(errno));
	return svsm_select_key(&wish, name, problem) && svsm_fit(&roots, false, &wish, problem) &&
	       svsm_attest_to(&roots, &wish, folder, problem) &&
	       quote_on(session->tpm, &quote, folder, problem);
}

static int answer_key(const struct session *session, const struct frame *frame)
{
	struct problem problem;
	char folder[FILE_PATH_MAX];
	int rc = file_path(folder, session->folder, "ak");

	if (rc != 0)
		return fail(session, "key: %s", strerror(-rc));
	if (!gather_key(session, frame, folder, &problem))
		return fail(session, "key: %s", problem.text);
	return send_files(session, FILE_NAMES(key_optional_files), FILE_NAMES(key_files));
}

static int answer(const struct session *session, const struct frame *frame)
{
	switch (frame->type) {
	case CHANNEL_NONCE:
		return answer_nonce(session, frame);
	case CHANNEL_CHALLENGE:
		return answer_challenge(session, frame);
	case CHANNEL_KEY:
		return answer_key(session, frame);
	case CHANNEL_AUTHORITY:
		return answer_authority(session, frame);
	default:
		return fail(session, "frame of unknown type %u", frame->type);
	}
}

int session_serve(const struct session *session)
{
	struct frame frame;
	int rc = send_hello(session);

	while (rc == 0) {
		rc = channel_receive(session->channel, &frame);
		if (rc != 0 || frame.type == CHANNEL_BYE)
			break;
		rc = answer(session, &frame);
	}
	return rc;
}
