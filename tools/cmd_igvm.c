/* SPDX-License-Identifier: MIT */
/* `socle igvm`: builds, shows, measures and checks IGVM files. */
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"
#include "tools/options.h"

const struct command cmd_igvm = {
	.name = "igvm",
	.summary = "build, show, measure and check IGVM files",
	.commands = (const struct command *const[]){ &igvm_build, &igvm_show, &igvm_measure,
						     &igvm_check, NULL },
};
