/* SPDX-License-Identifier: MIT */
/*
 * One request to the kernel through configfs: a folder whose making and removal are part of the
 * interface, and attributes in it.
 */
#ifndef SOCLE_GUEST_AGENT_CONFIGFS_H
#define SOCLE_GUEST_AGENT_CONFIGFS_H

#include <stddef.h>
#include <stdint.h>

#define CONFIGFS_BLOB_MAX (32u << 10)

struct configfs_blob {
	size_t size;
	uint8_t data[CONFIGFS_BLOB_MAX];
};

struct configfs_item {
	char folder[256];
	int fd;		       /* of the folder, with a lock on it while it is ours */
	const char *attribute; /* the last one that was set or got */
};

/*
 * Makes a folder of a random name below root, having removed those that agents left there that were
 * killed: nobody has a lock on them. One item at a time. 0, or -errno; folder and attribute tell
 * what was tried.
 */
int configfs_make(struct configfs_item *item, const char *root);

/*
 * From now on SIGHUP, SIGINT and SIGTERM remove the item that there is, and then end the process.
 */
void configfs_remove_on_signals(void);

/* Sets an attribute in one write; gets one whole. 0, or -errno. */
int configfs_set(struct configfs_item *item, const char *attribute, const void *data, size_t size);
int configfs_set_text(struct configfs_item *item, const char *attribute, const char *text);
int configfs_get(struct configfs_item *item, const char *attribute, struct configfs_blob *blob);

/* Removes the folder; the kernel then forgets the request. */
void configfs_remove(struct configfs_item *item);

#endif
