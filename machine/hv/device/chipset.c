/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/chipset.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/msi.h"
#include "machine/hv/device/pci_config.h"
#include "machine/hv/event/alarm.h"
#include "machine/hv/memory/iommu.h"

#define PCI_DEVICE_MASK 0x00ffff00u
#define PCI_HOST_BRIDGE 0x00000000u
#define PCI_LPC 0x0000f800u /* 00:1f.0 */
#define PCI_CLASS_IOMMU 0x0806u
#define PCI_BAR_IO (1u << 0)
#define PCI_BAR_IO_ADDRESS 0xfffcu
#define LPC_PMBASE 0x40u
#define LPC_ACPI_CNTL 0x44u
#define LPC_ACPI_ENABLE 0x80u
#define LPC_PIRQ_FIRST 0x60u
#define LPC_PIRQ_LAST 0x6bu
#define APM_PORT 0xb2u
#define APM_ACPI_ENABLE 0x02u

#define MCH_PCIEXBAR 0x60u /* 64 bits: where the ECAM is, its size, and whether */
#define PCIEXBAR_ENABLE 1u
#define ECAM_SIZE (256u << 20) /* of 256 buses; others are not taken */
#define ECAM_LAST 0xe0000000u  /* above it are IOAPIC, local APICs and flash */
#define ECAM_REGISTER_MASK 0xfffu
#define ECAM_BUS_SHIFT 12
#define CONFIG_SIZE 0x100u

#define PAM_FIRST 0x90u
#define PAM_LAST 0x96u
#define PAM_READ_WRITE 0x33u

#define PM_SLEEP_ENABLE (1u << 13)
#define PM_SLEEP_TYPE_SHIFT 10
#define PM_SLEEP_TYPE_MASK 7u
#define PM_SLEEP_TYPE_S5 0u /* ICH9 as QEMU has it */

#define KEYBOARD_PULSE_RESET 0xfeu
#define FAST_A20_RESET (1u << 0)
#define PORT_RESET_CONTROL 0xcf9u
#define RESET_CONTROL_CPU (1u << 2)

static uint32_t ecam;		     /* its first address; 0: there is none */
static uint32_t iommu = PCI_NOTHING; /* its address, as PCI_DEVICE_MASK has it */

/*
 * One that may be behind the IOMMU. Without one, none sends messages, and their registers are its
 * own.
 */
static void add_device(uint32_t function, uint32_t device)
{
	iommu_add_device(function);
	if (hv_mailbox()->devices)
		msi_add_device(device);
}

/* The IOMMU, and what may be behind it. Without it devices would reach the hypervisor's memory. */
static void find_devices(void)
{
	for (uint32_t n = 0; n < PCI_FUNCTIONS; n++) {
		uint32_t device = n << PCI_FUNCTION_SHIFT;
		uint32_t class = pci_config_read(device, PCI_CLASS) >> PCI_CLASS_SHIFT;

		if (pci_config_read(device, PCI_ID) == PCI_NOTHING)
			continue;
		if (class == PCI_CLASS_IOMMU)
			iommu = device;
		else
			add_device(n, device);
	}
	if (hv_mailbox()->devices && iommu == PCI_NOTHING)
		hv_panic("there are devices that reach memory, and no IOMMU");
}

void chipset_init(void)
{
	find_devices();
	pci_config_write(PCI_LPC, LPC_PMBASE, 4, CHIPSET_PM_BASE | 1);
	pci_config_write(PCI_LPC, LPC_ACPI_CNTL, 1, LPC_ACPI_ENABLE);
	port_out(APM_PORT, 1, APM_ACPI_ENABLE);
}

void chipset_show_shadow_ram(void)
{
	for (uint32_t reg = PAM_FIRST; reg <= PAM_LAST; reg++)
		pci_config_write(PCI_HOST_BRIDGE, reg, 1, PAM_READ_WRITE);
}

/* There is no firmware to start again: an SNP guest starts by a launch. */
static void guest_reset(const struct port_access *a)
{
	hv_log("VMPL%u of vCPU %u resets the machine by port %x", a->v->current, a->v->id, a->port);
	hv_stop(MAILBOX_STOP_REBOOT, a->v->current, a->port, 0, 0);
}

bool chipset_keyboard_write(struct port_access *a)
{
	if ((a->value & 0xff) == KEYBOARD_PULSE_RESET)
		guest_reset(a);
	return true;
}

bool chipset_a20_write(struct port_access *a)
{
	if (a->value & FAST_A20_RESET)
		guest_reset(a);
	return true;
}

uint32_t chipset_pm_read(const struct port_access *a)
{
	uint32_t value = port_in(a->port, a->size);

	if (a->port >= CHIPSET_PM_ENABLE)
		return value;
	return value | (uint32_t)alarm_status() >> 8 * (a->port - CHIPSET_PM_BASE);
}

/*
 * PM1_STS and PM1_EN: QEMU has them but for RTC_STS. What is enabled by now QEMU says, which takes
 * no access of every size.
 */
static void write_events(const struct port_access *a)
{
	uint32_t cleared = 0;

	if (a->port < CHIPSET_PM_ENABLE)
		cleared = a->value << 8 * (a->port - CHIPSET_PM_BASE);
	port_out(a->port, a->size, a->value);
	alarm_write(a->v, (uint16_t)cleared, (uint16_t)port_in(CHIPSET_PM_ENABLE, 2));
}

/* PM1_CNT: S5 ends the machine; other sleeps have no firmware to wake up to. */
bool chipset_pm_write(struct port_access *a)
{
	unsigned int shift;
	uint32_t control;

	if (a->port < CHIPSET_PM_CONTROL) {
		/* A wider one would carry PM1_CNT along. */
		if (a->port + a->size <= CHIPSET_PM_CONTROL)
			write_events(a);
		return false;
	}
	if (a->port >= CHIPSET_PM_CONTROL + 2)
		return true;
	shift = 8 * (a->port - CHIPSET_PM_CONTROL);
	control = a->value << shift;
	if (!(control & PM_SLEEP_ENABLE))
		return true;
	if ((control >> PM_SLEEP_TYPE_SHIFT & PM_SLEEP_TYPE_MASK) == PM_SLEEP_TYPE_S5)
		hv_stop(MAILBOX_STOP_POWEROFF, 0, 0, 0, 0);
	a->value = (control & ~PM_SLEEP_ENABLE) >> shift;
	return true;
}

/* Takes the bits of register reg out of a write of size bytes at first. */
static void clear_config_bits(unsigned int reg, uint32_t bits, unsigned int first,
			      unsigned int size, uint32_t *value)
{
	if (reg >= first && reg < first + size)
		*value &= ~(bits << 8 * (reg - first));
}

/* What the register that PCI address selects would read after a write of size bytes at offset. */
static uint32_t config_after(const struct port_access *a)
{
	uint32_t shift = 8 * (a->port - PCI_PORT_DATA);
	uint32_t mask = (a->size == 4 ? 0xffffffffu : (1u << 8 * a->size) - 1) << shift;

	return (port_in(PCI_PORT_DATA, 4) & ~mask) | (a->value << shift & mask);
}

/* A BAR that puts a device's ports where the machine has its own, and lays it over them. */
static bool covers_own_ports(const struct port_access *a, unsigned int reg)
{
	uint32_t address;

	if (reg < PCI_BAR_FIRST || reg >= PCI_BAR_END || !(port_in(PCI_PORT_DATA, 4) & PCI_BAR_IO))
		return false;
	address = config_after(a) & PCI_BAR_IO_ADDRESS;
	return address != 0 && address < CHIPSET_PCI_PORTS_FIRST;
}

/*
 * The ECAM is where the guest puts it, as far as that is in the hole below 4 GiB; its upper half
 * has to be 0.
 */
static bool move_ecam(unsigned int reg, struct port_access *a)
{
	uint32_t first = a->value & ~(ECAM_SIZE - 1);

	if (a->size != 4 || (reg != MCH_PCIEXBAR && reg != MCH_PCIEXBAR + 4))
		return false;
	if (reg != MCH_PCIEXBAR)
		return a->value == 0;
	if (!(a->value & PCIEXBAR_ENABLE)) {
		/* With a reserved length QEMU would leave it where it is. */
		a->value = 0;
		ecam = 0;
		return true;
	}
	if (a->value != (first | PCIEXBAR_ENABLE) || first > ECAM_LAST ||
	    first < machine_ram_low(hv_mailbox()->guest_ram_size))
		return false;
	ecam = first;
	return true;
}

/*
 * PCI configuration: no bus mastering without an IOMMU, because a device would reach the
 * hypervisor's memory; no device at the machine's own ports; the host bridge's registers decide
 * what is RAM, but for the place of the ECAM; the LPC bridge's move ports that we rely on.
 */
static bool filter_pci_data(struct port_access *a)
{
	uint32_t address = port_in(PCI_PORT_ADDRESS, 4);
	uint32_t device = address & PCI_DEVICE_MASK;
	unsigned int reg = (address & 0xfc) + (a->port - PCI_PORT_DATA);

	if (!(address & PCI_ENABLE))
		return true;
	if (device == iommu)
		return false;
	if (device == PCI_HOST_BRIDGE)
		return move_ecam(reg, a);
	if (device == PCI_LPC && (reg < LPC_PIRQ_FIRST || reg + a->size - 1 > LPC_PIRQ_LAST))
		return false;
	if (covers_own_ports(a, reg))
		return false;
	if (!iommu_exists())
		clear_config_bits(PCI_COMMAND, PCI_COMMAND_BUS_MASTER, reg, a->size, &a->value);
	return msi_config_write(device, reg, a->size, &a->value, a->v->current);
}

/*
 * The address is one of 32 bits, of which the lowest two are 0 (PCI Local Bus specification 3.0,
 * 3.2.2.3.2): QEMU adds them to the register, which then is another one than it was looked at as.
 */
bool chipset_pci_write(struct port_access *a)
{
	if (a->port >= PCI_PORT_DATA)
		return filter_pci_data(a);
	if (a->port == PCI_PORT_ADDRESS && a->size == 4) {
		a->value &= ~3u;
		return true;
	}
	if (a->port != PORT_RESET_CONTROL)
		return false;
	if (a->value & RESET_CONTROL_CPU)
		guest_reset(a);
	return false;
}

/* Makes what a device says of size bytes at reg what the guest sees. */
static void see_config(uint32_t device, unsigned int reg, unsigned int size, uint32_t *value)
{
	if (device == iommu)
		*value = size == 4 ? PCI_NOTHING : (1u << 8 * size) - 1;
	else
		msi_config_read(device, reg, size, value);
}

uint32_t chipset_pci_read(const struct port_access *a)
{
	uint32_t address = port_in(PCI_PORT_ADDRESS, 4);
	uint32_t value = port_in(a->port, a->size);

	if (a->port >= PCI_PORT_DATA && (address & PCI_ENABLE))
		see_config(address & PCI_DEVICE_MASK, (address & 0xfc) + (a->port - PCI_PORT_DATA),
			   a->size, &value);
	return value;
}

bool chipset_is_ecam(uint64_t gpa)
{
	return ecam && gpa >= ecam && gpa - ecam < ECAM_SIZE;
}

static uint32_t ecam_device(uint64_t gpa)
{
	return ((uint32_t)(gpa - ecam) & ~ECAM_REGISTER_MASK) >> (ECAM_BUS_SHIFT - 8);
}

uint64_t chipset_ecam_seen(uint64_t gpa, unsigned int size, uint64_t value)
{
	uint32_t reg = (uint32_t)(gpa - ecam) & ECAM_REGISTER_MASK;
	uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);

	if (reg >= CONFIG_SIZE)
		return ecam_device(gpa) == iommu ? ~0ull : value;
	see_config(ecam_device(gpa), reg, size < 4 ? size : 4, &low);
	if (size == 8)
		see_config(ecam_device(gpa), reg + 4, 4, &high);
	return (uint64_t)high << 32 | low;
}

/* What is behind the first 256 bytes of a function has no ports, and is not written. */
void chipset_ecam_write(struct vcpu *v, uint64_t gpa, unsigned int size, uint32_t value)
{
	uint32_t reg = (uint32_t)(gpa - ecam) & ECAM_REGISTER_MASK;
	uint32_t address = port_in(PCI_PORT_ADDRESS, 4);
	struct port_access a = {
		.v = v, .port = (uint16_t)(PCI_PORT_DATA + (reg & 3)), .size = size, .value = value
	};

	if (reg >= CONFIG_SIZE || size > 4)
		return;
	port_out(PCI_PORT_ADDRESS, 4, PCI_ENABLE | ecam_device(gpa) | (reg & ~3u));
	if (filter_pci_data(&a))
		port_out(a.port, a.size, a.value);
	port_out(PCI_PORT_ADDRESS, 4, address);
}
