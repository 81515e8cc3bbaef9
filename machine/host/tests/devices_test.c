/* SPDX-License-Identifier: MIT */
/*
 * What `--disk` takes, and what is wrong with a file. The locks are those of QEMU's
 * block/file-posix.c: byte 100 and what follows, byte 200 and what follows. What an IOMMU refuses:
 * the line is QEMU's (hw/i386/trace-events).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/host/devices.h"
#include "machine/host/dma_fault.h"
#include "tests/lib/scratch_dir.h"

static const char *parse(struct guest_devices *devices, char *text, const char *value)
{
	memset(devices, 0, sizeof(*devices));
	strcpy(text, value);
	return devices_parse_disk(devices, text);
}

static void test_parse(void **state)
{
	static const char *const wrong[] = { "",
					     ",format=raw",
					     "a,format=",
					     "a,format=vmdk",
					     "a,bus=scsi",
					     "a,snapshot=yes",
					     "a,readonly=on",
					     "a,format",
					     "a,format=raw,",
					     "a,,format=raw,b" };
	struct guest_devices d;
	char text[64];

	(void)state;
	assert_null(parse(&d, text, "a.img"));
	assert_int_equal(d.disk_count, 1);
	assert_string_equal(d.disks[0].path, "a.img");
	assert_int_equal(d.disks[0].format, DISK_FORMAT_PROBE);
	assert_int_equal(d.disks[0].bus, DEVICE_BUS_VIRTIO_BLK);
	assert_false(d.disks[0].snapshot);
	assert_null(parse(&d, text, "a,,b,format=qcow2,bus=nvme,snapshot=on"));
	assert_string_equal(d.disks[0].path, "a,b");
	assert_int_equal(d.disks[0].format, DISK_FORMAT_QCOW2);
	assert_int_equal(d.disks[0].bus, DEVICE_BUS_NVME);
	assert_true(d.disks[0].snapshot);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse(&d, text, wrong[i]));
	memset(&d, 0, sizeof(d));
	for (unsigned int i = 0; i < DEVICES_MAX; i++) {
		strcpy(text, "a");
		assert_null(devices_parse_disk(&d, text));
	}
	strcpy(text, "a");
	assert_non_null(devices_parse_disk(&d, text));
	strcpy(text, "e1000");
	assert_null(devices_parse_other(&d, text));
	assert_int_equal(d.others[0].kind, DEVICE_E1000);
	strcpy(text, "e100");
	assert_non_null(devices_parse_other(&d, text));
}

static void write_file(const char *name, const char *bytes, size_t size)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

static int lock(const char *name, off_t byte)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int fd = open(name, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	return fd;
}

static bool is_wrong(const char *value, const char *why)
{
	struct host_error error = { 0 };
	struct guest_devices d;
	char text[64];

	assert_null(parse(&d, text, value));
	return !devices_check(&d, &error) && strstr(error.text, why) != NULL;
}

/*
 * What qemu-img 7.2 makes by `create -f qcow2 FILE 1M`, as far as it is no zeros, cut behind its
 * fourth cluster; with one byte of the header another one, at 0 none.
 */
static void write_qcow2(const char *name, size_t at, uint8_t value)
{
	static const uint8_t start[] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	static uint8_t file[4 << 16];

	memset(file, 0, sizeof(file));
	memcpy(file, start, sizeof(start));
	file[23] = 16;	 /* bits of a cluster */
	file[29] = 0x10; /* 1 MiB */
	file[39] = 1;	 /* entries at the top */
	file[45] = 3;	 /* which are at 0x30000 */
	file[53] = 1;	 /* counts at 0x10000 */
	file[59] = 1;	 /* one cluster of them */
	file[99] = 4;	 /* 16 bits each */
	file[103] = 112; /* the header's length */
	if (at)
		file[at] = value;
	write_file(name, (const char *)file, sizeof(file));
}

/* Each field of a qcow2's header that would have QEMU do something else than read this file. */
static void test_qcow2(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} rows[] = {
		{ 7, 1, "neither 2 nor 3" },
		{ 7, 4, "neither 2 nor 3" },
		{ 14, 2, "names another file" },
		{ 79, 4, "names another file" },
		{ 79, 2, "corrupt" },
		{ 79, 32, "not known" },
		{ 72, 0x80, "not known" },
		{ 35, 1, "encrypted" },
		{ 23, 8, "no sense" },
		{ 23, 22, "no sense" },
		{ 29, 0, "no sense" },
		{ 47, 1, "cut off" },
		{ 45, 4, "cut off" },
		{ 53, 0, "cut off" },
		{ 53, 4, "cut off" },
		{ 55, 1, "cut off" },
		{ 37, 1, "cut off" },
	};
	struct host_error error = { 0 };
	struct guest_devices d;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_qcow2("wrong", rows[i].at, rows[i].value);
		if (!is_wrong("wrong", rows[i].why) || !is_wrong("wrong,format=qcow2", rows[i].why))
			fail_msg("byte %zu as %u", rows[i].at, rows[i].value);
		assert_null(parse(&d, text, "wrong,format=raw"));
		assert_true(devices_check(&d, &error));
	}
	write_qcow2("right", 79, 1 | 8 | 16); /* dirty, another compression, longer entries */
	assert_null(parse(&d, text, "right"));
	assert_true(devices_check(&d, &error));
	write_qcow2("right", 7, 2); /* where version 2 ends there is no such field */
	assert_null(parse(&d, text, "right"));
	assert_true(devices_check(&d, &error));
	write_file("short", "QFI\xfb\0\0\0\3", 8);
	assert_true(is_wrong("short", "no sense"));
}

static void test_files(void **state)
{
	struct host_error error = { 0 };
	struct guest_devices d;
	char text[2][64];
	int fd;

	(void)state;
	write_file("raw", "0123", 4);
	write_qcow2("qcow2", 0, 0);
	write_file("empty", "", 0);
	assert_null(parse(&d, text[0], "raw"));
	assert_true(devices_check(&d, &error));
	assert_int_equal(d.disks[0].format, DISK_FORMAT_RAW);
	assert_null(parse(&d, text[0], "qcow2"));
	assert_true(devices_check(&d, &error));
	assert_int_equal(d.disks[0].format, DISK_FORMAT_QCOW2);
	assert_null(parse(&d, text[0], "qcow2,format=raw"));
	assert_true(devices_check(&d, &error));
	assert_int_equal(d.disks[0].format, DISK_FORMAT_RAW);
	assert_true(is_wrong("missing", "No such file"));
	assert_true(is_wrong(".", "directory"));
	assert_true(is_wrong("/dev/null", "neither a regular file"));
	assert_true(is_wrong("empty", "empty"));
	assert_true(is_wrong("raw,format=qcow2", "does not begin as one"));
	fd = lock("raw", 101); /* somebody writes it */
	assert_true(is_wrong("raw", "another machine"));
	assert_true(is_wrong("raw,snapshot=on", "another machine"));
	close(fd);
	fd = lock("raw", 201); /* somebody reads it, and wants no writer */
	assert_true(is_wrong("raw", "another machine"));
	assert_false(is_wrong("raw,snapshot=on", ""));
	close(fd);
	assert_null(parse(&d, text[0], "raw"));
	strcpy(text[1], "./raw,snapshot=on");
	assert_null(devices_parse_disk(&d, text[1]));
	assert_false(devices_check(&d, &error));
	assert_non_null(strstr(error.text, "twice"));
	d.disks[0].snapshot = true;
	assert_true(devices_check(&d, &error));
}

static void test_faults(void **state)
{
	static const struct {
		const char *address;
		uint64_t gpa;
		unsigned int shift;
	} lines[] = {
		{ "0x8c10001002010", 0x1002000, 12 }, /* of pages: entry 0x1002 */
		{ "0x8c20000002ff8", 0x5ff000, 12 },  /* 2 MiB: entry 2, and the last page of it */
		{ "0x8c30000008000", 0x200000000, 21 }, /* 1 GiB: entry 8 */
	};
	static const char *const none[] = { "amdvi_page_fault error: page fault nowhere",
					    "amdvi_get_pte_hwerror at addr nowhere",
					    "amdvi_get_pte_hwerror at addr 0x1002010",
					    "amdvi_get_pte_hwerror at addr 0x8c00001002010",
					    "amdvi_get_pte_hwerror at addr 0x18c10001002010" };
	struct dma_fault fault;
	char line[96];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line),
			 "1@2.3:amdvi_get_pte_hwerror hardware error at addr %s", lines[i].address);
		assert_true(dma_fault_parse(line, &fault));
		assert_int_equal(fault.function, 0x18);
		assert_int_equal(fault.gpa, lines[i].gpa);
		assert_int_equal(fault.shift, lines[i].shift);
	}
	assert_true(dma_fault_parse("1@2.3:amdvi_page_fault error: address 0x1002034", &fault));
	assert_int_equal(fault.function, DMA_FAULT_NO_DEVICE);
	assert_int_equal(fault.gpa, 0x1002000);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(dma_fault_parse(none[i], &fault));
}

static int enter_scratch(void **state)
{
	(void)state;
	return chdir(scratch_dir_make());
}

static int leave_scratch(void **state)
{
	(void)state;
	scratch_dir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_qcow2),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
