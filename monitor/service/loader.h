/* SPDX-License-Identifier: MIT */
/*
 * Puts a static executable from the archive into a service's memory. Segments that are not written
 * are mapped in place, so the archive has to hold the file's bytes at the start of a page; writable
 * ones are copied. Anything unusual is refused: a dynamic or position-independent executable, a
 * segment that is writable and executable, an executable stack, segments that share a page.
 */
#ifndef SOCLE_MONITOR_SERVICE_LOADER_H
#define SOCLE_MONITOR_SERVICE_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/service/process.h"

/* The archive as it lies in memory: bytes in the direct map, and their gPA. */
struct loader_archive {
	const uint8_t *data;
	struct socle_range range;
};

/*
 * Loads the executable, size bytes at file, which is a part of the archive, into service->space
 * (made and empty), with a stack, and makes service->context start it. Returns NULL, or why not in
 * words; then the caller frees the service's memory.
 */
const char *loader_load(struct service *service, const struct loader_archive *archive,
			const uint8_t *file, size_t size);

#endif
