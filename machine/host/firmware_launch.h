/* SPDX-License-Identifier: MIT */
/*
 * The launch of firmware, as QEMU and KVM do it with `-bios` (QEMU, target/i386/sev.c): the image
 * below 4 GiB, the sections that its metadata name, and a VMSA for each vCPU.
 */
#ifndef SOCLE_MACHINE_HOST_FIRMWARE_LAUNCH_H
#define SOCLE_MACHINE_HOST_FIRMWARE_LAUNCH_H

#include "core/image/firmware.h"
#include "machine/host/launch.h"

/*
 * Checks what firmware_open() cannot know: that the AMD-SP takes the policy, that all sections lie
 * in RAM, that the host launches with VMSAs of its own, and that there is a place for kernel
 * hashes, if there are any. Writes nothing.
 */
bool firmware_launch_check(const struct firmware *firmware, const struct launch_machine *machine,
			   struct host_error *error);

/* Launches firmware that this has passed, as launch_load() does an IGVM file. */
bool firmware_launch_load(const struct firmware *firmware, const struct launch_machine *machine,
			  const struct machine_memory *memory, struct psp *psp,
			  struct host_error *error);

#endif
