/* SPDX-License-Identifier: MIT */
/*
 * The AMD Secure Processor as a guest of the emulated machine meets it: the secrets page of the
 * launch, and guest messages (SEV-SNP Firmware ABI, 56860: SNP_LAUNCH_START, SNP_LAUNCH_UPDATE,
 * SNP_GUEST_REQUEST, MSG_REPORT_REQ, MSG_TSC_INFO_REQ). Everything in a message is the guest's and
 * untrusted.
 */
#ifndef SOCLE_MACHINE_HOST_PSP_H
#define SOCLE_MACHINE_HOST_PSP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/snp.h"
#include "machine/host/chain.h"

#define PSP_ABI_MAJOR 1u
#define PSP_ABI_MINOR 55u
#define PSP_REPORT_VERSION 3u

/* Status of SNP_GUEST_REQUEST, which the guest finds in bits 31:0 of exit_info_2. */
enum psp_status {
	PSP_SUCCESS = 0x00,
	PSP_BAD_MEASUREMENT = 0x0b, /* the message is not authentic */
	PSP_INVALID_PARAM = 0x16,
	PSP_AEAD_OFLOW = 0x1d, /* no sequence numbers are left */
	PSP_HARDWARE = 0x13,   /* the AMD-SP itself failed */
};

/* What the launch fixed for the life of the guest. */
struct psp_launch {
	uint64_t policy;
	uint8_t workarounds[16]; /* GOSVW of the secrets page */
	uint8_t host_data[32];
	bool vcek_disabled; /* the guest gets nothing that the VCEK signs */
	uint8_t measurement[PSP_MEASUREMENT_SIZE];
	/* Of the ID block; zeros without one. */
	uint8_t family_id[16], image_id[16];
	uint32_t guest_svn;
	bool author_key_enabled;
	uint8_t id_key_digest[48], author_key_digest[48];
};

struct psp {
	const struct chain *chain; /* the caller's, for as long as this is in use */
	struct psp_launch launch;
	uint8_t vmpck[SNP_VMPL_COUNT][SNP_VMPCK_SIZE];
	uint64_t last_seqno[SNP_VMPL_COUNT]; /* of each key, of the last answer */
	uint8_t report_id[32];
	uint32_t tsc_factor; /* how far the guest's TSC is below GUEST_TSC_FREQ, in 1/100000 */
};

/* Draws the guest's keys and report id. False when there are no random numbers. */
bool psp_init(struct psp *psp, const struct chain *chain);

/* NULL when SNP_LAUNCH_START takes the policy, else why it does not. */
const char *psp_policy_refusal(uint64_t policy);

/*
 * What SNP_LAUNCH_UPDATE sets in a VMSA that it has measured: with Secure TSC, the scale and offset
 * of its TSC, which is the processor's here.
 */
void psp_fill_vmsa(struct snp_vmsa *vmsa);

/*
 * The page that SNP_LAUNCH_UPDATE writes for page type SECRETS, but for TSC_FACTOR: the hypervisor
 * measures that.
 */
void psp_fill_secrets(const struct psp *psp, struct snp_secrets *secrets);

/*
 * SNP_GUEST_REQUEST: answers the message in request. response is written, all of it, only for
 * PSP_SUCCESS; only then do the key's sequence numbers move.
 */
enum psp_status psp_guest_request(struct psp *psp, const uint8_t request[ABI_PAGE_SIZE],
				  uint8_t response[ABI_PAGE_SIZE]);

#endif
