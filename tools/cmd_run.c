/* SPDX-License-Identifier: MIT */
/* `socle run`: reads the command line and hands over to the machine's host process. */
#include "tools/cmd.h"

int cmd_run(int argc, char **argv)
{
	if (argc < 2)
		return cmd_error("run: no IGVM file given");
	return cmd_file_error(argv[argc - 1], "the machine is not built in");
}
