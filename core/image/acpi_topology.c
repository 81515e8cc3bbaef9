/* SPDX-License-Identifier: MIT */
/* The tables about processors and memory: MADT, SRAT, SLIT, PPTT. */
#include <string.h>

#include "core/image/acpi.h"
#include "core/image/acpi_table.h"

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags; /* bit 0: there are 8259s too */
} __attribute__((packed));
ABI_SIZE(struct acpi_madt, 44);

struct acpi_madt_lapic {
	uint8_t type, length;
	uint8_t processor, apic_id;
	uint32_t flags; /* bit 0: enabled */
};
ABI_SIZE(struct acpi_madt_lapic, 8);

struct acpi_madt_ioapic {
	uint8_t type, length;
	uint8_t id, reserved;
	uint32_t address, gsi_base;
};
ABI_SIZE(struct acpi_madt_ioapic, 12);

struct acpi_madt_override {
	uint8_t type, length;
	uint8_t bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));
ABI_SIZE(struct acpi_madt_override, 10);

struct acpi_madt_lapic_nmi {
	uint8_t type, length;
	uint8_t processor; /* 0xff: all */
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));
ABI_SIZE(struct acpi_madt_lapic_nmi, 6);

#define MADT_FLAG_PCAT 1u
#define MADT_LEVEL_HIGH 0xdu

/* 5.2.16: processors and memory by proximity domain; here there is one. */
struct acpi_srat {
	struct acpi_header header;
	uint32_t reserved_one;
	uint64_t reserved;
} __attribute__((packed));
ABI_SIZE(struct acpi_srat, 48);

struct acpi_srat_lapic {
	uint8_t type, length; /* 0, 16 */
	uint8_t domain_low, apic_id;
	uint32_t flags; /* bit 0: enabled */
	uint8_t sapic_eid, domain_high[3];
	uint32_t clock_domain;
};
ABI_SIZE(struct acpi_srat_lapic, 16);

struct acpi_srat_memory {
	uint8_t type, length; /* 1, 40 */
	uint32_t domain;
	uint16_t reserved_06;
	uint64_t base, size;
	uint32_t reserved_18;
	uint32_t flags; /* bit 0: enabled */
	uint64_t reserved_20;
} __attribute__((packed));
ABI_SIZE(struct acpi_srat_memory, 40);
ABI_OFFSET(struct acpi_srat_memory, base, 8);
ABI_OFFSET(struct acpi_srat_memory, flags, 28);

#define SRAT_REVISION 3u
#define SRAT_ENABLED 1u

/* 5.2.17: distances between localities, of which there is one. */
struct acpi_slit {
	struct acpi_header header;
	uint64_t localities;
	uint8_t distance;
} __attribute__((packed));
ABI_SIZE(struct acpi_slit, 45);

#define SLIT_REVISION 1u
#define SLIT_SELF 10u

/* 5.2.30: one package, and each processor a core in it. */
struct acpi_pptt_node {
	uint8_t type, length; /* 0, 20 */
	uint16_t reserved;
	uint32_t flags;
	uint32_t parent; /* its place in the table; 0: none */
	uint32_t processor;
	uint32_t resources;
};
ABI_SIZE(struct acpi_pptt_node, 20);

#define PPTT_REVISION 3u
#define PPTT_PACKAGE (1u << 0)
#define PPTT_PROCESSOR_VALID (1u << 1)
#define PPTT_LEAF (1u << 3)
#define PPTT_IDENTICAL (1u << 4)

void acpi_madt(struct bytes_writer *w, uint32_t cpu_count)
{
	struct acpi_madt madt = { .header = acpi_header("APIC", 5),
				  .lapic_address = ACPI_LAPIC_ADDRESS,
				  .flags = MADT_FLAG_PCAT };
	struct acpi_madt_ioapic ioapic = { .type = 1,
					   .length = sizeof(ioapic),
					   .address = ACPI_IOAPIC_ADDRESS };
	struct acpi_madt_override timer = {
		.type = 2, .length = sizeof(timer), .source = 0, .gsi = 2
	};
	struct acpi_madt_override sci = { .type = 2,
					  .length = sizeof(sci),
					  .source = ACPI_SCI_IRQ,
					  .gsi = ACPI_SCI_IRQ,
					  .flags = MADT_LEVEL_HIGH };
	struct acpi_madt_lapic_nmi nmi = {
		.type = 4, .length = sizeof(nmi), .processor = 0xff, .lint = 1
	};
	size_t start = w->size;

	bytes_put(w, &madt, sizeof(madt));
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct acpi_madt_lapic lapic = { .type = 0,
						 .length = sizeof(lapic),
						 .processor = (uint8_t)i,
						 .apic_id = (uint8_t)i,
						 .flags = 1 };

		bytes_put(w, &lapic, sizeof(lapic));
	}
	bytes_put(w, &ioapic, sizeof(ioapic));
	bytes_put(w, &timer, sizeof(timer));
	bytes_put(w, &sci, sizeof(sci));
	bytes_put(w, &nmi, sizeof(nmi));
	acpi_seal(w, start);
}

void acpi_srat(struct bytes_writer *w, uint32_t cpu_count, const struct socle_range *ram,
	       uint32_t ram_count)
{
	struct acpi_srat srat = { .header = acpi_header("SRAT", SRAT_REVISION), .reserved_one = 1 };
	size_t start = w->size;

	bytes_put(w, &srat, sizeof(srat));
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct acpi_srat_lapic lapic = { .length = sizeof(lapic),
						 .apic_id = (uint8_t)i,
						 .flags = SRAT_ENABLED };

		bytes_put(w, &lapic, sizeof(lapic));
	}
	for (uint32_t i = 0; i < ram_count; i++) {
		struct acpi_srat_memory memory = { .type = 1,
						   .length = sizeof(memory),
						   .base = ram[i].gpa,
						   .size = ram[i].size,
						   .flags = SRAT_ENABLED };

		bytes_put(w, &memory, sizeof(memory));
	}
	acpi_seal(w, start);
}

void acpi_slit(struct bytes_writer *w)
{
	struct acpi_slit slit = { .header = acpi_header("SLIT", SLIT_REVISION),
				  .localities = 1,
				  .distance = SLIT_SELF };
	size_t start = w->size;

	bytes_put(w, &slit, sizeof(slit));
	acpi_seal(w, start);
}

void acpi_pptt(struct bytes_writer *w, uint32_t cpu_count)
{
	struct acpi_header header = acpi_header("PPTT", PPTT_REVISION);
	struct acpi_pptt_node package = { .length = sizeof(package),
					  .flags = PPTT_PACKAGE | PPTT_IDENTICAL };
	size_t start = w->size;

	bytes_put(w, &header, sizeof(header));
	bytes_put(w, &package, sizeof(package));
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct acpi_pptt_node core = { .length = sizeof(core),
					       .flags = PPTT_PROCESSOR_VALID | PPTT_LEAF,
					       .parent = sizeof(header),
					       .processor = i };

		bytes_put(w, &core, sizeof(core));
	}
	acpi_seal(w, start);
}
