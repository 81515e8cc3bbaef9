/* SPDX-License-Identifier: MIT */
/*
 * UEFI variables as events have them: UEFI_VARIABLE_DATA, TCG PC Client Platform Firmware Profile,
 * section 10.4.3.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_UEFI_VARIABLE_H
#define SOCLE_CORE_EVIDENCE_HOST_UEFI_VARIABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uefi_guid {
	uint8_t bytes[16];
};

extern const struct uefi_guid
	uefi_global_variable; /* EFI_GLOBAL_VARIABLE, UEFI specification 3.3 */
extern const struct uefi_guid uefi_image_security_database; /* and 32.6.1: of db and dbx */
extern const struct uefi_guid uefi_shim_lock;		    /* shim's own, as its sources have it */

/* What is in it, in place. */
struct uefi_variable {
	const uint8_t *vendor; /* a GUID */
	const uint8_t *name, *value;
	size_t name_size, value_size; /* bytes; the name is UTF-16 without a NUL */
	bool whole;		      /* no byte is missing */
};

/* Takes apart what is complete but for a last byte, which shim forgets. */
bool uefi_variable_read(struct uefi_variable *v, const void *data, size_t size);

/* Whether it is this vendor's of this name, which is ASCII. */
bool uefi_variable_is(const struct uefi_variable *v, const struct uefi_guid *vendor,
		      const char *name);

#endif
