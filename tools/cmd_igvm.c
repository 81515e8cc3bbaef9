/* SPDX-License-Identifier: MIT */
/* `socle igvm`: builds, shows and measures IGVM files. */
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"

static const struct command commands[] = {
	{ "build", "make an IGVM file", igvm_build },
	{ "show", "say what an IGVM file holds", igvm_show },
	{ "measure", "print the launch digest that an IGVM file gives", igvm_measure },
};

int cmd_igvm(int argc, char **argv)
{
	return cmd_one_of("socle igvm", commands, sizeof(commands) / sizeof(commands[0]), argc,
			  argv);
}
