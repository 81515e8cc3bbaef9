/* SPDX-License-Identifier: MIT */
/*
 * The kernel that firmware finds by fw_cfg and starts: `-kernel`, `-initrd` and `-append` of QEMU.
 */
#ifndef SOCLE_MACHINE_HOST_KERNEL_FILES_H
#define SOCLE_MACHINE_HOST_KERNEL_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "core/image/host/kernel_hashes.h"

/* Copies of the files, for QEMU to read; each -1 when there is none. */
struct kernel_files {
	int kernel_fd, initrd_fd, append_fd;
	struct kernel_hashes hashes;
	uint32_t setup_size; /* bytes of the kernel that are its setup; the rest is another item */
};

#define KERNEL_FILES_NONE \
	((struct kernel_files){ .kernel_fd = -1, .initrd_fd = -1, .append_fd = -1 })

/*
 * Reads and checks them; initrd may be NULL. A kernel is a bzImage (Linux,
 * Documentation/arch/x86/boot.rst) of protocol 2.00 or later, and reaches the firmware as it is.
 */
bool kernel_files_open(struct kernel_files *files, const char *kernel, const char *initrd,
		       const char *append, struct host_error *error);

/* Harmless on KERNEL_FILES_NONE. */
void kernel_files_close(struct kernel_files *files);

#endif
