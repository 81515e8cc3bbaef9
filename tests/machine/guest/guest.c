/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/guest.h"

#include <stdarg.h>
#include <string.h>

#include "core/format.h"

#define DEBUG_PORT 0xe9u
#define SHARED_OFFSET (1ull << 30)
#define TRAP_ENTRY_SIZE 16u
#define TERM_SET_TEST 0xau /* a set of our own: the runner looks for it */
#define TERM_PASSED 0x00u
#define TERM_FAILED 0x01u
#define TERM_TRAP 0x02u
#define TERM_NO_GHCB 0x03u

struct tss {
	uint32_t reserved_00;
	uint64_t rsp[3];
	uint8_t reserved_1c[0x66 - 0x1c];
	uint16_t io_map;
} __attribute__((packed));

struct gate {
	uint16_t offset_0, selector;
	uint8_t ist, type;
	uint16_t offset_16;
	uint32_t offset_32, reserved;
};

extern char trap_entries[], gdt_tss[], stack_top[], user_return[];
extern uint64_t user_kernel_rsp;

_Noreturn void guest_start(void);
void trap(struct trap_frame *frame);

volatile struct ghcb *ghcb;
void (*trap_handler)(struct trap_frame *frame);

static uint8_t ghcb_page[4096] __attribute__((aligned(4096)));
static uint8_t trap_stack[8192] __attribute__((aligned(16)));
static struct gate idt[32];
static struct tss tss;
static unsigned int failures;

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

static _Noreturn void terminate(unsigned int code)
{
	for (;;)
		(void)ghcb_msr_call(0x100 | (uint64_t)TERM_SET_TEST << 12 | (uint64_t)code << 16);
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

uint64_t page_make_private(uint64_t gpa)
{
	return ghcb_msr_call(0x014 | gpa | 1ull << 52);
}

uint64_t page_make_shared(uint64_t gpa)
{
	return ghcb_msr_call(0x014 | gpa | 2ull << 52);
}

/* The GHCB page. */

uint64_t ghcb_gpa(void)
{
	return (uint64_t)ghcb_page;
}

void ghcb_set_valid(size_t offset)
{
	ghcb->valid_bitmap[offset / 64] |= (uint8_t)(1u << offset / 8 % 8);
}

void ghcb_clear(void)
{
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

bool ghcb_msr_write(uint32_t msr, uint64_t value)
{
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
	ghcb->rcx = msr;
	ghcb_set_valid(0x308);
	if (ghcb_exit(0x7c, 0, 0).result != 0)
		return false;
	*value = (ghcb->rax & 0xffffffff) | ghcb->rdx << 32;
	return true;
}

static void start_ghcb(void)
{
	uint64_t gpa = ghcb_gpa();

	if (pvalidate(gpa, 0, 0).eax != 0 || page_make_shared(gpa) != 0x015 ||
	    ghcb_msr_call(0x012 | gpa) != (0x013 | gpa))
		terminate(TERM_NO_GHCB);
	ghcb = (volatile struct ghcb *)(gpa + SHARED_OFFSET);
	for (size_t i = 0; i < sizeof(*ghcb); i++)
		((volatile uint8_t *)ghcb)[i] = 0;
	ghcb_clear();
}

/* Output. */

static void put(void *context, char c)
{
	(void)context;
	ghcb->rax = (uint8_t)c;
	ghcb_set_valid(0x1f8);
	(void)ghcb_exit(0x7b, (uint64_t)DEBUG_PORT << 16 | 1u << 4, 0); /* OUT, 8 bits */
}

static void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_write(put, NULL, fmt, args);
	va_end(args);
}

void say(const char *text)
{
	print("%s\n", text);
}

void check(const char *rule, uint64_t got, uint64_t want)
{
	if (got == want) {
		print("ok %s\n", rule);
		return;
	}
	failures++;
	print("not ok %s: 0x%lx, want 0x%lx\n", rule, got, want);
}

/* Exceptions. */

void trap(struct trap_frame *frame)
{
	if (trap_handler) {
		trap_handler(frame);
		return;
	}
	print("not ok exception %lu, error 0x%lx, RIP 0x%lx\n", frame->vector, frame->error,
	      frame->rip);
	terminate(TERM_TRAP);
}

void user_leave(struct trap_frame *frame)
{
	frame->rip = (uint64_t)user_return;
	frame->cs = 0x08;
	frame->ss = 0x10;
	frame->rflags = 2;
	frame->rsp = user_kernel_rsp;
}

static void start_traps(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };
	uint64_t base = (uint64_t)&tss;
	uint64_t descriptor[2] = {
		(sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			(base >> 24 & 0xff) << 56,
		base >> 32,
	};

	for (unsigned int i = 0; i < 32; i++) {
		uint64_t at = (uint64_t)trap_entries + i * TRAP_ENTRY_SIZE;

		idt[i] = (struct gate){ (uint16_t)at,	      0x08, 0, 0x8e, (uint16_t)(at >> 16),
					(uint32_t)(at >> 32), 0 };
	}
	tss.rsp[0] = (uint64_t)trap_stack + sizeof(trap_stack);
	tss.io_map = sizeof(tss);
	memcpy(gdt_tss, descriptor, sizeof(descriptor));
	__asm__ volatile("lidt %0" : : "m"(pointer));
	__asm__ volatile("ltr %w0" : : "r"(0x28));
}

_Noreturn void guest_start(void)
{
	start_traps();
	start_ghcb();
	test_main();
	print("end %u\n", failures);
	terminate(failures ? TERM_FAILED : TERM_PASSED);
}
