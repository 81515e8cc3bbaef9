/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/stale.h"

#include <string.h>

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/npt_view.h"
#include "machine/hv/memory/tlb.h"

#define TABLES 64u /* more than the 32 that one PVALIDATE takes: 8 vCPUs, 4 VMPLs */

/* A leaf table of one vCPU and VMPL, with the rights that were lost. */
struct table {
	uint64_t *leaves;	     /* NULL: not in use */
	uint64_t index;		     /* of the table in the view */
	uint64_t order;		     /* grows: the least is the oldest */
	uint8_t rights[NPT_ENTRIES]; /* NPT_MAY_*, with those that were lost */
	unsigned int vcpu, vmpl;
	uint32_t condemned; /* by vCPU: its INVLPGB was there, its TLBSYNC not yet */
};

/* The view of a vCPU at a VMPL while tables are linked into it. Its leaves are the VMPL's. */
struct view {
	struct npt_view npt;
	unsigned int tables;
};

static struct table tables[TABLES];
static struct view views[MACHINE_CPUS_MAX][SNP_VMPL_COUNT];
static uint64_t *spare[TABLES];
static unsigned int used, spares;
static uint64_t orders;

static struct table *find(unsigned int vcpu, unsigned int vmpl, uint64_t index)
{
	if (views[vcpu][vmpl].tables == 0)
		return NULL;
	for (unsigned int i = 0; i < TABLES; i++) {
		struct table *t = &tables[i];

		if (t->leaves && t->vcpu == vcpu && t->vmpl == vmpl && t->index == index)
			return t;
	}
	return NULL;
}

/* Where the view looks for a leaf table. */
static void link_table(const struct table *t, const uint64_t *leaves)
{
	views[t->vcpu][t->vmpl].npt.level2[t->index] = (uint64_t)leaves | NPT_TABLE;
}

static void release(struct table *t)
{
	tlb_drop(t->vcpu);
	link_table(t, npt_private_view(t->vmpl)->leaves + t->index * NPT_ENTRIES);
	spare[spares++] = t->leaves;
	t->leaves = NULL;
	views[t->vcpu][t->vmpl].tables--;
	used--;
}

/* A place in the list; the oldest table makes room. */
static struct table *take_place(void)
{
	struct table *oldest = &tables[0];

	for (unsigned int i = 0; i < TABLES; i++) {
		if (!tables[i].leaves)
			return &tables[i];
		if (tables[i].order < oldest->order)
			oldest = &tables[i];
	}
	release(oldest);
	return oldest;
}

static void copy_table(unsigned int vcpu, unsigned int vmpl, uint64_t index)
{
	struct view *view = &views[vcpu][vmpl];
	struct table *t = take_place();

	if (!view->npt.leaves)
		npt_view_make(&view->npt, npt_private_view(vmpl)->leaves);
	t->leaves = spares ? spare[--spares] : page_take(1);
	t->index = index;
	t->order = ++orders;
	t->vcpu = vcpu;
	t->vmpl = vmpl;
	t->condemned = 0;
	memcpy(t->rights, npt_rights(vmpl) + index * NPT_ENTRIES, sizeof(t->rights));
	memcpy(t->leaves, npt_private_view(vmpl)->leaves + index * NPT_ENTRIES, ABI_PAGE_SIZE);
	tlb_drop(vcpu);
	link_table(t, t->leaves);
	view->tables++;
	used++;
}

void stale_keep(unsigned int vmpl, uint64_t page)
{
	for (unsigned int vcpu = 0; vcpu < cpu_count(); vcpu++) {
		struct table *t = find(vcpu, vmpl, page / NPT_ENTRIES);

		if (!tlb_ran_at(vcpu, vmpl))
			continue;
		/* An INVLPGB may be over before TLBSYNC: it ends the older rights, not this one. */
		if (t && t->condemned) {
			release(t);
			t = NULL;
		}
		if (!t)
			copy_table(vcpu, vmpl, page / NPT_ENTRIES);
	}
}

void stale_change(unsigned int vmpl, uint64_t page, uint8_t rights, bool keep)
{
	for (unsigned int vcpu = 0; used && vcpu < cpu_count(); vcpu++) {
		struct table *t = find(vcpu, vmpl, page / NPT_ENTRIES);
		uint8_t kept = t && keep ? t->rights[page % NPT_ENTRIES] : 0;

		if (t)
			t->rights[page % NPT_ENTRIES] = kept | rights;
	}
}

bool stale_set_leaves(uint64_t page)
{
	uint64_t at = page % NPT_ENTRIES;
	bool lost = false;

	for (unsigned int i = 0; used && i < TABLES; i++) {
		struct table *t = &tables[i];

		if (t->leaves && t->index == page / NPT_ENTRIES &&
		    npt_set_leaf(&t->leaves[at], npt_private_leaf(page, t->rights[at])))
			lost = true;
	}
	return lost;
}

void stale_part_uses(void)
{
	for (unsigned int i = 0; used && i < TABLES; i++)
		if (tables[i].leaves)
			npt_forbid_execution(tables[i].leaves, NPT_ENTRIES);
}

void stale_settle(uint64_t page, uint64_t count)
{
	for (unsigned int i = 0; used && i < TABLES; i++) {
		struct table *t = &tables[i];
		uint64_t first = t->index * NPT_ENTRIES;

		if (t->leaves && first < page + count && page < first + NPT_ENTRIES &&
		    memcmp(t->rights, npt_rights(t->vmpl) + first, sizeof(t->rights)) == 0)
			release(t);
	}
}

bool stale_exists(unsigned int vcpu, unsigned int vmpl)
{
	return views[vcpu][vmpl].tables != 0;
}

const struct npt_view *stale_view(unsigned int vcpu, unsigned int vmpl)
{
	return stale_exists(vcpu, vmpl) ? &views[vcpu][vmpl].npt : NULL;
}

uint8_t stale_rights(unsigned int vcpu, unsigned int vmpl, uint64_t page)
{
	const struct table *t = find(vcpu, vmpl, page / NPT_ENTRIES);

	return t ? t->rights[page % NPT_ENTRIES] : 0;
}

void stale_flush(unsigned int vcpu, unsigned int vmpl)
{
	tlb_flushed(vcpu, vmpl);
	for (unsigned int i = 0; i < TABLES && stale_exists(vcpu, vmpl); i++)
		if (tables[i].leaves && tables[i].vcpu == vcpu && tables[i].vmpl == vmpl)
			release(&tables[i]);
}

void stale_broadcast(unsigned int by)
{
	for (unsigned int i = 0; i < TABLES; i++)
		tables[i].condemned |= 1u << by;
}

void stale_synchronize(unsigned int by)
{
	for (unsigned int i = 0; used && i < TABLES; i++)
		if (tables[i].leaves && (tables[i].condemned >> by & 1))
			release(&tables[i]);
}
