/* SPDX-License-Identifier: MIT */
#include "guest/agent/item.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/file.h"

#define ITEM_PATH_MAX 320

/* Folder and attribute in one string; false when that is too long. */
static bool attribute_path(const struct item *item, char path[ITEM_PATH_MAX])
{
	int length = snprintf(path, ITEM_PATH_MAX, "%s/%s", item->folder, item->attribute);

	return length > 0 && length < ITEM_PATH_MAX;
}

int item_make(struct item *item, const char *root)
{
	int length = snprintf(item->folder, sizeof(item->folder), "%s/socle-%ld", root,
			      (long)getpid());

	item->attribute = "mkdir";
	if (length < 0 || (size_t)length >= sizeof(item->folder))
		return -ENAMETOOLONG;
	return mkdir(item->folder, 0700) == 0 ? 0 : -errno;
}

int item_set(struct item *item, const char *attribute, const void *data, size_t size)
{
	char path[ITEM_PATH_MAX];

	item->attribute = attribute;
	return attribute_path(item, path) ? file_set(path, data, size) : -ENAMETOOLONG;
}

int item_set_text(struct item *item, const char *attribute, const char *text)
{
	return item_set(item, attribute, text, strlen(text));
}

int item_get(struct item *item, const char *attribute, struct item_blob *blob)
{
	char path[ITEM_PATH_MAX];
	ssize_t size;

	item->attribute = attribute;
	if (!attribute_path(item, path))
		return -ENAMETOOLONG;
	size = file_read(path, blob->data, sizeof(blob->data));
	if (size < 0)
		return (int)size;
	blob->size = (size_t)size;
	return 0;
}

void item_remove(struct item *item)
{
	rmdir(item->folder);
}
