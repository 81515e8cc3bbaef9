/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/cpuid_rules.h"

#include <stddef.h>

enum rule {
	ANY,	    /* not looked at */
	EXACT,	    /* as the processor has it */
	MASK,	    /* no bit that the processor does not have */
	AT_MOST,    /* as a number */
	BYTES,	    /* each byte at most the processor's */
	WORDS,	    /* each half */
	SIGNATURE,  /* family, model and stepping at most the processor's */
	FEATURES,   /* XCR0: x87 and SSE, and no bit that the processor does not have */
	LEGACY_SIZE /* of the XSAVE area for XCR0_IN, by the entry alone */
};

struct registers {
	enum rule rules[4];
	uint32_t free[4]; /* bits that are not looked at */
};

static const struct {
	uint32_t leaf, subleaf;
	struct registers r;
} policy[] = {
	{ 0x0, 0, { { AT_MOST, ANY, ANY, ANY }, { 0 } } },
	/* EBX: the size of CLFLUSH alone; ECX: OSXSAVE and "hypervisor" are free. */
	{ 0x1, 0, { { SIGNATURE, EXACT, MASK, MASK }, { 0, 0xffff0000, 0x88000000, 0 } } },
	{ 0x2, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x4, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x5, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x6, 0, { { MASK, EXACT, MASK, EXACT }, { 0 } } },
	{ 0x7, 0, { { AT_MOST, MASK, MASK, MASK }, { 0, 0, 1u << 4, 0 } } }, /* ECX: OSPKE */
	{ 0x7, 1, { { MASK, EXACT, EXACT, EXACT }, { 0 } } },
	{ 0xb, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0xb, 1, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0xb, 2, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0xd, 0, { { FEATURES, LEGACY_SIZE, ANY, EXACT }, { 0 } } },
	{ 0xd, 1, { { MASK, LEGACY_SIZE, MASK, MASK }, { 0 } } },
	{ 0xd, 2, { { EXACT, EXACT, EXACT, EXACT }, { 0 } } },
	{ 0x80000000, 0, { { AT_MOST, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000001, 0, { { SIGNATURE, ANY, MASK, MASK }, { 0 } } },
	{ 0x80000002, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000003, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000004, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000005, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000006, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x80000007, 0, { { EXACT, MASK, ANY, MASK }, { 0 } } },
	{ 0x80000008, 0, { { BYTES, MASK, ANY, WORDS }, { 0 } } },
	{ 0x8000000a, 0, { { ANY, ANY, EXACT, MASK }, { 0 } } },
	{ 0x80000019, 0, { { ANY, ANY, EXACT, EXACT }, { 0 } } },
	{ 0x8000001a, 0, { { ANY, EXACT, EXACT, EXACT }, { 0 } } },
	{ 0x8000001b, 0, { { MASK, EXACT, EXACT, EXACT }, { 0 } } },
	{ 0x8000001d, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x8000001d, 1, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x8000001d, 2, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x8000001d, 3, { { ANY, ANY, ANY, ANY }, { 0 } } },
	{ 0x8000001d, 4, { { ANY, EXACT, ANY, EXACT }, { 0 } } },
	{ 0x8000001e, 0, { { ANY, ANY, ANY, ANY }, { 0 } } },
	/* EBX: the bits of addresses that are lost are free. */
	{ 0x8000001f, 0, { { MASK, EXACT, ANY, ANY }, { 0, 0xfc0, 0, 0 } } },
};

/* Any other leaf says nothing but zeros. */
static const struct registers unknown = { { EXACT, EXACT, EXACT, EXACT }, { 0 } };

#define STANDARD_LEAVES 0x10000u /* beyond them, and beyond the extended ones, nothing is checked */
#define EXTENDED_LEAVES 0x80000000u

#define FAMILY(eax) (((eax) >> 20 & 0xff) + ((eax) >> 8 & 0xf))
#define MODEL(eax) (((eax) >> 12 & 0xf0) | ((eax) >> 4 & 0xf))
#define SIGNATURE_RESERVED 0xf000f000u

static bool signature_at_most(uint32_t value, uint32_t real)
{
	if (value & SIGNATURE_RESERVED)
		return false;
	if (FAMILY(value) != FAMILY(real))
		return FAMILY(value) < FAMILY(real);
	if (MODEL(value) != MODEL(real))
		return MODEL(value) < MODEL(real);
	return (value & 0xf) <= (real & 0xf);
}

static bool parts_at_most(uint32_t value, uint32_t real, unsigned int bits)
{
	for (unsigned int shift = 0; shift < 32; shift += bits) {
		uint32_t mask = (1u << bits) - 1;

		if ((value >> shift & mask) > (real >> shift & mask))
			return false;
	}
	return true;
}

#define XCR0_AVX (1ull << 2)
#define XSAVE_LEGACY_SIZE 0x240u
#define XSAVE_AVX_SIZE 0x100u

static uint32_t xsave_size(uint64_t xcr0)
{
	return XSAVE_LEGACY_SIZE + (xcr0 & XCR0_AVX ? XSAVE_AVX_SIZE : 0);
}

static bool holds(enum rule rule, uint32_t value, uint32_t real,
		  const struct snp_cpuid_entry *entry)
{
	switch (rule) {
	case EXACT:
		return value == real;
	case MASK:
		return !(value & ~real);
	case AT_MOST:
		return value <= real;
	case BYTES:
		return parts_at_most(value, real, 8);
	case WORDS:
		return parts_at_most(value, real, 16);
	case SIGNATURE:
		return signature_at_most(value, real);
	case FEATURES:
		return (value & 3) == 3 && !(value & ~real);
	case LEGACY_SIZE:
		return value == xsave_size(entry->xcr0_in);
	default:
		return true;
	}
}

static const struct registers *find(uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < sizeof(policy) / sizeof(policy[0]); i++) {
		if (policy[i].leaf == leaf && policy[i].subleaf == subleaf)
			return &policy[i].r;
	}
	return NULL;
}

bool cpuid_rules_take(const struct snp_cpuid_entry *entry, const struct x86_cpuid *real,
		      unsigned int *bad)
{
	static const struct x86_cpuid zeros;
	const struct registers *r = find(entry->eax_in, entry->ecx_in);
	const uint32_t values[] = { entry->eax, entry->ebx, entry->ecx, entry->edx };

	if (entry->eax_in >= STANDARD_LEAVES && entry->eax_in - EXTENDED_LEAVES >= STANDARD_LEAVES)
		return true;
	if (!r)
		real = &zeros;
	*bad = CPUID_RULES_RESERVED;
	if (entry->reserved != 0)
		return false;
	for (*bad = 0; *bad < 4; (*bad)++) {
		const uint32_t reals[] = { real->eax, real->ebx, real->ecx, real->edx };
		const struct registers *rules = r ? r : &unknown;
		uint32_t checked = ~rules->free[*bad];

		if (!holds(rules->rules[*bad], values[*bad] & checked, reals[*bad] & checked,
			   entry))
			return false;
	}
	return true;
}
