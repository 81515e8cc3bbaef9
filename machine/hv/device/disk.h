/* SPDX-License-Identifier: MIT */
/* The disk of `--svsm-disk`, a file of the host process, by sectors of 512 bytes. */
#ifndef SOCLE_MACHINE_HV_DEVICE_DISK_H
#define SOCLE_MACHINE_HV_DEVICE_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Its sectors; 0: there is no disk. */
uint64_t disk_sectors(void);

#define DISK_BUFFER_SIZE (64u << 10)

/*
 * The bytes of the next transfer, DISK_BUFFER_SIZE of them: waits until they are the caller's, and
 * they are for as long as it holds the big lock, or transfers them.
 */
uint8_t *disk_buffer(void);

/*
 * Moves size bytes between that buffer and the disk, from sector on; both are in range, and size is
 * whole sectors. The big lock is free meanwhile. False: the host cannot.
 */
bool disk_read(uint64_t sector, uint32_t size);
bool disk_write(uint64_t sector, uint32_t size);

/* Makes what was written last. The lock and the result are as there. */
bool disk_flush(void);

#endif
