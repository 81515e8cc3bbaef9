/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include <string.h>

#include "machine/hv/device/ports.h"

static void string_io(struct ghcb_call *c, struct port_access *a)
{
	uint64_t count = c->info_1 & SVM_IOIO_REP ? c->info_2 : 1;
	uint8_t *data;

	if (count > ABI_PAGE_SIZE / a->size) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	data = ghcb_scratch(c, count * a->size);
	if (data == NULL)
		return;
	for (uint64_t i = 0; i < count; i++, data += a->size) {
		a->value = 0;
		if (c->info_1 & SVM_IOIO_IN) {
			ports_read(a);
			memcpy(data, &a->value, a->size);
		} else {
			memcpy(&a->value, data, a->size);
			ports_write(a);
		}
	}
}

void nae_ioio(struct ghcb_call *c)
{
	struct port_access a = {
		.v = c->v,
		.port = (uint16_t)(c->info_1 >> SVM_IOIO_PORT_SHIFT),
		.size = c->info_1 >> 4 & 7,
		.value = (uint32_t)c->rax,
	};
	uint64_t mask = a.size == 4 ? 0xffffffff : (1ull << 8 * a.size) - 1;

	if (a.size != 1 && a.size != 2 && a.size != 4) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (c->info_1 & SVM_IOIO_STRING) {
		if (c->fields & GHCB_FIELD_SCRATCH)
			string_io(c, &a);
		else
			ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
	} else if (c->info_1 & SVM_IOIO_IN) {
		ports_read(&a);
		/* Linux takes RAX as it is: bytes beyond the access stay what they were. */
		c->rax = (c->fields & GHCB_FIELD_RAX ? c->rax & ~mask : 0) | (a.value & mask);
		c->output |= GHCB_FIELD_RAX;
	} else if (c->fields & GHCB_FIELD_RAX) {
		a.value &= (uint32_t)mask;
		ports_write(&a);
	} else {
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
	}
}
