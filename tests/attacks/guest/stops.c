/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/attack.h"

#define STOP_MIN 30000u
#define QUIET_MAX 3000000000ull /* Socle's turns are 100 ms apart, and 200 at most behind one */

struct stops stops_watch(unsigned int wanted)
{
	struct stops stops = { 0 };
	uint64_t last = cpu_tsc(), since = last;

	while (stops.count < wanted && last - since < QUIET_MAX) {
		uint64_t now;

		for (unsigned int i = 0; i < 1000; i++)
			__asm__ volatile("");
		now = cpu_tsc();
		if (now - last >= STOP_MIN) {
			stops.count++;
			since = now;
			if (now - last > stops.longest)
				stops.longest = now - last;
		}
		last = now;
	}
	return stops;
}
