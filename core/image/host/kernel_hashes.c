/* SPDX-License-Identifier: MIT */
#include "core/image/host/kernel_hashes.h"

#include <openssl/evp.h>
#include <string.h>

#include "abi/types.h"
#include "core/image/firmware.h"

/* An entry: GUID, bytes of all of it, hash. The table is one whose content is the entries. */
struct entry {
	struct abi_guid guid;
	uint16_t length;
	uint8_t hash[KERNEL_HASH_SIZE];
} __attribute__((packed));
ABI_SIZE(struct entry, 50);

struct table {
	struct abi_guid guid;
	uint16_t length; /* without the padding */
	struct entry command_line, initrd, kernel;
} __attribute__((packed));
ABI_SIZE(struct table, 168);

_Static_assert(KERNEL_HASHES_SIZE == (sizeof(struct table) + 15) / 16 * 16,
	       "padded to what SEV encrypts at once");

/* 9438d606-4f22-4cc9-b479-a793d411fd21 */
static const struct abi_guid guid_table = { { 0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c, 0xb4,
					      0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21 } };
/* 97d02dd8-bd20-4c94-aa78-e7714d36ab2a */
static const struct abi_guid guid_command_line = { { 0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
						     0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab,
						     0x2a } };
/* 44baf731-3a2f-4bd7-9af1-41e29169781d */
static const struct abi_guid guid_initrd = { { 0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a,
					       0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d } };
/* 4de79437-abd2-427f-b835-d5b172d2045b */
static const struct abi_guid guid_kernel = { { 0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8,
					       0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b } };

bool kernel_hash(uint8_t hash[KERNEL_HASH_SIZE], const void *data, size_t size)
{
	return EVP_Digest(data, size, hash, NULL, EVP_sha256(), NULL) == 1;
}

static struct entry entry_of(const struct abi_guid *guid, const uint8_t hash[KERNEL_HASH_SIZE])
{
	struct entry entry = { .guid = *guid, .length = sizeof(entry) };

	memcpy(entry.hash, hash, sizeof(entry.hash));
	return entry;
}

void kernel_hashes_write(const struct kernel_hashes *hashes, uint8_t *table)
{
	struct table t = {
		.guid = guid_table,
		.length = sizeof(t),
		.command_line = entry_of(&guid_command_line, hashes->command_line),
		.initrd = entry_of(&guid_initrd, hashes->initrd),
		.kernel = entry_of(&guid_kernel, hashes->kernel),
	};

	memset(table, 0, KERNEL_HASHES_SIZE);
	memcpy(table, &t, sizeof(t));
}
