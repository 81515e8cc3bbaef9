/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/decode.h"

#include "core/base/bytes.h"

#define PREFIX_REPNE 0xf2u
#define PREFIX_REP 0xf3u
#define REX_B 0x1u
#define REX_R 0x4u

struct prefixes {
	uint8_t repeat; /* the last of F2 and F3, 0: none */
	uint8_t rex;
	uint8_t opcode; /* the first byte that is no prefix */
};

static bool is_legacy_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case PREFIX_REPNE:
	case PREFIX_REP:
		return true;
	default:
		return false;
	}
}

static struct prefixes read_prefixes(struct bytes_reader *r, bool long_mode)
{
	struct prefixes p = { 0 };
	uint8_t byte = bytes_u8(r);

	while (!r->bad && is_legacy_prefix(byte)) {
		if (byte == PREFIX_REPNE || byte == PREFIX_REP)
			p.repeat = byte;
		byte = bytes_u8(r);
	}
	if (long_mode && (byte & 0xf0) == 0x40) {
		p.rex = byte & 0xf;
		byte = bytes_u8(r);
	}
	p.opcode = byte;
	return p;
}

/* Opcode 0F 01: system instructions, told apart by ModRM and prefix. */
static void decode_0f01(struct bytes_reader *r, const struct prefixes *p, struct insn *out)
{
	uint8_t modrm = bytes_u8(r);

	if (modrm == 0xd9)
		out->kind = p->repeat ? INSN_VMGEXIT : INSN_VMMCALL;
	else if (modrm == 0xff && p->repeat == PREFIX_REPNE)
		out->kind = INSN_PVALIDATE;
	else if (modrm == 0xfe && p->repeat == PREFIX_REP)
		out->kind = INSN_RMPADJUST;
	else if (modrm == 0xfe && !p->repeat)
		out->kind = INSN_INVLPGB;
	else if (modrm == 0xff && !p->repeat)
		out->kind = INSN_TLBSYNC;
	else if ((modrm & 0xf8) == 0xf0)
		out->kind = INSN_LMSW_REGISTER;
	out->reg = (modrm & 7u) | (p->rex & REX_B) << 3;
}

/* MOV between CRs and general registers: the mod field is ignored, always a register. */
static void decode_cr(struct bytes_reader *r, const struct prefixes *p, enum insn_kind kind,
		      struct insn *out)
{
	uint8_t modrm = bytes_u8(r);

	out->kind = kind;
	out->control = (modrm >> 3 & 7u) | (p->rex & REX_R) << 1;
	out->reg = (modrm & 7u) | (p->rex & REX_B) << 3;
}

static void decode_0f(struct bytes_reader *r, const struct prefixes *p, struct insn *out)
{
	switch (bytes_u8(r)) {
	case 0x01:
		decode_0f01(r, p, out);
		break;
	case 0x20:
		decode_cr(r, p, INSN_MOV_FROM_CR, out);
		break;
	case 0x22:
		decode_cr(r, p, INSN_MOV_TO_CR, out);
		break;
	case 0x30:
		out->kind = INSN_WRMSR;
		break;
	case 0x32:
		out->kind = INSN_RDMSR;
		break;
	default:
		break;
	}
}

struct insn insn_decode(const uint8_t *bytes, size_t size, bool long_mode)
{
	struct bytes_reader r = bytes_reader_init(bytes, size < INSN_MAX ? size : INSN_MAX);
	struct prefixes p = read_prefixes(&r, long_mode);
	struct insn out = { .kind = INSN_OTHER };

	if (p.opcode == 0xf4)
		out.kind = INSN_HLT;
	else if (p.opcode == 0x0f)
		decode_0f(&r, &p, &out);
	out.length = (unsigned int)r.pos;
	if (r.bad)
		return (struct insn){ .kind = INSN_OTHER };
	return out;
}
