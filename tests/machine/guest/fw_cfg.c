/* SPDX-License-Identifier: MIT */
/*
 * What fw_cfg, CMOS, ACPI's tables and the registers behind them say of a machine of two vCPUs and
 * 64 MiB, and how far its DMA reaches: shared RAM of the guest, and nothing else. fw_cfg: QEMU,
 * docs/specs/fw_cfg.rst; the registers: acpi_cpu_hotplug.rst and acpi_mem_hotplug.rst there; CMOS
 * 0x5f: SeaBIOS and OVMF read the number of processors less one there; MADT: ACPI 6.5, 5.2.12.
 */
#include <string.h>

#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define SELECTOR 0x510u
#define DATA 0x511u
#define DMA 0x514u
#define ERROR 1u
#define READ 2u
#define SKIP 4u
#define SELECT 8u
#define WRITE 16u

#define RAM_END (64ull << 20)
#define PRIVATE_PAGE TEST_PAGE
#define ORDER (TEST_PAGE + 0x1000) /* of DMA */
#define DIRECTORY (TEST_PAGE + 0x10000)
#define TABLES (TEST_PAGE + 0x40000)
#define TABLES_SIZE 0x40000u
#define NO_ANSWER 0x12345678u

struct order {
	uint32_t control, length;
	uint64_t address;
};

static volatile struct order *order;

/* The answer's flags, or what stands there without one. */
static uint32_t dma_at(uint64_t at)
{
	port_write(DMA, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	port_write(DMA + 4, 4, __builtin_bswap32((uint32_t)at));
	return __builtin_bswap32(order->control);
}

static uint32_t dma(uint32_t control, uint64_t address, uint32_t length)
{
	order->control = __builtin_bswap32(control);
	order->length = __builtin_bswap32(length);
	order->address = __builtin_bswap64(address);
	return dma_at(ORDER);
}

static uint32_t read_item(uint16_t key, uint64_t address, uint32_t length)
{
	return dma((uint32_t)key << 16 | SELECT | READ, address, length);
}

static uint64_t byte_item(uint16_t key, unsigned int bytes)
{
	uint64_t value = 0;

	port_write(SELECTOR, 2, key);
	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)port_read(DATA, 1) << 8 * i;
	return value;
}

static void interface(void)
{
	check("the interface for DMA says QEMU CFG", port_read(DMA, 4), 0x554d4551);
	check("  all of it", port_read(DMA + 4, 4), 0x47464320);
	check("item 0 says QEMU", byte_item(0, 4), 0x554d4551);
	check("  and 0 behind that", port_read(DATA, 1), 0);
	check("  and again by DMA", read_item(0, DIRECTORY, 8), 0);
	check("    with 0 behind that", *(volatile uint64_t *)shared_view(DIRECTORY), 0x554d4551);
	check("the feature of DMA is there", byte_item(1, 4) & 2, 2);
}

static void processors(void)
{
	check("two processors", byte_item(5, 2), 2);
	check("  and at most two", byte_item(0xf, 2), 2);
	port_write(0x70, 1, 0x5f);
	check("CMOS says one more than one", port_read(0x71, 1), 1);
	port_write(0x70, 1, 0xdf);
	check("  also with NMIs off", port_read(0x71, 1), 1);
	for (unsigned int i = 0; i < 4; i++) {
		port_write(0xcd8, 4, i);
		check("ACPI's register says which processors are there", port_read(0xcdc, 1),
		      i < 2);
	}
	port_write(0xcd8, 4, 0xffffffff);
	check("  none of the highest number", port_read(0xcdc, 1), 0);
	port_write(0xa00, 4, 0);
	check("ACPI's register says that no memory is plugged in", port_read(0xa14, 1), 0);
}

/* A file's key and size; 0 when it is not listed. */
static uint16_t find(const char *name, uint32_t *size)
{
	volatile uint8_t *directory = shared_view(DIRECTORY);
	uint32_t count = __builtin_bswap32(*(volatile uint32_t *)directory);

	for (uint32_t i = 0; i < count; i++) {
		volatile uint8_t *at = directory + 4 + 64ul * i;

		if (strcmp((const char *)at + 8, name) != 0)
			continue;
		*size = __builtin_bswap32(*(volatile uint32_t *)at);
		return __builtin_bswap16(*(volatile uint16_t *)(at + 4));
	}
	return 0;
}

static void memory(void)
{
	volatile uint32_t *e820 = shared_view(TABLES); /* base, length, type: 64, 64 and 32 bits */
	uint64_t ram = 0, others = 0;
	uint32_t size = 0;
	uint16_t key;

	check("the directory can be read", read_item(0x19, DIRECTORY, 0x10000), 0);
	check("it does not list memory beside the guest's", find("etc/reserved-memory-end", &size),
	      0);
	key = find("etc/e820", &size);
	check("etc/e820 can be read", read_item(key, TABLES, size), 0);
	for (uint32_t at = 0; at < size / 4; at += 5) {
		if (e820[at + 4] == 1 && e820[at] == 0 && e820[at + 1] == 0)
			ram = e820[at + 2] | (uint64_t)e820[at + 3] << 32;
		else
			others += e820[at + 4] == 1;
	}
	check("  RAM begins at 0 and is all that there is", ram, RAM_END);
	check("    in one piece", others, 0);
}

/* How many processors a table has: entries of type 0. */
static unsigned int local_apics(volatile uint8_t *madt)
{
	uint32_t length = *(volatile uint32_t *)(madt + 4);
	unsigned int count = 0;

	for (uint32_t at = 44; at < length && madt[at + 1] >= 2; at += madt[at + 1])
		count += madt[at] == 0;
	return count;
}

static void tables(void)
{
	volatile uint8_t *bytes = shared_view(TABLES);
	uint32_t size = 0, length = 0, checksums = 0;
	uint16_t key = find("etc/acpi/tables", &size);
	uint32_t madt = 0;

	check("ACPI's tables can be read", read_item(key, TABLES, TABLES_SIZE), 0);
	while (madt + 44 < TABLES_SIZE && memcmp((const char *)bytes + madt, "APIC", 4) != 0)
		madt++;
	check("the MADT has two processors", local_apics(bytes + madt), 2);
	length = *(volatile uint32_t *)(bytes + madt + 4);
	key = find("etc/table-loader", &size);
	check("the loader's commands can be read", read_item(key, TABLES, TABLES_SIZE), 0);
	for (uint32_t at = 0; at < size; at += 128) {
		volatile uint32_t *c = (volatile uint32_t *)(bytes + at);

		/* Command 3: a checksum over so many bytes from the start. */
		if (c[0] == 3 && c[16] == madt)
			checksums += c[17] == length;
	}
	check("  one of which is for the checksum of that, over its length", checksums, 1);
}

static void refused(void)
{
	volatile uint64_t *page = private_view(PRIVATE_PAGE);
	volatile uint64_t *before = shared_view(PRIVATE_PAGE - 8);

	(void)page_make_private(PRIVATE_PAGE);
	check("a page of its own", pvalidate(PRIVATE_PAGE, 0, 1).eax, 0);
	*page = 7;
	check("DMA to a private page is refused", read_item(0, PRIVATE_PAGE, 8), ERROR);
	check("  and it keeps its bytes", *page, 7);
	*before = 9;
	check("DMA that ends in one is refused", read_item(0, PRIVATE_PAGE - 8, 16), ERROR);
	check("  what was before it is done", *before, 0x554d4551);
	check("  and it keeps its bytes", *page, 7);
	check("DMA past the end of RAM is refused", read_item(0, RAM_END - 4, 8), ERROR);
	check("DMA to a hole is refused", read_item(0, 0x80000000, 8), ERROR);
	check("  to the PC's hole", read_item(0, 0xa0000, 8), ERROR);
	check("  to the local APIC", read_item(0, 0xfee00000, 8), ERROR);
	check("  to where a flash could be", read_item(0, 0xfffff000, 8), ERROR);
	check("  to the hypervisor", read_item(0, 0x2000000000, 8), ERROR);
	check("  to the last bytes that there could be", read_item(0, ~0ull - 3, 8), ERROR);
	check("DMA of nothing is done", read_item(0, PRIVATE_PAGE, 0), 0);
	check("a write is refused", dma(SELECT | WRITE, DIRECTORY, 4), ERROR);
	check("skipping past the end is done", dma(SELECT | SKIP, 0, 0xffffffff), 0);
	order->control = NO_ANSWER;
	(void)dma_at(PRIVATE_PAGE);
	check("an order in a private page is none", *page, 7);
	(void)dma_at(PRIVATE_PAGE - 8);
	check("  nor is one that ends there", *page, 7);
	(void)dma_at(0x2000000000);
	check("  nor one where the hypervisor is", order->control, NO_ANSWER);
	check("afterwards it works as before", byte_item(0, 4), 0x554d4551);
}

void test_main(void)
{
	order = (volatile struct order *)shared_view(ORDER);
	interface();
	processors();
	memory();
	tables();
	refused();
}
