/* SPDX-License-Identifier: MIT */
/* `socle igvm build`: an IGVM file of Socle and its guest, or of one of the plain images. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/psp.h"
#include "core/base/number.h"
#include "core/snp/cpu_features.h"
#include "tools/cmd.h"
#include "tools/igvm/acpi.h"
#include "tools/igvm/archive_check.h"
#include "tools/igvm/archive_writer.h"
#include "tools/igvm/igvm.h"
#include "tools/igvm/plain_image.h"
#include "tools/igvm/socle_image.h"

#define INPUT_MAX (1u << 30)
#define MEMORY_DEFAULT (512ull << 20)
#define MEMORY_MIN (32ull << 20)
#define MEMORY_MAX (3ull << 30) /* above it a PC has devices */
#define POLICY_DEFAULT (PSP_POLICY_SMT | PSP_POLICY_RESERVED_ONE)
#define HOST_CHANNEL_DEFAULT 0x3e8u
#define DEBUG_CONSOLE_DEFAULT 0xe9u
#define PAGE_UNSET UINT64_MAX

enum kind {
	KIND_NONE,
	KIND_SOCLE,
	KIND_BARE,
	KIND_PLAIN_LINUX,
};

/* The command line, checked; file names, and the files themselves once they are read. */
struct request {
	enum kind kind;
	const char *output, *program; /* program: the monitor, or the bare program */
	const char *kernel_path, *initrd_path, *cmdline;
	const char *bare_guest_path;
	struct archive_writer archive;
	uint64_t memory, base, cpus;
	uint64_t host_channel, debug_console, allow_missing;
	uint64_t cpuid_page, secrets_page, vmsa_page, sev_features, c_bit;
	struct igvm_writer_options writer;
	bool quiet;
};

/* The inputs' bytes, and what is made of them. */
struct work {
	struct file_bytes program, kernel, bare_guest, initrd, archive, output;
	struct igvm_writer writer;
	struct socle_params params;
};

enum option_id {
	OPTION_MONITOR = 256,
	OPTION_ARCHIVE,
	OPTION_FILE,
	OPTION_GUEST_BARE,
	OPTION_KERNEL,
	OPTION_INITRD,
	OPTION_CMDLINE,
	OPTION_CPUS,
	OPTION_MEMORY,
	OPTION_BASE,
	OPTION_POLICY,
	OPTION_HOST_CHANNEL,
	OPTION_DEBUG_CONSOLE,
	OPTION_ALLOW_MISSING,
	OPTION_REVERSE,
	OPTION_SHUFFLE,
	OPTION_BARE,
	OPTION_PLAIN_LINUX,
	OPTION_CPUID_PAGE,
	OPTION_SECRETS_PAGE,
	OPTION_VMSA,
	OPTION_SEV_FEATURES,
	OPTION_C_BIT,
};

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "monitor", required_argument, NULL, OPTION_MONITOR },
	{ "archive", required_argument, NULL, OPTION_ARCHIVE },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "guest-bare", required_argument, NULL, OPTION_GUEST_BARE },
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "initrd", required_argument, NULL, OPTION_INITRD },
	{ "cmdline", required_argument, NULL, OPTION_CMDLINE },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "base", required_argument, NULL, OPTION_BASE },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "host-channel", required_argument, NULL, OPTION_HOST_CHANNEL },
	{ "debug-console", required_argument, NULL, OPTION_DEBUG_CONSOLE },
	{ "allow-missing", required_argument, NULL, OPTION_ALLOW_MISSING },
	{ "reverse-directives", no_argument, NULL, OPTION_REVERSE },
	{ "shuffle", required_argument, NULL, OPTION_SHUFFLE },
	{ "bare", required_argument, NULL, OPTION_BARE },
	{ "plain-linux", no_argument, NULL, OPTION_PLAIN_LINUX },
	{ "cpuid-page", required_argument, NULL, OPTION_CPUID_PAGE },
	{ "secrets-page", required_argument, NULL, OPTION_SECRETS_PAGE },
	{ "vmsa", required_argument, NULL, OPTION_VMSA },
	{ "sev-features", required_argument, NULL, OPTION_SEV_FEATURES },
	{ "c-bit", required_argument, NULL, OPTION_C_BIT },
	{ NULL, 0, NULL, 0 },
};

static int help(void)
{
	printf("usage: socle igvm build -o OUT --monitor ELF [OPTION]...\n"
	       "       socle igvm build -o OUT --bare ELF --vmsa ADDRESS [OPTION]...\n"
	       "       socle igvm build -o OUT --plain-linux --kernel BZIMAGE --c-bit N "
	       "[OPTION]...\n"
	       "\n"
	       "Numbers may be hexadecimal (0x) and end in K, M or G.\n"
	       "\n"
	       "  -o, --output FILE       the IGVM file to write\n"
	       "  -q, --quiet             print nothing\n"
	       "      --policy N          guest policy (0x30000)\n"
	       "      --memory SIZE       RAM of the guest from address 0 (512M)\n"
	       "      --cpus N            vCPUs of the guest, but for a bare program's (1)\n"
	       "      --reverse-directives, --shuffle SEED\n"
	       "                          another order of launch\n"
	       "Socle:\n"
	       "      --monitor ELF       the monitor\n"
	       "      --archive DIR       files of the measured archive; services.conf must be "
	       "there\n"
	       "      --file NAME=PATH    one more file of the archive\n"
	       "      --base ADDRESS      of Socle's 16 MiB (the last of the RAM)\n"
	       "      --host-channel PORT|none, --debug-console PORT|none   (0x3e8, 0xe9)\n"
	       "      --allow-missing FEATURE\n"
	       "                          start where the CPU has no smep, smap, umip, aes,\n"
	       "                          pclmulqdq or rdrand; once for each\n"
	       "      --guest-bare ELF    a guest that starts in 64-bit mode at its entry point;\n"
	       "                          RSI points to Linux's struct cc_blob_sev_info\n"
	       "Linux, with Socle or plain:\n"
	       "      --kernel BZIMAGE, --initrd FILE, --cmdline TEXT\n"
	       "Without Socle, at VMPL0:\n"
	       "      --bare ELF          a program that starts in 32-bit mode at its entry point\n"
	       "      --plain-linux       a kernel; all RAM is in the launch\n"
	       "      --cpuid-page ADDRESS, --secrets-page ADDRESS   (bare: none)\n"
	       "      --vmsa ADDRESS      page of the first vCPU's VMSA\n"
	       "      --sev-features N    of that VMSA (1)\n"
	       "      --c-bit N           position of the C-bit in page tables\n");
	return CMD_OK;
}

static bool number(const char *option, const char *text, uint64_t min, uint64_t max,
		   uint64_t *value)
{
	static const struct number_unit units[] = {
		{ "", 1 }, { "K", 1ull << 10 }, { "M", 1ull << 20 }, { "G", 1ull << 30 }
	};

	if (number_read_unit(text, strlen(text), NUMBER_PREFIXED, units, 4, value) &&
	    *value >= min && *value <= max)
		return true;
	cmd_error("igvm build: --%s: \"%s\" is not a number from 0x%" PRIx64 " to 0x%" PRIx64,
		  option, text, min, max);
	return false;
}

static bool port(const char *option, const char *text, uint64_t *value)
{
	if (strcmp(text, "none") == 0) {
		*value = SOCLE_IMAGE_NO_PORT;
		return true;
	}
	return number(option, text, 1, UINT16_MAX - 7, value);
}

static bool allow_missing(struct request *r, const char *name)
{
	const struct cpu_feature *feature = cpu_feature_find(name);

	if (feature) {
		r->allow_missing |= feature->flag;
		return true;
	}
	cmd_error("igvm build: --allow-missing: Socle does not rest on \"%s\"", name);
	return false;
}

static bool set_kind(struct request *r, enum kind kind)
{
	if (r->kind != KIND_NONE && r->kind != kind) {
		cmd_error("igvm build: --monitor, --bare and --plain-linux exclude each other");
		return false;
	}
	r->kind = kind;
	return true;
}

static bool set_program(struct request *r, enum kind kind, const char *path)
{
	r->program = path;
	return set_kind(r, kind);
}

static bool add_tree(struct request *r, const char *directory)
{
	struct host_error error;

	if (archive_writer_add_tree(&r->archive, directory, &error))
		return true;
	cmd_error("%s", error.text);
	return false;
}

/* NAME=PATH */
static bool add_file(struct request *r, const char *text)
{
	const char *equals = strchr(text, '=');
	struct host_error error;
	char name[256];

	if (!equals || (size_t)(equals - text) >= sizeof(name)) {
		cmd_error("igvm build: --file: \"%s\" is not NAME=PATH", text);
		return false;
	}
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	if (archive_writer_add(&r->archive, name, equals + 1, &error))
		return true;
	cmd_error("%s", error.text);
	return false;
}

/* The options that are about the whole file or its order. */
static bool take_file_option(struct request *r, int id, const char *name)
{
	switch (id) {
	case 'o':
		r->output = optarg;
		return true;
	case 'q':
		r->quiet = true;
		return true;
	case OPTION_POLICY:
		return number(name, optarg, 0, UINT64_MAX, &r->writer.policy);
	case OPTION_REVERSE:
		r->writer.order = IGVM_ORDER_REVERSE;
		return true;
	case OPTION_SHUFFLE:
		r->writer.order = IGVM_ORDER_SHUFFLE;
		return number(name, optarg, 0, UINT64_MAX, &r->writer.seed);
	default:
		return false; /* there are no more */
	}
}

static bool take_option(struct request *r, int id, const char *name)
{
	switch (id) {
	case OPTION_MONITOR:
		return set_program(r, KIND_SOCLE, optarg);
	case OPTION_BARE:
		return set_program(r, KIND_BARE, optarg);
	case OPTION_PLAIN_LINUX:
		return set_kind(r, KIND_PLAIN_LINUX);
	case OPTION_ARCHIVE:
		return add_tree(r, optarg);
	case OPTION_FILE:
		return add_file(r, optarg);
	case OPTION_GUEST_BARE:
		r->bare_guest_path = optarg;
		return true;
	case OPTION_KERNEL:
		r->kernel_path = optarg;
		return true;
	case OPTION_INITRD:
		r->initrd_path = optarg;
		return true;
	case OPTION_CMDLINE:
		r->cmdline = optarg;
		return true;
	case OPTION_CPUS:
		return number(name, optarg, 1, ACPI_CPUS_MAX, &r->cpus);
	case OPTION_MEMORY:
		return number(name, optarg, MEMORY_MIN, MEMORY_MAX, &r->memory);
	case OPTION_BASE:
		return number(name, optarg, MEMORY_HIGH_START, UINT32_MAX, &r->base);
	case OPTION_HOST_CHANNEL:
		return port(name, optarg, &r->host_channel);
	case OPTION_DEBUG_CONSOLE:
		return port(name, optarg, &r->debug_console);
	case OPTION_ALLOW_MISSING:
		return allow_missing(r, optarg);
	case OPTION_CPUID_PAGE:
		return number(name, optarg, ABI_PAGE_SIZE, UINT32_MAX, &r->cpuid_page);
	case OPTION_SECRETS_PAGE:
		return number(name, optarg, ABI_PAGE_SIZE, UINT32_MAX, &r->secrets_page);
	case OPTION_VMSA:
		return number(name, optarg, 0, (1ull << 52) - 1, &r->vmsa_page);
	case OPTION_SEV_FEATURES:
		return number(name, optarg, 0, UINT64_MAX, &r->sev_features);
	case OPTION_C_BIT:
		return number(name, optarg, 32, 51, &r->c_bit);
	default:
		return take_file_option(r, id, name);
	}
}

static bool check_request(const struct request *r)
{
	const char *what = NULL;

	if (!r->output)
		what = "no output file (-o)";
	else if (r->kind == KIND_NONE)
		what = "one of --monitor, --bare and --plain-linux is needed";
	else if (r->memory % ABI_PAGE_SIZE_2M != 0)
		what = "--memory is not a multiple of 2 MiB";
	else if (r->kind == KIND_BARE && r->vmsa_page == PAGE_UNSET)
		what = "--bare needs --vmsa";
	else if (r->kind == KIND_PLAIN_LINUX && (!r->kernel_path || !r->c_bit))
		what = "--plain-linux needs --kernel and --c-bit";
	else if (!r->kernel_path && (r->initrd_path || r->cmdline[0]))
		what = "--initrd and --cmdline need --kernel";
	else if (r->kind != KIND_SOCLE &&
		 (r->archive.count || r->base || r->bare_guest_path || r->allow_missing))
		what = "--archive, --file, --base, --guest-bare and --allow-missing need "
		       "--monitor";
	else if (r->kernel_path && r->bare_guest_path)
		what = "--kernel and --guest-bare exclude each other";
	if (what)
		cmd_error("igvm build: %s", what);
	return !what;
}

static bool read_input(const char *path, struct file_bytes *bytes)
{
	struct host_error error;

	if (!path || file_read(path, INPUT_MAX, bytes, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

static bool build_socle(const struct request *r, struct work *w, struct host_error *error)
{
	struct socle_image_options o = { .monitor = w->program,
					 .archive = w->archive,
					 .kernel = w->kernel,
					 .bare_guest = w->bare_guest,
					 .initrd = w->initrd,
					 .cmdline = r->cmdline,
					 .cpu_count = (uint32_t)r->cpus,
					 .memory = r->memory,
					 .base = r->base,
					 .host_channel_port = (uint16_t)r->host_channel,
					 .debug_console_port = (uint16_t)r->debug_console,
					 .allow_missing = r->allow_missing };

	return socle_image_build(&o, &w->writer, &w->params, error);
}

static bool build_bare(const struct request *r, struct work *w, struct host_error *error)
{
	struct bare_image_options o = { .elf = w->program,
					.cpuid_page = r->cpuid_page,
					.secrets_page = r->secrets_page,
					.vmsa_page = r->vmsa_page,
					.sev_features = r->sev_features };

	return bare_image_build(&o, &w->writer, error);
}

static bool build_plain_linux(const struct request *r, struct work *w, struct host_error *error)
{
	struct plain_linux_options o = {
		.linux_boot = { .kernel = w->kernel,
				.initrd = w->initrd,
				.cmdline = r->cmdline,
				.cpu_count = (uint32_t)r->cpus,
				.c_bit = 1ull << r->c_bit },
		.memory = r->memory,
		.vmsa_page = r->vmsa_page == PAGE_UNSET ? 0 : r->vmsa_page,
		.sev_features = r->sev_features,
	};

	return plain_linux_build(&o, &w->writer, error);
}

static bool build_kind(const struct request *r, struct work *w, struct host_error *error)
{
	switch (r->kind) {
	case KIND_SOCLE:
		return build_socle(r, w, error);
	case KIND_BARE:
		return build_bare(r, w, error);
	default:
		return build_plain_linux(r, w, error);
	}
}

/* What is written must be what the reader takes: two directives may meet only here. */
static bool check_output(const struct work *w, struct host_error *error)
{
	struct igvm_file file;
	struct igvm_error reason;

	if (igvm_open(&file, w->output.data, w->output.size, &reason))
		return true;
	return host_fail(error, "%s", reason.text);
}

static void print_part(const char *name, uint64_t size)
{
	printf("  %-28s %8" PRIu64 " KiB\n", name, (size + 1023) >> 10);
}

static void print_socle_budget(const struct work *w)
{
	const struct socle_params *p = &w->params;
	uint64_t pages = p->archive.gpa - (p->page_tables.gpa + p->page_tables.size);

	printf("private memory of Socle, at 0x%" PRIx64 "\n", p->region.gpa);
	print_part("monitor image", p->image.size);
	print_part("page tables", p->page_tables.size);
	print_part("parameters, CPUID, VMSA ...", pages);
	print_part("archive", p->archive.size);
	print_part("free for the monitor", p->free.size);
	print_part("all", p->region.size);
}

static void print_budget(const struct request *r, const struct work *w)
{
	printf("%s\n", r->output);
	if (r->kind != KIND_PLAIN_LINUX)
		print_part(r->kind == KIND_SOCLE ? "monitor, ELF file" : "program, ELF file",
			   w->program.size);
	if (w->archive.size)
		print_part("archive", w->archive.size);
	if (w->kernel.size)
		print_part("guest kernel", w->kernel.size);
	if (w->bare_guest.size)
		print_part("guest, ELF file", w->bare_guest.size);
	if (w->initrd.size)
		print_part("guest initramfs", w->initrd.size);
	print_part("IGVM file", w->output.size);
	if (r->kind == KIND_SOCLE)
		print_socle_budget(w);
}

static bool pack_archive(struct request *r, struct work *w)
{
	struct host_error error;

	/* Other images have none. */
	if (r->kind != KIND_SOCLE || (archive_check(&r->archive, &error) &&
				      archive_writer_finish(&r->archive, &w->archive, &error)))
		return true;
	cmd_error("igvm build: %s", error.text);
	return false;
}

static bool read_inputs(struct request *r, struct work *w)
{
	return read_input(r->program, &w->program) && read_input(r->kernel_path, &w->kernel) &&
	       read_input(r->bare_guest_path, &w->bare_guest) &&
	       read_input(r->initrd_path, &w->initrd) && pack_archive(r, w);
}

static int build(struct request *r, struct work *w)
{
	struct host_error error;

	if (!read_inputs(r, w))
		return CMD_MISUSE;
	if (!build_kind(r, w, &error) ||
	    !igvm_writer_finish(&w->writer, &r->writer, &w->output, &error) ||
	    !check_output(w, &error))
		return cmd_error("igvm build: %s", error.text);
	if (!file_write(r->output, w->output.data, w->output.size, &error))
		return cmd_file_error(r->output, "%s", error.text);
	if (!r->quiet)
		print_budget(r, w);
	return CMD_OK;
}

static void free_work(struct work *w)
{
	igvm_writer_free(&w->writer);
	file_free(&w->program);
	file_free(&w->kernel);
	file_free(&w->bare_guest);
	file_free(&w->initrd);
	file_free(&w->archive);
	file_free(&w->output);
}

/* Reads the command line and does what it says; what was allocated is the caller's. */
static int take_and_build(int argc, char **argv, struct request *r, struct work *w)
{
	int id, index = 0;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "o:qh", options, &index)) != -1) {
		if (id == 'h')
			return help();
		if (id == '?')
			return cmd_bad_option("igvm build", argc, argv);
		if (!take_option(r, id, options[index].name))
			return CMD_MISUSE;
	}
	if (optind != argc)
		return cmd_error("igvm build: \"%s\" is not an option", argv[optind]);
	return check_request(r) ? build(r, w) : CMD_MISUSE;
}

int igvm_build(int argc, char **argv)
{
	struct request r = {
		.cmdline = "",
		.memory = MEMORY_DEFAULT,
		.cpus = 1,
		.host_channel = HOST_CHANNEL_DEFAULT,
		.debug_console = DEBUG_CONSOLE_DEFAULT,
		.vmsa_page = PAGE_UNSET,
		.sev_features = SNP_FEATURE_SNP,
		.writer = { .policy = POLICY_DEFAULT },
	};
	struct work *w = calloc(1, sizeof(*w));
	int status;

	if (!w)
		return cmd_error("out of memory");
	status = take_and_build(argc, argv, &r, w);
	archive_writer_free(&r.archive);
	free_work(w);
	free(w);
	return status;
}
