/* SPDX-License-Identifier: MIT */
/*
 * The request loop of a service: one request in, one reply out, on descriptor 3. The same code
 * runs under the monitor and as a Linux process.
 */
#ifndef SOCLE_SERVICES_COMMON_SERVE_H
#define SOCLE_SERVICES_COMMON_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"

/* The largest payload that a service sends or gets on a capability: a report and certificates. */
#define SERVE_CALL_MAX (32u << 10)

/* Where a handler puts its reply's payload. */
struct serve_output {
	uint8_t *data;
	size_t capacity;
	size_t size;
};

/*
 * Handles one request. The payload is the service's own copy, aligned for any type. On SERVICE_OK
 * the payload of out is sent; for any other status it is dropped.
 */
typedef enum service_status (*serve_handler)(void *context, uint32_t op, const uint8_t *payload,
					     size_t size, struct serve_output *out);

/* How a service ends. The value is the exit status of its process. */
enum serve_end {
	SERVE_CLOSED = 0,  /* its channel was closed */
	SERVE_FAILED = 1,  /* it cannot start or go on; where there is a reason, the log has it */
	SERVE_UNKNOWN = 2, /* no service has the name that it was started by */
};

/*
 * Serves until the channel closes, or no request can be read or answered any more. Requests and
 * replies have payloads of at most request_max and reply_max bytes: the buffers count against the
 * service's memory, so each says how much it needs.
 */
enum serve_end serve(serve_handler handler, void *context, size_t request_max, size_t reply_max);

/* Appends size bytes; SERVICE_ERR_NO_MEMORY when they do not fit. */
enum service_status serve_append(struct serve_output *out, const void *data, size_t size);

/*
 * Sends one request on a capability and reads its reply into reply. Returns the reply's status, or
 * SERVICE_ERR_FAILED when the channel broke or the reply is malformed.
 */
enum service_status serve_call(int fd, uint32_t op, const void *payload, size_t size,
			       struct serve_output *reply);

/*
 * One line to the log, without newline, cut to 159 characters. The host can read the log: never a
 * secret.
 */
void serve_log(const char *line);

/* The same with a format of printf; what does not fit in a line is cut. */
__attribute__((format(printf, 1, 2))) void serve_logf(const char *format, ...);

#endif
