/* SPDX-License-Identifier: MIT */
/* The log of the service's code (services/common/serve.h), here on standard error. */
#include "services/common/serve.h"
#include "tools/cmd.h"

void serve_log(const char *line)
{
	cmd_error("%s", line);
}
