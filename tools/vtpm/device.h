/* SPDX-License-Identifier: MIT */
/*
 * A vTPM in this process: the code of the vtpm service, its power switch, and its permanent state,
 * which outlives a power cycle and, if there is a directory for it, the process. There is one in a
 * process, for libtpms keeps its state in globals.
 */
#ifndef SOCLE_TOOLS_VTPM_DEVICE_H
#define SOCLE_TOOLS_VTPM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "core/base/host/file.h"
#include "services/vtpm/certificates.h"
#include "services/vtpm/vtpm.h"
#include "tools/vtpm/state_file.h"

#define VTPM_LOCALITY_MAX 4u

/* The two parts of what a TPM is; together they are all of it. */
enum vtpm_state {
	VTPM_PERMANENT, /* with the profile */
	VTPM_VOLATILE,
	VTPM_STATES,
};

struct vtpm_device {
	const char *profile_path;
	struct file_bytes profile_text;
	struct profile profile;
	struct vtpm vtpm;
	struct state_keeper keeper;
	struct state_file *file; /* NULL: the state ends with us */
	struct file_bytes state; /* what was stored last, with the profile's text before it */
	int stop;		 /* readable when the process is to end */
	/* What the next power-on starts from instead, of each kind; size 0: nothing. */
	struct file_bytes moved[VTPM_STATES];
	bool on;
	bool orderly; /* nothing has to be done before power is cut */
};

/* Whether the profile is one, before anything is made for it. */
bool vtpm_device_profile_check(const char *profile, struct host_error *error);

/*
 * A vTPM, off: from the state in file, or a new one. stop is a descriptor that is readable when the
 * process is to end. file stays the caller's. vtpm_device_close() ends in both cases.
 */
bool vtpm_device_open(struct vtpm_device *device, const char *profile, struct state_file *file,
		      int stop, struct host_error *error);
void vtpm_device_close(struct vtpm_device *device);

/* _TPM_Init from the permanent state; a TPM that is on is not touched. TPM2_Startup comes next. */
bool vtpm_device_power_on(struct vtpm_device *device, struct host_error *error);

/*
 * Puts certificates into the NV memory of a TPM that was powered on and not started yet, and stores
 * its state once, when all of them are there. The TPM is off afterwards.
 */
bool vtpm_device_certify(struct vtpm_device *device, const struct certificates *certificates,
			 struct host_error *error);

/*
 * Off: volatile state is lost. First, if orderly, TPM2_Shutdown(STATE), or CLEAR where that fails,
 * unless it was the last command: without it the next start may count as a failed authorization
 * (TPM 2.0 Library part 1, 19.8.6), and what a reset keeps is not kept.
 */
void vtpm_device_power_off(struct vtpm_device *device, bool orderly);

/*
 * A part of a TPM that is on, to be moved to another place, for file_free(): sealed by the state's
 * key, if there is one, unless open; *sealed says so. Once the volatile part was given, cutting
 * power changes nothing any more.
 */
bool vtpm_device_give_state(struct vtpm_device *device, enum vtpm_state kind, bool open,
			    struct file_bytes *state, bool *sealed, struct host_error *error);

/*
 * Takes a part that was given elsewhere, for the next power-on of a TPM that is off: there it is
 * stored, or, if nothing can be started from it, dropped. It must be of the same profile. No bytes
 * take back what was taken.
 */
bool vtpm_device_take_state(struct vtpm_device *device, enum vtpm_state kind, const uint8_t *state,
			    size_t size, struct host_error *error);

/*
 * Has the next power-on, of this process or of one after it, start where the TPM is now, unless it
 * stores anything before. That lies in the state's directory; without one nothing is done.
 */
bool vtpm_device_store_volatile(struct vtpm_device *device, struct host_error *error);

/* TPM2_Startup, of TPM_SU_CLEAR or TPM_SU_STATE. A TPM response code. */
uint32_t vtpm_device_startup(struct vtpm_device *device, uint16_t type);

/*
 * Executes a command; response has room for VTPM_COMMAND_MAX bytes. While the disk has no room for
 * another state, commands that may change it get TPM_RC_NV_UNAVAILABLE, and can be sent again.
 * False when the vTPM is off, or gave no response and has been switched off for it.
 */
bool vtpm_device_execute(struct vtpm_device *device, uint8_t locality, const uint8_t *command,
			 size_t size, uint8_t *response, size_t *response_size);

#endif
