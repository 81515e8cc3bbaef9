/* SPDX-License-Identifier: MIT */
#include "core/report.h"

#include <string.h>

/* KEY_INFO and POLICY bits that no version up to 5 defines. */
#define KEY_INFO_RESERVED 0xffffffe0u
#define POLICY_RESERVED (~0x3ffffffull)

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

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

const char *report_format_error(const struct psp_report *report)
{
	const uint8_t *bytes = (const uint8_t *)report;

	if (report->version < PSP_REPORT_VERSION_MIN || report->version > REPORT_VERSION_MAX)
		return "unknown report version";
	for (size_t i = 0; i < sizeof(reserved_ranges) / sizeof(reserved_ranges[0]); i++) {
		const struct reserved_range *range = &reserved_ranges[i];

		if (report->version >= range->used_since)
			continue;
		if (!all_zero(bytes + range->from, (size_t)(range->to - range->from)))
			return "a reserved byte is not zero";
	}
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

static uint8_t byte_of(uint64_t raw, unsigned int index)
{
	return (uint8_t)(raw >> (8 * index));
}

struct report_tcb report_tcb(uint64_t raw, enum report_tcb_layout layout)
{
	struct report_tcb tcb = { .microcode = byte_of(raw, 7) };

	if (layout == REPORT_TCB_TURIN) {
		tcb.fmc = byte_of(raw, 0);
		tcb.bootloader = byte_of(raw, 1);
		tcb.tee = byte_of(raw, 2);
		tcb.snp = byte_of(raw, 3);
	} else {
		tcb.bootloader = byte_of(raw, 0);
		tcb.tee = byte_of(raw, 1);
		tcb.snp = byte_of(raw, 6);
	}
	return tcb;
}

bool report_tcb_at_least(struct report_tcb a, struct report_tcb b)
{
	return a.fmc >= b.fmc && a.bootloader >= b.bootloader && a.tee >= b.tee && a.snp >= b.snp &&
	       a.microcode >= b.microcode;
}
