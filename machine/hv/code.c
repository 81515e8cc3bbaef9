/* SPDX-License-Identifier: MIT */
#include "machine/hv/code.h"

/*
 * An instruction that needs both of the same page would go round for ever. Another one at the same
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

bool code_decide(struct code_history *history, const struct code_fault *fault, enum code_use *use)
{
	enum code_use wanted = fault->fetch ? CODE_EXECUTED : CODE_WRITTEN;
	struct code_fault *last = &history->last[fault->vcpu];

	if (*use == CODE_BOTH || *use == wanted)
		return true;
	if (must_wait(history, fault))
		return false;
	*use = needs_both(last, fault) ? CODE_BOTH : wanted;
	*last = *fault;
	history->given = true;
	history->given_to = fault->vcpu;
	history->given_at = fault->now;
	return true;
}
