/* SPDX-License-Identifier: MIT */
/* The QEMU process: stock qemu-system-x86_64, set up as the machine that machine/hv runs on. */
#ifndef SOCLE_MACHINE_HOST_QEMU_H
#define SOCLE_MACHINE_HOST_QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/host/error.h"
#include "machine/host/devices.h"

/* EAX of CPUID leaf 1 of the processor that it emulates: family 19h, model 1, stepping 1. */
#define QEMU_CPU_SIGNATURE 0xa00f11u

struct qemu_config {
	const char *path; /* found in PATH when it has no slash */
	const char *accel;
	const char *hv_image;
	const char *channel;	   /* path of the Unix socket behind COM2; NULL: no such port */
	const char *vmpl0_channel; /* and behind COM3 */
	const char *test_channel;  /* and behind COM4 */
	/* Path of swtpm's control channel of a TPM that runs; NULL: there is no TPM. */
	const char *tpm;
	const struct guest_devices *devices;
	const char *cpu_without; /* features that its CPU lacks: ",-NAME" each; or NULL */
	unsigned int cpus;
	uint64_t memory;
	/* Descriptors for QEMU; the caller closes them after qemu_start(). */
	int guest_ram_fd, hv_ram_fd; /* memfds */
	int hardware_info_fd;	     /* the file that fw_cfg has; -1: none */
	/* Files that the hypervisor's fw_cfg has (layout.h); -1: none. */
	int kernel_fd, initrd_fd, append_fd;
	int console_fd, doorbell_fd, debug_fd; /* stream sockets */
	int output_fd;			       /* its stdout and stderr */
};

struct qemu {
	pid_t pid; /* 0: none */
	int pidfd; /* readable when it has ended */
};

/*
 * Its version, major << 8 | minor, by what it says of itself; 0 when that cannot be known. False,
 * with a line, when it neither answers nor ends in some seconds, as it would not when started.
 */
bool qemu_version(const char *path, uint32_t *version, struct host_error *error);

/* Starts QEMU, which will not survive this process. */
bool qemu_start(struct qemu *qemu, const struct qemu_config *config, struct host_error *error);

/* Waits for the end of a QEMU that has ended; its wait status. */
int qemu_reap(struct qemu *qemu);

/* Ends QEMU if it runs, and waits for it. Fine on a zeroed struct. */
void qemu_kill(struct qemu *qemu);

#endif
