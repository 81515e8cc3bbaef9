/* SPDX-License-Identifier: MIT */
/* `socle run`: reads the command line and hands over to the machine's host process. */
#include "tools/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/number.h"
#include "machine/host/fault.h"
#include "machine/host/run.h"
#include "machine/mailbox.h"
#include "tools/beside.h"

#define MIB (1ull << 20)
#define TIMEOUT_MAX_S 86400u
#define STORM_MIN_US 20u
#define STORM_MAX_US 1000000u
#define HOLD_MAX 1000000u

static const char usage_text[] =
	"usage: socle run [OPTION]... FILE.igvm\n"
	"\n"
	"Boots FILE.igvm on the emulated SNP machine and waits until it ends.\n"
	"\n"
	"  --cpus N               vCPUs, 1 to 8 (1)\n"
	"  --cpu-without FEATURE  the CPU lacks it: smap, rdrand, ... as QEMU names it; several\n"
	"  --memory SIZE          guest memory, 64M to 2G (512M)\n"
	"  --channel unix:PATH    listen there for the program at the guest's second serial port\n"
	"  --vmpl0-channel unix:PATH\n"
	"                         the same for the serial port that only VMPL0 reaches\n"
	"                         (without them the machine has no such ports)\n"
	"  --log-dir DIR          write guest.log, svsm.log, machine.log and timeline.json there;\n"
	"                         without it, both consoles go to standard output\n"
	"  --dump DIR             write what memory holds at the end: ram.bin, the guest's RAM, "
	"and\n"
	"                         rmp.bin, 8 bytes for each of its pages (core/snp/rmp.h)\n"
	"  --mark NAME=TEXT       note the time of the first line of svsm.log that holds TEXT\n"
	"  --mark-guest NAME=TEXT the same for guest.log\n"
	"  --timeout SECONDS      end the machine when the guest runs longer\n"
	"  --certs-out DIR        write ark.pem, ask.pem and vcek.pem of the emulated chain there\n"
	"  --report-key-dir DIR   where the emulated chain is kept, and made when there is none\n"
	"                         ($XDG_DATA_HOME/socle/report-keys)\n"
	"  --hv PATH              the machine's hypervisor ($SOCLE_HV, or where it was built)\n"
	"  --qemu PATH            (qemu-system-x86_64)\n"
	"  --accel tcg|kvm        (tcg)\n"
	"  --convert yes|no       what the host does at a private access to a shared page and at "
	"a\n"
	"                         shared access to a private one: change the page, as KVM and its\n"
	"                         VMM do, or end the VM (yes)\n"
	"  --event-storm US       be a hostile host: raise #HV at VMPL0 about every US "
	"microseconds\n"
	"  --hold N               let the guest hold a vCPU before the N-th RMP instruction or "
	"VMGEXIT\n"
	"                         of its VMPL0, by port 0xea (docs/machine-limits.md)\n"
	"  --invlpgb on|hidden|undefined|intercepted\n"
	"                         INVLPGB and TLBSYNC: in CPUID and working (on), neither, in\n"
	"                         CPUID but #UD, or in CPUID but #VC\n"
	"  --fault NAME[=WHEN]    be a hostile host: do what the list below says; WHEN is N for "
	"the\n"
	"                         N-th time that it could, /N for each N-th (/1)\n"
	"  --quiet                no progress on standard output\n"
	"\n"
	"Exit status: 0 the guest powered off, 1 it did not start, 2 the guest or its SVSM asked\n"
	"to be terminated, 3 triple fault, 4 RMP violation, 5 the hypervisor failed, 6 timeout,\n"
	"7 QEMU died, 8 interrupted by a signal, 9 the guest rebooted, which ends the machine.\n"
	"\n"
	"Faults:\n";

enum option_id {
	OPT_CPUS = 256,
	OPT_CPU_WITHOUT,
	OPT_MEMORY,
	OPT_CHANNEL,
	OPT_VMPL0_CHANNEL,
	OPT_LOG_DIR,
	OPT_DUMP,
	OPT_MARK,
	OPT_MARK_GUEST,
	OPT_TIMEOUT,
	OPT_CERTS_OUT,
	OPT_KEY_DIR,
	OPT_HV,
	OPT_QEMU,
	OPT_ACCEL,
	OPT_CONVERT,
	OPT_STORM,
	OPT_HOLD,
	OPT_INVLPGB,
	OPT_FAULT,
	OPT_QUIET,
};

static const struct option long_options[] = {
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "cpu-without", required_argument, NULL, OPT_CPU_WITHOUT },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "channel", required_argument, NULL, OPT_CHANNEL },
	{ "vmpl0-channel", required_argument, NULL, OPT_VMPL0_CHANNEL },
	{ "log-dir", required_argument, NULL, OPT_LOG_DIR },
	{ "dump", required_argument, NULL, OPT_DUMP },
	{ "mark", required_argument, NULL, OPT_MARK },
	{ "mark-guest", required_argument, NULL, OPT_MARK_GUEST },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "certs-out", required_argument, NULL, OPT_CERTS_OUT },
	{ "report-key-dir", required_argument, NULL, OPT_KEY_DIR },
	{ "hv", required_argument, NULL, OPT_HV },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "convert", required_argument, NULL, OPT_CONVERT },
	{ "event-storm", required_argument, NULL, OPT_STORM },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "invlpgb", required_argument, NULL, OPT_INVLPGB },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* The options, and the strings that were made for them. */
struct arguments {
	struct run_options run;
	char *key_dir, *hv_image;
	bool help;
};

static bool bad(const char *what, const char *value)
{
	cmd_error("run: %s: \"%s\"", what, value);
	return false;
}

static bool parse_cpu_without(struct arguments *args, const char *value)
{
	char *list = args->run.cpu_without;
	size_t used = strlen(list);

	if (value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] || !value[0] ||
	    used + strlen(value) + sizeof(",-") > sizeof(args->run.cpu_without))
		return bad("--cpu-without takes the name of a CPU feature", value);
	snprintf(list + used, sizeof(args->run.cpu_without) - used, ",-%s", value);
	return true;
}

static bool parse_cpus(struct arguments *args, const char *value)
{
	uint64_t cpus;

	if (!cmd_number(value, 1, MACHINE_CPUS_MAX, &cpus))
		return bad("--cpus takes a number from 1 to 8", value);
	args->run.cpus = (unsigned int)cpus;
	return true;
}

static bool parse_memory(struct arguments *args, const char *value)
{
	static const struct number_unit units[] = { { "M", MIB }, { "G", MIB << 10 } };

	return (number_read_unit(value, strlen(value), NUMBER_DECIMAL, units, 2,
				 &args->run.memory) &&
		args->run.memory >= RUN_MEMORY_MIN && args->run.memory <= MACHINE_GUEST_RAM_MAX) ||
	       bad("--memory takes a size from 64M to 2G", value);
}

static bool parse_timeout(struct arguments *args, const char *value)
{
	uint64_t seconds;

	if (!cmd_number(value, 1, TIMEOUT_MAX_S, &seconds))
		return bad("--timeout takes seconds, from 1 to 86400", value);
	args->run.timeout_ns = seconds * 1000000000u;
	return true;
}

static bool parse_channel(const char **path, const char *value)
{
	return cmd_unix_path(value, path) || bad("a channel is unix:PATH", value);
}

/* NAME=TEXT; cuts value in two. */
static bool parse_mark(struct run_marks *marks, char *value)
{
	char *equals = strchr(value, '=');

	if (!equals || equals == value || equals[1] == '\0')
		return bad("a mark is NAME=TEXT", value);
	if (marks->count == RUN_MARKS_MAX)
		return bad("there are too many marks", value);
	*equals = '\0';
	marks->marks[marks->count++] = (struct run_mark){ .name = value, .text = equals + 1 };
	return true;
}

static bool parse_accel(struct arguments *args, const char *value)
{
	if (strcmp(value, "tcg") != 0 && strcmp(value, "kvm") != 0)
		return bad("--accel takes tcg or kvm", value);
	args->run.accel = value;
	return true;
}

static bool parse_storm(struct arguments *args, const char *value)
{
	uint64_t us;

	if (!cmd_number(value, STORM_MIN_US, STORM_MAX_US, &us))
		return bad("--event-storm takes microseconds, from 20 to 1000000", value);
	args->run.storm_us = (uint32_t)us;
	return true;
}

static bool parse_invlpgb(struct arguments *args, const char *value)
{
	static const char *const names[] = {
		[MAILBOX_INVLPGB_ON] = "on",
		[MAILBOX_INVLPGB_HIDDEN] = "hidden",
		[MAILBOX_INVLPGB_UNDEFINED] = "undefined",
		[MAILBOX_INVLPGB_INTERCEPTED] = "intercepted",
	};

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			args->run.invlpgb = i;
			return true;
		}
	}
	return bad("--invlpgb takes on, hidden, undefined or intercepted", value);
}

static bool parse_convert(struct arguments *args, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return bad("--convert takes yes or no", value);
	args->run.keeps_pages = strcmp(value, "no") == 0;
	return true;
}

static bool parse_fault(struct arguments *args, const char *value)
{
	return fault_parse(args->run.faults, value) ||
	       bad("--fault takes NAME, NAME=N or NAME=/N, each name once", value);
}

static bool parse_hold(struct arguments *args, const char *value)
{
	uint64_t step;

	if (!cmd_number(value, 1, HOLD_MAX, &step))
		return bad("--hold takes a number from 1 to 1000000", value);
	args->run.hold = (uint32_t)step;
	return true;
}

static bool parse_path(const char **path, const char *value)
{
	*path = value;
	return true;
}

static bool parse_option(struct arguments *args, int id, char *value)
{
	struct run_options *run = &args->run;

	switch (id) {
	case OPT_CPU_WITHOUT:
		return parse_cpu_without(args, value);
	case OPT_CPUS:
		return parse_cpus(args, value);
	case OPT_MEMORY:
		return parse_memory(args, value);
	case OPT_CHANNEL:
		return parse_channel(&run->channel, value);
	case OPT_VMPL0_CHANNEL:
		return parse_channel(&run->vmpl0_channel, value);
	case OPT_LOG_DIR:
		return parse_path(&run->log_dir, value);
	case OPT_DUMP:
		return parse_path(&run->dump_dir, value);
	case OPT_MARK:
		return parse_mark(&run->debug_marks, value);
	case OPT_MARK_GUEST:
		return parse_mark(&run->console_marks, value);
	case OPT_TIMEOUT:
		return parse_timeout(args, value);
	case OPT_CERTS_OUT:
		return parse_path(&run->certs_out, value);
	case OPT_KEY_DIR:
		return parse_path(&run->key_dir, value);
	case OPT_HV:
		return parse_path(&run->hv_image, value);
	case OPT_QEMU:
		return parse_path(&run->qemu, value);
	case OPT_ACCEL:
		return parse_accel(args, value);
	case OPT_CONVERT:
		return parse_convert(args, value);
	case OPT_FAULT:
		return parse_fault(args, value);
	case OPT_STORM:
		return parse_storm(args, value);
	case OPT_HOLD:
		return parse_hold(args, value);
	case OPT_INVLPGB:
		return parse_invlpgb(args, value);
	case OPT_QUIET:
		run->quiet = true;
		return true;
	default:
		args->help = true;
		return true;
	}
}

static bool parse_arguments(struct arguments *args, int argc, char **argv)
{
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (id == '?') {
			cmd_bad_option("run", argc, argv);
			return false;
		}
		if (!parse_option(args, id, optarg))
			return false;
	}
	if (args->help)
		return true;
	if (optind == argc) {
		cmd_error("run: no IGVM file given");
		return false;
	}
	if (optind + 1 != argc)
		return bad("one IGVM file at a time, what is", argv[optind + 1]);
	args->run.image = argv[optind];
	return true;
}

/* Where the chain is kept when no option says so. */
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

/* The hypervisor beside this program: as built, then as installed. */
static char *find_hv_image(void)
{
	static const char *const places[] = { "../machine/hv/hv.bin", "../lib/socle/hv.bin" };

	return beside_find(places, sizeof(places) / sizeof(places[0]));
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

static int start(const struct run_options *options)
{
	struct host_error error = { 0 };
	enum run_status status = run_machine(options, &error);

	if (error.text[0] != '\0')
		cmd_error("%s", error.text);
	return (int)status;
}

static void show_usage(void)
{
	fputs(usage_text, stdout);
	for (unsigned int i = 0; i < MAILBOX_FAULT_COUNT; i++)
		printf("  %-26s %s\n", faults[i].name, faults[i].what);
}

int cmd_run(int argc, char **argv)
{
	struct arguments args = { .run = { .qemu = "qemu-system-x86_64",
					   .accel = "tcg",
					   .cpus = 1,
					   .memory = 512 * MIB } };
	int status = CMD_MISUSE;

	if (!parse_arguments(&args, argc, argv))
		return CMD_MISUSE;
	if (args.help) {
		show_usage();
		return CMD_OK;
	}
	if (default_key_dir(&args) && default_hv_image(&args))
		status = start(&args.run);
	free(args.key_dir);
	free(args.hv_image);
	return status;
}
