/* SPDX-License-Identifier: MIT */
/*
 * The host's side of a vTPM's provisioning, played by a test: the attest service, without an
 * AMD-SP behind it, and a certificate authority that may lie.
 */
#ifndef SOCLE_SERVICES_TESTS_PLAYED_HOST_H
#define SOCLE_SERVICES_TESTS_PLAYED_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lie {
	HONEST,
	/* Nothing that one would wait for. */
	SILENT,
	SILENT_AFTER_NONCE,
	SLOW, /* a byte now and then: ten seconds for a header alone */
	/* No proper message. */
	BAD_MAGIC,
	BAD_CHECKSUM,
	HUGE_LENGTH,
	WRONG_TYPE,
	REFUSED,
	SHORT_NONCE,
	/* A message with something wrong in it. */
	ONE_MORE,
	CUT_SHORT,
	TRAILING_BYTES,
	MISSING_CERTIFICATE,
	/* A certificate with something wrong in it. */
	OTHER_KEY,
	SWAPPED_KEYS,
	TRUNCATED_DER,
	TRAILING_DER,
	OF_A_CA,
	OTHER_USAGE,
	LIES,
};

struct played_host {
	int host_channel, attest; /* our ends */
	int vtpm_host_channel, vtpm_attest;
	int request_channel; /* while it plays */
	enum lie lie;
};

#define PLAYED_REPLY_MAX 4096

/*
 * The attest service's reply to a request, with a report that nobody signed; runtime data is made
 * by the service's own code. Returns its size, 0 where the request is not what it should be.
 */
size_t played_host_report(uint32_t op, const uint8_t *payload, size_t size,
			  uint8_t reply[PLAYED_REPLY_MAX]);

/* Makes both channels; ends the test on failure. */
void played_host_open(struct played_host *host, enum lie lie);

/* Closes the vTPM's ends once it has them, or ours when it is over. */
void played_host_gave(struct played_host *host);
void played_host_close(struct played_host *host);

/*
 * Plays until the vTPM asks no more: until its ends are closed, or, with a request channel, until
 * that has something to say. What the vTPM asks is checked; false when it was not what it should
 * be.
 */
bool played_host_play(struct played_host *host, const char *profile, int request_channel);

/* A certificate for a public area as DER, for OPENSSL_free(). */
uint8_t *played_host_certificate(const uint8_t *public_area, size_t size, enum lie lie,
				 int *length);

#endif
