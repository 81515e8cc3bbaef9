/* SPDX-License-Identifier: MIT */
/*
 * The disk of VMPL0: transport, virtqueue and block device, as a driver that keeps to virtio 1.2
 * sees them, and one that does not. Linux's own headers are the other witness for each number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/device/disk.h"
#include "machine/hv/device/svsm_disk.h"
#include "machine/hv/device/virtqueue.h"
#include "machine/hv/memory/guest.h"

#define SAME(ours, theirs) _Static_assert((ours) == (theirs), #ours)

SAME(VIRTIO_REG_MAGIC, VIRTIO_MMIO_MAGIC_VALUE);
SAME(VIRTIO_REG_VERSION, VIRTIO_MMIO_VERSION);
SAME(VIRTIO_REG_DEVICE_ID, VIRTIO_MMIO_DEVICE_ID);
SAME(VIRTIO_REG_VENDOR_ID, VIRTIO_MMIO_VENDOR_ID);
SAME(VIRTIO_REG_DEVICE_FEATURES, VIRTIO_MMIO_DEVICE_FEATURES);
SAME(VIRTIO_REG_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DEVICE_FEATURES_SEL);
SAME(VIRTIO_REG_DRIVER_FEATURES, VIRTIO_MMIO_DRIVER_FEATURES);
SAME(VIRTIO_REG_DRIVER_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES_SEL);
SAME(VIRTIO_REG_QUEUE_SEL, VIRTIO_MMIO_QUEUE_SEL);
SAME(VIRTIO_REG_QUEUE_SIZE_MAX, VIRTIO_MMIO_QUEUE_NUM_MAX);
SAME(VIRTIO_REG_QUEUE_SIZE, VIRTIO_MMIO_QUEUE_NUM);
SAME(VIRTIO_REG_QUEUE_READY, VIRTIO_MMIO_QUEUE_READY);
SAME(VIRTIO_REG_QUEUE_NOTIFY, VIRTIO_MMIO_QUEUE_NOTIFY);
SAME(VIRTIO_REG_INTERRUPT_STATUS, VIRTIO_MMIO_INTERRUPT_STATUS);
SAME(VIRTIO_REG_INTERRUPT_ACK, VIRTIO_MMIO_INTERRUPT_ACK);
SAME(VIRTIO_REG_STATUS, VIRTIO_MMIO_STATUS);
SAME(VIRTIO_REG_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_LOW);
SAME(VIRTIO_REG_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_DESC_HIGH);
SAME(VIRTIO_REG_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_AVAIL_LOW);
SAME(VIRTIO_REG_QUEUE_DRIVER_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_HIGH);
SAME(VIRTIO_REG_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_USED_LOW);
SAME(VIRTIO_REG_QUEUE_DEVICE_HIGH, VIRTIO_MMIO_QUEUE_USED_HIGH);
SAME(VIRTIO_REG_SHM_LENGTH_LOW, VIRTIO_MMIO_SHM_LEN_LOW);
SAME(VIRTIO_REG_SHM_BASE_HIGH, VIRTIO_MMIO_SHM_BASE_HIGH);
SAME(VIRTIO_REG_CONFIG_GENERATION, VIRTIO_MMIO_CONFIG_GENERATION);
SAME(VIRTIO_REG_CONFIG, VIRTIO_MMIO_CONFIG);
SAME(VIRTIO_DEVICE_BLOCK, VIRTIO_ID_BLOCK);
SAME(VIRTIO_INTERRUPT_USED, VIRTIO_MMIO_INT_VRING);
SAME(VIRTIO_INTERRUPT_CONFIG, VIRTIO_MMIO_INT_CONFIG);
SAME(VIRTIO_STATUS_ACKNOWLEDGE, VIRTIO_CONFIG_S_ACKNOWLEDGE);
SAME(VIRTIO_STATUS_DRIVER, VIRTIO_CONFIG_S_DRIVER);
SAME(VIRTIO_STATUS_DRIVER_OK, VIRTIO_CONFIG_S_DRIVER_OK);
SAME(VIRTIO_STATUS_FEATURES_OK, VIRTIO_CONFIG_S_FEATURES_OK);
SAME(VIRTIO_STATUS_NEEDS_RESET, VIRTIO_CONFIG_S_NEEDS_RESET);
SAME(VIRTIO_STATUS_FAILED, VIRTIO_CONFIG_S_FAILED);
SAME(VIRTIO_FEATURE_VERSION_1, 1ull << VIRTIO_F_VERSION_1);
SAME(VIRTIO_FEATURE_ACCESS_PLATFORM, 1ull << VIRTIO_F_ACCESS_PLATFORM);
SAME(VIRTIO_BLK_FEATURE_SIZE_MAX, 1ull << VIRTIO_BLK_F_SIZE_MAX);
SAME(VIRTIO_BLK_FEATURE_SEG_MAX, 1ull << VIRTIO_BLK_F_SEG_MAX);
SAME(VIRTIO_BLK_FEATURE_FLUSH, 1ull << VIRTIO_BLK_F_FLUSH);
SAME(VIRTIO_DESCRIPTOR_NEXT, VRING_DESC_F_NEXT);
SAME(VIRTIO_DESCRIPTOR_WRITE, VRING_DESC_F_WRITE);
SAME(VIRTIO_DESCRIPTOR_INDIRECT, VRING_DESC_F_INDIRECT);
SAME(VIRTIO_DESCRIPTOR_ALIGN, VRING_DESC_ALIGN_SIZE);
SAME(VIRTIO_DRIVER_AREA_ALIGN, VRING_AVAIL_ALIGN_SIZE);
SAME(VIRTIO_DEVICE_AREA_ALIGN, VRING_USED_ALIGN_SIZE);
SAME(VIRTIO_AREA_INDEX, offsetof(struct vring_avail, idx));
SAME(VIRTIO_AREA_RING, offsetof(struct vring_used, ring));
SAME(sizeof(struct virtio_descriptor), sizeof(struct vring_desc));
SAME(offsetof(struct virtio_descriptor, flags), offsetof(struct vring_desc, flags));
SAME(offsetof(struct virtio_descriptor, next), offsetof(struct vring_desc, next));
SAME(sizeof(struct virtio_used), sizeof(struct vring_used_elem));
SAME(sizeof(struct virtio_blk_header), sizeof(struct virtio_blk_outhdr));
SAME(offsetof(struct virtio_blk_header, sector), offsetof(struct virtio_blk_outhdr, sector));
SAME(VIRTIO_BLK_IN, VIRTIO_BLK_T_IN);
SAME(VIRTIO_BLK_OUT, VIRTIO_BLK_T_OUT);
SAME(VIRTIO_BLK_GET_ID, VIRTIO_BLK_T_GET_ID);
SAME(VIRTIO_BLK_OK, VIRTIO_BLK_S_OK);
SAME(VIRTIO_BLK_IOERR, VIRTIO_BLK_S_IOERR);
SAME(VIRTIO_BLK_UNSUPP, VIRTIO_BLK_S_UNSUPP);
SAME(VIRTIO_BLK_ID_SIZE, VIRTIO_BLK_ID_BYTES);
SAME(VIRTIO_BLK_FLUSH, VIRTIO_BLK_T_FLUSH);

/* The guest's RAM: pages of which some are private. */
#define RAM_BASE 0x100000ull
#define RAM_PAGES 64u
#define PRIVATE_PAGE (RAM_BASE + 32 * ABI_PAGE_SIZE)
#define RAM_END (RAM_BASE + RAM_PAGES * ABI_PAGE_SIZE)

static uint8_t ram[RAM_PAGES * ABI_PAGE_SIZE] __attribute__((aligned(4096)));

static bool is_private(uint64_t gpa)
{
	return gpa / ABI_PAGE_SIZE == PRIVATE_PAGE / ABI_PAGE_SIZE;
}

void *guest_ptr(uint64_t gpa, size_t size, enum guest_side side)
{
	gpa &= ~HV_C_BIT;
	if (gpa < RAM_BASE || gpa >= RAM_END || size > ABI_PAGE_SIZE - gpa % ABI_PAGE_SIZE ||
	    is_private(gpa) != (side == GUEST_PRIVATE))
		return NULL;
	return ram + (gpa - RAM_BASE);
}

bool guest_read_shared(uint64_t gpa, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const uint8_t *at = guest_ptr(gpa + i, 1, GUEST_SHARED);

		if (!at)
			return false;
		((uint8_t *)to)[i] = *at;
	}
	return true;
}

bool guest_write_shared(uint64_t gpa, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t *at = guest_ptr(gpa + i, 1, GUEST_SHARED);

		if (!at)
			return false;
		*at = ((const uint8_t *)from)[i];
	}
	return true;
}

void hv_log(const char *fmt, ...)
{
	(void)fmt;
}

void hv_lock(void)
{
}

void hv_unlock(void)
{
}

/* The disk behind it. */
#define SECTORS 512u

static uint8_t disk[SECTORS * VIRTIO_BLK_SECTOR], buffer[DISK_BUFFER_SIZE];
static uint64_t sectors = SECTORS;
static unsigned int flushes, transfers;
static bool disk_fails;

uint64_t disk_sectors(void)
{
	return sectors;
}

uint8_t *disk_buffer(void)
{
	return buffer;
}

static void check_transfer(uint64_t sector, uint32_t size)
{
	transfers++;
	assert_true(size != 0 && size <= DISK_BUFFER_SIZE && size % VIRTIO_BLK_SECTOR == 0);
	assert_true(sector < SECTORS && size / VIRTIO_BLK_SECTOR <= SECTORS - sector);
}

bool disk_read(uint64_t sector, uint32_t size)
{
	check_transfer(sector, size);
	memcpy(buffer, disk + sector * VIRTIO_BLK_SECTOR, size);
	return !disk_fails;
}

bool disk_write(uint64_t sector, uint32_t size)
{
	check_transfer(sector, size);
	if (!disk_fails)
		memcpy(disk + sector * VIRTIO_BLK_SECTOR, buffer, size);
	return !disk_fails;
}

bool disk_flush(void)
{
	flushes++;
	return !disk_fails;
}

/* The driver. */
#define DESCRIPTORS RAM_BASE
#define DRIVER_AREA (RAM_BASE + ABI_PAGE_SIZE)
#define DEVICE_AREA (RAM_BASE + 2 * ABI_PAGE_SIZE)
#define HEADER (RAM_BASE + 3 * ABI_PAGE_SIZE)
#define STATUS (HEADER + 64)
#define DATA (RAM_BASE + 4 * ABI_PAGE_SIZE)
#define DATA_MAX (16u * ABI_PAGE_SIZE)
#define QUEUE_SIZE 8u

static struct vcpu vcpu;

static uint64_t access_of(uint32_t offset, unsigned int size, bool write, uint64_t value)
{
	struct mmio_access a = { .v = &vcpu,
				 .gpa = MACHINE_SVSM_DISK + offset,
				 .size = size,
				 .write = write,
				 .value = value };

	svsm_disk_access(&a);
	return a.value;
}

static uint32_t get(uint32_t reg)
{
	return (uint32_t)access_of(reg, 4, false, 0);
}

static void set(uint32_t reg, uint32_t value)
{
	(void)access_of(reg, 4, true, value);
}

static void *at(uint64_t gpa)
{
	return ram + (gpa - RAM_BASE);
}

static void set_features(uint64_t features)
{
	for (uint32_t i = 0; i < 2; i++) {
		set(VIRTIO_REG_DRIVER_FEATURES_SEL, i);
		set(VIRTIO_REG_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
}

static void set_places(uint64_t descriptors, uint64_t driver, uint64_t device)
{
	set(VIRTIO_REG_QUEUE_DESC_LOW, (uint32_t)descriptors);
	set(VIRTIO_REG_QUEUE_DESC_HIGH, (uint32_t)(descriptors >> 32));
	set(VIRTIO_REG_QUEUE_DRIVER_LOW, (uint32_t)driver);
	set(VIRTIO_REG_QUEUE_DRIVER_HIGH, (uint32_t)(driver >> 32));
	set(VIRTIO_REG_QUEUE_DEVICE_LOW, (uint32_t)device);
	set(VIRTIO_REG_QUEUE_DEVICE_HIGH, (uint32_t)(device >> 32));
}

/* To DRIVER_OK, by 3.1.1 of the specification, with a queue at these places. */
static void start_with(uint64_t descriptors, uint64_t driver, uint64_t device)
{
	set(VIRTIO_REG_STATUS, 0);
	set(VIRTIO_REG_STATUS, 3);
	set_features(VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_ACCESS_PLATFORM |
		     VIRTIO_BLK_FEATURE_FLUSH);
	set(VIRTIO_REG_STATUS, 0xb);
	set(VIRTIO_REG_QUEUE_SEL, 0);
	set(VIRTIO_REG_QUEUE_SIZE, QUEUE_SIZE);
	set_places(descriptors, driver, device);
	set(VIRTIO_REG_QUEUE_READY, 1);
	set(VIRTIO_REG_STATUS, 0xf);
}

static void start(void)
{
	start_with(DESCRIPTORS, DRIVER_AREA, DEVICE_AREA);
	assert_int_equal(get(VIRTIO_REG_STATUS), 0xf);
	assert_int_equal(get(VIRTIO_REG_QUEUE_READY), 1);
}

static void put_descriptor(unsigned int n, uint64_t gpa, uint32_t size, uint16_t flags,
			   uint16_t next)
{
	const struct vring_desc d = { .addr = gpa, .len = size, .flags = flags, .next = next };

	memcpy((uint8_t *)at(DESCRIPTORS) + n * sizeof(d), &d, sizeof(d));
}

static void put_header(uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr header = { .type = type, .sector = sector };

	memcpy(at(HEADER), &header, sizeof(header));
}

/* Header, data and status in three descriptors. */
static void put_request(uint32_t type, uint64_t sector, uint64_t data, uint32_t size)
{
	bool in = type != VIRTIO_BLK_T_OUT;

	put_header(type, sector);
	put_descriptor(0, HEADER, 16, VRING_DESC_F_NEXT, 1);
	put_descriptor(1, data, size, VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0), 2);
	put_descriptor(2, STATUS, 1, VRING_DESC_F_WRITE, 0);
	*(uint8_t *)at(STATUS) = 0xee;
}

static uint16_t *words(uint64_t gpa)
{
	return at(gpa);
}

static void announce(uint16_t head)
{
	uint16_t *area = words(DRIVER_AREA);

	area[2 + area[1] % QUEUE_SIZE] = head;
	area[1]++;
	set(VIRTIO_REG_QUEUE_NOTIFY, 0);
}

/* The status of a request that came back, alone, with that length. */
static uint8_t answered(uint32_t length)
{
	uint16_t used = words(DEVICE_AREA)[1];
	const struct vring_used_elem *last =
		(const struct vring_used_elem *)((uint8_t *)at(DEVICE_AREA) + 4) +
		(uint16_t)(used - 1) % QUEUE_SIZE;

	assert_int_equal(used, words(DRIVER_AREA)[1]);
	assert_int_equal(last->id, 0);
	assert_int_equal(last->len, length);
	assert_int_equal(get(VIRTIO_REG_STATUS), 0xf);
	return *(uint8_t *)at(STATUS);
}

static int set_up(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	memset(ram + (PRIVATE_PAGE - RAM_BASE), 0x77, ABI_PAGE_SIZE);
	for (size_t i = 0; i < sizeof(disk); i++)
		disk[i] = (uint8_t)(i / VIRTIO_BLK_SECTOR * 7 + i);
	vcpu.current = 0;
	sectors = SECTORS;
	disk_fails = false;
	transfers = 0;
	flushes = 0;
	set(VIRTIO_REG_STATUS, 0);
	return 0;
}

static void assert_broken(void)
{
	assert_int_equal(get(VIRTIO_REG_STATUS) & 0x40, 0x40);
	assert_int_equal(get(VIRTIO_REG_INTERRUPT_STATUS) & 2, 2);
	assert_int_equal(transfers, 0);
	for (unsigned int i = 0; i < ABI_PAGE_SIZE; i++)
		assert_int_equal(ram[PRIVATE_PAGE - RAM_BASE + i], 0x77);
	/* Nothing more happens until the reset. */
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(*(uint8_t *)at(STATUS), 0xee);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(get(0x000), 0x74726976);
	assert_int_equal(get(0x004), 2);
	assert_int_equal(get(0x008), 2);
	assert_int_equal(get(0x0b0), 0xffffffff);
	assert_int_equal(get(0x0bc), 0xffffffff);
	assert_int_equal(get(0x0fc), 0);
	assert_int_equal(access_of(0x100, 8, false, 0), SECTORS);
	assert_int_equal(access_of(0x100, 2, false, 0), SECTORS);
	assert_int_equal(access_of(0x101, 1, false, 0), SECTORS >> 8);
	assert_int_equal(access_of(0x108, 4, false, 0), 65536);
	assert_int_equal(access_of(0x10c, 4, false, 0), 16);
	assert_int_equal(access_of(0x110, 4, false, 0), 0);
	assert_int_equal(access_of(0xffc, 4, false, 0), 0);
	set(0x100, 1);
	assert_int_equal(access_of(0x100, 8, false, 0), SECTORS);
}

/* Control registers are for accesses of 32 bits, VMPL0, and a machine that has the disk. */
static void test_absent(void **state)
{
	(void)state;
	assert_int_equal(access_of(0x000, 1, false, 0), ~0ull);
	assert_int_equal(access_of(0x070, 2, false, 0), ~0ull);
	assert_int_equal(access_of(0x0a0, 8, false, 0), ~0ull);
	(void)access_of(0x070, 1, true, 3);
	(void)access_of(0x070, 8, true, 3);
	assert_int_equal(get(0x070), 0);
	for (vcpu.current = 1; vcpu.current < 4; vcpu.current++) {
		assert_int_equal(get(0x000), 0xffffffff);
		assert_int_equal(access_of(0x100, 8, false, 0), ~0ull);
		set(0x070, 3);
	}
	vcpu.current = 0;
	assert_int_equal(get(0x070), 0);
	sectors = 0;
	assert_int_equal(get(0x000), 0xffffffff);
	set(0x070, 3);
	sectors = SECTORS;
	assert_int_equal(get(0x070), 0);
}

static void test_features(void **state)
{
	(void)state;
	set(VIRTIO_REG_DEVICE_FEATURES_SEL, 0);
	assert_int_equal(get(VIRTIO_REG_DEVICE_FEATURES), 1u << 1 | 1u << 2 | 1u << 9);
	set(VIRTIO_REG_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(get(VIRTIO_REG_DEVICE_FEATURES), 3);
	set(VIRTIO_REG_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(get(VIRTIO_REG_DEVICE_FEATURES), 0);
	/* Legacy drivers, and features that were not offered, are refused. */
	set_features(VIRTIO_BLK_FEATURE_FLUSH);
	set(VIRTIO_REG_STATUS, 0xf);
	assert_int_equal(get(VIRTIO_REG_STATUS), 3);
	set_features(VIRTIO_FEATURE_VERSION_1 | 1ull << 28);
	set(VIRTIO_REG_STATUS, 0xb);
	assert_int_equal(get(VIRTIO_REG_STATUS), 3);
	set_features(VIRTIO_FEATURE_VERSION_1);
	set(VIRTIO_REG_STATUS, 0xb);
	assert_int_equal(get(VIRTIO_REG_STATUS), 0xb);
	/* What was agreed on stays. */
	set_features(0);
	set(VIRTIO_REG_STATUS, 0xf);
	assert_int_equal(get(VIRTIO_REG_STATUS), 0xf);
	set(VIRTIO_REG_STATUS, 0x30);
	assert_int_equal(get(VIRTIO_REG_STATUS), 8);
}

static void test_queue_registers(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t descriptors, driver, device;
		bool ready;
	} rows[] = {
		{ 8, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, true },
		{ 1, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, true },
		{ 128, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, true },
		{ 0, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, false },
		{ 3, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, false },
		{ 256, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, false },
		{ 0x80000000, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, false },
		{ 0xffffffff, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA, false },
		{ 8, DESCRIPTORS + 8, DRIVER_AREA, DEVICE_AREA, false },
		{ 8, DESCRIPTORS, DRIVER_AREA + 1, DEVICE_AREA, false },
		{ 8, DESCRIPTORS, DRIVER_AREA, DEVICE_AREA + 2, false },
		{ 8, DESCRIPTORS | HV_C_BIT, DRIVER_AREA, DEVICE_AREA, false },
		{ 8, DESCRIPTORS, DRIVER_AREA | HV_C_BIT, DEVICE_AREA, false },
		{ 8, DESCRIPTORS, DRIVER_AREA, ~0ull << 12, false },
		{ 8, HV_C_BIT - 16, DRIVER_AREA, DEVICE_AREA, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set(VIRTIO_REG_STATUS, 0);
		set(VIRTIO_REG_QUEUE_SIZE, rows[i].size);
		set_places(rows[i].descriptors, rows[i].driver, rows[i].device);
		set(VIRTIO_REG_QUEUE_READY, 1);
		assert_int_equal(get(VIRTIO_REG_QUEUE_READY), rows[i].ready);
	}
	assert_int_equal(get(VIRTIO_REG_QUEUE_SIZE_MAX), 128);
	set(VIRTIO_REG_QUEUE_SEL, 1);
	assert_int_equal(get(VIRTIO_REG_QUEUE_SIZE_MAX), 0);
	set(VIRTIO_REG_QUEUE_READY, 1);
	assert_int_equal(get(VIRTIO_REG_QUEUE_READY), 0);
}

/* Places of a queue that is ready stay. */
static void test_queue_is_fixed(void **state)
{
	(void)state;
	start();
	set(VIRTIO_REG_QUEUE_SIZE, 3);
	set_places(1, 1, 1);
	set(VIRTIO_REG_QUEUE_READY, 1);
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(513), 0);
	set(VIRTIO_REG_QUEUE_READY, 0);
	assert_int_equal(get(VIRTIO_REG_QUEUE_READY), 0);
	announce(0);
	assert_int_equal(words(DEVICE_AREA)[1], 1);
}

static void test_read(void **state)
{
	(void)state;
	start();
	put_request(VIRTIO_BLK_T_IN, 5, DATA, 1024);
	announce(0);
	assert_int_equal(answered(1025), 0);
	assert_memory_equal(at(DATA), disk + 5 * 512, 1024);
	assert_int_equal(*((uint8_t *)at(DATA) + 1024), 0);
	assert_int_equal(get(VIRTIO_REG_INTERRUPT_STATUS), 1);
	set(VIRTIO_REG_INTERRUPT_ACK, 1);
	assert_int_equal(get(VIRTIO_REG_INTERRUPT_STATUS), 0);
	/* The last sector, and all that fits the buffer at once or takes two. */
	put_request(VIRTIO_BLK_T_IN, SECTORS - 1, DATA, 512);
	announce(0);
	assert_int_equal(answered(513), 0);
	put_request(VIRTIO_BLK_T_IN, 3, DATA, DATA_MAX);
	put_descriptor(1, DATA, DATA_MAX, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3);
	put_descriptor(3, DATA + DATA_MAX, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	transfers = 0;
	announce(0);
	assert_int_equal(answered(DATA_MAX + 513), 0);
	assert_int_equal(transfers, 2);
	assert_memory_equal(at(DATA), disk + 3 * 512, DATA_MAX + 512);
	/* No sector at all is fine, too. */
	put_request(VIRTIO_BLK_T_IN, SECTORS, DATA, 0);
	announce(0);
	assert_int_equal(answered(1), 0);
}

static void test_write(void **state)
{
	(void)state;
	start();
	memset(at(DATA), 0xa5, 2048);
	put_request(VIRTIO_BLK_T_OUT, 9, DATA, 1024);
	announce(0);
	assert_int_equal(answered(1), 0);
	assert_int_equal(disk[9 * 512], 0xa5);
	assert_int_equal(disk[11 * 512 - 1], 0xa5);
	assert_int_equal(disk[11 * 512], (uint8_t)(11 * 7));
	assert_int_equal(disk[9 * 512 - 1], (uint8_t)(8 * 7 + 511));
	/* Data in pieces of any size, with the header's end among them (2.7.4, 5.2.6). */
	memset(at(DATA), 0x5a, 2048);
	put_header(VIRTIO_BLK_T_OUT, 20);
	memcpy(at(DATA - 4), (uint8_t *)at(HEADER) + 12, 4);
	put_descriptor(0, HEADER, 12, VRING_DESC_F_NEXT, 4);
	put_descriptor(4, DATA - 4, 5, VRING_DESC_F_NEXT, 5);
	put_descriptor(5, DATA + 1, 511, VRING_DESC_F_NEXT, 2);
	announce(0);
	assert_int_equal(answered(1), 0);
	assert_int_equal(disk[20 * 512], 0x5a);
	assert_int_equal(disk[21 * 512 - 1], 0x5a);
	put_request(VIRTIO_BLK_T_FLUSH, 0, DATA, 0);
	announce(0);
	assert_int_equal(answered(1), 0);
	assert_int_equal(flushes, 1);
	/* What takes the buffer twice. */
	memset(at(DATA), 0x3c, DATA_MAX);
	memset(at(DATA + DATA_MAX), 0xc3, 512);
	put_request(VIRTIO_BLK_T_OUT, 30, DATA, DATA_MAX + 512);
	announce(0);
	assert_int_equal(answered(1), 0);
	assert_int_equal(disk[30 * 512], 0x3c);
	assert_int_equal(disk[158 * 512 - 1], 0x3c);
	assert_int_equal(disk[158 * 512], 0xc3);
	assert_int_equal(disk[159 * 512 - 1], 0xc3);
	assert_int_equal(disk[159 * 512], (uint8_t)(159 * 7));
}

static void test_other_requests(void **state)
{
	(void)state;
	start();
	put_request(VIRTIO_BLK_T_GET_ID, 0, DATA, 20);
	announce(0);
	assert_int_equal(answered(21), 0);
	assert_string_equal(at(DATA), "svsm-disk");
	put_request(VIRTIO_BLK_T_GET_ID, 0, DATA, 21);
	announce(0);
	assert_int_equal(answered(1), 1);
	put_request(VIRTIO_BLK_T_DISCARD, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(1), 2);
	put_request(0xffffffff, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(1), 2);
	disk_fails = true;
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(1), 1);
	put_request(VIRTIO_BLK_T_OUT, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(1), 1);
	put_request(VIRTIO_BLK_T_FLUSH, 0, DATA, 0);
	announce(0);
	assert_int_equal(answered(1), 1);
}

/* Several at once, over the end of the rings, and of the indices. */
static void test_many(void **state)
{
	(void)state;
	start();
	for (unsigned int i = 0; i < 0x10005; i++) {
		put_request(VIRTIO_BLK_T_IN, i % SECTORS, DATA, 512);
		announce(0);
	}
	assert_int_equal(answered(513), 0);
	assert_memory_equal(at(DATA), disk + 0x10004 % SECTORS * 512, 512);
	words(DRIVER_AREA)[1] = (uint16_t)(words(DRIVER_AREA)[1] + QUEUE_SIZE);
	for (unsigned int i = 0; i < QUEUE_SIZE; i++)
		words(DRIVER_AREA)[2 + i] = 0;
	transfers = 0;
	set(VIRTIO_REG_QUEUE_NOTIFY, 0);
	assert_int_equal(transfers, QUEUE_SIZE);
	assert_int_equal(answered(513), 0);
	words(DRIVER_AREA)[1]++;
	set(VIRTIO_REG_QUEUE_NOTIFY, 1);
	assert_int_equal(transfers, QUEUE_SIZE);
}

/* A driver that has not said that it is ready, and one that begins again with the queue alone. */
static void test_order(void **state)
{
	(void)state;
	start();
	set(VIRTIO_REG_STATUS, 0xb);
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(transfers, 0);
	set(VIRTIO_REG_STATUS, 0xf);
	set(VIRTIO_REG_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(513), 0);
	set(VIRTIO_REG_QUEUE_READY, 1); /* it is */
	transfers = 0;
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(transfers, 1);
	assert_int_equal(answered(513), 0);
	assert_int_equal(words(DEVICE_AREA)[1], 2);
	set(VIRTIO_REG_QUEUE_READY, 0);
	words(DRIVER_AREA)[1] = 0;
	words(DEVICE_AREA)[1] = 0;
	set(VIRTIO_REG_QUEUE_SEL, 1); /* another queue's registers are not this one's */
	set(VIRTIO_REG_QUEUE_SIZE, 3);
	set_places(1, 1, 1);
	set(VIRTIO_REG_QUEUE_SEL, 0);
	set(VIRTIO_REG_QUEUE_READY, 1);
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(513), 0);
	assert_int_equal(words(DEVICE_AREA)[1], 1);
	/* One cause of an interrupt is acknowledged, and the other stays. */
	words(DRIVER_AREA)[1] = QUEUE_SIZE + 2;
	set(VIRTIO_REG_QUEUE_NOTIFY, 0);
	assert_int_equal(get(VIRTIO_REG_INTERRUPT_STATUS), 3);
	set(VIRTIO_REG_INTERRUPT_ACK, 1);
	assert_int_equal(get(VIRTIO_REG_INTERRUPT_STATUS), 2);
}

/* Requests with bad data: an error each, nothing moved, and the device goes on. */
static void test_bad_requests(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector, data;
		uint32_t size;
	} rows[] = {
		{ VIRTIO_BLK_T_IN, SECTORS, DATA, 512 },
		{ VIRTIO_BLK_T_IN, SECTORS - 1, DATA, 1024 },
		{ VIRTIO_BLK_T_IN, ~0ull, DATA, 512 },
		{ VIRTIO_BLK_T_IN, 1ull << 55, DATA, 512 },
		{ VIRTIO_BLK_T_IN, 0, DATA, 511 },
		{ VIRTIO_BLK_T_IN, 0, DATA, 0xfffffe00 },
		{ VIRTIO_BLK_T_IN, 0, PRIVATE_PAGE, 512 },
		{ VIRTIO_BLK_T_IN, 0, PRIVATE_PAGE - 256, 512 },
		{ VIRTIO_BLK_T_IN, 0, RAM_END - 256, 512 },
		{ VIRTIO_BLK_T_IN, 0, 0, 512 },
		{ VIRTIO_BLK_T_IN, 0, MACHINE_HV_BASE, 512 },
		{ VIRTIO_BLK_T_IN, 0, MACHINE_4G - 4096, 512 },
		{ VIRTIO_BLK_T_OUT, SECTORS, DATA, 512 },
		{ VIRTIO_BLK_T_OUT, ~0ull - 1, DATA, 1024 },
		{ VIRTIO_BLK_T_OUT, 0, DATA, 1 },
		{ VIRTIO_BLK_T_OUT, 0, PRIVATE_PAGE, 512 },
		{ VIRTIO_BLK_T_OUT, 0, PRIVATE_PAGE - 512, 1024 },
		{ VIRTIO_BLK_T_OUT, 0, MACHINE_HV_BASE, 512 },
		{ VIRTIO_BLK_T_OUT, 0, RAM_END - 512, 1024 },
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_request(rows[i].type, rows[i].sector, rows[i].data, rows[i].size);
		announce(0);
		assert_int_equal(answered(1), 1);
		assert_int_equal(transfers, 0);
	}
	/* A piece that is bad behind more than goes at once. */
	put_request(VIRTIO_BLK_T_OUT, 0, DATA, DATA_MAX);
	put_descriptor(1, DATA, DATA_MAX, VRING_DESC_F_NEXT, 3);
	put_descriptor(3, PRIVATE_PAGE, 512, VRING_DESC_F_NEXT, 2);
	announce(0);
	assert_int_equal(answered(1), 1);
	assert_int_equal(transfers, 0);
	/* A header that is cut off. */
	put_request(VIRTIO_BLK_T_OUT, 0, DATA, 0);
	put_descriptor(0, HEADER, 15, VRING_DESC_F_NEXT, 2);
	announce(0);
	assert_int_equal(answered(1), 1);
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(513), 0);
}

/* More than 1 MiB, in pieces that may be, on a disk that has so much. */
static void test_too_long(void **state)
{
	const uint16_t flags = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE;

	(void)state;
	start();
	set(VIRTIO_REG_QUEUE_READY, 0);
	set(VIRTIO_REG_QUEUE_SIZE, 32);
	set(VIRTIO_REG_QUEUE_READY, 1);
	put_request(VIRTIO_BLK_T_IN, 0, DATA, DATA_MAX);
	put_descriptor(1, DATA, DATA_MAX, flags, 3);
	for (uint16_t i = 3; i < 19; i++)
		put_descriptor(i, DATA, DATA_MAX, flags, (uint16_t)(i + 1));
	put_descriptor(19, STATUS, 1, VRING_DESC_F_WRITE, 0);
	sectors = 1u << 20;
	announce(0);
	assert_int_equal(answered(1), 1);
	assert_int_equal(transfers, 0);
}

static void assert_chain_broken(void)
{
	announce(0);
	assert_broken();
}

/* Chains that are none: the device stops, and a reset brings it back. */
static void test_broken_chains(void **state)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE;

	(void)state;
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(QUEUE_SIZE, HEADER, 16, next, 1); /* a good one, but not the table's */
	announce(QUEUE_SIZE);
	assert_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(2, STATUS, 1, write | next, QUEUE_SIZE);
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(2, STATUS, 1, write | next, 1); /* around and around */
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(1, DATA, 512, next | write | VRING_DESC_F_INDIRECT, 2);
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(1, DATA, 512, next | write, 3);
	put_descriptor(3, HEADER, 16, next, 2); /* to read, after what is to be written */
	assert_chain_broken();
	set_up(state);
	start();
	put_header(VIRTIO_BLK_T_FLUSH, 0);
	put_descriptor(0, HEADER, 16, 0, 0); /* no place for a status */
	assert_chain_broken();
	assert_int_equal(flushes, 0);
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	put_descriptor(2, PRIVATE_PAGE, 1, write, 0);
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA | HV_C_BIT, 512);
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, ~0ull - 255, 512); /* around the end of addresses */
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	words(DRIVER_AREA)[1] = QUEUE_SIZE; /* one more than there can be */
	assert_chain_broken();
	set_up(state);
	start();
	put_request(VIRTIO_BLK_T_IN, 0, DATA, 512);
	announce(0);
	assert_int_equal(answered(513), 0);
}

/* Rings at places that are no shared memory. */
static void test_broken_rings(void **state)
{
	static const uint64_t bad[] = {
		0,	    PRIVATE_PAGE,      RAM_END, RAM_BASE - ABI_PAGE_SIZE, MACHINE_HV_BASE,
		MACHINE_4G, HV_C_BIT - 0x10000
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_with(bad[i], DRIVER_AREA, DEVICE_AREA);
		assert_chain_broken();
		set_up(state);
		start_with(DESCRIPTORS, bad[i], DEVICE_AREA);
		put_request(VIRTIO_BLK_T_FLUSH, 0, DATA, 0);
		assert_chain_broken();
		set_up(state);
		start_with(DESCRIPTORS, DRIVER_AREA, bad[i]);
		put_request(VIRTIO_BLK_T_FLUSH, 0, DATA, 0);
		announce(0);
		assert_int_equal(get(VIRTIO_REG_STATUS), 0x4f);
		set_up(state);
	}
	/* The last entries of a table lie beyond the end of RAM. */
	start_with(RAM_END - 32, DRIVER_AREA, DEVICE_AREA);
	announce(2);
	assert_broken();
}

/* Anything at all, with a disk that checks each transfer and a private page that must stay. */
static void test_noise(void **state)
{
	static const uint32_t registers[] = {
		0x014, 0x020, 0x024, 0x030, 0x038, 0x044, 0x050, 0x050, 0x050, 0x050,
		0x064, 0x070, 0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4, 0x0c0, 0x100,
	};
	uint64_t seed = 0x9e3779b97f4a7c15;

	(void)state;
	for (unsigned int round = 0; round < 60000; round++) {
		uint64_t noise;
		uint32_t reg;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		noise = seed >> 33;
		reg = registers[noise % (sizeof(registers) / sizeof(registers[0]))];
		if (round % 8 == 0) {
			words(DRIVER_AREA)[1] = 0;
			start();
		}
		put_request((uint32_t)(noise >> 4) % 3, noise >> 8 & 0x3ff, DATA + (noise & 0xfff),
			    (uint32_t)(noise >> 3) & 0xffff & ~511u);
		if (noise & 0x8000)
			ram[(noise >> 7) % 64] ^= (uint8_t)(noise >> 20);
		if (noise & 0x10000)
			ram[ABI_PAGE_SIZE + (noise >> 7) % 64] ^= (uint8_t)(noise >> 22);
		words(DRIVER_AREA)[2 + (noise & 7)] = (noise & 0xe0000)
							      ? 0
							      : (uint16_t)(noise >> 8 & 0xf);
		words(DRIVER_AREA)[1] = (uint16_t)(words(DRIVER_AREA)[1] + (noise & 3));
		set(reg, (noise & 0x100) ? (uint32_t)noise & 7 : (uint32_t)(seed >> 11));
		set(VIRTIO_REG_QUEUE_NOTIFY, 0);
	}
	assert_true(transfers > 1000);
	for (unsigned int i = 0; i < ABI_PAGE_SIZE; i++)
		assert_int_equal(ram[PRIVATE_PAGE - RAM_BASE + i], 0x77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, set_up),
		cmocka_unit_test_setup(test_absent, set_up),
		cmocka_unit_test_setup(test_features, set_up),
		cmocka_unit_test_setup(test_queue_registers, set_up),
		cmocka_unit_test_setup(test_queue_is_fixed, set_up),
		cmocka_unit_test_setup(test_read, set_up),
		cmocka_unit_test_setup(test_write, set_up),
		cmocka_unit_test_setup(test_other_requests, set_up),
		cmocka_unit_test_setup(test_many, set_up),
		cmocka_unit_test_setup(test_order, set_up),
		cmocka_unit_test_setup(test_bad_requests, set_up),
		cmocka_unit_test_setup(test_too_long, set_up),
		cmocka_unit_test_setup(test_broken_chains, set_up),
		cmocka_unit_test_setup(test_broken_rings, set_up),
		cmocka_unit_test_setup(test_noise, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
