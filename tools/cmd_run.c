/* SPDX-License-Identifier: MIT */
/* `socle run`: reads the command line and hands over to the machine's host process. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/number.h"
#include "core/evidence/host/report_input.h"
#include "machine/host/fault_plan.h"
#include "machine/host/launch.h"
#include "machine/host/qemu.h"
#include "machine/host/run.h"
#include "machine/mailbox.h"
#include "tools/cmd.h"
#include "tools/options.h"

#define MIB (1ull << 20)
#define TIMEOUT_MAX_S 86400u
#define STORM_MIN_US 20u
#define STORM_MAX_US 1000000u
#define HOLD_MAX 1000000u
#define SIGNATURE_MAX 0xfffffffu /* 31:28 are reserved */

_Static_assert((int)RUN_POWEROFF == CMD_OK && (int)RUN_MISUSE == CMD_MISUSE, "shared by all");

/* The options, and the strings that were allocated for their defaults. */
struct arguments {
	struct run_options run;
	uint32_t timeout_s, accel, on_reboot, convert, kvm_eoi, preempt, invlpgb;
	char *key_dir, *hv_image;
};

/* One more feature that the CPU lacks, into struct run_options. */
static const char *read_cpu_without(void *to, char *value)
{
	struct run_options *run = to;
	size_t used = strlen(run->cpu_without);

	if (value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] || !value[0] ||
	    used + strlen(value) + sizeof(",-") > sizeof(run->cpu_without))
		return "the name of a CPU feature";
	snprintf(run->cpu_without + used, sizeof(run->cpu_without) - used, ",-%s", value);
	return NULL;
}

/* Into struct run_options. */
static const char *read_host(void *to, char *value)
{
	struct run_options *run = to;

	run->host = host_model_find(value);
	return run->host ? NULL : "a host of the list that --help shows";
}

/* One more of the guest's disks, and of its other devices. */
static const char *read_disk(void *devices, char *value)
{
	return devices_parse_disk(devices, value);
}

static const char *read_device(void *devices, char *value)
{
	return devices_parse_other(devices, value);
}

static const char *read_network(void *devices, char *value)
{
	return devices_parse_network(devices, value);
}

/* NAME=TEXT, one more of struct run_marks; cuts value in two. */
static const char *read_mark(void *to, char *value)
{
	char *equals = strchr(value, '=');
	struct run_marks *marks = to;

	if (!equals || equals == value || equals[1] == '\0')
		return "NAME=TEXT";
	if (marks->count == RUN_MARKS_MAX)
		return "no more marks, there are too many";
	*equals = '\0';
	marks->marks[marks->count++] = (struct run_mark){ .name = value, .text = equals + 1 };
	return NULL;
}

/* [PIN=]VMPL, into struct mailbox_device_planes; each is said once. */
static const char *read_device_plane(void *to, char *value)
{
	static const char wanted[] = "VMPL or PIN=VMPL, 0 to 3 and 0 to 23, each once";
	struct mailbox_device_planes *planes = to;
	const char *equals = strchr(value, '='), *level = equals ? equals + 1 : value;
	uint8_t *plane = &planes->all;
	uint64_t vmpl, pin;

	if (equals) {
		if (!number_read(value, (size_t)(equals - value), NUMBER_PREFIXED, 0,
				 MAILBOX_PINS - 1, &pin))
			return wanted;
		plane = &planes->pins[pin];
	}
	if (!number_read(level, strlen(level), NUMBER_PREFIXED, 0, SNP_VMPL_COUNT - 1, &vmpl) ||
	    *plane)
		return wanted;
	*plane = (uint8_t)(vmpl + 1);
	return NULL;
}

/* One more feature that the host does not announce. */
static const char *read_lacks(void *to, char *value)
{
	uint64_t *lacks = to;

	for (unsigned int i = 0; i < HOST_FEATURES; i++) {
		if (strcmp(host_features[i].name, value) != 0)
			continue;
		*lacks |= host_features[i].bit;
		return NULL;
	}
	return "the name of a feature of hypervisors (docs/hosts.md)";
}

/* One more fault of the plan. */
static const char *read_fault(void *plan, char *value)
{
	return fault_parse(plan, value) ? NULL : "NAME, NAME=N or NAME=/N, each name once";
}

/*
 * value decoded, if it is exactly size bytes in base64 (RFC 4648), as QEMU wants such properties.
 */
static bool read_base64(void *to, size_t size, char *value)
{
	size_t got = report_input_base64((uint8_t *)value, strlen(value));

	if (got == size)
		memcpy(to, value, size);
	return got == size;
}

/* These into struct launch_properties. */
static const char *read_id_block(void *to, char *value)
{
	struct launch_properties *properties = to;

	properties->has_id_block = true;
	return read_base64(&properties->id_block, sizeof(properties->id_block), value)
		       ? NULL
		       : "96 bytes in base64";
}

static const char *read_id_auth(void *to, char *value)
{
	struct launch_properties *properties = to;

	properties->has_id_auth = true;
	return read_base64(&properties->id_auth, sizeof(properties->id_auth), value)
		       ? NULL
		       : "4096 bytes in base64";
}

static const char *read_host_data(void *to, char *value)
{
	struct launch_properties *properties = to;

	return read_base64(properties->host_data, sizeof(properties->host_data), value)
		       ? NULL
		       : "32 bytes in base64";
}

static const char *read_workarounds(void *to, char *value)
{
	struct launch_properties *properties = to;

	return read_base64(properties->workarounds, sizeof(properties->workarounds), value)
		       ? NULL
		       : "16 bytes in base64";
}

/* What QEMU has to be told of its processor, and the machine knows of its own. */
static const char *read_c_bit(void *to, char *value)
{
	(void)to;
	return strcmp(value, "47") == 0 ? NULL : "47, where this machine has the C-bit";
}

static const char *read_reduced_bits(void *to, char *value)
{
	(void)to;
	return strcmp(value, "1") == 0 ? NULL : "1, the C-bit";
}

static const char *read_sev_device(void *to, char *value)
{
	(void)to;
	(void)value;
	return "no value at all, for this machine has an AMD-SP of its own";
}

static const char *const accels[] = { "tcg", "kvm" };

/* Choices that are the host's until an option makes them. */
enum { AS_HOST, CHOICE_YES, CHOICE_NO };

static const char *const yes_no[] = {
	[AS_HOST] = "host",
	[CHOICE_YES] = "yes",
	[CHOICE_NO] = "no",
};
static const char *const preempts[] = {
	[AS_HOST] = "host",
	[1 + HOST_PREEMPT_NO] = "no",
	[1 + HOST_PREEMPT_BETWEEN] = "between",
	[1 + HOST_PREEMPT_AT_EXITS] = "at-exits",
};
static const char *const invlpgbs[] = {
	[AS_HOST] = "host",
	[1 + HOST_INVLPGB_ON] = "on",
	[1 + HOST_INVLPGB_HIDDEN] = "hidden",
	[1 + HOST_INVLPGB_UNDEFINED] = "undefined",
	[1 + HOST_INVLPGB_INTERCEPTED] = "intercepted",
};

static const char *const on_reboots[] = {
	[RUN_EXIT_ON_REBOOT] = "exit",
	[RUN_RESTART_ON_REBOOT] = "restart",
};

static const struct option_row option_rows[] = {
	OPTION(struct arguments, run, "host", READ, "HOST",
	       "what host to be, by the list below (docs/hosts.md); kvm with --firmware, else the "
	       "first",
	       .read = read_host, OPTION_WORDS(host_models, .name)),
	OPTION(struct arguments, run.firmware, "firmware", FILE, "FILE",
	       "launch this firmware, OVMF.fd for one, as QEMU does: with a VMSA for each vCPU"),
	OPTION(struct arguments, run.kernel, "kernel", FILE, "FILE",
	       "a kernel that the firmware, of --firmware or of the file, finds by fw_cfg and "
	       "starts"),
	OPTION(struct arguments, run.initrd, "initrd", FILE, "FILE",
	       "with --kernel: its first file system"),
	OPTION(struct arguments, run.kernel_hashes, "kernel-hashes", FLAG, NULL,
	       "with both: launch the firmware with the hashes of kernel, initrd and command "
	       "line, which it then holds them against"),
	OPTION(struct arguments, run.properties.policy, "policy", ADDRESS, "N",
	       "with --firmware: the guest policy of its launch, which reports show, as QEMU's "
	       "sev-snp-guest has it",
	       .most = UINT64_MAX),
	OPTION(struct arguments, run.properties, "id-block", READ, "BASE64",
	       "with --firmware: the ID block of its launch, 96 bytes", .read = read_id_block),
	OPTION(struct arguments, run.properties, "id-auth", READ, "BASE64",
	       "with --id-block: its ID authentication information, 4096 bytes",
	       .read = read_id_auth),
	OPTION(struct arguments, run.properties.author_key_enabled, "author-key-enabled", FLAG,
	       NULL, "with --id-block: an author key signed the ID key"),
	OPTION(struct arguments, run.properties, "host-data", READ, "BASE64",
	       "32 bytes that reports show as HOST_DATA", .read = read_host_data),
	OPTION(struct arguments, run.properties, "guest-visible-workarounds", READ, "BASE64",
	       "16 bytes that the secrets page shows as GOSVW", .read = read_workarounds),
	OPTION(struct arguments, run.properties.vcek_disabled, "vcek-disabled", FLAG, NULL,
	       "the guest gets no report that the VCEK signs, and there is no VLEK"),
	OPTION(struct arguments, run, "cbitpos", READ, "47",
	       "where the C-bit is, as QEMU has to be told; it is nowhere else",
	       .read = read_c_bit),
	OPTION(struct arguments, run, "reduced-phys-bits", READ, "1",
	       "the physical address bits that it costs, likewise", .read = read_reduced_bits),
	OPTION(struct arguments, run, "sev-device", READ, "PATH",
	       "is refused, as the machine has an AMD-SP of its own", .read = read_sev_device),
	OPTION(struct arguments, run.vcpu_signature, "vcpu-sig", ADDRESS, "N",
	       "with --firmware: the processor's signature, which is in those VMSAs (EAX of CPUID "
	       "leaf 1)",
	       .most = SIGNATURE_MAX),
	OPTION(struct arguments, run.cpus, "cpus", NUMBER, "N", "vCPUs", .least = 1,
	       .most = MACHINE_CPUS_MAX),
	OPTION(struct arguments, run, "cpu-without", READ, "FEATURE",
	       "the CPU lacks it: smap, rdrand, ... as QEMU names it; several", .repeats = true,
	       .read = read_cpu_without),
	OPTION(struct arguments, run.memory, "memory", SIZE, "SIZE", "guest memory",
	       .least = RUN_MEMORY_MIN, .most = MACHINE_GUEST_RAM_MAX, .multiple = MIB),
	OPTION(struct arguments, run.command_line, "append", TEXT, "TEXT",
	       "the command line: of --kernel, or for a file that has a parameter for it"),
	OPTION(struct arguments, run.channel, "channel", SOCKET, "unix:PATH",
	       "listen there for the program at the guest's second serial port"),
	OPTION(struct arguments, run.vmpl0_channel, "vmpl0-channel", SOCKET, "unix:PATH",
	       "the same for the serial port that only VMPL0 reaches (without them the machine has "
	       "no such ports)"),
	OPTION(struct arguments, run.devices, "disk", READ, "FILE[,WHAT=...]",
	       "a disk for the guest, with format=raw or qcow2 (what it begins like), "
	       "bus=virtio-blk, "
	       "virtio-scsi, nvme or ahci (virtio-blk), snapshot=on, which keeps nothing; a comma "
	       "in FILE is "
	       "written twice",
	       .repeats = true, .read = read_disk),
	OPTION(struct arguments, run.devices, "device", READ, "NAME[,netdev=ID]",
	       "another device for the guest; one for a network is on that of --netdev, or on a "
	       "user network of QEMU's alone",
	       .repeats = true, .read = read_device, OPTION_WORDS(device_names)),
	OPTION(struct arguments, run.devices, "netdev", READ, "user,id=ID[,WHAT=...]",
	       "QEMU's user network for one device, with its restrict=on and "
	       "hostfwd=[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT, from the host to the guest",
	       .repeats = true, .read = read_network),
	OPTION(struct arguments, run.tpm, "tpm", SOCKET, "unix:PATH",
	       "a TPM for the guest, the host's and nobody's to trust: of swtpm, or of socle vtpm "
	       "serve, which has its control channel there"),
	OPTION(struct arguments, run.svsm_disk, "svsm-disk", FILE, "FILE",
	       "a disk for VMPL0, the SVSM: the file's bytes, which it reads and writes"),
	OPTION(struct arguments, run.test_devices, "test-devices", FLAG, NULL,
	       "let the guest have what tests in a guest want: an echo at ports 0xe0 to 0xe3, and "
	       "port "
	       "0xf4, by which it ends the machine with a value"),
	OPTION(struct arguments, run.test_channel, "test-channel", SOCKET, "unix:PATH",
	       "listen there for the program at the guest's fourth serial port, which such tests "
	       "ask"),
	OPTION(struct arguments, run.log_dir, "log-dir", FOLDER, "DIR",
	       "write guest.log, svsm.log, machine.log and timeline.json there; without it, the "
	       "guest's console is on standard input and output, with the SVSM's lines marked, and "
	       "Ctrl-A X leaves"),
	OPTION(struct arguments, run.dump_dir, "dump", FOLDER, "DIR",
	       "write what memory holds at the end: ram.bin, the guest's RAM without its holes, "
	       "and "
	       "rmp.bin, 8 bytes for each page of addresses up to its end (core/snp/rmp.h)"),
	OPTION(struct arguments, run.debug_marks, "mark", READ, "NAME=TEXT",
	       "note the time of the first line of svsm.log that holds TEXT", .repeats = true,
	       .read = read_mark),
	OPTION(struct arguments, run.console_marks, "mark-guest", READ, "NAME=TEXT",
	       "the same for guest.log", .repeats = true, .read = read_mark),
	OPTION(struct arguments, on_reboot, "on-reboot", CHOICE, NULL,
	       "when the guest resets the machine by a port: end with status 9, or measure and "
	       "launch "
	       "the same anew",
	       OPTION_WORDS(on_reboots)),
	OPTION(struct arguments, timeout_s, "timeout", NUMBER, "SECONDS",
	       "end the machine when the guest runs longer", .least = 1, .most = TIMEOUT_MAX_S),
	OPTION(struct arguments, run.certs_out, "certs-out", FOLDER, "DIR",
	       "write ark.pem, ask.pem and vcek.pem of the emulated chain there"),
	OPTION(struct arguments, run.key_dir, "report-key-dir", FOLDER, "DIR",
	       "where the emulated chain is kept, and made when there is none "
	       "($XDG_DATA_HOME/socle/report-keys)"),
	OPTION(struct arguments, run.hv_image, "hv", FILE, "PATH",
	       "the machine's hypervisor ($SOCLE_HV, or where it was built)"),
	OPTION(struct arguments, run.qemu, "qemu", FILE, "PATH", "QEMU"),
	OPTION(struct arguments, accel, "accel", CHOICE, NULL,
	       "what QEMU runs the machine by; where KVM cannot run a hypervisor, it says why and "
	       "takes "
	       "the other",
	       OPTION_WORDS(accels)),
	OPTION(struct arguments, convert, "convert", CHOICE, NULL,
	       "whether the host changes a page at a private access to a shared one and at a "
	       "shared access to a private one, as KVM and its VMM do, or ends the VM",
	       OPTION_WORDS(yes_no)),
	OPTION(struct arguments, kvm_eoi, "kvm-eoi", CHOICE, NULL,
	       "whether guests may end an interrupt in memory, as KVM offers it (docs/hosts.md)",
	       OPTION_WORDS(yes_no)),
	OPTION(struct arguments, preempt, "preempt", CHOICE, NULL,
	       "whether an interrupt of VMPL0 makes it run while the guest's level of its vCPU "
	       "runs: never, "
	       "between two instructions of the guest's, or also at each VMGEXIT of it",
	       OPTION_WORDS(preempts)),
	OPTION(struct arguments, run.device_planes, "device-plane", READ, "[PIN=]VMPL",
	       "give interrupts of devices, or of the one at a pin of the IOAPIC, to that VMPL, "
	       "which "
	       "alone can route them; without it they are the one's that routed them last",
	       .repeats = true, .read = read_device_plane),
	OPTION(struct arguments, run.storm_us, "event-storm", NUMBER, "US",
	       "be a hostile host: raise #HV at VMPL0 about every US microseconds",
	       .least = STORM_MIN_US, .most = STORM_MAX_US),
	OPTION(struct arguments, run.event_sweep, "event-sweep", FLAG, NULL,
	       "raise an event of VMPL0 each time that it was called, a little later each time, "
	       "until "
	       "it has come everywhere between two calls; and again"),
	OPTION(struct arguments, run.every_us, "event-every", NUMBER, "US",
	       "raise one each time that the guest's levels have run for US microseconds, once "
	       "VMPL0 was called",
	       .least = STORM_MIN_US, .most = STORM_MAX_US),
	OPTION(struct arguments, run.hold, "hold", NUMBER, "N",
	       "let the guest hold a vCPU before the N-th RMP instruction or VMGEXIT of its VMPL0, "
	       "by port 0xea (docs/machine-limits.md)",
	       .least = 1, .most = HOLD_MAX),
	OPTION(struct arguments, invlpgb, "invlpgb", CHOICE, NULL,
	       "INVLPGB and TLBSYNC: in CPUID and working (on), neither, in CPUID but #UD, or in "
	       "CPUID but #VC",
	       OPTION_WORDS(invlpgbs)),
	OPTION(struct arguments, run.lacks, "lacks", READ, "FEATURE",
	       "be a host that lacks this of its features, and knows no event or request of it",
	       .repeats = true, .read = read_lacks, OPTION_WORDS(host_features, .name)),
	OPTION(struct arguments, run.faults, "fault", READ, "NAME[=WHEN]",
	       "be a hostile host: do what the list below says; WHEN is N for the N-th time that "
	       "it "
	       "could, /N for each N-th (/1)",
	       .repeats = true, .read = read_fault, OPTION_WORDS(faults, .name)),
	OPTION(struct arguments, run.xsave, "xsave", FLAG, NULL,
	       "show the guest XSAVE, and AVX where QEMU has it, also where its IGVM file does not "
	       "ask for them by the leaves of its CPUID page"),
	OPTION(struct arguments, run.quiet, "quiet", FLAG, NULL, "no progress on standard output"),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, run.image, "FILE.igvm", FILE, NULL, "the IGVM file",
	       .unless = "firmware"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ RUN_POWEROFF, "the guest powered off" },
	{ RUN_MISUSE, "it did not start: options, the image, something missing" },
	{ RUN_GUEST_TERMINATED, "the guest or its SVSM asked to be terminated, by its GHCB" },
	{ RUN_TRIPLE_FAULT,
	  "triple fault, or a state that VMRUN refuses; a guest may reboot by it" },
	{ RUN_RMP_VIOLATION, "RMP violation by the guest" },
	{ RUN_HV_ERROR, "the machine's hypervisor failed" },
	{ RUN_TIMEOUT,
	  "the time of --timeout is over, and the guest still runs, or runs in circles" },
	{ RUN_QEMU_DIED, "the emulator, QEMU, failed or was killed: no end of the guest's" },
	{ RUN_INTERRUPTED, "interrupted by a signal, or left by Ctrl-A X" },
	{ RUN_REBOOT, "the guest reset the machine by a port, with --on-reboot exit" },
	{ RUN_HANG, "the guest hangs: no vCPU runs, and nothing can wake one" },
	{ RUN_PANIC, "the guest's kernel panicked, and said so by pvpanic" },
	{ RUN_TEST_EXIT, "the guest ended it by the port of --test-devices" },
	{ 0 },
};

/* Where the chain is kept by default. */
static bool default_key_dir(struct arguments *args)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n = -1;

	if (args->run.key_dir)
		return true;
	if (data && *data == '/')
		n = asprintf(&args->key_dir, "%s/socle/report-keys", data);
	else if (home && *home)
		n = asprintf(&args->key_dir, "%s/.local/share/socle/report-keys", home);
	if (n < 0) {
		args->key_dir = NULL;
		cmd_error("run: no home folder for the report keys; give --report-key-dir");
		return false;
	}
	args->run.key_dir = args->key_dir;
	return true;
}

/* The hypervisor that was built, or else installed, together with this program; for free(). */
static char *find_hv_image(void)
{
	static const char *const places[] = { "../machine/hv/hv.bin", "../lib/socle/hv.bin" };
	char self[PATH_MAX], *slash, *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (asprintf(&path, "%s/%s", self, places[i]) < 0)
			return NULL;
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool default_hv_image(struct arguments *args)
{
	if (!args->run.hv_image)
		args->run.hv_image = getenv("SOCLE_HV");
	if (!args->run.hv_image)
		args->run.hv_image = args->hv_image = find_hv_image();
	if (!args->run.hv_image) {
		cmd_error("run: the machine's hypervisor is not there; give --hv");
		return false;
	}
	if (access(args->run.hv_image, R_OK) != 0) {
		cmd_file_error(args->run.hv_image, "cannot read it: %s", strerror(errno));
		return false;
	}
	return true;
}

static enum run_status start(const struct run_options *options)
{
	struct host_error error = { 0 };
	enum run_status status = run_machine(options, &error);

	if (error.text[0] != '\0')
		cmd_error("%s", error.text);
	return status;
}

/* Options that mean something only beside another one. */
static bool go_together(const struct run_options *run)
{
	const struct launch_properties *launch = &run->properties;
	const bool has_append = run->command_line[0] != '\0';
	const struct {
		bool wrong;
		const char *why;
	} rules[] = {
		{ run->initrd && !run->kernel, "--initrd wants --kernel, whose it is" },
		{ run->kernel_hashes && !(run->kernel && run->firmware),
		  "--kernel-hashes wants --kernel, whose they are, and --firmware" },
		{ run->kvm_eoi && !run->host->kvm_clock,
		  "--kvm-eoi yes wants a --host that is like KVM" },
		{ run->event_sweep && run->every_us,
		  "--event-sweep and --event-every raise the same event: one of them" },
		{ run->firmware && !run->kernel && has_append,
		  "--append wants --kernel beside --firmware, whose command line it is" },
		{ run->vcpu_signature != QEMU_CPU_SIGNATURE && !run->firmware,
		  "--vcpu-sig wants --firmware: an IGVM file has its own VMSAs" },
		{ launch->policy != LAUNCH_POLICY_DEFAULT && !run->firmware,
		  "--policy wants --firmware: an IGVM file has its own" },
		{ launch->has_id_block && !run->firmware,
		  "--id-block wants --firmware: an IGVM file has its own" },
		{ launch->has_id_block && !launch->has_id_auth,
		  "--id-block wants --id-auth, which signs it" },
		{ launch->has_id_auth && !launch->has_id_block,
		  "--id-auth wants --id-block, which it signs" },
		{ launch->author_key_enabled && !launch->has_id_block,
		  "--author-key-enabled wants --id-block, whose key it signs" },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!rules[i].wrong)
			continue;
		cmd_error("run: %s", rules[i].why);
		return false;
	}
	return true;
}

static enum cmd_status run(void *arguments)
{
	struct arguments *args = arguments;
	enum run_status status = RUN_MISUSE;

	args->run.timeout_ns = args->timeout_s * 1000000000ull;
	args->run.accel = accels[args->accel];
	args->run.on_reboot = args->on_reboot;
	if (!args->run.host)
		args->run.host = args->run.firmware ? host_model_find("kvm") : HOST_MODEL_DEFAULT;
	args->run.own_convert = args->convert != AS_HOST;
	args->run.converts = args->convert == CHOICE_YES;
	args->run.own_kvm_eoi = args->kvm_eoi != AS_HOST;
	args->run.kvm_eoi = args->kvm_eoi == CHOICE_YES;
	args->run.own_preempt = args->preempt != AS_HOST;
	args->run.preempt = args->run.own_preempt ? args->preempt - 1 : HOST_PREEMPT_NO;
	args->run.own_invlpgb = args->invlpgb != AS_HOST;
	args->run.invlpgb = args->run.own_invlpgb ? args->invlpgb - 1 : HOST_INVLPGB_ON;
	if (go_together(&args->run) && default_key_dir(args) && default_hv_image(args))
		status = start(&args->run);
	free(args->key_dir);
	free(args->hv_image);
	return (enum cmd_status)status;
}

static void show_lists(void)
{
	printf("\nHosts:\n");
	for (size_t i = 0; i < HOST_MODELS; i++)
		printf("  %-26s %s\n", host_models[i].name, host_models[i].what);
	printf("\nFaults:\n");
	for (unsigned int i = 0; i < MAILBOX_FAULT_COUNT; i++)
		printf("  %-26s %s\n", faults[i].name, faults[i].what);
}

const struct command cmd_run = {
	.name = "run",
	.summary = "boot an IGVM file or firmware on the emulated SNP machine",
	.about = "Boots FILE.igvm, or the firmware of --firmware in its place, on the emulated SNP "
		 "machine and waits until it ends.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.statuses = statuses,
	.defaults = &(const struct arguments){ .run = { .qemu = "qemu-system-x86_64",
							.command_line = "",
							.vcpu_signature = QEMU_CPU_SIGNATURE,
							.properties.policy = LAUNCH_POLICY_DEFAULT,
							.cpus = 1,
							.memory = 512 * MIB } },
	.size = sizeof(struct arguments),
	.run = run,
	.more_help = show_lists,
};
