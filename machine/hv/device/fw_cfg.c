/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/fw_cfg.h"

#include <string.h>

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/fw_cfg_tables.h"
#include "machine/hv/memory/guest.h"

/* Items without a name. */
#define KEY_NUMA 0x0du
#define KEY_CPU_COUNT 0x05u
#define KEY_CPU_COUNT_MAX 0x0fu
#define KEY_DIRECTORY 0x19u
#define KEY_KERNEL_SIZE 0x08u
#define KEY_INITRD_SIZE 0x0bu
#define KEY_KERNEL_DATA 0x11u
#define KEY_INITRD_DATA 0x12u
#define KEY_APPEND_SIZE 0x14u
#define KEY_APPEND_DATA 0x15u
#define KEY_SETUP_SIZE 0x17u
#define KEY_SETUP_DATA 0x18u

#define DMA_ERROR (1u << 0)
#define DMA_READ (1u << 1)
#define DMA_SKIP (1u << 2)
#define DMA_SELECT (1u << 3)
#define DMA_WRITE (1u << 4)

#define DIRECTORY_SIZE (64u << 10)
#define TABLES_SIZE (512u << 10)

/* What is asked for by DMA; all fields are big-endian. */
struct dma_access {
	uint32_t control; /* a key in 31:16 */
	uint32_t length;
	uint64_t address;
};
ABI_SIZE(struct dma_access, 16);

/*
 * What is selected: size bytes of ours, or, where there are none, QEMU's item, which is its
 * selected one.
 */
struct item {
	const uint8_t *bytes;
	uint32_t size;
	uint32_t offset;
	uint32_t left; /* of QEMU's, as far as the guest may read */
};

static struct item selected;
static uint32_t number; /* an item that is one */
static uint32_t dma_high;

/* Bytes of items that are changed, read from QEMU when the guest first asks for them. */
static uint8_t *directory, *shown_directory, *tables, *loader, *smbios;
static struct fw_cfg_file tables_file, loader_file, smbios_file;

static void qemu_select(uint16_t key)
{
	port_out(FW_CFG_PORT_SELECTOR, 2, key);
}

/* QEMU's own DMA, which reaches all memory: of its selected item, to an address of ours. */
static void qemu_dma(uint32_t control, uint64_t address, uint32_t length)
{
	static volatile struct dma_access access;
	uint64_t at = (uint64_t)&access;

	access.control = __builtin_bswap32(control);
	access.length = __builtin_bswap32(length);
	access.address = __builtin_bswap64(address);
	port_out(FW_CFG_PORT_DMA, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	port_out(FW_CFG_PORT_DMA + 4, 4, __builtin_bswap32((uint32_t)at));
	while (__builtin_bswap32(access.control) & ~DMA_ERROR)
		x86_pause();
}

static void qemu_read(uint16_t key, void *to, uint32_t size)
{
	qemu_select(key);
	qemu_dma(DMA_READ, (uint64_t)to, size);
}

/* QEMU's directory, with all files that it has, and what the guest sees of it. */
static void read_directory(void)
{
	if (directory)
		return;
	directory = page_take(page_count(DIRECTORY_SIZE));
	shown_directory = page_take(page_count(DIRECTORY_SIZE));
	qemu_read(KEY_DIRECTORY, directory, DIRECTORY_SIZE);
	memcpy(shown_directory, directory, DIRECTORY_SIZE);
	fw_cfg_hide(shown_directory, DIRECTORY_SIZE, MACHINE_FW_CFG_OWN);
	/* Where QEMU's machine could have more memory: behind the hypervisor's. */
	fw_cfg_hide(shown_directory, DIRECTORY_SIZE, "etc/reserved-memory-end");
}

/* A file of QEMU's; false when it is not there. */
static bool find(const char *name, struct fw_cfg_file *file)
{
	read_directory();
	return fw_cfg_find(directory, DIRECTORY_SIZE, name, file);
}

/* One that is changed, in new pages; NULL when it is not there, or too big to be one. */
static uint8_t *read_file(const char *name, struct fw_cfg_file *file)
{
	uint8_t *bytes;

	if (!find(name, file) || file->size > TABLES_SIZE)
		return NULL;
	bytes = page_take(page_count(file->size));
	qemu_read(file->key, bytes, file->size);
	return bytes;
}

/*
 * ACPI's tables are made by QEMU when one of their files is first selected, as the devices then
 * are; so are these.
 */
static void read_tables(void)
{
	if (tables && loader)
		return;
	tables = read_file("etc/acpi/tables", &tables_file);
	loader = read_file("etc/table-loader", &loader_file);
	if (tables && loader)
		fw_cfg_patch_acpi(tables, tables_file.size, loader, loader_file.size, cpu_count());
	/* The hypervisor's IOMMU. */
	if (tables && loader)
		fw_cfg_drop_acpi(tables, tables_file.size, loader, loader_file.size, "IVRS");
}

static void read_smbios(void)
{
	if (smbios)
		return;
	smbios = read_file("etc/smbios/smbios-tables", &smbios_file);
	if (smbios)
		fw_cfg_patch_smbios(smbios, smbios_file.size, cpu_count());
}

static void select_bytes(const void *bytes, uint32_t size)
{
	selected = (struct item){ .bytes = bytes, .size = size };
}

static void select_number(uint32_t value, uint32_t size)
{
	number = value;
	select_bytes(&number, size);
}

static void select_qemu(uint16_t key)
{
	selected = (struct item){ .left = UINT32_MAX };
	qemu_select(key);
}

/* A part of a file of the host process: skip bytes of it less, and no more than size. */
static void select_part(const char *name, uint32_t skip, uint32_t size)
{
	struct fw_cfg_file file;

	if (!find(name, &file) || skip >= file.size) {
		select_bytes(NULL, 0);
		return;
	}
	select_qemu(file.key);
	qemu_dma(DMA_SKIP, 0, skip);
	selected.left = file.size - skip < size ? file.size - skip : size;
}

static uint32_t file_size(const char *name)
{
	struct fw_cfg_file file;

	return find(name, &file) ? file.size : 0;
}

/* The kernel is one file: its first part, and what is behind that. */
static uint32_t setup_size(void)
{
	uint32_t size = file_size(MACHINE_FW_CFG_KERNEL);

	return size < hv_mailbox()->kernel_setup_size ? size : hv_mailbox()->kernel_setup_size;
}

static bool select_own_file(uint16_t key)
{
	struct fw_cfg_file file;

	if (find("etc/smbios/smbios-tables", &file) && file.key == key) {
		read_smbios();
		select_bytes(smbios, smbios ? smbios_file.size : 0);
		return true;
	}
	if (find("etc/acpi/tables", &file) && file.key == key) {
		read_tables();
		select_bytes(tables, tables ? tables_file.size : 0);
		return true;
	}
	if (find("etc/table-loader", &file) && file.key == key) {
		read_tables();
		select_bytes(loader, loader ? loader_file.size : 0);
		return true;
	}
	return false;
}

static void select_item(uint16_t key)
{
	switch (key) {
	case KEY_CPU_COUNT:
	case KEY_CPU_COUNT_MAX:
		select_number(cpu_count(), sizeof(uint16_t));
		return;
	case KEY_NUMA: /* no nodes */
		select_bytes(NULL, 0);
		return;
	case KEY_DIRECTORY:
		read_directory();
		select_bytes(shown_directory, DIRECTORY_SIZE);
		return;
	case KEY_KERNEL_SIZE:
		select_number(file_size(MACHINE_FW_CFG_KERNEL) - setup_size(), sizeof(number));
		return;
	case KEY_KERNEL_DATA:
		select_part(MACHINE_FW_CFG_KERNEL, setup_size(), UINT32_MAX);
		return;
	case KEY_SETUP_SIZE:
		select_number(setup_size(), sizeof(number));
		return;
	case KEY_SETUP_DATA:
		select_part(MACHINE_FW_CFG_KERNEL, 0, setup_size());
		return;
	case KEY_INITRD_SIZE:
		select_number(file_size(MACHINE_FW_CFG_INITRD), sizeof(number));
		return;
	case KEY_INITRD_DATA:
		select_part(MACHINE_FW_CFG_INITRD, 0, UINT32_MAX);
		return;
	case KEY_APPEND_SIZE:
		select_number(file_size(MACHINE_FW_CFG_APPEND), sizeof(number));
		return;
	case KEY_APPEND_DATA:
		select_part(MACHINE_FW_CFG_APPEND, 0, UINT32_MAX);
		return;
	default:
		if (!select_own_file(key))
			select_qemu(key);
	}
}

/* The next size bytes of the selected item, to memory of ours; zeros behind its end. */
static void take(uint8_t *to, uint32_t size)
{
	struct item *i = &selected;
	uint32_t there = i->bytes || !i->left ? i->size - i->offset : i->left;

	if (there > size)
		there = size;
	if (i->bytes)
		memcpy(to, i->bytes + i->offset, there);
	else if (there)
		qemu_dma(DMA_READ, (uint64_t)to, there);
	memset(to + there, 0, size - there);
	if (i->bytes)
		i->offset += there;
	else if (i->left != UINT32_MAX)
		i->left -= there;
}

static void skip(uint32_t size)
{
	struct item *i = &selected;

	if (i->bytes) {
		i->offset += i->size - i->offset < size ? i->size - i->offset : size;
		return;
	}
	if (size > i->left)
		size = i->left;
	if (size)
		qemu_dma(DMA_SKIP, 0, size);
	if (i->left != UINT32_MAX)
		i->left -= size;
}

uint32_t fw_cfg_read(const struct port_access *a)
{
	uint32_t value = 0;

	if (a->port == FW_CFG_PORT_DATA && a->size == 1)
		take((uint8_t *)&value, 1);
	return value;
}

bool fw_cfg_write(struct port_access *a)
{
	if (a->port == FW_CFG_PORT_SELECTOR && a->size == 2)
		select_item((uint16_t)a->value);
	return false;
}

/* "QEMU CFG", big-endian: the interface is there. */
uint32_t fw_cfg_dma_read(const struct port_access *a)
{
	static const char signature[] = "QEMU CFG";
	uint32_t value = 0;

	memcpy(&value, signature + (a->port - FW_CFG_PORT_DMA), a->size);
	return value;
}

/*
 * To shared pages of the guest alone, each looked at when its turn has come. False: one of them is
 * none, and what was before it is written.
 */
static bool read_to_guest(uint64_t gpa, uint32_t length)
{
	while (length > 0) {
		uint32_t part = ABI_PAGE_SIZE - (uint32_t)(gpa % ABI_PAGE_SIZE);
		uint8_t *to;

		if (part > length)
			part = length;
		to = guest_ptr(gpa, part, GUEST_SHARED);
		if (!to)
			return false;
		take(to, part);
		gpa += part;
		length -= part;
	}
	return true;
}

/* False: DMA_ERROR. */
static bool dma(const struct dma_access *access)
{
	uint32_t control = __builtin_bswap32(access->control);
	uint32_t length = __builtin_bswap32(access->length);

	if (control & DMA_SELECT)
		select_item((uint16_t)(control >> 16));
	if (control & DMA_READ)
		return read_to_guest(__builtin_bswap64(access->address), length);
	if (control & DMA_WRITE)
		return false;
	if (control & DMA_SKIP)
		skip(length);
	return true;
}

/* What the guest asks for is copied once; the answer is its first field. */
static void start_dma(uint64_t gpa)
{
	struct dma_access access;
	uint32_t control = 0;

	if (!guest_read_shared(gpa, &access, sizeof(access)))
		return;
	if (!dma(&access))
		control = __builtin_bswap32(DMA_ERROR);
	guest_write_shared(gpa, &control, sizeof(control));
}

bool fw_cfg_dma_write(struct port_access *a)
{
	if (a->size != 4)
		return false;
	if (a->port == FW_CFG_PORT_DMA) {
		dma_high = __builtin_bswap32(a->value);
	} else if (a->port == FW_CFG_PORT_DMA + 4) {
		start_dma((uint64_t)dma_high << 32 | __builtin_bswap32(a->value));
		dma_high = 0;
	}
	return false;
}
