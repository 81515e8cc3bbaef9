/* SPDX-License-Identifier: MIT */
/*
 * What each call of the core protocol costs, from before it is put into the calling area to behind
 * its answer: bench/call_cost.py runs it under QEMU's -icount, where the TSC counts the
 * instructions of guest, Socle and hypervisor together. Each call is one that is carried out, but
 * for DEPOSIT_MEM, which Socle refuses.
 */
#include "tests/attacks/guest/lives.h"

#define ROUNDS 64u
#define LIST 64u
#define OTHER 1u /* a CPU that is stopped, so that it takes no instructions */

static struct {
	uint64_t page, area, large, vmsa, list[LIST];
} pages;

static uint64_t query(void)
{
	return svsm_call(CORE_QUERY_PROTOCOL, 1, 0, 0);
}

/* Until the next call the GHCB still goes with the old area; so it is there and back. */
static uint64_t remap(void)
{
	return svsm_call(CORE_REMAP_CA, cpu_this()->caa, 0, 0);
}

static uint64_t deposit(void)
{
	struct pvalidate_list *list = svsm_list();

	list->entries = 1;
	list->next = 0;
	list->entry[0] = pages.page;
	return svsm_call(CORE_DEPOSIT_MEM, (uint64_t)list, 0, 0);
}

static uint64_t withdraw(void)
{
	return svsm_call(CORE_WITHDRAW_MEM, (uint64_t)svsm_list(), 0, 0);
}

static uint64_t vtom(void)
{
	return svsm_call(CORE_CONFIGURE_VTOM, 1, 0, 0);
}

static uint64_t invalidate(void)
{
	return svsm_pvalidate(pages.page);
}

static uint64_t validate(void)
{
	return svsm_pvalidate(pages.page | ENTRY_VALIDATE);
}

static uint64_t validate_again(void)
{
	return svsm_pvalidate(pages.page | ENTRY_VALIDATE | ENTRY_IGNORE_CF);
}

static uint64_t invalidate_2m(void)
{
	return svsm_pvalidate(pages.large | ENTRY_2M);
}

static uint64_t validate_2m(void)
{
	return svsm_pvalidate(pages.large | ENTRY_2M | ENTRY_VALIDATE);
}

static uint64_t whole_list(uint64_t flags)
{
	struct pvalidate_list *list = svsm_list();

	list->entries = LIST;
	list->next = 0;
	for (unsigned int i = 0; i < LIST; i++)
		list->entry[i] = pages.list[i] | flags;
	return svsm_pvalidate_list();
}

static uint64_t invalidate_list(void)
{
	return whole_list(0);
}

static uint64_t validate_list(void)
{
	return whole_list(ENTRY_VALIDATE);
}

/* What was a VMSA is none afterwards. */
static void make_vmsa(void)
{
	cpu_vmsa(pages.vmsa, OTHER);
}

static uint64_t create(void)
{
	return vcpu_create(pages.vmsa, pages.area, OTHER);
}

static uint64_t delete (void)
{
	return vcpu_delete(pages.vmsa);
}

/* A call, where it has one, the one that undoes it, and what has to be done before, not counted. */
static const struct {
	const char *name;
	uint64_t (*run)(void);
	uint64_t result;
	const char *undo_name;
	uint64_t (*undo)(void);
	void (*before)(void);
} calls[] = {
	{ "QUERY_PROTOCOL", query, 0, NULL, NULL, NULL },
	{ "REMAP_CA", remap, 0, NULL, NULL, NULL },
	{ "DEPOSIT_MEM", deposit, 0x80000006, NULL, NULL, NULL },
	{ "WITHDRAW_MEM", withdraw, 0, NULL, NULL, NULL },
	{ "CONFIGURE_VTOM", vtom, 0, NULL, NULL, NULL },
	{ "PVALIDATE: a page is not valid any more", invalidate, 0, "PVALIDATE: a page", validate,
	  NULL },
	{ "PVALIDATE: a page that is valid", validate_again, 0, NULL, NULL, NULL },
	{ "PVALIDATE: 64 pages are not valid any more", invalidate_list, 0, "PVALIDATE: 64 pages",
	  validate_list, NULL },
	{ "PVALIDATE: 2 MiB are not valid any more", invalidate_2m, 0, "PVALIDATE: 2 MiB",
	  validate_2m, NULL },
	{ "CREATE_VCPU", create, 0, "DELETE_VCPU", delete, make_vmsa },
};

/* In instructions, of some rounds together. */
static uint64_t timed(const char *what, uint64_t (*run)(void), uint64_t result)
{
	uint64_t start = cpu_tsc(), got = run(), end = cpu_tsc();

	expect(what, got, result);
	return end - start;
}

/* The first rounds have what later ones find done, so they are not counted. */
static void measure(unsigned int i)
{
	uint64_t there = 0, back = 0;

	for (unsigned int round = 0; round < 2 * ROUNDS; round++) {
		if (round == ROUNDS)
			there = back = 0;
		if (calls[i].before)
			calls[i].before();
		there += timed(calls[i].name, calls[i].run, calls[i].result);
		if (calls[i].undo)
			back += timed(calls[i].undo_name, calls[i].undo, 0);
	}
	note("cost %lu %s", there / ROUNDS, calls[i].name);
	if (calls[i].undo)
		note("cost %lu %s", back / ROUNDS, calls[i].undo_name);
}

static void measure_all(void)
{
	pages.page = page_new();
	pages.area = page_new();
	pages.large = page_new_2m();
	pages.vmsa = page_new();
	for (unsigned int i = 0; i < LIST; i++)
		pages.list[i] = page_new();
	expect("the host stops the other CPU", cpu_stop(OTHER), true);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		measure(i);
	vcpu_replace(OTHER);
}

const struct rule rules[] = {
	{ "each core call", "58019 6", measure_all, 2 },
	{ NULL, NULL, NULL, 0 },
};
