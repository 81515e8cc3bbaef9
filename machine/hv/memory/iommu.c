/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/iommu.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/guest.h"

#define REGISTERS 0xfed80000ull /* where QEMU has them */
#define REG_DEVICE_TABLE 0x0000u
#define REG_COMMAND_BASE 0x0008u
#define REG_EVENT_BASE 0x0010u
#define REG_CONTROL 0x0018u
#define REG_COMMAND_HEAD 0x2000u
#define REG_COMMAND_TAIL 0x2008u
#define REG_EVENT_HEAD 0x2010u
#define REG_EVENT_TAIL 0x2018u

#define CONTROL (1ull << 0 | 1ull << 2 | 1ull << 12) /* it is on, and so are events and commands */
#define LENGTH_SHIFT 56				     /* of a ring: the power of two of entries */

#define FUNCTIONS \
	65536u /* each bus, device and function: one without an entry would not be translated */
#define FUNCTIONS_OF_BUS 256u
#define NO_FUNCTION 0xffu
#define DTE_VALID (1ull << 0)
#define DTE_TRANSLATION_VALID (1ull << 1)
#define DTE_INTERRUPT_VALID (1ull << 0) /* in the third quarter, as what follows */
#define DTE_INTERRUPT_LENGTH_SHIFT 1
#define DTE_INTERRUPT_REMAP (2ull << 60)

#define PTE_PRESENT (1ull << 0)
#define PTE_LEVEL_SHIFT 9
#define PTE_READ (1ull << 61)
#define PTE_WRITE (1ull << 62)
#define PTE_ADDRESS 0xffffffffff000ull
#define PTE_GOES_ON (PTE_PRESENT | PTE_READ | PTE_WRITE)
#define PTE_ENTRIES 512u
#define LEVELS \
	6u /* all 64 bits of an address: with fewer, QEMU 7.2 leaves the rest out of account */
#define LEVEL2_GIB_SHIFT 18 /* pages of a table of the second level: 1 GiB */

#define COMMAND_UNKNOWN (15ull << 60)
#define COMMAND_INVALIDATE_DEVICE (2ull << 60)
#define COMMAND_INVALIDATE_PAGES (3ull << 60)
#define COMMAND_DOMAIN_SHIFT 32
#define INVALIDATE_ALL (0x7ffffffffffff000ull | 3) /* all sizes, directories as well */
#define COMMANDS_LOG 8u
#define EVENTS_LOG 9u
#define EVENT_TYPE_SHIFT 60
#define EVENT_PAGE_FAULT 2u
#define EVENTS_LOGGED 64u /* the log is not the guest's to fill */

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

struct event {
	uint64_t half[2];
};
ABI_SIZE(struct event, 16);

/*
 * Tables of one device. Those of the second level follow each other, one for each GiB of a guest's
 * addresses.
 */
struct device {
	unsigned int function; /* as its requests name it */
	uint64_t *root, *level2;
};

static struct device devices[IOMMU_DEVICES_MAX];
static unsigned int device_count;
static uint64_t *nobody; /* the root for all others; NULL: there is no IOMMU */
static volatile struct command *commands;
static volatile struct event *events;
static uint32_t *interrupts;
static bool reports_faults; /* in the event log, as it has to */

/* What was written to its rings and tables is there before it is told of it. */
static void write_register(unsigned int reg, uint64_t value)
{
	__asm__ volatile("" : : : "memory");
	*(volatile uint64_t *)(REGISTERS + reg) = value;
}

bool iommu_exists(void)
{
	return nobody != NULL;
}

static uint64_t read_register(unsigned int reg)
{
	return *(volatile uint64_t *)(REGISTERS + reg);
}

/*
 * QEMU carries a command out within the write that announces it. An IOMMU that does not is none to
 * rely on: devices would go on by translations that they no longer have.
 */
static void command(uint64_t low, uint64_t high)
{
	static unsigned int tail;

	commands[tail].half[0] = low;
	commands[tail].half[1] = high;
	tail = (tail + 1) % (1u << COMMANDS_LOG);
	write_register(REG_COMMAND_TAIL, tail * sizeof(*commands));
	/* QEMU's head shows the end of the ring before it shows its beginning again. */
	if (read_register(REG_COMMAND_HEAD) % (sizeof(*commands) << COMMANDS_LOG) !=
	    tail * sizeof(*commands))
		hv_panic("the IOMMU does not take its commands");
}

/*
 * An entry of the table of that level for what is not to be reached. A QEMU that reports no faults,
 * as 7.2 and 10.0, still traces a table that it cannot read: so a device is sent on to a table
 * where no memory is, at an address that says which device wanted what (machine/host/dma_fault.h).
 * Otherwise it is just not present, but has a next level: at a 0 QEMU may end a walk without a
 * word.
 */
static uint64_t missing(unsigned int function, unsigned int level, uint64_t index)
{
	if (reports_faults)
		return 1ull << PTE_LEVEL_SHIFT;
	return MACHINE_NO_PAGE_TABLE | (uint64_t)function << MACHINE_NO_PAGE_FUNCTION_SHIFT |
	       (uint64_t)level << MACHINE_NO_PAGE_LEVEL_SHIFT |
	       (index & MACHINE_NO_PAGE_INDEX_MASK) << ABI_PAGE_SHIFT |
	       (uint64_t)(level > 1 ? level - 1 : 1) << PTE_LEVEL_SHIFT | PTE_GOES_ON;
}

static bool is_missing(uint64_t entry)
{
	return !(entry & PTE_PRESENT) || (entry & MACHINE_NO_PAGE_TABLE);
}

/* The entry of a table for the next lower one, of that level. */
static uint64_t link_to(const uint64_t *table, unsigned int level)
{
	return (uint64_t)table | (uint64_t)level << PTE_LEVEL_SHIFT | PTE_GOES_ON;
}

/*
 * count tables of a level, where nothing is to be reached, for what begins at first, counted in
 * entries.
 */
static uint64_t *make_tables(unsigned int function, unsigned int level, uint64_t first,
			     uint64_t count)
{
	uint64_t *table = page_take(count);

	for (uint64_t i = 0; i < count * PTE_ENTRIES; i++)
		table[i] = missing(function, level, first + i);
	return table;
}

/* Tables with nothing to reach; *level2 becomes those of the second level. */
static uint64_t *make_root(unsigned int function, uint64_t **level2)
{
	uint64_t gibs = (guest_rmp_table()->count >> LEVEL2_GIB_SHIFT) + 1;
	uint64_t *table = make_tables(function, 3, 0, 1);

	*level2 = make_tables(function, 2, 0, gibs);
	for (uint64_t i = 0; i < gibs; i++)
		table[i] = link_to(*level2 + i * PTE_ENTRIES, 2);
	for (unsigned int level = 4; level <= LEVELS; level++) {
		uint64_t *upper = make_tables(function, level, 0, 1);

		upper[0] = link_to(table, level - 1);
		table = upper;
	}
	return table;
}

static struct device_entry entry_for(const uint64_t *root)
{
	return (struct device_entry){ {
		link_to(root, LEVELS) | DTE_VALID | DTE_TRANSLATION_VALID,
		DOMAIN,
		(uint64_t)interrupts | DTE_INTERRUPT_VALID | DTE_INTERRUPT_REMAP |
			INTERRUPTS_LOG << DTE_INTERRUPT_LENGTH_SHIFT,
		0,
	} };
}

void iommu_add_device(unsigned int function)
{
	if (!hv_mailbox()->devices)
		return;
	if (device_count == IOMMU_DEVICES_MAX)
		hv_panic("more than %u devices", IOMMU_DEVICES_MAX);
	devices[device_count++].function = function;
}

/*
 * One entry for all that are not there: also for the IOAPIC, and for messages of devices that QEMU
 * does not name.
 */
static struct device_entry *make_device_table(void)
{
	struct device_entry *table = page_take(page_count(FUNCTIONS * sizeof(*table)));

	for (unsigned int i = 0; i < FUNCTIONS; i++)
		table[i] = entry_for(nobody);
	for (unsigned int i = 0; i < device_count; i++)
		table[devices[i].function] = entry_for(devices[i].root);
	return table;
}

/*
 * With nothing to translate by yet: commands and log. An unknown command shows whether events are
 * logged.
 */
static void start_rings(void)
{
	events = page_take(page_count(sizeof(*events) << EVENTS_LOG));
	commands = page_take(page_count(sizeof(*commands) << COMMANDS_LOG));
	write_register(REG_COMMAND_BASE,
		       (uint64_t)commands | (uint64_t)COMMANDS_LOG << LENGTH_SHIFT);
	write_register(REG_EVENT_BASE, (uint64_t)events | (uint64_t)EVENTS_LOG << LENGTH_SHIFT);
	write_register(REG_COMMAND_HEAD, 0);
	write_register(REG_COMMAND_TAIL, 0);
	write_register(REG_CONTROL, CONTROL);
	command(COMMAND_UNKNOWN, 0);
	reports_faults = events[0].half[0] != 0;
}

void iommu_init(void)
{
	struct mailbox *m = hv_mailbox();
	struct device_entry *table;
	uint64_t *level2;

	if (!m->devices)
		return;
	interrupts = page_take(page_count(IOMMU_INTERRUPTS * sizeof(*interrupts)));
	start_rings();
	nobody = make_root(NO_FUNCTION, &level2);
	for (unsigned int i = 0; i < device_count; i++)
		devices[i].root = make_root(devices[i].function, &devices[i].level2);
	table = make_device_table();
	write_register(REG_DEVICE_TABLE,
		       (uint64_t)table | (page_count(FUNCTIONS * sizeof(*table)) - 1));
	/* QEMU 11 translates for a device when it has been told of its entry, and not before. */
	for (unsigned int i = 0; i < FUNCTIONS_OF_BUS; i++)
		command(COMMAND_INVALIDATE_DEVICE | i, 0);
}

/* The entry for a page; NULL where its table is not there, unless it is to be made. */
static volatile uint64_t *find_entry(const struct device *d, uint64_t page, bool make)
{
	uint64_t table = page / PTE_ENTRIES;
	volatile uint64_t *entry = &d->level2[table];

	if (is_missing(*entry) && !make)
		return NULL;
	if (is_missing(*entry))
		*entry = link_to(make_tables(d->function, 1, table * PTE_ENTRIES, 1), 1);
	return (uint64_t *)(*entry & PTE_ADDRESS) + page % PTE_ENTRIES;
}

void iommu_map(uint64_t page, uint64_t count)
{
	for (unsigned int n = 0; n < device_count; n++)
		for (uint64_t i = page; i < page + count; i++)
			*find_entry(&devices[n], i, true) = guest_frame(i) | PTE_GOES_ON;
}

void iommu_unmap(uint64_t page, uint64_t count)
{
	bool lost = false;

	for (unsigned int n = 0; n < device_count; n++) {
		for (uint64_t i = page; i < page + count; i++) {
			volatile uint64_t *entry = find_entry(&devices[n], i, false);

			if (!entry || is_missing(*entry))
				continue;
			*entry = missing(devices[n].function, 1, i);
			lost = true;
		}
	}
	if (lost)
		command(COMMAND_INVALIDATE_PAGES | (uint64_t)DOMAIN << COMMAND_DOMAIN_SHIFT,
			INVALIDATE_ALL);
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

/*
 * QEMU 11 leaves the address out, and traces it. A device's next one is told when another device
 * had one.
 */
static void tell_fault(uint64_t function)
{
	static uint64_t last_function = UINT64_MAX;
	static unsigned int told;

	if (function == last_function || told++ >= EVENTS_LOGGED)
		return;
	last_function = function;
	hv_log("DMA by device 00:%02x.%x is refused", (unsigned int)(function >> 3 & 0x1f),
	       (unsigned int)(function & 7));
}

void iommu_tell_faults(void)
{
	static uint64_t head;
	uint64_t tail;

	if (!reports_faults)
		return;
	tail = read_register(REG_EVENT_TAIL) % (sizeof(*events) << EVENTS_LOG);
	if (tail == head)
		return;
	for (; head != tail; head = (head + sizeof(*events)) % (sizeof(*events) << EVENTS_LOG)) {
		volatile struct event *e = &events[head / sizeof(*events)];

		if (e->half[0] >> EVENT_TYPE_SHIFT == EVENT_PAGE_FAULT)
			tell_fault(e->half[0] & 0xff);
	}
	write_register(REG_EVENT_HEAD, head);
}
