/* SPDX-License-Identifier: MIT */
/*
 * The guest's networks, by the argument of QEMU's `-netdev user` (QEMU, "Network options"). It is
 * read whole, and QEMU gets what it means, written anew.
 */
#ifndef SOCLE_MACHINE_HOST_NETWORK_H
#define SOCLE_MACHINE_HOST_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"

#define NETWORKS_MAX 8u
#define NETWORK_ID_SIZE 32u /* with its end */
#define NETWORK_FORWARDS_MAX 16u

/* What arrives at the host there goes to the guest. */
struct host_forward {
	bool udp;		    /* else TCP */
	struct in_addr host, guest; /* INADDR_ANY: all of the host's; the guest's first address */
	uint16_t host_port, guest_port;
};

struct guest_network {
	char id[NETWORK_ID_SIZE];
	bool restricted; /* the guest reaches nothing outside */
	struct host_forward forwards[NETWORK_FORWARDS_MAX];
	size_t forward_count;
};

/*
 * user,id=ID[,restrict=on|off][,hostfwd=[tcp|udp]:[HOST]:PORT-[GUEST]:PORT]..., addresses being
 * IPv4's. Cuts value. NULL, or what is wanted instead.
 */
const char *network_parse(struct guest_network *network, char *value);

/*
 * Copies an id, as QEMU has them: a letter, then letters, digits, '-', '.' and '_'. False for
 * another text.
 */
bool network_id_read(char to[NETWORK_ID_SIZE], const char *text);

/*
 * Before QEMU starts: whether the ports of the host are free, of up to NETWORKS_MAX networks
 * together. One that another program takes afterwards is QEMU's to refuse.
 */
bool networks_check(const struct guest_network *networks, size_t count, struct host_error *error);

#endif
