/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/cert_table.h"

#include <stdlib.h>
#include <string.h>

#include "abi/psp.h"
#include "core/base/bytes.h"

struct table {
	const uint8_t *data;
	size_t size;
	struct psp_cert_entry entries[CERT_TABLE_ENTRIES_MAX];
	size_t count, head; /* head: bytes of all entries, the last one's included */
};

static const char *read_entries(struct table *t)
{
	static const struct abi_guid end;
	struct bytes_reader r = bytes_reader_init(t->data, t->size);
	struct psp_cert_entry entry;

	while (bytes_copy(&r, &entry, sizeof(entry))) {
		t->head = r.pos;
		if (memcmp(&entry.guid, &end, sizeof(end)) == 0)
			return NULL;
		if (t->count == CERT_TABLE_ENTRIES_MAX)
			return "the certificate table is too long";
		t->entries[t->count++] = entry;
	}
	return "the certificate table has no end";
}

static bool overlap(const struct psp_cert_entry *a, const struct psp_cert_entry *b)
{
	return a->offset < (uint64_t)b->offset + b->length &&
	       b->offset < (uint64_t)a->offset + a->length;
}

/* No two entries share bytes, which would then be read in two ways. */
static const char *check_ranges(const struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct psp_cert_entry *entry = &t->entries[i];

		if (entry->length == 0 || entry->offset < t->head ||
		    !bytes_range_ok(entry->offset, entry->length, t->size))
			return "an entry of the certificate table points to no bytes of its own";
		for (size_t k = 0; k < i; k++) {
			if (overlap(entry, &t->entries[k]))
				return "two entries of the certificate table overlap";
		}
	}
	return NULL;
}

/* Where a certificate with this GUID belongs; NULL for one that is of no use here. */
static X509 **place_of(struct amd_chain *chain, const struct abi_guid *guid)
{
	bool by_vlek = chain->key == REPORT_KEY_VLEK;
	static const struct abi_guid vcek = PSP_GUID_VCEK, vlek = PSP_GUID_VLEK;
	static const struct abi_guid ask = PSP_GUID_ASK, ark = PSP_GUID_ARK;

	if (memcmp(guid, by_vlek ? &vlek : &vcek, sizeof(*guid)) == 0)
		return &chain->signer;
	if (memcmp(guid, &ask, sizeof(ask)) == 0)
		return &chain->issuer;
	return memcmp(guid, &ark, sizeof(ark)) == 0 ? &chain->ark : NULL;
}

static const char *take_certificates(const struct table *t, struct amd_chain *chain)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct psp_cert_entry *entry = &t->entries[i];
		X509 **place = place_of(chain, &entry->guid);

		if (!place)
			continue;
		if (*place)
			return "the certificate table names a certificate twice";
		*place = amd_chain_read_certificate(t->data + entry->offset, entry->length);
		if (!*place)
			return "a certificate of the table cannot be read";
	}
	return NULL;
}

const char *cert_table_read(struct amd_chain *chain, enum report_signing_key key, const void *table,
			    size_t size)
{
	struct table t = { .data = table, .size = size };
	const char *error;

	*chain = (struct amd_chain){ .key = key };
	if ((error = read_entries(&t)) || (error = check_ranges(&t)) ||
	    (error = take_certificates(&t, chain)))
		amd_chain_free(chain);
	return error;
}

const char *cert_table_write(const struct cert_table_entry *entries, size_t count,
			     struct file_bytes *table)
{
	size_t at = (count + 1) * sizeof(struct psp_cert_entry), size = at;
	struct psp_cert_entry *written;

	*table = (struct file_bytes){ 0 };
	if (count == 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		size += entries[i].size;
	table->data = calloc(1, size);
	if (!table->data)
		return "out of memory";
	table->size = size;
	written = (struct psp_cert_entry *)(void *)table->data;
	for (size_t i = 0; i < count; i++) {
		written[i] = (struct psp_cert_entry){ .guid = entries[i].guid,
						      .offset = (uint32_t)at,
						      .length = (uint32_t)entries[i].size };
		memcpy(table->data + at, entries[i].data, entries[i].size);
		at += entries[i].size;
	}
	return NULL;
}
