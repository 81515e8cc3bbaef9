/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/fw_cfg_tables.h"

#include <string.h>

#define DIRECTORY_HEADER 4u

#define ACPI_FILE "etc/acpi/tables"
#define ACPI_HEADER 36u
#define ACPI_LENGTH 4u /* where a table's header has its length */
#define MADT_ENTRIES (ACPI_HEADER + 8u)
#define SRAT_ENTRIES (ACPI_HEADER + 12u)

/* MADT (ACPI 6.5, 5.2.12) */
#define MADT_LOCAL_APIC 0u
#define MADT_LOCAL_X2APIC 9u
/* SRAT (5.2.16) */
#define SRAT_LOCAL_APIC 0u
#define SRAT_MEMORY 1u
#define SRAT_LOCAL_X2APIC 2u
#define SRAT_MEMORY_HOT_PLUG (1u << 1)

#define SMBIOS_PROCESSOR 4u
#define SMBIOS_END 127u

static uint32_t load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void store32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* How many entries a directory has, at most as many as its bytes have room for. */
static size_t file_count(const uint8_t *directory, size_t size)
{
	size_t count;

	if (size < DIRECTORY_HEADER)
		return 0;
	count = __builtin_bswap32(load32(directory));
	size = (size - DIRECTORY_HEADER) / sizeof(struct fw_cfg_file);
	return count < size ? count : size;
}

bool fw_cfg_find(const uint8_t *directory, size_t size, const char *name, struct fw_cfg_file *file)
{
	size_t count = file_count(directory, size);

	for (size_t i = 0; i < count; i++) {
		memcpy(file, directory + DIRECTORY_HEADER + i * sizeof(*file), sizeof(*file));
		file->size = __builtin_bswap32(file->size);
		file->key = __builtin_bswap16(file->key);
		file->name[FW_CFG_NAME_SIZE - 1] = '\0';
		if (strcmp(file->name, name) == 0)
			return true;
	}
	return false;
}

void fw_cfg_hide(uint8_t *directory, size_t size, const char *prefix)
{
	const size_t entry = sizeof(struct fw_cfg_file);
	size_t count = file_count(directory, size), kept = 0;

	for (size_t i = 0; i < count; i++) {
		uint8_t *at = directory + DIRECTORY_HEADER + i * entry;
		const char *name = (const char *)at + offsetof(struct fw_cfg_file, name);

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			memmove(directory + DIRECTORY_HEADER + kept++ * entry, at, entry);
	}
	if (size >= DIRECTORY_HEADER)
		store32(directory, __builtin_bswap32((uint32_t)kept));
	memset(directory + DIRECTORY_HEADER + kept * entry, 0, (count - kept) * entry);
}

/*
 * Whether an entry of the MADT, of which two bytes and what they say are there, is true of the
 * guest.
 */
static bool keep_madt(const uint8_t *entry, unsigned int cpu_count)
{
	if (entry[0] == MADT_LOCAL_APIC && entry[1] >= 8)
		return entry[3] < cpu_count;
	if (entry[0] == MADT_LOCAL_X2APIC && entry[1] >= 16)
		return load32(entry + 4) < cpu_count;
	return true;
}

static bool keep_srat(const uint8_t *entry, unsigned int cpu_count)
{
	if (entry[0] == SRAT_LOCAL_APIC && entry[1] >= 16)
		return entry[3] < cpu_count;
	if (entry[0] == SRAT_LOCAL_X2APIC && entry[1] >= 24)
		return load32(entry + 8) < cpu_count;
	if (entry[0] == SRAT_MEMORY && entry[1] >= 40)
		return !(load32(entry + 28) & SRAT_MEMORY_HOT_PLUG);
	return true;
}

/* Leaves out the entries of a table that are not to be kept; its new length, in its header, too. */
static uint32_t filter(uint8_t *table, uint32_t length, uint32_t first, unsigned int cpu_count,
		       bool (*keep)(const uint8_t *entry, unsigned int cpu_count))
{
	uint32_t to = first;

	for (uint32_t at = first; at + 2 <= length;) {
		uint8_t *entry = table + at;
		uint32_t size = entry[1];

		if (size < 2 || size > length - at)
			return length; /* nothing that we know */
		at += size;
		if (!keep(entry, cpu_count))
			continue;
		memmove(table + to, entry, size);
		to += size;
	}
	memset(table + to, 0, length - to);
	store32(table + ACPI_LENGTH, to);
	return to;
}

static uint32_t patch_table(uint8_t *table, uint32_t length, unsigned int cpu_count)
{
	if (length >= MADT_ENTRIES && memcmp(table, "APIC", 4) == 0)
		return filter(table, length, MADT_ENTRIES, cpu_count, keep_madt);
	if (length >= SRAT_ENTRIES && memcmp(table, "SRAT", 4) == 0)
		return filter(table, length, SRAT_ENTRIES, cpu_count, keep_srat);
	return length;
}

/*
 * Each table has a checksum that the loader computes over all of it: that command says where it is.
 */
void fw_cfg_patch_acpi(uint8_t *tables, size_t size, uint8_t *loader, size_t loader_size,
		       unsigned int cpu_count)
{
	for (size_t at = 0; at + sizeof(struct fw_cfg_loader_command) <= loader_size;
	     at += sizeof(struct fw_cfg_loader_command)) {
		struct fw_cfg_loader_command c;

		memcpy(&c, loader + at, sizeof(c));
		if (c.command != FW_CFG_LOADER_ADD_CHECKSUM ||
		    strncmp(c.checksum.file, ACPI_FILE, sizeof(c.checksum.file)) != 0 ||
		    c.checksum.start > size || c.checksum.length > size - c.checksum.start)
			continue;
		c.checksum.length = patch_table(tables + c.checksum.start, c.checksum.length,
						cpu_count);
		memcpy(loader + at, &c, sizeof(c));
	}
}

/*
 * The next command of that kind for ACPI's tables from *at on, which becomes the place behind it.
 */
static uint8_t *next_command(uint8_t *loader, size_t size, size_t *at, uint32_t kind,
			     struct fw_cfg_loader_command *c)
{
	while (*at + sizeof(*c) <= size) {
		uint8_t *found = loader + *at;

		*at += sizeof(*c);
		memcpy(c, found, sizeof(*c));
		/* Both have the file that they change first. */
		if (c->command == kind &&
		    strncmp(c->checksum.file, ACPI_FILE, sizeof(c->checksum.file)) == 0)
			return found;
	}
	return NULL;
}

/* The command for the checksum of a table, by its signature; NULL when there is none. */
static uint8_t *find_table(const uint8_t *tables, size_t size, uint8_t *loader, size_t loader_size,
			   const char *signature, struct fw_cfg_loader_command *c)
{
	uint8_t *found;
	size_t at = 0;

	while ((found = next_command(loader, loader_size, &at, FW_CFG_LOADER_ADD_CHECKSUM, c)))
		if (c->checksum.length >= ACPI_HEADER && c->checksum.start <= size &&
		    c->checksum.length <= size - c->checksum.start &&
		    memcmp(tables + c->checksum.start, signature, 4) == 0)
			return found;
	return NULL;
}

/* The command for the pointer at that offset. */
static uint8_t *find_pointer(uint8_t *loader, size_t size, uint32_t offset)
{
	struct fw_cfg_loader_command c;
	uint8_t *found;
	size_t at = 0;

	while ((found = next_command(loader, size, &at, FW_CFG_LOADER_ADD_POINTER, &c)))
		if (c.pointer.offset == offset)
			return found;
	return NULL;
}

static void make_nothing(uint8_t *command)
{
	if (command)
		store32(command, FW_CFG_LOADER_NOTHING);
}

/* Takes the pointer to that table out of a list, whose entries are 32 bits wide. */
static void drop_pointer(uint8_t *tables, uint8_t *loader, size_t loader_size, uint8_t *command,
			 struct fw_cfg_loader_command *list, uint32_t table)
{
	uint32_t end = list->checksum.start + list->checksum.length;

	for (uint32_t at = list->checksum.start + ACPI_HEADER; at + 4 <= end; at += 4) {
		if (load32(tables + at) != table || !find_pointer(loader, loader_size, at))
			continue;
		store32(tables + at, load32(tables + end - 4));
		store32(tables + end - 4, 0);
		make_nothing(find_pointer(loader, loader_size, end - 4));
		list->checksum.length -= 4;
		store32(tables + list->checksum.start + ACPI_LENGTH, list->checksum.length);
		memcpy(command, list, sizeof(*list));
		return;
	}
}

void fw_cfg_drop_acpi(uint8_t *tables, size_t size, uint8_t *loader, size_t loader_size,
		      const char *signature)
{
	struct fw_cfg_loader_command table, list;
	uint8_t *command = find_table(tables, size, loader, loader_size, signature, &table);
	uint8_t *list_command = find_table(tables, size, loader, loader_size, "RSDT", &list);

	if (!command || !list_command)
		return;
	drop_pointer(tables, loader, loader_size, list_command, &list, table.checksum.start);
	memset(tables + table.checksum.start, 0, table.checksum.length);
	make_nothing(command);
}

/* One byte, or, where that is all ones, two bytes elsewhere (DSP0134, 7.5). */
static void set_count(uint8_t *processor, uint8_t length, unsigned int at, unsigned int wide,
		      unsigned int cpu_count)
{
	if (length > at)
		processor[at] = (uint8_t)cpu_count;
	if (length >= wide + 2) {
		processor[wide] = (uint8_t)cpu_count;
		processor[wide + 1] = 0;
	}
}

/* From a structure's start to the next one: its strings end with two zeros. */
static size_t structure_size(const uint8_t *at, size_t left)
{
	size_t size = at[1];

	while (size + 2 <= left && (at[size] || at[size + 1]))
		size++;
	return size + 2;
}

void fw_cfg_patch_smbios(uint8_t *tables, size_t size, unsigned int cpu_count)
{
	size_t at = 0;

	while (at + 4 <= size && tables[at] != SMBIOS_END) {
		uint8_t *s = tables + at;
		uint8_t length = s[1];

		if (length < 4 || length > size - at)
			return;
		if (s[0] == SMBIOS_PROCESSOR) {
			set_count(s, length, 0x23, 0x2a, cpu_count); /* cores */
			set_count(s, length, 0x24, 0x2c, cpu_count); /* enabled ones */
			set_count(s, length, 0x25, 0x2e, cpu_count); /* threads */
		}
		at += structure_size(s, size - at);
	}
}
