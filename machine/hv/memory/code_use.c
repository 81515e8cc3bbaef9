/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/code_use.h"

/*
 * An instruction that needs both of the same page would fault for ever. Another one at the same
 * address does no harm: the page is then a little less than it could be.
 */
static bool needs_both(const struct code_fault *last, const struct code_fault *fault)
{
	return last->rip == fault->rip && last->page == fault->page && last->fetch != fault->fetch;
}

static bool must_wait(const struct code_history *h, const struct code_fault *fault)
{
	return h->given && h->given_to != fault->vcpu && fault->now - h->given_at < CODE_GRACE;
}

/* Room for one more is left by code_close(). */
static void remember_both(struct code_history *h, const struct code_fault *fault)
{
	h->both[h->both_count].page = fault->page;
	h->both[h->both_count].since = fault->now;
	h->both_count++;
}

bool code_decide(struct code_history *history, const struct code_fault *fault, enum code_use *use)
{
	enum code_use wanted = fault->fetch ? CODE_EXECUTED : CODE_WRITTEN;
	struct code_fault *last = &history->last[fault->vcpu];

	if (*use == CODE_BOTH || *use == wanted)
		return true;
	if (must_wait(history, fault))
		return false;
	*use = needs_both(last, fault) ? CODE_BOTH : wanted;
	if (*use == CODE_BOTH)
		remember_both(history, fault);
	*last = *fault;
	history->given = true;
	history->given_to = fault->vcpu;
	history->given_at = fault->now;
	return true;
}

bool code_close(struct code_history *history, uint64_t now, uint64_t *page)
{
	bool full = history->both_count == CODE_BOTH_MAX;

	if (history->both_count == 0)
		return false;
	if (!full && now - history->both[0].since < CODE_BOTH_TICKS)
		return false;
	*page = history->both[0].page;
	history->both_count--;
	for (unsigned int i = 0; i < history->both_count; i++)
		history->both[i] = history->both[i + 1];
	return true;
}
