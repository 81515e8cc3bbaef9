/* SPDX-License-Identifier: MIT */
#include "tools/ca/policy_files.h"

#include <stdio.h>

#include "core/base/host/file.h"
#include "core/evidence/host/amd_crl.h"
#include "tools/cmd.h"

#define CERTIFICATE_SIZE_MAX (64u << 10)
#define CRL_FILE_SIZE_MAX (1u << 20)

static bool load(const char *path, enum amd_chain_place place, X509 **to)
{
	struct file_bytes bytes;

	if (!cmd_read_file(path, CERTIFICATE_SIZE_MAX, &bytes))
		return false;
	*to = amd_chain_pick_certificate(bytes.data, bytes.size, place, REPORT_KEY_VCEK);
	if (!*to)
		cmd_file_error(path, "no certificate in PEM or DER, or not one that fits");
	file_free(&bytes);
	return *to;
}

static bool load_from(const char *folder, const char *name, enum amd_chain_place place, X509 **to)
{
	char path[FILE_PATH_MAX];

	/* A path that is too long is the folder's own, which is no file to read. */
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return load(folder, place, to);
	return load(path, place, to);
}

bool ca_load_chain(const char *folder, const char *ark, struct amd_chain *chain)
{
	*chain = (struct amd_chain){ .key = REPORT_KEY_VCEK };
	if (ark && !load(ark, AMD_CHAIN_ARK, &chain->ark))
		return false;
	if (!folder)
		return true;
	return (ark || load_from(folder, "ark.pem", AMD_CHAIN_ARK, &chain->ark)) &&
	       load_from(folder, "ask.pem", AMD_CHAIN_ISSUER, &chain->issuer) &&
	       load_from(folder, "vcek.pem", AMD_CHAIN_SIGNER, &chain->signer);
}

bool ca_load_crls(const struct option_files *files, struct policy *policy)
{
	for (size_t i = 0; i < files->count; i++) {
		struct file_bytes bytes;
		const char *wrong;

		if (!cmd_read_file(files->paths[i], CRL_FILE_SIZE_MAX, &bytes))
			return false;
		wrong = amd_crl_read(&policy->crls, bytes.data, bytes.size);
		file_free(&bytes);
		if (wrong) {
			cmd_file_error(files->paths[i], "%s", wrong);
			return false;
		}
	}
	return true;
}
