/* SPDX-License-Identifier: MIT */
/* The block device of virtio 1.2, 5.2, over the machine's disk (disk.h). */
#ifndef SOCLE_MACHINE_HV_DEVICE_VIRTIO_BLK_H
#define SOCLE_MACHINE_HV_DEVICE_VIRTIO_BLK_H

#include "machine/hv/device/virtqueue.h"

#define VIRTIO_BLK_FEATURES \
	(VIRTIO_BLK_FEATURE_SIZE_MAX | VIRTIO_BLK_FEATURE_SEG_MAX | VIRTIO_BLK_FEATURE_FLUSH)

/* Its configuration space. */
struct virtio_block_config virtio_blk_config(void);

/*
 * Carries out a request, with the big lock free now and then, and writes its status. written
 * becomes the number of bytes that were written to the guest. False: the chain has no place for a
 * status.
 */
bool virtio_blk_serve(const struct virtqueue_chain *chain, uint32_t *written);

#endif
