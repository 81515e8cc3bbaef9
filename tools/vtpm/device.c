/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cmd.h"

#define OP_NONE 0u /* no operation: its refusal tells that the service is ready */

static void forget_state(struct vtpm_device *device)
{
	if (device->state.data)
		OPENSSL_cleanse(device->state.data, device->state.size);
	file_free(&device->state);
}

/* One process at a time has a state directory. */
static bool lock_directory(struct vtpm_device *device, const char *directory,
			   struct host_error *error)
{
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return host_fail(error, "%s: %s", directory, strerror(errno));
	device->state_lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (device->state_lock < 0)
		return host_fail(error, "%s: %s", directory, strerror(errno));
	if (flock(device->state_lock, LOCK_EX | LOCK_NB) != 0)
		return host_fail(error, "%s: another process has it", directory);
	return true;
}

static bool load_state(struct vtpm_device *device, const char *directory, struct host_error *error)
{
	struct host_error reason;

	if (!lock_directory(device, directory, error))
		return false;
	if (asprintf(&device->state_path, "%s/vtpm.state", directory) < 0) {
		device->state_path = NULL;
		return host_fail(error, "out of memory");
	}
	if (access(device->state_path, F_OK) != 0)
		return true;
	if (file_read(device->state_path, SERVICE_MESSAGE_MAX, &device->state, &reason))
		return true;
	return host_fail(error, "%s: %s", device->state_path, reason.text);
}

bool vtpm_device_open(struct vtpm_device *device, const char *executable, const char *profile,
		      const char *state_directory, struct host_error *error)
{
	*device = (struct vtpm_device){ .executable = executable,
					.profile = profile,
					.state_lock = -1,
					.state_channel = -1,
					.process = { .pid = -1, .channel = -1 } };
	if (access(profile, R_OK) != 0)
		return host_fail(error, "%s: %s", profile, strerror(errno));
	if (access(executable, X_OK) != 0)
		return host_fail(error, "%s: %s", executable, strerror(errno));
	return !state_directory || load_state(device, state_directory, error);
}

void vtpm_device_close(struct vtpm_device *device)
{
	vtpm_device_power_off(device);
	forget_state(device);
	free(device->state_path);
	if (device->state_lock >= 0)
		close(device->state_lock);
	device->state_path = NULL;
	device->state_lock = -1;
}

void vtpm_device_power_off(struct vtpm_device *device)
{
	service_process_stop(&device->process);
	if (device->state_channel >= 0)
		close(device->state_channel);
	device->state_channel = -1;
	device->on = false;
}

static bool store_state(struct vtpm_device *device, const uint8_t *data, size_t size)
{
	struct host_error error;
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return false;
	if (device->state_path && !file_write(device->state_path, data, size, &error)) {
		cmd_file_error(device->state_path, "%s", error.text);
		free(copy);
		return false;
	}
	memcpy(copy, data, size);
	forget_state(device);
	device->state = (struct file_bytes){ .data = copy, .size = size };
	return true;
}

static bool reply(int channel, enum service_status status)
{
	struct service_reply header = { .status = status };

	return send(channel, &header, sizeof(header), MSG_NOSIGNAL) == sizeof(header);
}

static bool reply_state(const struct vtpm_device *device)
{
	struct state_loaded loaded = { .startup_by_client = device->startup_by_client };
	struct service_reply header = { .status = SERVICE_OK };
	struct iovec parts[] = { { &header, sizeof(header) },
				 { &loaded, sizeof(loaded) },
				 { device->state.data, device->state.size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };

	header.size = (uint32_t)(sizeof(loaded) + device->state.size);
	return sendmsg(device->state_channel, &message, MSG_NOSIGNAL) ==
	       (ssize_t)(sizeof(header) + header.size);
}

/* The service is the caller here: it loads its state once, and stores it before it answers. */
static bool serve_state(struct vtpm_device *device)
{
	static uint8_t message[SERVICE_MESSAGE_MAX];
	struct service_request header;
	ssize_t got = recv(device->state_channel, message, sizeof(message), 0);
	bool stored;

	if (got < (ssize_t)sizeof(header))
		return false;
	memcpy(&header, message, sizeof(header));
	if (header.size != (size_t)got - sizeof(header))
		return false;
	if (header.op == STATE_OP_LOAD)
		return reply_state(device);
	if (header.op != STATE_OP_STORE)
		return reply(device->state_channel, SERVICE_ERR_UNSUPPORTED);
	stored = store_state(device, message + sizeof(header), header.size);
	OPENSSL_cleanse(message, (size_t)got);
	return reply(device->state_channel, stored ? SERVICE_OK : SERVICE_ERR_FAILED);
}

/* Serves the state until the answer to a request is there. False when the service is gone. */
static bool await_answer(struct vtpm_device *device)
{
	struct pollfd fds[] = { { .fd = device->process.channel, .events = POLLIN },
				{ .fd = device->state_channel, .events = POLLIN } };

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (fds[0].revents)
			return true;
		if (fds[1].revents && !serve_state(device))
			fds[1].fd = -1; /* the request channel will tell, too */
	}
}

static int call(struct vtpm_device *device, uint32_t op, const void *payload, size_t size,
		void *answer, size_t *answer_size)
{
	if (!service_process_send(device->process.channel, op, payload, size) ||
	    !await_answer(device))
		return -1;
	return service_process_receive(device->process.channel, answer, answer_size);
}

static bool start_service(struct vtpm_device *device, int profile, struct host_error *error)
{
	struct service_grant grants[] = { { profile, VTPM_FD_PROFILE },
					  { STDERR_FILENO, SERVICE_FD_LOG },
					  { -1, VTPM_FD_STATE } };
	int ends[2];
	bool ok;

	if (!service_process_channel(ends))
		return host_fail(error, "no channel: %s", strerror(errno));
	grants[2].fd = ends[1];
	ok = service_process_start(&device->process, device->executable, NULL, grants, 3, error);
	close(ends[1]);
	device->state_channel = ends[0];
	return ok;
}

bool vtpm_device_power_on(struct vtpm_device *device, bool startup_by_client,
			  struct host_error *error)
{
	uint8_t answer[VTPM_COMMAND_MAX];
	size_t size = sizeof(answer);
	int profile;
	bool ok;

	if (device->on)
		return true;
	profile = open(device->profile, O_RDONLY | O_CLOEXEC);
	if (profile < 0)
		return host_fail(error, "%s: %s", device->profile, strerror(errno));
	device->startup_by_client = startup_by_client;
	ok = start_service(device, profile, error);
	close(profile);
	if (ok && call(device, OP_NONE, NULL, 0, answer, &size) < 0)
		ok = host_fail(error, "the vTPM does not start; its log tells why");
	if (!ok)
		vtpm_device_power_off(device);
	device->on = ok;
	return ok;
}

bool vtpm_device_execute(struct vtpm_device *device, uint8_t locality, const uint8_t *command,
			 size_t size, uint8_t *response, size_t *response_size)
{
	uint8_t request[sizeof(struct vtpm_command) + VTPM_COMMAND_MAX];
	struct vtpm_command header = { .locality = locality };
	int status;

	if (!device->on || size > VTPM_COMMAND_MAX)
		return false;
	memcpy(request, &header, sizeof(header));
	memcpy(request + sizeof(header), command, size);
	*response_size = VTPM_COMMAND_MAX;
	status = call(device, VTPM_OP_COMMAND, request, sizeof(header) + size, response,
		      response_size);
	if (status < 0)
		vtpm_device_power_off(device);
	return status == SERVICE_OK;
}
