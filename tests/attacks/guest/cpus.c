/* SPDX-License-Identifier: MIT */
/* The guest's CPUs: the first is entered by Socle, the others wait for something to do. */
#include "tests/attacks/guest/attack.h"

#define APIC_BASE 0x1bu
#define APIC_X2APIC_ON 0xc00ull
#define X2APIC_SPURIOUS 0x80fu
#define REFUSAL_PATIENCE 2000000u /* many times what a CPU takes to come up */

struct block {
	struct cpu cpu;
	uint8_t stack[CPU_BLOCK_SIZE - sizeof(struct cpu)];
};
_Static_assert(sizeof(struct block) == CPU_BLOCK_SIZE, "a block is as large as its alignment");

extern struct block cpu_blocks[CPUS_MAX];
struct block cpu_blocks[CPUS_MAX] __attribute__((aligned(CPU_BLOCK_SIZE)));

static uint8_t ghcb_pages[CPUS_MAX][4096] __attribute__((aligned(4096)));
static uint8_t vmsa_pages[CPUS_MAX][4096] __attribute__((aligned(4096)));
static uint8_t caa_pages[CPUS_MAX][4096] __attribute__((aligned(4096)));
static uint8_t list_pages[CPUS_MAX][4096] __attribute__((aligned(4096)));

struct cpu *cpu_at(unsigned int id)
{
	return &cpu_blocks[id].cpu;
}

struct cpu *cpu_this(void)
{
	return (struct cpu *)((uint64_t)__builtin_frame_address(0) &
			      ~(uint64_t)(CPU_BLOCK_SIZE - 1));
}

volatile struct ghcb *ghcb_own(void)
{
	return shared_view((uint64_t)ghcb_pages[cpu_this()->id]);
}

static bool register_ghcb(void)
{
	uint64_t gpa = ghcb_gpa();

	if (ghcb_msr_call(0x012 | gpa) != (0x013 | gpa))
		return false;
	for (size_t i = 0; i < sizeof(struct ghcb); i++)
		((volatile uint8_t *)ghcb_own())[i] = 0;
	ghcb_clear();
	return true;
}

static void cpu_main(void)
{
	struct cpu *cpu = cpu_this();

	if (!register_ghcb())
		return;
	__atomic_store_n(&cpu->up, true, __ATOMIC_SEQ_CST);
	for (;;) {
		void (*job)(void) = __atomic_load_n(&cpu->job, __ATOMIC_SEQ_CST);

		if (job) {
			job();
			__atomic_store_n(&cpu->job, NULL, __ATOMIC_SEQ_CST);
		}
		cpu_relax();
	}
}

/* SEV_FEATURES as SEV_STATUS shows them. */
static uint64_t features(void)
{
	return msr_read(SNP_MSR_SEV_STATUS) >> SNP_SEV_STATUS_FEATURES_SHIFT;
}

void cpu_vmsa(uint64_t vmsa, unsigned int id)
{
	vmsa_fill((struct snp_vmsa *)vmsa, (uint8_t)places.vmpl, cpu_main,
		  cpu_blocks[id].stack + sizeof(cpu_blocks[id].stack));
	((struct snp_vmsa *)vmsa)->sev_features = features();
}

/* AP creation with the SEV_FEATURES of all VMSAs of this guest; SW_EXITINFO1 of the answer. */
static uint32_t start_by_host(unsigned int id, uint64_t vmsa)
{
	ghcb_own()->rax = features();
	ghcb_set_valid(offsetof(struct ghcb, rax));
	return ghcb_exit(0x80000013, (uint64_t)id << 32 | places.vmpl << 16 | 1, vmsa).result;
}

bool cpu_enter(unsigned int id, uint64_t vmsa, uint64_t caa)
{
	struct cpu *cpu = cpu_at(id);

	__atomic_store_n(&cpu->up, false, __ATOMIC_SEQ_CST);
	cpu->caa = caa;
	cpu->vmsa = vmsa;
	cpu->job = NULL;
	cpu->recover = 0;
	if (start_by_host(id, vmsa) != 0)
		return false;
	while (!__atomic_load_n(&cpu->up, __ATOMIC_SEQ_CST))
		cpu_relax();
	return true;
}

bool cpu_refused(unsigned int id, unsigned int vmpl, uint64_t vmsa)
{
	struct cpu *cpu = cpu_at(id);

	__atomic_store_n(&cpu->up, false, __ATOMIC_SEQ_CST);
	if (vmsa_start(id, vmpl, vmsa) != 0)
		return true;
	for (unsigned int i = 0; i < REFUSAL_PATIENCE; i++) {
		if (__atomic_load_n(&cpu->up, __ATOMIC_SEQ_CST))
			return false;
		cpu_relax();
	}
	return true;
}

bool cpu_stop(unsigned int id)
{
	cpu_at(id)->up = false;
	return ghcb_exit(0x80000013, (uint64_t)id << 32 | places.vmpl << 16 | 2, 0).result == 0;
}

void cpu_begin(unsigned int id, void (*job)(void))
{
	__atomic_store_n(&cpu_at(id)->job, job, __ATOMIC_SEQ_CST);
}

void cpu_end(unsigned int id)
{
	while (__atomic_load_n(&cpu_at(id)->job, __ATOMIC_SEQ_CST))
		cpu_relax();
}

/* A host without INVLPGB has Socle refuse every other CPU: then there are none. */
void cpu_apic_on(void)
{
	uint64_t base = 0;

	expect("read the APIC's base", ghcb_msr_read(APIC_BASE, &base), true);
	expect("x2APIC mode", ghcb_msr_write(APIC_BASE, base | APIC_X2APIC_ON), true);
	expect("APIC on", ghcb_msr_write(X2APIC_SPURIOUS, 0x1ff), true);
}

static bool start_cpu(unsigned int id)
{
	uint64_t vmsa = (uint64_t)vmsa_pages[id], caa = (uint64_t)caa_pages[id];
	uint64_t result;

	cpu_vmsa(vmsa, id);
	result = svsm_call(CORE_CREATE_VCPU, vmsa, caa, id);
	if (result == 0x80001020)
		return true;
	pages_keep(vmsa, 1, "vmsa");
	return result == 0 && cpu_enter(id, vmsa, caa);
}

bool cpus_start(void)
{
	for (unsigned int i = 0; i < places.cpus; i++) {
		cpu_at(i)->id = i;
		cpu_at(i)->list = (uint64_t)list_pages[i];
	}
	cpu_at(0)->caa = places.caa;
	cpu_at(0)->up = true;
	for (unsigned int i = 0; i < places.cpus; i++) {
		uint64_t ghcb = (uint64_t)ghcb_pages[i];

		if (page_give_up(ghcb) != 0)
			return false;
		pages_keep(ghcb, 1, "shared");
	}
	if (!register_ghcb())
		return false;
	for (unsigned int i = 1; i < places.cpus; i++) {
		if (!start_cpu(i))
			return false;
	}
	return true;
}

/* Each sets where the next exception goes on; who comes there with it unset had one. */

static bool faulted(struct fault *fault)
{
	struct cpu *cpu = cpu_this();
	bool did = cpu->recover == 0;

	cpu->recover = 0;
	if (did)
		*fault = cpu->fault;
	return did;
}

bool try_rmpadjust(uint64_t gpa, uint64_t size, uint64_t rdx, uint32_t *eax, struct fault *fault)
{
	struct cpu *cpu = cpu_this();
	uint64_t rax = gpa, scratch;

	__asm__ volatile("leaq 1f(%%rip), %[scratch]\n"
			 "movq %[scratch], %[recover]\n"
			 ".byte 0xf3, 0x0f, 0x01, 0xfe\n"
			 "1:\n"
			 : "+a"(rax), [scratch] "=&r"(scratch), [recover] "+m"(cpu->recover)
			 : "c"(size), "d"(rdx)
			 : "memory", "cc");
	*eax = (uint32_t)rax;
	return faulted(fault);
}

bool try_pvalidate(uint64_t gpa, uint64_t size, uint64_t validate, struct fault *fault)
{
	struct cpu *cpu = cpu_this();
	uint64_t rax = gpa, scratch;

	__asm__ volatile("leaq 1f(%%rip), %[scratch]\n"
			 "movq %[scratch], %[recover]\n"
			 ".byte 0xf2, 0x0f, 0x01, 0xff\n"
			 "1:\n"
			 : "+a"(rax), [scratch] "=&r"(scratch), [recover] "+m"(cpu->recover)
			 : "c"(size), "d"(validate)
			 : "memory", "cc");
	return faulted(fault);
}

bool try_read(uint64_t at, uint64_t *value, struct fault *fault)
{
	struct cpu *cpu = cpu_this();
	uint64_t got = 0, scratch;

	__asm__ volatile("leaq 1f(%%rip), %[scratch]\n"
			 "movq %[scratch], %[recover]\n"
			 "movq (%[at]), %[got]\n"
			 "1:\n"
			 : [got] "+r"(got), [scratch] "=&r"(scratch), [recover] "+m"(cpu->recover)
			 : [at] "r"(at)
			 : "memory");
	*value = got;
	return faulted(fault);
}

bool try_write(uint64_t at, uint64_t value, struct fault *fault)
{
	struct cpu *cpu = cpu_this();
	uint64_t scratch;

	__asm__ volatile("leaq 1f(%%rip), %[scratch]\n"
			 "movq %[scratch], %[recover]\n"
			 "movq %[value], (%[at])\n"
			 "1:\n"
			 : [scratch] "=&r"(scratch), [recover] "+m"(cpu->recover)
			 : [at] "r"(at), [value] "r"(value)
			 : "memory");
	return faulted(fault);
}
