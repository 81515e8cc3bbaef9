/* SPDX-License-Identifier: MIT */
/* Many vCPUs, and CPUs that go and come back again and again (58019, sections 6.3 and 6.4). */
#include "tests/attacks/guest/lives.h"

#define CYCLES 100u

/* As many as there is room for, and one more. */
static void too_many(void)
{
	static uint64_t vmsas[256];
	unsigned int made = 0;
	uint64_t result = 0, large = page_new_2m(), areas = page_new_2m();

	while (made < 256) {
		vmsas[made] = large + 0x1000 + made * 0x1000;
		cpu_vmsa(vmsas[made], 1);
		result = vcpu_create(vmsas[made], areas + made * 0x1000, 1);
		if (result != 0)
			break;
		made++;
	}
	expect("no room for one more", result, 0x80000006);
	expect("there was room for some", made > 100, true);
	expect("that page is still one", page_valid(large + 0x1000 + made * 0x1000), true);
	for (unsigned int i = 0; i < made; i++)
		expect("delete", vcpu_delete(vmsas[i]), 0);
	vcpu_replace(1);
}

/* Offline and online, on all CPUs in turn, each time with the page that the last one left. */
static void come_back_many_times(void)
{
	uint64_t spare = page_new();

	for (unsigned int i = 0; i < CYCLES; i++) {
		unsigned int id = 1 + i % (places.cpus - 1);

		if (i % 2)
			cpu_begin(id, vcpu_park);
		else
			expect("the host stops it", cpu_stop(id), true);
		spare = vcpu_come_back(id, spare);
	}
}

/* kexec: all other CPUs are parked, and the new kernel makes and starts each of them anew. */
static void kexec(void)
{
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 1; i < places.cpus; i++)
			cpu_begin(i, vcpu_park);
		for (unsigned int i = 1; i < places.cpus; i++)
			(void)vcpu_come_back(i, page_new());
	}
}

static void many_times(void)
{
	for (unsigned int i = 0; i < CYCLES; i++)
		vcpu_replace(1 + i % (places.cpus - 1));
}

const struct rule rules[] = {
	{ "more VMSAs than there is room for", "58019 6.3", too_many, 2 },
	{ "vCPUs deleted and made a hundred times", "58019 6.3, 6.4", many_times, 2 },
	{ "CPUs offline and online a hundred times", "58019 6.3, 6.4", come_back_many_times, 2 },
	{ "the calls of kexec", "58019 6.3, 6.4", kexec, 2 },
	{ NULL, NULL, NULL, 0 },
};
