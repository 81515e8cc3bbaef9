/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/report_input.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/report_json.h"
#include "core/evidence/host/report_proto.h"

/* Azure's header: signature, version, sizes and status, 32 bytes in all. */
#define HCL_MAGIC "HCLA"
#define HCL_HEADER_SIZE 32u

static const char *take_table(struct report_input *input, const uint8_t *data, size_t size)
{
	if (size == 0)
		return NULL;
	input->table.data = malloc(size);
	if (!input->table.data)
		return "out of memory";
	memcpy(input->table.data, data, size);
	input->table.size = size;
	return NULL;
}

bool report_input_is_hcl(const uint8_t *data, size_t size)
{
	return size >= strlen(HCL_MAGIC) && memcmp(data, HCL_MAGIC, strlen(HCL_MAGIC)) == 0;
}

const char *report_input_read_hcl(struct report_input *input, const uint8_t *data, size_t size)
{
	if (size < HCL_HEADER_SIZE + sizeof(input->report))
		return "the blob of a paravisor ends before its report";
	input->form = "blob of Azure's paravisor";
	report_read(&input->report, data + HCL_HEADER_SIZE, sizeof(input->report));
	return NULL;
}

static const char *read_binary(struct report_input *input, const uint8_t *data, size_t size)
{
	if (report_input_is_hcl(data, size))
		return report_input_read_hcl(input, data, size);
	if (report_proto_is(data, size))
		return report_proto_read(input, data, size);
	if (size < sizeof(input->report))
		return "too short for a report, which has 1184 bytes";
	report_read(&input->report, data, sizeof(input->report));
	input->form = size == sizeof(input->report) ? "report" : "report and certificate table";
	return take_table(input, data + sizeof(input->report), size - sizeof(input->report));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text without blanks; false where there is anything else than ASCII's visible characters. */
static bool squeeze(uint8_t *text, size_t *length, const uint8_t *data, size_t size)
{
	*length = 0;
	for (size_t i = 0; i < size; i++) {
		if (is_blank(data[i]))
			continue;
		if (data[i] <= ' ' || data[i] > '~')
			return false;
		text[(*length)++] = data[i];
	}
	return *length > 0;
}

static bool is_hex(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (hex_digit((char)text[i]) < 0)
			return false;
	}
	return length % 2 == 0;
}

/* In place: it gets shorter. */
static size_t decode_hex(uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i += 2)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): is_hex(). */
		text[i / 2] = (uint8_t)(hex_digit((char)text[i]) << 4 |
					hex_digit((char)text[i + 1]));
	return length / 2;
}

static int base64_digit(uint8_t c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One alphabet, not both in one text: false then. The second becomes the first. */
static bool one_alphabet(uint8_t *text, size_t length, bool *url)
{
	bool first = false;

	*url = false;
	for (size_t i = 0; i < length; i++) {
		first = first || text[i] == '+' || text[i] == '/';
		*url = *url || text[i] == '-' || text[i] == '_';
		text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	}
	return !first || !*url;
}

size_t report_input_base64(uint8_t *text, size_t length)
{
	size_t end = length, size = 0;
	uint32_t bits = 0;
	bool url;

	while (length - end < 2 && end > 0 && text[end - 1] == '=')
		end--;
	if (!one_alphabet(text, end, &url))
		return 0;
	/* The second may go without padding (RFC 4648, 3.2). */
	if (length % 4 != 0 && (!url || end != length || length % 4 == 1))
		return 0;
	for (size_t i = 0; i < end; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
		/* The first digit of four completes no byte, each of the others one. */
		if (i % 4 != 0)
			text[size++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	if (end % 4 == 2 && bits & 0xf)
		return 0;
	return end % 4 == 3 && bits & 0x3 ? 0 : size;
}

static const char *read_text(struct report_input *input, uint8_t *text, size_t length)
{
	size_t size = is_hex(text, length) ? decode_hex(text, length)
					   : report_input_base64(text, length);

	return size ? read_binary(input, text, size)
		    : "text, but neither hexadecimal digits nor base64";
}

const char *report_input_read(struct report_input *input, const void *data, size_t size)
{
	uint8_t *text = size && size <= EVIDENCE_REPORT_SIZE_MAX ? malloc(size) : NULL;
	const char *error;
	size_t length;

	*input = (struct report_input){ 0 };
	if (size > EVIDENCE_REPORT_SIZE_MAX)
		return "too large for a report";
	if (text && squeeze(text, &length, data, size))
		error = report_json_is(data, size) ? report_json_read(input, data, size)
						   : read_text(input, text, length);
	else
		error = read_binary(input, data, size);
	free(text);
	if (error)
		report_input_free(input);
	return error;
}

void report_input_free(struct report_input *input)
{
	file_free(&input->table);
}
