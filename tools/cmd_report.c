/* SPDX-License-Identifier: MIT */
/* `socle report show`: what a report says, whoever signed it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/report_input.h"
#include "tools/cmd.h"
#include "tools/options.h"

struct arguments {
	const char *file;
	bool json;
};

static json_t *hex(const void *data, size_t size)
{
	char text[HEX_TEXT_SIZE(PSP_SIG_COMPONENT_SIZE)];

	hex_write(text, data, size);
	return json_string(text);
}

static json_t *number(uint64_t value)
{
	return json_sprintf("%016llx", (unsigned long long)value);
}

static json_t *policy(uint64_t value)
{
	json_t *bits = json_array();

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name = value >> bit & 1 ? report_policy_bit(bit) : NULL;

		if (name)
			json_array_append_new(bits, json_string(name));
	}
	return json_pack("{s:o, s:o, s:o}", "value", number(value), "abi",
			 json_sprintf("%u.%u", (unsigned int)(value >> 8 & 0xff),
				      (unsigned int)(value & 0xff)),
			 "bits", bits);
}

static json_t *tcb(uint64_t value, enum report_product product)
{
	struct report_tcb parts = report_tcb(value, product);

	if (product == REPORT_PRODUCT_UNKNOWN)
		return json_pack("{s:o}", "value", number(value));
	return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i}", "value", number(value), "fmc", parts.fmc,
			 "bootloader", parts.bootloader, "tee", parts.tee, "snp", parts.snp,
			 "microcode", parts.microcode);
}

static const char *signing_key(const struct psp_report *r)
{
	switch (report_signing_key(r)) {
	case REPORT_KEY_VCEK:
		return "vcek";
	case REPORT_KEY_VLEK:
		return "vlek";
	case REPORT_KEY_NONE:
		return "none";
	default:
		return "unknown";
	}
}

static void add_identity(json_t *to, const struct psp_report *r)
{
	json_object_set_new(to, "version", json_integer(r->version));
	json_object_set_new(to, "guest_svn", json_integer(r->guest_svn));
	json_object_set_new(to, "vmpl", json_integer(r->vmpl));
	json_object_set_new(to, "policy", policy(r->policy));
	json_object_set_new(to, "report_data", hex(r->report_data, sizeof(r->report_data)));
	json_object_set_new(to, "measurement", hex(r->measurement, sizeof(r->measurement)));
	json_object_set_new(to, "host_data", hex(r->host_data, sizeof(r->host_data)));
	json_object_set_new(to, "family_id", hex(r->family_id, sizeof(r->family_id)));
	json_object_set_new(to, "image_id", hex(r->image_id, sizeof(r->image_id)));
	json_object_set_new(to, "id_key_digest", hex(r->id_key_digest, sizeof(r->id_key_digest)));
	json_object_set_new(to, "author_key_digest",
			    hex(r->author_key_digest, sizeof(r->author_key_digest)));
	json_object_set_new(to, "report_id", hex(r->report_id, sizeof(r->report_id)));
	json_object_set_new(to, "report_id_ma", hex(r->report_id_ma, sizeof(r->report_id_ma)));
}

static void add_platform(json_t *to, const struct psp_report *r)
{
	enum report_product product = REPORT_PRODUCT_UNKNOWN;

	if (r->version >= 3) {
		product = report_product_of_cpu(r->cpuid_family, r->cpuid_model);
		json_object_set_new(to, "cpu",
				    json_pack("{s:i, s:i, s:i, s:s*}", "family", r->cpuid_family,
					      "model", r->cpuid_model, "stepping",
					      r->cpuid_stepping, "product",
					      report_product_name(product)));
	}
	json_object_set_new(to, "chip_id", hex(r->chip_id, sizeof(r->chip_id)));
	json_object_set_new(to, "platform_info", number(r->platform_info));
	json_object_set_new(to, "current_tcb", tcb(r->current_tcb, product));
	json_object_set_new(to, "reported_tcb", tcb(r->reported_tcb, product));
	json_object_set_new(to, "committed_tcb", tcb(r->committed_tcb, product));
	json_object_set_new(to, "launch_tcb", tcb(r->launch_tcb, product));
	json_object_set_new(
		to, "current_firmware",
		json_sprintf("%u.%u.%u", r->current_major, r->current_minor, r->current_build));
	json_object_set_new(to, "committed_firmware",
			    json_sprintf("%u.%u.%u", r->committed_major, r->committed_minor,
					 r->committed_build));
	if (r->version >= 5) {
		json_object_set_new(to, "launch_mitigations", number(r->launch_mit_vector));
		json_object_set_new(to, "current_mitigations", number(r->current_mit_vector));
	}
}

static void add_key(json_t *to, const struct psp_report *r)
{
	json_object_set_new(to, "key",
			    json_pack("{s:s, s:b, s:b}", "signing", signing_key(r), "author",
				      (r->key_info & PSP_KEY_INFO_AUTHOR_KEY_EN) != 0, "masked",
				      (r->key_info & PSP_KEY_INFO_MASK_CHIP_KEY) != 0));
	json_object_set_new(to, "signature_algorithm", json_integer(r->signature_algo));
	json_object_set_new(to, "signature_r", hex(r->signature_r, sizeof(r->signature_r)));
	json_object_set_new(to, "signature_s", hex(r->signature_s, sizeof(r->signature_s)));
}

static json_t *describe(const struct report_input *input)
{
	const char *problem = report_format_error(&input->report, false);
	json_t *all = json_pack("{s:s, s:I, s:s*}", "form", input->form, "table_bytes",
				(json_int_t)input->table.size, "problem", problem);

	add_identity(all, &input->report);
	add_platform(all, &input->report);
	add_key(all, &input->report);
	return all;
}

static void print_value(const char *name, const char *part, const json_t *value)
{
	char label[64];

	snprintf(label, sizeof(label), "%s%s%s", name, part ? " " : "", part ? part : "");
	if (json_is_integer(value))
		printf("%-24s %lld\n", label, (long long)json_integer_value(value));
	else if (json_is_string(value))
		printf("%-24s %s\n", label, json_string_value(value));
	else
		printf("%-24s %s\n", label, json_is_true(value) ? "yes" : "no");
}

static void print_list(const char *name, const char *part, const json_t *list)
{
	size_t i;
	json_t *value;

	json_array_foreach((json_t *)list, i, value) print_value(name, part, value);
}

static void print_text(json_t *all)
{
	const char *name, *part;
	json_t *value, *inner;

	json_object_foreach(all, name, value)
	{
		if (!json_is_object(value)) {
			print_value(name, NULL, value);
			continue;
		}
		json_object_foreach(value, part, inner)
		{
			if (json_is_array(inner))
				print_list(name, part, inner);
			else
				print_value(name, part, inner);
		}
	}
}

static bool load(const char *path, struct report_input *input)
{
	struct file_bytes bytes;
	const char *wrong;

	if (!cmd_read_input(path, EVIDENCE_REPORT_SIZE_MAX, &bytes))
		return false;
	wrong = report_input_read(input, bytes.data, bytes.size);
	if (wrong)
		cmd_file_error(path, "%s", wrong);
	file_free(&bytes);
	return !wrong;
}

static enum cmd_status show(void *arguments)
{
	const struct arguments *a = arguments;
	struct report_input input;
	json_t *all;

	if (!load(a->file, &input))
		return cmd_show_error(a->json);
	all = describe(&input);
	report_input_free(&input);
	return cmd_show("report", all, a->json, print_text);
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, json, "json", FLAG, NULL, "as one JSON object"),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, file, "FILE", FILE, NULL, "the report; - is standard input"),
	{ 0 },
};

static const struct command report_show = {
	.name = "show",
	.summary = "show what an attestation report says",
	.about = "Shows what an attestation report says, in any form that `socle verify` reads. "
		 "Nothing is verified: anybody can write one.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.run = show,
	.refused = cmd_show_refused,
};

const struct command cmd_report = {
	.name = "report",
	.summary = "show attestation reports",
	.commands = (const struct command *const[]){ &report_show, NULL },
};
