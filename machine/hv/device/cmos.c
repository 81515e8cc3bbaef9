/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/cmos.h"

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/x86.h"

#define INDEX_MASK 0x7fu /* the other bit masks NMIs */
#define PROCESSORS 0x5fu /* less one */

static uint8_t index;

uint32_t cmos_read(const struct port_access *a)
{
	if (a->port == CMOS_PORT_DATA && a->size == 1 && index == PROCESSORS)
		return cpu_count() - 1;
	return port_in(a->port, a->size);
}

bool cmos_write(struct port_access *a)
{
	if (a->port == CMOS_PORT_INDEX)
		index = a->value & INDEX_MASK;
	return true;
}
