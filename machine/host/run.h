/* SPDX-License-Identifier: MIT */
/* Runs the emulated SNP machine with one IGVM file or firmware, from start to end: `socle run`. */
#ifndef SOCLE_MACHINE_HOST_RUN_H
#define SOCLE_MACHINE_HOST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "core/image/host_model.h"
#include "machine/host/devices.h"
#include "machine/host/launch_properties.h"
#include "machine/mailbox.h"

#define RUN_MARKS_MAX 16u
#define RUN_MEMORY_MIN (64ull << 20)

/* How a run ended; also the exit status of `socle run`. */
enum run_status {
	RUN_POWEROFF = 0,
	RUN_MISUSE = 1, /* it did not start: arguments, the IGVM file, something missing */
	RUN_GUEST_TERMINATED = 2,
	RUN_TRIPLE_FAULT = 3,
	RUN_RMP_VIOLATION = 4,
	RUN_HV_ERROR = 5,
	RUN_TIMEOUT = 6,
	RUN_QEMU_DIED = 7,
	RUN_INTERRUPTED = 8, /* by a signal */
	RUN_REBOOT = 9,	     /* the guest resets the machine, which is not to start again */
	RUN_TEST_EXIT = 10,  /* the guest wrote to the exit port of the test devices */
	RUN_HANG = 11,	     /* no vCPU can ever run again */
	RUN_PANIC = 12,	     /* the guest's kernel panicked, and said so */
};

/* What becomes of a machine that the guest resets. */
enum run_on_reboot {
	RUN_EXIT_ON_REBOOT,
	RUN_RESTART_ON_REBOOT, /* the same is launched anew, with new keys */
};

/* A line of a log that holds text is an event of the timeline. */
struct run_mark {
	const char *name, *text;
};

struct run_marks {
	struct run_mark marks[RUN_MARKS_MAX];
	size_t count;
};

struct run_options {
	const char *image;	 /* IGVM file */
	const char *firmware;	 /* or, if not NULL, firmware instead */
	uint32_t vcpu_signature; /* EAX of CPUID leaf 1, for VMSAs that the host makes */
	struct launch_properties properties;
	const char *hv_image; /* the hypervisor */
	const char *qemu, *accel;
	const struct host_model *host;				 /* that the machine models */
	bool own_invlpgb, own_convert, own_preempt, own_kvm_eoi; /* but for these choices: */
	enum host_invlpgb invlpgb;
	enum host_preempt preempt;
	bool converts, kvm_eoi;
	uint64_t lacks; /* GHCB_HV_FEATURE_* that it does not announce, though the model does */
	const char *command_line; /* of kernel, or that an IGVM file may ask for as a parameter */
	const char *kernel, *initrd; /* that firmware finds and starts; NULL: there is none */
	/* Unix sockets that QEMU listens on, or NULL */
	const char *channel, *vmpl0_channel, *test_channel;
	const char *tpm;       /* and one that a TPM listens on, which is the guest's; NULL: none */
	const char *svsm_disk; /* a file, the disk of VMPL0; NULL: it has none */
	struct guest_devices devices; /* of the guest */
	const char *log_dir;   /* NULL: console and debug console go to stdout, no timeline */
	const char *dump_dir;  /* NULL: memory is not written when the machine has ended */
	const char *certs_out; /* NULL: certificates are not written */
	const char *key_dir;
	char cpu_without[128]; /* features that the CPU lacks, ",-NAME" each */
	unsigned int cpus;
	uint64_t memory;     /* bytes, a multiple of 1 MiB */
	uint64_t timeout_ns; /* 0: none */
	uint32_t storm_us;   /* mean interval of a storm of #HV; 0: none */
	bool event_sweep;    /* events of VMPL0 in steps (hv/event/sweep.h) */
	uint32_t every_us;   /* or one in so many microseconds; 0: none */
	uint32_t hold;	     /* before which step of VMPL0 a vCPU is held; 0: none */
	struct mailbox_device_planes device_planes; /* whose the interrupts of devices are */
	struct mailbox_fault_plan faults[MAILBOX_FAULT_COUNT];
	enum run_on_reboot on_reboot;
	bool xsave;	    /* the guest is shown XSAVE */
	bool kernel_hashes; /* the launch has the hashes of kernel, initrd and command line */
	bool test_devices;  /* the echo and the exit port are there */
	bool quiet;
	struct run_marks debug_marks, console_marks;
};

/*
 * Runs until the machine ends, and starts it again after a reset if it shall: from the image,
 * firmware and kernel as they were read, in a new QEMU. The time that timeout_ns gives is for all
 * of it. For any status but RUN_POWEROFF, error says what happened.
 */
enum run_status run_machine(const struct run_options *options, struct host_error *error);

#endif
