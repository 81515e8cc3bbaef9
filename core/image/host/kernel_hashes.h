/* SPDX-License-Identifier: MIT */
/*
 * The table of kernel hashes: by it firmware that was launched knows the kernel, first file system
 * and command line that it may start, and so the launch digest says which they are (QEMU,
 * target/i386/sev.c, sev_add_kernel_loader_hashes(); edk2, OvmfPkg's BlobVerifierLibSevHashes).
 */
#ifndef SOCLE_CORE_IMAGE_HOST_KERNEL_HASHES_H
#define SOCLE_CORE_IMAGE_HOST_KERNEL_HASHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_HASH_SIZE 32u /* SHA-256 */

struct kernel_hashes {
	uint8_t kernel[KERNEL_HASH_SIZE];	/* of the whole file */
	uint8_t initrd[KERNEL_HASH_SIZE];	/* of no bytes where there is none */
	uint8_t command_line[KERNEL_HASH_SIZE]; /* with the 0 at its end */
};

/* Computes one of them. False when OpenSSL fails. */
bool kernel_hash(uint8_t hash[KERNEL_HASH_SIZE], const void *data, size_t size);

/* Writes the table, KERNEL_HASHES_SIZE bytes (core/image/firmware.h). */
void kernel_hashes_write(const struct kernel_hashes *hashes, uint8_t *table);

#endif
