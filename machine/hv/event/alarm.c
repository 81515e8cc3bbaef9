/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/alarm.h"

#include "machine/hv/event/pins.h"

/* Of the one board, for all vCPUs; by the hypervisor's lock. */
static bool status, enabled;

static void update_sci(struct vcpu *v)
{
	pins_set_line(v, ALARM_SCI_PIN, status && enabled);
}

static void set_status(struct vcpu *v, bool to)
{
	if (to == status)
		return;
	status = to;
	pins_listen(v, ALARM_PIN);
}

void alarm_interrupt(struct vcpu *v)
{
	set_status(v, true);
	update_sci(v);
}

uint16_t alarm_status(void)
{
	return status ? ALARM_BIT : 0;
}

void alarm_write(struct vcpu *v, uint16_t cleared, uint16_t enable)
{
	if (cleared & ALARM_BIT)
		set_status(v, false);
	enabled = enable & ALARM_BIT;
	update_sci(v);
}
