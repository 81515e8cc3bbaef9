/* SPDX-License-Identifier: MIT */
#include "guest/agent/configfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/file.h"

#define PREFIX "socle-guest-"
#define TRIES 8

/*
 * What a signal has to remove. A handler gets no argument, so this is the one thing of the agent
 * that is global; it makes one item at a time.
 */
static const char *volatile held_folder;

/*
 * Takes the lock by which an agent owns its folder. A process id would not do, for it may be used
 * again.
 */
static int hold(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* Whether the folder that is held is still the one of that name. */
static bool is_still(int fd, const char *folder)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && stat(folder, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

/*
 * Removes requests of agents that were killed: the kernel keeps them, and the module that serves
 * them cannot be unloaded.
 */
static void remove_stale(const char *root)
{
	DIR *folder = opendir(root);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char path[FILE_PATH_MAX];
		int fd;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    file_path(path, root, entry->d_name) != 0)
			continue;
		fd = hold(path);
		if (fd < 0)
			continue;
		rmdir(path);
		close(fd);
	}
	if (folder)
		closedir(folder);
}

static int make_once(struct configfs_item *item, const char *root)
{
	uint64_t number;
	int length;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -EIO;
	length = snprintf(item->folder, sizeof(item->folder), "%s/" PREFIX "%016llx", root,
			  (unsigned long long)number);
	if (length < 0 || (size_t)length >= sizeof(item->folder))
		return -ENAMETOOLONG;
	if (mkdir(item->folder, 0700) != 0)
		return -errno;
	item->fd = hold(item->folder);
	if (item->fd >= 0 && is_still(item->fd, item->folder))
		return 0;
	/* Another agent took it for a stale one before it was locked. */
	if (item->fd >= 0)
		close(item->fd);
	rmdir(item->folder);
	return -EEXIST;
}

int configfs_make(struct configfs_item *item, const char *root)
{
	int rc = -EEXIST;

	item->attribute = "mkdir";
	remove_stale(root);
	for (int i = 0; i < TRIES && rc == -EEXIST; i++)
		rc = make_once(item, root);
	if (rc == 0)
		held_folder = item->folder;
	return rc;
}

int configfs_set(struct configfs_item *item, const char *attribute, const void *data, size_t size)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, item->folder, attribute);

	item->attribute = attribute;
	return rc == 0 ? file_set(path, data, size) : rc;
}

int configfs_set_text(struct configfs_item *item, const char *attribute, const char *text)
{
	return configfs_set(item, attribute, text, strlen(text));
}

int configfs_get(struct configfs_item *item, const char *attribute, struct configfs_blob *blob)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, item->folder, attribute);
	ssize_t size;

	item->attribute = attribute;
	if (rc != 0)
		return rc;
	size = file_read(path, blob->data, sizeof(blob->data));
	if (size < 0)
		return (int)size;
	blob->size = (size_t)size;
	return 0;
}

void configfs_remove(struct configfs_item *item)
{
	held_folder = NULL;
	rmdir(item->folder);
	close(item->fd);
}

/* rmdir(), signal() and raise() may be called here (POSIX, 2.4.3). */
static void remove_and_end(int number)
{
	if (held_folder)
		rmdir(held_folder);
	signal(number, SIG_DFL);
	raise(number);
}

void configfs_remove_on_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action = { .sa_handler = remove_and_end };

	/* A process that was told to ignore one, as with nohup, still does. */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction old;

		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
}
