/* SPDX-License-Identifier: MIT */
/* The service in a build without it (-Dserve=disabled), as a static one is. */
#include "tools/cmd.h"
#include "tools/verify_serve/service.h"

struct service *service_start(const struct service_options *options)
{
	(void)options;
	cmd_error("verify serve: this build has no HTTP server (libmicrohttpd)");
	return NULL;
}

void service_tick(struct service *service)
{
	(void)service;
}

void service_stop(struct service *service)
{
	(void)service;
}
