/* SPDX-License-Identifier: MIT */
#include "guest/agent/svsm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/tpm.h"
#include "core/base/number.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/profile.h"
#include "core/tpm/selector.h"
#include "guest/agent/file.h"

/* ---- Selectors ---- */

static size_t put_le(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return size;
}

static void select_number(struct svsm_wish *wish, enum svsm_selector_kind kind, uint32_t number)
{
	wish->selector_size = put_le(wish->selector, kind, SELECTOR_HEADER_SIZE);
	wish->selector_size += put_le(wish->selector + wish->selector_size, number, 4);
}

uint32_t svsm_key_id(const char *name, struct problem *problem)
{
	uint32_t id = profile_key_id(name, strlen(name));
	const char *known;
	size_t used;

	if (id)
		return id;
	problem_set(problem, "there is no key '%s'; the names are", name);
	for (size_t i = 0; (known = profile_key_name_at(i)) != NULL; i++) {
		used = strlen(problem->text);
		snprintf(problem->text + used, sizeof(problem->text) - used, " %s", known);
	}
	return 0;
}

bool svsm_select_key(struct svsm_wish *wish, const char *name, struct problem *problem)
{
	uint32_t id = svsm_key_id(name, problem);

	if (!id)
		return false;
	wish->key = id;
	select_number(wish, SVSM_SELECTOR_KEY, id);
	return true;
}

/* The SVSM would refuse it too, but without a reason. */
bool svsm_select_template(struct svsm_wish *wish, const void *template, size_t size,
			  struct problem *problem)
{
	struct selector_template info;
	enum selector_result result = selector_template_check(&info, template, size);

	if (result != SELECTOR_OK)
		return problem_set(problem, "the template: %s", selector_result_text(result));
	wish->selector_size = put_le(wish->selector, SVSM_SELECTOR_TEMPLATE, SELECTOR_HEADER_SIZE);
	memcpy(wish->selector + wish->selector_size, template, size);
	wish->selector_size += size;
	return true;
}

void svsm_select_nv(struct svsm_wish *wish, uint32_t index)
{
	select_number(wish, SVSM_SELECTOR_NV, index);
}

/* ---- The attestation ---- */

static int set_inputs(struct configfs_item *item, const struct svsm_wish *wish)
{
	char version[16];
	int rc;

	snprintf(version, sizeof(version), "%u", wish->manifest_version);
	if ((rc = configfs_set_text(item, "service_guid", TSM_VTPM_GUID)) != 0 ||
	    (rc = configfs_set_text(item, "manifest_version", version)) != 0 ||
	    (rc = configfs_set(item, "inblob", wish->nonce, sizeof(wish->nonce))) != 0)
		return rc;
	if (wish->selector_size == 0)
		return 0;
	return configfs_set(item, "manifest_selector", wish->selector, wish->selector_size);
}

static bool explain(uint32_t result, struct problem *problem)
{
	if (result == SVSM_ERR_ATTEST_SELECTOR)
		return problem_set(problem, "the SVSM attests no key that is selected so");
	if (result == SVSM_ERR_SERVICE_BUSY)
		return problem_set(problem, "the host lets the SVSM have no report just now");
	if (result > SVSM_ERR_ATTEST_TPM && result <= SVSM_ERR_ATTEST_TPM + 0xfff)
		return problem_set(problem, "the vTPM makes no such key: TPM error 0x%03x",
				   result - SVSM_ERR_ATTEST_TPM);
	return problem_set(problem, "the SVSM refuses the request: 0x%08x", result);
}

/* The SVSM's own reason, where it gave one, or the kernel's. */
static bool explain_failure(struct configfs_item *item, int rc, struct configfs_blob *scratch,
			    struct problem *problem)
{
	const char *attribute = item->attribute;
	uint64_t result = 0;

	if (configfs_get(item, "service_error", scratch) == 0)
		number_at((char *)scratch->data, scratch->size, NUMBER_PREFIXED, &result);
	if (result != SVSM_SUCCESS && result <= UINT32_MAX)
		return explain((uint32_t)result, problem);
	return problem_set(problem, "%s: %s", attribute, strerror(-rc));
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

#define CONFIGFS_MAGIC 0x62656570 /* of statfs(2) */

/* The folder that configfs is to be mounted on: the roots are two levels below. */
static void mount_point(const char *root, char point[FILE_PATH_MAX])
{
	snprintf(point, FILE_PATH_MAX, "%s", root);
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(point, '/');

		if (slash)
			*slash = '\0';
	}
}

/* Why there is no folder to make a request in. */
static bool explain_no_root(const struct svsm_roots *roots, struct problem *problem)
{
	char point[FILE_PATH_MAX];
	struct statfs fs;

	mount_point(roots->tsm, point);
	if (statfs(point, &fs) != 0 || fs.f_type != CONFIGFS_MAGIC)
		return problem_set(problem,
				   "configfs is not mounted on %s: there is neither %s nor %s",
				   point, roots->svsm, roots->tsm);
	return problem_set(problem,
			   "there is neither %s nor %s: the kernel or the SVSM has no such "
			   "interface",
			   roots->svsm, roots->tsm);
}

static bool attest_by_module(const char *root, const struct svsm_wish *wish, struct tsm_report *out,
			     struct problem *problem)
{
	struct configfs_item item;
	bool ok = true;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = configfs_make(&item, root);
	if (rc != 0)
		return problem_set(problem, "cannot make %s: %s", item.folder, strerror(-rc));
	if ((rc = set_inputs(&item, wish)) != 0 || (rc = tsm_get_outputs(&item, out)) != 0)
		ok = explain_failure(&item, rc, &out->certificates, problem);
	configfs_remove(&item);
	return ok;
}

bool svsm_fit(const struct svsm_roots *roots, bool version_given, struct svsm_wish *wish,
	      struct problem *problem)
{
	if (wish->selector_size == 0 || exists(roots->svsm))
		return true;
	if (!exists(roots->tsm))
		return explain_no_root(roots, problem);
	if (!wish->key)
		return problem_set(problem,
				   "no %s: a template or an NV index needs socle_tpm.ko and an "
				   "SVSM with version 2 of the attestation protocol",
				   roots->svsm);
	if (wish->key != SVSM_KEY_EK_RSA2048 && wish->manifest_version == 0) {
		if (version_given)
			return problem_set(problem, "no %s: manifest version 0 has no %s then",
					   roots->svsm, profile_key_name(wish->key));
		wish->manifest_version = 1;
	}
	wish->selector_size = 0;
	return true;
}

/*
 * L-1 and H-1 are alike in type, size and purpose, and so are L-2 and H-2. What tells them apart is
 * whether the key's authorization value is enough to use it: never in the low range of the TCG's EK
 * Credential Profile, always in the high one. Only this search in a list needs that: an SVSM that
 * is asked for an id answers for it, whatever attributes its profile gives the key.
 */
static bool is_key(uint32_t id, const struct selector_template *info)
{
	bool by_auth = info->attributes & TPMA_OBJECT_USER_WITH_AUTH;

	if (!profile_key_fits(id, info))
		return false;
	switch (id) {
	case SVSM_KEY_EK_RSA2048:
	case SVSM_KEY_EK_ECC_P256:
		return !by_auth;
	case SVSM_KEY_EK_H1_RSA2048:
	case SVSM_KEY_EK_H2_ECC_P256:
		return by_auth;
	default:
		return true;
	}
}

/* Whether a manifest that lists several keys has this one. */
static bool has_key(const struct tsm_report *report, uint32_t key, struct problem *problem)
{
	struct vtpm_manifest manifest;
	const char *wrong = vtpm_manifest_read(&manifest, report->manifest.data,
					       report->manifest.size);

	if (wrong)
		return problem_set(problem, "the manifest: %s", wrong);
	for (size_t i = 0; i < manifest.count; i++) {
		if (is_key(key, &manifest.keys[i].info))
			return true;
	}
	return problem_set(problem, "the manifest has no %s", profile_key_name(key));
}

static bool attest_stock(const char *root, const struct svsm_wish *wish, struct tsm_report *out,
			 struct problem *problem)
{
	int rc = tsm_report_vtpm(root, wish->nonce, wish->manifest_version, out);

	if (rc != 0 && strcmp(out->failed, "mkdir") == 0)
		return problem_set(problem, "cannot make a folder in %s: %s", root, strerror(-rc));
	return rc == 0 || problem_set(problem, "%s: %s", out->failed, strerror(-rc));
}

bool svsm_attest(const struct svsm_roots *roots, const struct svsm_wish *wish,
		 struct tsm_report *out, struct problem *problem)
{
	if (!exists(roots->svsm) && !exists(roots->tsm))
		return explain_no_root(roots, problem);
	if (wish->selector_size > 0)
		return attest_by_module(roots->svsm, wish, out, problem);
	return (exists(roots->tsm) ? attest_stock(roots->tsm, wish, out, problem)
				   : attest_by_module(roots->svsm, wish, out, problem)) &&
	       (!wish->key || has_key(out, wish->key, problem));
}

/* ---- Files ---- */

/* A part that is empty has no file. */
static bool put_file(const char *folder, const char *name, const void *data, size_t size,
		     struct problem *problem)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, folder, name);

	if (rc == 0 && size > 0)
		rc = file_write(path, data, size);
	else if (rc == 0 && unlink(path) != 0 && errno != ENOENT)
		rc = -errno;
	return rc == 0 || problem_set(problem, "%s/%s: %s", folder, name, strerror(-rc));
}

static bool put_files(const struct svsm_wish *wish, const struct tsm_report *report,
		      const char *folder, struct problem *problem)
{
	static const struct abi_guid vtpm = SVSM_GUID_VTPM;
	uint8_t context[SELECTOR_CONTEXT_MAX];
	size_t context_size = selector_context(context, &vtpm, wish->manifest_version,
					       wish->selector, wish->selector_size);
	const struct {
		const char *name;
		const void *data;
		size_t size;
	} files[] = {
		{ "nonce.bin", wish->nonce, sizeof(wish->nonce) },
		{ "selector.bin", wish->selector, wish->selector_size },
		{ "context.bin", context, context_size },
		{ "manifest.bin", report->manifest.data, report->manifest.size },
		{ "report.bin", report->report.data, report->report.size },
		{ "certs.bin", report->certificates.data, report->certificates.size },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): what has a size has data. */
		if (!put_file(folder, files[i].name, files[i].data, files[i].size, problem))
			return false;
	}
	return true;
}

bool svsm_attest_to(const struct svsm_roots *roots, const struct svsm_wish *wish,
		    const char *folder, struct problem *problem)
{
	struct tsm_report *report = malloc(sizeof(*report));
	bool ok;

	if (report == NULL)
		return problem_set(problem, "%s", strerror(ENOMEM));
	ok = svsm_attest(roots, wish, report, problem) && put_files(wish, report, folder, problem);
	free(report);
	return ok;
}
