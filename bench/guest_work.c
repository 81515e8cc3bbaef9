/* SPDX-License-Identifier: MIT */
/*
 * The whole user space of the guest of machine_speed.py: does what is to be measured, and says on
 * the second serial port how long each took by the guest's clock; with work=NAME on the kernel's
 * command line it does that one alone, with work=none nothing, and with floor=OPTIONS everything as
 * a guest of floor/floor.c. Compiled without vector instructions, so that the registers that
 * exchange() fills stay as they are.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench/become_guest.h"

#define ROUNDS 3u
#define FORKS 200u
#define EXCHANGES 2000u
#define LOOP "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
#define CHILD "child" /* argument with which this program only ends */

#define CPUID_1_OSXSAVE (1u << 27)
#define CPUID_1_AVX (1u << 28)

/* Registers of x87 and of vectors, as one process has them. */
struct vectors {
	uint8_t legacy[512]; /* as FXSAVE has it */
	uint8_t upper[16][16];
} __attribute__((aligned(16)));

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static bool has_avx(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & CPUID_1_OSXSAVE) && (c & CPUID_1_AVX);
}

#define UPPER_OUT(n) "vextractf128 $1, %%ymm" #n ", " #n "*16(%0)\n\t"
#define UPPER_IN(n) "vinsertf128 $1, " #n "*16(%0), %%ymm" #n ", %%ymm" #n "\n\t"
#define ALL(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)

static void take(struct vectors *v)
{
	memset(v, 0, sizeof(*v));
	__asm__ volatile("fxsave64 %0" : "=m"(v->legacy));
	if (has_avx())
		__asm__ volatile(ALL(UPPER_OUT) : : "r"(v->upper) : "memory");
}

static void give(const struct vectors *v)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(v->legacy));
	if (has_avx())
		__asm__ volatile(ALL(UPPER_IN) : : "r"(v->upper) : "memory");
}

/* Every register in use, with what only the process of that seed has. */
static void fill(struct vectors *v, uint8_t seed)
{
	take(v);
	v->legacy[4] = 0xff; /* tags: none is empty */
	for (unsigned int i = 0; i < 8; i++)
		memset(&v->legacy[32 + 16 * i], seed + (int)i, 10);
	memset(&v->legacy[160], seed + 8, 256);
	if (has_avx())
		memset(v->upper, seed + 9, sizeof(v->upper));
	give(v);
	take(v);
}

static void on_one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		_exit(2);
}

/* Passes a byte on, so many times. False: it, or a register, was lost. */
static bool pass_on(int from, int to, uint8_t seed, bool first)
{
	struct vectors before, after;
	uint8_t byte = 1;

	fill(&before, seed);
	for (unsigned int i = 0; i < EXCHANGES; i++) {
		if (first && write(to, &byte, 1) != 1)
			return false;
		if (read(from, &byte, 1) != 1)
			return false;
		if (!first && write(to, &byte, 1) != 1)
			return false;
	}
	take(&after);
	return memcmp(&before, &after, sizeof(before)) == 0;
}

static bool ended_well(pid_t child)
{
	int status = 1;

	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Two processes on one processor. */
static bool exchange(void)
{
	int there[2], back[2];
	pid_t child;
	bool fine;

	if (pipe(there) != 0 || pipe(back) != 0)
		return false;
	on_one_processor();
	child = fork();
	if (child == 0)
		_exit(pass_on(there[0], back[1], 0x40, false) ? 0 : 1);
	fine = pass_on(back[0], there[1], 0x80, true);
	close(there[1]);
	close(back[0]);
	fine = ended_well(child) && fine;
	close(there[0]);
	close(back[1]);
	return fine;
}

static pid_t start(char *const argv[])
{
	pid_t child = fork();

	if (child == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return child;
}

static bool forks(void)
{
	char program[] = "/init", word[] = CHILD;
	char *argv[] = { program, word, NULL };

	for (unsigned int i = 0; i < FORKS; i++)
		if (!ended_well(start(argv)))
			return false;
	return true;
}

static bool shell_loop(void)
{
	char program[] = "/bin/busybox", name[] = "sh", option[] = "-c", loop[] = LOOP;
	char *argv[] = { program, name, option, loop, NULL };

	return ended_well(start(argv));
}

static const struct {
	const char *name;
	bool (*run)(void);
} works[] = {
	{ "forks", forks },
	{ "loop", shell_loop },
	{ "exchange", exchange },
};

/* By what the kernel tells the time. */
static void say_clock(int port)
{
	char name[32];
	ssize_t size;
	int file;

	if (mount("sys", "/sys", "sysfs", 0, NULL) != 0)
		return;
	file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		    O_RDONLY | O_CLOEXEC);
	size = file < 0 ? 0 : read(file, name, sizeof(name));
	if (size > 0)
		dprintf(port, "clock %.*s", (int)size, name);
}

/* only: the name of one work, or NULL. */
static void measure(int port, const char *only)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
			uint64_t before = now_us();
			bool fine;

			if (only && strcmp(only, works[i].name) != 0)
				continue;
			fine = works[i].run();
			dprintf(port, "%s %s %llu\n", fine ? "took" : "failed", works[i].name,
				(unsigned long long)(now_us() - before));
		}
	}
}

int main(int argc, char **argv)
{
	char *floor = getenv("floor");
	uint64_t boot = now_us();
	int port;

	if (argc > 1 && strcmp(argv[1], CHILD) == 0)
		return 0;
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) == 0 &&
	    (port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC)) >= 0) {
		dprintf(port, "took boot-clock %llu\navx %d\n", (unsigned long long)boot,
			has_avx());
		say_clock(port);
		if (floor && !become_guest(floor))
			dprintf(port, "failed floor\n");
		measure(port, getenv("work"));
		dprintf(port, "end\n");
		tcdrain(port);
	}
	reboot(RB_POWER_OFF);
	return 1;
}
