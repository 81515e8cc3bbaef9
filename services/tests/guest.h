/* SPDX-License-Identifier: MIT */
/* TPM commands as a guest sends them, to a vTPM that runs within the test. */
#ifndef SOCLE_SERVICES_TESTS_GUEST_H
#define SOCLE_SERVICES_TESTS_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "services/vtpm/vtpm.h"

/* TPM 2.0 Library part 2. */
#define RH_OWNER 0x40000001u
#define RH_NULL 0x40000007u
#define RH_LOCKOUT 0x4000000au
#define RH_ENDORSEMENT 0x4000000bu
#define RH_PLATFORM 0x4000000cu
#define CC_HIERARCHY_CONTROL 0x121u
#define CC_CHANGE_EPS 0x124u
#define CC_CLEAR 0x126u
#define CC_CLEAR_CONTROL 0x127u
#define CC_HIERARCHY_CHANGE_AUTH 0x129u
#define CC_NV_DEFINE_SPACE 0x12au
#define CC_CREATE_PRIMARY 0x131u
#define CC_NV_WRITE 0x137u
#define CC_NV_READ 0x14eu
#define CC_NV_READ_LOCK 0x14fu
#define CC_FLUSH_CONTEXT 0x165u
#define CC_NV_READ_PUBLIC 0x169u
#define CC_READ_PUBLIC 0x173u
#define CC_START_AUTH_SESSION 0x176u
#define CC_GET_CAPABILITY 0x17au
#define CC_GET_RANDOM 0x17bu
#define CC_PCR_READ 0x17eu

/* The last response. */
struct guest {
	struct vtpm *vtpm;
	uint8_t response[TPM_BUFFER_MAX];
	size_t size;
};

/*
 * Sends a command. The format says what follows its header: b, w, d: an integer of 1, 2, 4 bytes;
 * s: a pointer and a size, written as TPM2B; a: a password (char *), written as the authorization
 * area, which makes it a command with sessions; x: a session's handle and its attributes, likewise.
 * Spaces mean nothing. Returns the response code.
 */
uint32_t guest_run(struct guest *guest, uint32_t code, const char *format, ...);

/*
 * The public area that TPM2_CreatePrimary gives in the endorsement hierarchy; the key is flushed.
 */
uint32_t guest_primary(struct guest *guest, const char *auth, const uint8_t *template, size_t size,
		       uint8_t *public_area, size_t *public_size);

/* Defines an index by the owner, with a password of its own, and writes it. */
uint32_t guest_nv(struct guest *guest, uint32_t index, uint32_t attributes, const char *password,
		  const uint8_t *data, size_t size);

/*
 * All that a guest can ask for: every capability, the PCRs' values, the public areas of what is
 * loaded, persistent, or in NV memory. Returns a digest of the answers.
 */
void guest_observe(struct guest *guest, uint8_t digest[32]);

#endif
