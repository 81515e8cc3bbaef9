/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/shadow.h"

#define PATIENCE 8u

void shadow_reset(struct shadow *s)
{
	*s = (struct shadow){ .rip = SHADOW_NOWHERE };
}

void shadow_see(struct shadow *s, uint64_t rip, bool told)
{
	if (s->rip == rip)
		return;
	shadow_reset(s);
	if (told)
		s->rip = rip;
}

bool shadow_holds(struct shadow *s)
{
	return s->rip != SHADOW_NOWHERE && s->held++ < PATIENCE;
}
