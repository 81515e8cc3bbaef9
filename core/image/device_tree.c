/* SPDX-License-Identifier: MIT */
#include "core/image/device_tree.h"

#include <string.h>

#define MAGIC 0xd00dfeedu
#define VERSION 17u
#define LAST_COMPATIBLE_VERSION 16u
#define HEADER_SIZE 40u
#define RESERVATIONS_SIZE 16u /* none: the entry of zeros that ends them */

#define TOKEN_BEGIN_NODE 1u
#define TOKEN_END_NODE 2u
#define TOKEN_PROPERTY 3u
#define TOKEN_END 9u

/* Bytes, and zeros up to a multiple of 4. */
static void put_padded(struct bytes_writer *w, const void *data, size_t size)
{
	bytes_put(w, data, size);
	bytes_put_zeros(w, -size & 3);
}

static void put_text(struct bytes_writer *w, const char *text)
{
	put_padded(w, text, strlen(text) + 1);
}

void device_tree_begin(struct device_tree *tree, void *to, size_t room)
{
	tree->blocks = bytes_writer_init(to, room);
	tree->names_size = 0;
	bytes_put_zeros(&tree->blocks, HEADER_SIZE + RESERVATIONS_SIZE);
	device_tree_node(tree, "");
}

void device_tree_node(struct device_tree *tree, const char *name)
{
	bytes_put_be32(&tree->blocks, TOKEN_BEGIN_NODE);
	put_text(&tree->blocks, name);
}

void device_tree_end(struct device_tree *tree)
{
	bytes_put_be32(&tree->blocks, TOKEN_END_NODE);
}

/* Where the name stands in the block of strings: it is put there when it is new. */
static uint32_t name_offset(struct device_tree *tree, const char *name)
{
	size_t size = strlen(name) + 1;
	size_t at = 0;

	while (at < tree->names_size && strcmp(tree->names + at, name) != 0)
		at += strlen(tree->names + at) + 1;
	if (at < tree->names_size)
		return (uint32_t)at;
	if (size > sizeof(tree->names) - tree->names_size) {
		tree->blocks.bad = true;
		return 0;
	}
	memcpy(tree->names + at, name, size);
	tree->names_size += size;
	return (uint32_t)at;
}

static void put_property(struct device_tree *tree, const char *name, size_t size)
{
	bytes_put_be32(&tree->blocks, TOKEN_PROPERTY);
	bytes_put_be32(&tree->blocks, (uint32_t)size);
	bytes_put_be32(&tree->blocks, name_offset(tree, name));
}

void device_tree_cells(struct device_tree *tree, const char *name, const uint32_t *cells,
		       unsigned int count)
{
	put_property(tree, name, count * sizeof(*cells));
	for (unsigned int i = 0; i < count; i++)
		bytes_put_be32(&tree->blocks, cells[i]);
}

void device_tree_text(struct device_tree *tree, const char *name, const char *text)
{
	put_property(tree, name, strlen(text) + 1);
	put_text(&tree->blocks, text);
}

static void write_header(struct device_tree *tree, size_t strings)
{
	struct bytes_writer h = bytes_writer_init(tree->blocks.data, HEADER_SIZE);
	const size_t structure = HEADER_SIZE + RESERVATIONS_SIZE;

	bytes_put_be32(&h, MAGIC);
	bytes_put_be32(&h, (uint32_t)tree->blocks.size);
	bytes_put_be32(&h, (uint32_t)structure);
	bytes_put_be32(&h, (uint32_t)strings);
	bytes_put_be32(&h, HEADER_SIZE); /* of the reservations */
	bytes_put_be32(&h, VERSION);
	bytes_put_be32(&h, LAST_COMPATIBLE_VERSION);
	bytes_put_be32(&h, 0); /* the boot CPU */
	bytes_put_be32(&h, (uint32_t)tree->names_size);
	bytes_put_be32(&h, (uint32_t)(strings - structure));
}

size_t device_tree_finish(struct device_tree *tree)
{
	size_t strings;

	device_tree_end(tree);
	bytes_put_be32(&tree->blocks, TOKEN_END);
	strings = tree->blocks.size;
	bytes_put(&tree->blocks, tree->names, tree->names_size);
	if (tree->blocks.bad)
		return 0;
	write_header(tree, strings);
	return tree->blocks.size;
}
