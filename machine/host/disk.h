/* SPDX-License-Identifier: MIT */
/*
 * The disk of VMPL0: a file of whole sectors, which no other machine has open. The hypervisor asks
 * for transfers by the mailbox.
 */
#ifndef SOCLE_MACHINE_HOST_DISK_H
#define SOCLE_MACHINE_HOST_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "machine/mailbox.h"

#define DISK_SECTOR 512u

struct disk {
	int fd; /* -1: there is none */
	uint64_t sectors;
};

/* Opens a file or a block device to read and write. The reason names it. */
bool disk_open(struct disk *disk, const char *path, struct host_error *error);

/*
 * Carries out a request of the mailbox (MAILBOX_REQ_DISK_*), with size bytes at data; 0, or an
 * errno. What is beyond the disk's end, and what is no whole number of sectors, is EINVAL.
 */
int disk_request(const struct disk *disk, enum mailbox_request request, uint64_t sector,
		 uint64_t size, uint8_t *data);

/* Fine where there is none. */
void disk_close(struct disk *disk);

#endif
