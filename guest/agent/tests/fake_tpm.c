/* SPDX-License-Identifier: MIT */
#include "guest/agent/tests/fake_tpm.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>
#include <libtpms/tpm_types.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_MAX 4096u

static TPM_RESULT nothing(void)
{
	return TPM_SUCCESS;
}

/* The permanent state, which a TPM keeps over a power cycle. */
static unsigned char *permanent;
static uint32_t permanent_size;

static TPM_RESULT load(unsigned char **data, uint32_t *size, uint32_t tpm, const char *name)
{
	(void)tpm;
	if (permanent == NULL || strcmp(name, TPM_PERMANENT_ALL_NAME) != 0)
		return TPM_RETRY; /* no state: a new TPM */
	*data = malloc(permanent_size);
	if (*data == NULL)
		return TPM_FAIL;
	memcpy(*data, permanent, permanent_size);
	*size = permanent_size;
	return TPM_SUCCESS;
}

static TPM_RESULT store(const unsigned char *data, uint32_t size, uint32_t tpm, const char *name)
{
	(void)tpm;
	if (strcmp(name, TPM_PERMANENT_ALL_NAME) != 0)
		return TPM_SUCCESS;
	permanent = realloc(permanent, size);
	if (permanent == NULL)
		return TPM_FAIL;
	memcpy(permanent, data, size);
	permanent_size = size;
	return TPM_SUCCESS;
}

static TPM_RESULT drop(uint32_t tpm, const char *name, TPM_BOOL must_exist)
{
	(void)tpm, (void)name, (void)must_exist;
	return TPM_SUCCESS;
}

static TPM_RESULT locality(TPM_MODIFIER_INDICATOR *number, uint32_t tpm)
{
	(void)tpm;
	*number = 0;
	return TPM_SUCCESS;
}

static TPM_RESULT presence(TPM_BOOL *there, uint32_t tpm)
{
	(void)tpm;
	*there = 0;
	return TPM_SUCCESS;
}

static void execute(const uint8_t *command, size_t size, int fd)
{
	static unsigned char *response;
	static uint32_t capacity;
	uint32_t response_size = 0;
	uint8_t copy[BUFFER_MAX];

	memcpy(copy, command, size);
	if (TPMLIB_Process(&response, &response_size, &capacity, copy, (uint32_t)size))
		_exit(1);
	if (fd >= 0 && write(fd, response, response_size) != (ssize_t)response_size)
		_exit(1);
}

_Noreturn static void serve(int fd)
{
	static const uint8_t startup[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
	/* TPM2_PCR_Allocate by the platform, of a SHA-256 bank; it counts from the next start. */
	static const uint8_t allocate[] = { 0x80, 2, 0, 0, 0, 37,   0,	 0, 1,	  0x2b, 0x40, 0, 0,
					    0xc,  0, 0, 0, 9, 0x40, 0,	 0, 9,	  0,	0,    0, 0,
					    0,	  0, 0, 0, 1, 0,    0xb, 3, 0xff, 0xff, 0xff };
	struct libtpms_callbacks callbacks = {
		.sizeOfStruct = sizeof(callbacks),
		.tpm_nvram_init = nothing,
		.tpm_nvram_loaddata = load,
		.tpm_nvram_storedata = store,
		.tpm_nvram_deletename = drop,
		.tpm_io_init = nothing,
		.tpm_io_getlocality = locality,
		.tpm_io_getphysicalpresence = presence,
	};
	uint8_t command[BUFFER_MAX];
	ssize_t size;

	if (TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2) || TPMLIB_RegisterCallbacks(&callbacks) ||
	    TPMLIB_MainInit())
		_exit(1);
	execute(startup, sizeof(startup), -1);
	execute(allocate, sizeof(allocate), -1);
	TPMLIB_Terminate();
	if (TPMLIB_MainInit())
		_exit(1);
	execute(startup, sizeof(startup), -1);
	while ((size = read(fd, command, sizeof(command))) > 0)
		execute(command, (size_t)size, fd);
	_exit(0);
}

struct fake_tpm fake_tpm_start(void)
{
	struct fake_tpm tpm;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
		abort();
	tpm.fd = ends[0];
	tpm.child = fork();
	if (tpm.child < 0)
		abort();
	if (tpm.child == 0) {
		close(ends[0]);
		serve(ends[1]);
	}
	close(ends[1]);
	return tpm;
}

void fake_tpm_stop(struct fake_tpm *tpm)
{
	close(tpm->fd);
	waitpid(tpm->child, NULL, 0);
}
