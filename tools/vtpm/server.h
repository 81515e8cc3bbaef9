/* SPDX-License-Identifier: MIT */
/*
 * A vTPM behind TCP on localhost, in the shape that existing TPM clients know: two ports, one for
 * TPM commands and one to control the device.
 */
#ifndef SOCLE_TOOLS_VTPM_SERVER_H
#define SOCLE_TOOLS_VTPM_SERVER_H

#include "tools/vtpm/device.h"

enum server_answer {
	SERVER_ON,    /* the connection goes on */
	SERVER_CLOSE, /* it is closed */
	SERVER_END,   /* the whole server ends */
};

struct server {
	struct vtpm_device *device;
	uint8_t locality; /* of the swtpm shape */
};

/* Reads one request from fd and answers it. */
typedef enum server_answer (*server_handler)(struct server *server, int fd);

struct server_shape {
	server_handler command, control; /* of port and port + 1 */
};

/* That of the TPM reference simulator: tpm2-tss's "mssim". */
extern const struct server_shape server_mssim;
/* That of swtpm: raw commands, and swtpm's control channel. */
extern const struct server_shape server_swtpm;

/*
 * Serves until a client ends it. port 0 takes any two free ports in a row. "listening PORT" is
 * written to standard output when it is so. False after a failure.
 */
bool server_run(struct server *server, const struct server_shape *shape, uint16_t port,
		struct host_error *error);

/* For shapes: whole transfers, big-endian numbers. False when the client is gone or too slow. */
bool server_read(int fd, void *to, size_t size);
bool server_write(int fd, const void *from, size_t size);
bool server_read_u32(int fd, uint32_t *value);
bool server_write_u32(int fd, uint32_t value);

/* What an answer that was sent, or was not, means for the connection. */
enum server_answer server_going_on(bool sent);

/* Switches the TPM on, as vtpm_device_power_on() does; false after a line on stderr. */
bool server_power_on(struct server *server, bool startup_by_client);

/* TPM_RC_FAILURE, as a TPM would say it. Returns its size. */
size_t server_failure(uint8_t *response);

#endif
