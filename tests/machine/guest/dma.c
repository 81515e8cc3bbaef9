/* SPDX-License-Identifier: MIT */
/*
 * A device of QEMU's reaches what the guest has made shared, and nothing else: what is private is
 * out of its reach (APM volume 2, 15.36.10: an IOMMU holds a device's accesses against the RMP),
 * also when it becomes so while a request is under way. Disk and delay are the test's
 * (dma_test.py): sector n holds bytes of 7 * n + 1, a request takes a second where another was
 * before it.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/virtio.h"

#define RINGS TEST_PAGE
#define DATA (TEST_PAGE + 0x2000)
#define OWN 0x11u
#define LATER 0x22u
#define SECTOR 512u

static uint8_t byte_of(uint64_t sector)
{
	return (uint8_t)(7 * sector + 1);
}

static bool holds(const volatile uint8_t *bytes, uint8_t byte, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte)
			return false;
	return true;
}

static void fill(volatile uint8_t *bytes, uint8_t byte)
{
	for (size_t i = 0; i < 4096; i++)
		bytes[i] = byte;
}

static void make_private(uint8_t byte)
{
	(void)page_make_private(DATA);
	check("  the page is private", pvalidate(DATA, 0, 1).eax, 0);
	fill(private_view(DATA), byte);
}

static void make_shared(void)
{
	(void)pvalidate(DATA, 0, 0);
	(void)page_make_shared(DATA);
	fill(shared_view(DATA), 0);
}

static void shared(const char *when)
{
	check(when, virtio_request(VIRTIO_READ, 3, DATA, SECTOR), 0);
	check("  the data are there", holds(shared_view(DATA), byte_of(3), SECTOR), 1);
}

static void private(void)
{
	make_private(OWN);
	/*
	 * QEMU may answer that all is well: it reads into a buffer of its own, and does not look
	 * further.
	 */
	(void)virtio_request(VIRTIO_READ, 4, DATA, SECTOR);
	check("private: nothing has changed", holds(private_view(DATA), OWN, 4096), 1);
	check("  the device starts again", virtio_start(), VIRTIO_STATUS_DRIVER_OK);
	(void)virtio_request(VIRTIO_WRITE, 8, DATA, SECTOR);
	check("private, to the disk: the device starts again", virtio_start(),
	      VIRTIO_STATUS_DRIVER_OK);
}

/* The request before it was just now, so that this one has to wait. */
static void under_way(void)
{
	virtio_ask(VIRTIO_READ, 5, DATA, SECTOR);
	make_private(LATER);
	check("made private while a request is under way", virtio_answered(), 0);
	check("  which ends", virtio_wait(), 0);
	check("  and nothing has changed", holds(private_view(DATA), LATER, 4096), 1);
	check("  the host's word for the page", pvalidate(DATA, 0, 0).eax, 0);
}

void test_main(void)
{
	virtio_place(RINGS);
	(void)page_make_shared(DATA);
	check("the device starts", virtio_start(), VIRTIO_STATUS_DRIVER_OK);
	shared("shared: an answer");
	private();
	make_shared();
	shared("shared again: an answer");
	under_way();
	(void)page_make_shared(DATA);
	shared("and shared again: an answer");
}
