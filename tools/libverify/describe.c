/* SPDX-License-Identifier: MIT */
/* What the evidence has where a check looks: for people who ask why. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "tools/libverify/subject.h"

/* A line that is written piece by piece, and cut where it is full. */
struct line {
	char *text;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line->text + line->length, CHECK_FOUND_SIZE - line->length, format,
			   args);
	va_end(args);
	if (length < 0)
		return;
	line->length += (size_t)length;
	if (line->length >= CHECK_FOUND_SIZE)
		line->length = CHECK_FOUND_SIZE - 1;
}

static void put_hex(struct line *line, const void *bytes, size_t size)
{
	char text[HEX_TEXT_SIZE(TPM_NAME_MAX)];

	hex_write(text, bytes, size <= TPM_NAME_MAX ? size : TPM_NAME_MAX);
	put(line, "%s", text);
}

/* Which value of a list it is. */
static void put_listed(struct line *line, const struct subject *s, enum policy_list_kind kind,
		       const void *bytes, size_t size)
{
	const struct policy_value *value = subject_find_value(s, kind, bytes, size);
	size_t count = s->policy->lists[kind].count;

	if (value)
		put(line, ", which is \"%s\"", value->name);
	else if (count)
		put(line, ", which is none of %zu", count);
}

static void put_hex_listed(struct line *line, const struct subject *s, enum policy_list_kind kind,
			   const void *bytes, size_t size)
{
	put_hex(line, bytes, size);
	put_listed(line, s, kind, bytes, size);
}

static void put_name(struct line *line, const X509 *certificate)
{
	char name[128];

	if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
				      sizeof(name)) > 0)
		put(line, "%s", name);
	else
		put(line, "no common name");
}

static void describe_root(struct line *line, const struct subject *s)
{
	put_name(line, s->evidence->chain.ark);
	if (amd_chain_is_emulated(&s->evidence->chain))
		put(line, ", emulated");
}

static void describe_chain(struct line *line, const struct subject *s)
{
	const struct amd_chain *chain = &s->evidence->chain;

	put_name(line, chain->ark);
	put(line, ", ");
	put_name(line, chain->issuer);
	put(line, ", ");
	put_name(line, chain->signer);
}

static void describe_signer(struct line *line, const struct subject *s)
{
	if (s->signer_error)
		return;
	put(line, "%s of %s", s->evidence->chain.key == REPORT_KEY_VLEK ? "VLEK" : "VCEK",
	    s->signer.product_name);
	if (s->signer.csp_id[0])
		put(line, ", given to %s", s->signer.csp_id);
}

static void describe_format(struct line *line, const struct subject *s)
{
	put(line, "version %u", s->evidence->report.version);
}

static void describe_product(struct line *line, const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	if (r->version >= 3)
		put(line, "CPUID family %02xh, model %02xh, stepping %u; ", r->cpuid_family,
		    r->cpuid_model, r->cpuid_stepping);
	put(line, "certificate for %s",
	    s->signer.product_name[0] ? s->signer.product_name : "none");
}

static void describe_chip(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_CHIP_IDS, s->evidence->report.chip_id, PSP_CHIP_ID_SIZE);
}

static void describe_csp(struct line *line, const struct subject *s)
{
	put(line, "\"%s\"", s->signer.csp_id);
	put_listed(line, s, POLICY_CSP_IDS, s->signer.csp_id, strlen(s->signer.csp_id));
}

/* The parts of a TCB as --minimum-tcb takes them. */
static void put_tcb(struct line *line, const struct subject *s, const char *name, uint64_t raw)
{
	struct report_tcb tcb = report_tcb(raw, s->signer.product);

	put(line, "%s %u,%u,%u,%u,%u", name, tcb.fmc, tcb.bootloader, tcb.tee, tcb.snp,
	    tcb.microcode);
}

static void describe_tcb(struct line *line, const struct subject *s)
{
	put_tcb(line, s, "reported", s->evidence->report.reported_tcb);
}

static void describe_tcbs(struct line *line, const struct subject *s)
{
	const struct psp_report *r = &s->evidence->report;

	put_tcb(line, s, "reported", r->reported_tcb);
	put_tcb(line, s, "; committed", r->committed_tcb);
	put_tcb(line, s, "; current", r->current_tcb);
	put_tcb(line, s, "; at launch", r->launch_tcb);
}

static void describe_policy(struct line *line, const struct subject *s)
{
	uint64_t bits = s->evidence->report.policy;

	put(line, "%016llx", (unsigned long long)bits);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (bits >> bit & 1 && report_policy_bit(bit))
			put(line, " %s", report_policy_bit(bit));
	}
}

static void describe_svn(struct line *line, const struct subject *s)
{
	put(line, "%u", s->evidence->report.guest_svn);
}

static void describe_vmpl(struct line *line, const struct subject *s)
{
	put(line, "%u", s->evidence->report.vmpl);
}

static void describe_host_data(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_HOST_DATA, s->evidence->report.host_data,
		       sizeof(s->evidence->report.host_data));
}

static void describe_measurement(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_MEASUREMENTS, s->evidence->report.measurement,
		       PSP_MEASUREMENT_SIZE);
}

static void describe_id_key(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_ID_KEYS, s->evidence->report.id_key_digest,
		       sizeof(s->evidence->report.id_key_digest));
}

static void describe_author_key(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_AUTHOR_KEYS, s->evidence->report.author_key_digest,
		       sizeof(s->evidence->report.author_key_digest));
}

static void describe_family(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_FAMILY_IDS, s->evidence->report.family_id,
		       sizeof(s->evidence->report.family_id));
}

static void describe_image(struct line *line, const struct subject *s)
{
	put_hex_listed(line, s, POLICY_IMAGE_IDS, s->evidence->report.image_id,
		       sizeof(s->evidence->report.image_id));
}

static void describe_report_data(struct line *line, const struct subject *s)
{
	put_hex(line, s->evidence->report.report_data, PSP_REPORT_DATA_SIZE);
}

static void describe_manifest(struct line *line, const struct subject *s)
{
	if (!s->manifest_error)
		put(line, "version %u, %zu key%s", s->manifest.version, s->manifest.count,
		    s->manifest.count == 1 ? "" : "s");
}

static void put_key(struct line *line, const struct subject *s, const struct tpm_name *name)
{
	put_hex(line, name->bytes, name->size);
	put_listed(line, s, POLICY_KEYS, name->bytes, name->size);
}

static void describe_keys(struct line *line, const struct subject *s)
{
	if (s->policy->depth == EVIDENCE_FULL) {
		if (s->ak.key)
			put_key(line, s, &s->ak.name);
		return;
	}
	for (size_t i = 0; !s->manifest_error && i < s->manifest.count; i++) {
		struct tpm_name name;

		put(line, "%s", i ? "; " : "");
		if (tpm_public_name(s->manifest.keys[i].data, s->manifest.keys[i].size, &name))
			put_key(line, s, &name);
	}
}

static void describe_pcrs(struct line *line, const struct subject *s)
{
	const struct policy *p = s->policy;

	for (size_t i = 0; !s->values_error && i < p->pcr_count; i++) {
		const struct expected_pcr *e = &p->pcrs[i];
		const uint8_t *value;
		size_t size = 0;

		if (i && p->pcrs[i - 1].bank == e->bank && p->pcrs[i - 1].pcr == e->pcr)
			continue;
		value = tpm_quote_value(&s->values, e->bank, e->pcr, &size);
		put(line, "%s%s:%u=", i ? " " : "", policy_bank_name(e->bank), e->pcr);
		if (value)
			put_hex(line, value, size);
		else
			put(line, "not quoted");
	}
}

static void describe_log(struct line *line, const struct subject *s)
{
	if (s->boot_known)
		put(line, "%u events", s->log.event_count);
}

static void describe_secure_boot(struct line *line, const struct subject *s)
{
	enum policy_secure_boot found = s->boot_known ? subject_secure_boot(s) : SECURE_BOOT_UNSAID;

	if (found)
		put(line, "%s", found == SECURE_BOOT_ON ? "on" : "off");
}

/* Of the first bank whose values were quoted; what is in others is anybody's word. */
static void put_event(struct line *line, const struct subject *s,
		      const struct event_log_event *event)
{
	const char *between = line->length ? ", " : "";

	for (size_t bank = 0; bank < s->log.bank_count; bank++) {
		if (!(s->replayed >> bank & 1))
			continue;
		put(line, "%sevent %u: ", between, event->number);
		put_hex(line, event->digests[bank], s->log.banks[bank].size);
		return;
	}
}

/* What the firmware measured of itself. */
static void describe_firmware(struct line *line, const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;

	while (s->boot_known && event_log_next(&s->log, &cursor, &event)) {
		if (event.pcr != 0 || event.type == EVENT_NO_ACTION ||
		    event.type == EVENT_SEPARATOR)
			continue;
		put_event(line, s, &event);
	}
}

/* What the firmware started. */
static void describe_programs(struct line *line, const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;

	while (s->boot_known && event_log_next(&s->log, &cursor, &event)) {
		if (event.pcr != 4 || event.type != EVENT_EFI_BOOT_SERVICES_APPLICATION)
			continue;
		put_event(line, s, &event);
	}
}

/* How many events there are in each of the PCRs that a loader or a system extends. */
static void describe_files(struct line *line, const struct subject *s)
{
	unsigned int counts[EVENT_LOG_PCRS] = { 0 };
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;

	while (s->boot_known && event_log_next(&s->log, &cursor, &event)) {
		if (event.type != EVENT_NO_ACTION) /* whose PCR may be any number */
			counts[event.pcr]++;
	}
	for (unsigned int i = 8; i < 14; i++) {
		if (counts[i])
			put(line, "%sPCR %u: %u", line->length ? ", " : "", i, counts[i]);
	}
}

static const struct description {
	const char *check;
	void (*describe)(struct line *line, const struct subject *s);
} descriptions[] = {
	{ "root", describe_root },
	{ "chain", describe_chain },
	{ "vcek", describe_signer },
	{ "report-format", describe_format },
	{ "product", describe_product },
	{ "chip-id", describe_chip },
	{ "known-chip", describe_chip },
	{ "csp-id", describe_csp },
	{ "tcb", describe_tcb },
	{ "tcb-order", describe_tcbs },
	{ "tcb-minimum", describe_tcbs },
	{ "policy", describe_policy },
	{ "policy-bits", describe_policy },
	{ "guest-svn", describe_svn },
	{ "vmpl", describe_vmpl },
	{ "host-data", describe_host_data },
	{ "measurement", describe_measurement },
	{ "id-key", describe_id_key },
	{ "author-key", describe_author_key },
	{ "family-id", describe_family },
	{ "image-id", describe_image },
	{ "report-data", describe_report_data },
	{ "manifest", describe_manifest },
	{ "known-key", describe_keys },
	{ "pcr-values", describe_pcrs },
	{ "event-log", describe_log },
	{ "secure-boot", describe_secure_boot },
	{ "boot-firmware", describe_firmware },
	{ "boot-programs", describe_programs },
	{ "boot-files", describe_files },
};

/* Names out of certificates are the evidence's, and must not forge lines. */
static void clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
	}
}

void subject_describe(const struct subject *s, const char *check, char text[CHECK_FOUND_SIZE])
{
	struct line line = { .text = text };

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(descriptions) / sizeof(descriptions[0]); i++) {
		if (strcmp(descriptions[i].check, check) == 0)
			descriptions[i].describe(&line, s);
	}
	clean(text);
}
