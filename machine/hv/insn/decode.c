/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/decode.h"

#include "core/base/bytes.h"

#define PREFIX_REPNE 0xf2u
#define PREFIX_REP 0xf3u
#define PREFIX_LOCK 0xf0u
#define PREFIX_OPERAND 0x66u
#define PREFIX_ADDRESS 0x67u
#define REX_B 0x1u
#define REX_X 0x2u
#define REX_R 0x4u
#define REX_W 0x8u

struct prefixes {
	uint8_t repeat; /* the last of F2 and F3, 0: none */
	bool lock, operand_16, address_size;
	uint8_t segment;
	uint8_t rex;
	uint8_t opcode; /* the first byte that is no prefix */
};

static bool is_segment_prefix(uint8_t byte)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 ||
	       byte == 0x65;
}

static bool is_legacy_prefix(uint8_t byte)
{
	return is_segment_prefix(byte) || byte == PREFIX_OPERAND || byte == PREFIX_ADDRESS ||
	       byte == PREFIX_LOCK || byte == PREFIX_REPNE || byte == PREFIX_REP;
}

static struct prefixes read_prefixes(struct bytes_reader *r, bool long_mode)
{
	struct prefixes p = { 0 };
	uint8_t byte = bytes_u8(r);

	while (!r->bad && is_legacy_prefix(byte)) {
		if (byte == PREFIX_REPNE || byte == PREFIX_REP)
			p.repeat = byte;
		p.lock = p.lock || byte == PREFIX_LOCK;
		p.operand_16 = p.operand_16 || byte == PREFIX_OPERAND;
		p.address_size = p.address_size || byte == PREFIX_ADDRESS;
		if (is_segment_prefix(byte))
			p.segment = byte;
		byte = bytes_u8(r);
	}
	if (long_mode && (byte & 0xf0) == 0x40) {
		p.rex = byte & 0xf;
		byte = bytes_u8(r);
	}
	p.opcode = byte;
	return p;
}

/* Opcode 0F 01: system instructions, told apart by ModRM and the last repeat prefix. */
static const struct {
	uint8_t modrm, repeat;
	enum insn_kind kind;
} group_0f01[] = {
	{ 0xd9, 0, INSN_VMMCALL },
	{ 0xd9, PREFIX_REP, INSN_VMGEXIT },
	{ 0xd9, PREFIX_REPNE, INSN_VMGEXIT },
	{ 0xf9, 0, INSN_RDTSCP },
	{ 0xfd, PREFIX_REP, INSN_RMPQUERY },
	{ 0xfe, 0, INSN_INVLPGB },
	{ 0xfe, PREFIX_REP, INSN_RMPADJUST },
	{ 0xff, 0, INSN_TLBSYNC },
	{ 0xff, PREFIX_REPNE, INSN_PVALIDATE },
};

static void decode_0f01(struct bytes_reader *r, const struct prefixes *p, struct insn *out)
{
	uint8_t modrm = bytes_u8(r);

	for (size_t i = 0; i < sizeof(group_0f01) / sizeof(group_0f01[0]); i++)
		if (group_0f01[i].modrm == modrm && group_0f01[i].repeat == p->repeat)
			out->kind = group_0f01[i].kind;
	if ((modrm & 0xf8) == 0xf0)
		out->kind = INSN_LMSW_REGISTER;
	if ((modrm & 0xf8) == 0xe0)
		out->kind = INSN_SMSW_REGISTER;
	out->wide = p->rex & REX_W;
	out->operand_16 = p->operand_16;
	out->reg = (modrm & 7u) | (p->rex & REX_B) << 3;
}

/*
 * An operand in memory (APM volume 3, 1.4): 64-bit addressing, or 32-bit outside 64-bit code. False
 * for what else there is, which none of the instructions here is met with.
 */
static bool decode_address(struct bytes_reader *r, const struct prefixes *p, bool long_mode,
			   uint8_t modrm, struct insn_address *a)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7, sib;

	if (mod == 3 || (!long_mode && p->address_size))
		return false;
	*a = (struct insn_address){ .base = (uint8_t)(rm | (p->rex & REX_B) << 3),
				    .index = INSN_NO_REGISTER,
				    .segment = p->segment,
				    .narrow = !long_mode || p->address_size };
	if (rm == 4) {
		sib = bytes_u8(r);
		a->base = (uint8_t)((sib & 7) | (p->rex & REX_B) << 3);
		a->index = (uint8_t)((sib >> 3 & 7) | (p->rex & REX_X) << 2);
		a->scale = sib >> 6;
		if (a->index == 4)
			a->index = INSN_NO_REGISTER;
		rm = sib & 7;
		if (mod == 0 && rm == 5)
			a->base = INSN_NO_REGISTER;
	} else if (mod == 0 && rm == 5) {
		a->base = INSN_NO_REGISTER;
		a->from_next = long_mode;
	}
	a->on_stack = a->base == 4 || a->base == 5;
	if (mod == 1)
		a->displacement = (int32_t)(int8_t)bytes_u8(r);
	else if (mod == 2 || a->base == INSN_NO_REGISTER)
		a->displacement = (int32_t)bytes_le32(r);
	return true;
}

/* Groups 15 (0F AE) and 9 (0F C7): the XSAVE family, told apart by the reg field of ModRM. */
static void decode_xsave(struct bytes_reader *r, const struct prefixes *p, bool long_mode,
			 uint8_t opcode, struct insn *out)
{
	static const struct {
		uint8_t opcode, reg;
		enum insn_kind kind;
	} group[] = {
		{ 0xae, 5, INSN_XRSTOR },
		{ 0xc7, 3, INSN_XRSTORS },
		{ 0xc7, 4, INSN_XSAVEC },
		{ 0xc7, 5, INSN_XSAVES },
	};
	uint8_t modrm = bytes_u8(r);

	out->wide = p->rex & REX_W;
	if (p->repeat || p->operand_16 || p->lock ||
	    !decode_address(r, p, long_mode, modrm, &out->address))
		return;
	for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++)
		if (group[i].opcode == opcode && group[i].reg == (modrm >> 3 & 7))
			out->kind = group[i].kind;
}

/* MOV between CRs and general registers: the mod field is ignored, always a register. */
static void decode_cr(struct bytes_reader *r, const struct prefixes *p, enum insn_kind kind,
		      struct insn *out)
{
	uint8_t modrm = bytes_u8(r);

	out->kind = kind;
	/* LOCK MOV CR0 is MOV CR8 in modes that have no REX (APM volume 3, MOV CRn). */
	out->control = (modrm >> 3 & 7u) | (p->lock ? 8u : (p->rex & REX_R) << 1);
	out->reg = (modrm & 7u) | (p->rex & REX_B) << 3;
}

static void decode_0f(struct bytes_reader *r, const struct prefixes *p, bool long_mode,
		      struct insn *out)
{
	uint8_t opcode = bytes_u8(r);

	switch (opcode) {
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
	case 0x31:
		out->kind = INSN_RDTSC;
		break;
	case 0x32:
		out->kind = INSN_RDMSR;
		break;
	case 0xae:
	case 0xc7:
		decode_xsave(r, p, long_mode, opcode, out);
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
	else if (p.opcode == 0xf1 && !p.lock)
		out.kind = INSN_ICEBP;
	else if (p.opcode == 0x0f)
		decode_0f(&r, &p, long_mode, &out);
	out.length = (unsigned int)r.pos;
	if (r.bad)
		return (struct insn){ .kind = INSN_OTHER };
	return out;
}
