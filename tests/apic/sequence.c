/* SPDX-License-Identifier: MIT */
#include "tests/apic/sequence.h"

#define ICR_LOGICAL (1u << 11)
#define ICR_NMI (4u << 8)
#define ICR_ASSERT (1u << 14)
#define ICR_SHORTHAND_SHIFT 18

static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Few classes, so that they meet, or any vector. */
static uint32_t vector(uint32_t r)
{
	uint32_t v = r & 0x80 ? 0x30 + (r >> 8) % 0x40 : r >> 8 & 0xff;

	return v < SEQUENCE_VECTOR_FIRST ? SEQUENCE_VECTOR_FIRST : v;
}

static uint32_t destination(uint32_t r, bool logical)
{
	if (r % 8 == 0)
		return 0xff;
	/*
	 * With a mask, CPUs that are not there as well; without one, one CPU more than there are.
	 */
	return logical ? r >> 8 & 0xff : (r >> 8) % (SEQUENCE_CPUS + 1);
}

/* The cluster in 31:16, of which all that there are are in 0; a mask, or an id. */
static uint32_t x2_destination(uint32_t r, bool logical)
{
	if (r % 8 == 0)
		return 0xffffffff;
	if (!logical)
		return r % 8 == 1 ? r >> 8 : (r >> 8) % (SEQUENCE_CPUS + 1);
	return (r % 8 == 1 ? 1u << 16 : 0) | (r >> 8 & 0xffff);
}

static void make_send(struct step *s, uint32_t *state, bool x2apic)
{
	uint32_t r = next(state);
	uint32_t shorthand = r & 4 ? r & 3 : 0;
	bool nmi = (r & 0x38) == 0x38;

	s->value = vector(next(state)) | shorthand << ICR_SHORTHAND_SHIFT;
	if (r & 1 << 8)
		s->value |= ICR_LOGICAL;
	if (r & 1 << 9)
		s->value |= ICR_ASSERT;
	if (nmi)
		s->value |= ICR_NMI;
	r = next(state);
	s->destination = x2apic ? x2_destination(r, s->value & ICR_LOGICAL)
				: destination(r, s->value & ICR_LOGICAL);
}

struct step sequence_first(uint32_t cpu)
{
	return (struct step){
		.kind = STEP_SEND,
		.cpu = cpu,
		.value = SEQUENCE_VECTOR_FIRST,
		.destination = SEQUENCE_CPUS,
	};
}

struct step sequence_next(uint32_t *state, bool x2apic)
{
	static const enum step_kind kinds[16] = {
		STEP_TPR,  STEP_TPR,  STEP_EOI,	   STEP_EOI,	STEP_EOI,  STEP_EOI,
		STEP_SEND, STEP_SEND, STEP_SEND,   STEP_SEND,	STEP_SEND, STEP_DEVICE,
		STEP_TAKE, STEP_TAKE, STEP_DEVICE, STEP_DEVICE,
	};
	uint32_t r = next(state);
	struct step s = { .kind = kinds[r >> 4 & 15], .cpu = (r >> 12) % SEQUENCE_CPUS };

	switch (s.kind) {
	case STEP_TPR:
		/* Mostly low, or nothing is ever taken. */
		s.value = r >> 16 & (r & 0x800 ? 0xff : 0x3f);
		break;
	case STEP_SEND:
		if (x2apic && r >> 20 & 1) {
			s.kind = STEP_SELF;
			s.value = vector(next(state));
			break;
		}
		make_send(&s, state, x2apic);
		break;
	case STEP_DEVICE:
		s.value = vector(next(state));
		s.level = r >> 20 & 1;
		break;
	default:
		break;
	}
	return s;
}
