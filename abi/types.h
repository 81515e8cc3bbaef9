/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Fixed-width types and layout checks for the wire formats of this folder, in the monitor, in
 * hosted programs and in the Linux kernel module alike.
 */
#ifndef SOCLE_ABI_TYPES_H
#define SOCLE_ABI_TYPES_H

#ifdef __KERNEL__
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/* A wire structure has exactly this size. */
#define ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " size")
/* A member of a wire structure sits at exactly this offset. */
#define ABI_OFFSET(type, member, bytes) \
	_Static_assert(offsetof(type, member) == (bytes), #type "." #member " offset")

/* Sixteen bytes in the mixed-endian order of UEFI: the first three fields are little-endian. */
struct abi_guid {
	uint8_t bytes[16];
};
ABI_SIZE(struct abi_guid, 16);

#define ABI_PAGE_SIZE 4096u
#define ABI_PAGE_SHIFT 12
#define ABI_PAGE_SIZE_2M 0x200000u

#endif
