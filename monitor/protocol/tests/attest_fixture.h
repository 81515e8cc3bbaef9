/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the attestation protocol share: buffers in guest memory, an operation block
 * that is good, and a vtpm and an attest service that do as they are told.
 */
#ifndef SOCLE_MONITOR_PROTOCOL_TESTS_ATTEST_FIXTURE_H
#define SOCLE_MONITOR_PROTOCOL_TESTS_ATTEST_FIXTURE_H

#include "monitor/arch/model/tests/world.h"

#define OP (WORLD_BOOT_CAA + 8)
#define REPORT (WORLD_SMALL + 0x2003) /* any alignment */
#define NONCE (WORLD_SMALL + 0xfe0)   /* crosses a page */
#define MANIFEST (WORLD_SMALL + 0x3ff1)
#define CERTIFICATES (WORLD_SMALL + 0x8fff)
#define REPORT_SIZE 1184u
#define MANIFEST_SIZE 300u
#define CERTIFICATES_SIZE 5000u
#define UNTOUCHED 0xee

/* The block of the next call; attest_setup() makes it good. */
extern struct svsm_attest_op op;

/* What the vtpm does with the next requests, and what it was asked. */
struct attest_vtpm {
	size_t manifest_size;
	uint32_t outcome; /* of a selector; */
	uint32_t then;	  /* and of a key that is remembered */
	uint32_t code;
	uint64_t generation; /* of its seeds */
	const void *order;   /* with SELECT_CREATE: what follows the reply's header */
	size_t order_size;
	enum service_status remember_status, seeds_status;
	size_t seeds_size; /* of the whole answer */
	unsigned int manifests, selects, remembers, seeds;
	unsigned int keys_left; /* requests for a manifest that make a key each, and give nothing */
	uint8_t selected[2048], remembered[4096]; /* payloads */
	size_t selected_size, remembered_size;
};
extern struct attest_vtpm vtpm;
#define SEED_GENERATION 0x1122334455667788ull
#define SEEDS "\x88\x77\x66\x55\x44\x33\x22\x11state" /* the answer to VTPM_OP_SEEDS */

/* A new world, an untouched guest, services that deliver. For cmocka. */
int attest_setup(void **state);

/* The vtpm, as told; the setup makes it the vtpm's while_working. */
void vtpm_works(void);

/* The attest service's report and certificates. */
void set_reply(uint32_t report, uint32_t certificates);

/* Makes the call on vCPU 0; presets registers as Linux does. */
struct svsm_call attest_at(uint32_t id, uint64_t at);
struct svsm_call attest(uint32_t id);

/* size bytes of this value, and untouched bytes on both sides. */
void assert_filled(uint64_t at, uint8_t with, size_t size);
void assert_nothing_written(void);

/* A call that failed before anything was known: no register changes, nothing is written. */
void assert_refused(const struct svsm_call *call, uint32_t result);

/* Report, certificates and sizes have come; the manifest is the test's to look at. */
void assert_delivered(const struct svsm_call *call, uint32_t manifest_size);

/* What the attest service was asked by that operation: sizes must add up. */
struct attest_request asked(enum attest_op op);

#endif
