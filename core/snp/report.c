/* SPDX-License-Identifier: MIT */
#include "core/snp/report.h"

#include <string.h>

#include "core/base/bytes.h"

/* KEY_INFO and POLICY bits that no version up to 5 defines. */
#define KEY_INFO_RESERVED 0xffffffe0u
#define POLICY_RESERVED (~0x3ffffffull)

/* Where a part of a TCB_VERSION is not. */
#define NOWHERE 8u

/* Which byte of a TCB_VERSION each part is (SNP firmware ABI, TCB_VERSION). */
struct tcb_layout {
	uint8_t fmc, bootloader, tee, snp, microcode;
};

static const struct tcb_layout layouts[] = {
	[REPORT_PRODUCT_UNKNOWN] = { NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE },
	[REPORT_PRODUCT_MILAN] = { NOWHERE, 0, 1, 6, 7 },
	[REPORT_PRODUCT_GENOA] = { NOWHERE, 0, 1, 6, 7 },
	[REPORT_PRODUCT_TURIN] = { 0, 1, 2, 3, 7 },
	[REPORT_PRODUCT_VENICE] = { 0, NOWHERE, 1, 2, NOWHERE },
};

static const struct product_name {
	const char *name;
	enum report_product product;
} product_names[] = {
	{ "Milan", REPORT_PRODUCT_MILAN },
	{ "Genoa", REPORT_PRODUCT_GENOA },
	{ "Turin", REPORT_PRODUCT_TURIN },
	{ "Venice", REPORT_PRODUCT_VENICE },
};

/* Ranges of extended model numbers. The crate `sev` has the same for Milan, Genoa and Turin. */
static const struct product_cpus {
	uint8_t family, first, last;
	enum report_product product;
} product_cpus[] = {
	{ 0x19, 0x00, 0x0f, REPORT_PRODUCT_MILAN },  { 0x19, 0x10, 0x1f, REPORT_PRODUCT_GENOA },
	{ 0x19, 0xa0, 0xaf, REPORT_PRODUCT_GENOA },  { 0x1a, 0x00, 0x11, REPORT_PRODUCT_TURIN },
	{ 0x1a, 0x50, 0x5f, REPORT_PRODUCT_VENICE }, { 0x1a, 0x90, 0xaf, REPORT_PRODUCT_VENICE },
	{ 0x1a, 0xc0, 0xcf, REPORT_PRODUCT_VENICE },
};

#define POLICY_BIT_FIRST 16u
static const char *const policy_bits[] = {
	"smt",
	"reserved-one",
	"migrate-ma",
	"debug",
	"single-socket",
	"cxl-allow",
	"mem-aes-256-xts",
	"rapl-disable",
	"ciphertext-hiding",
	"page-swap-disable",
};

/* Reserved bytes, and from which version on a range is not reserved any more. */
struct reserved_range {
	uint16_t from, to;
	uint16_t used_since;
};

static const struct reserved_range reserved_ranges[] = {
	{ 0x04c, 0x050, 0xffff }, { 0x188, 0x18b, 3 },	    { 0x18b, 0x1a0, 0xffff },
	{ 0x1eb, 0x1ec, 0xffff }, { 0x1ef, 0x1f0, 0xffff }, { 0x1f8, 0x208, 5 },
	{ 0x208, 0x2a0, 0xffff }, { 0x330, 0x4a0, 0xffff },
};

bool report_read(struct psp_report *report, const void *data, size_t size)
{
	if (size != sizeof(*report))
		return false;
	memcpy(report, data, sizeof(*report));
	return true;
}

static bool reserved_zero(const struct psp_report *report)
{
	const uint8_t *bytes = (const uint8_t *)report;

	for (size_t i = 0; i < sizeof(reserved_ranges) / sizeof(reserved_ranges[0]); i++) {
		const struct reserved_range *range = &reserved_ranges[i];

		if (report->version < range->used_since &&
		    !bytes_are_zero(bytes + range->from, (size_t)(range->to - range->from)))
			return false;
	}
	return true;
}

const char *report_format_error(const struct psp_report *report, bool allow_unknown)
{
	bool later = report->version > REPORT_VERSION_MAX;

	if (report->version < PSP_REPORT_VERSION_MIN)
		return "unknown report version";
	if (later && !allow_unknown)
		return "unknown report version (--allow-unknown-version accepts later ones)";
	if (!later && !reserved_zero(report))
		return "a reserved byte is not zero";
	if (report->key_info & KEY_INFO_RESERVED)
		return "a reserved bit of KEY_INFO is set";
	if (report->policy & POLICY_RESERVED)
		return "a reserved bit of the policy is set";
	return NULL;
}

const char *report_policy_error(const struct psp_report *report)
{
	if (!(report->policy & PSP_POLICY_RESERVED_ONE))
		return "bit 17, which must be one, is zero";
	if (report->policy & PSP_POLICY_DEBUG)
		return "debugging is allowed";
	if (report->policy & PSP_POLICY_MIGRATE_MA)
		return "a migration agent is allowed";
	return NULL;
}

enum report_signing_key report_signing_key(const struct psp_report *report)
{
	return (report->key_info >> 2) & 7;
}

const char *report_policy_bit(unsigned int bit)
{
	size_t index = (size_t)bit - POLICY_BIT_FIRST;

	return bit >= POLICY_BIT_FIRST && index < sizeof(policy_bits) / sizeof(policy_bits[0])
		       ? policy_bits[index]
		       : NULL;
}

enum report_product report_product_named(const char *name)
{
	size_t length = strcspn(name, "-");

	for (size_t i = 0; i < sizeof(product_names) / sizeof(product_names[0]); i++) {
		if (strlen(product_names[i].name) == length &&
		    memcmp(product_names[i].name, name, length) == 0)
			return product_names[i].product;
	}
	return REPORT_PRODUCT_UNKNOWN;
}

const char *report_product_name(enum report_product product)
{
	for (size_t i = 0; i < sizeof(product_names) / sizeof(product_names[0]); i++) {
		if (product_names[i].product == product)
			return product_names[i].name;
	}
	return NULL;
}

enum report_product report_product_of_cpu(uint8_t family, uint8_t model)
{
	for (size_t i = 0; i < sizeof(product_cpus) / sizeof(product_cpus[0]); i++) {
		const struct product_cpus *cpus = &product_cpus[i];

		if (cpus->family == family && cpus->first <= model && model <= cpus->last)
			return cpus->product;
	}
	return REPORT_PRODUCT_UNKNOWN;
}

size_t report_chip_id_size(enum report_product product)
{
	return product == REPORT_PRODUCT_TURIN || product == REPORT_PRODUCT_VENICE
		       ? 8
		       : PSP_CHIP_ID_SIZE;
}

static uint8_t byte_of(uint64_t raw, unsigned int index)
{
	return index == NOWHERE ? 0 : (uint8_t)(raw >> (8 * index));
}

static uint64_t mask_of(unsigned int index)
{
	return index == NOWHERE ? 0 : 0xffull << (8 * index);
}

bool report_tcb_whole(uint64_t raw, enum report_product product)
{
	const struct tcb_layout *at = &layouts[product];

	return !(raw & ~(mask_of(at->fmc) | mask_of(at->bootloader) | mask_of(at->tee) |
			 mask_of(at->snp) | mask_of(at->microcode)));
}

struct report_tcb report_tcb(uint64_t raw, enum report_product product)
{
	const struct tcb_layout *at = &layouts[product];

	return (struct report_tcb){
		.fmc = byte_of(raw, at->fmc),
		.bootloader = byte_of(raw, at->bootloader),
		.tee = byte_of(raw, at->tee),
		.snp = byte_of(raw, at->snp),
		.microcode = byte_of(raw, at->microcode),
	};
}

bool report_tcb_at_least(struct report_tcb a, struct report_tcb b)
{
	return a.fmc >= b.fmc && a.bootloader >= b.bootloader && a.tee >= b.tee && a.snp >= b.snp &&
	       a.microcode >= b.microcode;
}
