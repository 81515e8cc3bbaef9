/* SPDX-License-Identifier: MIT */
/*
 * Reader of the volumes of OVMF's flash (UEFI PI 1.8, volume III, 3.2), for what it measures of
 * itself into PCR 0: a version, the volume of its first phase (PEI) and that of its second (DXE).
 * Both are in the flash as one LZMA file. The bytes are untrusted.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_FIRMWARE_VOLUMES_H
#define SOCLE_CORE_IMAGE_HOST_FIRMWARE_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/file.h"

#define FIRMWARE_UNPACKED_MAX (64u << 20)
#define FIRMWARE_VERSION_MAX 64u /* characters */

struct firmware_part {
	const uint8_t *data;
	size_t size;
};

struct firmware_volumes {
	struct file_bytes unpacked; /* which the parts are in */
	struct firmware_part pei, dxe;
	/* In ASCII; empty where the module that measures it has not exactly one text in UTF-16. */
	char version[FIRMWARE_VERSION_MAX + 1];
};

/*
 * Ends with firmware_volumes_close(). False, and *error says what is wrong, where there are not
 * both volumes.
 */
bool firmware_volumes_open(struct firmware_volumes *volumes, const void *flash, size_t size,
			   struct host_error *error);

void firmware_volumes_close(struct firmware_volumes *volumes);

#endif
