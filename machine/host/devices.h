/* SPDX-License-Identifier: MIT */
/* QEMU's devices that a guest of `socle run` has: disks, and others by name. */
#ifndef SOCLE_MACHINE_HOST_DEVICES_H
#define SOCLE_MACHINE_HOST_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "machine/host/network.h"

#define DEVICES_MAX 8u /* disks, and the same of other devices */

/* What a disk is behind. */
enum device_bus {
	DEVICE_BUS_VIRTIO_BLK,
	DEVICE_BUS_VIRTIO_SCSI,
	DEVICE_BUS_NVME,
	DEVICE_BUS_AHCI,
	DEVICE_BUSES,
};
extern const char *const device_buses[DEVICE_BUSES]; /* their names */

enum disk_format {
	DISK_FORMAT_PROBE, /* qcow2 if it begins like one, else raw */
	DISK_FORMAT_RAW,
	DISK_FORMAT_QCOW2,
	DISK_FORMATS,
};

struct guest_disk {
	const char *path;
	enum device_bus bus;
	enum disk_format format;
	bool snapshot; /* what is written is gone with the machine */
};

/* Other devices, by their names. */
enum device_kind {
	DEVICE_VIRTIO_NET,
	DEVICE_VIRTIO_RNG,
	DEVICE_E1000,
	DEVICE_KINDS,
};
extern const char *const device_names[DEVICE_KINDS];

struct guest_other {
	enum device_kind kind;
	/*
	 * Of virtio-net and e1000: the network that it is on; "": one of QEMU's user networks
	 * alone.
	 */
	char netdev[NETWORK_ID_SIZE];
};

struct guest_devices {
	struct guest_disk disks[DEVICES_MAX];
	size_t disk_count;
	struct guest_other others[DEVICES_MAX];
	size_t other_count;
	struct guest_network networks[NETWORKS_MAX];
	size_t network_count;
};

/*
 * One more disk: FILE[,format=raw|qcow2][,bus=NAME][,snapshot=on|off], cut to pieces, of which
 * FILE, where a comma is written twice, is kept. NULL, or what is wanted instead.
 */
const char *devices_parse_disk(struct guest_devices *devices, char *value);

/*
 * One more of the other devices: NAME[,netdev=ID], the latter for what is on a network; cuts value.
 * NULL, or what is wanted instead.
 */
const char *devices_parse_other(struct guest_devices *devices, char *value);

/* One more network, as network_parse() has it; NULL, or what is wanted instead. */
const char *devices_parse_network(struct guest_devices *devices, char *value);

/* The network that a device names; NULL: none. */
const struct guest_network *devices_network(const struct guest_devices *devices,
					    const struct guest_other *other);

/* Whether there are any. */
bool devices_exist(const struct guest_devices *devices);

/*
 * Before QEMU starts: looks at each disk's file, finds out its format, and refuses what QEMU would
 * not open: what is no file or of another format, what somebody else writes, and the same file
 * twice; and networks that no device is on, or more than one, or whose ports others have.
 */
bool devices_check(struct guest_devices *devices, struct host_error *error);

#endif
