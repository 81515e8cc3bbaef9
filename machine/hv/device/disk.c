/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/disk.h"

#include "machine/hv/base/log.h"
#include "machine/hv/device/host_call.h"

_Static_assert(DISK_BUFFER_SIZE == sizeof(((struct mailbox *)0)->disk),
	       "the mailbox has the buffer");

uint64_t disk_sectors(void)
{
	return hv_mailbox()->disk_sectors;
}

uint8_t *disk_buffer(void)
{
	host_call_wait();
	return hv_mailbox()->disk;
}

static bool transfer(enum mailbox_request request, uint64_t sector, uint32_t size)
{
	struct mailbox *m = hv_mailbox();

	m->arg[0] = sector;
	m->arg[1] = size;
	return host_call(request) == 0;
}

bool disk_read(uint64_t sector, uint32_t size)
{
	return transfer(MAILBOX_REQ_DISK_READ, sector, size);
}

bool disk_write(uint64_t sector, uint32_t size)
{
	return transfer(MAILBOX_REQ_DISK_WRITE, sector, size);
}

bool disk_flush(void)
{
	host_call_wait();
	return transfer(MAILBOX_REQ_DISK_FLUSH, 0, 0);
}
