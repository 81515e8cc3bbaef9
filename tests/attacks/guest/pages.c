/* SPDX-License-Identifier: MIT */
/* The pages that rules use. None is used twice, so that a rule finds no other's traces. */
#include "tests/attacks/guest/attack.h"

#define PAGE 0x1000ull
#define LARGE_PAGE 0x200000ull
#define PAGES_START 0x600000ull	       /* above the program */
#define LARGE_PAGES_START 0x1000000ull /* up to Socle's region */
#define USED_MAX 256u
#define KEPT_MAX 1024u

static uint64_t next_page = PAGES_START, next_large = LARGE_PAGES_START;

/* What the rule that runs has taken. */
static struct {
	uint64_t gpa;
	bool large;
} used[USED_MAX];
static unsigned int used_count;

static struct {
	uint64_t gpa;
	unsigned int count;
	const char *what;
} kept[KEPT_MAX];
static unsigned int kept_count;

static uint64_t take(uint64_t *next, uint64_t size, uint64_t end)
{
	uint64_t gpa = *next;

	if (gpa + size > end || used_count == USED_MAX) {
		note("the test is out of pages");
		expect("there are pages left for the rule", false, true);
		return gpa - size;
	}
	*next += size;
	used[used_count].gpa = gpa;
	used[used_count++].large = size == LARGE_PAGE;
	return gpa;
}

/* None at a multiple of 2 MiB: KVM takes no VMSA there (Linux, sev_snp_ap_creation()). */
uint64_t page_new(void)
{
	if (next_page % LARGE_PAGE == 0)
		next_page += PAGE;
	return take(&next_page, PAGE, LARGE_PAGES_START);
}

uint64_t page_new_2m(void)
{
	return take(&next_large, LARGE_PAGE, places.svsm);
}

struct svsm_attest_op *attest_op_new(void)
{
	static const struct abi_guid vtpm = SVSM_GUID_VTPM;
	struct svsm_attest_op *op = (struct svsm_attest_op *)page_new();

	op->report = (struct svsm_loc){ .gpa = page_new(), .size = 0x1000 };
	op->nonce = (struct svsm_loc){ .gpa = page_new(), .size = 64 };
	op->manifest = (struct svsm_loc){ .gpa = page_new(), .size = 0x1000 };
	op->service = vtpm;
	return op;
}

static void forget_used(uint64_t gpa)
{
	for (unsigned int i = 0; i < used_count; i++) {
		if (used[i].gpa == gpa)
			used[i] = used[--used_count];
	}
}

/* What was said of a page before does not hold any more. */
static void forget_kept(uint64_t gpa)
{
	for (unsigned int i = 0; i < kept_count; i++) {
		if (kept[i].gpa == gpa)
			kept[i] = kept[--kept_count];
	}
}

void pages_keep(uint64_t gpa, unsigned int count, const char *what)
{
	forget_used(gpa);
	forget_kept(gpa);
	if (!what)
		return;
	if (kept_count == KEPT_MAX) {
		expect("there is room for another page that is kept", false, true);
		return;
	}
	kept[kept_count].gpa = gpa;
	kept[kept_count].count = count;
	kept[kept_count++].what = what;
}

bool page_kept(uint64_t gpa)
{
	for (unsigned int i = 0; i < kept_count; i++) {
		if (gpa >= kept[i].gpa && gpa - kept[i].gpa < kept[i].count * PAGE)
			return true;
	}
	return false;
}

void pages_check(void)
{
	for (unsigned int i = 0; i < used_count; i++) {
		uint64_t gpa = used[i].gpa;

		expect("a page of the rule is valid afterwards",
		       svsm_pvalidate(gpa | ENTRY_VALIDATE | (used[i].large ? ENTRY_2M : 0)),
		       0x80001010);
		page_fill(gpa);
		expect("and can be used", page_filled(gpa), true);
	}
	used_count = 0;
}

void pages_tell(void)
{
	for (unsigned int i = 0; i < kept_count; i++)
		note("pages 0x%lx %u %s", kept[i].gpa, kept[i].count, kept[i].what);
}

/* Each word is another one, and no other page has the same. */
static uint64_t pattern(uint64_t at)
{
	return at * 0x9e3779b97f4a7c15ull ^ 0x5a5a5a5a5a5a5a5aull;
}

void page_fill(uint64_t gpa)
{
	for (uint64_t at = gpa; at < gpa + PAGE; at += sizeof(uint64_t))
		*(volatile uint64_t *)at = pattern(at);
}

bool page_filled(uint64_t gpa)
{
	for (uint64_t at = gpa; at < gpa + PAGE; at += sizeof(uint64_t)) {
		if (*(volatile uint64_t *)at != pattern(at))
			return false;
	}
	return true;
}

bool page_zero(uint64_t gpa)
{
	for (uint64_t at = gpa; at < gpa + PAGE; at += sizeof(uint64_t)) {
		if (*(volatile uint64_t *)at != 0)
			return false;
	}
	return true;
}

/* 58019, section 1: what is no page of the guest's RAM, under all names that it might have. */
void bad_addresses(struct bad_address *list)
{
	const struct bad_address bad[BAD_ADDRESSES] = {
		{ "first page of Socle", places.svsm },
		{ "second page of Socle", places.svsm + PAGE },
		{ "page in the middle of Socle", places.svsm + places.svsm_size / 2 },
		{ "last page of Socle", places.svsm + places.svsm_size - PAGE },
		{ "video memory", 0xa0000 },
		{ "first page beyond the RAM", places.ram_end },
		{ "I/O APIC", 0xfec00000 },
		{ "local APIC", 0xfee00000 },
		{ "first page beyond 4 GiB", 0x100000000 },
		{ "last page below the C-bit", places.c_bit - PAGE },
		{ "page of Socle with C-bit", places.svsm | places.c_bit },
		{ "page of the guest with C-bit", PAGES_START | places.c_bit },
		{ "page of the guest with bit 63", PAGES_START | 1ull << 63 },
		{ "last page of all", 0xfffffffffffff000 },
	};

	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		list[i] = bad[i];
}
