/* SPDX-License-Identifier: MIT */
#include "guest/agent/configfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/file.h"

int configfs_make(struct configfs_item *item, const char *root)
{
	int length = snprintf(item->folder, sizeof(item->folder), "%s/socle-%ld", root,
			      (long)getpid());

	item->attribute = "mkdir";
	if (length < 0 || (size_t)length >= sizeof(item->folder))
		return -ENAMETOOLONG;
	return mkdir(item->folder, 0700) == 0 ? 0 : -errno;
}

int configfs_set(struct configfs_item *item, const char *attribute, const void *data, size_t size)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, item->folder, attribute);

	item->attribute = attribute;
	return rc == 0 ? file_set(path, data, size) : rc;
}

int configfs_set_text(struct configfs_item *item, const char *attribute, const char *text)
{
	return configfs_set(item, attribute, text, strlen(text));
}

int configfs_get(struct configfs_item *item, const char *attribute, struct configfs_blob *blob)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, item->folder, attribute);
	ssize_t size;

	item->attribute = attribute;
	if (rc != 0)
		return rc;
	size = file_read(path, blob->data, sizeof(blob->data));
	if (size < 0)
		return (int)size;
	blob->size = (size_t)size;
	return 0;
}

void configfs_remove(struct configfs_item *item)
{
	rmdir(item->folder);
}
