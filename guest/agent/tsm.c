/* SPDX-License-Identifier: MIT */
#include "guest/agent/tsm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/file.h"

#define VTPM_GUID "c476f1eb-0123-45a5-9641-b4e7dde5bfe3"
#define MANIFEST_VERSION "0"

struct request {
	char folder[256];
	struct tsm_report *out;
};

/* Folder and attribute in one string; false when that is too long. */
static bool attribute_path(const struct request *request, const char *name, char *path, size_t size)
{
	int length = snprintf(path, size, "%s/%s", request->folder, name);

	return length > 0 && (size_t)length < size;
}

static int set(struct request *request, const char *name, const void *data, size_t size)
{
	char path[320];

	request->out->failed = name;
	if (!attribute_path(request, name, path, sizeof(path)))
		return -ENAMETOOLONG;
	return file_set(path, data, size);
}

static int get(struct request *request, const char *name, struct tsm_blob *blob)
{
	char path[320];
	ssize_t size;

	request->out->failed = name;
	if (!attribute_path(request, name, path, sizeof(path)))
		return -ENAMETOOLONG;
	size = file_read(path, blob->data, sizeof(blob->data));
	if (size < 0)
		return (int)size;
	blob->size = (size_t)size;
	return 0;
}

static int set_text(struct request *request, const char *name, const char *text)
{
	return set(request, name, text, strlen(text));
}

static int ask_vtpm(struct request *request, const uint8_t *nonce)
{
	struct tsm_report *out = request->out;
	int rc;

	if ((rc = set(request, "inblob", nonce, TSM_NONCE_SIZE)) != 0 ||
	    (rc = set_text(request, "service_provider", "svsm")) != 0 ||
	    (rc = set_text(request, "service_guid", VTPM_GUID)) != 0 ||
	    (rc = set_text(request, "service_manifest_version", MANIFEST_VERSION)) != 0)
		return rc;
	if ((rc = get(request, "outblob", &out->report)) != 0 ||
	    (rc = get(request, "manifestblob", &out->manifest)) != 0 ||
	    (rc = get(request, "auxblob", &out->certificates)) != 0)
		return rc;
	return 0;
}

/* The kernel's own level is the most privileged one that it may ask for; the default is not. */
static int set_own_level(struct request *request)
{
	struct tsm_blob *level = &request->out->report;
	int rc = get(request, "privlevel_floor", level);

	return rc == 0 ? set(request, "privlevel", level->data, level->size) : rc;
}

static int ask_kernel(struct request *request, const uint8_t *data)
{
	struct tsm_report *out = request->out;
	int rc = set_own_level(request);

	if (rc != 0)
		return rc;
	if ((rc = set(request, "inblob", data, TSM_NONCE_SIZE)) != 0 ||
	    (rc = get(request, "outblob", &out->report)) != 0 ||
	    (rc = get(request, "auxblob", &out->certificates)) != 0)
		return rc;
	return 0;
}

/* Each report has a folder of its own, whose making and removal are part of the interface. */
static int with_folder(const char *root, const uint8_t *nonce, struct tsm_report *out,
		       int (*ask)(struct request *, const uint8_t *))
{
	struct request request = { .out = out };
	int length, rc;

	memset(out, 0, sizeof(*out));
	out->failed = "report";
	length = snprintf(request.folder, sizeof(request.folder), "%s/socle", root);
	if (length < 0 || (size_t)length >= sizeof(request.folder))
		return -ENAMETOOLONG;
	if (mkdir(request.folder, 0700) != 0)
		return -errno;
	rc = ask(&request, nonce);
	rmdir(request.folder);
	return rc;
}

int tsm_report_vtpm(const char *root, const uint8_t nonce[TSM_NONCE_SIZE], struct tsm_report *out)
{
	return with_folder(root, nonce, out, ask_vtpm);
}

int tsm_report_kernel(const char *root, const uint8_t data[TSM_NONCE_SIZE], struct tsm_report *out)
{
	return with_folder(root, data, out, ask_kernel);
}
