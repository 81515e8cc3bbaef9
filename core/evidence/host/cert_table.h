/* SPDX-License-Identifier: MIT */
/*
 * The host's certificate table: what an extended guest request brings beside a report (GHCB
 * specification, section 4.1.8.1), and configfs-tsm as `auxblob`. The host wrote it and the guest
 * passed it on, so nothing in it is to be believed: whoever reads it judges the chain afterwards.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_CERT_TABLE_H
#define SOCLE_CORE_EVIDENCE_HOST_CERT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"
#include "core/base/host/file.h"
#include "core/evidence/host/amd_chain.h"

#define CERT_TABLE_ENTRIES_MAX 16u

/*
 * The ARK, the issuer and the signer of a table for a report by this key: the VLEK for a VLEK, else
 * the VCEK (ASK and ASVK share a GUID). What it does not have is NULL. All of the table has to
 * be well-formed: entries up to one with the null GUID, each over bytes of its own behind the
 * entries, none of these three GUIDs twice, and their bytes a certificate. Returns NULL, or what is
 * wrong as a constant string; then the chain is empty. The caller frees the chain.
 */
const char *cert_table_read(struct amd_chain *chain, enum report_signing_key key, const void *table,
			    size_t size);

/* An entry of a table, as who makes one has it. */
struct cert_table_entry {
	struct abi_guid guid;
	const uint8_t *data;
	size_t size;
};

/*
 * A table of these, for file_free(): what tools that keep certificates apart from tables are read
 * into. With none it is empty. NULL, or what is wrong as a constant string.
 */
const char *cert_table_write(const struct cert_table_entry *entries, size_t count,
			     struct file_bytes *table);

#endif
