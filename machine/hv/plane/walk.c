/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/walk.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/page_state.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_LARGE (1ull << 7)
#define PTE_ADDRESS 0x000ffffffffff000ull

/* One paging mode: how many levels, how many bits each indexes, how wide an entry is. */
struct walk_mode {
	unsigned int levels, index_bits, entry_size;
};

static struct walk_mode mode_of(const struct vmcb *c)
{
	if (!(c->cr4 & X86_CR4_PAE))
		return (struct walk_mode){ 2, 10, 4 };
	if (!(c->efer & X86_EFER_LMA))
		return (struct walk_mode){ 3, 9, 8 };
	return (struct walk_mode){ c->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8 };
}

static struct walk_result page_fault(uint64_t linear, unsigned int access, bool present)
{
	uint32_t error = (present ? X86_PF_PRESENT : 0) | (access & WALK_WRITE ? X86_PF_WRITE : 0) |
			 (access & WALK_USER ? X86_PF_USER : 0);

	return (struct walk_result){ .status = WALK_PAGE_FAULT, .error = error, .linear = linear };
}

static struct walk_result npf(uint64_t linear, uint64_t gpa, bool private, unsigned int perms)
{
	return (struct walk_result){ .status = WALK_NPF,
				     .gpa = gpa & ~HV_C_BIT,
				     .private = private,
				     .perms = perms,
				     .linear = linear };
}

/* Reads one table entry; false when the table is not in private memory of this VMPL. */
static bool read_entry(struct vcpu *v, uint64_t gpa, unsigned int size, uint64_t *entry)
{
	const void *at = guest_ptr(gpa, size, GUEST_PRIVATE);

	*entry = 0;
	if (!at || npt_access(v->id, vcpu_plane(v)->cpu_vmpl, gpa, RMP_PERM_READ) != RMP_DONE)
		return false;
	/* Once: another vCPU may write it meanwhile. */
	*entry = size == sizeof(uint64_t) ? __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED)
					  : __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
	return true;
}

/* What the tables say about one address. */
struct walk_leaf {
	uint64_t gpa; /* with C-bit */
	bool writable, user;
};

static struct walk_result walk_tables(struct vcpu *v, uint64_t linear, unsigned int access,
				      struct walk_leaf *leaf)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;
	struct walk_mode m = mode_of(c);
	uint64_t table = vcpu_plane(v)->guest_cr3 & PTE_ADDRESS;

	if (m.levels == 3)
		table = vcpu_plane(v)->guest_cr3 & 0xffffffe0ull;
	*leaf = (struct walk_leaf){ .writable = true, .user = true };
	for (unsigned int level = m.levels; level > 0; level--) {
		unsigned int shift = ABI_PAGE_SHIFT + (level - 1) * m.index_bits;
		uint64_t index = (linear >> shift) & ((1ull << m.index_bits) - 1);
		uint64_t at = table + index * m.entry_size;
		bool flat_level = m.levels == 3 &&
				  level == 3; /* PAE directory pointers: no rights */
		uint64_t entry;

		if (m.levels == 3 && level == 3)
			at = table + (linear >> 30 & 3) * m.entry_size;
		if (!read_entry(v, at, m.entry_size, &entry))
			return npf(linear, at, true, RMP_PERM_READ);
		if (!(entry & PTE_PRESENT))
			return page_fault(linear, access, false);
		leaf->writable = leaf->writable && (flat_level || (entry & PTE_WRITE));
		leaf->user = leaf->user && (flat_level || (entry & PTE_USER));
		table = entry & PTE_ADDRESS;
		if (level > 1 && !flat_level && (entry & PTE_LARGE)) {
			uint64_t mask = (1ull << shift) - 1;

			leaf->gpa = (table & ~mask) | (linear & mask);
			return (struct walk_result){ .status = WALK_OK };
		}
	}
	leaf->gpa = table | linear % ABI_PAGE_SIZE;
	return (struct walk_result){ .status = WALK_OK };
}

struct walk_result walk_linear(struct vcpu *v, uint64_t linear, unsigned int access)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;
	bool paging = c->cr0 & X86_CR0_PG;
	bool write_protect = (c->cr0 & X86_CR0_WP) || (access & WALK_USER);
	struct walk_result r;
	struct walk_leaf leaf;

	if (!(c->efer & X86_EFER_LMA))
		linear = (uint32_t)linear;
	if (!paging)
		return (struct walk_result){ .gpa = linear, .private = true, .linear = linear };
	r = walk_tables(v, linear, access, &leaf);
	if (r.status != WALK_OK)
		return r;
	if ((access & WALK_WRITE) && !leaf.writable && write_protect)
		return page_fault(linear, access, true);
	if ((access & WALK_USER) && !leaf.user)
		return page_fault(linear, access, true);
	r.gpa = leaf.gpa & ~HV_C_BIT;
	r.private = (leaf.gpa & HV_C_BIT) || !(c->cr4 & X86_CR4_PAE) || (access & WALK_FETCH);
	r.linear = linear;
	return r;
}

/* The bytes behind one address within one page, NULL with *r saying why. */
static uint8_t *locate(struct vcpu *v, uint64_t linear, size_t size, unsigned int access,
		       struct walk_result *r)
{
	unsigned int perms = access & WALK_WRITE ? RMP_PERM_READ | RMP_PERM_WRITE : RMP_PERM_READ;
	uint8_t *at;

	*r = walk_linear(v, linear, access);
	if (r->status != WALK_OK)
		return NULL;
	at = guest_ptr(r->gpa, size, r->private ? GUEST_PRIVATE : GUEST_SHARED);
	if (!at ||
	    (r->private && npt_access(v->id, vcpu_plane(v)->cpu_vmpl, r->gpa, perms) != RMP_DONE)) {
		*r = npf(linear, r->gpa, r->private, perms);
		return NULL;
	}
	/* A write of ours is like a vCPU's: memory/code_use.h. */
	if ((access & WALK_WRITE) && npt_use(r->gpa) == CODE_EXECUTED)
		npt_set_use(r->gpa, CODE_WRITTEN);
	return at;
}

/* At most two pages. */
struct span {
	uint8_t *at[2];
	size_t size[2];
};

static struct walk_result locate_span(struct vcpu *v, uint64_t linear, size_t size,
				      unsigned int access, struct span *s)
{
	size_t left = ABI_PAGE_SIZE - linear % ABI_PAGE_SIZE;
	struct walk_result r;

	s->size[0] = size < left ? size : left;
	s->size[1] = size - s->size[0];
	s->at[1] = NULL;
	s->at[0] = locate(v, linear, s->size[0], access, &r);
	if (s->at[0] && s->size[1])
		s->at[1] = locate(v, linear + s->size[0], s->size[1], access, &r);
	return r;
}

struct walk_result walk_read(struct vcpu *v, uint64_t linear, void *to, size_t size,
			     unsigned int access)
{
	struct span s;
	struct walk_result r = locate_span(v, linear, size, access, &s);

	if (r.status != WALK_OK)
		return r;
	memcpy(to, s.at[0], s.size[0]);
	if (s.size[1])
		memcpy((uint8_t *)to + s.size[0], s.at[1], s.size[1]);
	return r;
}

struct walk_result walk_write(struct vcpu *v, uint64_t linear, const void *from, size_t size,
			      unsigned int access)
{
	struct span s;
	struct walk_result r = locate_span(v, linear, size, access | WALK_WRITE, &s);

	if (r.status != WALK_OK)
		return r;
	memcpy(s.at[0], from, s.size[0]);
	if (s.size[1])
		memcpy(s.at[1], (const uint8_t *)from + s.size[0], s.size[1]);
	return r;
}

_Noreturn void rmp_violation(const struct vcpu *v, const char *what, uint64_t gpa, uint64_t error)
{
	const struct plane *p = &v->planes[v->current];
	uint64_t rip = p->vmcb->rip;

	hv_log("RMP violation at VMPL %u: %s: gPA %lx error %lx RIP %lx", p->cpu_vmpl, what, gpa,
	       error, rip);
	hv_stop(MAILBOX_STOP_RMP_VIOLATION, p->cpu_vmpl, gpa, error | VMCB_NPF_RMP, rip);
}

static enum walk_answer private_walk(struct vcpu *v, const struct walk_result *w)
{
	switch (rmp_access(guest_rmp_table(), w->gpa >> ABI_PAGE_SHIFT, vcpu_plane(v)->cpu_vmpl,
			   w->perms)) {
	case RMP_DONE:
		return WALK_TRY_AGAIN;
	case RMP_NOT_ASSIGNED:
		if (page_state_make_private(v->id, v->current, w->gpa))
			return WALK_TRY_AGAIN;
		rmp_violation(v, "access with C-bit to a shared page", w->gpa, 0);
	case RMP_NOT_VALIDATED:
		return WALK_NOT_VALIDATED;
	default:
		rmp_violation(v, "permission of the VMPL", w->gpa, 0);
	}
}

enum walk_answer walk_fault(struct vcpu *v, const struct walk_result *w)
{
	if (!guest_is_ram(w->gpa))
		rmp_violation(v, "tables, operand or stack outside RAM", w->gpa, 0);
	if (w->private)
		return private_walk(v, w);
	if ((guest_rmp(w->gpa)->flags & RMP_ASSIGNED) &&
	    !page_state_make_shared(v->id, v->current, w->gpa))
		rmp_violation(v, "access without C-bit to a private page", w->gpa, 0);
	return WALK_TRY_AGAIN;
}
