/* SPDX-License-Identifier: MIT */
/* Instructions and registers of the CPU that the hypervisor itself runs on. */
#ifndef SOCLE_MACHINE_HV_BASE_X86_H
#define SOCLE_MACHINE_HV_BASE_X86_H

#include <stdint.h>

#define X86_CR0_PE (1ull << 0)
#define X86_CR0_ET (1ull << 4)
#define X86_CR0_WP (1ull << 16)
#define X86_CR0_NW (1ull << 29)
#define X86_CR0_CD (1ull << 30)
#define X86_CR0_PG (1ull << 31)
#define X86_CR4_PAE (1ull << 5)
#define X86_CR4_LA57 (1ull << 12)
#define X86_EFER_LME (1ull << 8)
#define X86_EFER_LMA (1ull << 10)
#define X86_EFER_SVME (1ull << 12)
#define X86_RFLAGS_CF (1ull << 0)
#define X86_RFLAGS_FIXED (1ull << 1)
#define X86_RFLAGS_TF (1ull << 8)
#define X86_RFLAGS_IF (1ull << 9)
#define X86_RFLAGS_NT (1ull << 14)
#define X86_RFLAGS_RF (1ull << 16)
#define X86_RFLAGS_VM (1ull << 17)

#define X86_SEGMENT_LONG (1u << 9) /* of the VMCB's packed attributes */
#define X86_SEGMENT_PRESENT (1u << 7)

#define X86_MSR_PAT 0x277u
#define X86_MSR_DEBUGCTL 0x1d9u
#define X86_MSR_XSS 0xda0u
#define X86_MSR_EFER 0xc0000080u
#define X86_MSR_TSC_AUX 0xc0000103u
#define X86_MSR_VM_HSAVE_PA 0xc0010117u

#define X86_VECTOR_DB 1u
#define X86_VECTOR_NMI 2u
#define X86_VECTOR_UD 6u
#define X86_VECTOR_DF 8u
#define X86_VECTOR_GP 13u
#define X86_VECTOR_PF 14u

#define X86_PF_PRESENT (1u << 0)
#define X86_PF_WRITE (1u << 1)
#define X86_PF_USER (1u << 2)

/* size is 1, 2 or 4 bytes. */
static inline uint32_t port_in(uint16_t port, unsigned int size)
{
	uint32_t value = 0;

	if (size == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "Nd"(port) : "memory");
	else if (size == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "Nd"(port) : "memory");
	else
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void port_out(uint16_t port, unsigned int size, uint32_t value)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"(port) : "memory");
	else if (size == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "Nd"(port) : "memory");
	else
		__asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

/* The clock of all emulated timers. QEMU gives every CPU the same one. */
static inline uint64_t clock_now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct x86_cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline void x86_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Full ordering of memory accesses, for what another CPU must see before an IPI arrives. */
static inline void x86_fence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

static inline _Noreturn void x86_halt_for_good(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif
