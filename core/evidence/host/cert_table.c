/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/cert_table.h"

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
	/* a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
	static const uint8_t vlek[16] = { 0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e,
					  0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1 };
	/* 63da758d-e664-4564-adc5-f4b93be8accd */
	static const uint8_t vcek[16] = { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
					  0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd };
	/* 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
	static const uint8_t ask[16] = { 0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4,
					 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82 };
	/* c0b406a4-a803-4952-9743-3fb6014cd0ae */
	static const uint8_t ark[16] = { 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52,
					 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae };

	if (memcmp(guid->bytes, by_vlek ? vlek : vcek, sizeof(vcek)) == 0)
		return &chain->signer;
	if (memcmp(guid->bytes, ask, sizeof(ask)) == 0)
		return &chain->issuer;
	return memcmp(guid->bytes, ark, sizeof(ark)) == 0 ? &chain->ark : NULL;
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
