/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/vmsa.h"

#define STACK_SIZE 8192
#define OTHER_CPUS 2

static uint8_t level2_vmsa_page[4096] __attribute__((aligned(4096)));
static uint8_t level2_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint8_t cpu_vmsa_pages[OTHER_CPUS][4096] __attribute__((aligned(4096)));
static uint8_t cpu_stacks[OTHER_CPUS][STACK_SIZE] __attribute__((aligned(16)));

uint64_t level2_vmsa(void)
{
	return (uint64_t)level2_vmsa_page;
}

static void grant_image(void)
{
	uint32_t results = 0;

	for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += 4096) {
		if (at != ghcb_gpa() && at != level2_vmsa())
			results |= rmpadjust(at, 0, 0xf02);
	}
	check("RMPADJUST grants the image to VMPL2", results, 0);
}

struct snp_vmsa *level2_create(void (*entry)(void))
{
	struct snp_vmsa *vmsa = (struct snp_vmsa *)level2_vmsa_page;

	vmsa_fill(vmsa, 2, entry, level2_stack + STACK_SIZE);
	grant_image();
	return vmsa;
}

void level2_start(void)
{
	check("RMPADJUST makes the VMSA page one", rmpadjust(level2_vmsa(), 0, 0x10002), 0);
	check("AP creation of VMPL2 (GHCB, SNP AP creation)", vmsa_start(0, 2, level2_vmsa()), 0);
}

uint64_t level2_run(void)
{
	return ghcb_msr_call(0x016 | 2ull << 32);
}

void level2_return(void)
{
	(void)ghcb_msr_call(0x016);
}

/* VMPL0 may make a VMSA of VMPL0 as well: RMPADJUST only has to name a lower level. */
void cpu_start(unsigned int id, void (*entry)(void))
{
	uint64_t vmsa = (uint64_t)cpu_vmsa_pages[id - 1];

	vmsa_fill((struct snp_vmsa *)vmsa, 0, entry, cpu_stacks[id - 1] + STACK_SIZE);
	check("RMPADJUST makes the other CPU's VMSA page one", rmpadjust(vmsa, 0, 0x10001), 0);
	check("AP creation of the other CPU", vmsa_start(id, 0, vmsa), 0);
}

void second_cpu_start(void (*entry)(void))
{
	cpu_start(1, entry);
}

uint64_t second_cpu_vmsa(void)
{
	return (uint64_t)cpu_vmsa_pages[0];
}
