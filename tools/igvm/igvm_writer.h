/* SPDX-License-Identifier: MIT */
/*
 * Writer of IGVM files for SEV-SNP. Pages are collected first and written at the end, so that
 * the order of the directives is decided in one place.
 */
#ifndef SOCLE_TOOLS_IGVM_IGVM_WRITER_H
#define SOCLE_TOOLS_IGVM_IGVM_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "abi/igvm.h"
#include "abi/params.h"
#include "abi/snp.h"
#include "core/base/host/error.h"
#include "core/base/host/file.h"
#include "core/image/host_model.h"

struct igvm_writer_item {
	uint32_t type; /* IGVM_TYPE_PAGE_DATA, _VP_CONTEXT, _REQUIRED_MEMORY, or of a parameter */
	uint32_t size; /* bytes of guest memory */
	uint64_t gpa;
	uint32_t flags;
	uint16_t data_type;
	uint32_t area; /* of a parameter: its index */
	uint8_t *data; /* owned; NULL: zeros */
};

struct igvm_writer {
	const struct host_model *host; /* whose loader the file is for; NULL: any that takes it */
	struct igvm_writer_item *items;
	size_t count, capacity;
	uint32_t areas;	    /* of parameters */
	bool out_of_memory; /* sticky; igvm_writer_finish() reports it */
};

enum igvm_order {
	IGVM_ORDER_ADDRESS, /* ascending addresses, VP contexts last */
	IGVM_ORDER_REVERSE, /* the exact opposite */
	IGVM_ORDER_SHUFFLE, /* by seed */
};

struct igvm_writer_options {
	uint64_t policy;
	enum igvm_order order;
	uint64_t seed;
};

/* Frees everything collected; harmless on {0}, which is an empty writer. */
void igvm_writer_free(struct igvm_writer *writer);

/* Adds one 4 KiB page of IGVM_PAGE_TYPE_*; contents, copied, or NULL for zeros. */
void igvm_writer_page(struct igvm_writer *writer, uint64_t gpa, uint16_t data_type,
		      const void *contents);

/* Adds a 2 MiB page of measured zeros. */
void igvm_writer_zero_2m(struct igvm_writer *writer, uint64_t gpa);

/* Adds size bytes as pages from gpa, which is page-aligned; the last page is filled with zeros. */
void igvm_writer_bytes(struct igvm_writer *writer, uint64_t gpa, const void *data, size_t size);

/* Whether the host that the file is for holds the VMSA, so that it takes no page of memory. */
bool igvm_writer_vmsa_is_held(const struct igvm_writer *writer);

/*
 * Adds the VMSA of vCPU 0. A host that holds it has it at its own address, without what its loader
 * does not hand over.
 */
void igvm_writer_vp(struct igvm_writer *writer, uint64_t gpa, const struct snp_vmsa *vmsa);

/*
 * Adds size bytes from gpa on, both of whole pages, in which the loader writes the parameter
 * (IGVM_TYPE_MEMORY_MAP ...) from their start on. They are not measured.
 */
void igvm_writer_parameter(struct igvm_writer *writer, uint64_t gpa, uint32_t size, uint32_t type);

/* Says that the range must be memory; nothing is loaded or measured. */
void igvm_writer_required(struct igvm_writer *writer, struct socle_range range);

/*
 * The memory that was added so far (but for required memory), ascending and merged. False when it
 * is more than max ranges.
 */
bool igvm_writer_ranges(const struct igvm_writer *writer, struct socle_range *ranges, uint32_t max,
			uint32_t *count);

/* Writes the file to memory; the caller frees it with file_free(). */
bool igvm_writer_finish(struct igvm_writer *writer, const struct igvm_writer_options *options,
			struct file_bytes *file, struct host_error *error);

#endif
