/* SPDX-License-Identifier: MIT */
/*
 * What `--netdev` takes: QEMU's grammar of `-netdev user` (qemu-options.hx) and of its ids
 * (util/id.c), as far as it is offered; and ports that are taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/host/devices.h"

static const char *parse(struct guest_network *network, const char *value)
{
	static char text[2048];

	strcpy(text, value);
	return network_parse(network, text);
}

static void test_parse(void **state)
{
	struct guest_network n;

	(void)state;
	assert_null(parse(&n, "user,id=net0"));
	assert_string_equal(n.id, "net0");
	assert_false(n.restricted);
	assert_int_equal(n.forward_count, 0);
	assert_null(parse(&n, "user,id=a.b-c_9,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22,"
			      "hostfwd=udp::65535-10.0.2.16:1,hostfwd=::80-:8080"));
	assert_string_equal(n.id, "a.b-c_9");
	assert_true(n.restricted);
	assert_int_equal(n.forward_count, 3);
	assert_false(n.forwards[0].udp);
	assert_int_equal(ntohl(n.forwards[0].host.s_addr), 0x7f000001);
	assert_int_equal(n.forwards[0].host_port, 2222);
	assert_int_equal(n.forwards[0].guest.s_addr, INADDR_ANY);
	assert_int_equal(n.forwards[0].guest_port, 22);
	assert_true(n.forwards[1].udp);
	assert_int_equal(n.forwards[1].host.s_addr, INADDR_ANY);
	assert_int_equal(n.forwards[1].host_port, 65535);
	assert_int_equal(ntohl(n.forwards[1].guest.s_addr), 0x0a000210);
	assert_int_equal(n.forwards[1].guest_port, 1);
	assert_false(n.forwards[2].udp);
	assert_int_equal(n.forwards[2].host_port, 80);
	assert_null(parse(&n, "user,id=n,restrict=off"));
	assert_false(n.restricted);
}

static void test_refusals(void **state)
{
	static const char *const wrong[] = {
		"",
		"user",
		"user,",
		"user,id=",
		"user,id",
		"user,id=0net",
		"user,id=a b",
		"user,id=a,,script=x",
		"user,id=a,id=b",
		"user,id=abcdefghijklmnopqrstuvwxyz012345", /* 32 characters */
		"tap,id=a",
		"socket,id=a,listen=:1",
		"user,id=a,smb=/",
		"user,id=a,tftp=/etc",
		"user,id=a,guestfwd=tcp:10.0.2.100:1-cmd:id",
		"user,id=a,restrict=yes",
		"user,id=a,hostfwd=",
		"user,id=a,hostfwd=tcp:22",
		"user,id=a,hostfwd=tcp::22",
		"user,id=a,hostfwd=tcp::22-",
		"user,id=a,hostfwd=tcp::22-22",
		"user,id=a,hostfwd=tcp::0-:22",
		"user,id=a,hostfwd=tcp::65536-:22",
		"user,id=a,hostfwd=tcp::022-:22",
		"user,id=a,hostfwd=tcp::22-:",
		"user,id=a,hostfwd=tcp:-:22",
		"user,id=a,hostfwd=sctp::22-:22",
		"user,id=a,hostfwd=unix:x-:22",
		"user,id=a,hostfwd=tcp:localhost:22-:22",
		"user,id=a,hostfwd=tcp:127.1:22-:22",
		"user,id=a,hostfwd=tcp:1.2.3.256:22-:22",
		"user,id=a,hostfwd=tcp::22-:22,,hostfwd=x",
		"user,id=a,hostfwd=tcp::22-:22-:22",
		"user,id=a,hostfwd=-tcp::22:22",
	};
	char many[1024] = "user,id=a";
	struct guest_network n;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!parse(&n, wrong[i]))
			fail_msg("%s is taken", wrong[i]);
	for (unsigned int i = 0; i < NETWORK_FORWARDS_MAX; i++)
		snprintf(many + strlen(many), 32, ",hostfwd=::%u-:1", i + 1);
	assert_null(parse(&n, many));
	strcat(many, ",hostfwd=::100-:1");
	assert_non_null(parse(&n, many));
}

static bool add_network(struct guest_devices *d, const char *value)
{
	char text[256];

	strcpy(text, value);
	return devices_parse_network(d, text) == NULL;
}

static bool add_device(struct guest_devices *d, const char *value)
{
	char text[256];

	strcpy(text, value);
	return devices_parse_other(d, text) == NULL;
}

static void assert_wrong(struct guest_devices *d, const char *why)
{
	struct host_error error = { 0 };

	assert_false(devices_check(d, &error));
	if (!strstr(error.text, why))
		fail_msg("%s", error.text);
}

static void test_devices(void **state)
{
	struct guest_devices d = { 0 };
	struct host_error error = { 0 };

	(void)state;
	assert_true(add_device(&d, "virtio-net"));
	assert_true(add_device(&d, "e1000,netdev=a"));
	assert_string_equal(d.others[0].netdev, "");
	assert_int_equal(d.others[1].kind, DEVICE_E1000);
	assert_false(add_device(&d, "virtio-rng,netdev=a"));
	assert_false(add_device(&d, "e1000,netdev="));
	assert_false(add_device(&d, "e1000,netdev=a,netdev=b"));
	assert_false(add_device(&d, "e1000,mac=1"));
	assert_false(add_device(&d, "e1000,"));
	assert_false(add_device(&d, "e1000,,netdev=a"));
	assert_int_equal(d.other_count, 2);
	assert_wrong(&d, "--device e1000,netdev=a wants --netdev user,id=a");
	assert_true(add_network(&d, "user,id=a"));
	assert_true(devices_check(&d, &error));
	assert_null(devices_network(&d, &d.others[0]));
	assert_ptr_equal(devices_network(&d, &d.others[1]), &d.networks[0]);
	assert_true(add_network(&d, "user,id=b"));
	assert_wrong(&d, "--netdev b wants one device with netdev=b, and has 0");
	strcpy(d.networks[1].id, "a");
	assert_wrong(&d, "--netdev a is there twice");
	d.network_count = 1;
	strcpy(d.others[0].netdev, "a");
	assert_wrong(&d, "and has 2");
	d.network_count = 0;
	for (unsigned int i = 0; i < DEVICES_MAX; i++)
		assert_true(add_network(&d, "user,id=a"));
	assert_false(add_network(&d, "user,id=a"));
}

/* A socket at a port of this computer that nobody has, and the port. */
static int listener(int kind, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, kind, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (kind == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void test_ports(void **state)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct guest_network n[2] = { { .id = "a", .forward_count = 1 }, { .id = "b" } };
		struct host_error error = { 0 };
		int fd = listener(kinds[i], &n[0].forwards[0].host_port);

		n[0].forwards[0].udp = i == 1;
		n[0].forwards[0].host.s_addr = htonl(INADDR_LOOPBACK);
		assert_false(networks_check(n, 2, &error));
		assert_non_null(strstr(error.text, i ? "--netdev a: cannot forward UDP port"
						     : "--netdev a: cannot forward TCP port"));
		close(fd);
		assert_true(networks_check(n, 2, &error));
		assert_true(networks_check(n, 2, &error));
		n[1].forwards[0] = n[0].forwards[0]; /* nobody has it, but both want it */
		n[1].forward_count = 1;
		assert_false(networks_check(n, 2, &error));
		n[1].forwards[0].udp = i == 0;
		assert_true(networks_check(n, 2, &error));
	}
	assert_true(networks_check(NULL, 0, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
