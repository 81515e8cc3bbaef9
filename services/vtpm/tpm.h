/* SPDX-License-Identifier: MIT */
/*
 * One TPM 2.0 (libtpms): power, commands, state. One in a process, for libtpms keeps its state in
 * globals.
 */
#ifndef SOCLE_SERVICES_VTPM_TPM_H
#define SOCLE_SERVICES_VTPM_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_BUFFER_MAX 4096u /* largest command and response */
#define TPM_PUBLIC_MAX 1024u /* largest TPMT_PUBLIC */

/* The TPM's own response code, 0 for success, or this when it could not even answer. */
#define TPM_RC_NONE 0xffffffffu

/*
 * Once, before all else. keep: what the TPM stores survives tpm_power_off(); otherwise storing
 * does nothing, and every TPM is a new one but for tpm_load_permanent().
 */
void tpm_init(bool keep);

/* Forgets what was stored and stores nothing from now on. */
void tpm_stop_keeping(void);

/*
 * From now on the permanent state goes to store when the TPM stores it; the TPM enters failure mode
 * if that returns false.
 */
typedef bool (*tpm_store_function)(void *context, const uint8_t *permanent, size_t size);
void tpm_store_with(tpm_store_function store, void *context);

/*
 * A new TPM will be made by this profile of libtpms, a name or its JSON, and keeps it in its
 * permanent state. False where libtpms takes no such profile, or is older than 0.10 and has none.
 */
bool tpm_choose_profile(const char *profile);

/* The version of libtpms, as 0.9.2 is 0x000902. */
uint32_t tpm_library_version(void);

/* Power on with the stored or loaded state, or as a new TPM. Startup is the caller's. */
bool tpm_power_on(void);
void tpm_power_off(void);

/* The permanent state that the next tpm_power_on() starts from. */
bool tpm_load_permanent(const uint8_t *state, size_t size);

/* All that it keeps in memory besides, after that: the TPM goes on where it was. */
bool tpm_load_volatile(const uint8_t *state, size_t size);

/*
 * Executes one command at a locality. response has room for TPM_BUFFER_MAX bytes. False when
 * libtpms gave no response at all.
 */
bool tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
		 size_t *response_size);

/*
 * The locality of what reaches the TPM other than by a command, such as a reset of the
 * establishment flag; 0 at first.
 */
void tpm_set_locality(uint8_t locality);

struct tpm_state {
	uint8_t *data;
	uint32_t size;
};

/*
 * The permanent, and the volatile, state as it is now; changes nothing. Freed with
 * tpm_free_state().
 */
bool tpm_permanent_state(struct tpm_state *state);
bool tpm_volatile_state(struct tpm_state *state);
void tpm_free_state(struct tpm_state *state);

/*
 * All of the TPM's state, to which a rollback returns: commands between the two leave no trace, not
 * even in what a guest could ask for. The rollback frees the checkpoint; false means that the TPM
 * is lost.
 */
struct tpm_checkpoint {
	struct tpm_state permanent, volatile_state;
};
bool tpm_checkpoint(struct tpm_checkpoint *checkpoint);
bool tpm_rollback(struct tpm_checkpoint *checkpoint);

#endif
