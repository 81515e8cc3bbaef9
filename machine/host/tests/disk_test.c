/* SPDX-License-Identifier: MIT */
/* The file behind the disk of VMPL0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/host/disk.h"
#include "tests/lib/scratch_dir.h"

#define SECTORS 8u

static uint8_t data[2 * DISK_SECTOR];

static void make_file(size_t size)
{
	FILE *f = fopen("disk", "w");

	assert_non_null(f);
	for (size_t i = 0; i < size; i++)
		fputc((int)(i / DISK_SECTOR), f);
	assert_int_equal(fclose(f), 0);
}

static struct disk open_good(void)
{
	struct host_error error = { 0 };
	struct disk disk;

	make_file(SECTORS * DISK_SECTOR);
	assert_true(disk_open(&disk, "disk", &error));
	assert_int_equal(disk.sectors, SECTORS);
	return disk;
}

static void assert_refused(const char *path, const char *why)
{
	struct host_error error = { 0 };
	struct disk disk;

	assert_false(disk_open(&disk, path, &error));
	if (!strstr(error.text, why) || !strstr(error.text, path))
		fail_msg("\"%s\" does not say \"%s\"", error.text, why);
	assert_int_equal(disk.fd, -1);
	assert_int_equal(disk.sectors, 0);
}

static void test_open(void **state)
{
	struct disk disk = open_good();

	(void)state;
	assert_refused("disk", "another machine");
	disk_close(&disk);
	disk_close(&disk);
	disk = open_good();
	disk_close(&disk);
	assert_refused("missing", "No such file");
	assert_refused(".", "Is a directory");
	assert_refused("/dev/zero", "neither a regular file");
	make_file(0);
	assert_refused("disk", "its size");
	make_file(DISK_SECTOR + 1);
	assert_refused("disk", "its size");
}

static void test_transfers(void **state)
{
	struct disk disk = open_good();

	(void)state;
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 6, 1024, data), 0);
	assert_int_equal(data[0], 6);
	assert_int_equal(data[1023], 7);
	memset(data, 0xa5, sizeof(data));
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_WRITE, 2, 512, data), 0);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_FLUSH, 0, 0, data), 0);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 2, 1024, data), 0);
	assert_int_equal(data[511], 0xa5);
	assert_int_equal(data[512], 3);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 8, 0, data), 0);
	disk_close(&disk);
}

static void test_refusals(void **state)
{
	struct disk disk = open_good();

	(void)state;
	memset(data, 0x11, sizeof(data));
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 8, 512, data), EINVAL);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 7, 1024, data), EINVAL);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, ~0ull, 512, data), EINVAL);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_WRITE, 1ull << 55, 512, data),
			 EINVAL);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 0, 511, data), EINVAL);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 0, ~511ull, data), EINVAL);
	assert_int_equal(data[0], 0x11);
	/* Somebody cuts the file. */
	assert_int_equal(truncate("disk", 4 * DISK_SECTOR), 0);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 6, 512, data), EIO);
	disk_close(&disk);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_READ, 0, 512, data), ENODEV);
	assert_int_equal(disk_request(&disk, MAILBOX_REQ_DISK_FLUSH, 0, 0, data), ENODEV);
}

static int set_up(void **state)
{
	(void)state;
	return chdir(scratch_dir_make());
}

static int tear_down(void **state)
{
	(void)state;
	scratch_dir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_transfers),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
