/* SPDX-License-Identifier: MIT */
/*
 * Writer of flattened device trees (Devicetree Specification 0.4, chapter 5): nodes and properties
 * in the order in which they are asked for.
 */
#ifndef SOCLE_CORE_IMAGE_DEVICE_TREE_H
#define SOCLE_CORE_IMAGE_DEVICE_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"

#define DEVICE_TREE_NAMES_MAX 256u

struct device_tree {
	struct bytes_writer blocks; /* header, reservations, structure, and at last strings */
	char names[DEVICE_TREE_NAMES_MAX]; /* of properties: the block of strings */
	size_t names_size;
};

/* Begins a tree of at most room bytes at to, with its root node open. */
void device_tree_begin(struct device_tree *tree, void *to, size_t room);

/* Opens a node in the one that is open. */
void device_tree_node(struct device_tree *tree, const char *name);

/* Closes the node that was opened last. */
void device_tree_end(struct device_tree *tree);

/* A property of 32-bit numbers; of none: it is just there. */
void device_tree_cells(struct device_tree *tree, const char *name, const uint32_t *cells,
		       unsigned int count);

/* A property of one text. */
void device_tree_text(struct device_tree *tree, const char *name, const char *text);

/* Closes the root and writes the header. The size of the tree; 0 when there was no room. */
size_t device_tree_finish(struct device_tree *tree);

#endif
