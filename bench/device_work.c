/* SPDX-License-Identifier: MIT */
/*
 * The whole user space of the guest of device_speed.py: reads a disk, talks to the host by a
 * network, and says on the second serial port how long each took by the guest's clock. port=N on
 * the kernel's command line is where the host echoes bytes, at 10.0.2.2; with work=NAME it does
 * that one alone, with work=none nothing, and with floor=OPTIONS all that as a guest of
 * floor/floor.c.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench/become_guest.h"

#define ROUNDS 3u
#define DISK "/dev/vda"
#define DISK_SIZE (64u << 20)
#define PIECE (1u << 20) /* of a sequential read */
#define SEQUENTIAL (32u << 20)
#define BLOCK 4096u /* of a random one */
#define RANDOMS 500u
#define TRIPS 500u
#define WAIT_S 60u

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* In the order that is written there; what this machine has no use for is refused by itself. */
static void load_modules(void)
{
	FILE *order = fopen("/lib/modules/order", "re");
	char name[128], path[160];

	while (order && fscanf(order, "%127s", name) == 1) {
		int file;

		snprintf(path, sizeof(path), "/lib/modules/%s", name);
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		syscall(SYS_finit_module, file, "", 0);
		close(file);
	}
	if (order)
		fclose(order);
}

/* Past the page cache; -1 when the disk does not come. */
static int open_disk(void)
{
	for (unsigned int i = 0; i < 10 * WAIT_S; i++) {
		int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

		if (disk >= 0)
			return disk;
		usleep(100000);
	}
	return -1;
}

static uint8_t buffer[PIECE] __attribute__((aligned(4096)));

static bool read_sequential(int disk)
{
	for (uint32_t at = 0; at < SEQUENTIAL; at += PIECE)
		if (pread(disk, buffer, PIECE, (off_t)at) != (ssize_t)PIECE)
			return false;
	return true;
}

static bool read_random(int disk)
{
	uint32_t state = 1;

	for (unsigned int i = 0; i < RANDOMS; i++) {
		state = state * 1664525u + 1013904223u;
		if (pread(disk, buffer, BLOCK, (off_t)(state >> 8) % (DISK_SIZE / BLOCK) * BLOCK) !=
		    (ssize_t)BLOCK)
			return false;
	}
	return true;
}

static bool set_address(const char *name)
{
	struct sockaddr_in *address;
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok;

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	address = (struct sockaddr_in *)&request.ifr_addr;
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = inet_addr("10.0.2.15");
	ok = ioctl(fd, SIOCSIFADDR, &request) == 0;
	address->sin_addr.s_addr = inet_addr("255.255.255.0");
	ok = ok && ioctl(fd, SIOCSIFNETMASK, &request) == 0;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return ok;
}

static int connect_host(void)
{
	const char *port = getenv("port");
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.0.2.2") };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)(port ? strtoul(port, NULL, 10) : 0));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (set_address("eth0") && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool make_trips(int host)
{
	uint8_t byte = 1;

	for (unsigned int i = 0; i < TRIPS; i++)
		if (write(host, &byte, 1) != 1 || read(host, &byte, 1) != 1)
			return false;
	return true;
}

static const struct {
	const char *name;
	bool (*run)(int);
	bool of_network;
} works[] = {
	{ "sequential", read_sequential, false },
	{ "random", read_random, false },
	{ "trips", make_trips, true },
};

/* only: the name of one work, or NULL. */
static void measure(int port, int disk, int host, const char *only)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
			uint64_t before = now_us();
			bool fine;

			if (only && strcmp(only, works[i].name) != 0)
				continue;
			fine = works[i].run(works[i].of_network ? host : disk);
			dprintf(port, "%s %s %llu\n", fine ? "took" : "failed", works[i].name,
				(unsigned long long)(now_us() - before));
		}
	}
}

int main(void)
{
	char *floor = getenv("floor");
	uint64_t boot = now_us();
	int port, disk, host;

	if (mount("dev", "/dev", "devtmpfs", 0, NULL) == 0 &&
	    (port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC)) >= 0) {
		dprintf(port, "took boot-clock %llu\n", (unsigned long long)boot);
		load_modules();
		disk = open_disk();
		host = connect_host();
		if (floor && !become_guest(floor))
			dprintf(port, "failed floor\n");
		measure(port, disk, host, getenv("work"));
		dprintf(port, "end\n");
		tcdrain(port);
	}
	reboot(RB_POWER_OFF);
	return 1;
}
