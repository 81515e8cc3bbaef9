/* SPDX-License-Identifier: MIT */
/* Whether this computer can run the machine by KVM, which then runs a hypervisor within. */
#ifndef SOCLE_MACHINE_HOST_ACCEL_H
#define SOCLE_MACHINE_HOST_ACCEL_H

#include <stddef.h>

/*
 * NULL when it can, else why not, as text. root is where the system's files are, "" but in tests:
 * the processor has SVM (/proc/cpuinfo), KVM of AMD lets guests have it
 * (/sys/module/kvm_amd/parameters/nested), and /dev/kvm may be opened.
 */
const char *accel_kvm_refusal(const char *root);

#endif
