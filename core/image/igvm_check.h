/* SPDX-License-Identifier: MIT */
/* What the parts of the IGVM reader, and the check for hosts, share. Nobody else includes it. */
#ifndef SOCLE_CORE_IMAGE_IGVM_CHECK_H
#define SOCLE_CORE_IMAGE_IGVM_CHECK_H

#include <stdarg.h>

#include "core/image/igvm.h"

#define IGVM_ADDRESS_LIMIT (1ull << 52) /* physical addresses of x86-64 */

/* The sections in which the variable headers must come. */
enum igvm_section {
	IGVM_SECTION_PLATFORM,
	IGVM_SECTION_INITIALIZATION,
	IGVM_SECTION_DIRECTIVE,
};

/* What igvm_open() knows while it goes through the variable headers. */
struct igvm_check {
	struct igvm_file *file;
	struct igvm_error *error;
	uint64_t at; /* file offset of the current variable header */
	enum igvm_section section;
	uint32_t masks;		 /* of all platforms so far */
	uint64_t vtom;		 /* of the platform for SEV-SNP that was passed over, 0: none */
	bool chosen;		 /* file->platform is set */
	uint64_t vp_seen;	 /* bit n: VP_CONTEXT of index n */
	uint64_t areas_inserted; /* bit n: file->areas[n] is in the guest */
	bool has_id_block, has_page_tables, has_version;
};

/* What is known of a type. */
struct igvm_type {
	uint32_t type;
	uint32_t length; /* of the content; IGVM_ANY_LENGTH */
	uint32_t mask;	 /* offset of its compatibility mask; IGVM_NO_MASK */
	bool yielded;	 /* by igvm_next(), where it counts */
	const char *name;
	/* True when the content is as it must be. counts: for SEV-SNP, by its mask. */
	bool (*check)(struct igvm_check *c, const void *content, bool counts);
};

#define IGVM_ANY_LENGTH UINT32_MAX
#define IGVM_NO_MASK UINT32_MAX

/* The row of a type without IGVM_TYPE_IGNORABLE; NULL for one that the format does not define. */
const struct igvm_type *igvm_type(uint32_t type);

/* Fills in the error and returns false. */
__attribute__((format(printf, 4, 5))) bool igvm_refuse(struct igvm_error *error,
						       enum igvm_error_code code, uint64_t offset,
						       const char *fmt, ...);

void igvm_refuse_list(struct igvm_error *error, enum igvm_error_code code, uint64_t offset,
		      const char *fmt, va_list args);

/* Bytes of the fixed header of the file's version. */
size_t igvm_fixed_size(const struct igvm_file *file);

/* Where the section of the variable headers ends: file data lie behind it. */
uint64_t igvm_headers_end(const struct igvm_file *file);

/* Bytes of a page, small or large. */
uint32_t igvm_page_size(const struct igvm_page_data *page);

/* The parameter area that has this index, NULL before its directive was seen. */
const struct igvm_area *igvm_find_area(const struct igvm_file *file, uint32_t index);

/* True when no page is loaded by two directives of a file whose headers were checked. */
bool igvm_check_pages(const struct igvm_file *file, struct igvm_error *error);

#endif
