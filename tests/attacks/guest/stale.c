/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/stale.h"

#define VMSA_VMPL 0xca

static uint64_t target;
static volatile bool made;
static volatile uint64_t writes;

unsigned int stale_attacker(void)
{
	return places.cpus - 1;
}

/* Between its writes it leaves its VMPL for nothing, not even for an interrupt. */
static void write_until_made(void)
{
	volatile uint8_t *vmpl = (volatile uint8_t *)(target + VMSA_VMPL);

	while (!made) {
		(void)*vmpl;
		cpu_relax();
		writes++;
	}
	*vmpl = 0;
}

static void write_first(void)
{
	*(volatile uint8_t *)(target + VMSA_VMPL) = 2;
}

uint64_t stale_page(void)
{
	target = page_new();
	cpu_vmsa(target, 1);
	cpu_begin(stale_attacker(), write_first);
	cpu_end(stale_attacker());
	return target;
}

void stale_attack(uint64_t page)
{
	uint64_t caa = page_new();

	cpu_begin(stale_attacker(), write_until_made);
	while (writes < 1000)
		cpu_relax();
	expect("the page becomes a VMSA", vcpu_create(page, caa, 1), 0);
	made = true;
	cpu_end(stale_attacker());
	expect("its VMPL", *(volatile uint8_t *)(page + VMSA_VMPL), 2);
	expect("the host enters it", vmsa_start(1, 0, page), 2);
}
