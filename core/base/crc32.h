/* SPDX-License-Identifier: MIT */
/* CRC-32 as in zlib and IEEE 802.3, for IGVM headers and channel frames. No protection against
 * anyone who wants a checksum to match. */
#ifndef SOCLE_CORE_BASE_CRC32_H
#define SOCLE_CORE_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues a checksum over size more bytes; it starts as 0. */
uint32_t core_crc32(uint32_t crc, const void *data, size_t size);

#endif
