/* SPDX-License-Identifier: MIT */
/*
 * Whose the legacy hole of a PC, the power management's ports and the flash are: rows of
 * docs/hosts.md, on each host that the machine models. Private memory is the guest's (APM volume 2,
 * 15.36.6); what is none is the host's to answer, by #VC with the exit code of a nested page fault,
 * 400h (15.35.5); ports are the host's by their nature. PMBASE: ICH9 datasheet, 13.1.13, register
 * 40h of device 31, function 0; QEMU's q35 has the timer at PMBASE + 8 of the ports 600h on. A
 * value of a port says who answers: an empty bus is all ones.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define PAGE 4096ull
#define VC_NPF 0x400u
#define FLASH_PAGE 0xfffff000ull
#define PCI_LPC 0x8000f800u
#define PMBASE 0x40u
#define PM_PORTS 0x600u
#define PM_TIMER 0x608u

extern uint64_t pml4[512];

static volatile uint64_t vc_error;

static void skip_load(struct trap_frame *frame)
{
	vc_error = frame->error;
	frame->rip += 3; /* the load in peek() */
}

static uint64_t peek(uint64_t at)
{
	uint64_t value = 0;

	__asm__ volatile("movq (%%rax), %%rbx" : "=b"(value) : "a"(at) : "memory");
	return value;
}

static void poke(uint64_t at, uint64_t value)
{
	*(volatile uint64_t *)at = value;
}

/* The last GiB below 4 GiB, privately at its own addresses. */
static void map_flash(void)
{
	uint64_t *pdpt = (uint64_t *)(pml4[0] & 0x7ffffffff000);
	uint64_t c_bit = pml4[0] & ~0xfffull & ~0x7ffffffff000ull;

	pdpt[3] = 3ull << 30 | c_bit | 0x87;
}

static void is_the_hosts(const char *rule, uint64_t at)
{
	vc_error = 0;
	trap_handler = skip_load;
	(void)peek(at);
	trap_handler = NULL;
	check(rule, vc_error, VC_NPF);
}

static void is_the_guests(const char *rule, uint64_t at)
{
	check(rule, pvalidate(at, 0, 1).eax, 0);
	poke(at, ~at);
	check("  keeps its bytes", peek(at), ~at);
}

static uint32_t pmbase(void)
{
	port_write(0xcf8, 4, PCI_LPC | PMBASE);
	return port_read(0xcfc, 4);
}

static void power_management(void)
{
	uint32_t before = pmbase();

	check("PMBASE: the host has it at 600h", before & 0xff80u, PM_PORTS);
	check("  the timer answers", port_read(PM_TIMER, 4) != 0xffffffffu, 1);
	port_write(0xcf8, 4, PCI_LPC | PMBASE);
	port_write(0xcfc, 4, 0xb001);
	check("  and a guest does not move it", pmbase(), before);
}

/*
 * Memory of the launch, and no device: what is written there stays, and no command is understood.
 */
static void flash(void)
{
	uint64_t text;

	map_flash();
	text = peek(FLASH_PAGE);
	check("flash: the launch put it there", text, 0x6f20656761702061); /* "a page o" */
	check("  it is valid from the start", pvalidate(FLASH_PAGE, 0, 1).carry, 1);
	poke(FLASH_PAGE, 0x7070707070707070); /* CFI: clear status */
	check("  a write stays", peek(FLASH_PAGE), 0x7070707070707070);
	poke(FLASH_PAGE, text);
}

void test_main(void)
{
	is_the_hosts("A0000h: video memory, the host's", 0xa0000);
	is_the_hosts("BF000h", 0xbf000);
	is_the_guests("C0000h: RAM", 0xc0000);
	is_the_guests("DF000h", 0xdf000);
	is_the_guests("E0000h", 0xe0000);
	is_the_guests("FF000h", 0xff000);
	power_management();
	flash();
}
