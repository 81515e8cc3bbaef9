/* SPDX-License-Identifier: MIT */
#include "tools/ca/request.h"

#include <openssl/x509.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/conf_words.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/cert_table.h"
#include "core/evidence/host/report_data.h"

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

const char *ca_request_profile(char name[CA_PROFILE_NAME_MAX], const void *data, size_t size)
{
	const struct word word = { data, size };

	memset(name, 0, CA_PROFILE_NAME_MAX);
	return word_name(word, name, CA_PROFILE_NAME_MAX)
		       ? "the profile's name is not 1 to 31 of a-z, 0-9 and -"
		       : NULL;
}

static void prefer(X509 **place, X509 *own)
{
	if (!own || X509_up_ref(own) != 1)
		return;
	X509_free(*place);
	*place = own;
}

/*
 * All of root, issuer and signer: the authority's own, or else those of the host's table, or AMD's.
 */
static const char *request_chain(struct amd_chain *chain, const struct amd_chain *own,
				 enum report_signing_key key, const void *table, size_t size)
{
	const char *error = NULL;

	*chain = (struct amd_chain){ .key = key };
	if (!own->signer && size == 0)
		return "the host gave no certificates, and the authority has none of its own";
	if (!own->signer)
		error = cert_table_read(chain, key, table, size);
	if (error)
		return error;
	prefer(&chain->ark, own->ark);
	prefer(&chain->issuer, own->issuer);
	prefer(&chain->signer, own->signer);
	amd_certificates_fill(chain);
	if (chain->ark && chain->issuer && chain->signer)
		return NULL;
	amd_chain_free(chain);
	return "the certificate table lacks the root, the issuer or the signer of the report";
}

static bool judge_report(const struct ca_policy *policy, const struct psp_report *report,
			 const struct amd_chain *chain, struct host_error *error)
{
	struct evidence evidence = {
		.report = *report,
		.chain = *chain,
		.root_from_guest = chain->ark != policy->chain.ark,
	};
	struct verdict verdict;

	checks_run(&evidence, &policy->report, &verdict);
	if (!verdict.first_failure)
		return true;
	return host_fail(error, "%s: %s", verdict.first_failure->name,
			 verdict.first_failure->error);
}

/* The report is genuine and of the demanded launch. */
static bool check_report(const struct ca_policy *policy, const struct ca_request_parts *parts,
			 struct psp_report *report, struct host_error *error)
{
	struct amd_chain chain;
	const char *wrong;
	bool ok;

	if (!report_read(report, parts->report, parts->report_size))
		return host_fail(error, "report: %zu bytes, where a report has %zu",
				 parts->report_size, sizeof(*report));
	wrong = request_chain(&chain, &policy->chain, report_signing_key(report),
			      parts->certificates, parts->certificates_size);
	if (wrong)
		return host_fail(error, "certificates: %s", wrong);
	ok = judge_report(policy, report, &chain, error);
	amd_chain_free(&chain);
	return ok;
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
