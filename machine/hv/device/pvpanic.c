/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/pvpanic.h"

#include "machine/hv/base/log.h"

#define EVENT_PANICKED (1u << 0)

bool pvpanic_write(struct port_access *a)
{
	if (!(a->value & EVENT_PANICKED))
		return true;
	hv_log("VMPL%u of vCPU %u says that it panicked", a->v->current, a->v->id);
	hv_stop(MAILBOX_STOP_PANIC, a->v->current, 0, 0, 0);
}
