/* SPDX-License-Identifier: MIT */
/*
 * The emulated machine's key chain, made as AMD makes its own: ARK signs itself and the ASK, the
 * ASK signs the VCEK (RSA-4096, PSS with SHA-384), the VCEK (P-384) signs reports. Each certificate
 * has AMD's names, so that every verifier that is given this root can judge what is below it, and
 * is marked as emulated (core/evidence/host/amd_chain.h); nothing leads to a key of AMD's.
 * Versioned Chip Endorsement Key Certificate and KDS Interface Specification (57230).
 */
#ifndef SOCLE_MACHINE_HOST_CHAIN_H
#define SOCLE_MACHINE_HOST_CHAIN_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "core/base/host/error.h"
#include "core/snp/report.h"

struct chain {
	X509 *ark, *ask, *vcek;
	EVP_PKEY *vcek_key;
	uint8_t chip_id[PSP_CHIP_ID_SIZE];
	struct report_tcb tcb; /* the security patch levels that the VCEK is bound to */
};

/*
 * The chain kept in dir; makes it first when dir has none, which takes seconds. It appears in dir
 * whole or not at all, also when several processes make it at once. Free with chain_close().
 */
bool chain_open(struct chain *chain, const char *dir, struct host_error *error);

/* Frees what chain_open() took; fine on a zeroed chain. */
void chain_close(struct chain *chain);

/* Writes ark.pem, ask.pem and vcek.pem into dir. */
bool chain_export(const struct chain *chain, const char *dir, struct host_error *error);

/* The TCB as reports write it (Milan's layout of TCB_VERSION). */
uint64_t chain_tcb_version(const struct chain *chain);

/* Signs bytes 0..0x29f of report with the VCEK and writes the signature into it. */
bool chain_sign_report(const struct chain *chain, struct psp_report *report);

/*
 * The certificate table of an extended guest request, DER certificates. Returns its size in
 * bytes, or 0 when it does not fit into size bytes or OpenSSL fails.
 */
size_t chain_cert_table(const struct chain *chain, uint8_t *table, size_t size);

#endif
