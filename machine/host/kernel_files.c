/* SPDX-License-Identifier: MIT */
#include "machine/host/kernel_files.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/host/file.h"

#define KERNEL_FILE_MAX (1ull << 30)

#define SECTOR 512u
#define SETUP_SECTORS 0x1f1u /* 0 stands for 4; the boot sector is one more */
#define SETUP_SECTORS_DEFAULT 4u
#define SETUP_MAGIC 0x202u
#define SETUP_VERSION 0x206u
#define SETUP_VERSION_LEAST 0x200u
#define SETUP_HEADER_END 0x208u

/* A copy that QEMU can read, and its hash. */
static bool make_file(int *fd, uint8_t hash[KERNEL_HASH_SIZE], const char *name, const void *data,
		      size_t size, struct host_error *error)
{
	const uint8_t *at = data;

	if (!kernel_hash(hash, data, size))
		return host_fail_crypto(error, "cannot compute a hash");
	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0)
		return host_fail(error, "cannot make memory: %s", strerror(errno));
	while (size > 0) {
		ssize_t n = write(*fd, at, size);

		if (n <= 0)
			return host_fail(error, "cannot fill memory: %s", strerror(errno));
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/* What the file says that its setup takes; NULL, or why it is no kernel. */
static const char *read_setup(const struct file_bytes *file, uint32_t *size)
{
	uint32_t sectors, version;

	if (file->size < SETUP_HEADER_END || memcmp(file->data + SETUP_MAGIC, "HdrS", 4) != 0)
		return "it is no Linux kernel (bzImage)";
	version = (uint32_t)(file->data[SETUP_VERSION] | file->data[SETUP_VERSION + 1] << 8);
	if (version < SETUP_VERSION_LEAST)
		return "it is of an older boot protocol than 2.00";
	sectors = file->data[SETUP_SECTORS];
	*size = ((sectors ? sectors : SETUP_SECTORS_DEFAULT) + 1) * SECTOR;
	return *size < file->size ? NULL : "it is cut off: there is no kernel behind its setup";
}

static bool open_kernel(struct kernel_files *files, const char *path, struct host_error *error)
{
	struct host_error reason;
	struct file_bytes bytes = { 0 };
	const char *wrong;
	bool ok;

	if (!file_read(path, KERNEL_FILE_MAX, &bytes, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	wrong = read_setup(&bytes, &files->setup_size);
	ok = wrong ? host_fail(error, "%s: %s", path, wrong)
		   : make_file(&files->kernel_fd, files->hashes.kernel, "kernel", bytes.data,
			       bytes.size, error);
	file_free(&bytes);
	return ok;
}

static bool open_initrd(struct kernel_files *files, const char *path, struct host_error *error)
{
	struct host_error reason;
	struct file_bytes bytes = { 0 };
	bool ok;

	if (!file_read(path, KERNEL_FILE_MAX, &bytes, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	ok = bytes.size > 0 ? make_file(&files->initrd_fd, files->hashes.initrd, "initrd",
					bytes.data, bytes.size, error)
			    : host_fail(error, "%s: it is empty", path);
	file_free(&bytes);
	return ok;
}

bool kernel_files_open(struct kernel_files *files, const char *kernel, const char *initrd,
		       const char *append, struct host_error *error)
{
	if (!kernel_hash(files->hashes.initrd, "", 0))
		return host_fail_crypto(error, "cannot compute a hash");
	return open_kernel(files, kernel, error) &&
	       (!initrd || open_initrd(files, initrd, error)) &&
	       make_file(&files->append_fd, files->hashes.command_line, "append", append,
			 strlen(append) + 1, error);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void kernel_files_close(struct kernel_files *files)
{
	close_fd(files->kernel_fd);
	close_fd(files->initrd_fd);
	close_fd(files->append_fd);
	*files = KERNEL_FILES_NONE;
}
