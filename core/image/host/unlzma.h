/* SPDX-License-Identifier: MIT */
/* Reader of LZMA files, as firmware compresses its volumes, by liblzma. The bytes are untrusted. */
#ifndef SOCLE_CORE_IMAGE_HOST_UNLZMA_H
#define SOCLE_CORE_IMAGE_HOST_UNLZMA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"

/*
 * What is compressed, for file_free(). The file has to say how long that is, 1 to size_max bytes,
 * and be as long as it takes; bytes behind are not looked at. False, and *error says what is wrong.
 */
bool unlzma(const void *data, size_t size, size_t size_max, struct file_bytes *to,
	    struct host_error *error);

#endif
