/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/ioio.h"

#include <string.h>

#include "machine/hv/base/port.h"
#include "machine/hv/device/chipset.h"
#include "machine/hv/device/hold.h"

struct port_range {
	uint16_t first, last;
	bool vmpl0_only;
};

/*
 * Left out on purpose: the doorbell (COM4) and the exit port, which are the hypervisor's; fw_cfg
 * DMA, ISA DMA and memory or PCI hot-plug, which would reach its memory; SMI control and APM.
 */
static const struct port_range ports[] = {
	{ 0x0020, 0x0021, false }, /* 8259 */
	{ 0x0040, 0x0043, false }, /* 8254 */
	{ 0x0060, 0x0061, false }, /* keyboard, speaker gate */
	{ 0x0064, 0x0064, false },
	{ 0x0070, 0x0077, false }, /* clock and CMOS */
	{ 0x0080, 0x0080, false }, /* POST code, used as a delay */
	{ 0x0092, 0x0092, false }, /* fast A20 */
	{ 0x00a0, 0x00a1, false }, /* second 8259 */
	{ MACHINE_PORT_DEBUG, MACHINE_PORT_DEBUG, true },
	{ 0x00ed, 0x00ed, false }, /* delay */
	{ MACHINE_PORT_CHANNEL, MACHINE_PORT_CHANNEL + 7, false },
	{ MACHINE_PORT_VMPL0, MACHINE_PORT_VMPL0 + 7, true },
	{ MACHINE_PORT_CONSOLE, MACHINE_PORT_CONSOLE + 7, false },
	{ 0x04d0, 0x04d1, false }, /* edge or level of the 8259s */
	{ 0x0510, 0x0511, false }, /* fw_cfg selector and data */
	{ CHIPSET_PM_BASE, CHIPSET_PM_TIMER + 3, false },
	{ CHIPSET_PM_BASE + 0x20, CHIPSET_PM_BASE + 0x2f, false }, /* general-purpose events */
	{ CHIPSET_PORT_PCI_ADDRESS, CHIPSET_PORT_PCI_DATA + 3, false },
	{ 0x1000, 0x5657, false }, /* PCI devices; 0x5658 is the VMware back door */
	{ 0x565c, 0xadff, false }, /* ICH9 PCI hot-plug is at 0xae00 */
	{ 0xb000, 0xffff, false },
};

static bool port_allowed(const struct vcpu *v, uint16_t port, unsigned int size)
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const struct port_range *r = &ports[i];

		if (port >= r->first && (uint32_t)port + size - 1 <= r->last)
			return !r->vmpl0_only || v->current == 0;
	}
	return false;
}

static bool is_hold(uint16_t port, unsigned int size)
{
	return port == MACHINE_PORT_HOLD && size == 1 && hold_exists();
}

static uint32_t guest_in(struct vcpu *v, uint16_t port, unsigned int size)
{
	if (is_hold(port, size))
		return hold_read();
	if (!port_allowed(v, port, size))
		return size == 4 ? 0xffffffff : (1u << 8 * size) - 1;
	return port_in(port, size);
}

static void guest_out(struct vcpu *v, uint16_t port, unsigned int size, uint32_t value)
{
	if (is_hold(port, size))
		hold_write(v, (uint8_t)value);
	if (!port_allowed(v, port, size))
		return;
	if (chipset_filter_write(v, port, size, &value))
		port_out(port, size, value);
}

static void string_io(struct ghcb_call *c, uint16_t port, unsigned int size)
{
	uint64_t count = c->info_1 & SVM_IOIO_REP ? c->info_2 : 1;
	uint8_t *data;

	if (count > ABI_PAGE_SIZE / size) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	data = ghcb_scratch(c, count * size);
	if (data == NULL)
		return;
	for (uint64_t i = 0; i < count; i++, data += size) {
		uint32_t value = 0;

		if (c->info_1 & SVM_IOIO_IN) {
			value = guest_in(c->v, port, size);
			memcpy(data, &value, size);
		} else {
			memcpy(&value, data, size);
			guest_out(c->v, port, size, value);
		}
	}
}

void ioport_exit(struct ghcb_call *c)
{
	uint16_t port = (uint16_t)(c->info_1 >> SVM_IOIO_PORT_SHIFT);
	unsigned int size = c->info_1 >> 4 & 7;
	uint64_t mask = size == 4 ? 0xffffffff : (1ull << 8 * size) - 1;

	if (size != 1 && size != 2 && size != 4) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (c->info_1 & SVM_IOIO_STRING) {
		string_io(c, port, size);
	} else if (c->info_1 & SVM_IOIO_IN) {
		/* Linux takes RAX as it is: bytes beyond the access stay what they were. */
		c->rax = (c->fields & GHCB_FIELD_RAX ? c->rax & ~mask : 0) |
			 guest_in(c->v, port, size);
		c->output |= GHCB_FIELD_RAX;
	} else if (c->fields & GHCB_FIELD_RAX) {
		guest_out(c->v, port, size, (uint32_t)c->rax);
	} else {
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
	}
}
