/* SPDX-License-Identifier: MIT */
#include "machine/host/parameters.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/image/acpi.h"
#include "core/image/device_tree.h"
#include "machine/layout.h"

/* A PC has video memory there, whatever RAM lies underneath. */
#define PC_HOLE_START 0xa0000ull
#define PC_HOLE_END 0xc0000ull

/* PCI, IOAPIC, local APICs and flash: from the ECAM of QEMU's q35 up to 4 GiB. */
#define MMIO_START 0xb0000000ull

#define NODE_NAME_MAX 32

static void add_range(struct parameters_facts *facts, uint64_t start, uint64_t end, uint16_t type)
{
	facts->ranges[facts->range_count++] =
		(struct parameters_range){ .range = { start, end - start }, .type = type };
}

void parameters_machine(struct parameters_facts *facts, uint32_t cpu_count, uint64_t ram_size,
			uint64_t flash_size, const char *command_line)
{
	uint64_t end = machine_ram_end(ram_size);

	*facts = (struct parameters_facts){ .cpu_count = cpu_count,
					    .mmio = { { MMIO_START, MACHINE_4G - MMIO_START } },
					    .command_line = command_line };
	add_range(facts, 0, PC_HOLE_START, IGVM_MEMORY_RAM);
	add_range(facts, PC_HOLE_START, PC_HOLE_END, IGVM_MEMORY_RESERVED);
	add_range(facts, PC_HOLE_END, machine_ram_low(ram_size), IGVM_MEMORY_RAM);
	if (flash_size)
		add_range(facts, MACHINE_4G - flash_size, MACHINE_4G, IGVM_MEMORY_RESERVED);
	if (end > MACHINE_4G)
		add_range(facts, MACHINE_4G, end, IGVM_MEMORY_RAM);
}

static void put_vp_count(struct bytes_writer *w, const struct parameters_facts *facts)
{
	bytes_put(w, &facts->cpu_count, sizeof(facts->cpu_count));
}

/* What the launch does not load belongs to the host until the guest asks for it. */
static void put_environment(struct bytes_writer *w, const struct parameters_facts *facts)
{
	const uint32_t info = IGVM_ENVIRONMENT_MEMORY_IS_SHARED;

	(void)facts;
	bytes_put(w, &info, sizeof(info));
}

static void put_memory_map(struct bytes_writer *w, const struct parameters_facts *facts)
{
	for (uint32_t i = 0; i < facts->range_count; i++) {
		const struct parameters_range *r = &facts->ranges[i];
		struct igvm_memory_map_entry entry = {
			.first_page = r->range.gpa >> ABI_PAGE_SHIFT,
			.pages = r->range.size >> ABI_PAGE_SHIFT,
			.type = r->type,
		};

		bytes_put(w, &entry, sizeof(entry));
	}
	bytes_put_zeros(w, sizeof(struct igvm_memory_map_entry)); /* the last */
}

static void put_mmio_ranges(struct bytes_writer *w, const struct parameters_facts *facts)
{
	for (unsigned int i = 0; i < IGVM_MMIO_RANGES; i++) {
		struct igvm_memory_range range = {
			.first_page = facts->mmio[i].gpa >> ABI_PAGE_SHIFT,
			.pages = facts->mmio[i].size >> ABI_PAGE_SHIFT,
		};

		bytes_put(w, &range, sizeof(range));
	}
}

static void put_command_line(struct bytes_writer *w, const struct parameters_facts *facts)
{
	bytes_put(w, facts->command_line, strlen(facts->command_line) + 1);
}

/* The ranges of RAM; their number. */
static uint32_t ram_of(const struct parameters_facts *facts,
		       struct socle_range ram[PARAMETERS_RANGES_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < facts->range_count; i++) {
		if (facts->ranges[i].type == IGVM_MEMORY_RAM)
			ram[count++] = facts->ranges[i].range;
	}
	return count;
}

static void put_madt(struct bytes_writer *w, const struct parameters_facts *facts)
{
	acpi_madt(w, facts->cpu_count);
}

static void put_srat(struct bytes_writer *w, const struct parameters_facts *facts)
{
	struct socle_range ram[PARAMETERS_RANGES_MAX];
	uint32_t count = ram_of(facts, ram);

	acpi_srat(w, facts->cpu_count, ram, count);
}

static void put_slit(struct bytes_writer *w, const struct parameters_facts *facts)
{
	(void)facts;
	acpi_slit(w);
}

static void put_pptt(struct bytes_writer *w, const struct parameters_facts *facts)
{
	acpi_pptt(w, facts->cpu_count);
}

static void tree_chosen(struct device_tree *tree, const struct parameters_facts *facts)
{
	device_tree_node(tree, "chosen");
	device_tree_text(tree, "bootargs", facts->command_line);
	device_tree_end(tree);
}

static void tree_cpus(struct device_tree *tree, const struct parameters_facts *facts)
{
	const uint32_t one = 1, zero = 0;
	char name[NODE_NAME_MAX];

	device_tree_node(tree, "cpus");
	device_tree_cells(tree, "#address-cells", &one, 1);
	device_tree_cells(tree, "#size-cells", &zero, 1);
	for (uint32_t i = 0; i < facts->cpu_count; i++) {
		snprintf(name, sizeof(name), "cpu@%" PRIx32, i);
		device_tree_node(tree, name);
		device_tree_text(tree, "device_type", "cpu");
		device_tree_cells(tree, "reg", &i, 1);
		device_tree_text(tree, "status", "okay");
		device_tree_end(tree);
	}
	device_tree_end(tree);
}

static void tree_memory(struct device_tree *tree, const struct parameters_range *r)
{
	const uint32_t reg[] = { (uint32_t)(r->range.gpa >> 32), (uint32_t)r->range.gpa,
				 (uint32_t)(r->range.size >> 32), (uint32_t)r->range.size };
	const uint32_t type = r->type;
	char name[NODE_NAME_MAX];

	snprintf(name, sizeof(name), "memory@%" PRIx64, r->range.gpa);
	device_tree_node(tree, name);
	device_tree_text(tree, "device_type", "memory");
	device_tree_cells(tree, "reg", reg, 4);
	device_tree_cells(tree, "microsoft,igvm-type", &type, 1); /* igvm_defs, module dt */
	device_tree_end(tree);
}

/* The ports of a PC's serial lines, on the bus that has them. */
static void tree_serial_ports(struct device_tree *tree)
{
	static const uint32_t ports[] = { 0x3f8, 0x2f8 };
	const uint32_t two = 2, one = 1, clock = 1843200;
	char name[NODE_NAME_MAX];

	device_tree_node(tree, "isa");
	device_tree_text(tree, "compatible", "isa");
	device_tree_cells(tree, "#address-cells", &two, 1);
	device_tree_cells(tree, "#size-cells", &one, 1);
	for (unsigned int i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const uint32_t reg[] = { 1, ports[i], 8 }; /* 1: an I/O port */

		snprintf(name, sizeof(name), "serial@i%" PRIx32, ports[i]);
		device_tree_node(tree, name);
		device_tree_text(tree, "compatible", "ns16550");
		device_tree_cells(tree, "reg", reg, 3);
		device_tree_cells(tree, "clock-frequency", &clock, 1);
		device_tree_end(tree);
	}
	device_tree_end(tree);
}

/* A virtio device with the MMIO transport (Linux, virtio/mmio.yaml), which raises no interrupt. */
static void tree_svsm_disk(struct device_tree *tree)
{
	const uint32_t reg[] = { 0, (uint32_t)MACHINE_SVSM_DISK, 0, ABI_PAGE_SIZE };
	char name[NODE_NAME_MAX];

	snprintf(name, sizeof(name), "virtio@%llx", MACHINE_SVSM_DISK);
	device_tree_node(tree, name);
	device_tree_text(tree, "compatible", "virtio,mmio");
	device_tree_cells(tree, "reg", reg, 4);
	device_tree_end(tree);
}

static void put_device_tree(struct bytes_writer *w, const struct parameters_facts *facts)
{
	const uint32_t two = 2;
	struct device_tree tree;
	size_t size;

	device_tree_begin(&tree, w->data + w->size, w->room - w->size);
	device_tree_text(&tree, "compatible", "socle,snp-machine");
	device_tree_text(&tree, "model", "Socle SNP machine");
	device_tree_cells(&tree, "#address-cells", &two, 1);
	device_tree_cells(&tree, "#size-cells", &two, 1);
	tree_chosen(&tree, facts);
	tree_cpus(&tree, facts);
	for (uint32_t i = 0; i < facts->range_count; i++)
		tree_memory(&tree, &facts->ranges[i]);
	tree_serial_ports(&tree);
	if (facts->svsm_disk)
		tree_svsm_disk(&tree);
	size = device_tree_finish(&tree);
	w->size += size;
	w->bad |= size == 0;
}

static const struct {
	uint32_t type;
	void (*put)(struct bytes_writer *w, const struct parameters_facts *facts);
} parameters[] = {
	{ IGVM_TYPE_VP_COUNT_PARAMETER, put_vp_count },
	{ IGVM_TYPE_ENVIRONMENT_INFO, put_environment },
	{ IGVM_TYPE_MEMORY_MAP, put_memory_map },
	{ IGVM_TYPE_MMIO_RANGES, put_mmio_ranges },
	{ IGVM_TYPE_COMMAND_LINE, put_command_line },
	{ IGVM_TYPE_MADT, put_madt },
	{ IGVM_TYPE_SRAT, put_srat },
	{ IGVM_TYPE_SLIT, put_slit },
	{ IGVM_TYPE_PPTT, put_pptt },
	{ IGVM_TYPE_DEVICE_TREE, put_device_tree },
};

bool parameters_write(const struct parameters_facts *facts, const struct igvm_directive *directive,
		      uint8_t *area, size_t size, struct host_error *error)
{
	uint32_t offset = directive->parameter.byte_offset;
	struct bytes_writer w = bytes_writer_init(area + offset, size - offset);

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (parameters[i].type == directive->type)
			parameters[i].put(&w, facts);
	}
	return !w.bad ||
	       host_fail(error,
			 "%s does not fit behind byte %u of PARAMETER_AREA %u, which has %zu, "
			 "header at file offset %" PRIu64,
			 igvm_type_name(directive->type), offset, directive->parameter.area_index,
			 size, directive->header_offset);
}
