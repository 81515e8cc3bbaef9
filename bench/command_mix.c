/* SPDX-License-Identifier: MIT */
/*
 * The same TPM commands to two TPMs behind TCP, in turns: what an attesting guest does. Each port
 * takes raw TPM commands, as swtpm's data port does, or each in the simulator's frame.
 *
 *	command_mix PORT PORT ROUNDS {raw|framed}
 *
 * Prints a line for each command and one for the whole round: name, and a median in microseconds
 * for each TPM.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/samples.h"

#define BUFFER_MAX 4096u
#define FRAME_SIZE 9u /* code, locality, size; a size before the response, and a word behind it */
#define FRAME_SEND 8u
#define NV_INDEX 0x01500000u
#define NV_ATTRIBUTES 0x02060006u /* OWNERWRITE, AUTHWRITE, OWNERREAD, AUTHREAD, NO_DA */
#define NV_SIZE 512u
#define RH_OWNER 0x40000001u
#define RH_NULL 0x40000007u
#define RH_ENDORSEMENT 0x4000000bu
#define RS_PASSWORD 0x40000009u

struct tpm {
	int fd;
	bool framed;
	uint8_t frame[FRAME_SIZE]; /* stands before the command, and is sent with it */
	uint8_t command[BUFFER_MAX], response[BUFFER_MAX + 4];
	size_t command_size, response_size;
	uint32_t ak, rsa_ak;
};

static int connect_to(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)))
		err(2, "port %s", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void put(struct tpm *t, uint64_t value, unsigned int size)
{
	if (t->command_size + size > BUFFER_MAX)
		errx(2, "a command is too long");
	while (size--)
		t->command[t->command_size++] = (uint8_t)(value >> 8 * size);
}

static void put_bytes(struct tpm *t, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put(t, ((const uint8_t *)data)[i], 1);
}

/* An empty password, if the command has an authorization. */
static void put_auth(struct tpm *t)
{
	put(t, 9, 4);
	put(t, RS_PASSWORD, 4);
	put(t, 0, 5);
}

static void begin(struct tpm *t, uint32_t code, bool with_sessions)
{
	t->command_size = 0;
	put(t, with_sessions ? 0x8002 : 0x8001, 2);
	put(t, 0, 4);
	put(t, code, 4);
}

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The bytes of the response from start to end. */
static void receive(struct tpm *t, size_t start, size_t end)
{
	if (start < end &&
	    recv(t->fd, t->response + start, end - start, MSG_WAITALL) != (ssize_t)(end - start))
		err(2, "recv");
}

static void send_command(struct tpm *t)
{
	const uint8_t *from = t->framed ? t->frame : t->command;
	size_t size = t->command_size + (t->framed ? FRAME_SIZE : 0);
	uint32_t length = htonl((uint32_t)t->command_size);

	memcpy(t->command + 2, &length, sizeof(length));
	t->frame[3] = FRAME_SEND;
	memcpy(t->frame + 5, &length, sizeof(length));
	if (send(t->fd, from, size, 0) != (ssize_t)size)
		err(2, "send");
}

/* Sends the command and waits for its response. Returns the response code. */
static uint32_t run(struct tpm *t)
{
	send_command(t);
	if (t->framed)
		receive(t, 0, 4);
	receive(t, 0, 10);
	t->response_size = number_at(t->response + 2);
	if (t->response_size < 10 || t->response_size > BUFFER_MAX)
		errx(2, "a response is malformed");
	receive(t, 10, t->response_size);
	if (t->framed)
		receive(t, t->response_size, t->response_size + 4);
	return number_at(t->response + 6);
}

static void must(struct tpm *t, const char *what)
{
	uint32_t rc = run(t);

	if (rc)
		errx(2, "%s: response code 0x%x", what, rc);
}

/* Templates: an ECDSA P-256 and an RSASSA attestation key, without dictionary attack protection. */
static const uint8_t ecc_template[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72,
					0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
					0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };
static const uint8_t rsa_template[] = { 0x00, 0x01, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72,
					0x00, 0x00, 0x00, 0x10, 0x00, 0x14, 0x00, 0x0b,
					0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };

static uint32_t create_primary(struct tpm *t, const uint8_t *template, size_t size)
{
	begin(t, 0x131, true);
	put(t, RH_ENDORSEMENT, 4);
	put_auth(t);
	put(t, 4, 2); /* sensitive: no authorization, no data */
	put(t, 0, 4);
	put(t, size, 2);
	put_bytes(t, template, size);
	put(t, 0, 2);
	put(t, 0, 4);
	must(t, "TPM2_CreatePrimary");
	return number_at(t->response + 10);
}

static void flush(struct tpm *t, uint32_t handle)
{
	begin(t, 0x165, false);
	put(t, handle, 4);
	must(t, "TPM2_FlushContext");
}

static void get_capability(struct tpm *t)
{
	begin(t, 0x17a, false);
	put(t, 6, 4); /* TPM properties */
	put(t, 0x100, 4);
	put(t, 64, 4);
	must(t, "TPM2_GetCapability");
}

static void get_random(struct tpm *t)
{
	begin(t, 0x17b, false);
	put(t, 32, 2);
	must(t, "TPM2_GetRandom");
}

static void pcr_extend(struct tpm *t)
{
	begin(t, 0x182, true);
	put(t, 16, 4);
	put_auth(t);
	put(t, 1, 4);
	put(t, 0x000b, 2);
	put_bytes(t, ecc_template, 24);
	put(t, 1, 8);
	must(t, "TPM2_PCR_Extend");
}

static void put_pcrs(struct tpm *t)
{
	put(t, 1, 4);
	put(t, 0x000b, 2);
	put(t, 3, 1);
	put(t, 0xff0001, 3); /* 0 to 7, and 16 */
}

static void pcr_read(struct tpm *t)
{
	begin(t, 0x17e, false);
	put_pcrs(t);
	must(t, "TPM2_PCR_Read");
}

static void read_public(struct tpm *t)
{
	begin(t, 0x173, false);
	put(t, t->ak, 4);
	must(t, "TPM2_ReadPublic");
}

static void quote(struct tpm *t, uint32_t key)
{
	begin(t, 0x158, true);
	put(t, key, 4);
	put_auth(t);
	put(t, 8, 2);
	put(t, 0x0102030405060708, 8);
	put(t, 0x0010, 2);
	put_pcrs(t);
	must(t, "TPM2_Quote");
}

static void quote_ecc(struct tpm *t)
{
	quote(t, t->ak);
}

static void quote_rsa(struct tpm *t)
{
	quote(t, t->rsa_ak);
}

/* New contents each time, so that the TPM has to store. */
static void nv_write(struct tpm *t)
{
	static uint64_t counter;
	uint8_t data[NV_SIZE] = { 0 };

	counter++;
	memcpy(data, &counter, sizeof(counter));
	begin(t, 0x137, true);
	put(t, NV_INDEX, 4);
	put(t, NV_INDEX, 4);
	put_auth(t);
	put(t, NV_SIZE, 2);
	put_bytes(t, data, NV_SIZE);
	put(t, 0, 2);
	must(t, "TPM2_NV_Write");
}

static void nv_read(struct tpm *t)
{
	begin(t, 0x14e, true);
	put(t, NV_INDEX, 4);
	put(t, NV_INDEX, 4);
	put_auth(t);
	put(t, NV_SIZE, 2);
	put(t, 0, 2);
	must(t, "TPM2_NV_Read");
}

static void create_and_flush(struct tpm *t)
{
	flush(t, create_primary(t, ecc_template, sizeof(ecc_template)));
}

static void session(struct tpm *t)
{
	uint8_t nonce[16] = { 1 };

	begin(t, 0x176, false);
	put(t, RH_NULL, 4);
	put(t, RH_NULL, 4);
	put(t, sizeof(nonce), 2);
	put_bytes(t, nonce, sizeof(nonce));
	put(t, 0, 2);
	put(t, 1, 1); /* policy */
	put(t, 0x0010, 2);
	put(t, 0x000b, 2);
	must(t, "TPM2_StartAuthSession");
	flush(t, number_at(t->response + 10));
}

static const struct step {
	const char *name;
	void (*run)(struct tpm *t);
} steps[] = {
	{ "GetCapability", get_capability },
	{ "GetRandom", get_random },
	{ "PCR_Extend", pcr_extend },
	{ "PCR_Read", pcr_read },
	{ "ReadPublic", read_public },
	{ "StartAuthSession+Flush", session },
	{ "NV_Write", nv_write },
	{ "NV_Read", nv_read },
	{ "CreatePrimary+Flush P-256", create_and_flush },
	{ "Quote P-256", quote_ecc },
	{ "Quote RSA-2048", quote_rsa },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void prepare(struct tpm *t, const char *port)
{
	t->fd = connect_to(port);
	begin(t, 0x144, false);
	put(t, 0, 2);
	run(t); /* TPM2_Startup: it may have been done */
	t->ak = create_primary(t, ecc_template, sizeof(ecc_template));
	t->rsa_ak = create_primary(t, rsa_template, sizeof(rsa_template));
	begin(t, 0x12a, true);
	put(t, RH_OWNER, 4);
	put_auth(t);
	put(t, 0, 2);
	put(t, 14, 2);
	put(t, NV_INDEX, 4);
	put(t, 0x000b, 2);
	put(t, NV_ATTRIBUTES, 4);
	put(t, 0, 2);
	put(t, NV_SIZE, 2);
	must(t, "TPM2_NV_DefineSpace");
}

static void round_of(struct tpm *t, struct samples samples[STEPS + 1])
{
	uint64_t began = samples_now();

	for (size_t i = 0; i < STEPS; i++) {
		uint64_t start = samples_now();

		steps[i].run(t);
		samples_add(&samples[i], start);
	}
	samples_add(&samples[STEPS], began);
}

int main(int argc, char **argv)
{
	static struct samples samples[2][STEPS + 1];
	static struct tpm tpms[2];
	int rounds = argc == 5 ? atoi(argv[3]) : 0;

	if (rounds <= 0)
		errx(2, "usage: command_mix PORT PORT ROUNDS {raw|framed}");
	for (int i = 0; i < 2; i++) {
		tpms[i].framed = strcmp(argv[4], "framed") == 0;
		prepare(&tpms[i], argv[1 + i]);
	}
	for (int i = 0; i < rounds; i++) {
		/* Who is first changes, so that neither gains by it. */
		round_of(&tpms[i % 2], samples[i % 2]);
		round_of(&tpms[1 - i % 2], samples[1 - i % 2]);
	}
	for (size_t i = 0; i <= STEPS; i++)
		printf("%s\t%.2f\t%.2f\n", i < STEPS ? steps[i].name : "round",
		       samples_median(&samples[0][i]), samples_median(&samples[1][i]));
	return 0;
}
