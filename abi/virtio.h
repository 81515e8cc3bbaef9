/* SPDX-License-Identifier: MIT */
/*
 * Virtio 1.2 as far as the machine has devices of it: the MMIO transport (4.2.2), split virtqueues
 * (2.7) and the block device (5.2). All numbers are little endian.
 */
#ifndef SOCLE_ABI_VIRTIO_H
#define SOCLE_ABI_VIRTIO_H

#include "abi/types.h"

/* Registers of the MMIO transport, 32 bits each. */
#define VIRTIO_REG_MAGIC 0x000u
#define VIRTIO_REG_VERSION 0x004u
#define VIRTIO_REG_DEVICE_ID 0x008u
#define VIRTIO_REG_VENDOR_ID 0x00cu
#define VIRTIO_REG_DEVICE_FEATURES 0x010u
#define VIRTIO_REG_DEVICE_FEATURES_SEL 0x014u
#define VIRTIO_REG_DRIVER_FEATURES 0x020u
#define VIRTIO_REG_DRIVER_FEATURES_SEL 0x024u
#define VIRTIO_REG_QUEUE_SEL 0x030u
#define VIRTIO_REG_QUEUE_SIZE_MAX 0x034u
#define VIRTIO_REG_QUEUE_SIZE 0x038u
#define VIRTIO_REG_QUEUE_READY 0x044u
#define VIRTIO_REG_QUEUE_NOTIFY 0x050u
#define VIRTIO_REG_INTERRUPT_STATUS 0x060u
#define VIRTIO_REG_INTERRUPT_ACK 0x064u
#define VIRTIO_REG_STATUS 0x070u
#define VIRTIO_REG_QUEUE_DESC_LOW 0x080u
#define VIRTIO_REG_QUEUE_DESC_HIGH 0x084u
#define VIRTIO_REG_QUEUE_DRIVER_LOW 0x090u
#define VIRTIO_REG_QUEUE_DRIVER_HIGH 0x094u
#define VIRTIO_REG_QUEUE_DEVICE_LOW 0x0a0u
#define VIRTIO_REG_QUEUE_DEVICE_HIGH 0x0a4u
#define VIRTIO_REG_SHM_LENGTH_LOW 0x0b0u
#define VIRTIO_REG_SHM_BASE_HIGH 0x0bcu
#define VIRTIO_REG_CONFIG_GENERATION 0x0fcu
#define VIRTIO_REG_CONFIG 0x100u

#define VIRTIO_MAGIC 0x74726976u /* "virt" */
#define VIRTIO_VERSION 2u
#define VIRTIO_DEVICE_BLOCK 2u

#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER 0x02u
#define VIRTIO_STATUS_DRIVER_OK 0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED 0x80u

#define VIRTIO_INTERRUPT_USED 0x1u
#define VIRTIO_INTERRUPT_CONFIG 0x2u

#define VIRTIO_FEATURE_VERSION_1 (1ull << 32)
#define VIRTIO_FEATURE_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_BLK_FEATURE_SIZE_MAX (1ull << 1)
#define VIRTIO_BLK_FEATURE_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_FEATURE_FLUSH (1ull << 9)

struct virtio_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags; /* VIRTIO_DESCRIPTOR_* */
	uint16_t next;
};
ABI_SIZE(struct virtio_descriptor, 16);
#define VIRTIO_DESCRIPTOR_NEXT 1u
#define VIRTIO_DESCRIPTOR_WRITE 2u
#define VIRTIO_DESCRIPTOR_INDIRECT 4u
#define VIRTIO_DESCRIPTOR_ALIGN 16u

/*
 * The driver's area: flags, index, and a ring of heads; the device's: the same, and a ring of
 * these.
 */
struct virtio_used {
	uint32_t head;
	uint32_t length; /* bytes that the device wrote */
};
ABI_SIZE(struct virtio_used, 8);
#define VIRTIO_AREA_INDEX 2u
#define VIRTIO_AREA_RING 4u
#define VIRTIO_DRIVER_AREA_ALIGN 2u
#define VIRTIO_DEVICE_AREA_ALIGN 4u

#define VIRTIO_BLK_SECTOR 512u
#define VIRTIO_BLK_ID_SIZE 20u

struct virtio_block_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max, seg_max;
};
ABI_SIZE(struct virtio_block_config, 16);

enum virtio_blk_type {
	VIRTIO_BLK_IN = 0,
	VIRTIO_BLK_OUT = 1,
	VIRTIO_BLK_FLUSH = 4,
	VIRTIO_BLK_GET_ID = 8,
};

/* A request: this, the data, and a byte of status that the device writes. */
struct virtio_blk_header {
	uint32_t type; /* enum virtio_blk_type */
	uint32_t reserved;
	uint64_t sector;
};
ABI_SIZE(struct virtio_blk_header, 16);

enum virtio_blk_status {
	VIRTIO_BLK_OK = 0,
	VIRTIO_BLK_IOERR = 1,
	VIRTIO_BLK_UNSUPP = 2,
};

#endif
