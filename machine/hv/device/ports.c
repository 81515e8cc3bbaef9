/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/ports.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/device/chipset.h"
#include "machine/hv/device/cmos.h"
#include "machine/hv/device/fw_cfg.h"
#include "machine/hv/device/hold.h"
#include "machine/hv/device/hotplug.h"
#include "machine/hv/device/pci_config.h"
#include "machine/hv/device/pvpanic.h"
#include "machine/hv/device/test_ports.h"

struct port_range {
	uint16_t first, last;
	bool vmpl0_only;
	uint16_t device;      /* where QEMU has it; 0: at the same ports */
	bool (*exists)(void); /* NULL: always */
	/* NULL: QEMU's. write says whether the write, perhaps changed by it, goes there, too. */
	uint32_t (*read)(const struct port_access *a);
	bool (*write)(struct port_access *a);
};

/*
 * Left out on purpose: the doorbell and the exit port, which are the hypervisor's; ISA DMA
 * and PCI hot-plug, which would reach its memory; SMI control and APM.
 */
static const struct port_range ports[] = {
	{ .first = 0x0020, .last = 0x0021 }, /* 8259 */
	{ .first = 0x0040, .last = 0x0043 }, /* 8254 */
	{ .first = 0x0060, .last = 0x0061 }, /* keyboard, speaker gate */
	{ .first = 0x0064, .last = 0x0064, .write = chipset_keyboard_write },
	{ .first = CMOS_PORT_INDEX, .last = 0x0077, .read = cmos_read, .write = cmos_write },
	{ .first = 0x0080, .last = 0x0080 }, /* POST code, used as a delay */
	{ .first = 0x0092, .last = 0x0092, .write = chipset_a20_write }, /* fast A20 */
	{ .first = 0x00a0, .last = 0x00a1 },				 /* second 8259 */
	{ .first = MACHINE_PORT_ECHO,
	  .last = MACHINE_PORT_ECHO + 3,
	  .exists = test_ports_exist,
	  .read = test_ports_echo,
	  .write = test_ports_keep },
	{ .first = MACHINE_PORT_DEBUG,
	  .last = MACHINE_PORT_DEBUG,
	  .vmpl0_only = true,
	  .device = MACHINE_PORT_DEBUG_DEVICE },
	{ .first = MACHINE_PORT_HOLD,
	  .last = MACHINE_PORT_HOLD,
	  .exists = hold_exists,
	  .read = hold_read,
	  .write = hold_write },
	{ .first = 0x00ed, .last = 0x00ed }, /* delay */
	{ .first = MACHINE_PORT_TEST_EXIT,
	  .last = MACHINE_PORT_TEST_EXIT + 3,
	  .exists = test_ports_exist,
	  .read = test_ports_exit_read,
	  .write = test_ports_exit },
	{ .first = MACHINE_PORT_TEST, .last = MACHINE_PORT_TEST + 7 },
	{ .first = MACHINE_PORT_CHANNEL, .last = MACHINE_PORT_CHANNEL + 7 },
	{ .first = MACHINE_PORT_VMPL0, .last = MACHINE_PORT_VMPL0 + 7, .vmpl0_only = true },
	{ .first = MACHINE_PORT_CONSOLE, .last = MACHINE_PORT_CONSOLE + 7 },
	{ .first = 0x04d0, .last = 0x04d1 }, /* edge or level of the 8259s */
	{ .first = PVPANIC_PORT, .last = PVPANIC_PORT, .write = pvpanic_write },
	{ .first = FW_CFG_PORT_SELECTOR,
	  .last = FW_CFG_PORT_DATA,
	  .read = fw_cfg_read,
	  .write = fw_cfg_write },
	{ .first = FW_CFG_PORT_DMA,
	  .last = FW_CFG_PORT_DMA + 7,
	  .read = fw_cfg_dma_read,
	  .write = fw_cfg_dma_write },
	{ .first = CHIPSET_PM_BASE,
	  .last = CHIPSET_PM_TIMER + 3,
	  .read = chipset_pm_read,
	  .write = chipset_pm_write },
	{ .first = CHIPSET_PM_BASE + 0x20,
	  .last = CHIPSET_PM_BASE + 0x2f }, /* general-purpose events */
	{ .first = HOTPLUG_PORT_MEMORY,
	  .last = HOTPLUG_PORT_MEMORY_LAST,
	  .read = hotplug_memory_read,
	  .write = hotplug_memory_write },
	{ .first = HOTPLUG_PORT_CPU,
	  .last = HOTPLUG_PORT_CPU_LAST,
	  .read = hotplug_cpu_read,
	  .write = hotplug_cpu_write },
	/* In two, so that no access takes the end of the one and the start of the other. */
	{ .first = PCI_PORT_ADDRESS,
	  .last = PCI_PORT_ADDRESS + 3,
	  .read = chipset_pci_read,
	  .write = chipset_pci_write },
	{ .first = PCI_PORT_DATA,
	  .last = PCI_PORT_DATA + 3,
	  .read = chipset_pci_read,
	  .write = chipset_pci_write },
	{ .first = CHIPSET_PCI_PORTS_FIRST,
	  .last = 0x5657 },		     /* PCI devices; 0x5658 is the VMware back door */
	{ .first = 0x565c, .last = 0xadff }, /* ICH9 PCI hot-plug is at 0xae00 */
	{ .first = 0xb000, .last = 0xffff },
};

static bool is_there(const struct port_range *r, const struct port_access *a)
{
	return (!r->vmpl0_only || a->v->current == 0) && (r->exists == NULL || r->exists());
}

static const struct port_range *find(const struct port_access *a)
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const struct port_range *r = &ports[i];

		if (a->port >= r->first && (uint32_t)a->port + a->size - 1 <= r->last)
			return is_there(r, a) ? r : NULL;
	}
	return NULL;
}

static uint16_t device_port(const struct port_range *r, const struct port_access *a)
{
	return r->device != 0 ? (uint16_t)(r->device + (a->port - r->first)) : a->port;
}

void ports_read(struct port_access *a)
{
	const struct port_range *r = find(a);

	if (r == NULL)
		a->value = a->size == 4 ? 0xffffffff : (1u << 8 * a->size) - 1;
	else
		a->value = r->read != NULL ? r->read(a) : port_in(device_port(r, a), a->size);
}

void ports_write(struct port_access *a)
{
	const struct port_range *r = find(a);

	if (r != NULL && (r->write == NULL || r->write(a)))
		port_out(device_port(r, a), a->size, a->value);
}
