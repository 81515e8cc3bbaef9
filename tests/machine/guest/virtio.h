/* SPDX-License-Identifier: MIT */
/*
 * A virtio-blk device of QEMU's by PCI, polled (Virtio 1.2, 4.1 and 5.2). Rings and requests are in
 * shared pages of the test's.
 */
#ifndef SOCLE_TESTS_MACHINE_VIRTIO_H
#define SOCLE_TESTS_MACHINE_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_FUNCTION 0x1800u /* 00:03.0, where `socle run` puts the first disk */
#define VIRTIO_BAR 0xc0000000u
#define VIRTIO_STATUS_DRIVER_OK 0x0fu
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_NO_ANSWER 0xfeu

#define VIRTIO_READ 0u /* of the disk, into memory */
#define VIRTIO_WRITE 1u

/* Where the device gets its rings and requests: two pages from there on, which become shared. */
void virtio_place(uint64_t gpa);

/* Resets the device and starts it, with rings at these addresses; its status. */
uint8_t virtio_start_at(uint64_t descriptors, uint64_t available, uint64_t used);

/* The same with its rings in the place, all empty. */
uint8_t virtio_start(void);

/* Its status, and a write of it. */
uint8_t virtio_status(void);
void virtio_set_status(uint8_t status);

/* Asks for size bytes of data at gpa, to or from that sector, and does not wait. */
void virtio_ask(uint32_t type, uint64_t sector, uint64_t gpa, uint32_t size);

/* Whether an answer to the last one is there. */
bool virtio_answered(void);

/* Waits for the answer: the status of the request, or VIRTIO_NO_ANSWER. */
uint8_t virtio_wait(void);

/* Both. */
uint8_t virtio_request(uint32_t type, uint64_t sector, uint64_t gpa, uint32_t size);

/*
 * Between start and request: the queue's message, the first entry of the table for MSI-X (PCI Local
 * Bus specification 3.0, 6.8.2). It is what the device sends with each answer.
 */
void virtio_set_message(uint64_t address, uint32_t data);

/* Tells the device to look at its ring, again. */
void virtio_notify(void);

#endif
