/* SPDX-License-Identifier: MIT */
/*
 * Guest requests through bounce pages. The certificate table is that of GHCB specification 56421,
 * "SNP Extended Guest Request": entries of a GUID, an offset and a length, 24 bytes, little-endian,
 * up to one that is all zeros.
 */
#include "monitor/mem/tests/fake_memory.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/ghcb/ghcb.h"

#define REQUEST FAKE_BASE
#define RESPONSE (FAKE_BASE + 0x1000)
#define TABLE (FAKE_BASE + 0x2000) /* four pages */
#define ROOM 0x4000u
#define BUSY (2ull << 32)
#define TOO_SMALL (1ull << 32)

static struct page_owner owner;
static unsigned int shared, refuse_share; /* the nth is refused */
static uint64_t result, pages_said, pages_asked;
static bool with_table;
static uint8_t table[ROOM]; /* what the host writes */
static uint8_t request[0x1000], response[0x1000], certificates[ROOM + 0x2000];

bool ghcb_share(struct page_owner *who, size_t count, gpa_t *first)
{
	static const uint64_t places[] = { REQUEST, RESPONSE, TABLE };

	assert_ptr_equal(who, &owner);
	assert_true(shared < 3);
	assert_int_equal(count, shared == 2 ? 4 : 1);
	*first = gpa(places[shared++]);
	return shared != refuse_share;
}

static bool all_are(const uint8_t *bytes, uint8_t value, size_t size)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

uint64_t ghcb_guest_request(gpa_t to, gpa_t from, gpa_t where, uint64_t *pages)
{
	assert_int_equal(to.raw, REQUEST);
	assert_int_equal(from.raw, RESPONSE);
	assert_int_equal(where.raw, with_table ? TABLE : 0);
	assert_memory_equal(direct_ptr(to), request, 0x1000);
	/* Nothing of an earlier request is there for the host to give back. */
	assert_true(all_are(direct_ptr(from), 0, 0x1000));
	if (with_table)
		assert_true(all_are(direct_ptr(where), 0, ROOM));
	pages_asked = *pages;
	memset(direct_ptr(from), 0x5c, 0x1000);
	if (with_table)
		memcpy(direct_ptr(where), table, ROOM);
	*pages = pages_said;
	return result;
}

static int start(void **state)
{
	(void)state;
	fake_memory_fill(0xee);
	shared = refuse_share = 0;
	assert_true(arch_requests_init(&owner));
	memset(request, 0x21, sizeof(request));
	memset(response, 0, sizeof(response));
	memset(certificates, 0x99, sizeof(certificates));
	memset(table, 0xcc, sizeof(table));
	result = 0;
	pages_said = 4;
	with_table = true;
	return 0;
}

static void entry(unsigned int index, uint8_t guid, uint32_t offset, uint32_t length)
{
	uint8_t *at = table + 24 * index;

	memset(at, 0, 24);
	at[3] = guid;
	memcpy(at + 16, &offset, 4);
	memcpy(at + 20, &length, 4);
}

/* Size that comes out for a buffer of so many bytes. */
static size_t size_for(size_t room)
{
	size_t size = room;

	assert_int_equal(arch_guest_request(request, response, certificates, &size), 0);
	assert_int_equal(pages_asked, 4);
	return size;
}

static void the_bounce_pages_are_shared_at_the_start(void **state)
{
	(void)state;
	assert_int_equal(shared, 3);
	for (refuse_share = 1; refuse_share <= 3; refuse_share++) {
		shared = 0;
		assert_false(arch_requests_init(&owner));
		assert_int_equal(shared, refuse_share);
	}
}

static void a_plain_request_gets_its_answer(void **state)
{
	size_t size = 17;

	(void)state;
	with_table = false;
	result = 0x21;
	assert_int_equal(arch_guest_request(request, response, NULL, &size), 0x21);
	assert_true(all_are(response, 0x5c, 0x1000));
	assert_int_equal(size, 17);
	result = TOO_SMALL;
	assert_int_equal(arch_guest_request(request, response, NULL, &size), TOO_SMALL);
	assert_int_equal(size, 17);
	result = 0;
	assert_int_equal(arch_guest_request(request, response, NULL, &size), 0);
	assert_int_equal(size, 17);
	/* Twice, for the pages are used again. */
	memset(request, 0x22, sizeof(request));
	assert_int_equal(arch_guest_request(request, response, NULL, NULL), 0);
}

static void a_table_ends_with_its_last_certificate(void **state)
{
	(void)state;
	entry(0, 1, 0x60, 0x100);
	entry(1, 2, 0x200, 0x30);
	entry(2, 3, 0x160, 0x20);
	entry(3, 0, 0, 0);
	assert_int_equal(size_for(ROOM), 0x230);
	assert_memory_equal(certificates, table, 0x230);
	assert_int_equal(size_for(0x230), 0x230);
	assert_true(all_are(certificates + ROOM, 0x99, 0x2000));
	assert_true(all_are(response, 0x5c, 0x1000));

	/* The last entry is part of it, however short the certificates are. */
	entry(0, 1, 0, 1);
	entry(1, 0, 0, 0);
	assert_int_equal(size_for(ROOM), 48);
	/* An entry is the end by its GUID alone. */
	entry(1, 0, 0x7fffffff, 0x7fffffff);
	assert_int_equal(size_for(ROOM), 48);
}

static void no_certificates_are_none(void **state)
{
	(void)state;
	entry(0, 0, 0, 0);
	assert_int_equal(size_for(ROOM), 0);
}

static void a_broken_table_is_none(void **state)
{
	(void)state;
	entry(0, 1, 0x60, 0x100);
	entry(1, 0, 0, 0);
	assert_int_equal(size_for(0x15f), 0); /* its end is cut off */
	entry(0, 1, ROOM, 1);
	assert_int_equal(size_for(ROOM), 0);
	entry(0, 1, 0xffffffff, 0xffffffff);
	assert_int_equal(size_for(ROOM), 0);
	/* It never ends: all of it are entries, good ones. */
	for (unsigned int i = 0; i < ROOM / 24; i++)
		entry(i, 1, 0, 0);
	memset(table + ROOM / 24 * 24, 1, ROOM % 24);
	assert_int_equal(size_for(ROOM), 0);
	assert_int_equal(size_for(24), 0);
	assert_int_equal(size_for(23), 0);
	assert_int_equal(size_for(0), 0);
}

static void a_certificate_that_just_fits_is_taken(void **state)
{
	(void)state;
	entry(0, 1, 0x30, ROOM - 0x30);
	entry(1, 0, 0, 0);
	assert_int_equal(size_for(ROOM), ROOM);
	/* The buffer is larger than the host's pages: what is behind them is not read. */
	for (size_t more = 1; more <= 0x2000; more = 2 * more + 1) {
		assert_int_equal(size_for(ROOM + more), ROOM);
		assert_true(all_are(certificates + ROOM, 0x99, 0x2000));
	}
}

/* Any byte of a GUID that is not zero makes it one. */
static void an_entry_is_one_by_any_byte_of_its_guid(void **state)
{
	(void)state;
	for (unsigned int byte = 0; byte < 16; byte++) {
		entry(0, 0, 0x30, 0x10);
		table[byte] = 1;
		entry(1, 0, 0, 0);
		assert_int_equal(size_for(ROOM), 0x40);
	}
}

static void a_host_that_wants_more_pages_says_how_many(void **state)
{
	size_t size = ROOM;

	(void)state;
	result = TOO_SMALL;
	pages_said = 5;
	assert_int_equal(arch_guest_request(request, response, certificates, &size), TOO_SMALL);
	assert_int_equal(size, 0x5000);
	assert_true(all_are(certificates, 0x99, ROOM));
	pages_said = 0xabcdef0100000002;
	assert_int_equal(arch_guest_request(request, response, certificates, &size), TOO_SMALL);
	assert_int_equal(size, 0x2000);

	result = BUSY;
	size = 77;
	assert_int_equal(arch_guest_request(request, response, certificates, &size), BUSY);
	assert_int_equal(size, 77);
	assert_true(all_are(certificates, 0x99, ROOM));
	/* The firmware refused, and the host wrote a table all the same. */
	result = 0x16;
	assert_int_equal(arch_guest_request(request, response, certificates, &size), 0x16);
	assert_int_equal(size, 77);
	assert_true(all_are(certificates, 0x99, ROOM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_bounce_pages_are_shared_at_the_start, start),
		cmocka_unit_test_setup(a_plain_request_gets_its_answer, start),
		cmocka_unit_test_setup(a_table_ends_with_its_last_certificate, start),
		cmocka_unit_test_setup(no_certificates_are_none, start),
		cmocka_unit_test_setup(a_broken_table_is_none, start),
		cmocka_unit_test_setup(a_certificate_that_just_fits_is_taken, start),
		cmocka_unit_test_setup(an_entry_is_one_by_any_byte_of_its_guid, start),
		cmocka_unit_test_setup(a_host_that_wants_more_pages_says_how_many, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
