/* SPDX-License-Identifier: MIT */
#include "tools/ca/request.h"

#include <openssl/x509.h>
#include <string.h>

#include "core/bytes.h"
#include "core/host/report_data.h"

#define TABLE_ENTRIES_MAX 16u

const char *ca_request_read(struct ca_request_parts *parts, const void *payload, size_t size)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct ca_request header;

	*parts = (struct ca_request_parts){ 0 };
	bytes_copy(&r, &header, sizeof(header));
	parts->report = bytes_take(&r, header.report_size);
	parts->manifest = bytes_take(&r, header.manifest_size);
	parts->certificates = bytes_take(&r, header.certificates_size);
	if (!bytes_complete(&r) || header.reserved)
		return "the request's sizes do not fit its bytes";
	parts->report_size = header.report_size;
	parts->manifest_size = header.manifest_size;
	parts->certificates_size = header.certificates_size;
	return NULL;
}

static bool profile_character(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

const char *ca_request_profile(char name[CA_PROFILE_NAME_MAX], const void *data, size_t size)
{
	const uint8_t *bytes = data;

	memset(name, 0, CA_PROFILE_NAME_MAX);
	if (size == 0 || size >= CA_PROFILE_NAME_MAX)
		return "the profile's name is empty or too long";
	for (size_t i = 0; i < size; i++) {
		if (!profile_character(bytes[i]))
			return "the profile's name has other characters than a-z, 0-9 and '-'";
	}
	memcpy(name, data, size);
	return NULL;
}

/* The certificate that an entry points to, or NULL. */
static X509 *table_certificate(const struct psp_cert_entry *entry, const uint8_t *table,
			       size_t size)
{
	if (!bytes_range_ok(entry->offset, entry->length, size))
		return NULL;
	return amd_chain_read_certificate(table + entry->offset, entry->length);
}

/* Where a certificate with this GUID belongs; NULL for one that is of no use here. */
static X509 **table_place(struct amd_chain *chain, const struct abi_guid *guid)
{
	/* 63da758d-e664-4564-adc5-f4b93be8accd */
	static const uint8_t vcek[16] = { 0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
					  0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd };
	/* 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
	static const uint8_t ask[16] = { 0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f,
					 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82 };
	/* c0b406a4-a803-4952-9743-3fb6014cd0ae */
	static const uint8_t ark[16] = { 0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49,
					 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae };

	if (memcmp(guid->bytes, vcek, sizeof(vcek)) == 0)
		return &chain->vcek;
	if (memcmp(guid->bytes, ask, sizeof(ask)) == 0)
		return &chain->ask;
	return memcmp(guid->bytes, ark, sizeof(ark)) == 0 ? &chain->ark : NULL;
}

/* Takes one entry; false when it is the last, with *error set if it is also wrong. */
static bool take_entry(struct amd_chain *chain, struct bytes_reader *r, const char **error)
{
	static const struct abi_guid end;
	struct psp_cert_entry entry;
	X509 **place;

	if (!bytes_copy(r, &entry, sizeof(entry))) {
		*error = "the certificate table has no end";
		return false;
	}
	if (memcmp(&entry.guid, &end, sizeof(end)) == 0)
		return false;
	place = table_place(chain, &entry.guid);
	if (!place)
		return true;
	if (*place)
		*error = "the certificate table names a certificate twice";
	else if (!(*place = table_certificate(&entry, r->data, r->size)))
		*error = "a certificate of the table cannot be read";
	return !*error;
}

const char *ca_request_chain(struct amd_chain *chain, const void *table, size_t size)
{
	struct bytes_reader r = bytes_reader_init(table, size);
	const char *error = NULL;
	unsigned int entries = 0;

	*chain = (struct amd_chain){ 0 };
	if (size == 0)
		return "the host gave no certificates, and the authority has none of its own";
	while (entries < TABLE_ENTRIES_MAX && take_entry(chain, &r, &error))
		entries++;
	if (!error && entries == TABLE_ENTRIES_MAX)
		error = "the certificate table is too long";
	if (!error && !(chain->ark && chain->ask && chain->vcek))
		error = "the certificate table lacks the ARK, the ASK or the VCEK";
	if (error)
		amd_chain_free(chain);
	return error;
}

static const char *judge_report(const struct ca_policy *policy, const struct psp_report *report,
				const struct amd_chain *chain, struct host_error *error)
{
	struct evidence evidence = { .report = *report, .chain = *chain };
	struct verdict verdict;

	checks_run(&evidence, &policy->report, &verdict);
	if (!verdict.first_failure)
		return NULL;
	host_fail(error, "%s: %s", verdict.first_failure->name, verdict.first_failure->error);
	return error->text;
}

/* The report is genuine and of the demanded launch. */
static bool check_report(const struct ca_policy *policy, const struct ca_request_parts *parts,
			 struct psp_report *report, struct host_error *error)
{
	struct amd_chain chain = policy->chain;
	bool own = chain.vcek;
	const char *wrong;

	if (!report_read(report, parts->report, parts->report_size))
		return host_fail(error, "report: %zu bytes, where a report has %zu",
				 parts->report_size, sizeof(*report));
	wrong = own ? NULL
		    : ca_request_chain(&chain, parts->certificates, parts->certificates_size);
	if (wrong)
		return host_fail(error, "certificates: %s", wrong);
	wrong = judge_report(policy, report, &chain, error);
	if (!own)
		amd_chain_free(&chain);
	return !wrong;
}

/* The report is over this nonce, this profile's name and this manifest. */
static bool check_binding(const uint8_t nonce[SVSM_NONCE_SIZE], const char *profile,
			  const struct ca_request_parts *parts, const struct psp_report *report)
{
	struct svsm_attest_context header = { .tag = CA_CONTEXT_TAG,
					      .service = SVSM_GUID_VTPM,
					      .manifest_version = 1,
					      .selector_size = (uint32_t)strlen(profile) };
	uint8_t context[sizeof(header) + CA_PROFILE_NAME_MAX];
	uint8_t expected[PSP_REPORT_DATA_SIZE];

	memcpy(context, &header, sizeof(header));
	memcpy(context + sizeof(header), profile, header.selector_size);
	return report_data_make(nonce, context, sizeof(header) + header.selector_size,
				parts->manifest, parts->manifest_size, expected) &&
	       memcmp(expected, report->report_data, sizeof(expected)) == 0;
}

bool ca_request_judge(const struct ca_policy *policy, const uint8_t nonce[SVSM_NONCE_SIZE],
		      const char *profile, const struct ca_request_parts *parts,
		      struct vtpm_manifest *manifest, struct host_error *error)
{
	struct psp_report report;
	const char *wrong;

	if (policy->profile && strcmp(policy->profile, profile) != 0)
		return host_fail(error, "profile: %s is not served here", profile);
	if (!check_report(policy, parts, &report, error))
		return false;
	if (!check_binding(nonce, profile, parts, &report))
		return host_fail(error, "report-data: REPORT_DATA is not that of this nonce, "
					"profile and manifest");
	wrong = vtpm_manifest_read(manifest, parts->manifest, parts->manifest_size);
	if (!wrong && manifest->version != 1)
		wrong = "its version is not 1";
	return wrong ? host_fail(error, "manifest: %s", wrong) : true;
}
