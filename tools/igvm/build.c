/* SPDX-License-Identifier: MIT */
/* `socle igvm build`: an IGVM file of Socle and its guest, or of one of the plain images. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/psp.h"
#include "core/base/number.h"
#include "core/image/acpi.h"
#include "core/image/host_check.h"
#include "core/snp/cpu_features.h"
#include "tools/cmd.h"
#include "tools/igvm/archive_check.h"
#include "tools/igvm/archive_writer.h"
#include "tools/igvm/igvm.h"
#include "tools/igvm/lower_calls.h"
#include "tools/igvm/plain_image.h"
#include "tools/igvm/socle_image.h"
#include "tools/options.h"

#define INPUT_MAX (1u << 30)
#define MEMORY_DEFAULT (512ull << 20)
#define MEMORY_MIN (32ull << 20)
#define MEMORY_MAX (1ull << 40)
#define POLICY_DEFAULT (PSP_POLICY_SMT | PSP_POLICY_RESERVED_ONE)
#define HOST_CHANNEL_DEFAULT 0x3e8u
#define HOST_CHANNEL_PIN_DEFAULT 5u
#define DEBUG_CONSOLE_DEFAULT 0xe9u
#define PAGE_UNSET UINT64_MAX
#define SOCLE_FEATURES (SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION)

enum kind {
	KIND_SOCLE,
	KIND_BARE,
	KIND_PLAIN_LINUX,
};

#define ARCHIVE_INPUTS_MAX 256u

/* What goes into the archive: a file by that name, or without one all of a directory. */
struct archive_inputs {
	struct archive_input {
		const char *name, *path;
	} inputs[ARCHIVE_INPUTS_MAX];
	size_t count;
};

/* The command line, checked; file names, and the files themselves once they are read. */
struct request {
	const char *output;
	const char *monitor, *bare; /* one of them, or plain_linux */
	bool plain_linux, guest_apic, kernel_hashes;
	const char *kernel_path, *initrd_path, *cmdline;
	const char *bare_guest_path, *firmware_path;
	struct archive_inputs inputs;
	uint64_t memory, base, cpus, guest_vmpl;
	uint32_t lower_calls;
	uint64_t host_channel, host_channel_pin, debug_console, allow_missing;
	uint64_t cpuid_page, secrets_page, vmsa_page, sev_features, c_bit;
	struct igvm_writer_options writer;
	uint32_t host; /* in host_models */
	uint32_t preempt;
	bool quiet;
};

/* The inputs' bytes, and what is made of them. */
struct work {
	struct file_bytes program, kernel, bare_guest, firmware, initrd, archive, output;
	struct igvm_writer writer;
	struct socle_params params;
};

static enum kind kind_of(const struct request *r)
{
	return r->monitor ? KIND_SOCLE : r->bare ? KIND_BARE : KIND_PLAIN_LINUX;
}

static const char *add_input(struct archive_inputs *inputs, const char *name, const char *path)
{
	if (inputs->count == ARCHIVE_INPUTS_MAX)
		return "no more inputs, there are too many";
	inputs->inputs[inputs->count++] = (struct archive_input){ name, path };
	return NULL;
}

static const char *read_tree(void *inputs, char *directory)
{
	return add_input(inputs, NULL, directory);
}

/* NAME=PATH, cut in two. */
static const char *read_file(void *inputs, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return "NAME=PATH";
	*equals = '\0';
	return add_input(inputs, text, equals + 1);
}

static const char *read_feature(void *flags, char *name)
{
	const struct cpu_feature *feature = cpu_feature_find(name);

	if (!feature)
		return "a feature that Socle rests on";
	*(uint64_t *)flags |= feature->flag;
	return NULL;
}

static const char *read_lower_call(void *flags, char *name)
{
	for (size_t i = 0; i < LOWER_CALLS; i++) {
		if (strcmp(name, lower_calls[i].name) == 0) {
			*(uint32_t *)flags |= lower_calls[i].flag;
			return NULL;
		}
	}
	return "attest or vtpm";
}

static const char *read_shuffle(void *to, char *seed)
{
	struct igvm_writer_options *writer = to;

	writer->order = IGVM_ORDER_SHUFFLE;
	return number_read(seed, strlen(seed), NUMBER_PREFIXED, 0, UINT64_MAX, &writer->seed)
		       ? NULL
		       : "a number";
}

/* Choices that are the host's until an option makes them. */
enum { AS_HOST, CHOICE_YES, CHOICE_NO };

static const char *const choices[] = {
	[AS_HOST] = "host",
	[CHOICE_YES] = "yes",
	[CHOICE_NO] = "no",
};

#define PORT .none = true, .set = SOCLE_IMAGE_NO_PORT, .least = 1, .most = UINT16_MAX - 7

static const struct option_row file_rows[] = {
	OPTION(struct request, output, "output", FILE, "FILE", "the IGVM file to write",
	       .letter = 'o', .required = true),
	OPTION(struct request, quiet, "quiet", FLAG, NULL, "print nothing", .letter = 'q'),
	OPTION(struct request, host, "host", CHOICE, NULL,
	       "for the loader of that host, as `socle run` models it (docs/hosts.md)",
	       OPTION_WORDS(host_models, .name)),
	OPTION(struct request, writer.policy, "policy", ADDRESS, "N", "guest policy",
	       .most = UINT64_MAX),
	OPTION(struct request, memory, "memory", SIZE, "SIZE",
	       "RAM of the guest: up to 2 GiB from address 0 on, and the rest from 4 GiB on",
	       .least = MEMORY_MIN, .most = MEMORY_MAX, .multiple = ABI_PAGE_SIZE_2M),
	OPTION(struct request, cpus, "cpus", NUMBER, "N",
	       "vCPUs of the guest, but for a bare program's", .least = 1, .most = ACPI_CPUS_MAX),
	OPTION(struct request, writer.order, "reverse-directives", SET, NULL,
	       "another order of launch", .set = IGVM_ORDER_REVERSE),
	OPTION(struct request, writer, "shuffle", READ, "SEED", "and another for each SEED",
	       .read = read_shuffle),
	{ 0 },
};

static const struct option_row socle_rows[] = {
	OPTION(struct request, monitor, "monitor", FILE, "ELF", "the monitor"),
	OPTION(struct request, inputs, "archive", READ, "DIR",
	       "files of the measured archive; services.conf must be there", .repeats = true,
	       .read = read_tree),
	OPTION(struct request, inputs, "file", READ, "NAME=PATH", "one more file of the archive",
	       .repeats = true, .read = read_file),
	OPTION(struct request, base, "base", ADDRESS, "ADDRESS",
	       "of Socle's 16 MiB; the last of the RAM below 4 GiB where it is not given",
	       .least = MEMORY_HIGH_START, .most = UINT32_MAX),
	OPTION(struct request, host_channel, "host-channel", ADDRESS, "PORT",
	       "of the serial port to the host", PORT),
	OPTION(struct request, host_channel_pin, "host-channel-pin", NUMBER, "N",
	       "of the IOAPIC: the interrupt of that port", .least = 0,
	       .most = SOCLE_IOAPIC_PINS - 1),
	OPTION(struct request, debug_console, "debug-console", ADDRESS, "PORT",
	       "where the monitor's log goes", PORT),
	OPTION(struct request, preempt, "preempt", CHOICE, NULL,
	       "whether the host makes VMPL0 run for an interrupt of its own while the guest runs; "
	       "where it does not, and the image says so, the guest does not start",
	       OPTION_WORDS(choices)),
	OPTION(struct request, allow_missing, "allow-missing", READ, "FEATURE",
	       "start where the CPU has no smep, smap, umip, aes, pclmulqdq or rdrand; once each",
	       .repeats = true, .read = read_feature, OPTION_WORDS(cpu_features, .name)),
	OPTION(struct request, guest_vmpl, "guest-vmpl", NUMBER, "N", "the guest's first level",
	       .least = 1, .most = SNP_VMPL_COUNT - 1),
	OPTION(struct request, lower_calls, "lower-calls", READ, "PROTOCOL",
	       "what less privileged levels of the guest may call beside the core protocol: attest "
	       "or vtpm; once each",
	       .repeats = true, .read = read_lower_call, OPTION_WORDS(lower_calls, .name)),
	OPTION(struct request, guest_apic, "guest-apic", FLAG, NULL,
	       "the guest's APIC is Socle's, for guests that know the APIC protocol"),
	OPTION(struct request, firmware_path, "firmware", FILE, "FILE",
	       "firmware of the guest, OVMF.fd for one; RAM and vCPUs are then what the host says "
	       "at "
	       "the start, and --memory and --cpus say nothing"),
	OPTION(struct request, kernel_hashes, "kernel-hashes", FLAG, NULL,
	       "the firmware starts no other kernel than --kernel, --initrd and --append say, "
	       "which "
	       "`socle run --kernel` gives it"),
	OPTION(struct request, bare_guest_path, "guest-bare", FILE, "ELF",
	       "a guest that starts in 64-bit mode at its entry point; RSI points to Linux's "
	       "struct cc_blob_sev_info"),
	{ 0 },
};

static const struct option_row linux_rows[] = {
	OPTION(struct request, kernel_path, "kernel", FILE, "BZIMAGE", "the kernel"),
	OPTION(struct request, initrd_path, "initrd", FILE, "FILE", "its initramfs"),
	OPTION(struct request, cmdline, "append", TEXT, "TEXT", "its command line"),
	{ 0 },
};

static const struct option_row bare_rows[] = {
	OPTION(struct request, bare, "bare", FILE, "ELF",
	       "a program that starts in 32-bit mode at its entry point"),
	OPTION(struct request, plain_linux, "plain-linux", FLAG, NULL,
	       "a kernel; all RAM is in the launch"),
	OPTION(struct request, cpuid_page, "cpuid-page", ADDRESS, "ADDRESS",
	       "a bare program has none where it is not given", .least = ABI_PAGE_SIZE,
	       .most = UINT32_MAX),
	OPTION(struct request, secrets_page, "secrets-page", ADDRESS, "ADDRESS", "likewise",
	       .least = ABI_PAGE_SIZE, .most = UINT32_MAX),
	OPTION(struct request, vmsa_page, "vmsa", ADDRESS, "ADDRESS",
	       "page of the first vCPU's VMSA", .most = (1ull << 52) - 1),
	OPTION(struct request, sev_features, "sev-features", ADDRESS, "N", "of that VMSA",
	       .most = UINT64_MAX),
	OPTION(struct request, c_bit, "c-bit", NUMBER, "N", "position of the C-bit in page tables",
	       .least = 32, .most = 51),
	{ 0 },
};

static const struct option_group groups[] = {
	{ NULL, file_rows },
	{ "Socle", socle_rows },
	{ "Linux, with Socle or plain", linux_rows },
	{ "Without Socle, at VMPL0", bare_rows },
	{ 0 },
};

static const struct host_model *host_of(const struct request *r)
{
	return &host_models[r->host];
}

static bool holds_vmsa(const struct host_model *host)
{
	return host->vmsa_place == HOST_VMSA_HELD_BY_HOST;
}

static bool check_request(const struct request *r)
{
	unsigned int kinds = !!r->monitor + !!r->bare + r->plain_linux;
	const char *what = NULL;

	if (kinds == 0)
		what = "one of --monitor, --bare and --plain-linux is needed";
	else if (kinds > 1)
		what = "--monitor, --bare and --plain-linux exclude each other";
	else if (r->bare && r->vmsa_page == PAGE_UNSET && !holds_vmsa(host_of(r)))
		what = "--bare needs --vmsa";
	else if (r->vmsa_page != PAGE_UNSET && holds_vmsa(host_of(r)))
		what = "--vmsa is not for a host that holds the VMSA";
	else if (r->plain_linux && (!r->kernel_path || !r->c_bit))
		what = "--plain-linux needs --kernel and --c-bit";
	else if (!r->kernel_path && (r->initrd_path || r->cmdline[0]))
		what = "--initrd and --append need --kernel";
	else if (!r->monitor && (r->inputs.count || r->base || r->bare_guest_path ||
				 r->firmware_path || r->allow_missing || r->lower_calls))
		what = "--archive, --file, --base, --guest-bare, --firmware, --allow-missing and "
		       "--lower-calls need --monitor";
	else if (r->kernel_hashes && !(r->firmware_path && r->kernel_path))
		what = "--kernel-hashes wants --kernel, whose they are, and --firmware";
	else if (r->firmware_path && ((r->kernel_path && !r->kernel_hashes) || r->bare_guest_path))
		what = "--firmware excludes --kernel and --guest-bare: `socle run --kernel` gives "
		       "it a kernel";
	else if (r->kernel_path && r->bare_guest_path)
		what = "--kernel and --guest-bare exclude each other";
	if (what)
		cmd_error("igvm build: %s", what);
	return !what;
}

static bool read_input(const char *path, struct file_bytes *bytes)
{
	return !path || cmd_read_file(path, INPUT_MAX, bytes);
}

static bool preempts(const struct request *r)
{
	if (r->preempt == AS_HOST)
		return host_of(r)->preempt != HOST_PREEMPT_NO;
	return r->preempt == CHOICE_YES;
}

/* As firmware and QEMU have them; the command line with its NUL. */
static bool hash_kernel(const struct request *r, const struct work *w, struct kernel_hashes *hashes)
{
	return kernel_hash(hashes->kernel, w->kernel.data, w->kernel.size) &&
	       kernel_hash(hashes->initrd, w->initrd.size ? w->initrd.data : NULL,
			   w->initrd.size) &&
	       kernel_hash(hashes->command_line, r->cmdline, strlen(r->cmdline) + 1);
}

static bool build_socle(const struct request *r, struct work *w, struct host_error *error)
{
	const struct file_bytes none = { 0 };
	struct kernel_hashes hashes;
	struct socle_image_options o = { .monitor = w->program,
					 .archive = w->archive,
					 .kernel = r->firmware_path ? none : w->kernel,
					 .bare_guest = w->bare_guest,
					 .firmware = w->firmware,
					 .kernel_hashes = r->kernel_hashes ? &hashes : NULL,
					 .initrd = r->firmware_path ? none : w->initrd,
					 .cmdline = r->cmdline,
					 .cpu_count = (uint32_t)r->cpus,
					 .memory = r->memory,
					 .base = r->base,
					 .host_channel_port = (uint16_t)r->host_channel,
					 .host_channel_pin = (uint32_t)r->host_channel_pin,
					 .debug_console_port = (uint16_t)r->debug_console,
					 .preempts = preempts(r),
					 .guest_apic = r->guest_apic,
					 .guest_vmpl = (uint32_t)r->guest_vmpl,
					 .lower_calls = r->lower_calls,
					 .allow_missing = r->allow_missing,
					 .sev_features = SOCLE_FEATURES &
							 host_of(r)->sev_features };

	if (r->kernel_hashes && !hash_kernel(r, w, &hashes))
		return host_fail_crypto(error, "cannot compute a hash");
	return socle_image_build(&o, &w->writer, &w->params, error);
}

static bool build_bare(const struct request *r, struct work *w, struct host_error *error)
{
	struct bare_image_options o = { .elf = w->program,
					.cpuid_page = r->cpuid_page,
					.secrets_page = r->secrets_page,
					.vmsa_page = r->vmsa_page == PAGE_UNSET ? 0 : r->vmsa_page,
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
	switch (kind_of(r)) {
	case KIND_SOCLE:
		return build_socle(r, w, error);
	case KIND_BARE:
		return build_bare(r, w, error);
	default:
		return build_plain_linux(r, w, error);
	}
}

/*
 * What is written must be readable, and what the host's loader takes: that two directives overlap,
 * or that it does not take them in this order, may only show here.
 */
static bool check_output(const struct request *r, const struct work *w, struct host_error *error)
{
	struct igvm_file file;
	struct igvm_error reason;

	if (igvm_open(&file, w->output.data, w->output.size, &reason) &&
	    host_check(host_of(r), &file, &reason))
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
	if (!r->plain_linux)
		print_part(r->monitor ? "monitor, ELF file" : "program, ELF file", w->program.size);
	if (w->archive.size)
		print_part("archive", w->archive.size);
	if (w->kernel.size)
		print_part(r->kernel_hashes ? "guest kernel, by its hash" : "guest kernel",
			   w->kernel.size);
	if (w->bare_guest.size)
		print_part("guest, ELF file", w->bare_guest.size);
	if (w->firmware.size)
		print_part("guest firmware", w->firmware.size);
	if (w->initrd.size)
		print_part(r->kernel_hashes ? "guest initramfs, by its hash" : "guest initramfs",
			   w->initrd.size);
	print_part("IGVM file", w->output.size);
	if (r->monitor)
		print_socle_budget(w);
}

static bool add_inputs(struct archive_writer *archive, const struct archive_inputs *inputs,
		       struct host_error *error)
{
	for (size_t i = 0; i < inputs->count; i++) {
		const struct archive_input *input = &inputs->inputs[i];

		if (input->name ? !archive_writer_add(archive, input->name, input->path, error)
				: !archive_writer_add_tree(archive, input->path, error))
			return false;
	}
	return archive_check(archive, error);
}

static bool pack_archive(const struct request *r, struct work *w)
{
	struct archive_writer archive = { 0 };
	struct host_error error;
	bool ok;

	if (!r->monitor) /* other images have none */
		return true;
	ok = add_inputs(&archive, &r->inputs, &error) &&
	     archive_writer_finish(&archive, &w->archive, &error);
	archive_writer_free(&archive);
	if (!ok)
		cmd_error("igvm build: %s", error.text);
	return ok;
}

static bool read_inputs(const struct request *r, struct work *w)
{
	return read_input(r->monitor ? r->monitor : r->bare, &w->program) &&
	       read_input(r->kernel_path, &w->kernel) &&
	       read_input(r->bare_guest_path, &w->bare_guest) &&
	       read_input(r->firmware_path, &w->firmware) &&
	       read_input(r->initrd_path, &w->initrd) && pack_archive(r, w);
}

static enum cmd_status build(const struct request *r, struct work *w)
{
	struct host_error error;

	w->writer.host = host_of(r);
	if (!read_inputs(r, w))
		return CMD_MISUSE;
	if (!build_kind(r, w, &error) ||
	    !igvm_writer_finish(&w->writer, &r->writer, &w->output, &error) ||
	    !check_output(r, w, &error))
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
	file_free(&w->firmware);
	file_free(&w->initrd);
	file_free(&w->archive);
	file_free(&w->output);
}

static enum cmd_status run(void *arguments)
{
	struct work *w = calloc(1, sizeof(*w));
	enum cmd_status status = CMD_MISUSE;
	const struct request *r = arguments;

	if (!w)
		cmd_error("igvm build: out of memory");
	else if (check_request(r))
		status = build(r, w);
	if (w)
		free_work(w);
	free(w);
	return status;
}

const struct command igvm_build = {
	.name = "build",
	.summary = "make an IGVM file",
	.about = "Makes an IGVM file of Socle and its guest (--monitor), of a program at VMPL0 "
		 "(--bare) or of a kernel there (--plain-linux). Addresses and sizes may be in "
		 "hexadecimal (0x) and end in K, M or G.",
	.groups = groups,
	.defaults = &(const struct request){ .cmdline = "",
					     .memory = MEMORY_DEFAULT,
					     .cpus = 1,
					     .guest_vmpl = SOCLE_GUEST_VMPL_DEFAULT,
					     .host_channel = HOST_CHANNEL_DEFAULT,
					     .host_channel_pin = HOST_CHANNEL_PIN_DEFAULT,
					     .debug_console = DEBUG_CONSOLE_DEFAULT,
					     .vmsa_page = PAGE_UNSET,
					     .sev_features = SNP_FEATURE_SNP,
					     .writer = { .policy = POLICY_DEFAULT } },
	.size = sizeof(struct request),
	.run = run,
};
