/* SPDX-License-Identifier: MIT */
/* The #HV doorbell page of a plane with restricted injection. */
#ifndef SOCLE_MACHINE_HV_EVENT_DOORBELL_H
#define SOCLE_MACHINE_HV_EVENT_DOORBELL_H

#include "machine/hv/plane/vcpu.h"

struct doorbell_event {
	int vector; /* -1: none */
	bool nmi;
};

enum doorbell_result {
	DOORBELL_FULL,	 /* no page, or the guest has not taken the vector before: nothing done */
	DOORBELL_POSTED, /* written; the guest looks by itself, as NoFurtherSignal was set */
	DOORBELL_SIGNAL, /* written; #HV must be injected now */
};

/* Writes the event to the page of p. With can_signal false, nothing that would need #HV is done. */
enum doorbell_result doorbell_post(struct plane *p, struct doorbell_event event, bool can_signal);

#endif
