/* SPDX-License-Identifier: MIT */
/* Sets the machine up, runs it, and takes it down. */
#include "machine/host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "core/base/host/file.h"
#include "machine/host/accel.h"
#include "machine/host/dma_fault.h"
#include "machine/host/dump.h"
#include "machine/host/files.h"
#include "machine/host/firmware_launch.h"
#include "machine/host/machine.h"

#define IMAGE_SIZE_MAX (1ull << 30)
#define DMA_FAULTS_MAX 64u

/*
 * An entry of fw_cfg's etc/hardware-info: edk2's HardwareInfoLib has the format, COCONUT-SVSM's
 * QEMU the type, which says where a virtio device of the SVSM is.
 */
struct hardware_info {
	uint64_t type, size; /* of what follows */
	uint64_t address;
};
ABI_SIZE(struct hardware_info, 24);
#define HARDWARE_INFO_SVSM_VIRTIO_MMIO 0x1000u

/* QEMU's ends of the sockets, by enum machine_stream; closed once it runs. */
struct far_ends {
	int fds[STREAM_COUNT];
};

/* The IGVM file or the firmware; the reader keeps pointing into its bytes. */
struct image {
	const char *path;
	struct file_bytes bytes;
	bool is_firmware;
	struct igvm_file file;
	struct firmware firmware;
};

void machine_log(struct machine *m, const char *source, const char *format, ...)
{
	uint64_t us = timeline_now(&m->timeline) / 1000;
	va_list args;

	if (!m->machine_log)
		return;
	fprintf(m->machine_log, "[%4" PRIu64 ".%06" PRIu64 "] %s: ", us / 1000000, us % 1000000,
		source);
	va_start(args, format);
	vfprintf(m->machine_log, format, args);
	va_end(args);
	fputc('\n', m->machine_log);
	fflush(m->machine_log);
}

void machine_say(struct machine *m, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	stdio_console_machine(&m->stdio, timeline_now(&m->timeline) / 1000000, line);
}

static void check_marks(struct machine *m, const struct run_marks *marks, const char *line)
{
	for (size_t i = 0; i < marks->count; i++) {
		if (strstr(line, marks->marks[i].text) &&
		    timeline_event(&m->timeline, marks->marks[i].name))
			machine_say(m, "%s", marks->marks[i].name);
	}
}

static void on_console_line(void *context, const char *line)
{
	struct machine *m = context;

	check_marks(m, &m->options->console_marks, line);
}

static void on_debug_line(void *context, const char *line)
{
	struct machine *m = context;

	check_marks(m, &m->options->debug_marks, line);
	if (!m->options->log_dir)
		stdio_console_svsm(&m->stdio, line);
	snprintf(m->last_debug, sizeof(m->last_debug), "%s", line);
}

/* A guest can make as many as it likes, and a device tries some several times. */
static void tell_dma_fault(struct machine *m, const struct dma_fault *fault)
{
	if (m->dma_faults > DMA_FAULTS_MAX ||
	    (fault->function == m->last_dma_fault.function && fault->gpa == m->last_dma_fault.gpa))
		return;
	m->last_dma_fault = *fault;
	if (m->dma_faults++ == DMA_FAULTS_MAX) {
		machine_log(m, "host", "more DMA by devices is refused, and not told");
		return;
	}
	if (fault->function == DMA_FAULT_NO_DEVICE)
		machine_log(m, "host",
			    "DMA by a device is refused: page 0x%" PRIx64 " is not shared",
			    fault->gpa);
	else
		machine_log(m, "host",
			    "DMA by device 00:%02x.%x is refused: %s 0x%" PRIx64 " is not shared",
			    fault->function >> 3, fault->function & 7,
			    fault->shift > ABI_PAGE_SHIFT ? "memory from" : "page", fault->gpa);
}

static void on_output_line(void *context, const char *line)
{
	struct machine *m = context;
	struct dma_fault fault;

	if (dma_fault_parse(line, &fault)) {
		tell_dma_fault(m, &fault);
		return;
	}
	machine_log(m, "qemu", "%s", line);
	/* A warning, as for every feature that QEMU does not emulate, is not why it ends. */
	if (!strstr(line, ": warning: "))
		snprintf(m->last_output, sizeof(m->last_output), "%s", line);
}

static void on_hv_line(void *context, const char *line)
{
	machine_log(context, "hv", "%s", line);
}

static bool map_memory(const char *name, uint64_t size, int *fd, void **at,
		       struct host_error *error)
{
	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0)
		return host_fail(error, "cannot make memory: %s", strerror(errno));
	*at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (*at == MAP_FAILED) {
		*at = NULL;
		return host_fail(error, "cannot map memory: %s", strerror(errno));
	}
	return true;
}

/* The host that the options ask for. */
static struct mailbox_host host_of(const struct run_options *options)
{
	const struct host_model *model = options->host;

	return (struct mailbox_host){
		.hv_features = model->hv_features & ~options->lacks,
		.sev_features = model->sev_features,
		.invlpgb = options->own_invlpgb ? options->invlpgb : model->invlpgb,
		.invlpgb_count = model->invlpgb_count,
		.kvm_clock = model->kvm_clock,
		.kvm_eoi = options->own_kvm_eoi ? options->kvm_eoi : model->kvm_eoi,
		.preempt = options->own_preempt ? options->preempt : model->preempt,
		.converts = options->own_convert ? options->converts : model->converts,
		.sides_apart = model->sides_apart,
		.vmsa_not_at_2m = model->vmsa_not_at_2m,
		.features_fixed = model->features_fixed,
	};
}

static uint64_t time_of_day(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool make_memory(struct machine *m, struct host_error *error)
{
	void *guest_ram;

	m->memory.guest_ram_size = m->options->memory;
	if (!map_memory("guest-ram", m->options->memory, &m->guest_ram_fd, &guest_ram, error))
		return false;
	m->memory.guest_ram = guest_ram;
	if (!map_memory("hv-ram", machine_hv_size(m->options->memory), &m->hv_ram_fd, &m->hv_ram,
			error))
		return false;
	m->memory.mailbox = (struct mailbox *)((uint8_t *)m->hv_ram + MACHINE_MAILBOX_OFFSET);
	m->memory.flash = (uint8_t *)m->hv_ram + MACHINE_FLASH_OFFSET;
	m->memory.extra = (uint8_t *)m->hv_ram + MACHINE_EXTRA_OFFSET;
	m->memory.mailbox->device_planes = m->options->device_planes;
	m->memory.mailbox->storm_us = m->options->storm_us;
	m->memory.mailbox->sweeps = m->options->event_sweep;
	m->memory.mailbox->every_us = m->options->every_us;
	m->memory.mailbox->hold = m->options->hold;
	m->memory.mailbox->test_devices = m->options->test_devices;
	m->memory.mailbox->devices = devices_exist(&m->devices);
	m->memory.mailbox->tpm = m->options->tpm != NULL;
	m->memory.mailbox->host = host_of(m->options);
	m->memory.mailbox->started_at = time_of_day();
	m->memory.mailbox->kernel_setup_size = m->kernel.setup_size;
	m->memory.mailbox->disk_sectors = m->disk.sectors;
	memcpy(m->memory.mailbox->faults, m->options->faults, sizeof(m->options->faults));
	return true;
}

static bool open_kernel(struct machine *m, struct host_error *error)
{
	const struct run_options *options = m->options;

	return !options->kernel || kernel_files_open(&m->kernel, options->kernel, options->initrd,
						     options->command_line, error);
}

/* The disk, and what guests read about it: fw_cfg's etc/hardware-info. */
static bool open_disk(struct machine *m, struct host_error *error)
{
	static const struct hardware_info info = { .type = HARDWARE_INFO_SVSM_VIRTIO_MMIO,
						   .size = sizeof(uint64_t),
						   .address = MACHINE_SVSM_DISK };

	if (!m->options->svsm_disk)
		return true;
	if (!disk_open(&m->disk, m->options->svsm_disk, error))
		return false;
	m->hardware_info_fd = memfd_create("hardware-info", MFD_CLOEXEC);
	if (m->hardware_info_fd < 0 ||
	    write(m->hardware_info_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return host_fail(error, "cannot make memory: %s", strerror(errno));
	return true;
}

static struct launch_machine launch_machine_of(const struct run_options *options,
					       const struct kernel_hashes *hashes)
{
	return (struct launch_machine){ .host = options->host,
					.xsave = options->xsave,
					.ram_size = options->memory,
					.cpu_count = options->cpus,
					.svsm_disk = options->svsm_disk != NULL,
					.command_line = options->command_line,
					.kernel = options->kernel != NULL,
					.kernel_hashes = options->kernel_hashes ? hashes : NULL,
					.properties = options->properties,
					.vcpu_signature = options->vcpu_signature };
}

static bool read_firmware(struct image *image, const struct run_options *options,
			  struct host_error *reason)
{
	/* Whether there is a place for them is all that counts here. */
	const struct kernel_hashes none = { 0 };
	const struct launch_machine machine = launch_machine_of(options, &none);
	struct firmware_error wrong;

	if (!firmware_open(&image->firmware, image->bytes.data, image->bytes.size, &wrong))
		return host_fail(reason, "%s, at file offset %" PRIu64, wrong.what, wrong.offset);
	return firmware_launch_check(&image->firmware, &machine, reason);
}

/* Reads and checks what is launched. The reason does not name it. */
static bool read_image(struct image *image, const struct run_options *options,
		       struct host_error *reason)
{
	const struct launch_machine machine = launch_machine_of(options, NULL);
	struct igvm_error igvm_error;

	if (!file_read(image->path, IMAGE_SIZE_MAX, &image->bytes, reason))
		return false;
	if (image->is_firmware)
		return read_firmware(image, options, reason);
	if (!igvm_open(&image->file, image->bytes.data, image->bytes.size, &igvm_error))
		return host_fail(reason, "%s, at file offset %" PRIu64, igvm_error.text,
				 igvm_error.offset);
	return launch_check(&image->file, &machine, reason);
}

static bool open_image(struct image *image, const struct run_options *options,
		       struct host_error *error)
{
	struct host_error reason;

	image->is_firmware = options->firmware != NULL;
	image->path = image->is_firmware ? options->firmware : options->image;
	return read_image(image, options, &reason) ||
	       host_fail(error, "%s: %s", image->path, reason.text);
}

static bool load_image(struct machine *m, const struct image *image, struct host_error *error)
{
	const struct launch_machine machine = launch_machine_of(m->options, &m->kernel.hashes);
	struct host_error reason;
	bool ok;

	if (image->is_firmware)
		ok = firmware_launch_load(&image->firmware, &machine, &m->memory, &m->psp, &reason);
	else
		ok = launch_load(&image->file, &machine, &m->memory, &m->psp, &reason);
	m->image = image->path;
	return ok || host_fail(error, "%s: %s", image->path, reason.text);
}

static bool start_psp(struct machine *m, struct host_error *error)
{
	return psp_init(&m->psp, &m->chain) ||
	       host_fail_crypto(error, "cannot start the AMD Secure Processor");
}

/* When the launch is accepted, and not before: what is refused leaves nothing behind. */
static bool export_certificates(const struct machine *m, struct host_error *error)
{
	return !m->options->certs_out || chain_export(&m->chain, m->options->certs_out, error);
}

static bool open_logs(struct machine *m, struct host_error *error)
{
	const char *dir = m->options->log_dir;

	m->console = (struct text_log){ .on_line = on_console_line, .context = m };
	m->debug = (struct text_log){ .on_line = on_debug_line, .context = m };
	m->output = (struct text_log){ .on_line = on_output_line, .context = m };
	m->hv_log = (struct text_log){ .on_line = on_hv_line, .context = m };
	if (!m->options->quiet)
		stdio_console_open(&m->stdio, dir ? STDIO_CONSOLE_LINES : STDIO_CONSOLE_ALL);
	if (!dir)
		return true;
	if (!files_make_dir(dir, error))
		return false;
	m->machine_log = files_create(dir, "machine.log", false, error);
	m->console_log = m->machine_log ? files_create(dir, "guest.log", false, error) : NULL;
	m->debug_log = m->console_log ? files_create(dir, "svsm.log", false, error) : NULL;
	m->console.copy = m->console_log;
	m->debug.copy = m->debug_log;
	return m->debug_log != NULL;
}

static bool make_streams(struct machine *m, struct far_ends *far, struct host_error *error)
{
	int pair[2];

	for (unsigned int i = 0; i < STREAM_COUNT; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			return host_fail(error, "cannot make a socket: %s", strerror(errno));
		m->streams[i] = pair[0];
		far->fds[i] = pair[1];
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	}
	return true;
}

static void close_far_ends(struct far_ends *far)
{
	for (unsigned int i = 0; i < STREAM_COUNT; i++) {
		if (far->fds[i] >= 0)
			close(far->fds[i]);
	}
}

static bool start_qemu(struct machine *m, const struct far_ends *far, struct host_error *error)
{
	const struct qemu_config config = {
		.path = m->options->qemu,
		.accel = m->accel,
		.hv_image = m->options->hv_image,
		.channel = m->options->channel,
		.vmpl0_channel = m->options->vmpl0_channel,
		.test_channel = m->options->test_channel,
		.tpm = m->options->tpm,
		.cpu_without = m->options->cpu_without,
		.devices = &m->devices,
		.cpus = m->options->cpus,
		.memory = m->options->memory,
		.guest_ram_fd = m->guest_ram_fd,
		.hv_ram_fd = m->hv_ram_fd,
		.hardware_info_fd = m->hardware_info_fd,
		.kernel_fd = m->kernel.kernel_fd,
		.initrd_fd = m->kernel.initrd_fd,
		.append_fd = m->kernel.append_fd,
		.console_fd = far->fds[STREAM_CONSOLE],
		.doorbell_fd = far->fds[STREAM_DOORBELL],
		.debug_fd = far->fds[STREAM_DEBUG],
		.output_fd = far->fds[STREAM_OUTPUT],
	};

	return qemu_start(&m->qemu, &config, error);
}

static bool start_timeline(struct machine *m, struct host_error *error)
{
	return timeline_init(&m->timeline) || host_fail(error, "out of memory");
}

static bool watch_signals(struct machine *m, sigset_t *old, struct host_error *error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, old);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd >= 0 || host_fail(error, "cannot watch signals: %s", strerror(errno));
}

static void say_start(struct machine *m)
{
	char hex[HEX_TEXT_SIZE(PSP_MEASUREMENT_SIZE)];

	hex_write(hex, m->psp.launch.measurement, sizeof(m->psp.launch.measurement));
	machine_log(m, "host", "machine_start");
	if (m->kvm_refusal) {
		machine_log(m, "host", "runs by TCG, not by KVM: %s", m->kvm_refusal);
		machine_say(m, "runs by TCG, not by KVM: %s", m->kvm_refusal);
	}
	machine_log(m, "host", "image %s, vCPUs %u, memory %" PRIu64 " MiB, measurement %s",
		    m->image, m->options->cpus, m->options->memory >> 20, hex);
	machine_say(m, "started, vCPUs %u, memory %" PRIu64 " MiB, measurement %s",
		    m->options->cpus, m->options->memory >> 20, hex);
}

static void say_end(struct machine *m, const struct stop *stop)
{
	machine_log(m, "host", "end: %s", stop->message);
	machine_say(m, "%s", stop->message);
}

/* A disk with snapshot=on ends with its QEMU, and a restart is a new one. */
static void warn_of_restarts(struct machine *m)
{
	if (m->options->on_reboot != RUN_RESTART_ON_REBOOT)
		return;
	for (size_t i = 0; i < m->devices.disk_count; i++) {
		const struct guest_disk *disk = &m->devices.disks[i];

		if (!disk->snapshot)
			continue;
		machine_log(m, "host",
			    "%s has snapshot=on: each restart loses what is written to it",
			    disk->path);
		machine_say(m, "%s has snapshot=on: each restart loses what is written to it",
			    disk->path);
	}
}

/* Whose software emulation the hypervisor runs on, and whether it lacks features on purpose. */
static bool name_processor(const struct machine *m, struct host_error *error)
{
	struct mailbox *mailbox = m->memory.mailbox;

	mailbox->cpu_reduced = m->options->cpu_without[0] != '\0';
	mailbox->qemu_version = 0;
	return strcmp(m->accel, "tcg") != 0 ||
	       qemu_version(m->options->qemu, &mailbox->qemu_version, error);
}

/* From the start of QEMU to its end. False when it did not start. */
static bool run(struct machine *m, struct stop *stop, struct host_error *error)
{
	struct far_ends far = { { -1, -1, -1, -1 } };
	bool ok = make_streams(m, &far, error);

	ok = ok && name_processor(m, error);
	ok = ok && start_qemu(m, &far, error);
	close_far_ends(&far);
	if (!ok)
		return false;
	say_start(m);
	machine_loop(m, stop);
	say_end(m, stop);
	return true;
}

/* A QEMU that was killed leaves the sockets it listened on. */
static void remove_socket(const char *path)
{
	struct stat st;

	if (path && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_file(FILE *f)
{
	if (f)
		fclose(f);
}

static void remove_sockets(const struct run_options *options)
{
	remove_socket(options->channel);
	remove_socket(options->vmpl0_channel);
	remove_socket(options->test_channel);
}

/* Forgets what one life of the guest had, so that another one may begin. */
static void end_life(struct machine *m)
{
	qemu_kill(&m->qemu);
	for (unsigned int i = 0; i < STREAM_COUNT; i++) {
		close_fd(m->streams[i]);
		m->streams[i] = -1;
	}
	if (m->memory.guest_ram)
		munmap(m->memory.guest_ram, m->memory.guest_ram_size);
	if (m->hv_ram)
		munmap(m->hv_ram, machine_hv_size(m->options->memory));
	close_fd(m->guest_ram_fd);
	close_fd(m->hv_ram_fd);
	m->guest_ram_fd = m->hv_ram_fd = -1;
	m->memory = (struct machine_memory){ 0 };
	m->hv_ram = NULL;
	m->hv_log_tail = 0;
	m->last_debug[0] = m->last_output[0] = '\0';
	OPENSSL_cleanse(&m->psp, sizeof(m->psp));
}

static void take_down(struct machine *m)
{
	end_life(m);
	close_fd(m->hardware_info_fd);
	kernel_files_close(&m->kernel);
	disk_close(&m->disk);
	close_fd(m->signal_fd);
	stdio_console_close(&m->stdio);
	close_file(m->machine_log);
	close_file(m->console_log);
	close_file(m->debug_log);
	timeline_free(&m->timeline);
	chain_close(&m->chain);
}

/* Writes what is left of a run: timeline.json, and why it ended. */
static enum run_status finish(struct machine *m, struct stop *stop, struct host_error *error)
{
	enum run_status status = stop->status;

	remove_sockets(m->options);
	timeline_event(&m->timeline, "end");
	if (status != RUN_POWEROFF)
		host_fail(error, "%s", stop->message);
	timeline_stop(&m->timeline, stop_json(stop));
	if (m->options->log_dir &&
	    !timeline_write(&m->timeline, m->memory.mailbox, m->options->log_dir, error))
		status = status == RUN_POWEROFF ? RUN_MISUSE : status;
	if (m->options->dump_dir && m->memory.mailbox &&
	    !dump_write(&m->memory, m->hv_ram, m->options->dump_dir, error))
		status = RUN_MISUSE;
	stop_free(stop);
	return status;
}

/* KVM where it is wanted and can run a hypervisor, TCG otherwise. */
static void choose_accel(struct machine *m)
{
	m->accel = m->options->accel;
	if (strcmp(m->accel, "kvm") != 0)
		return;
	m->kvm_refusal = accel_kvm_refusal("");
	if (m->kvm_refusal)
		m->accel = "tcg";
}

/* Memory and the AMD-SP as a guest finds them, and the image in them. */
static bool launch(struct machine *m, const struct image *image, struct host_error *error)
{
	return make_memory(m, error) && start_psp(m, error) && load_image(m, image, error);
}

/*
 * Runs what is launched, and launches and runs it again as often as the guest resets the machine,
 * if that is wanted. False when it did not start the first time; later that is how the run ends.
 */
static bool live(struct machine *m, const struct image *image, struct stop *stop,
		 struct host_error *error)
{
	bool ok;

	warn_of_restarts(m);
	ok = run(m, stop, error);
	while (ok && stop->status == RUN_REBOOT && m->options->on_reboot == RUN_RESTART_ON_REBOOT) {
		stop_free(stop);
		remove_sockets(m->options);
		end_life(m);
		if (launch(m, image, error) && run(m, stop, error)) {
			m->timeline.restarts++;
			continue;
		}
		stop_not_restarted(stop, error->text);
		say_end(m, stop);
	}
	return ok;
}

enum run_status run_machine(const struct run_options *options, struct host_error *error)
{
	struct machine m = { .options = options,
			     .devices = options->devices,
			     .guest_ram_fd = -1,
			     .hv_ram_fd = -1,
			     .hardware_info_fd = -1,
			     .kernel = KERNEL_FILES_NONE,
			     .disk = { .fd = -1 },
			     .last_dma_fault = { .gpa = UINT64_MAX },
			     .streams = { -1, -1, -1, -1 },
			     .stdio = { .in = -1 },
			     .signal_fd = -1 };
	enum run_status status = RUN_MISUSE;
	struct image image = { 0 };
	struct stop stop = { 0 };
	sigset_t old;

	choose_accel(&m);
	sigprocmask(SIG_SETMASK, NULL, &old);
	if (open_image(&image, options, error) && devices_check(&m.devices, error) &&
	    open_disk(&m, error) && open_kernel(&m, error) &&
	    chain_open(&m.chain, options->key_dir, error) && launch(&m, &image, error) &&
	    export_certificates(&m, error) && open_logs(&m, error) &&
	    watch_signals(&m, &old, error) && start_timeline(&m, error) &&
	    live(&m, &image, &stop, error))
		status = finish(&m, &stop, error);
	file_free(&image.bytes);
	take_down(&m);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return status;
}
