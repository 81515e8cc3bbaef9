/* SPDX-License-Identifier: MIT */
#include "core/image/acpi.h"

#include <string.h>

#include "core/image/acpi_pci.h"
#include "core/image/acpi_table.h"

#define OEM_TABLE_ID "SOCLE   "
#define CREATOR_ID "SOCL"

#define RSDP_ROOM 64u
#define PM1A_EVENT_PORT 0x600u
#define PM1A_CONTROL_PORT 0x604u
#define PM_TIMER_PORT 0x608u

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_address;
	uint32_t length;
	uint64_t xsdt_address;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));
ABI_SIZE(struct acpi_rsdp, 36);

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t entries[2];
} __attribute__((packed));
ABI_SIZE(struct acpi_xsdt, 52);

struct acpi_address {
	uint8_t space; /* 1: system I/O */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));
ABI_SIZE(struct acpi_address, 12);

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved_2c, pm_profile;
	uint16_t sci_irq;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate_control;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cst_control;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_architecture;
	uint8_t reserved_6f;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_architecture;
	uint8_t minor_version;
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
	uint64_t hypervisor_id;
} __attribute__((packed));
ABI_SIZE(struct acpi_fadt, 276);
ABI_OFFSET(struct acpi_fadt, pm1a_event, 56);
ABI_OFFSET(struct acpi_fadt, boot_architecture, 109);
ABI_OFFSET(struct acpi_fadt, flags, 112);
ABI_OFFSET(struct acpi_fadt, x_dsdt, 140);

#define FADT_REVISION 6u
#define FADT_BOOT_LEGACY_DEVICES (1u << 0) /* serial ports, PIT; bit 1, the 8042, stays clear */
#define FADT_BOOT_NO_VGA (1u << 2)
#define FADT_BOOT_NO_ASPM (1u << 4)
#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_NO_POWER_BUTTON (1u << 4) /* none of the fixed kind */
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_RTC_WAKE (1u << 6)

struct acpi_facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
};
ABI_SIZE(struct acpi_facs, 64);

/*
 * The DSDT's AML (ACPI specification, chapter 20):
 *	Name (\_S5, Package () { 0, 0, 0, 0 })
 *	Scope (\_SB) { Device (COM1) {...} Device (COM2) {...} Device (PCI0) {...} }
 * the last being acpi_pci.c's, and each COM device
 *	Name (_HID, EisaId ("PNP0501"))  Name (_UID, n)
 *	Name (_CRS, ResourceTemplate () { IO (Decode16, port, port, 1, 8) IRQNoFlags () { irq } })
 */
#define AML_COM_SIZE 46u
#define AML_COM_DIGIT 6u
#define AML_COM_UID 23u
#define AML_COM_PORT_MIN 35u
#define AML_COM_PORT_MAX 37u
#define AML_COM_IRQ_MASK 42u

static const uint8_t aml_s5[] = {
	0x08, '_',  'S',  '5',	'_', /* NameOp */
	0x12, 0x06, 0x04,	     /* PackageOp, PkgLength 6, 4 elements */
	0x00, 0x00, 0x00, 0x00,	     /* ZeroOp each: SLP_TYPa 0 */
};

static const uint8_t aml_scope[] = { 0x10 }; /* ScopeOp */
static const uint8_t aml_scope_name[] = { '\\', '_', 'S', 'B', '_' };

static const uint8_t aml_com[AML_COM_SIZE] = {
	0x5b, 0x82, 0x2c, 'C',	'O',  'M',  '1',		    /* DeviceOp, PkgLength 44 */
	0x08, '_',  'H',  'I',	'D',  0x0c, 0x41, 0xd0, 0x05, 0x01, /* DWord PNP0501 */
	0x08, '_',  'U',  'I',	'D',  0x0a, 0x00,		    /* NameOp _UID, BytePrefix */
	0x08, '_',  'C',  'R',	'S',  0x11, 0x10, 0x0a, 0x0d, /* BufferOp, PkgLength, 13 bytes */
	0x47, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08,	      /* I/O port descriptor */
	0x22, 0x00, 0x00,				      /* IRQ descriptor */
	0x79, 0x00,					      /* end tag, no checksum */
};

uint8_t acpi_checksum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

struct acpi_header acpi_header(const char *signature, uint8_t revision)
{
	struct acpi_header h = { .revision = revision, .oem_revision = 1, .creator_revision = 1 };

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem_id, ACPI_OEM_ID, sizeof(h.oem_id));
	memcpy(h.oem_table_id, OEM_TABLE_ID, sizeof(h.oem_table_id));
	memcpy(h.creator_id, CREATOR_ID, sizeof(h.creator_id));
	return h;
}

void acpi_seal(struct bytes_writer *w, size_t start)
{
	struct acpi_header h;

	if (w->bad)
		return;
	memcpy(&h, w->data + start, sizeof(h));
	h.length = (uint32_t)(w->size - start);
	h.checksum = 0;
	memcpy(w->data + start, &h, sizeof(h));
	h.checksum = acpi_checksum(w->data + start, h.length);
	memcpy(w->data + start, &h, sizeof(h));
}

/* Where the next table goes, and where the area will lie. */
struct area {
	struct bytes_writer w;
	uint32_t gpa;
};

/* Appends bytes without alignment: the parts of one table. */
static void append(struct area *area, const void *data, size_t size)
{
	bytes_put(&area->w, data, size);
}

/* Ends the table that started at start, and aligns what follows. Returns its address. */
static uint32_t seal(struct area *area, size_t start)
{
	acpi_seal(&area->w, start);
	bytes_put_zeros(&area->w, -area->w.size & 15);
	return area->gpa + (uint32_t)start;
}

static void append_com(struct area *area, uint8_t number, uint16_t port, uint8_t irq)
{
	uint8_t com[AML_COM_SIZE];
	uint16_t irq_mask = (uint16_t)(1u << irq);

	memcpy(com, aml_com, sizeof(com));
	com[AML_COM_DIGIT] = (uint8_t)('0' + number);
	com[AML_COM_UID] = number;
	memcpy(com + AML_COM_PORT_MIN, &port, sizeof(port));
	memcpy(com + AML_COM_PORT_MAX, &port, sizeof(port));
	memcpy(com + AML_COM_IRQ_MASK, &irq_mask, sizeof(irq_mask));
	append(area, com, sizeof(com));
}

static uint32_t build_dsdt(struct area *area)
{
	struct acpi_header h = acpi_header("DSDT", 2);
	size_t start = area->w.size, scope;

	append(area, &h, sizeof(h));
	append(area, aml_s5, sizeof(aml_s5));
	append(area, aml_scope, sizeof(aml_scope));
	scope = acpi_aml_begin(&area->w);
	append(area, aml_scope_name, sizeof(aml_scope_name));
	append_com(area, 1, 0x3f8, 4);
	append_com(area, 2, 0x2f8, 3);
	acpi_pci(&area->w);
	acpi_aml_end(&area->w, scope);
	return seal(area, start);
}

static struct acpi_address io_address(uint64_t port, uint8_t bytes)
{
	return (struct acpi_address){ .space = 1,
				      .bit_width = (uint8_t)(8 * bytes),
				      .access_size = bytes == 4 ? 3 : 2,
				      .address = port };
}

static uint32_t build_fadt(struct area *area, uint32_t dsdt)
{
	struct acpi_fadt fadt = {
		.header = acpi_header("FACP", FADT_REVISION),
		.facs = area->gpa + ACPI_FACS_OFFSET,
		.dsdt = dsdt,
		.sci_irq = ACPI_SCI_IRQ,
		.pm1a_event = PM1A_EVENT_PORT,
		.pm1a_control = PM1A_CONTROL_PORT,
		.pm_timer = PM_TIMER_PORT,
		.pm1_event_length = 4,
		.pm1_control_length = 2,
		.pm_timer_length = 4,
		.c2_latency = 0xfff, /* above 100 and 1000: neither C2 nor C3 */
		.c3_latency = 0xfff,
		.boot_architecture = FADT_BOOT_LEGACY_DEVICES | FADT_BOOT_NO_VGA |
				     FADT_BOOT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_NO_RTC_WAKE,
		.minor_version = 3,
		.x_dsdt = dsdt,
		.x_pm1a_event = io_address(PM1A_EVENT_PORT, 4),
		.x_pm1a_control = io_address(PM1A_CONTROL_PORT, 2),
		.x_pm_timer = io_address(PM_TIMER_PORT, 4),
	};
	size_t start = area->w.size;

	append(area, &fadt, sizeof(fadt));
	return seal(area, start);
}

static uint32_t build_madt(struct area *area, uint32_t cpu_count)
{
	size_t start = area->w.size;

	acpi_madt(&area->w, cpu_count);
	return seal(area, start);
}

static uint32_t build_xsdt(struct area *area, uint32_t fadt, uint32_t madt)
{
	struct acpi_xsdt xsdt = { .header = acpi_header("XSDT", 1), .entries = { fadt, madt } };
	size_t start = area->w.size;

	append(area, &xsdt, sizeof(xsdt));
	return seal(area, start);
}

static void build_rsdp(uint8_t *to, uint32_t xsdt)
{
	struct acpi_rsdp rsdp = { .revision = 2, .length = sizeof(rsdp), .xsdt_address = xsdt };

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, ACPI_OEM_ID, sizeof(rsdp.oem_id));
	/* The first checksum is that of ACPI 1.0's twenty bytes, the second that of all. */
	rsdp.checksum = acpi_checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = acpi_checksum(&rsdp, sizeof(rsdp));
	memcpy(to, &rsdp, sizeof(rsdp));
}

void acpi_build(uint8_t tables[ACPI_TABLES_SIZE], uint64_t gpa, uint32_t cpu_count)
{
	struct area area = { .w = bytes_writer_init(tables, ACPI_FACS_OFFSET),
			     .gpa = (uint32_t)gpa };
	struct acpi_facs facs = { .length = sizeof(facs), .version = 2 };
	uint32_t fadt, madt;

	memset(tables, 0, ACPI_TABLES_SIZE);
	bytes_put_zeros(&area.w, RSDP_ROOM);
	fadt = build_fadt(&area, build_dsdt(&area));
	madt = build_madt(&area, cpu_count);
	build_rsdp(tables, build_xsdt(&area, fadt, madt));
	memcpy(facs.signature, "FACS", sizeof(facs.signature));
	memcpy(tables + ACPI_FACS_OFFSET, &facs, sizeof(facs));
}
