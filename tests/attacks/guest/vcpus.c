/* SPDX-License-Identifier: MIT */
/* SVSM_CORE_CREATE_VCPU and DELETE_VCPU (58019, sections 6.3 and 6.4): whose pages become VMSAs. */
#include "tests/attacks/guest/lives.h"

#define VMSA_VMPL 0xca
#define VMSA_EFER 0xd0
#define VMSA_SEV_FEATURES 0x3b0

static void bad_apic_ids(void)
{
	uint64_t vmsa = vcpu_vmsa_new(0), caa = page_new();

	expect("the caller itself", vcpu_create(vmsa, caa, cpu_this()->id), 0x80000005);
	expect("the first that is not there", vcpu_create(vmsa, caa, places.cpus), 0x80000005);
	expect("64", vcpu_create(vmsa, caa, 64), 0x80000005);
	expect("0xff", vcpu_create(vmsa, caa, 0xff), 0x80000005);
	expect("0xffffffff", vcpu_create(vmsa, caa, 0xffffffff), 0x80000005);
	expect("the VMSA is still a page", page_valid(vmsa), true);
}

static void vmsa_addresses(void)
{
	struct bad_address bad[BAD_ADDRESSES];
	uint64_t caa = page_new();

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		expect(bad[i].what, vcpu_create(bad[i].gpa, caa, 1), 0x80000003);
}

static void area_addresses(void)
{
	struct bad_address bad[BAD_ADDRESSES];
	uint64_t vmsa = vcpu_vmsa_new(1);

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		expect(bad[i].what, vcpu_create(vmsa, bad[i].gpa, 1), 0x80000003);
	expect("one page as both", vcpu_create(vmsa, vmsa, 1), 0x80000003);
	expect("the caller's area", vcpu_create(vmsa, cpu_this()->caa, 1), 0x80000003);
	expect("the VMSA is still a page", page_valid(vmsa), true);
}

/* A VMSA with one byte changed is refused, and is a page of the guest again. */
static void expect_vmsa_refused(const char *what, unsigned int offset, uint64_t value,
				unsigned int size)
{
	uint64_t vmsa = vcpu_vmsa_new(1), caa = page_new();

	if (size == 1)
		*(volatile uint8_t *)(vmsa + offset) = (uint8_t)value;
	else
		*(volatile uint64_t *)(vmsa + offset) = value;
	expect(what, vcpu_create(vmsa, caa, 1), 0x80000005);
}

static void vmsa_vmpl(void)
{
	for (unsigned int vmpl = 0; vmpl < places.vmpl; vmpl++)
		expect_vmsa_refused("a more privileged VMPL", VMSA_VMPL, vmpl, 1);
	expect_vmsa_refused("VMPL 4", VMSA_VMPL, 4, 1);
	expect_vmsa_refused("VMPL 0x82", VMSA_VMPL, 0x82, 1);
}

static void vmsa_efer(void)
{
	expect_vmsa_refused("EFER without SVME", VMSA_EFER, 0x500, 8);
	expect_vmsa_refused("EFER 0", VMSA_EFER, 0, 8);
}

static void vmsa_features(void)
{
	expect_vmsa_refused("no feature", VMSA_SEV_FEATURES, 0, 8);
	for (unsigned int bit = 1; bit < 64; bit++) {
		/* Pages are not endless: some of them, from both ends. */
		if (bit < 8 || bit > 60)
			expect_vmsa_refused("one more feature", VMSA_SEV_FEATURES, 1 | 1ull << bit,
					    8);
	}
}

static void pages_not_valid(void)
{
	uint64_t vmsa = vcpu_vmsa_new(1), caa = page_new(), gone = page_new();

	expect("give a page up", page_give_up(gone), 0);
	expect("a shared page as a VMSA", vcpu_create(gone, caa, 1), 0x80000003);
	expect("a shared page as an area", vcpu_create(vmsa, gone, 1), 0x80000003);
	expect("private again", psc_msr(gone, PSC_PRIVATE), true);
	expect("a page that is not validated, as a VMSA", vcpu_create(gone, caa, 1), 0x80000003);
	expect("a page that is not validated, as an area", vcpu_create(vmsa, gone, 1), 0x80000003);
	expect("take it back", svsm_pvalidate(gone | ENTRY_VALIDATE), 0);
}

/* Nothing of a living vCPU can be had a second time. */
static void living_vmsa(void)
{
	struct cpu *other = cpu_at(1);
	uint64_t caa = page_new(), vmsa = vcpu_vmsa_new(1);

	expect("its VMSA as a VMSA", vcpu_create(other->vmsa, caa, 1), 0x80000003);
	expect("its VMSA as an area", vcpu_create(vmsa, other->vmsa, 1), 0x80000003);
	expect("its area as a VMSA", vcpu_create(other->caa, caa, 1), 0x80000003);
	expect("REMAP_CA to its VMSA", svsm_call(CORE_REMAP_CA, other->vmsa, 0, 0), 0x80000003);
	expect("REMAP_CA to its area", svsm_call(CORE_REMAP_CA, other->caa, 0, 0), 0x80000003);
	expect("invalidate its VMSA", svsm_pvalidate(other->vmsa), 0x80000003);
	expect("invalidate it, ignored", svsm_pvalidate(other->vmsa | ENTRY_IGNORE_CF), 0x80000003);
	expect("validate its VMSA", svsm_pvalidate(other->vmsa | ENTRY_VALIDATE), 0x80000003);
	expect("validate it, ignored",
	       svsm_pvalidate(other->vmsa | ENTRY_VALIDATE | ENTRY_IGNORE_CF), 0x80000003);
	expect("invalidate its area", svsm_pvalidate(other->caa), 0x80000003);
	expect("the 2 MiB of both", svsm_pvalidate((other->vmsa & ~0x1fffffull) | ENTRY_2M),
	       0x80000003);
	expect("a list in its VMSA", svsm_call(CORE_PVALIDATE, other->vmsa, 0, 0), 0x80000003);
	expect("a result in its VMSA", svsm_call(CORE_WITHDRAW_MEM, other->vmsa, 0, 0), 0x80000003);
	expect("delete it while it runs", vcpu_delete(other->vmsa), 0x80001003);
	expect("its VMPL is what it was", *(volatile uint8_t *)(other->vmsa + VMSA_VMPL),
	       places.vmpl);
}

static void delete_first(void)
{
	expect("of CPU 0, from CPU 1", vcpu_create(vcpu_vmsa_new(0), page_new(), 0), 0x80000005);
}

static void delete_first_elsewhere(void)
{
	cpu_begin(1, delete_first);
	cpu_end(1);
}

/* The boot vCPU's VMSA is somewhere in Socle: whichever page it is. */
static void delete_all_of_socle(void)
{
	for (uint64_t at = 0; at < places.svsm_size; at += 0x1000)
		expect("a page of Socle", vcpu_delete(places.svsm + at), 0x80000005);
}

static void replace_once(void)
{
	vcpu_replace(1);
}

/* A vCPU that was made and never run. */
static void never_run(void)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t vmsa = vcpu_vmsa_new(1), caa = page_new();

	expect("create a second VMSA", vcpu_create(vmsa, caa, 1), 0);
	expect("the same again", vcpu_create(vmsa, caa, 1), 0x80000003);
	expect("invalidate it", svsm_pvalidate(vmsa), 0x80000003);
	expect("invalidate its area", svsm_pvalidate(caa), 0x80000003);
	expect("delete it", vcpu_delete(vmsa), 0);
	expect("delete it twice", vcpu_delete(vmsa), 0x80000005);
	expect("the old one is still there", vcpu_delete(cpu->vmsa), 0x80001003);
	/* Whose VMSA is the newest takes the calls: 58019 has one vCPU for an APIC id. */
	vcpu_replace(1);
}

/* The old one is stopped by the host before. */
static void come_back_from_stop(void)
{
	uint64_t page = page_new();

	expect("the host stops it", cpu_stop(1), true);
	(void)vcpu_come_back(1, page);
}

static void come_back_from_hold(void)
{
	cpu_begin(1, vcpu_park);
	(void)vcpu_come_back(1, page_new());
}

/* The old one runs: its VMSA is in use until the host takes it off the CPU for the new one. */
static void come_back_while_it_runs(void)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t old = cpu->vmsa, new = page_new();

	cpu_vmsa(new, 1);
	expect("create while the old one runs", vcpu_create(new, cpu->caa, 1), 0);
	expect("the old one is in use", vcpu_delete(old), 0x80001003);
	expect("it is a VMSA still", svsm_pvalidate(old), 0x80000003);
	expect("the new one runs", cpu_enter(1, new, cpu->caa), true);
	expect("delete the old one", vcpu_delete(old), 0);
	pages_keep(old, 1, NULL);
	pages_keep(new, 1, "vmsa");
}

/* A creation that is taken back: the old one is there still, its area too, but it is not heard. */
static void creation_taken_back(void)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t new = page_new();

	cpu_vmsa(new, 1);
	expect("create", vcpu_create(new, cpu->caa, 1), 0);
	expect("delete it", vcpu_delete(new), 0);
	expect("the area is one still", svsm_call(CORE_REMAP_CA, cpu->caa, 0, 0), 0x80000003);
	expect("invalidate it", svsm_pvalidate(cpu->caa), 0x80000003);
	vcpu_replace(1);
}

static void areas_are_of_a_cpu(void)
{
	uint64_t vmsa = vcpu_vmsa_new(2);

	expect("CPU 1's area for CPU 2", vcpu_create(vmsa, cpu_at(1)->caa, 2), 0x80000003);
	expect("CPU 0's area for CPU 2", vcpu_create(vmsa, cpu_at(0)->caa, 2), 0x80000003);
	expect("CPU 1's VMSA for CPU 2", vcpu_create(cpu_at(1)->vmsa, cpu_at(2)->caa, 2),
	       0x80000003);
	expect("CPU 1's VMSA as CPU 2's area", vcpu_create(vmsa, cpu_at(1)->vmsa, 2), 0x80000003);
}

/* Two pages of a large one, which nobody can change as a whole while they have a role. */
static void inside_2m(void)
{
	uint64_t large = page_new_2m(), vmsa = large + 0x5000, caa = large + 0x9000;
	static const struct {
		const char *what;
		uint64_t bits;
	} entries[] = {
		{ "invalidate all of it", ENTRY_2M },
		{ "invalidate it, whatever it was", ENTRY_2M | ENTRY_IGNORE_CF },
		{ "validate all of it", ENTRY_2M | ENTRY_VALIDATE },
		{ "validate it, whatever it was", ENTRY_2M | ENTRY_VALIDATE | ENTRY_IGNORE_CF },
	};

	cpu_vmsa(vmsa, 1);
	*(volatile uint8_t *)caa = 1;
	expect("create", vcpu_create(vmsa, caa, 1), 0);
	expect("no call is pending in the new area", *(volatile uint8_t *)caa, 0);
	for (unsigned int i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		expect(entries[i].what, svsm_pvalidate(large | entries[i].bits), 0x80000003);
	expect("invalidate the page behind", svsm_pvalidate(vmsa + 0x1000), 0);
	expect("validate it", svsm_pvalidate((vmsa + 0x1000) | ENTRY_VALIDATE), 0);
	expect("delete", vcpu_delete(vmsa), 0);
	expect("the VMSA is a page again", page_valid(vmsa), true);
	expect("so is the area", page_valid(caa), true);
	vcpu_replace(1);
}

/* A vCPU deletes its own VMSA: there is no answer, and it never runs again. */
static void delete_self(void)
{
	(void)vcpu_delete(cpu_this()->vmsa);
	expect("a vCPU runs without its VMSA", true, false);
}

static void suicide(void)
{
	struct cpu *cpu = cpu_at(1);
	uint64_t vmsa = cpu->vmsa, caa = cpu->caa;

	cpu_begin(1, delete_self);
	cpu->up = false;
	/* Until it is done, the VMSA is one, and no page of the guest. */
	while (!page_valid(vmsa))
		cpu_relax();
	expect("delete it once more", vcpu_delete(vmsa), 0x80000005);
	expect("VMRUN refuses it", cpu_refused(1, 2, vmsa), true);
	cpu_vmsa(vmsa, 1);
	expect("create in the same pages", vcpu_create(vmsa, caa, 1), 0);
	expect("it runs", cpu_enter(1, vmsa, caa), true);
}

/* What no one made a VMSA cannot run, whatever the host takes: the RMP says no. */
static void never_made(void)
{
	uint64_t vmsa = vcpu_vmsa_new(1);

	expect("AP creation at VMPL 0", vmsa_start(1, 0, vmsa), 2);
	expect("AP creation beyond the RAM", vmsa_start(1, 2, places.ram_end), 2);
	expect("AP creation with a plain page", cpu_refused(1, 2, vmsa), true);
	expect("AP creation with a page of Socle", cpu_refused(1, 2, places.svsm), true);
	vcpu_replace(1);
}

const struct rule rules[] = {
	{ "CREATE_VCPU for a CPU that is not there", "58019 6.3", bad_apic_ids, 1 },
	{ "DELETE_VCPU of every page of Socle", "58019 6.4", delete_all_of_socle, 1 },
	{ "CREATE_VCPU: VMSA that is not the guest's", "58019 6.3", vmsa_addresses, 2 },
	{ "CREATE_VCPU: calling area that is not the guest's", "58019 6.3", area_addresses, 2 },
	{ "CREATE_VCPU: no VMPL above its own", "58019 6.3", vmsa_vmpl, 2 },
	{ "CREATE_VCPU: EFER.SVME is set", "58019 6.3", vmsa_efer, 2 },
	{ "CREATE_VCPU: the boot vCPU's SEV_FEATURES", "58019 6.3", vmsa_features, 2 },
	{ "CREATE_VCPU: pages that are not valid", "58019 6.3", pages_not_valid, 2 },
	{ "pages of a living vCPU have no other role", "58019 6.3", living_vmsa, 2 },
	{ "the boot vCPU is not replaced", "58019 6.3", delete_first_elsewhere, 2 },
	{ "a vCPU is deleted and made again", "58019 6.3 and 6.4", replace_once, 2 },
	{ "a vCPU that was made and never run", "58019 6.3 and 6.4", never_run, 2 },
	{ "a stopped CPU comes back with its calling area", "58019 6.3", come_back_from_stop, 2 },
	{ "a parked CPU comes back with its calling area", "58019 6.3", come_back_from_hold, 2 },
	{ "a CPU is made anew while it runs", "58019 6.3, 6.4", come_back_while_it_runs, 2 },
	{ "a creation with the same calling area is taken back", "58019 6.3, 6.4",
	  creation_taken_back, 2 },
	{ "a calling area is for one CPU", "58019 6.3", areas_are_of_a_cpu, 4 },
	{ "a vCPU within 2 MiB", "58019 6.2, 6.3", inside_2m, 2 },
	{ "a vCPU deletes itself", "58019 6.4", suicide, 2 },
	{ "a page that is no VMSA is not run", "APM 2, 15.36.12", never_made, 2 },
	{ NULL, NULL, NULL, 0 },
};
