/* SPDX-License-Identifier: MIT */
/*
 * What the monitor does for an extended attestation by template, but for the report: the vtpm and
 * its twin as Linux processes, and this program between them. The twin waits, loaded with the
 * seeds, as the monitor's does; a new one takes its place after each use, outside of the time.
 *
 *	create_attest VTPM PROFILE ecc|rsa COUNT
 *
 * Prints two medians in microseconds: with a key that has to be made, and with that key again.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/svsm.h"
#include "bench/keys.h"
#include "bench/samples.h"
#include "core/base/host/service_process.h"

#define MANIFEST_VERSION 1u
#define OP_NONE 0u /* no operation: its refusal tells that the service is ready */
#define CACHED_CALLS 20

struct bench {
	const char *executable;
	struct service_process vtpm, twin;
	uint8_t template[KEYS_TEMPLATE_MAX];
	size_t template_size;
	uint8_t order[sizeof(struct twin_order) + KEYS_TEMPLATE_MAX]; /* the vtpm's, for the twin */
	size_t order_size;
	uint8_t message[SERVICE_MESSAGE_MAX], reply[SERVICE_MESSAGE_MAX];
	size_t reply_size;
};

static void start(struct service_process *process, const char *executable, const char *argument,
		  const char *profile)
{
	struct service_grant grants[] = { { profile ? open(profile, O_RDONLY | O_CLOEXEC) : -1,
					    VTPM_FD_PROFILE } };
	struct host_error error;
	enum service_status status;
	uint8_t none[16];
	size_t size = sizeof(none);

	if (!service_process_start(process, executable, argument, grants, profile ? 1 : 0, &error))
		errx(2, "%s: %s", executable, error.text);
	if (profile)
		close(grants[0].fd);
	if (!service_process_call(process->channel, OP_NONE, NULL, 0, &status, none, &size))
		errx(2, "%s does not start", executable);
}

/* One request and its reply, which must be good. */
static void call(struct bench *b, const struct service_process *process, uint32_t op,
		 const void *payload, size_t size)
{
	enum service_status status;

	b->reply_size = sizeof(b->reply);
	if (!service_process_call(process->channel, op, payload, size, &status, b->reply,
				  &b->reply_size) ||
	    status != SERVICE_OK)
		errx(2, "operation %u fails", op);
}

/* The reply is of this outcome. Returns the generation of the seeds. */
static uint64_t check_outcome(const struct bench *b, enum vtpm_select expected)
{
	struct vtpm_select_reply header;

	memcpy(&header, b->reply, sizeof(header));
	if (header.outcome != expected)
		errx(2, "selection has outcome %u, code 0x%x", header.outcome, header.code);
	return header.seed_generation;
}

static uint64_t select_template(struct bench *b, enum vtpm_select expected)
{
	const uint32_t version = MANIFEST_VERSION;
	const uint64_t kind = SVSM_SELECTOR_TEMPLATE;

	memcpy(b->message, &version, sizeof(version));
	memcpy(b->message + sizeof(version), &kind, sizeof(kind));
	memcpy(b->message + sizeof(version) + sizeof(kind), b->template, b->template_size);
	call(b, &b->vtpm, VTPM_OP_SELECT, b->message,
	     sizeof(version) + sizeof(kind) + b->template_size);
	return check_outcome(b, expected);
}

static void load_twin(struct bench *b)
{
	size_t size;

	call(b, &b->vtpm, VTPM_OP_SEEDS, NULL, 0);
	size = b->reply_size - sizeof(struct vtpm_seeds);
	memcpy(b->message, b->reply + sizeof(struct vtpm_seeds), size);
	call(b, &b->twin, TWIN_OP_LOAD, b->message, size);
}

/* The twin's answer, its response code taken off, goes to the vtpm with the order. */
static void remember(struct bench *b, uint64_t generation)
{
	struct vtpm_remember header = { .seed_generation = generation,
					.manifest_version = MANIFEST_VERSION,
					.order_size = (uint32_t)b->order_size,
					.made_size = (uint32_t)(b->reply_size - 4) };
	size_t at = sizeof(header);
	uint32_t rc;

	memcpy(&rc, b->reply, sizeof(rc));
	if (rc)
		errx(2, "the twin has response code 0x%x", rc);
	memcpy(b->message, &header, at);
	memcpy(b->message + at, b->order, b->order_size);
	memcpy(b->message + at + b->order_size, b->reply + 4, header.made_size);
	call(b, &b->vtpm, VTPM_OP_REMEMBER, b->message, at + b->order_size + header.made_size);
	check_outcome(b, SELECT_MANIFEST);
}

static void attest_new(struct bench *b)
{
	uint64_t generation = select_template(b, SELECT_CREATE);

	b->order_size = b->reply_size - sizeof(struct vtpm_select_reply);
	if (b->order_size > sizeof(b->order))
		errx(2, "an order is too large");
	memcpy(b->order, b->reply + sizeof(struct vtpm_select_reply), b->order_size);
	call(b, &b->twin, TWIN_OP_CREATE, b->order, b->order_size);
	remember(b, generation);
}

static void measure(struct bench *b, enum keys_kind kind, struct samples *made,
		    struct samples *cached)
{
	uint64_t began;

	b->template_size = keys_template(kind, b->template);
	start(&b->twin, b->executable, "twin", NULL);
	load_twin(b);
	began = samples_now();
	attest_new(b);
	samples_add(made, began);
	service_process_stop(&b->twin);
	for (int i = 0; i < CACHED_CALLS; i++) {
		began = samples_now();
		select_template(b, SELECT_MANIFEST);
		samples_add(cached, began);
	}
}

int main(int argc, char **argv)
{
	static struct samples made, cached;
	static struct bench b;
	int count = argc == 5 ? atoi(argv[4]) : 0;
	enum keys_kind kind;

	if (count <= 0)
		errx(2, "usage: create_attest VTPM PROFILE ecc|rsa COUNT");
	kind = strcmp(argv[3], "rsa") == 0 ? KEYS_RSA_2048 : KEYS_ECC_P256;
	b.executable = argv[1];
	start(&b.vtpm, b.executable, NULL, argv[2]);
	for (int i = 0; i < count; i++)
		measure(&b, kind, &made, &cached);
	service_process_stop(&b.vtpm);
	printf("%.2f %.2f\n", samples_median(&made), samples_median(&cached));
	return 0;
}
