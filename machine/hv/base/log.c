/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/log.h"

#include "core/base/printf.h"
#include "machine/hv/base/counters.h"
#include "machine/hv/base/x86.h"

#define LOG_PATIENCE 10000000u
#define EXIT_CODE_STOP 0u /* QEMU ends with 2 * code + 1 */

static volatile int log_taken;
static volatile int stopping;

void hv_event(enum mailbox_event event)
{
	x86_fence();
	port_out(MACHINE_PORT_DOORBELL, 1, 'A' + event);
}

static void put(void *context, char c)
{
	struct mailbox *m = context;
	uint64_t head = m->log_head;

	m->log[head % MAILBOX_LOG_SIZE] = c;
	__atomic_store_n(&m->log_head, head + 1, __ATOMIC_RELEASE);
}

/* Gives up after a while: a line out of order is better than none when the holder crashed. */
static void log_lock(void)
{
	for (unsigned int i = 0; i < LOG_PATIENCE; i++) {
		if (!__atomic_exchange_n(&log_taken, 1, __ATOMIC_ACQUIRE))
			return;
		x86_pause();
	}
}

static void log_line(const char *fmt, va_list args)
{
	log_lock();
	printf_write(put, hv_mailbox(), fmt, args);
	put(hv_mailbox(), '\n');
	__atomic_store_n(&log_taken, 0, __ATOMIC_RELEASE);
	hv_event(MAILBOX_EVENT_LOG);
}

void hv_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(fmt, args);
	va_end(args);
}

_Noreturn void hv_stop(enum mailbox_stop reason, uint64_t arg0, uint64_t arg1, uint64_t arg2,
		       uint64_t arg3)
{
	struct mailbox *m = hv_mailbox();

	counters_publish();
	if (!__atomic_exchange_n(&stopping, 1, __ATOMIC_ACQ_REL)) {
		m->stop_arg[0] = arg0;
		m->stop_arg[1] = arg1;
		m->stop_arg[2] = arg2;
		m->stop_arg[3] = arg3;
		__atomic_store_n(&m->stop_reason, reason, __ATOMIC_RELEASE);
		hv_event(MAILBOX_EVENT_STOP);
		port_out(MACHINE_PORT_EXIT, 1, EXIT_CODE_STOP);
	}
	x86_halt_for_good();
}

_Noreturn void hv_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(fmt, args);
	va_end(args);
	hv_stop(MAILBOX_STOP_HV_ERROR, 0, 0, 0, 0);
}
