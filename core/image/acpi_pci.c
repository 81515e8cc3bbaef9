/* SPDX-License-Identifier: MIT */
#include "core/image/acpi_pci.h"

#include <stdint.h>

/*
 * The device in ASL (ACPI specification 6.5, 6.1, 6.2.13, 6.4 and chapter 20; PCI firmware
 * specification, 4.1):
 *	Device (PCI0) {
 *		Name (_HID, EisaId ("PNP0A08"))  Name (_CID, EisaId ("PNP0A03"))  Name (_UID, 0)
 *		Name (_CRS, ResourceTemplate () {
 *			WordBusNumber (0 to 0xff)  IO (Decode16, 0xcf8, 0xcf8, 1, 8)
 *			WordIO (0 to 0xcf7)  WordIO (0xd00 to 0xffff)
 *			DWordMemory (0xc0000000 to 0xdfffffff) })
 *		Name (_PRT, Package () {
 *			Package () { device << 16 | 0xffff, pin, 0, interrupt }, ... })
 *	}
 */
#define AML_PACKAGE_LENGTH 3u /* bytes: the first says that two follow */
#define DEVICES 25u	      /* those behind have other interrupts, and are the chipset's own */
#define PINS 4u
#define FIRST_INTERRUPT 20u /* PIRQE, of an ICH9: devices 0 to 24 take PIRQE to PIRQH in turns */

static const uint8_t device[] = { 0x5b, 0x82 }; /* DeviceOp */
static const uint8_t names[] = {
	'P',  'C', 'I', '0',					/* its name */
	0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x08, /* DWord PNP0A08 */
	0x08, '_', 'C', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x03, /* DWord PNP0A03 */
	0x08, '_', 'U', 'I', 'D', 0x00,				/* ZeroOp */
	0x08, '_', 'C', 'R', 'S', 0x11,				/* BufferOp */
};

/* Each address is one of minimum and maximum, both fixed. */
static const uint8_t resources[] = {
	/* bus numbers, 16 bits: granularity, minimum, maximum, translation, length */
	0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00,
	0x01,
	/* the configuration ports are its own */
	0x47, 0x01, 0xf8, 0x0c, 0xf8, 0x0c, 0x01, 0x08,
	/* ports, 16 bits, the entire range */
	0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0xf7, 0x0c, 0x00, 0x00, 0xf8,
	0x0c, 0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x0d, 0xff, 0xff, 0x00, 0x00,
	0x00, 0xf3,
	/* memory, 32 bits, that is written, too, and not cached */
	0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xff,
	0xff, 0xff, 0xdf, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20,
	/* end tag, no checksum */
	0x79, 0x00
};

static const uint8_t routing[] = { 0x08, '_', 'P', 'R', 'T', 0x12 }; /* PackageOp */

size_t acpi_aml_begin(struct bytes_writer *w)
{
	size_t begin = w->size;

	bytes_put_zeros(w, AML_PACKAGE_LENGTH);
	return begin;
}

void acpi_aml_end(struct bytes_writer *w, size_t begin)
{
	const size_t length = w->size - begin;
	const uint8_t encoded[AML_PACKAGE_LENGTH] = { (uint8_t)(0x80 | (length & 0xf)),
						      (uint8_t)(length >> 4),
						      (uint8_t)(length >> 12) };

	for (unsigned int i = 0; !w->bad && i < AML_PACKAGE_LENGTH; i++)
		w->data[begin + i] = encoded[i];
}

/* A row of _PRT: a pin of a device, all functions, at an interrupt of the IOAPIC's. */
static void put_route(struct bytes_writer *w, uint8_t number, uint8_t pin)
{
	const uint8_t row[] = {
		0x12, 0x0c, 0x04,		/* PackageOp, PkgLength, 4 elements */
		0x0c, 0xff, 0xff, number, 0x00, /* DWord */
		0x0a, pin,  0x00, 0x0a,	  (uint8_t)(FIRST_INTERRUPT + (number + pin) % PINS)
	};

	bytes_put(w, row, sizeof(row));
}

void acpi_pci(struct bytes_writer *w)
{
	const uint8_t size[] = { 0x0a, sizeof(resources) }, rows[] = { DEVICES * PINS };
	size_t begin, part;

	bytes_put(w, device, sizeof(device));
	begin = acpi_aml_begin(w);
	bytes_put(w, names, sizeof(names));
	part = acpi_aml_begin(w);
	bytes_put(w, size, sizeof(size));
	bytes_put(w, resources, sizeof(resources));
	acpi_aml_end(w, part);
	bytes_put(w, routing, sizeof(routing));
	part = acpi_aml_begin(w);
	bytes_put(w, rows, sizeof(rows));
	for (uint8_t number = 0; number < DEVICES; number++)
		for (uint8_t pin = 0; pin < PINS; pin++)
			put_route(w, number, pin);
	acpi_aml_end(w, part);
	acpi_aml_end(w, begin);
}
