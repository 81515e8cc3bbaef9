/* SPDX-License-Identifier: MIT */
/* Attestation calls, as their two files see them. */
#ifndef SOCLE_MONITOR_PROTOCOL_ATTEST_H
#define SOCLE_MONITOR_PROTOCOL_ATTEST_H

#include <stdint.h>

#include "abi/svsm.h"
#include "core/tpm/selector.h"
#include "monitor/base/addr.h"
#include "monitor/service/service.h"

/*
 * A call, decoded: nothing of it is read from the guest again. Without padding and with zeros
 * where nothing is, so that two calls ask for the same exactly when their bytes are the same.
 */
struct attest_call {
	struct svsm_attest_op_ex block; /* zeros behind what the call has of it */
	uint8_t nonce[SVSM_NONCE_SIZE];
	uint8_t selector[SVSM_SELECTOR_MAX];
	uint32_t selector_size; /* 0: nothing is selected, so the call means what call 1 means */
	uint32_t reserved;
};
ABI_SIZE(struct attest_call, 0x68 + SVSM_NONCE_SIZE + SVSM_SELECTOR_MAX + 8);

/* Where the manifest begins in what attest_select() gives. */
#define ATTEST_SELECTED_OFFSET sizeof(struct vtpm_select_reply)

/*
 * The manifest of the key that the call selects. With SVSM_SUCCESS *selected is the vtpm's answer,
 * for the caller to free. SVSM_ERR_INCOMPLETE: the key is being made, or waits for its turn; the
 * same call goes on with that, from any vCPU. Any other result is the call's. vmsa is the caller's.
 * Takes locks; holds none while the twin works.
 */
uint32_t attest_select(const struct attest_call *in, gpa_t vmsa, struct service_answer *selected);

#endif
