/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue (virtio 1.2, 2.7) as its device sees it. All of it is in shared pages of the
 * guest, which may write anything there at any time: each descriptor is copied once, and then
 * checked.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_VIRTQUEUE_H
#define SOCLE_MACHINE_HV_DEVICE_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/virtio.h"

#define VIRTQUEUE_SIZE_MAX 128u

struct virtqueue {
	uint32_t size;			      /* a power of two, at most VIRTQUEUE_SIZE_MAX */
	uint64_t descriptors, driver, device; /* gPAs */
	bool ready;
	uint16_t next; /* index of the driver's area up to which the device has come */
	uint16_t used; /* and its own index */
};

struct virtqueue_piece {
	uint64_t gpa;
	uint32_t size;
};

/* A chain of descriptors: first what the device reads, then what it writes. */
struct virtqueue_chain {
	uint16_t head;
	unsigned int reads, count; /* pieces that it reads; all pieces */
	struct virtqueue_piece pieces[VIRTQUEUE_SIZE_MAX];
};

/* Whether size and places are such that the queue may become ready. */
bool virtqueue_is_sound(const struct virtqueue *q);

/*
 * How many chains the driver has made available since. False: no queue can have so many, or its
 * area is no shared memory.
 */
bool virtqueue_available(const struct virtqueue *q, unsigned int *count);

/*
 * Takes the next of them. False: what is there is no chain, and there is no going on with the
 * queue.
 */
bool virtqueue_take(struct virtqueue *q, struct virtqueue_chain *chain);

/* Gives it back with length bytes written. False: the device's area is no shared memory. */
bool virtqueue_give(struct virtqueue *q, uint16_t head, uint32_t length);

/* The bytes of a chain's pieces: those that the device reads, or those that it writes. */
uint64_t virtqueue_bytes(const struct virtqueue_chain *chain, bool writes);

/* Whether all pieces of a chain are shared memory, now. */
bool virtqueue_is_reachable(const struct virtqueue_chain *chain);

/*
 * Copies size bytes out of what the device reads, or into what it writes, from offset on. False
 * when the pieces end before, or one of them is no shared memory.
 */
bool virtqueue_read(const struct virtqueue_chain *chain, uint64_t offset, void *to, size_t size);
bool virtqueue_write(const struct virtqueue_chain *chain, uint64_t offset, const void *from,
		     size_t size);

#endif
