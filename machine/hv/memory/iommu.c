/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/iommu.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/guest.h"

#define REGISTERS 0xfed80000ull /* where QEMU has them */
#define REG_DEVICE_TABLE 0x0000u
#define REG_COMMAND_BASE 0x0008u
#define REG_CONTROL 0x0018u
#define REG_COMMAND_HEAD 0x2000u
#define REG_COMMAND_TAIL 0x2008u

#define CONTROL_ENABLE (1ull << 0)
#define CONTROL_COMMANDS (1ull << 12)
#define LENGTH_SHIFT 56 /* of a ring: the power of two of entries */

#define DEVICES \
	65536u /* each bus, device and function: one without an entry would not be translated */
#define DTE_VALID (1ull << 0)
#define DTE_TRANSLATION_VALID (1ull << 1)
#define DTE_INTERRUPT_VALID (1ull << 0) /* in the third quarter, as what follows */
#define DTE_INTERRUPT_LENGTH_SHIFT 1
#define DTE_INTERRUPT_REMAP (2ull << 60)

#define PTE_PRESENT (1ull << 0)
#define PTE_LEVEL_SHIFT 9
#define PTE_READ (1ull << 61)
#define PTE_WRITE (1ull << 62)
#define PTE_TABLE (PTE_PRESENT | PTE_READ | PTE_WRITE)
#define PTE_ADDRESS 0xffffffffff000ull
/*
 * Not present, and yet not 0: QEMU ends a walk at a 0 without a word. With a next level it goes on, and
 * reports a fault.
 */
#define PTE_MISSING (1ull << PTE_LEVEL_SHIFT)
#define PTE_ENTRIES 512u
#define LEVELS \
	6u /* all 64 bits of an address: with fewer, QEMU 7.2 leaves the rest out of account */

#define COMMAND_INVALIDATE_PAGES (3ull << 60)
#define COMMAND_DOMAIN_SHIFT 32
#define INVALIDATE_ALL (0x7ffffffffffff000ull | 3) /* all sizes, directories as well */
#define COMMANDS_LOG 8u

#define IRTE_VALID (1u << 0)
#define IRTE_DESTINATION_SHIFT 8
#define IRTE_VECTOR_SHIFT 16
#define INTERRUPTS_LOG 11u

#define DOMAIN 1u /* all devices are the guest's, so they have one */

_Static_assert(IOMMU_INTERRUPTS == 1u << INTERRUPTS_LOG,
	       "the table's length is what its entry says");

struct device_entry {
	uint64_t quarter[4];
};
ABI_SIZE(struct device_entry, 32);

struct command {
	uint64_t half[2];
};
ABI_SIZE(struct command, 16);

static uint64_t *root; /* NULL: there is no IOMMU */
static struct command *commands;
static uint32_t *interrupts;

static void write_register(unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(REGISTERS + reg) = value;
}

bool iommu_exists(void)
{
	return root != NULL;
}

static uint64_t *make_table(void)
{
	uint64_t *table = page_take(1);

	for (unsigned int i = 0; i < PTE_ENTRIES; i++)
		table[i] = PTE_MISSING;
	return table;
}

/* The same entry for all: also for the IOAPIC, and for messages of devices that QEMU does not name. */
static struct device_entry *make_device_table(void)
{
	struct device_entry *table = page_take(page_count(DEVICES * sizeof(*table)));

	for (unsigned int i = 0; i < DEVICES; i++)
		table[i] = (struct device_entry){
			{ (uint64_t)root | DTE_VALID | DTE_TRANSLATION_VALID |
				  (uint64_t)LEVELS << PTE_LEVEL_SHIFT | PTE_READ | PTE_WRITE,
			  DOMAIN,
			  (uint64_t)interrupts | DTE_INTERRUPT_VALID | DTE_INTERRUPT_REMAP |
				  INTERRUPTS_LOG << DTE_INTERRUPT_LENGTH_SHIFT,
			  0 }
		};
	return table;
}

void iommu_init(void)
{
	struct device_entry *devices;

	if (!hv_mailbox()->devices)
		return;
	root = make_table();
	interrupts = page_take(page_count(IOMMU_INTERRUPTS * sizeof(*interrupts)));
	commands = page_take(page_count(sizeof(*commands) << COMMANDS_LOG));
	devices = make_device_table();
	write_register(REG_DEVICE_TABLE,
		       (uint64_t)devices | (page_count(DEVICES * sizeof(*devices)) - 1));
	write_register(REG_COMMAND_BASE,
		       (uint64_t)commands | (uint64_t)COMMANDS_LOG << LENGTH_SHIFT);
	write_register(REG_COMMAND_HEAD, 0);
	write_register(REG_COMMAND_TAIL, 0);
	write_register(REG_CONTROL, CONTROL_ENABLE | CONTROL_COMMANDS);
}

/* QEMU carries a command out within the write that announces it. */
static void invalidate(void)
{
	static unsigned int tail;

	commands[tail] = (struct command){ { COMMAND_INVALIDATE_PAGES |
						     (uint64_t)DOMAIN << COMMAND_DOMAIN_SHIFT,
					     INVALIDATE_ALL } };
	tail = (tail + 1) % (1u << COMMANDS_LOG);
	write_register(REG_COMMAND_TAIL, tail * sizeof(*commands));
}

/* The entry for a page; NULL where its table is not there, unless it is to be made. */
static volatile uint64_t *find_entry(uint64_t page, bool make)
{
	uint64_t *table = root;

	for (unsigned int level = LEVELS; level > 1; level--) {
		uint64_t *entry = &table[page >> 9 * (level - 1) & (PTE_ENTRIES - 1)];

		if (*entry == PTE_MISSING && !make)
			return NULL;
		if (*entry == PTE_MISSING)
			*(volatile uint64_t *)entry = (uint64_t)make_table() | PTE_TABLE |
						      (uint64_t)(level - 1) << PTE_LEVEL_SHIFT;
		table = (uint64_t *)(*entry & PTE_ADDRESS);
	}
	return &table[page & (PTE_ENTRIES - 1)];
}

void iommu_map(uint64_t page, uint64_t count)
{
	if (!iommu_exists())
		return;
	for (uint64_t i = page; i < page + count; i++)
		*find_entry(i, true) = guest_frame(i) | PTE_TABLE;
}

void iommu_unmap(uint64_t page, uint64_t count)
{
	bool lost = false;

	if (!iommu_exists())
		return;
	for (uint64_t i = page; i < page + count; i++) {
		volatile uint64_t *entry = find_entry(i, false);

		if (!entry || *entry == PTE_MISSING)
			continue;
		*entry = PTE_MISSING;
		lost = true;
	}
	if (lost)
		invalidate();
}

void iommu_set_interrupt(unsigned int index, uint8_t vector, uint32_t apic_id)
{
	((volatile uint32_t *)interrupts)[index] = IRTE_VALID | apic_id << IRTE_DESTINATION_SHIFT |
						   (uint32_t)vector << IRTE_VECTOR_SHIFT;
}

void iommu_clear_interrupt(unsigned int index)
{
	((volatile uint32_t *)interrupts)[index] = 0;
}
