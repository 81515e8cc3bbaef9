/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/test_ports.h"

#include <string.h>

#include "machine/hv/base/log.h"

static uint8_t echo[4];

bool test_ports_exist(void)
{
	return hv_mailbox()->test_devices != 0;
}

uint32_t test_ports_echo(const struct port_access *a)
{
	uint32_t value = 0;

	memcpy(&value, echo + (a->port - MACHINE_PORT_ECHO), a->size);
	return value;
}

bool test_ports_keep(struct port_access *a)
{
	memcpy(echo + (a->port - MACHINE_PORT_ECHO), &a->value, a->size);
	return false;
}

uint32_t test_ports_exit_read(const struct port_access *a)
{
	(void)a;
	return 0;
}

bool test_ports_exit(struct port_access *a)
{
	uint32_t value = 0;

	memcpy(&value, &a->value, a->size);
	hv_log("VMPL%u of vCPU %u ends the machine with %x", a->v->current, a->v->id, value);
	hv_stop(MAILBOX_STOP_TEST_EXIT, a->v->current, value, 0, 0);
}
