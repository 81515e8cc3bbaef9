/* SPDX-License-Identifier: MIT */
#include "machine/host/dump.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/host/file.h"
#include "core/snp/rmp.h"
#include "machine/host/files.h"
#include "machine/mailbox.h"

static bool write_part(const char *dir, const char *name, const void *data, size_t size,
		       struct host_error *error)
{
	char *path = files_path(dir, name);
	bool ok = path ? file_write(path, data, size, error) : host_fail(error, "out of memory");

	free(path);
	return ok;
}

/*
 * Pages that devices may reach are in another place meanwhile: brings them back. QEMU wrote the
 * offset, and QEMU may be anything.
 */
static void gather_shown(const struct machine_memory *memory, const uint8_t *hv_ram)
{
	uint64_t at = memory->mailbox->shown_offset, size = memory->guest_ram_size;
	const uint8_t *pages = hv_ram + machine_shown_offset(size);
	uint64_t count = machine_ram_end(size) / ABI_PAGE_SIZE;

	if (at == 0 || at > machine_shown_offset(size) || count > machine_shown_offset(size) - at)
		return;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t to = machine_ram_offset(size, i * ABI_PAGE_SIZE);

		if (hv_ram[at + i] != 0 && to != size)
			memcpy(memory->guest_ram + to, pages + i * ABI_PAGE_SIZE, ABI_PAGE_SIZE);
	}
}

bool dump_write(const struct machine_memory *memory, const void *hv_ram, const char *dir,
		struct host_error *error)
{
	uint64_t at = memory->mailbox->rmp_offset;
	uint64_t end = machine_ram_end(memory->guest_ram_size);
	uint64_t size = end / ABI_PAGE_SIZE * sizeof(struct rmp_entry);
	uint64_t hv_size = machine_hv_size(memory->guest_ram_size);

	gather_shown(memory, hv_ram);
	if (!files_make_dir(dir, error) ||
	    !write_part(dir, "ram.bin", memory->guest_ram, memory->guest_ram_size, error))
		return false;
	/* Without a table the offset is 0; QEMU wrote it, and QEMU may be anything. */
	if (at == 0 || at > hv_size || size > hv_size - at)
		return true;
	return write_part(dir, "rmp.bin", (const uint8_t *)hv_ram + at, size, error);
}
