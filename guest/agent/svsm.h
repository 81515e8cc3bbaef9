/* SPDX-License-Identifier: MIT */
/*
 * Attestations of a key by the SVSM: through svsm/attest of Socle's kernel module
 * (guest/module/attest.c), or through the kernel's tsm where nothing is selected.
 */
#ifndef SOCLE_GUEST_AGENT_SVSM_H
#define SOCLE_GUEST_AGENT_SVSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/svsm.h"
#include "guest/agent/problem.h"
#include "guest/agent/tsm.h"

#define SVSM_ROOT "/sys/kernel/config/svsm/attest"

/* Where the kernel's interfaces are. */
struct svsm_roots {
	const char *svsm, *tsm;
};

/* What is to be attested, over which nonce. */
struct svsm_wish {
	uint8_t nonce[SVSM_NONCE_SIZE];
	uint32_t manifest_version;
	uint32_t key; /* enum svsm_key_id of the key that is wanted, 0: none of the profile's */
	uint8_t selector[SVSM_SELECTOR_MAX];
	size_t selector_size; /* 0: nothing selected */
};

/* The enum svsm_key_id of a name in profiles; 0 with the names that there are in *problem. */
uint32_t svsm_key_id(const char *name, struct problem *problem);

/* Selects a key by its name in profiles, a TPMT_PUBLIC template, or the NV index of one. */
bool svsm_select_key(struct svsm_wish *wish, const char *name, struct problem *problem);
bool svsm_select_template(struct svsm_wish *wish, const void *template, size_t size,
			  struct problem *problem);
void svsm_select_nv(struct svsm_wish *wish, uint32_t index);

/*
 * Makes of the wish what the kernel can do: without svsm/attest a key of the profile is attested in
 * a manifest of the stock interface, of version 0 for the L-1 EK, else of version 1, which lists
 * all keys; nothing is selected then. False with the reason in *problem: a template or an NV index
 * has no other way, and a version that is given is not changed.
 */
bool svsm_fit(const struct svsm_roots *roots, bool version_given, struct svsm_wish *wish,
	      struct problem *problem);

/* Makes the attestation. False with the reason in *problem; so when the manifest lacks the key. */
bool svsm_attest(const struct svsm_roots *roots, const struct svsm_wish *wish,
		 struct tsm_report *out, struct problem *problem);

/*
 * Makes it and writes nonce.bin, manifest.bin, report.bin, and, where there is such a thing,
 * selector.bin, context.bin and certs.bin to a folder that exists. Of an earlier attestation no
 * file stays.
 */
bool svsm_attest_to(const struct svsm_roots *roots, const struct svsm_wish *wish,
		    const char *folder, struct problem *problem);

#endif
