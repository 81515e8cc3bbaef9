/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/lives.h"

uint64_t vcpu_create(uint64_t vmsa, uint64_t caa, uint64_t apic_id)
{
	return svsm_call(CORE_CREATE_VCPU, vmsa, caa, apic_id);
}

uint64_t vcpu_delete(uint64_t vmsa)
{
	return svsm_call(CORE_DELETE_VCPU, vmsa, 0, 0);
}

uint64_t vcpu_vmsa_new(unsigned int id)
{
	uint64_t vmsa = page_new();

	cpu_vmsa(vmsa, id);
	return vmsa;
}

void vcpu_replace(unsigned int id)
{
	struct cpu *cpu = cpu_at(id);
	uint64_t vmsa = cpu->vmsa, caa = cpu->caa;

	expect("the host stops it", cpu_stop(id), true);
	expect("delete", vcpu_delete(vmsa), 0);
	expect("delete twice", vcpu_delete(vmsa), 0x80000005);
	expect("the VMSA is a page again", page_valid(vmsa), true);
	expect("so is its area", page_valid(caa), true);
	cpu_vmsa(vmsa, id);
	expect("create in the same pages", vcpu_create(vmsa, caa, id), 0);
	expect("it runs", cpu_enter(id, vmsa, caa), true);
}

uint64_t vcpu_come_back(unsigned int id, uint64_t new)
{
	struct cpu *cpu = cpu_at(id);
	uint64_t old = cpu->vmsa;

	cpu_vmsa(new, id);
	expect("create with the same calling area", vcpu_create(new, cpu->caa, id), 0);
	expect("the new one runs", cpu_enter(id, new, cpu->caa), true);
	expect("delete the old one", vcpu_delete(old), 0);
	pages_keep(old, 1, NULL);
	pages_keep(new, 1, "vmsa");
	expect("the old one is a page again", page_valid(old), true);
	return old;
}

void vcpu_park(void)
{
	(void)ghcb_exit(0x80000004, 0, 0); /* AP reset hold */
	expect("nobody sends it SIPI", true, false);
}
