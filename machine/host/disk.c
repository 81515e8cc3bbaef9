/* SPDX-License-Identifier: MIT */
#include "machine/host/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct disk *disk, const char *path, const char *what, struct host_error *error)
{
	disk_close(disk);
	return host_fail(error, "%s: %s", path, what);
}

bool disk_open(struct disk *disk, const char *path, struct host_error *error)
{
	struct stat st;
	off_t size;

	disk->fd = open(path, O_RDWR | O_CLOEXEC);
	if (disk->fd < 0)
		return fail(disk, path, strerror(errno), error);
	if (fstat(disk->fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return fail(disk, path, "no disk: neither a regular file nor a block device",
			    error);
	if (flock(disk->fd, LOCK_EX | LOCK_NB) != 0)
		return fail(disk, path, "another machine has this disk", error);
	size = lseek(disk->fd, 0, SEEK_END);
	if (size <= 0 || size % DISK_SECTOR != 0)
		return fail(disk, path, "no disk: its size is not a number of sectors of 512 bytes",
			    error);
	disk->sectors = (uint64_t)size / DISK_SECTOR;
	return true;
}

/* All of it, in as many steps as it takes; 0, or an errno. */
static int move(int fd, bool writes, uint8_t *data, size_t size, off_t at)
{
	while (size != 0) {
		ssize_t n = writes ? pwrite(fd, data, size, at) : pread(fd, data, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO; /* the file was cut meanwhile */
		data += n;
		size -= (size_t)n;
		at += n;
	}
	return 0;
}

int disk_request(const struct disk *disk, enum mailbox_request request, uint64_t sector,
		 uint64_t size, uint8_t *data)
{
	if (disk->fd < 0)
		return ENODEV;
	if (request == MAILBOX_REQ_DISK_FLUSH)
		return fdatasync(disk->fd) == 0 ? 0 : errno;
	if (size % DISK_SECTOR != 0 || sector > disk->sectors ||
	    size / DISK_SECTOR > disk->sectors - sector)
		return EINVAL;
	return move(disk->fd, request == MAILBOX_REQ_DISK_WRITE, data, size,
		    (off_t)(sector * DISK_SECTOR));
}

void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
	disk->sectors = 0;
}
