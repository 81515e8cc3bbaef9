/* SPDX-License-Identifier: MIT */
/* The running machine inside the host process: what run.c sets up and loop.c serves. */
#ifndef SOCLE_MACHINE_HOST_MACHINE_H
#define SOCLE_MACHINE_HOST_MACHINE_H

#include <stdio.h>

#include "machine/host/chain.h"
#include "machine/host/disk.h"
#include "machine/host/dma_fault.h"
#include "machine/host/kernel_files.h"
#include "machine/host/launch.h"
#include "machine/host/psp.h"
#include "machine/host/qemu.h"
#include "machine/host/run.h"
#include "machine/host/stdio_console.h"
#include "machine/host/stop.h"
#include "machine/host/text_log.h"
#include "machine/host/timeline.h"

/* Where bytes come from. */
enum machine_stream {
	STREAM_DOORBELL,
	STREAM_CONSOLE, /* COM1 */
	STREAM_DEBUG,	/* debug console of VMPL0 */
	STREAM_OUTPUT,	/* of QEMU */
	STREAM_COUNT,
};

struct machine {
	const struct run_options *options;
	const char *image;	 /* the file that was launched */
	const char *accel;	 /* what QEMU runs it by */
	const char *kvm_refusal; /* why not by KVM, if that was asked for; or NULL */
	struct chain chain;
	struct psp psp;
	struct machine_memory memory;
	struct disk disk;	      /* of VMPL0 */
	struct guest_devices devices; /* as they were checked */
	void *hv_ram;
	int guest_ram_fd, hv_ram_fd;
	int hardware_info_fd; /* a file that the guest asks QEMU for; -1: there is none */
	struct kernel_files kernel;
	int streams[STREAM_COUNT]; /* our ends; -1 after their end */
	int signal_fd;
	struct qemu qemu;
	struct timeline timeline;
	struct stdio_console stdio;
	FILE *machine_log; /* these may be NULL */
	FILE *console_log, *debug_log;
	struct text_log console, debug, output, hv_log;
	uint64_t hv_log_tail;	 /* bytes of the mailbox's ring taken so far */
	char last_output[256];	 /* of QEMU */
	unsigned int dma_faults; /* told so far */
	struct dma_fault last_dma_fault;
	char last_debug[256]; /* the last line of VMPL0's debug console */
};

/* One line in machine.log, with the time; source says whose it is. */
__attribute__((format(printf, 3, 4))) void machine_log(struct machine *m, const char *source,
						       const char *format, ...);

/* A line of progress for the user, with the time. */
__attribute__((format(printf, 2, 3))) void machine_say(struct machine *m, const char *format, ...);

/* Serves the machine until QEMU has ended, and says why. */
void machine_loop(struct machine *m, struct stop *stop);

#endif
