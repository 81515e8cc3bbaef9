/* SPDX-License-Identifier: MIT */
/* The event loop: doorbells, consoles, signals, the end of QEMU. */
#include "machine/host/machine.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/host/clock.h"

#define NS_PER_MS 1000000u
#define STOP_GRACE_NS (5000ull * NS_PER_MS) /* between the stop event and QEMU's own end */

#define TICK_MS 1000

enum poll_slot { SLOT_SIGNAL = STREAM_COUNT, SLOT_QEMU, SLOT_KEYS, SLOT_COUNT };

static void note_event(struct machine *m, const char *name)
{
	if (timeline_event(&m->timeline, name)) {
		machine_log(m, "host", "%s", name);
		machine_say(m, "%s", name);
	}
}

/* The text of the hypervisor's log that came since the last time. */
static void drain_hv_log(struct machine *m)
{
	const struct mailbox *mailbox = m->memory.mailbox;
	uint64_t head = __atomic_load_n(&mailbox->log_head, __ATOMIC_ACQUIRE);

	if (head - m->hv_log_tail > MAILBOX_LOG_SIZE) {
		machine_log(m, "host", "the hypervisor's log ran over, some of it is lost");
		m->hv_log_tail = head - MAILBOX_LOG_SIZE;
	}
	while (m->hv_log_tail != head) {
		size_t at = m->hv_log_tail % MAILBOX_LOG_SIZE;
		uint64_t size = MAILBOX_LOG_SIZE - at;

		if (size > head - m->hv_log_tail)
			size = head - m->hv_log_tail;
		text_log_write(&m->hv_log, mailbox->log + at, size);
		m->hv_log_tail += size;
	}
}

/* Fills in the certificates; false when the caller offers too few pages for them. */
static bool give_certs(struct machine *m, struct mailbox *mailbox)
{
	size_t size = chain_cert_table(&m->chain, mailbox->certs, sizeof(mailbox->certs));
	uint64_t pages = (size + ABI_PAGE_SIZE - 1) / ABI_PAGE_SIZE;

	memset(mailbox->certs + size, 0, sizeof(mailbox->certs) - size);
	mailbox->certs_pages = pages;
	return pages <= mailbox->arg[1];
}

static uint64_t guest_request(struct machine *m, struct mailbox *mailbox)
{
	uint8_t request[ABI_PAGE_SIZE];
	enum psp_status status;

	if (mailbox->request == MAILBOX_REQ_EXT_GUEST_REQUEST && !give_certs(m, mailbox)) {
		machine_log(m, "psp", "certificates need %u pages, VMPL %u offers %u",
			    (unsigned int)mailbox->certs_pages, (unsigned int)mailbox->arg[0],
			    (unsigned int)mailbox->arg[1]);
		return (uint64_t)PSP_VMM_ERR_INVALID_LEN << 32;
	}
	memcpy(request, mailbox->request_page, sizeof(request));
	m->psp.tsc_factor = mailbox->tsc_factor;
	status = psp_guest_request(&m->psp, request, mailbox->response_page);
	machine_log(m, "psp", "guest request from VMPL %u: status 0x%x",
		    (unsigned int)mailbox->arg[0], status);
	return status;
}

static uint64_t disk_transfer(struct machine *m, const struct mailbox *mailbox)
{
	uint8_t *data = m->memory.mailbox->disk;
	int failure = EINVAL;

	if (mailbox->arg[1] <= sizeof(mailbox->disk))
		failure = disk_request(&m->disk, mailbox->request, mailbox->arg[0], mailbox->arg[1],
				       data);
	if (failure != 0)
		machine_log(m, "host", "%s: request %u of the disk, %llu bytes at sector %llu: %s",
			    m->options->svsm_disk ? m->options->svsm_disk : "no disk",
			    mailbox->request, (unsigned long long)mailbox->arg[1],
			    (unsigned long long)mailbox->arg[0], strerror(failure));
	return (uint64_t)failure;
}

static void serve_request(struct machine *m)
{
	struct mailbox *mailbox = m->memory.mailbox;

	if (__atomic_load_n(&mailbox->state, __ATOMIC_ACQUIRE) != MAILBOX_REQUEST)
		return;
	switch (mailbox->request) {
	case MAILBOX_REQ_GUEST_REQUEST:
	case MAILBOX_REQ_EXT_GUEST_REQUEST:
		mailbox->result = guest_request(m, mailbox);
		break;
	case MAILBOX_REQ_DISK_READ:
	case MAILBOX_REQ_DISK_WRITE:
	case MAILBOX_REQ_DISK_FLUSH:
		mailbox->result = disk_transfer(m, mailbox);
		break;
	default:
		machine_log(m, "host", "unknown request %u", mailbox->request);
		mailbox->result = PSP_INVALID_PARAM;
		break;
	}
	__atomic_store_n(&mailbox->state, MAILBOX_DONE, __ATOMIC_RELEASE);
}

static void doorbell(struct machine *m, uint8_t byte)
{
	switch (byte - 'A') {
	case MAILBOX_EVENT_REQUEST:
	case MAILBOX_EVENT_LOG:
		break;
	case MAILBOX_EVENT_VMPL0_ENTRY:
		note_event(m, "vmpl0_entry");
		break;
	case MAILBOX_EVENT_VMPL2_ENTRY:
		note_event(m, "vmpl2_entry");
		break;
	case MAILBOX_EVENT_STOP:
		note_event(m, "stop");
		break;
	default:
		machine_log(m, "host", "unknown doorbell 0x%02x", byte);
		break;
	}
	/* Looks at everything, whatever the byte says: one is lost when two CPUs ring at once. */
	serve_request(m);
	drain_hv_log(m);
}

static void take_bytes(struct machine *m, enum machine_stream stream, const char *data, size_t size)
{
	switch (stream) {
	case STREAM_CONSOLE:
		if (!m->options->log_dir)
			stdio_console_guest(&m->stdio, data, size);
		text_log_write(&m->console, data, size);
		break;
	case STREAM_DEBUG:
		text_log_write(&m->debug, data, size);
		break;
	case STREAM_OUTPUT:
		text_log_write(&m->output, data, size);
		break;
	default:
		for (size_t i = 0; i < size; i++)
			doorbell(m, (uint8_t)data[i]);
		break;
	}
}

/* Reads once; false when nothing is left to read for now. */
static bool read_stream(struct machine *m, enum machine_stream stream)
{
	char data[4096];
	ssize_t n;

	if (m->streams[stream] < 0)
		return false;
	n = read(m->streams[stream], data, sizeof(data));
	if (n > 0) {
		take_bytes(m, stream, data, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	close(m->streams[stream]);
	m->streams[stream] = -1;
	return false;
}

/* QEMU has ended: what it wrote before is still in the sockets. */
static void drain_streams(struct machine *m)
{
	for (unsigned int i = 0; i < STREAM_COUNT; i++) {
		while (read_stream(m, i))
			;
	}
	drain_hv_log(m);
	text_log_flush(&m->console);
	text_log_flush(&m->debug);
	text_log_flush(&m->output);
	text_log_flush(&m->hv_log);
}

/* The number of a signal that came, or 0. */
static int take_signal(struct machine *m)
{
	struct signalfd_siginfo info;

	if (read(m->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

/* A guest that takes none of many keys loses some. */
static void send_keys(struct machine *m, const char *keys, size_t size)
{
	ssize_t sent = send(m->streams[STREAM_CONSOLE], keys, size, MSG_NOSIGNAL);

	if (sent < 0)
		machine_log(m, "host", "%zu keys are lost: %s", size, strerror(errno));
	else if ((size_t)sent < size)
		machine_log(m, "host", "%zu keys are lost, the guest takes no more",
			    size - (size_t)sent);
}

/* Hands keys on to the guest; true when the user leaves. */
static bool take_keys(struct machine *m)
{
	char keys[256];
	ssize_t n = read(m->stdio.in, keys, sizeof(keys));
	size_t size = n > 0 ? (size_t)n : 0;

	if (n <= 0) { /* no more keys: the terminal has gone, or is another one's */
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			stdio_console_end_keys(&m->stdio);
		return false;
	}
	if (stdio_console_keys(&m->stdio, keys, &size))
		return true;
	if (m->streams[STREAM_CONSOLE] >= 0)
		send_keys(m, keys, size);
	return false;
}

/* Of all kinds and levels. */
static uint64_t exits_so_far(const struct mailbox *mailbox)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < MAILBOX_EXIT_KINDS; i++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			count += mailbox->exits[i].count[vmpl];
	}
	return count;
}

/* Milliseconds until deadline for poll(), rounded up; 0 is for no deadline. */
static int remaining_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_ns(), ms;

	if (deadline_ns == 0)
		return -1;
	if (now >= deadline_ns)
		return 0;
	ms = (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 1000000 ? 1000000 : (int)ms;
}

static void fill_poll(const struct machine *m, struct pollfd fds[SLOT_COUNT])
{
	for (unsigned int i = 0; i < STREAM_COUNT; i++)
		fds[i] = (struct pollfd){ .fd = m->streams[i], .events = POLLIN };
	fds[SLOT_SIGNAL] = (struct pollfd){ .fd = m->signal_fd, .events = POLLIN };
	fds[SLOT_QEMU] = (struct pollfd){ .fd = m->qemu.pidfd, .events = POLLIN };
	fds[SLOT_KEYS] = (struct pollfd){ .fd = m->stdio.in, .events = POLLIN };
}

static void ended(struct machine *m, int wait_status, struct stop *stop)
{
	drain_streams(m);
	if (m->memory.mailbox->stop_reason != MAILBOX_STOP_NONE)
		stop_from_mailbox(stop, m->memory.mailbox, m->last_debug);
	else
		stop_qemu_died(stop, wait_status, m->last_output);
}

static void kill_qemu(struct machine *m)
{
	qemu_kill(&m->qemu);
	drain_streams(m);
}

/* How long poll() waits. */
static int wait_ms(const struct machine *m, uint64_t deadline_ns)
{
	int ms = remaining_ms(deadline_ns);

	return stdio_console_ticks(&m->stdio) && (ms < 0 || ms > TICK_MS) ? TICK_MS : ms;
}

/* The machine gets until the end of options->timeout_ns, and a short while once it has stopped. */
static uint64_t deadline(const struct machine *m, uint64_t stopped_ns)
{
	if (stopped_ns != 0)
		return stopped_ns + STOP_GRACE_NS;
	if (m->options->timeout_ns == 0)
		return 0;
	return m->timeline.start_ns + m->options->timeout_ns;
}

static void timed_out(struct machine *m, struct stop *stop)
{
	kill_qemu(m);
	if (m->memory.mailbox->stop_reason != MAILBOX_STOP_NONE)
		stop_from_mailbox(stop, m->memory.mailbox, m->last_debug);
	else
		stop_timeout(stop, m->options->timeout_ns);
}

void machine_loop(struct machine *m, struct stop *stop)
{
	struct pollfd fds[SLOT_COUNT];
	uint64_t stopped_ns = 0;
	int signal;

	for (;;) {
		fill_poll(m, fds);
		if (poll(fds, SLOT_COUNT, wait_ms(m, deadline(m, stopped_ns))) < 0)
			continue;
		for (unsigned int i = 0; i < STREAM_COUNT; i++) {
			if (fds[i].revents)
				read_stream(m, i);
		}
		if (fds[SLOT_SIGNAL].revents && (signal = take_signal(m)) != 0) {
			kill_qemu(m);
			stop_interrupted(stop, signal);
			return;
		}
		if (fds[SLOT_KEYS].revents && take_keys(m)) {
			kill_qemu(m);
			stop_left(stop);
			return;
		}
		stdio_console_tick(&m->stdio, clock_ns(), exits_so_far(m->memory.mailbox));
		if (fds[SLOT_QEMU].revents) {
			ended(m, qemu_reap(&m->qemu), stop);
			return;
		}
		if (stopped_ns == 0 && m->memory.mailbox->stop_reason != MAILBOX_STOP_NONE)
			stopped_ns = clock_ns();
		if (remaining_ms(deadline(m, stopped_ns)) == 0) {
			timed_out(m, stop);
			return;
		}
	}
}
