/* SPDX-License-Identifier: MIT */
#include "services/tests/spawn.h"

#include <err.h>

#include "core/base/host/service_process.h"

void spawn_channel(int ends[2])
{
	if (!service_process_channel(ends))
		err(2, "socketpair");
}

pid_t spawn_service(const char *executable, const char *argument, const struct spawn_grant *grants,
		    size_t count, int *channel)
{
	struct service_grant granted[SERVICE_GRANTS_MAX];
	struct service_process process;
	struct host_error error;

	if (count > SERVICE_GRANTS_MAX)
		errx(2, "too many grants");
	for (size_t i = 0; i < count; i++)
		granted[i] = (struct service_grant){ grants[i].fd, grants[i].as };
	if (!service_process_start(&process, executable, argument, granted, count, &error))
		errx(2, "%s: %s", executable, error.text);
	*channel = process.channel;
	return process.pid;
}

int spawn_call(int channel, uint32_t op, const void *payload, size_t size, void *reply,
	       size_t *reply_size)
{
	enum service_status status;

	if (!service_process_call(channel, op, payload, size, &status, reply, reply_size))
		return SPAWN_CLOSED;
	return (int)status;
}
