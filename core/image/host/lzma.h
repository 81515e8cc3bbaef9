/* SPDX-License-Identifier: MIT */
/*
 * Reader of LZMA files (LZMA specification, Igor Pavlov, 2015), as firmware compresses its volumes. The bytes are
 * untrusted.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_LZMA_H
#define SOCLE_CORE_IMAGE_HOST_LZMA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"

/*
 * What is compressed, for file_free(). The file has to say how long that is, at most size_max bytes, and be as long
 * as it takes; bytes behind are not looked at. False, and *error says what is wrong.
 */
bool lzma_read(const void *data, size_t size, size_t size_max, struct file_bytes *to,
	       struct host_error *error);

#endif
