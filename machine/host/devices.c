/* SPDX-License-Identifier: MIT */
#include "machine/host/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "machine/host/suboptions.h"

/*
 * QEMU's users of a file lock single bytes of it (block/file-posix.c): from 100 on what they do
 * with it, from 200 on what nobody else may do meanwhile. First of each is reading, then writing,
 * writing without change, and resizing.
 */
#define LOCK_DONE 100
#define LOCK_FORBIDDEN 200
#define LOCK_WRITING 1
#define LOCKS 4

#define QCOW2_HEADER_SIZE 104u /* of version 3; of version 2 less */
#define QCOW2_CLUSTER_BITS_MIN 9u
#define QCOW2_CLUSTER_BITS_MAX 21u /* that QEMU takes */
/* Of its incompatible features: */
#define QCOW2_CORRUPT (1ull << 1)
#define QCOW2_EXTERNAL_DATA (1ull << 2)
#define QCOW2_KNOWN 0x1full

const char *const device_buses[DEVICE_BUSES] = {
	[DEVICE_BUS_VIRTIO_BLK] = "virtio-blk",
	[DEVICE_BUS_VIRTIO_SCSI] = "virtio-scsi",
	[DEVICE_BUS_NVME] = "nvme",
	[DEVICE_BUS_AHCI] = "ahci",
};

const char *const device_names[DEVICE_KINDS] = {
	[DEVICE_VIRTIO_NET] = "virtio-net",
	[DEVICE_VIRTIO_RNG] = "virtio-rng",
	[DEVICE_E1000] = "e1000",
};

static const char *const formats[DISK_FORMATS] = {
	[DISK_FORMAT_RAW] = "raw",
	[DISK_FORMAT_QCOW2] = "qcow2",
};

static const char *const switches[] = { "off", "on" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool read_disk_option(struct guest_disk *disk, char *option)
{
	char *value = suboption_value(option);
	size_t word;

	if (!value)
		return false;
	if (strcmp(option, "format") == 0) {
		word = suboption_word(formats, COUNT(formats), value);
		disk->format = (enum disk_format)word;
		return word < COUNT(formats);
	}
	if (strcmp(option, "bus") == 0) {
		word = suboption_word(device_buses, COUNT(device_buses), value);
		disk->bus = (enum device_bus)word;
		return word < COUNT(device_buses);
	}
	if (strcmp(option, "snapshot") == 0) {
		word = suboption_word(switches, COUNT(switches), value);
		disk->snapshot = word == 1;
		return word < COUNT(switches);
	}
	return false;
}

const char *devices_parse_disk(struct guest_devices *devices, char *value)
{
	struct guest_disk disk = { .path = value };
	char *rest = suboption_cut(value);
	bool ok = disk.path[0] != '\0';

	if (devices->disk_count == COUNT(devices->disks))
		return "no more disks, there are too many";
	while (ok && rest) {
		char *option = rest;

		rest = suboption_cut(option);
		ok = read_disk_option(&disk, option);
	}
	if (!ok)
		return "FILE[,format=raw|qcow2][,bus=virtio-blk|virtio-scsi|nvme|ahci]"
		       "[,snapshot=on|off]";
	devices->disks[devices->disk_count++] = disk;
	return NULL;
}

static bool read_other_option(struct guest_other *other, char *option)
{
	const char *value = suboption_value(option);

	return value && strcmp(option, "netdev") == 0 && other->kind != DEVICE_VIRTIO_RNG &&
	       !other->netdev[0] && network_id_read(other->netdev, value);
}

const char *devices_parse_other(struct guest_devices *devices, char *value)
{
	char *rest = suboption_cut(value);
	size_t kind = suboption_word(device_names, COUNT(device_names), value);
	struct guest_other other = { .kind = (enum device_kind)kind };
	bool ok = kind < COUNT(device_names);

	if (devices->other_count == COUNT(devices->others))
		return "no more devices, there are too many";
	while (ok && rest) {
		char *option = rest;

		rest = suboption_cut(option);
		ok = read_other_option(&other, option);
	}
	if (!ok)
		return "virtio-net[,netdev=ID], e1000[,netdev=ID] or virtio-rng";
	devices->others[devices->other_count++] = other;
	return NULL;
}

const char *devices_parse_network(struct guest_devices *devices, char *value)
{
	struct guest_network network;
	const char *wanted = network_parse(&network, value);

	if (devices->network_count == COUNT(devices->networks))
		return "no more networks, there are too many";
	if (!wanted)
		devices->networks[devices->network_count++] = network;
	return wanted;
}

const struct guest_network *devices_network(const struct guest_devices *devices,
					    const struct guest_other *other)
{
	for (size_t i = 0; i < devices->network_count; i++)
		if (strcmp(devices->networks[i].id, other->netdev) == 0)
			return &devices->networks[i];
	return NULL;
}

bool devices_exist(const struct guest_devices *devices)
{
	return devices->disk_count != 0 || devices->other_count != 0;
}

/* Whether another process has a lock of any kind on one of count bytes. */
static bool is_locked(int fd, off_t first, off_t count)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool is_in_use(int fd, const struct guest_disk *disk)
{
	return is_locked(fd, LOCK_DONE + LOCK_WRITING, LOCKS - LOCK_WRITING) ||
	       is_locked(fd, LOCK_FORBIDDEN, disk->snapshot ? LOCK_WRITING : LOCKS);
}

/*
 * What is wrong with a qcow2 by its header, of a file of so many bytes (QEMU,
 * docs/interop/qcow2.txt); NULL: nothing that shows there. One that names another file, to be based
 * on or for its data, is not taken: a disk is whoever's word who made it, and QEMU would open any
 * file that its user may.
 */
static const char *qcow2_wrong(const uint8_t header[QCOW2_HEADER_SIZE], uint64_t file_size)
{
	struct bytes_reader r = bytes_reader_init(header, QCOW2_HEADER_SIZE);
	uint32_t version, cluster_bits, encryption, l1_entries;
	uint64_t backing, size, l1, refcounts, incompatible, cluster;

	bytes_take(&r, 4); /* the magic number */
	version = bytes_be32(&r);
	backing = bytes_be64(&r);
	bytes_take(&r, 4); /* length of the backing file's name */
	cluster_bits = bytes_be32(&r);
	size = bytes_be64(&r);
	encryption = bytes_be32(&r);
	l1_entries = bytes_be32(&r);
	l1 = bytes_be64(&r);
	refcounts = bytes_be64(&r);
	bytes_take(&r, 16); /* size of the latter, snapshots */
	incompatible = version >= 3 ? bytes_be64(&r) : 0;
	if (version != 2 && version != 3)
		return "its version is neither 2 nor 3";
	if (backing || incompatible & QCOW2_EXTERNAL_DATA)
		return "it names another file";
	if (incompatible & QCOW2_CORRUPT)
		return "it is marked as corrupt";
	if (incompatible & ~QCOW2_KNOWN)
		return "it has features that are not known";
	if (encryption)
		return "it is encrypted";
	if (cluster_bits < QCOW2_CLUSTER_BITS_MIN || cluster_bits > QCOW2_CLUSTER_BITS_MAX || !size)
		return "its header makes no sense";
	cluster = 1ull << cluster_bits;
	if (l1 % cluster || refcounts % cluster || !refcounts || refcounts >= file_size ||
	    (l1_entries && (l1 >= file_size || l1_entries * 8ull > file_size - l1)))
		return "it is cut off, or its header makes no sense";
	return NULL;
}

/* The size of a file or a block device, whose position is nobody's. */
static uint64_t size_of(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	return size > 0 ? (uint64_t)size : 0;
}

/* The reason does not name the file. */
static bool check_file(int fd, struct guest_disk *disk, struct stat *st, struct host_error *reason)
{
	static const char magic[4] = { 'Q', 'F', 'I', '\xfb' };
	uint8_t start[QCOW2_HEADER_SIZE] = { 0 };
	const char *wrong;
	bool is_qcow2;

	if (fstat(fd, st) != 0 || !(S_ISREG(st->st_mode) || S_ISBLK(st->st_mode)))
		return host_fail(reason, "no disk: neither a regular file nor a block device");
	if (is_in_use(fd, disk))
		return host_fail(reason, "another machine has this disk");
	if (pread(fd, start, sizeof(start), 0) < 0)
		return host_fail(reason, "cannot read it: %s", strerror(errno));
	is_qcow2 = memcmp(start, magic, sizeof(magic)) == 0;
	if (disk->format == DISK_FORMAT_QCOW2 && !is_qcow2)
		return host_fail(reason, "no qcow2 disk: it does not begin as one");
	if (disk->format == DISK_FORMAT_PROBE)
		disk->format = is_qcow2 ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW;
	if (size_of(fd) == 0)
		return host_fail(reason, "no disk: it is empty");
	wrong = disk->format == DISK_FORMAT_QCOW2 ? qcow2_wrong(start, size_of(fd)) : NULL;
	return !wrong || host_fail(reason, "no qcow2 disk that is taken: %s", wrong);
}

static bool check_disk(struct guest_disk *disk, struct stat *st, struct host_error *error)
{
	struct host_error reason;
	int fd = open(disk->path, (disk->snapshot ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	bool ok = fd >= 0 ? check_file(fd, disk, st, &reason)
			  : host_fail(&reason, "%s", strerror(errno));

	if (fd >= 0)
		close(fd);
	return ok || host_fail(error, "%s: %s", disk->path, reason.text);
}

/* How many devices are on the network of that id. */
static unsigned int users_of(const struct guest_devices *devices, const char *id)
{
	unsigned int users = 0;

	for (size_t i = 0; i < devices->other_count; i++)
		users += strcmp(devices->others[i].netdev, id) == 0;
	return users;
}

static bool check_networks(const struct guest_devices *devices, struct host_error *error)
{
	for (size_t i = 0; i < devices->other_count; i++) {
		const struct guest_other *other = &devices->others[i];

		if (other->netdev[0] && !devices_network(devices, other))
			return host_fail(error, "--device %s,netdev=%s wants --netdev user,id=%s",
					 device_names[other->kind], other->netdev, other->netdev);
	}
	for (size_t i = 0; i < devices->network_count; i++) {
		const char *id = devices->networks[i].id;

		for (size_t j = 0; j < i; j++)
			if (strcmp(devices->networks[j].id, id) == 0)
				return host_fail(error, "--netdev %s is there twice", id);
		if (users_of(devices, id) != 1)
			return host_fail(error,
					 "--netdev %s wants one device with netdev=%s, and has %u",
					 id, id, users_of(devices, id));
	}
	return networks_check(devices->networks, devices->network_count, error);
}

static bool check_disks(struct guest_devices *devices, struct host_error *error)
{
	struct stat files[DEVICES_MAX];

	for (size_t i = 0; i < devices->disk_count; i++) {
		const struct guest_disk *disk = &devices->disks[i];

		if (!check_disk(&devices->disks[i], &files[i], error))
			return false;
		for (size_t j = 0; j < i; j++)
			if (files[i].st_dev == files[j].st_dev &&
			    files[i].st_ino == files[j].st_ino &&
			    !(disk->snapshot && devices->disks[j].snapshot))
				return host_fail(error, "%s: this disk is there twice", disk->path);
	}
	return true;
}

bool devices_check(struct guest_devices *devices, struct host_error *error)
{
	return check_disks(devices, error) && check_networks(devices, error);
}
