/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/exits.h"

uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static void vmgexit(void)
{
	__asm__ volatile("rep; vmmcall" : : : "memory");
}

uint64_t ghcb_msr_call(uint64_t request)
{
	msr_write(SNP_MSR_GHCB, request);
	vmgexit();
	return msr_read(SNP_MSR_GHCB);
}

struct pvalidate_result pvalidate(uint64_t gpa, uint32_t size, uint32_t validate)
{
	struct pvalidate_result r;
	uint8_t carry;

	__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff; setc %1"
			 : "=a"(r.eax), "=qm"(carry)
			 : "a"(gpa), "c"(size), "d"(validate)
			 : "memory", "cc");
	r.carry = carry;
	return r;
}

uint32_t rmpadjust(uint64_t gpa, uint64_t size, uint64_t rdx)
{
	uint64_t rax = gpa;

	__asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
			 : "+a"(rax)
			 : "c"(size), "d"(rdx)
			 : "memory", "cc");
	return (uint32_t)rax;
}

void invlpgb(uint64_t rax, uint64_t ecx, uint64_t edx)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xfe" : : "a"(rax), "c"(ecx), "d"(edx) : "memory");
}

void tlbsync(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xff" : : : "memory");
}

uint64_t page_make_private(uint64_t gpa)
{
	return ghcb_msr_call(0x014 | gpa | 1ull << 52);
}

uint64_t page_make_shared(uint64_t gpa)
{
	return ghcb_msr_call(0x014 | gpa | 2ull << 52);
}

uint64_t ghcb_gpa(void)
{
	return (uint64_t)ghcb_own() - SHARED_OFFSET;
}

void ghcb_set_valid(size_t offset)
{
	volatile struct ghcb *ghcb = ghcb_own();

	ghcb->valid_bitmap[offset / 64] |= (uint8_t)(1u << offset / 8 % 8);
}

void ghcb_clear(void)
{
	volatile struct ghcb *ghcb = ghcb_own();

	for (size_t i = 0; i < sizeof(ghcb->valid_bitmap); i++)
		ghcb->valid_bitmap[i] = 0;
	ghcb->protocol_version = 2;
	ghcb->usage = 0;
}

void ghcb_exit_at(uint64_t gpa)
{
	msr_write(SNP_MSR_GHCB, gpa);
	vmgexit();
}

struct ghcb_answer ghcb_exit(uint64_t code, uint64_t info_1, uint64_t info_2)
{
	volatile struct ghcb *ghcb = ghcb_own();

	ghcb->sw_exit_code = code;
	ghcb->sw_exit_info_1 = info_1;
	ghcb->sw_exit_info_2 = info_2;
	ghcb_set_valid(0x390);
	ghcb_set_valid(0x398);
	ghcb_set_valid(0x3a0);
	ghcb_exit_at(ghcb_gpa());

	struct ghcb_answer answer = { (uint32_t)ghcb->sw_exit_info_1, ghcb->sw_exit_info_2 };

	ghcb_clear();
	return answer;
}

void ghcb_out8(uint16_t port, uint8_t value)
{
	ghcb_own()->rax = value;
	ghcb_set_valid(0x1f8);
	(void)ghcb_exit(0x7b, (uint64_t)port << 16 | 1u << 4, 0); /* OUT, 8 bits */
}

uint8_t ghcb_in8(uint16_t port)
{
	(void)ghcb_exit(0x7b, (uint64_t)port << 16 | 1u << 4 | 1, 0); /* IN, 8 bits */
	return (uint8_t)ghcb_own()->rax;
}

static uint64_t mmio(uint64_t code, uint64_t address, unsigned int size, uint64_t value)
{
	volatile struct ghcb *ghcb = ghcb_own();
	volatile uint64_t *buffer = (volatile uint64_t *)ghcb->shared_buffer;

	*buffer = value;
	ghcb->sw_scratch = ghcb_gpa() + offsetof(struct ghcb, shared_buffer);
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	(void)ghcb_exit(code, address, size);
	return size == 8 ? *buffer : *buffer & ((1ull << 8 * size) - 1);
}

void ghcb_mmio_write(uint64_t address, unsigned int size, uint64_t value)
{
	(void)mmio(0x80000002, address, size, value);
}

uint64_t ghcb_mmio_read(uint64_t address, unsigned int size)
{
	return mmio(0x80000001, address, size, 0);
}

bool ghcb_msr_write(uint32_t msr, uint64_t value)
{
	volatile struct ghcb *ghcb = ghcb_own();

	ghcb->rcx = msr;
	ghcb->rax = (uint32_t)value;
	ghcb->rdx = value >> 32;
	ghcb_set_valid(0x308);
	ghcb_set_valid(0x1f8);
	ghcb_set_valid(0x310);
	return ghcb_exit(0x7c, 1, 0).result == 0;
}

bool ghcb_msr_read(uint32_t msr, uint64_t *value)
{
	volatile struct ghcb *ghcb = ghcb_own();

	ghcb->rcx = msr;
	ghcb_set_valid(0x308);
	if (ghcb_exit(0x7c, 0, 0).result != 0)
		return false;
	*value = (ghcb->rax & 0xffffffff) | ghcb->rdx << 32;
	return true;
}
