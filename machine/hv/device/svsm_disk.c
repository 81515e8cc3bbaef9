/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/svsm_disk.h"

#include <string.h>

#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/disk.h"
#include "machine/hv/device/virtio_blk.h"

#define FEATURES (VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_ACCESS_PLATFORM | VIRTIO_BLK_FEATURES)
#define VENDOR 0x6c636f53u /* "Socl" */
#define STATUS_OF_DRIVER                                                              \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | \
	 VIRTIO_STATUS_FAILED)
#define BROKEN_LOGGED 8u

struct device {
	uint32_t status, interrupt;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	struct virtqueue queue;
};

static struct device device;
static struct virtqueue_chain chain; /* that is served */
static bool busy;		     /* requests are served, and the big lock may be free */

/* Half of a number of 64 bits, high or low. */
static uint32_t half(uint64_t value, bool high)
{
	return (uint32_t)(high ? value >> 32 : value);
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	if (high)
		*value = (uint32_t)*value | (uint64_t)half << 32;
	else
		*value = (*value & ~0xffffffffull) | half;
}

static bool has_queue(void)
{
	return device.queue_sel == 0;
}

/* What never changes. */
static const struct {
	uint32_t offset, value;
} constants[] = {
	{ VIRTIO_REG_MAGIC, VIRTIO_MAGIC },
	{ VIRTIO_REG_VERSION, VIRTIO_VERSION },
	{ VIRTIO_REG_DEVICE_ID, VIRTIO_DEVICE_BLOCK },
	{ VIRTIO_REG_VENDOR_ID, VENDOR },
};

static uint32_t read_constant(uint32_t offset)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		if (constants[i].offset == offset)
			return constants[i].value;
	/* No shared memory has the length of all ones. */
	return offset >= VIRTIO_REG_SHM_LENGTH_LOW && offset <= VIRTIO_REG_SHM_BASE_HIGH
		       ? 0xffffffff
		       : 0;
}

static uint32_t read_register(uint32_t offset)
{
	switch (offset) {
	case VIRTIO_REG_DEVICE_FEATURES:
		return device.device_features_sel > 1
			       ? 0
			       : half(FEATURES, device.device_features_sel == 1);
	case VIRTIO_REG_QUEUE_SIZE_MAX:
		return has_queue() ? VIRTQUEUE_SIZE_MAX : 0;
	case VIRTIO_REG_QUEUE_READY:
		return has_queue() && device.queue.ready;
	case VIRTIO_REG_INTERRUPT_STATUS:
		return device.interrupt;
	case VIRTIO_REG_STATUS:
		return device.status;
	default:
		return read_constant(offset);
	}
}

/* There is no going on until the driver resets the device. */
static void break_down(const char *what)
{
	static unsigned int logged;

	device.status |= VIRTIO_STATUS_NEEDS_RESET;
	device.interrupt |= VIRTIO_INTERRUPT_CONFIG;
	if (logged < BROKEN_LOGGED)
		hv_log("the disk of VMPL0 needs a reset: %s", what);
	logged += logged < BROKEN_LOGGED;
}

static void serve_queue(void)
{
	unsigned int count;
	uint32_t written;

	if (!virtqueue_available(&device.queue, &count)) {
		break_down("no such number of requests");
		return;
	}
	while (count-- != 0) {
		if (!virtqueue_take(&device.queue, &chain)) {
			break_down("no chain of descriptors");
			return;
		}
		if (!virtio_blk_serve(&chain, &written) ||
		    !virtqueue_give(&device.queue, chain.head, written)) {
			break_down("no place for an answer");
			return;
		}
		device.interrupt |= VIRTIO_INTERRUPT_USED;
	}
}

static void notify(uint32_t queue)
{
	if (queue != 0 || !device.queue.ready || !(device.status & VIRTIO_STATUS_DRIVER_OK) ||
	    (device.status & VIRTIO_STATUS_NEEDS_RESET))
		return;
	busy = true;
	serve_queue();
	busy = false;
}

static void set_status(uint32_t value)
{
	uint32_t keep = device.status & (VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_FEATURES_OK);

	if (value == 0) {
		memset(&device, 0, sizeof(device));
		return;
	}
	if ((value & VIRTIO_STATUS_FEATURES_OK) && !(device.driver_features & ~FEATURES) &&
	    (device.driver_features & VIRTIO_FEATURE_VERSION_1))
		keep |= VIRTIO_STATUS_FEATURES_OK;
	if (!(keep & VIRTIO_STATUS_FEATURES_OK))
		value &= ~VIRTIO_STATUS_DRIVER_OK;
	device.status = keep | (value & STATUS_OF_DRIVER);
}

static void set_driver_features(uint32_t value)
{
	if (device.driver_features_sel <= 1)
		set_half(&device.driver_features, device.driver_features_sel == 1, value);
}

static void set_ready(uint32_t value)
{
	struct virtqueue *q = &device.queue;

	q->ready = (value & 1) && virtqueue_is_sound(q);
	q->next = 0;
	q->used = 0;
}

/* Registers of the queue that is selected; its places are fixed while it is ready. */
static void write_queue_register(uint32_t offset, uint32_t value)
{
	struct virtqueue *q = &device.queue;

	if (!has_queue())
		return;
	if (offset == VIRTIO_REG_QUEUE_READY && (value & 1) != q->ready)
		set_ready(value);
	if (offset == VIRTIO_REG_QUEUE_READY || q->ready)
		return;
	switch (offset) {
	case VIRTIO_REG_QUEUE_SIZE:
		q->size = value;
		return;
	case VIRTIO_REG_QUEUE_DESC_LOW:
	case VIRTIO_REG_QUEUE_DESC_HIGH:
		set_half(&q->descriptors, offset == VIRTIO_REG_QUEUE_DESC_HIGH, value);
		return;
	case VIRTIO_REG_QUEUE_DRIVER_LOW:
	case VIRTIO_REG_QUEUE_DRIVER_HIGH:
		set_half(&q->driver, offset == VIRTIO_REG_QUEUE_DRIVER_HIGH, value);
		return;
	case VIRTIO_REG_QUEUE_DEVICE_LOW:
	case VIRTIO_REG_QUEUE_DEVICE_HIGH:
		set_half(&q->device, offset == VIRTIO_REG_QUEUE_DEVICE_HIGH, value);
		return;
	default:
		return;
	}
}

static void write_register(uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_REG_DEVICE_FEATURES_SEL:
		device.device_features_sel = value;
		return;
	case VIRTIO_REG_DRIVER_FEATURES_SEL:
		device.driver_features_sel = value;
		return;
	case VIRTIO_REG_DRIVER_FEATURES:
		set_driver_features(value);
		return;
	case VIRTIO_REG_QUEUE_SEL:
		device.queue_sel = value;
		return;
	case VIRTIO_REG_QUEUE_NOTIFY:
		notify(value);
		return;
	case VIRTIO_REG_INTERRUPT_ACK:
		device.interrupt &= ~value;
		return;
	case VIRTIO_REG_STATUS:
		set_status(value);
		return;
	default:
		write_queue_register(offset, value);
		return;
	}
}

/* Any size; nothing in it is the driver's to write. */
static uint64_t read_config(uint32_t offset, unsigned int size)
{
	struct virtio_block_config config = virtio_blk_config();
	uint64_t value = 0;

	if (offset < sizeof(config))
		memcpy(&value, (const uint8_t *)&config + offset, size);
	return value;
}

/* Another vCPU's request may be under way: it is over first. */
static void wait_until_idle(void)
{
	while (busy) {
		hv_unlock();
		x86_pause();
		hv_lock();
	}
}

void svsm_disk_access(struct mmio_access *a)
{
	uint32_t offset = (uint32_t)(a->gpa % ABI_PAGE_SIZE);
	bool is_config = offset >= VIRTIO_REG_CONFIG;

	if (disk_sectors() == 0 || a->v->current != 0 || (!is_config && a->size != 4)) {
		a->value = ~0ull;
		return;
	}
	wait_until_idle();
	if (a->write && !is_config)
		write_register(offset, (uint32_t)a->value);
	else if (!a->write)
		a->value = is_config ? read_config(offset - VIRTIO_REG_CONFIG, a->size)
				     : read_register(offset);
}
