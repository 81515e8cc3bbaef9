/* SPDX-License-Identifier: MIT */
/*
 * Stands in for QEMU and the hypervisor in it: takes QEMU's arguments, finds memory and sockets in
 * them, and plays the scenario that -bios names.
 */
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/mailbox.h"

struct fake {
	struct mailbox *mailbox;
	uint8_t *guest_ram;
	int console, doorbell, debug;
};

static void die(const char *what)
{
	fprintf(stderr, "fake: %s\n", what);
	exit(3);
}

/* The number behind key in the argument that starts with prefix, as in "socket,id=x,fd=7". */
static int number_in(char **argv, const char *prefix, const char *key)
{
	for (; *argv; argv++) {
		const char *at;

		if (strncmp(*argv, prefix, strlen(prefix)) != 0)
			continue;
		at = strstr(*argv, key);
		if (at)
			return atoi(at + strlen(key));
	}
	die(prefix);
	return -1;
}

static const char *value_of(char **argv, const char *option)
{
	for (; argv[0] && argv[1]; argv++) {
		if (strcmp(argv[0], option) == 0)
			return argv[1];
	}
	die(option);
	return NULL;
}

static void *map(int fd, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void put(int fd, const char *text, size_t size)
{
	if (write(fd, text, size) != (ssize_t)size)
		die("write");
}

static void text(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static void ring(const struct fake *f, enum mailbox_event event)
{
	char byte = (char)('A' + event);

	put(f->doorbell, &byte, 1);
}

static void hv_log(const struct fake *f, const char *line)
{
	for (; *line; line++) {
		f->mailbox->log[f->mailbox->log_head % MAILBOX_LOG_SIZE] = *line;
		f->mailbox->log_head++;
	}
	ring(f, MAILBOX_EVENT_LOG);
}

static void stop_at(const struct fake *f, enum mailbox_stop reason, uint64_t vmpl)
{
	struct mailbox *m = f->mailbox;

	m->stop_arg[0] = vmpl;
	m->stop_arg[1] = 0x1001;
	m->stop_arg[2] = 0x1002;
	m->stop_arg[3] = 0x1003;
	m->stop_reason = reason;
	ring(f, MAILBOX_EVENT_STOP);
	exit(1); /* as isa-debug-exit does */
}

static void stop(const struct fake *f, enum mailbox_stop reason)
{
	stop_at(f, reason, 2);
}

static void ask(const struct fake *f, enum mailbox_request request, uint64_t pages)
{
	struct mailbox *m = f->mailbox;
	char line[80];

	m->request = request;
	m->arg[0] = 2;
	m->arg[1] = pages;
	__atomic_store_n(&m->state, MAILBOX_REQUEST, __ATOMIC_RELEASE);
	ring(f, MAILBOX_EVENT_REQUEST);
	while (__atomic_load_n(&m->state, __ATOMIC_ACQUIRE) != MAILBOX_DONE)
		usleep(1000);
	snprintf(line, sizeof(line), "answer %llx pages %llu guid %02x\n",
		 (unsigned long long)m->result, (unsigned long long)m->certs_pages, m->certs[0]);
	hv_log(f, line);
	m->certs[0] = 0;
	m->state = MAILBOX_IDLE;
}

static void play_requests(const struct fake *f)
{
	ask(f, MAILBOX_REQ_GUEST_REQUEST, 0);
	ask(f, MAILBOX_REQ_EXT_GUEST_REQUEST, 1);
	ask(f, MAILBOX_REQ_EXT_GUEST_REQUEST, 2);
	ask(f, 77, 0);
	stop(f, MAILBOX_STOP_POWEROFF);
}

/* The disk of "disk", eight sectors: what is in the mailbox, and what comes back. */
static void play_disk(const struct fake *f)
{
	static const struct {
		enum mailbox_request request;
		uint64_t sector, bytes;
	} requests[] = {
		{ MAILBOX_REQ_DISK_WRITE, 7, 512 },	   { MAILBOX_REQ_DISK_FLUSH, 0, 0 },
		{ MAILBOX_REQ_DISK_READ, 6, 1024 },	   { MAILBOX_REQ_DISK_READ, 8, 512 },
		{ MAILBOX_REQ_DISK_READ, 0, 65536 + 512 },
	};
	struct mailbox *m = f->mailbox;
	char line[80];

	memset(m->disk, 'x', sizeof(m->disk));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		m->request = requests[i].request;
		m->arg[0] = requests[i].sector;
		m->arg[1] = requests[i].bytes;
		__atomic_store_n(&m->state, MAILBOX_REQUEST, __ATOMIC_RELEASE);
		ring(f, MAILBOX_EVENT_REQUEST);
		while (__atomic_load_n(&m->state, __ATOMIC_ACQUIRE) != MAILBOX_DONE)
			usleep(1000);
		snprintf(line, sizeof(line), "disk %llu: %llu %c%c\n",
			 (unsigned long long)m->disk_sectors, (unsigned long long)m->result,
			 m->disk[0], m->disk[1023]);
		hv_log(f, line);
		m->state = MAILBOX_IDLE;
	}
	stop(f, MAILBOX_STOP_POWEROFF);
}

static void play_logs(const struct fake *f)
{
	text(f->debug, "monitor: boot\r\nmonitor: services ");
	text(f->debug, "ready now\nand again: services ready\n");
	text(f->console, "Linux version\nlogin: ");
	ring(f, MAILBOX_EVENT_VMPL0_ENTRY);
	ring(f, MAILBOX_EVENT_VMPL2_ENTRY);
	f->mailbox->exits[3].code = 0x72;
	f->mailbox->exits[3].count[2] = 5;
	f->mailbox->exits[4].code = 0x80000010ull | 1ull << 63;
	f->mailbox->exits[4].count[0] = 7;
	f->mailbox->switches[2] = 9;
	hv_log(f, "a line of the hypervisor\n");
	stop(f, MAILBOX_STOP_POWEROFF);
}

/* VMPL0 says why it ends; bytes that are no text must not get into timeline.json. */
static void play_monitor_ends(const struct fake *f)
{
	text(f->debug, "monitor: boot\nmonitor: ends:\x1b\xff why\r\n\n");
	stop_at(f, MAILBOX_STOP_GUEST_TERMINATE, 0);
}

static void play_guest_ends(const struct fake *f)
{
	text(f->debug, "monitor: boot\n");
	stop_at(f, MAILBOX_STOP_GUEST_TERMINATE, 2);
}

static void play_long_log(const struct fake *f)
{
	struct mailbox *m = f->mailbox;

	memset(m->log, 'x', sizeof(m->log));
	m->log[MAILBOX_LOG_SIZE - 1] = '\n';
	memcpy(m->log, "after\n", 6);
	m->log_head = 3ull * MAILBOX_LOG_SIZE + 6;
	hv_log(f, "last\n");
	stop(f, MAILBOX_STOP_POWEROFF);
}

/* The launch, seen from the other side: 0x5a for a right mailbox and right memory. */
static void play_launch(const struct fake *f)
{
	const struct mailbox *m = f->mailbox;
	bool ok = m->magic == MAILBOX_MAGIC && m->version == MAILBOX_VERSION && m->cpu_count == 2 &&
		  m->qemu_version == 0x0a03 && m->guest_ram_size == 64u << 20 &&
		  m->vmsa_gpa[0] == 0x1004000 && f->guest_ram[0x1000000] == 0xa5 &&
		  f->guest_ram[0x1000fff] == 0xa5;

	hv_log(f, ok ? "launch is right\n" : "launch is wrong\n");
	stop(f, MAILBOX_STOP_POWEROFF);
}

/* Leaves something to see in memory, and the table of the RMP at offset. */
static void play_dump(const struct fake *f, uint64_t offset)
{
	f->guest_ram[0x2000] = 0x77;
	f->mailbox->rmp_offset = offset;
	memset((uint8_t *)f->mailbox - MACHINE_MAILBOX_OFFSET + 0x3000, 0x3c, 0x20000);
	stop(f, MAILBOX_STOP_POWEROFF);
}

/*
 * Resets the machine twice, and then powers it off: each life finds new memory, and leaves
 * something in it.
 */
static void play_reboots(const struct fake *f)
{
	FILE *lives = fopen("lives", "a+");
	char line[80];
	long count;

	if (!lives || fputc('x', lives) == EOF || fflush(lives) != 0)
		die("lives");
	count = ftell(lives);
	fclose(lives);
	snprintf(line, sizeof(line), "life %ld: %02x %02x %llu\n", count, f->guest_ram[0x2000],
		 f->guest_ram[0x1000000], (unsigned long long)f->mailbox->log_head);
	hv_log(f, line);
	text(f->console, "a life\n");
	f->guest_ram[0x2000] = 0x77;
	stop(f, count < 3 ? MAILBOX_STOP_REBOOT : MAILBOX_STOP_POWEROFF);
}

/* A guest that answers each key with the same in capitals, until Q. */
static void play_keys(const struct fake *f)
{
	char key;

	f->mailbox->exits[3].count[0] = 5;
	text(f->debug, "ready\n");
	while (read(f->console, &key, 1) == 1 && key != 'q') {
		key = (char)toupper(key);
		put(f->console, &key, 1);
	}
	stop(f, MAILBOX_STOP_POWEROFF);
}

/* Says by which words it was given its TPM. */
static void play_tpm(const struct fake *f, char **argv)
{
	for (; *argv; argv++) {
		if (strncmp(*argv, "tpm-crb,", 8) == 0) {
			hv_log(f, *argv);
			hv_log(f, "\n");
		}
	}
	stop(f, MAILBOX_STOP_POWEROFF);
}

static void hang(const struct fake *f)
{
	FILE *out = fopen("fake.pid", "w");

	if (out) {
		fprintf(out, "%d\n", (int)getpid());
		fclose(out);
	}
	ring(f, MAILBOX_EVENT_VMPL0_ENTRY);
	signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

static void play(const struct fake *f, const char *scenario)
{
	static const struct {
		const char *name;
		enum mailbox_stop reason;
	} stops[] = {
		{ "poweroff", MAILBOX_STOP_POWEROFF },
		{ "terminate", MAILBOX_STOP_GUEST_TERMINATE },
		{ "shutdown", MAILBOX_STOP_SHUTDOWN },
		{ "reboot", MAILBOX_STOP_REBOOT },
		{ "test-exit", MAILBOX_STOP_TEST_EXIT },
		{ "guest-hangs", MAILBOX_STOP_HANG },
		{ "panic", MAILBOX_STOP_PANIC },
		{ "cpu-lacks", MAILBOX_STOP_CPU_LACKS },
		{ "rmp", MAILBOX_STOP_RMP_VIOLATION },
		{ "hv-error", MAILBOX_STOP_HV_ERROR },
		{ "unknown-stop", 99 },
	};

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		if (strcmp(scenario, stops[i].name) == 0)
			stop(f, stops[i].reason);
	}
	if (strcmp(scenario, "requests") == 0)
		play_requests(f);
	if (strcmp(scenario, "disk") == 0)
		play_disk(f);
	if (strcmp(scenario, "logs") == 0)
		play_logs(f);
	if (strcmp(scenario, "monitor-ends") == 0)
		play_monitor_ends(f);
	if (strcmp(scenario, "guest-ends") == 0)
		play_guest_ends(f);
	if (strcmp(scenario, "long-log") == 0)
		play_long_log(f);
	if (strcmp(scenario, "launch") == 0)
		play_launch(f);
	if (strcmp(scenario, "dump") == 0)
		play_dump(f, 0x3000);
	if (strcmp(scenario, "dump-wild") == 0)
		play_dump(f, machine_hv_size(64u << 20) - 0x1ffff);
	if (strcmp(scenario, "keys") == 0)
		play_keys(f);
	if (strcmp(scenario, "reboots") == 0)
		play_reboots(f);
	if (strcmp(scenario, "hang") == 0)
		hang(f);
	if (strcmp(scenario, "killed") == 0)
		raise(SIGSEGV);
	if (strcmp(scenario, "died-rudely") == 0)
		die("\x1b[2J\xff");
	die("cannot go on");
}

static int stand_in(char **argv)
{
	struct fake f = {
		.console = number_in(argv, "socket,id=console,", "fd="),
		.doorbell = number_in(argv, "socket,id=doorbell,", "fd="),
		.debug = number_in(argv, "socket,id=debug,", "fd="),
	};
	uint8_t *hv_ram = map(number_in(argv, "memory-backend-file,id=hv,", "/fd/"),
			      machine_hv_size(64u << 20));

	f.mailbox = (struct mailbox *)(hv_ram + MACHINE_MAILBOX_OFFSET);
	if (strcmp(value_of(argv, "-bios"), "vanishes") == 0 && unlink(argv[0]) == 0)
		stop(&f, MAILBOX_STOP_REBOOT);
	f.guest_ram = map(number_in(argv, "memory-backend-file,id=guest,", "/fd/"), 64u << 20);
	if (strcmp(value_of(argv, "-bios"), "tpm") == 0)
		play_tpm(&f, argv);
	play(&f, value_of(argv, "-bios"));
	return 0;
}

/* The help of its TPM, as QEMU 7.2 and 11.1 have it, and two that give none. */
static int tell_of_tpm(const char *name)
{
	if (strcmp(name, "./fails") == 0)
		return 1;
	if (strcmp(name, "./mute") == 0)
		return 0;
	puts("tpm-crb options:");
	if (strcmp(name, "./without-ppi") != 0)
		puts("  ppi=<bool>             -  (default: true)");
	puts("  tpmdev=<str>           - ID of a tpm to use as a backend");
	return 0;
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], "./silent") == 0)
		pause();
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("QEMU emulator version 10.3.91 (a stand-in)");
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "-device") == 0 && strcmp(argv[2], "amd-iommu,help") == 0) {
		puts("amd-iommu options:\n  intremap=<OnOffAuto>");
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "-device") == 0 && strcmp(argv[2], "tpm-crb,help") == 0)
		return tell_of_tpm(argv[0]);
	return stand_in(argv);
}
