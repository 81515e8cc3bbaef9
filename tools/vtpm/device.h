/* SPDX-License-Identifier: MIT */
/*
 * A vTPM as a Linux process: the vtpm service, its power switch, and its permanent state, which
 * outlives the process here and, if there is a directory for it, in a file.
 */
#ifndef SOCLE_TOOLS_VTPM_DEVICE_H
#define SOCLE_TOOLS_VTPM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "core/base/host/file.h"
#include "core/base/host/service_process.h"

#define VTPM_LOCALITY_MAX 4u

struct vtpm_device {
	const char *executable, *profile; /* files */
	char *state_path;		  /* NULL: the state ends with us */
	int state_lock;
	struct file_bytes state; /* the service's, opaque; size 0: a new TPM */
	struct service_process process;
	int state_channel; /* our end */
	bool startup_by_client;
	bool on;
};

/*
 * Prepares a vTPM, off, from the state in state_directory, which is made if need be and locked; or
 * a new one. vtpm_device_close() ends in both cases.
 */
bool vtpm_device_open(struct vtpm_device *device, const char *executable, const char *profile,
		      const char *state_directory, struct host_error *error);
void vtpm_device_close(struct vtpm_device *device);

/*
 * On: starts the service; nothing happens when it is on. TPM2_Startup(CLEAR) has been executed when
 * this returns, or, with startup_by_client and but for a new TPM, waits for the client's. Off:
 * volatile state is lost.
 */
bool vtpm_device_power_on(struct vtpm_device *device, bool startup_by_client,
			  struct host_error *error);
void vtpm_device_power_off(struct vtpm_device *device);

/*
 * Executes a command; response has room for VTPM_COMMAND_MAX bytes. False when the vTPM is off, or
 * gave no response and has been switched off for it.
 */
bool vtpm_device_execute(struct vtpm_device *device, uint8_t locality, const uint8_t *command,
			 size_t size, uint8_t *response, size_t *response_size);

#endif
