/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/uefi_variable.h"

#include <string.h>

#include "core/base/bytes.h"

const struct uefi_guid uefi_global_variable = { { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
						  0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
						  0x8c } };
const struct uefi_guid uefi_image_security_database = { { 0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96,
							  0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67,
							  0x65, 0x6f } };
const struct uefi_guid uefi_shim_lock = { { 0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab,
					    0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23 } };

bool uefi_variable_read(struct uefi_variable *v, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	uint64_t name, value;

	v->vendor = bytes_take(&r, sizeof(struct uefi_guid));
	name = bytes_le64(&r);
	value = bytes_le64(&r);
	if (r.bad || name > size / 2 || value > size)
		return false;
	v->name_size = 2 * (size_t)name;
	v->name = bytes_take(&r, v->name_size);
	v->value_size = bytes_left(&r) < value ? bytes_left(&r) : (size_t)value;
	v->value = bytes_take(&r, v->value_size);
	v->whole = v->value_size == value;
	return v->value != NULL;
}

bool uefi_variable_is(const struct uefi_variable *v, const struct uefi_guid *vendor,
		      const char *name)
{
	const size_t length = strlen(name);

	if (memcmp(v->vendor, vendor, sizeof(*vendor)) != 0 || v->name_size != 2 * length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (v->name[2 * i] != (uint8_t)name[i] || v->name[2 * i + 1] != 0)
			return false;
	}
	return true;
}
