/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/report_proto.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/evidence/host/cert_table.h"

/* Wire types. */
#define WIRE_VARINT 0u
#define WIRE_64 1u
#define WIRE_BYTES 2u
#define WIRE_32 5u

struct field {
	uint32_t number, wire;
	uint64_t value; /* of a varint */
	const uint8_t *data;
	size_t size; /* of bytes */
};

static bool read_varint(struct bytes_reader *r, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = bytes_u8(r);

		if (r->bad || (shift == 63 && byte > 1))
			return false;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool read_field(struct bytes_reader *r, struct field *f)
{
	uint64_t tag, size;

	*f = (struct field){ 0 };
	if (!read_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return false;
	f->number = (uint32_t)(tag >> 3);
	f->wire = tag & 7;
	switch (f->wire) {
	case WIRE_VARINT:
		return read_varint(r, &f->value);
	case WIRE_BYTES:
		if (!read_varint(r, &size) || size > bytes_left(r))
			return false;
		f->size = (size_t)size;
		f->data = bytes_take(r, f->size);
		return true;
	case WIRE_64:
		return bytes_take(r, 8);
	case WIRE_32:
		return bytes_take(r, 4);
	default:
		return false;
	}
}

/*
 * Where a field of a Report is in the firmware's: at an offset, so many bytes, a number or bytes.
 */
static const struct place {
	uint16_t offset, size;
	bool bytes;
} places[] = {
	[1] = { 0x000, 4, false },   [2] = { 0x004, 4, false },	 [3] = { 0x008, 8, false },
	[4] = { 0x010, 16, true },   [5] = { 0x020, 16, true },	 [6] = { 0x030, 4, false },
	[7] = { 0x034, 4, false },   [8] = { 0x038, 8, false },	 [9] = { 0x040, 8, false },
	[10] = { 0x048, 4, false },  [11] = { 0x050, 64, true }, [12] = { 0x090, 48, true },
	[13] = { 0x0c0, 32, true },  [14] = { 0x0e0, 48, true }, [15] = { 0x110, 48, true },
	[16] = { 0x140, 32, true },  [17] = { 0x160, 32, true }, [18] = { 0x180, 8, false },
	[19] = { 0x1a0, 64, true },  [20] = { 0x1e0, 8, false }, [21] = { 0x1e8, 1, false },
	[22] = { 0x1e9, 1, false },  [23] = { 0x1ea, 1, false }, [24] = { 0x1ec, 1, false },
	[25] = { 0x1ed, 1, false },  [26] = { 0x1ee, 1, false }, [27] = { 0x1f0, 8, false },
	[28] = { 0x2a0, 512, true }, [30] = { 0x1f8, 8, false }, [31] = { 0x200, 8, false },
};
#define FIELD_CPUID 29u
#define FIELDS (sizeof(places) / sizeof(places[0]))

/* CPUID 1, EAX: family and model with their extended parts, and the stepping. */
static bool put_cpuid(uint8_t *report, uint64_t eax)
{
	uint64_t family = (eax >> 8 & 0xf) + (eax >> 20 & 0xff);

	if (eax & ~UINT64_C(0x0fff0fff) || family > UINT8_MAX)
		return false;
	report[0x188] = (uint8_t)family;
	report[0x189] = (uint8_t)((eax >> 12 & 0xf0) | (eax >> 4 & 0xf));
	report[0x18a] = eax & 0xf;
	return true;
}

static bool put_field(uint8_t *report, const struct field *f)
{
	const struct place *place = &places[f->number];

	if (f->number == FIELD_CPUID)
		return f->wire == WIRE_VARINT && put_cpuid(report, f->value);
	if (place->bytes) {
		if (f->wire != WIRE_BYTES || f->size != place->size)
			return false;
		memcpy(report + place->offset, f->data, f->size);
		return true;
	}
	if (f->wire != WIRE_VARINT || (place->size < 8 && f->value >> 8 * place->size))
		return false;
	for (size_t i = 0; i < place->size; i++)
		report[place->offset + i] = (uint8_t)(f->value >> 8 * i);
	return true;
}

static const char *read_report(struct report_input *input, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	uint8_t report[sizeof(struct psp_report)] = { 0 };
	uint32_t seen = 0;
	struct field f;

	while (bytes_left(&r)) {
		if (!read_field(&r, &f))
			return "the message's report cannot be read";
		if (f.number >= FIELDS)
			continue;
		if (seen >> f.number & 1)
			return "the message's report has a field twice";
		seen |= UINT32_C(1) << f.number;
		if (!put_field(report, &f))
			return "a field of the message's report has another form than the report's";
	}
	report_read(&input->report, report, sizeof(report));
	return NULL;
}

/*
 * Fields of a CertificateChain, and what hosts call them (63da758d-..., 4ab7b379-..., c0b406a4-...,
 * a8074bc2-...).
 */
static const struct kind {
	uint32_t number;
	struct abi_guid guid;
} kinds[] = {
	{ 1, PSP_GUID_VCEK },
	{ 2, PSP_GUID_ASK },
	{ 3, PSP_GUID_ARK },
	{ 6, PSP_GUID_VLEK },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *make_table(struct report_input *input, const struct field found[KINDS])
{
	struct cert_table_entry entries[KINDS];
	size_t count = 0;

	for (size_t i = 0; i < KINDS; i++) {
		if (found[i].size)
			entries[count++] = (struct cert_table_entry){ kinds[i].guid, found[i].data,
								      found[i].size };
	}
	return cert_table_write(entries, count, &input->table);
}

static const char *read_chain(struct report_input *input, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	struct field found[KINDS] = { 0 }, f;

	while (bytes_left(&r)) {
		if (!read_field(&r, &f))
			return "the message's certificates cannot be read";
		for (size_t i = 0; i < KINDS; i++) {
			if (f.number != kinds[i].number)
				continue;
			if (f.wire != WIRE_BYTES || found[i].size)
				return "the message has a certificate twice, or one that is none";
			found[i] = f;
		}
	}
	return make_table(input, found);
}

/* Two fields of a message that holds others: the first has to be there once, the second at most. */
static const char *read_pair(const void *data, size_t size, uint32_t first, struct field *one,
			     uint32_t second, struct field *other)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	struct field f;

	while (bytes_left(&r)) {
		struct field *to = NULL;

		if (!read_field(&r, &f))
			return "the message cannot be read";
		if (f.number == first)
			to = one;
		else if (f.number == second)
			to = other;
		if (!to)
			continue;
		if (to->number || f.wire != WIRE_BYTES)
			return "the message has a field twice, or of another form";
		*to = f;
	}
	return one->number ? NULL : "the message has no report of SEV-SNP";
}

#define FIELD_REPORT 1u
#define FIELD_CHAIN 2u

/* go-sev-guest's Attestation. */
static const char *read_attestation(struct report_input *input, const void *data, size_t size)
{
	struct field report = { 0 }, chain = { 0 };
	const char *error = read_pair(data, size, FIELD_REPORT, &report, FIELD_CHAIN, &chain);

	if (!error)
		error = read_report(input, report.data, report.size);
	if (!error && chain.size)
		error = read_chain(input, chain.data, chain.size);
	return error;
}

/* Of go-tpm-tools' messages: where go-sev-guest's Attestation is in its own, and in the SVSM's. */
#define FIELD_TPM_FIRST 1u
#define FIELD_TPM_SNP 8u
#define FIELD_SVSM_SNP 2u

/*
 * go-tpm-tools has an Attestation and an SevSnpSvsmAttestation; only the report and its
 * certificates are taken.
 */
static const char *read_tpm_tools(struct report_input *input, const void *data, size_t size,
				  uint32_t field)
{
	struct field snp = { 0 }, first = { 0 };
	const char *error = read_pair(data, size, field, &snp, FIELD_TPM_FIRST, &first);

	input->form = "message of go-tpm-tools";
	return error ? error : read_attestation(input, snp.data, snp.size);
}

/*
 * The first byte of what the first field holds tells the messages apart: a Report, a TPMT_PUBLIC,
 * or another message.
 */
static uint8_t first_of(const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	struct field f;

	return read_field(&r, &f) && f.size ? f.data[0] : 0xff;
}

/* The first byte of either message, and of what follows: a version is less than 256. */
#define TAG_ATTESTATION (FIELD_REPORT << 3 | WIRE_BYTES)
#define TAG_REPORT (1u << 3 | WIRE_VARINT)

bool report_proto_is(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	return size > 2 && (bytes[0] == TAG_ATTESTATION || bytes[0] == TAG_REPORT) && bytes[1];
}

const char *report_proto_read(struct report_input *input, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	input->form = "message of go-sev-guest";
	if (bytes[0] != TAG_ATTESTATION)
		return read_report(input, data, size);
	switch (first_of(data, size)) {
	case TAG_REPORT:
		return read_attestation(input, data, size);
	case 0: /* the type of a key, whose high byte is 0 */
		return read_tpm_tools(input, data, size, FIELD_TPM_SNP);
	default:
		return read_tpm_tools(input, data, size, FIELD_SVSM_SNP);
	}
}
