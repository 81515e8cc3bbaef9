/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/traps.h"

#include <string.h>

#define TRAP_ENTRY_SIZE 16u

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

extern char trap_entries[], gdt_tss[], user_return[];
extern uint64_t user_kernel_rsp;

void trap(struct trap_frame *frame);

void (*trap_handler)(struct trap_frame *frame);

static uint8_t trap_stack[8192] __attribute__((aligned(16)));
static struct gate idt[32];
static struct tss tss;

void trap(struct trap_frame *frame)
{
	if (trap_handler) {
		trap_handler(frame);
		return;
	}
	trap_unhandled(frame);
}

void user_leave(struct trap_frame *frame)
{
	frame->rip = (uint64_t)user_return;
	frame->cs = 0x08;
	frame->ss = 0x10;
	frame->rflags = 2;
	frame->rsp = user_kernel_rsp;
}

uint64_t traps_tss(void)
{
	return (uint64_t)&tss;
}

void traps_start(void)
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
