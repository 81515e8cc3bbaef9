/* SPDX-License-Identifier: MIT */
/*
 * `socle igvm show FILE`: what a file loads, run by run, and Socle's parameter block if it is
 * there.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/params.h"
#include "abi/psp.h"
#include "core/base/hex.h"
#include "core/snp/cpu_features.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"
#include "tools/igvm/lower_calls.h"
#include "tools/options.h"

/* Directives that follow each other in the file and in memory, and are of one kind. */
struct run {
	const char *kind;
	bool data; /* the file holds the contents */
	uint64_t gpa, size;
	uint64_t directives;
	uint64_t header_offset; /* of the first */
};

/* What a loader writes to a parameter area, in file order. */
struct parameter {
	const char *name;
	uint32_t area, offset;
};

struct contents {
	const char *path;
	struct igvm_file file;
	char digest[HEX_TEXT_SIZE(PSP_MEASUREMENT_SIZE)];
	struct run *runs;
	size_t run_count;
	struct parameter *parameters;
	size_t parameter_count;
	bool has_id_block;
	struct igvm_snp_id_block id_block;
	bool has_params;
	struct socle_params params;
	char firmware[IGVM_FIRMWARE_HASH]; /* where the block names one */
};

static const char *kind_of(const struct igvm_directive *d)
{
	static const char *const names[] = {
		[PSP_PAGE_TYPE_NORMAL] = "normal",   [PSP_PAGE_TYPE_VMSA] = "vmsa",
		[PSP_PAGE_TYPE_SECRETS] = "secrets", [PSP_PAGE_TYPE_UNMEASURED] = "unmeasured",
		[PSP_PAGE_TYPE_CPUID] = "cpuid",
	};

	switch (d->type) {
	case IGVM_TYPE_PAGE_DATA:
		return d->page_type == PSP_PAGE_TYPE_NONE ? "shared" : names[d->page_type];
	case IGVM_TYPE_VP_CONTEXT:
		return names[d->page_type];
	case IGVM_TYPE_PARAMETER_INSERT:
		return "parameters";
	case IGVM_TYPE_REQUIRED_MEMORY:
		return "required";
	case IGVM_TYPE_ERROR_RANGE:
		return "error range";
	case IGVM_TYPE_RELOCATABLE_REGION:
		return "relocatable";
	default:
		return "page tables";
	}
}

static void add_run(struct contents *c, const struct igvm_directive *d)
{
	struct run run = { .kind = kind_of(d),
			   .data = d->data != NULL,
			   .gpa = igvm_directive_gpa(d),
			   .size = d->size,
			   .directives = 1,
			   .header_offset = d->header_offset };
	struct run *last = c->run_count ? &c->runs[c->run_count - 1] : NULL;

	if (last && last->kind == run.kind && last->data == run.data &&
	    last->gpa + last->size == run.gpa) {
		last->size += run.size;
		last->directives++;
		return;
	}
	c->runs[c->run_count++] = run;
}

static void add_directive(struct contents *c, const struct igvm_directive *d)
{
	if (igvm_is_parameter(d->type)) {
		c->parameters[c->parameter_count++] = (struct parameter){
			igvm_type_name(d->type), d->parameter.area_index, d->parameter.byte_offset
		};
	} else if (d->type == IGVM_TYPE_SNP_ID_BLOCK) {
		c->id_block = d->id_block;
		c->has_id_block = true;
	} else if (d->type != IGVM_TYPE_PARAMETER_AREA) {
		add_run(c, d);
	}
}

static bool gather(struct contents *c)
{
	struct igvm_cursor cursor = { 0 };
	struct launch_digest digest;
	struct igvm_directive d;

	if (!igvm_digest(c->path, &c->file, &digest))
		return false;
	hex_write(c->digest, digest.value, sizeof(digest.value));
	c->runs = calloc(c->file.directive_count + 1u, sizeof(*c->runs));
	c->parameters = calloc(c->file.directive_count + 1u, sizeof(*c->parameters));
	if (!c->runs || !c->parameters) {
		cmd_file_error(c->path, "out of memory");
		return false;
	}
	while (igvm_next(&c->file, &cursor, &d))
		add_directive(c, &d);
	c->has_params = igvm_params(&c->file, &c->params);
	if (c->has_params && c->params.firmware.size &&
	    !igvm_firmware(&c->file, &c->params, c->firmware)) {
		cmd_file_error(c->path, "SHA-256 is not available");
		return false;
	}
	return true;
}

static void print_range(const char *name, const struct socle_range *range)
{
	printf("  %-16s 0x%010" PRIx64 "  %8" PRIu64 " KiB\n", name, range->gpa, range->size >> 10);
}

static void print_firmware(const struct socle_params *p, const char *hash)
{
	print_range("firmware", &p->firmware);
	printf("  %-16s %s\n", "its SHA-256", hash);
	printf("  %-16s 0x%010" PRIx64 "\n", "its first VMSA", p->guest_vmsa);
	printf("  %-16s 0x%010" PRIx64 ": vCPUs, memory map, MADT\n", "the host's word",
	       p->host.gpa);
}

static void print_guest(const struct socle_params *p)
{
	if (p->guest.rip != 0)
		printf("  %-16s 0x%010" PRIx64 ", boot data 0x%" PRIx64 "\n", "guest entry",
		       p->guest.rip, p->guest.rsi);
	printf("  %-16s CPUID 0x%" PRIx64 ", secrets 0x%" PRIx64 ", CAA 0x%" PRIx64 "\n",
	       "guest pages", p->guest_cpuid_page, p->guest_secrets_page, p->guest_caa);
	for (uint32_t i = 0; i < p->loaded_count; i++)
		print_range("guest loaded", &p->loaded[i]);
}

static void print_params(const struct socle_params *p, const char *firmware)
{
	printf("\nSocle's parameters, version %u\n", p->version);
	print_range("region", &p->region);
	print_range("image", &p->image);
	print_range("page tables", &p->page_tables);
	print_range("archive", &p->archive);
	print_range("free", &p->free);
	printf("  %-16s 0x%010" PRIx64 "\n", "CPUID page", p->cpuid_page);
	printf("  %-16s 0x%010" PRIx64 "\n", "secrets page", p->secrets_page);
	if (!p->host.size)
		printf("  %-16s %u\n", "vCPUs", p->cpu_count);
	if (p->features & SOCLE_FEATURE_HOST_CHANNEL)
		printf("  %-16s port 0x%x, pin %u\n", "host channel", p->host_channel_port,
		       p->host_channel_pin);
	if (p->features & SOCLE_FEATURE_DEBUG_CONSOLE)
		printf("  %-16s port 0x%x\n", "debug console", p->debug_console_port);
	printf("  %-16s %s\n", "VMPL0's events",
	       p->features & SOCLE_FEATURE_PREEMPTS ? "reach it while the guest runs"
						    : "wait until it runs");
	printf("  %-16s VMPL%u\n", "guest's level", p->guest_vmpl);
	for (size_t i = 0; i < LOWER_CALLS; i++) {
		if (p->lower_calls & lower_calls[i].flag)
			printf("  %-16s %s\n", "lower ones call", lower_calls[i].name);
	}
	if (p->features & SOCLE_FEATURE_GUEST_APIC)
		printf("  %-16s Socle's\n", "guest's APIC");
	for (size_t i = 0; i < CPU_FEATURES; i++) {
		if (p->allow_missing & cpu_features[i].flag)
			printf("  %-16s %s\n", "may be missing", cpu_features[i].name);
	}
	for (uint32_t i = 0; i < p->ram_count; i++)
		print_range("RAM", &p->ram[i]);
	if (p->firmware.size)
		print_firmware(p, firmware);
	if (p->guest.rip || p->firmware.size)
		print_guest(p);
}

static void print_platforms(const struct igvm_file *f)
{
	printf("platform     SEV-SNP");
	for (uint32_t type = 0; type < 32; type++) {
		if (type != IGVM_PLATFORM_SEV_SNP && f->platforms & 1u << type)
			printf(", also %s", igvm_platform_name(type));
	}
	putchar('\n');
}

static void print_id_block(const struct igvm_snp_id_block *block)
{
	char family[HEX_TEXT_SIZE(16)], image[HEX_TEXT_SIZE(16)];

	hex_write(family, block->family_id, sizeof(block->family_id));
	hex_write(image, block->image_id, sizeof(block->image_id));
	printf("ID block     guest SVN %u, %s author key, family %s, image %s\n", block->guest_svn,
	       block->author_key_enabled ? "with an" : "no", family, image);
}

static void print_parameters(const struct contents *c)
{
	if (c->parameter_count)
		putchar('\n');
	for (size_t i = 0; i < c->parameter_count; i++)
		printf("  parameter area %u + 0x%04x  %s\n", c->parameters[i].area,
		       c->parameters[i].offset, c->parameters[i].name);
}

static void print_text(const struct contents *c)
{
	const struct igvm_file *f = &c->file;

	printf("IGVM file, format %u, %zu bytes, %u of headers\n", f->header.format_version,
	       f->size, f->header.variable_header_size);
	print_platforms(f);
	if (f->has_policy)
		printf("policy       0x%" PRIx64 "\n", f->policy);
	printf("measurement  %s\n", c->digest);
	if (c->has_id_block)
		print_id_block(&c->id_block);
	printf("directives   %u for %" PRIu64 " pages\n\n", f->directive_count, f->page_count);
	for (size_t i = 0; i < c->run_count; i++) {
		const struct run *run = &c->runs[i];

		printf("  0x%010" PRIx64 "  %8" PRIu64 " KiB  %-10s %s\n", run->gpa,
		       run->size >> 10, run->kind, run->data ? "" : "no contents");
	}
	print_parameters(c);
	if (c->has_params)
		print_params(&c->params, c->firmware);
}

static json_t *json_hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

static json_t *json_range(const struct socle_range *range)
{
	return json_pack("{s:o, s:I}", "gpa", json_hex(range->gpa), "size",
			 (json_int_t)range->size);
}

static json_t *json_ranges(const struct socle_range *ranges, uint32_t count)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_range(&ranges[i]));
	return array;
}

static json_t *json_guest(const struct socle_params *p)
{
	if (p->guest.rip == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rip", json_hex(p->guest.rip),
			 "rsi", json_hex(p->guest.rsi), "cr3", json_hex(p->guest.cr3),
			 "page_tables", json_range(&p->guest.page_tables), "cpuid_page",
			 json_hex(p->guest_cpuid_page), "secrets_page",
			 json_hex(p->guest_secrets_page), "caa", json_hex(p->guest_caa), "loaded",
			 json_ranges(p->loaded, p->loaded_count));
}

/* The names of the features that the CPU may lack. */
static json_t *json_missing(const struct socle_params *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < CPU_FEATURES; i++) {
		if (p->allow_missing & cpu_features[i].flag)
			json_array_append_new(array, json_string(cpu_features[i].name));
	}
	return array;
}

static json_t *json_lower_calls(const struct socle_params *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < LOWER_CALLS; i++) {
		if (p->lower_calls & lower_calls[i].flag)
			json_array_append_new(array, json_string(lower_calls[i].name));
	}
	return array;
}

static json_t *json_firmware(const struct socle_params *p, const char *hash)
{
	if (p->firmware.size == 0)
		return json_null();
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "image",
			 json_range(&p->firmware), "sha256", hash, "vmsa", json_hex(p->guest_vmsa),
			 "host", json_range(&p->host), "cpuid_page", json_hex(p->guest_cpuid_page),
			 "secrets_page", json_hex(p->guest_secrets_page), "caa",
			 json_hex(p->guest_caa), "loaded", json_ranges(p->loaded, p->loaded_count));
}

static json_t *json_params(const struct socle_params *p, const char *firmware)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, "
			 "s:o, s:o, s:o, s:o, s:o}",
			 "version", (int)p->version, "features", json_hex(p->features), "region",
			 json_range(&p->region), "image", json_range(&p->image), "page_tables",
			 json_range(&p->page_tables), "archive", json_range(&p->archive), "free",
			 json_range(&p->free), "cpuid_page", json_hex(p->cpuid_page),
			 "secrets_page", json_hex(p->secrets_page), "cpu_count", (int)p->cpu_count,
			 "host_channel_port", (int)p->host_channel_port, "host_channel_pin",
			 (int)p->host_channel_pin, "debug_console_port", (int)p->debug_console_port,
			 "guest_vmpl", (int)p->guest_vmpl, "lower_calls", json_lower_calls(p),
			 "allow_missing", json_missing(p), "ram", json_ranges(p->ram, p->ram_count),
			 "guest", json_guest(p), "firmware", json_firmware(p, firmware));
}

static json_t *json_run(const struct run *run)
{
	return json_pack("{s:o, s:I, s:s, s:b, s:I, s:I}", "gpa", json_hex(run->gpa), "size",
			 (json_int_t)run->size, "kind", run->kind, "contents", run->data,
			 "directives", (json_int_t)run->directives, "header_offset",
			 (json_int_t)run->header_offset);
}

static json_t *json_platforms(const struct igvm_file *f)
{
	json_t *array = json_array();

	for (uint32_t type = 0; type < 32; type++) {
		if (f->platforms & 1u << type)
			json_array_append_new(array, json_string(igvm_platform_name(type)));
	}
	return array;
}

static json_t *json_loader_parameters(const struct contents *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->parameter_count; i++) {
		const struct parameter *p = &c->parameters[i];

		json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "name", p->name, "area",
						       (json_int_t)p->area, "offset",
						       (json_int_t)p->offset));
	}
	return array;
}

static json_t *json_id_block(const struct contents *c)
{
	char family[HEX_TEXT_SIZE(16)], image[HEX_TEXT_SIZE(16)];

	if (!c->has_id_block)
		return json_null();
	hex_write(family, c->id_block.family_id, sizeof(c->id_block.family_id));
	hex_write(image, c->id_block.image_id, sizeof(c->id_block.image_id));
	return json_pack("{s:I, s:b, s:s, s:s}", "guest_svn", (json_int_t)c->id_block.guest_svn,
			 "author_key", (int)c->id_block.author_key_enabled, "family_id", family,
			 "image_id", image);
}

static json_t *json_contents(const struct contents *c)
{
	const struct igvm_file *f = &c->file;
	json_t *runs = json_array();

	for (size_t i = 0; i < c->run_count; i++)
		json_array_append_new(runs, json_run(&c->runs[i]));
	return json_pack("{s:i, s:I, s:s, s:o, s:o, s:s, s:I, s:o, s:o, s:o, s:o}", "format",
			 (int)f->header.format_version, "size", (json_int_t)f->size, "platform",
			 "sev-snp", "platforms", json_platforms(f), "policy",
			 f->has_policy ? json_hex(f->policy) : json_null(), "measurement",
			 c->digest, "pages", (json_int_t)f->page_count, "runs", runs,
			 "loader_parameters", json_loader_parameters(c), "id_block",
			 json_id_block(c), "parameters",
			 c->has_params ? json_params(&c->params, c->firmware) : json_null());
}

static enum cmd_status print(const struct contents *c, bool json)
{
	if (json)
		return cmd_show("igvm show", json_contents(c), true, NULL);
	print_text(c);
	return cmd_shown("igvm show", true);
}

struct arguments {
	const char *path;
	bool json;
};

static enum cmd_status show(void *arguments)
{
	const struct arguments *a = arguments;
	struct contents c = { .path = a->path };
	enum cmd_status status = CMD_MISUSE;
	struct file_bytes bytes;

	if (!igvm_load(a->path, &bytes, &c.file))
		return CMD_MISUSE;
	if (gather(&c))
		status = print(&c, a->json);
	free(c.runs);
	free(c.parameters);
	file_free(&bytes);
	return status;
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, json, "json", FLAG, NULL, "all of it as one object"),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, path, "FILE", FILE, NULL, "the IGVM file"),
	{ 0 },
};

const struct command igvm_show = {
	.name = "show",
	.summary = "say what an IGVM file holds",
	.about = "Says what FILE loads, where, how it is measured, and what Socle's parameter "
		 "block in it says.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.run = show,
};
