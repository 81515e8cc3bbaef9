/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include <string.h>

#include "machine/hv/device/mmio.h"
#include "machine/hv/memory/guest.h"

void nae_mmio(struct ghcb_call *c)
{
	struct mmio_access a = {
		.v = c->v,
		.gpa = c->info_1 & ~HV_C_BIT,
		.size = (unsigned int)c->info_2,
		.write = c->code == GHCB_EXIT_MMIO_WRITE,
	};
	void *data;

	if ((c->info_2 != 1 && c->info_2 != 2 && c->info_2 != 4 && c->info_2 != 8) ||
	    a.gpa % a.size != 0) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	data = ghcb_scratch(c, a.size);
	if (data == NULL)
		return;
	if (a.write)
		memcpy(&a.value, data, a.size);
	if (!mmio_access(&a)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	/* The page may have changed sides while a device was waited for. */
	if (!a.write)
		data = ghcb_scratch(c, a.size);
	if (!a.write && data != NULL)
		memcpy(data, &a.value, a.size);
}
