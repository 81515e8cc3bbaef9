/* SPDX-License-Identifier: MIT */
#include "bench/become_guest.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool become_guest(char *options)
{
	int file = open("/floor.ko", O_RDONLY | O_CLOEXEC);

	for (char *c = options; *c; c++)
		*c = *c == ',' ? ' ' : *c;
	return file >= 0 && syscall(SYS_finit_module, file, options, 0) == 0;
}
