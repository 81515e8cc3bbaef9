/* SPDX-License-Identifier: MIT */
/*
 * One request to the kernel through configfs: a folder whose making and removal are part of the
 * interface, and attributes in it.
 */
#ifndef SOCLE_GUEST_AGENT_ITEM_H
#define SOCLE_GUEST_AGENT_ITEM_H

#include <stddef.h>
#include <stdint.h>

#define ITEM_BLOB_MAX (32u << 10)

struct item_blob {
	size_t size;
	uint8_t data[ITEM_BLOB_MAX];
};

struct item {
	char folder[256];
	const char *attribute; /* the last one that was set or got */
};

/* Makes a folder of this process's own below root. 0, or -errno. */
int item_make(struct item *item, const char *root);

/* Sets an attribute in one write; gets one whole. 0, or -errno. */
int item_set(struct item *item, const char *attribute, const void *data, size_t size);
int item_set_text(struct item *item, const char *attribute, const char *text);
int item_get(struct item *item, const char *attribute, struct item_blob *blob);

/* Removes the folder; the kernel then forgets the request. */
void item_remove(struct item *item);

#endif
