/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/report_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/evidence/host/cert_table.h"

/* How a field of the firmware's report is written in JSON. */
enum form {
	FORM_NUMBER,  /* of size bytes, little-endian in the report */
	FORM_BYTES,   /* a list of size numbers */
	FORM_TCB,     /* an object of levels */
	FORM_VERSION, /* an object of build, minor, major */
};

/* A field that a report may lack is null, or not there. */
static const struct field {
	const char *name;
	uint16_t offset, size;
	enum form form;
	bool optional;
} fields[] = {
	{ "version", 0x000, 4, FORM_NUMBER, false },
	{ "guest_svn", 0x004, 4, FORM_NUMBER, false },
	{ "policy", 0x008, 8, FORM_NUMBER, false },
	{ "family_id", 0x010, 16, FORM_BYTES, false },
	{ "image_id", 0x020, 16, FORM_BYTES, false },
	{ "vmpl", 0x030, 4, FORM_NUMBER, false },
	{ "sig_algo", 0x034, 4, FORM_NUMBER, false },
	{ "current_tcb", 0x038, 8, FORM_TCB, false },
	{ "plat_info", 0x040, 8, FORM_NUMBER, false },
	{ "key_info", 0x048, 4, FORM_NUMBER, false },
	{ "report_data", 0x050, 64, FORM_BYTES, false },
	{ "measurement", 0x090, 48, FORM_BYTES, false },
	{ "host_data", 0x0c0, 32, FORM_BYTES, false },
	{ "id_key_digest", 0x0e0, 48, FORM_BYTES, false },
	{ "author_key_digest", 0x110, 48, FORM_BYTES, false },
	{ "report_id", 0x140, 32, FORM_BYTES, false },
	{ "report_id_ma", 0x160, 32, FORM_BYTES, false },
	{ "reported_tcb", 0x180, 8, FORM_TCB, false },
	{ "cpuid_fam_id", 0x188, 1, FORM_NUMBER, true },
	{ "cpuid_mod_id", 0x189, 1, FORM_NUMBER, true },
	{ "cpuid_step", 0x18a, 1, FORM_NUMBER, true },
	{ "chip_id", 0x1a0, 64, FORM_BYTES, false },
	{ "committed_tcb", 0x1e0, 8, FORM_TCB, false },
	{ "current", 0x1e8, 3, FORM_VERSION, false },
	{ "committed", 0x1ec, 3, FORM_VERSION, false },
	{ "launch_tcb", 0x1f0, 8, FORM_TCB, false },
	{ "launch_mit_vector", 0x1f8, 8, FORM_NUMBER, true },
	{ "current_mit_vector", 0x200, 8, FORM_NUMBER, true },
};

/*
 * Of a TCB: the byte where the crate takes it from, where there is an FMC (Turin's layout), or not.
 */
static const struct level {
	const char *name;
	uint8_t with_fmc, without;
} levels[] = {
	{ "fmc", 0, 0 }, { "bootloader", 1, 0 }, { "tee", 2, 1 },
	{ "snp", 3, 6 }, { "microcode", 7, 7 },
};

/*
 * A number of so many bytes. A report's are unsigned; jansson's are signed and refuse more than 63
 * bits, so that a mitigation vector with the highest bit cannot be read.
 */
static bool read_number(uint8_t *to, size_t size, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (size < 8 && number >> 8 * size))
		return false;
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(number >> 8 * i);
	return true;
}

static bool read_list(uint8_t *to, size_t size, const json_t *value)
{
	if (json_array_size(value) != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!read_number(&to[i], 1, json_array_get(value, i)))
			return false;
	}
	return true;
}

static bool read_tcb(uint8_t *to, const json_t *value)
{
	bool fmc = json_is_integer(json_object_get(value, "fmc"));

	for (size_t i = fmc ? 0 : 1; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!read_number(&to[fmc ? levels[i].with_fmc : levels[i].without], 1,
				 json_object_get(value, levels[i].name)))
			return false;
	}
	return true;
}

static bool read_version(uint8_t *to, const json_t *value)
{
	return read_number(&to[0], 1, json_object_get(value, "build")) &&
	       read_number(&to[1], 1, json_object_get(value, "minor")) &&
	       read_number(&to[2], 1, json_object_get(value, "major"));
}

static bool read_field(uint8_t *report, const struct field *field, const json_t *object)
{
	const json_t *value = json_object_get(object, field->name);
	uint8_t *to = report + field->offset;

	if (field->optional && (!value || json_is_null(value)))
		return true;
	switch (field->form) {
	case FORM_NUMBER:
		return read_number(to, field->size, value);
	case FORM_BYTES:
		return read_list(to, field->size, value);
	case FORM_TCB:
		return read_tcb(to, value);
	default:
		return read_version(to, value);
	}
}

static const char *read_report(struct report_input *input, const json_t *object)
{
	const json_t *signature = json_object_get(object, "signature");
	uint8_t report[sizeof(struct psp_report)] = { 0 };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!read_field(report, &fields[i], object))
			return "JSON, but not a report's: a field is missing or of another form";
	}
	if (!read_list(report + PSP_REPORT_SIGNED_SIZE, PSP_SIG_COMPONENT_SIZE,
		       json_object_get(signature, "r")) ||
	    !read_list(report + PSP_REPORT_SIGNED_SIZE + PSP_SIG_COMPONENT_SIZE,
		       PSP_SIG_COMPONENT_SIZE, json_object_get(signature, "s")))
		return "JSON, but not a report's: its signature is missing or of another form";
	report_read(&input->report, report, sizeof(report));
	return NULL;
}

/* What the crate calls the certificates of a table that are looked at. */
static const struct kind {
	const char *name;
	struct abi_guid guid;
} kinds[] = {
	{ "VCEK", PSP_GUID_VCEK },
	{ "ASK", PSP_GUID_ASK },
	{ "ARK", PSP_GUID_ARK },
	{ "VLEK", PSP_GUID_VLEK },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *find_kind(const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "cert_type"));

	for (size_t i = 0; name && i < KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Into bytes of its own, which the caller frees. */
static const char *read_certificate(uint8_t **bytes, size_t size, const json_t *data)
{
	*bytes = size ? malloc(size) : NULL;
	if (!*bytes)
		return "a certificate in the JSON is no list of numbers";
	return read_list(*bytes, size, data) ? NULL
					     : "a certificate in the JSON is no list of bytes";
}

static const char *read_chain(struct report_input *input, const json_t *list)
{
	struct cert_table_entry found[KINDS] = { 0 };
	uint8_t *bytes[KINDS] = { 0 };
	const char *error = NULL;
	size_t count = 0;

	if (list && !json_is_null(list) && !json_is_array(list))
		return "the certificates in the JSON are no list";
	for (size_t i = 0; !error && i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const json_t *data = json_object_get(entry, "data");
		const struct kind *kind = find_kind(entry);

		if (!kind)
			continue;
		if (count == KINDS) {
			error = "a certificate is in the JSON twice";
			break;
		}
		error = read_certificate(&bytes[count], json_array_size(data), data);
		found[count] = (struct cert_table_entry){ kind->guid, bytes[count],
							  json_array_size(data) };
		count++;
	}
	if (!error)
		error = cert_table_write(found, count, &input->table);
	for (size_t i = 0; i < count; i++)
		free(bytes[i]);
	return error;
}

/*
 * Bytes of a JSON value, for free(): a list of numbers, or base64url. NULL when it is neither, or
 * empty.
 */
static uint8_t *take_bytes(const json_t *value, size_t *size)
{
	uint8_t *bytes;

	*size = json_is_string(value) ? json_string_length(value) : json_array_size(value);
	bytes = *size ? malloc(*size) : NULL;
	if (!bytes)
		return NULL;
	if (json_is_string(value)) {
		memcpy(bytes, json_string_value(value), *size);
		*size = report_input_base64(bytes, *size);
	} else if (!read_list(bytes, *size, value)) {
		*size = 0;
	}
	if (*size)
		return bytes;
	free(bytes);
	return NULL;
}

/* DER in base64url, or, in the older form, PEM as it is. */
static const char *read_vcek(struct report_input *input, const json_t *value)
{
	const char *text = json_string_value(value), *error;
	struct cert_table_entry entry = { .guid = PSP_GUID_VCEK };
	uint8_t *bytes = NULL;

	if (!value || json_is_null(value))
		return NULL;
	if (text && strncmp(text, "-----", 5) == 0) {
		entry.data = (const uint8_t *)text;
		entry.size = json_string_length(value);
	} else {
		entry.data = bytes = text ? take_bytes(value, &entry.size) : NULL;
	}
	error = entry.data ? cert_table_write(&entry, 1, &input->table)
			   : "the VCEK in the JSON is neither base64url nor PEM";
	free(bytes);
	return error;
}

/* Of Trustee's evidence of kind "az-snp-vtpm": the paravisor's blob and the VCEK beside it. */
static const char *read_azure(struct report_input *input, const json_t *blob, const json_t *vcek)
{
	size_t size;
	uint8_t *bytes = take_bytes(blob, &size);
	const char *error = "the paravisor's blob in the JSON is none";

	if (bytes && report_input_is_hcl(bytes, size))
		error = report_input_read_hcl(input, bytes, size);
	free(bytes);
	input->form = "JSON of Trustee, with the blob of Azure's paravisor";
	return error ? error : read_vcek(input, vcek);
}

/* Trustee's evidence, or the report alone. */
static const char *read_object(struct report_input *input, const json_t *object)
{
	const json_t *report = json_object_get(object, "attestation_report");
	const json_t *blob = json_object_get(object, "hcl_report");
	const char *error;

	if (!blob) /* as it was called before there was a version */
		blob = json_object_get(object, "report");
	if (!report && blob)
		return read_azure(input, blob, json_object_get(object, "vcek"));

	if (!report) {
		input->form = "JSON of snpguest";
		return read_report(input, object);
	}
	input->form = "JSON of Trustee";
	error = read_report(input, report);
	return error ? error : read_chain(input, json_object_get(object, "cert_chain"));
}

bool report_json_is(const void *data, size_t size)
{
	const char *text = data;

	while (size && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')) {
		text++;
		size--;
	}
	return size && *text == '{';
}

/* What the key broker is sent has the evidence one level down, or two, in newer versions. */
static const json_t *find_evidence(const json_t *root)
{
	const json_t *evidence = json_object_get(root, "tee-evidence");
	const json_t *primary = json_object_get(evidence, "primary_evidence");

	return primary ? primary : evidence ? evidence : root;
}

const char *report_json_read(struct report_input *input, const void *data, size_t size)
{
	json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
	const char *error = json_is_object(root) ? read_object(input, find_evidence(root))
						 : "it starts as JSON, but is none";

	json_decref(root);
	return error;
}
