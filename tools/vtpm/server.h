/* SPDX-License-Identifier: MIT */
/*
 * A vTPM behind sockets, in the shape that existing TPM clients know: a channel for TPM commands
 * and one to control the device. Requests are collected as they come, so no client can hold up
 * another one but by a command that the TPM takes long for.
 */
#ifndef SOCLE_TOOLS_VTPM_SERVER_H
#define SOCLE_TOOLS_VTPM_SERVER_H

#include "tools/vtpm/daemon.h"
#include "tools/vtpm/device.h"

enum server_answer {
	SERVER_ON,    /* the connection goes on */
	SERVER_CLOSE, /* it is closed, when its answers are sent */
	SERVER_END,   /* the whole server ends, when they are */
};

enum server_channel {
	SERVER_COMMANDS,
	SERVER_CONTROL,
	SERVER_CHANNELS,
};

#define SERVER_REQUEST_MAX (256u << 10) /* more than the largest one of any shape */

/* Bytes on their way in or out. */
struct server_buffer {
	uint8_t *data;
	size_t size, capacity;
};

struct server_client {
	int fd;
	enum server_channel channel;
	bool tcp;
	bool adopted; /* a client passed it */
	struct server_buffer in, out;
	size_t sent;	    /* of out */
	bool served;	    /* it made a request */
	int passed;	    /* descriptor that came with the bytes, or -1 */
	uint64_t active_ms; /* when bytes came or went last */
	enum server_answer answer;
};

struct server {
	struct vtpm_device *device;
	uint8_t locality; /* of the swtpm shape */
	int adopted;	  /* command channel that a client passed, for the loop to take; or -1 */
	bool has_data;	  /* such a channel is there */
	bool listens;	  /* for command channels, so that none can be passed */
	/* Makes the device ready, once nothing but it can keep the server from serving. */
	bool (*prepare)(void *context, struct host_error *error);
	void *context;
};

/*
 * The size of the request that begins with these bytes, as far as they tell: more than have means
 * that more has to come. SERVER_BAD: it is none, and the connection ends.
 */
#define SERVER_BAD SIZE_MAX
typedef size_t (*server_measure)(const uint8_t *bytes, size_t have);

/* Answers one whole request. */
typedef enum server_answer (*server_handler)(struct server *server, struct server_client *client,
					     const uint8_t *request, size_t size);

struct server_shape {
	struct {
		server_measure measure;
		server_handler handle;
		bool packets; /* what came with a request and is no part of it is dropped */
	} channels[SERVER_CHANNELS];
};

/* That of the TPM reference simulator: tpm2-tss's "mssim". */
extern const struct server_shape server_mssim;
/* That of swtpm: raw commands, and swtpm's control channel. */
extern const struct server_shape server_swtpm;

/* Where to listen. */
struct server_place {
	const char *socket; /* path of a Unix socket for the control channel; NULL: TCP */
	uint16_t port;	    /* on localhost; commands here, control on the next; 0: any two */
	int sockets[SERVER_CHANNELS]; /* or these, which listen already, the last for control */
	size_t socket_count;
	bool terminate; /* end when a connection that used the control channel ends */
	int stop;	/* readable when the server is to end */
	struct daemon daemon;
};

/*
 * Serves until a client, or stop, ends it. "listening PORT" (or PATH) is written to standard output
 * when it is so and the device is ready. False after a failure; one to listen leaves the device
 * alone.
 */
bool server_run(struct server *server, const struct server_shape *shape,
		const struct server_place *place, struct host_error *error);

/* For shapes: appends to a client's answer; nothing more is sent after memory ran out. */
void server_put(struct server_client *client, const void *bytes, size_t size);
void server_put_u32(struct server_client *client, uint32_t value);
uint32_t server_u32_at(const uint8_t *bytes);

/* Switches the TPM on, as vtpm_device_power_on() does; false after a line on stderr. */
bool server_power_on(struct server *server);

/*
 * Executes a command and appends its response, after its size if with_size; the response of a TPM
 * that is off, or failed, is TPM_RC_FAILURE.
 */
void server_execute(struct server *server, struct server_client *client, uint8_t locality,
		    const uint8_t *command, size_t size, bool with_size);

#endif
