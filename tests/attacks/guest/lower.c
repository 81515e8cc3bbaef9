/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/lower.h"

#define PROGRAM_START 0x200000ull
#define PAGE 0x1000ull
#define RUN_VMPL_REQUEST 0x016ull
#define RUN_VMPL_DONE 0x017ull
#define ALTERNATE_INJECTION (1ull << 4)
/* What no call has in RAX. */
#define NO_CALL 0x0123456789abcdefull

extern char program_end[];

struct lower_block {
	struct cpu cpu;
	uint8_t stack[CPU_BLOCK_SIZE - sizeof(struct cpu)];
};

static struct lower_block lower __attribute__((aligned(CPU_BLOCK_SIZE)));
static uint8_t list[PAGE] __attribute__((aligned(4096)));

unsigned int lower_vmpl(void)
{
	return places.vmpl + 1;
}

struct cpu *lower_cpu(void)
{
	return &lower.cpu;
}

/* 56421, section 2.3.2: the level in 39:32. True when the host says that it ran. */
static bool enter(unsigned int vmpl)
{
	struct svsm_regs regs = { .rax = NO_CALL };

	vmgexit_with(RUN_VMPL_REQUEST | (uint64_t)vmpl << 32, &regs);
	return msr_read(SNP_MSR_GHCB) == RUN_VMPL_DONE;
}

void lower_back(void)
{
	(void)enter(places.vmpl);
}

static void lower_main(void)
{
	for (;;) {
		void (*job)(void) = __atomic_load_n(&lower.cpu.job, __ATOMIC_SEQ_CST);

		if (job) {
			job();
			__atomic_store_n(&lower.cpu.job, NULL, __ATOMIC_SEQ_CST);
		}
		lower_back();
	}
}

void lower_give(uint64_t gpa, uint64_t rights)
{
	struct fault fault;
	uint32_t eax = ~0u;

	expect("RMPADJUST does not fault",
	       try_rmpadjust(gpa, 0, rights | lower_vmpl(), &eax, &fault), false);
	expect("RMPADJUST", eax, 0);
}

/* Text, tables, stacks; not what is shared with the host, nor VMSAs. */
static void give_program(uint64_t rights)
{
	for (uint64_t gpa = PROGRAM_START; gpa < (uint64_t)program_end; gpa += PAGE) {
		if (!page_kept(gpa))
			lower_give(gpa, rights);
	}
}

bool lower_start(uint64_t vmsa, uint64_t caa)
{
	uint64_t features = msr_read(SNP_MSR_SEV_STATUS) >> SNP_SEV_STATUS_FEATURES_SHIFT;

	lower.cpu = (struct cpu){ .id = 0, .caa = caa, .vmsa = vmsa, .list = (uint64_t)list };
	vmsa_fill((struct snp_vmsa *)vmsa, (uint8_t)lower_vmpl(), lower_main,
		  lower.stack + sizeof(lower.stack));
	((struct snp_vmsa *)vmsa)->sev_features = features & ~ALTERNATE_INJECTION;
	if (svsm_call(CORE_CREATE_VCPU, vmsa, caa, 0) != 0)
		return false;
	pages_keep(vmsa, 1, "vmsa");
	pages_keep(caa, 1, "valid");
	give_program(RIGHTS_ALL);
	lower_give(caa, RIGHTS_USE);
	return vmsa_start(0, lower_vmpl(), vmsa) == 0;
}

void lower_end(void)
{
	expect("delete it", svsm_call(CORE_DELETE_VCPU, lower.cpu.vmsa, 0, 0), 0);
	pages_keep(lower.cpu.vmsa, 1, NULL);
	give_program(0);
	lower_give(lower.cpu.caa, 0);
	pages_keep(lower.cpu.caa, 1, NULL);
}

bool lower_go_on(void)
{
	return enter(lower_vmpl());
}

void lower_run(void (*job)(void))
{
	__atomic_store_n(&lower.cpu.job, job, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&lower.cpu.job, __ATOMIC_SEQ_CST))
		expect("the host runs it", lower_go_on(), true);
}
