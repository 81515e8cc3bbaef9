/* SPDX-License-Identifier: MIT */
#include "machine/host/qemu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/host/clock.h"
#include "core/base/number.h"
#include "machine/host/dma_fault.h"
#include "machine/mailbox.h"

#define ARGUMENTS_MAX 192
#define ANSWER_S 10u	    /* for what QEMU says of itself at once */
#define VMPL0_SERIAL 2u	    /* COM3 */
#define MAX_MEMORY_GIB 256u /* so that QEMU has room for the hypervisor's RAM at 128 GiB */

/* QEMU emulates 40 physical bits unless told otherwise; the C-bit is bit 47. */
#define TCG_CPU "EPYC-Milan,+svm,+npt,phys-bits=48"

struct arguments {
	char *argv[ARGUMENTS_MAX + 1];
	unsigned int count;
	bool bad;
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *args, const char *format,
						      ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	if (args->count == ARGUMENTS_MAX || vasprintf(&text, format, list) < 0)
		args->bad = true;
	else
		args->argv[args->count++] = text;
	va_end(list);
}

static void free_arguments(struct arguments *args)
{
	for (unsigned int i = 0; i < args->count; i++)
		free(args->argv[i]);
}

/* In QEMU's options a comma within a value is written twice. */
static char *escape(const char *value)
{
	char *escaped = calloc(2, strlen(value) + 1);
	char *to = escaped;

	for (; escaped && *value; value++) {
		*to++ = *value;
		if (*value == ',')
			*to++ = ',';
	}
	return escaped;
}

static void add_memory(struct arguments *args, const struct qemu_config *c)
{
	add(args, "-m");
	add(args, "%" PRIu64 "M,slots=1,maxmem=%" PRIu64 "G", c->memory >> 20,
	    (uint64_t)MAX_MEMORY_GIB);
	add(args, "-object");
	add(args,
	    "memory-backend-file,id=guest,share=on,size=%" PRIu64 ",mem-path=/proc/self/fd/%d",
	    c->memory, c->guest_ram_fd);
	add(args, "-object");
	add(args, "memory-backend-file,id=hv,share=on,size=%" PRIu64 ",mem-path=/proc/self/fd/%d",
	    machine_hv_size(c->memory), c->hv_ram_fd);
	add(args, "-device");
	add(args, "pc-dimm,memdev=hv,addr=0x%llx", MACHINE_HV_BASE);
}

static void add_fd_chardev(struct arguments *args, const char *id, int fd)
{
	add(args, "-chardev");
	add(args, "socket,id=%s,fd=%d", id, fd);
}

/*
 * COM1 is number 0. A PC has four places for serial ports; one that nobody takes is empty. The
 * interrupts of COM3 and COM4 are those of COM1 and COM2, but for the port of VMPL0, which shares
 * none with a guest.
 */
static void add_serial(struct arguments *args, unsigned int number, const char *id)
{
	add(args, "-device");
	if (number == VMPL0_SERIAL)
		add(args, "isa-serial,index=%u,irq=%u,chardev=%s", number, MACHINE_PIN_VMPL0, id);
	else
		add(args, "isa-serial,index=%u,chardev=%s", number, id);
}

/* ends: what else is to be said of it. */
static void add_socket(struct arguments *args, const char *id, const char *path, const char *ends)
{
	char *escaped = escape(path);

	add(args, "-chardev");
	if (escaped)
		add(args, "socket,id=%s,path=%s%s", id, escaped, ends);
	else
		args->bad = true;
	free(escaped);
}

/*
 * Without a path there is no port at all: at a port that leads nowhere, programs would wait for an
 * answer.
 */
static void add_channel(struct arguments *args, unsigned int number, const char *id,
			const char *path)
{
	if (!path)
		return;
	add_socket(args, id, path, ",server=on,wait=off");
	add_serial(args, number, id);
}

#define TPM "tpm-crb"

/* The kind that has no interrupt: that of the other one would be VMPL0's pin. */
static void add_tpm(struct arguments *args, const char *path, const char *tpm_option)
{
	if (!path)
		return;
	add_socket(args, "tpm", path, "");
	add(args, "-tpmdev");
	add(args, "emulator,id=tpm,chardev=tpm");
	add(args, "-device");
	add(args, TPM ",tpmdev=tpm%s", tpm_option);
}

/*
 * What some versions of QEMU want said, and others do not know; empty, or as it stands behind a
 * device's name.
 */
struct qemu_options {
	const char *iommu, *tpm;
};

static void add_devices(struct arguments *args, const struct qemu_config *c,
			const struct qemu_options *options)
{
	add_fd_chardev(args, "console", c->console_fd);
	add_fd_chardev(args, "doorbell", c->doorbell_fd);
	add_fd_chardev(args, "debug", c->debug_fd);
	add_serial(args, 0, "console");
	add_channel(args, 1, "channel", c->channel);
	add_channel(args, VMPL0_SERIAL, "vmpl0", c->vmpl0_channel);
	add_channel(args, 3, "test", c->test_channel);
	add_tpm(args, c->tpm, options->tpm);
	add(args, "-device");
	add(args, "pvpanic,events=1"); /* the panic; not that another kernel takes over */
	add(args, "-device");
	add(args, "isa-debugcon,iobase=0x%x,chardev=doorbell", MACHINE_PORT_DOORBELL);
	add(args, "-device");
	add(args, "isa-debugcon,iobase=0x%x,chardev=debug", MACHINE_PORT_DEBUG_DEVICE);
	add(args, "-device");
	add(args, "isa-debug-exit,iobase=0x%x,iosize=4", MACHINE_PORT_EXIT);
}

/*
 * Places on the bus: those before are QEMU's own, and its IOMMU's, which takes the first that is
 * free.
 */
#define FIRST_SLOT 3u

#define IOMMU "amd-iommu"

/* Modern, and behind the IOMMU. */
#define VIRTIO "disable-legacy=on,iommu_platform=on"

static void add_disk(struct arguments *args, const struct guest_disk *disk, unsigned int n,
		     unsigned int slot)
{
	static const char *const drivers[DISK_FORMATS] = {
		[DISK_FORMAT_RAW] = "raw", [DISK_FORMAT_QCOW2] = "qcow2"
	};
	struct stat st;
	bool is_block = stat(disk->path, &st) == 0 && S_ISBLK(st.st_mode);
	char *escaped = escape(disk->path);

	add(args, "-drive");
	if (escaped)
		add(args,
		    "if=none,id=disk%u,snapshot=%s,driver=%s,file.driver=%s,file.locking=on,"
		    "file.filename=%s",
		    n, disk->snapshot ? "on" : "off", drivers[disk->format],
		    is_block ? "host_device" : "file", escaped);
	else
		args->bad = true;
	free(escaped);
	add(args, "-device");
	switch (disk->bus) {
	case DEVICE_BUS_VIRTIO_BLK:
		add(args, "virtio-blk-pci,drive=disk%u,addr=0x%x," VIRTIO, n, slot);
		return;
	case DEVICE_BUS_VIRTIO_SCSI:
		add(args, "virtio-scsi-pci,id=scsi%u,addr=0x%x," VIRTIO, n, slot);
		add(args, "-device");
		add(args, "scsi-hd,drive=disk%u,bus=scsi%u.0", n, n);
		return;
	case DEVICE_BUS_NVME:
		add(args, "nvme,drive=disk%u,serial=disk%u,addr=0x%x", n, n, slot);
		return;
	case DEVICE_BUS_AHCI:
		add(args, "ich9-ahci,id=ahci%u,addr=0x%x", n, slot);
		add(args, "-device");
		add(args, "ide-hd,drive=disk%u,bus=ahci%u.0", n, n);
		return;
	default:
		args->bad = true;
	}
}

/* ADDRESS:PORT in base-10; no address where any, or the guest's first one, is meant. */
static void write_end(char *to, size_t size, const struct in_addr *address, uint16_t port)
{
	char text[INET_ADDRSTRLEN] = "";

	if (address->s_addr != htonl(INADDR_ANY))
		inet_ntop(AF_INET, address, text, sizeof(text));
	snprintf(to, size, "%s:%u", text, port);
}

static void add_network(struct arguments *args, const struct guest_network *network, unsigned int n)
{
	char text[64 * (NETWORK_FORWARDS_MAX + 1)], host[32], guest[32];
	size_t used = (size_t)snprintf(text, sizeof(text), "user,id=net%u", n);

	if (network && network->restricted)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",restrict=on");
	for (size_t i = 0; network && i < network->forward_count; i++) {
		const struct host_forward *forward = &network->forwards[i];

		write_end(host, sizeof(host), &forward->host, forward->host_port);
		write_end(guest, sizeof(guest), &forward->guest, forward->guest_port);
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",hostfwd=%s:%s-%s",
					 forward->udp ? "udp" : "tcp", host, guest);
	}
	add(args, "-netdev");
	add(args, "%s", text);
}

static void add_other(struct arguments *args, const struct guest_devices *devices, unsigned int n,
		      unsigned int slot)
{
	const struct guest_other *other = &devices->others[n];

	if (other->kind != DEVICE_VIRTIO_RNG)
		add_network(args, devices_network(devices, other), n);
	add(args, "-device");
	switch (other->kind) {
	case DEVICE_VIRTIO_NET:
		add(args, "virtio-net-pci,netdev=net%u,romfile=,addr=0x%x," VIRTIO, n, slot);
		return;
	case DEVICE_VIRTIO_RNG:
		add(args, "virtio-rng-pci,addr=0x%x," VIRTIO, slot);
		return;
	case DEVICE_E1000:
		add(args, "e1000,netdev=net%u,romfile=,addr=0x%x", n, slot);
		return;
	default:
		args->bad = true;
	}
}

/* In the child. */
static void become_asked(const char *qemu, const char *option, const char *value, int output)
{
	dup2(output, STDOUT_FILENO);
	execlp(qemu, qemu, option, value, (char *)NULL);
	_exit(127);
}

/* Waits for what there is to read, or, of a process, its end, until then by clock_ms(). */
static bool becomes_ready(int fd, uint64_t until)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	uint64_t now;
	int n = -1;

	while (n < 0 && (now = clock_ms()) < until) {
		n = poll(&wanted, 1, (int)(until - now));
		if (n < 0 && errno != EINTR)
			return false;
	}
	return n > 0;
}

/* Up to the end, or size bytes, or that time. Whether the end came. */
static bool read_answer(int fd, uint64_t until, char *text, size_t size, size_t *used)
{
	ssize_t got;

	for (*used = 0; *used < size && becomes_ready(fd, until);
	     *used += got > 0 ? (size_t)got : 0) {
		got = read(fd, text + *used, size - *used);
		if (got == 0)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
	}
	return false;
}

/* Its wait status. Who does not end in time is ended. */
static int wait_or_end(pid_t pid, uint64_t until)
{
	int status = -1, pidfd = pidfd_open(pid, 0);

	if (pidfd < 0 || !becomes_ready(pidfd, until))
		kill(pid, SIGKILL);
	if (pidfd >= 0)
		close(pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

enum answer {
	ANSWER_WHOLE,
	ANSWER_NONE, /* nothing to rely on */
	ANSWER_LATE, /* nor an end, in ANSWER_S; error says so */
};

/* What QEMU, called with these arguments, says in less than size bytes. */
static enum answer ask(const char *qemu, const char *option, const char *value, char *text,
		       size_t size, struct host_error *error)
{
	const uint64_t until = clock_ms() + ANSWER_S * 1000u;
	int fds[2], status = -1;
	bool whole = false;
	size_t n = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return ANSWER_NONE;
	pid = fork();
	if (pid == 0)
		become_asked(qemu, option, value, fds[1]);
	close(fds[1]);
	if (pid > 0)
		whole = read_answer(fds[0], until, text, size, &n);
	close(fds[0]);
	if (pid > 0)
		status = wait_or_end(pid, until);
	if (clock_ms() >= until) {
		host_fail(error, "%s %s: no answer in %u seconds", qemu, option, ANSWER_S);
		return ANSWER_LATE;
	}
	if (!whole || status != 0)
		return ANSWER_NONE;
	text[n] = '\0';
	return ANSWER_WHOLE;
}

bool qemu_version(const char *path, uint32_t *version, struct host_error *error)
{
	static const char before[] = "QEMU emulator version ";
	char text[256], *at, *dot;
	uint64_t major, minor;
	enum answer answer;
	size_t digits;

	*version = 0;
	answer = ask(path, "--version", NULL, text, sizeof(text), error);
	if (answer != ANSWER_WHOLE)
		return answer != ANSWER_LATE;
	at = strstr(text, before);
	if (!at)
		return true;
	at += strlen(before);
	dot = at + number_at(at, strlen(at), NUMBER_DECIMAL, &major);
	if (dot == at || *dot != '.')
		return true;
	digits = number_at(dot + 1, strlen(dot + 1), NUMBER_DECIMAL, &minor);
	if (digits && major <= 0xff && minor <= 0xff)
		*version = (uint32_t)(major << 8 | minor);
	return true;
}

/*
 * *option is what stands behind a device's name, where its help has the word. Who is not sure does
 * not start.
 */
static bool find_option(const char *qemu, const char *device, const char *word, const char *wanted,
			const char **option, struct host_error *error)
{
	static char text[16384];
	char asked[64];
	enum answer answer;

	snprintf(asked, sizeof(asked), "%s,help", device);
	answer = ask(qemu, "-device", asked, text, sizeof(text), error);
	if (answer == ANSWER_LATE)
		return false;
	if (answer == ANSWER_NONE || !strstr(text, device))
		return host_fail(error, "%s does not say what its %s can do", qemu, device);
	*option = strstr(text, word) ? wanted : "";
	return true;
}

/*
 * QEMU 11 translates addresses for no device unless asked to, and so devices would reach all
 * memory; earlier versions translate for all devices, and do not know the word. A TPM is to be
 * without the memory by which a system asks its firmware to change it (ppi), for nobody is present
 * at this machine; QEMU 11 lets nobody choose.
 */
static bool find_options(const struct qemu_config *c, struct qemu_options *options,
			 struct host_error *error)
{
	*options = (struct qemu_options){ "", "" };
	if (devices_exist(c->devices) &&
	    !find_option(c->path, IOMMU, "dma-remap=", ",dma-remap=on", &options->iommu, error))
		return false;
	return !c->tpm || find_option(c->path, TPM, "ppi=", ",ppi=off", &options->tpm, error);
}

/* Nobody reaches memory without the IOMMU; what it refuses comes by the trace. */
static void add_guest_devices(struct arguments *args, const struct guest_devices *devices,
			      const char *iommu_option)
{
	unsigned int slot = FIRST_SLOT;

	if (!devices_exist(devices))
		return;
	add(args, "-device");
	add(args, IOMMU ",intremap=on%s", iommu_option);
	add(args, "-trace");
	add(args, "%s", DMA_FAULT_EVENT);
	add(args, "-trace");
	add(args, "%s", DMA_FAULT_PAGE);
	for (unsigned int i = 0; i < devices->disk_count; i++)
		add_disk(args, &devices->disks[i], i, slot++);
	for (unsigned int i = 0; i < devices->other_count; i++)
		add_other(args, devices, i, slot++);
}

static void add_fw_cfg(struct arguments *args, const char *name, int fd)
{
	if (fd < 0)
		return;
	add(args, "-fw_cfg");
	add(args, "name=%s,file=/proc/self/fd/%d", name, fd);
}

static void build_arguments(struct arguments *args, const struct qemu_config *c,
			    const struct qemu_options *options)
{
	bool tcg = strcmp(c->accel, "tcg") == 0;
	/* ACPI names neither S3 nor S4: no vCPU would come back from there. */
	static const char *const fixed[] = { "-nodefaults",
					     "-no-user-config",
					     "-no-reboot",
					     "-display",
					     "none",
					     "-monitor",
					     "none",
					     "-global",
					     "ICH9-LPC.disable_s3=1",
					     "-global",
					     "ICH9-LPC.disable_s4=1" };

	add(args, "%s", c->path);
	for (unsigned int i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add(args, "%s", fixed[i]);
	add(args, "-machine");
	add(args, "q35,hpet=off,memory-backend=guest,max-ram-below-4g=%lluG",
	    MACHINE_RAM_LOW_MAX >> 30);
	add(args, "-accel");
	add(args, "%s", tcg ? "tcg,thread=multi" : c->accel);
	add(args, "-cpu");
	add(args, "%s%s", tcg ? TCG_CPU : "host,+svm", c->cpu_without ? c->cpu_without : "");
	add(args, "-smp");
	add(args, "%u,sockets=1,threads=1", MACHINE_BOOT_CPUS + c->cpus);
	add(args, "-bios");
	add(args, "%s", c->hv_image);
	add_memory(args, c);
	add_devices(args, c, options);
	add_guest_devices(args, c->devices, options->iommu);
	add_fw_cfg(args, "etc/hardware-info", c->hardware_info_fd);
	add_fw_cfg(args, MACHINE_FW_CFG_KERNEL, c->kernel_fd);
	add_fw_cfg(args, MACHINE_FW_CFG_INITRD, c->initrd_fd);
	add_fw_cfg(args, MACHINE_FW_CFG_APPEND, c->append_fd);
}

static void keep_open(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

/* Runs in the child: only returns when the program cannot be started. */
static void become_qemu(const struct qemu_config *c, char **argv, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* the parent died before the line above */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* Its own process group: a Ctrl-C is for the parent, which ends QEMU in its own way. */
	setpgid(0, 0);
	keep_open(c->guest_ram_fd);
	keep_open(c->hv_ram_fd);
	keep_open(c->hardware_info_fd);
	keep_open(c->kernel_fd);
	keep_open(c->initrd_fd);
	keep_open(c->append_fd);
	keep_open(c->console_fd);
	keep_open(c->doorbell_fd);
	keep_open(c->debug_fd);
	dup2(null, STDIN_FILENO);
	dup2(c->output_fd, STDOUT_FILENO);
	dup2(c->output_fd, STDERR_FILENO);
	execvp(c->path, argv);
}

/* Waits until the child has become QEMU; the pipe brings errno when it could not. */
static bool wait_exec(struct qemu *qemu, int pipe_fd, const char *path, struct host_error *error)
{
	int failure;

	if (read(pipe_fd, &failure, sizeof(failure)) != sizeof(failure))
		return true;
	qemu_kill(qemu);
	return host_fail(error, "cannot start %s: %s", path, strerror(failure));
}

static bool spawn(struct qemu *qemu, const struct qemu_config *c, char **argv,
		  struct host_error *error)
{
	pid_t parent = getpid();
	int fds[2];
	bool ok;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return host_fail(error, "cannot make a pipe: %s", strerror(errno));
	qemu->pid = fork();
	if (qemu->pid == 0) {
		become_qemu(c, argv, parent);
		ok = write(fds[1], &errno, sizeof(errno)) == sizeof(errno);
		_exit(ok ? 127 : 126);
	}
	close(fds[1]);
	if (qemu->pid < 0) {
		qemu->pid = 0;
		ok = host_fail(error, "cannot start a process: %s", strerror(errno));
	} else {
		ok = wait_exec(qemu, fds[0], c->path, error);
	}
	close(fds[0]);
	return ok;
}

bool qemu_start(struct qemu *qemu, const struct qemu_config *config, struct host_error *error)
{
	struct arguments args = { 0 };
	struct qemu_options options;
	bool ok;

	*qemu = (struct qemu){ .pidfd = -1 };
	if (!find_options(config, &options, error))
		return false;
	build_arguments(&args, config, &options);
	ok = (!args.bad || host_fail(error, "out of memory")) &&
	     spawn(qemu, config, args.argv, error);
	free_arguments(&args);
	if (!ok)
		return false;
	qemu->pidfd = pidfd_open(qemu->pid, 0);
	if (qemu->pidfd < 0) {
		qemu_kill(qemu);
		return host_fail(error, "cannot watch a process: %s", strerror(errno));
	}
	return true;
}

int qemu_reap(struct qemu *qemu)
{
	int status = 0;

	while (waitpid(qemu->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (qemu->pidfd >= 0)
		close(qemu->pidfd);
	*qemu = (struct qemu){ .pidfd = -1 };
	return status;
}

void qemu_kill(struct qemu *qemu)
{
	if (qemu->pid == 0)
		return;
	kill(qemu->pid, SIGKILL);
	qemu_reap(qemu);
}
