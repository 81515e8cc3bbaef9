/* SPDX-License-Identifier: MIT */
#include "guest/agent/tsm.h"

#include <stdio.h>
#include <string.h>

struct request {
	struct configfs_item item;
	const uint8_t *data; /* the nonce, or REPORT_DATA */
	uint32_t manifest_version;
	struct tsm_report *out;
};

int tsm_get_outputs(struct configfs_item *item, struct tsm_report *out)
{
	int rc;

	if ((rc = configfs_get(item, "outblob", &out->report)) != 0 ||
	    (rc = configfs_get(item, "manifestblob", &out->manifest)) != 0)
		return rc;
	return configfs_get(item, "auxblob", &out->certificates);
}

static int ask_vtpm(struct request *request)
{
	struct configfs_item *item = &request->item;
	char version[16];
	int rc;

	snprintf(version, sizeof(version), "%u", request->manifest_version);
	if ((rc = configfs_set(item, "inblob", request->data, TSM_NONCE_SIZE)) != 0 ||
	    (rc = configfs_set_text(item, "service_provider", "svsm")) != 0 ||
	    (rc = configfs_set_text(item, "service_guid", TSM_VTPM_GUID)) != 0 ||
	    (rc = configfs_set_text(item, "service_manifest_version", version)) != 0)
		return rc;
	return tsm_get_outputs(item, request->out);
}

/* Level 0 is the default, and the SVSM's. The least that the kernel may ask for is its own. */
static int set_own_level(struct request *request)
{
	struct configfs_blob *level = &request->out->report;
	int rc = configfs_get(&request->item, "privlevel_floor", level);

	return rc == 0 ? configfs_set(&request->item, "privlevel", level->data, level->size) : rc;
}

static int ask_kernel(struct request *request)
{
	struct tsm_report *out = request->out;
	struct configfs_item *item = &request->item;
	int rc = set_own_level(request);

	if (rc != 0)
		return rc;
	if ((rc = configfs_set(item, "inblob", request->data, TSM_NONCE_SIZE)) != 0 ||
	    (rc = configfs_get(item, "outblob", &out->report)) != 0)
		return rc;
	return configfs_get(item, "auxblob", &out->certificates);
}

/* Each report has a folder of its own. */
static int with_folder(const char *root, struct request *request, int (*ask)(struct request *))
{
	struct tsm_report *out = request->out;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = configfs_make(&request->item, root);
	if (rc == 0) {
		rc = ask(request);
		configfs_remove(&request->item);
	}
	out->failed = request->item.attribute;
	return rc;
}

int tsm_report_vtpm(const char *root, const uint8_t nonce[TSM_NONCE_SIZE],
		    uint32_t manifest_version, struct tsm_report *out)
{
	struct request request = { .data = nonce,
				   .manifest_version = manifest_version,
				   .out = out };

	return with_folder(root, &request, ask_vtpm);
}

int tsm_report_kernel(const char *root, const uint8_t data[TSM_NONCE_SIZE], struct tsm_report *out)
{
	struct request request = { .data = data, .out = out };

	return with_folder(root, &request, ask_kernel);
}
