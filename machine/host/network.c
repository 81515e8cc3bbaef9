/* SPDX-License-Identifier: MIT */
#include "machine/host/network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/number.h"
#include "machine/host/suboptions.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const switches[] = { "off", "on" };
static const char wanted[] = "user,id=ID[,restrict=on|off]"
			     "[,hostfwd=[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT]...";

bool network_id_read(char to[NETWORK_ID_SIZE], const char *text)
{
	size_t size = strlen(text);

	if (size >= NETWORK_ID_SIZE || !isalpha((unsigned char)text[0]) ||
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")])
		return false;
	memcpy(to, text, size + 1);
	return true;
}

/* [ADDRESS]:PORT, all of text. */
static bool read_end(struct in_addr *address, uint16_t *port, char *text)
{
	char *colon = strrchr(text, ':');
	uint64_t number;

	if (!colon)
		return false;
	*colon++ = '\0';
	address->s_addr = htonl(INADDR_ANY);
	if (!number_read(colon, strlen(colon), NUMBER_DECIMAL, 1, UINT16_MAX, &number) ||
	    (*text && inet_pton(AF_INET, text, address) != 1))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool read_forward(struct guest_network *network, char *text)
{
	static const char *const protocols[] = { "tcp", "udp", "" };
	struct host_forward forward = { 0 };
	char *host = strchr(text, ':'), *guest = strchr(text, '-');
	size_t protocol;

	if (!host || !guest || network->forward_count == COUNT(network->forwards))
		return false;
	*host++ = *guest++ = '\0';
	protocol = suboption_word(protocols, COUNT(protocols), text);
	forward.udp = protocol == 1;
	if (guest < host || protocol == COUNT(protocols) ||
	    !read_end(&forward.host, &forward.host_port, host) ||
	    !read_end(&forward.guest, &forward.guest_port, guest))
		return false;
	network->forwards[network->forward_count++] = forward;
	return true;
}

static bool read_option(struct guest_network *network, char *option)
{
	char *value = suboption_value(option);
	size_t word;

	if (!value)
		return false;
	if (strcmp(option, "id") == 0)
		return !network->id[0] && network_id_read(network->id, value);
	if (strcmp(option, "hostfwd") == 0)
		return read_forward(network, value);
	if (strcmp(option, "restrict") == 0) {
		word = suboption_word(switches, COUNT(switches), value);
		network->restricted = word == 1;
		return word < COUNT(switches);
	}
	return false;
}

const char *network_parse(struct guest_network *network, char *value)
{
	char *rest = suboption_cut(value);
	bool ok = strcmp(value, "user") == 0;

	*network = (struct guest_network){ 0 };
	while (ok && rest) {
		char *option = rest;

		rest = suboption_cut(option);
		ok = read_option(network, option);
	}
	return ok && network->id[0] ? NULL : wanted;
}

/* A socket that has the port as QEMU's would; -1 with errno. */
static int take_port(const struct host_forward *forward)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_addr = forward->host,
					.sin_port = htons(forward->host_port) };
	const int kind = forward->udp ? SOCK_DGRAM : SOCK_STREAM, one = 1;
	int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0), reason;

	if (fd < 0)
		return -1;
	/*
	 * What an earlier connection has left is in nobody's way. For UDP it would let two have one
	 * port.
	 */
	if (!forward->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
	    (forward->udp || listen(fd, 1) == 0))
		return fd;
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

/* Takes a network's ports into fds, from *taken on. */
static bool take_ports(const struct guest_network *network, int *fds, size_t *taken,
		       struct host_error *error)
{
	for (size_t i = 0; i < network->forward_count; i++) {
		const struct host_forward *forward = &network->forwards[i];
		int fd = take_port(forward);

		if (fd < 0)
			return host_fail(error,
					 "--netdev %s: cannot forward %s port %u of the host: %s",
					 network->id, forward->udp ? "UDP" : "TCP",
					 forward->host_port, strerror(errno));
		fds[(*taken)++] = fd;
	}
	return true;
}

/* All ports are held together, as two of them may be the same. */
bool networks_check(const struct guest_network *networks, size_t count, struct host_error *error)
{
	int fds[NETWORKS_MAX * NETWORK_FORWARDS_MAX];
	size_t taken = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < count; i++)
		ok = take_ports(&networks[i], fds, &taken, error);
	while (taken)
		close(fds[--taken]);
	return ok;
}
