/* SPDX-License-Identifier: MIT */
/*
 * A vtpm that a guest has taken over: what the guest sends as a TPM command is what it gives from
 * then on as its manifest, whatever it is asked for. tests/attacks/guest/manifests.c is that guest.
 *
 * No C library: the attest service beside it is what is tested.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/service.h"

#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_EXIT_GROUP 231

static struct {
	union {
		struct service_request request;
		struct service_reply reply;
	} header;
	uint8_t payload[2 * VTPM_COMMAND_MAX];
} message;

static uint8_t manifest[VTPM_COMMAND_MAX];
static size_t manifest_size;

static int64_t call3(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static void answer(uint32_t status, size_t size)
{
	message.header.reply.status = status;
	message.header.reply.size = (uint32_t)size;
	call3(SYS_WRITE, SERVICE_FD_REQUESTS, (uint64_t)&message, sizeof(message.header) + size);
}

static void take_manifest(size_t size)
{
	manifest_size = size - sizeof(struct vtpm_command);
	memcpy(manifest, message.payload + sizeof(struct vtpm_command), manifest_size);
	memset(message.payload, 0, sizeof(struct vtpm_response) + 1);
	answer(SERVICE_OK, sizeof(struct vtpm_response) + 1); /* a response has at least a byte */
}

static void give_selected(void)
{
	const struct vtpm_select_reply reply = { .outcome = SELECT_MANIFEST };

	memcpy(message.payload, &reply, sizeof(reply));
	memcpy(message.payload + sizeof(reply), manifest, manifest_size);
	answer(SERVICE_OK, sizeof(reply) + manifest_size);
}

static void serve(uint32_t op, size_t size)
{
	switch (op) {
	case VTPM_OP_COMMAND:
		take_manifest(size);
		break;
	case VTPM_OP_MANIFEST:
		memcpy(message.payload, manifest, manifest_size);
		answer(SERVICE_OK, manifest_size);
		break;
	case VTPM_OP_SELECT:
		give_selected();
		break;
	default:
		answer(SERVICE_ERR_UNSUPPORTED, 0);
	}
}

void taken_over_main(void);

/* Called by _start with an aligned stack. */
void taken_over_main(void)
{
	while (call3(SYS_READ, SERVICE_FD_REQUESTS, (uint64_t)&message, sizeof(message)) > 0)
		serve(message.header.request.op, message.header.request.size);
	for (;;)
		call3(SYS_EXIT_GROUP, 1, 0, 0);
}

__asm__(".globl _start\n"
	"_start:\n\t"
	"xor %ebp, %ebp\n\t"
	"and $-16, %rsp\n\t"
	"call taken_over_main\n\t"
	"ud2\n");
