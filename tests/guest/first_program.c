/* SPDX-License-Identifier: MIT */
/*
 * The whole user space of a guest that only has to start: says on the second serial port how many
 * processors there are, and switches the machine off. With patches=N on the kernel's command line
 * it first makes the kernel patch itself 2 N times, at many places of the scheduler, while two
 * processes have it run there all the time.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SWITCH "/proc/sys/kernel/sched_schedstats" /* a static key */

/* Passes a byte on for ever. */
static void pass_on(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
		;
	_exit(1);
}

/* Two processes that wake each other: their process group, or -1. */
static pid_t start_load(void)
{
	int there[2], back[2];
	pid_t group;

	if (pipe(there) != 0 || pipe(back) != 0 || write(there[1], "", 1) != 1)
		return -1;
	group = fork();
	if (group == 0)
		pass_on(there[0], back[1]);
	setpgid(group, group);
	if (fork() == 0) {
		setpgid(0, group);
		pass_on(back[0], there[1]);
	}
	return group;
}

/* How often the kernel took the key's new value. */
static unsigned int patch_kernel(unsigned int times)
{
	unsigned int done = 0;
	int key = open(SWITCH, O_WRONLY);

	for (unsigned int i = 0; key >= 0 && i < times; i++)
		done += pwrite(key, "1", 1, 0) == 1 && pwrite(key, "0", 1, 0) == 1;
	return done;
}

static void patch_under_load(unsigned int times, int port)
{
	pid_t load = start_load();

	if (load > 0)
		dprintf(port, "%u patches\n", patch_kernel(times));
	kill(-load, SIGKILL);
}

int main(void)
{
	const char *patches = getenv("patches");
	int port;

	if (mount("dev", "/dev", "devtmpfs", 0, NULL) == 0 &&
	    mount("proc", "/proc", "proc", 0, NULL) == 0 &&
	    (port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY)) >= 0) {
		if (patches)
			patch_under_load((unsigned int)strtoul(patches, NULL, 10), port);
		dprintf(port, "%ld processors\n", sysconf(_SC_NPROCESSORS_ONLN));
		tcdrain(port);
	}
	reboot(RB_POWER_OFF);
	return 1;
}
