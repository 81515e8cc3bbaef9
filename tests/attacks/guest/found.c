/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/found.h"

#define PROTOCOL_VERSION 0xffau /* of a GHCB; a doorbell page has no such field */

bool found_shared(uint64_t gpa)
{
	ghcb_own()->sw_scratch = gpa;
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	return ghcb_exit(0x7b, FOUND_OUTSB_INFO, 1).result == 0;
}

void found_look(struct found *found)
{
	found->ghcb_count = found->other_count = 0;
	for (uint64_t at = 0; at < places.svsm_size; at += 0x1000) {
		uint64_t gpa = places.svsm + at;

		if (!found_shared(gpa) || found->other_count == FOUND_MAX ||
		    found->ghcb_count == FOUND_MAX)
			continue;
		if (*(volatile uint16_t *)(shared_view(gpa + PROTOCOL_VERSION)) == 2)
			found->ghcbs[found->ghcb_count++] = gpa;
		else
			found->others[found->other_count++] = gpa;
	}
}
