/* SPDX-License-Identifier: MIT */
/* The attestation report, read strictly (abi/psp.h; SNP firmware ABI, ATTESTATION_REPORT). */
#ifndef SOCLE_CORE_SNP_REPORT_H
#define SOCLE_CORE_SNP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"

#define REPORT_VERSION_MAX 5u

/* Whose TCB_VERSION, certificates and CPUID are known here. */
enum report_product {
	REPORT_PRODUCT_UNKNOWN,
	REPORT_PRODUCT_MILAN,
	REPORT_PRODUCT_GENOA, /* and Bergamo and Siena, whose certificates are Genoa's */
	REPORT_PRODUCT_TURIN,
	REPORT_PRODUCT_VENICE,
};

/* The parts of a TCB_VERSION; what a product's layout does not have is 0. */
struct report_tcb {
	uint8_t fmc;
	uint8_t bootloader;
	uint8_t tee;
	uint8_t snp;
	uint8_t microcode;
};

/* The key that signed, KEY_INFO bits 4:2. */
enum report_signing_key {
	REPORT_KEY_VCEK = 0,
	REPORT_KEY_VLEK = 1,
	REPORT_KEY_NONE = 7,
};

/* Copies a report of exactly sizeof(struct psp_report) bytes; false for any other size. */
bool report_read(struct psp_report *report, const void *data, size_t size);

/*
 * What in the report contradicts its own version: an unknown version, or a reserved byte that is
 * not zero. NULL when nothing does. allow_unknown accepts versions after REPORT_VERSION_MAX; they
 * may use the reserved bytes, but no bit of KEY_INFO or POLICY that is unknown here.
 */
const char *report_format_error(const struct psp_report *report, bool allow_unknown);

/* What in the guest policy a relying party must not accept (debugging, migration), or NULL. */
const char *report_policy_error(const struct psp_report *report);

/* The name of a policy bit, 16 to 25; NULL for another one. */
const char *report_policy_bit(unsigned int bit);

enum report_signing_key report_signing_key(const struct psp_report *report);

/* The product that certificates name: "Milan", or with a stepping, "Milan-B0". */
enum report_product report_product_named(const char *name);

/* Its name without a stepping; NULL for an unknown one. */
const char *report_product_name(enum report_product product);

/*
 * The product with this CPUID family and model (extended ones included), which report version 3
 * has.
 */
enum report_product report_product_of_cpu(uint8_t family, uint8_t model);

/* Bytes of a chip's id in this product: the rest of CHIP_ID is zero. */
size_t report_chip_id_size(enum report_product product);

/* A TCB_VERSION in the product's layout. Of an unknown product: all 0. */
struct report_tcb report_tcb(uint64_t raw, enum report_product product);

/* Whether every byte that the product's layout leaves free is zero. */
bool report_tcb_whole(uint64_t raw, enum report_product product);

/* True when every component of a is at least that of b. */
bool report_tcb_at_least(struct report_tcb a, struct report_tcb b);

#endif
