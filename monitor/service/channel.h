/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of a service: what read(2) and write(2) do on each (abi/service.h). services.conf
 * says which there are; what it grants at-start is taken away when the service is ready. The
 * request channel answers any misuse with the end of the service; all others with an error number.
 */
#ifndef SOCLE_MONITOR_SERVICE_CHANNEL_H
#define SOCLE_MONITOR_SERVICE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image/services_conf.h"
#include "monitor/base/addr.h"
#include "monitor/service/amdsp.h"
#include "monitor/service/message.h"

struct service;

/* A descriptor other than that of the request channel, which every service has. */
struct channel {
	const struct conf_grant *grant; /* NULL: there is none */
	struct message reply;		/* AMDSP, SERVICE: waits to be read */
	struct amdsp *amdsp;		/* AMDSP */
	struct service *service;	/* SERVICE: the one to call */
	const uint8_t *data;		/* FILE: in the archive, */
	size_t size, position;		/* read so far */
};

/*
 * read(2) and write(2) of a running service, which the caller has claimed. Return bytes moved or
 * minus an enum linux_errno. When the service is no longer running afterwards (it waits for a
 * request, or misused the request channel), the return value means nothing.
 */
int64_t channel_read(struct service *service, uint64_t fd, va_t to, uint64_t size);
int64_t channel_write(struct service *service, uint64_t fd, va_t from, uint64_t size);

/*
 * Ends the read() in which a ready service waits, for service->request has arrived: returns what
 * that read() gives.
 */
int64_t channel_deliver(struct service *service);

#endif
