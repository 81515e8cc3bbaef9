/* SPDX-License-Identifier: MIT */
/*
 * System calls of services: the part of Linux's that glibc and libcrypto cannot do without, found
 * by measuring, and nothing else. docs/services.md lists them.
 */
#ifndef SOCLE_MONITOR_SERVICE_SYSCALLS_H
#define SOCLE_MONITOR_SERVICE_SYSCALLS_H

#include "monitor/service/process.h"

/*
 * Does the system call in service->context.regs and puts its result there. The caller has
 * claimed the service. Afterwards the service may no longer be running (its state tells).
 */
void syscall_do(struct service *service);

#endif
