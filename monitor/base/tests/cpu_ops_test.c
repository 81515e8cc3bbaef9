/* SPDX-License-Identifier: MIT */
/*
 * The single instructions of cpu_ops.h, executed. A CPU that is not in ring 0 refuses most of them:
 * a signal handler decodes those (APM volume 3), notes their operands, and goes on behind them.
 * The build has no sanitizers here, for FS is gone for a moment, and with it the thread's memory.
 */
#define _GNU_SOURCE /* names of registers in ucontext */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/base/cpu_ops.h"

#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define USER_DS 0x2b /* Linux's: a selector that ring 3 may load */
#define REX_B 1u
#define REX_R 4u
#define SELECTORS 4u

/* What the last instruction was, and what it was given. */
static struct {
	char name[8];
	unsigned int count;
	uint64_t number, value; /* of a register, and what was written to it */
	uint64_t reads;		/* what it says when it is read */
	struct cpu_table table;
	uint64_t cs, ss, tr;
} cpu;

static uint64_t fs_base;

/* With no more than instructions: FS may be gone. */
static void set_fs_base(void)
{
	uint64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(fs_base)
			 : "rcx", "r11", "memory");
}

static greg_t *general(greg_t *registers, unsigned int number)
{
	static const int order[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				     REG_RSI, REG_RDI, REG_R8,	REG_R9,	 REG_R10, REG_R11,
				     REG_R12, REG_R13, REG_R14, REG_R15 };

	return &registers[order[number]];
}

static void note(const char *name, uint64_t number, uint64_t value)
{
	strcpy(cpu.name, name);
	cpu.count++;
	cpu.number = number;
	cpu.value = value;
}

/* The memory operand at a ModRM byte, without an index; *length is how long it is. */
static const void *memory_operand(greg_t *registers, const uint8_t *at, unsigned int rex,
				  size_t *length)
{
	unsigned int mode = at[0] >> 6, base = at[0] & 7;
	int32_t displacement = 0;
	int8_t byte;

	*length = 1 + (base == 4) + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
	if (mode == 0 && base == 5) { /* relative to the next instruction */
		memcpy(&displacement, at + 1, 4);
		*length = 5;
		return at + 5 + displacement;
	}
	if (base == 4 && (at[1] & 0x38) != 0x20)
		_exit(98);
	if (mode == 1) {
		memcpy(&byte, at + *length - 1, 1);
		/* NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c): signed indeed. */
		displacement = byte;
	} else if (mode == 2) {
		memcpy(&displacement, at + *length - 4, 4);
	}
	if (base == 4)
		base = at[1] & 7;
	return (const uint8_t *)*general(registers, base | (rex & REX_B) << 3) + displacement;
}

/* Two-byte opcodes. Returns the length from behind the prefix, 0: it is none of ours. */
static size_t two_bytes(greg_t *registers, const uint8_t *code, unsigned int rex)
{
	greg_t *operand = general(registers, (code[2] & 7) | (rex & REX_B) << 3);
	unsigned int field = code[2] >> 3 & 7;
	size_t length;

	switch (code[1]) {
	case 0x32:
		note("rdmsr", (uint32_t)registers[REG_RCX], 0);
		registers[REG_RAX] = (greg_t)(uint32_t)cpu.reads;
		registers[REG_RDX] = (greg_t)(cpu.reads >> 32);
		return 2;
	case 0x30:
		note("wrmsr", (uint32_t)registers[REG_RCX],
		     (uint64_t)registers[REG_RDX] << 32 | (uint32_t)registers[REG_RAX]);
		return 2;
	case 0x20:
		note("from cr", field | (rex & REX_R) << 1, 0);
		*operand = (greg_t)cpu.reads;
		return 3;
	case 0x22:
		note("to cr", field | (rex & REX_R) << 1, (uint64_t)*operand);
		return 3;
	case 0x00: /* /3 with a register */
		if (code[2] < 0xd8 || code[2] > 0xdf)
			return 0;
		cpu.tr = (uint16_t)*operand;
		return 3;
	case 0x01:
		if (field != 2 && field != 3)
			return 0;
		note(field == 2 ? "lgdt" : "lidt", 0, 0);
		memcpy(&cpu.table, memory_operand(registers, code + 2, rex, &length),
		       sizeof(cpu.table));
		return 2 + length;
	default:
		return 0;
	}
}

static void far_return(greg_t *registers)
{
	const uint64_t *stack = (const uint64_t *)registers[REG_RSP];

	registers[REG_RIP] = (greg_t)stack[0];
	cpu.cs = stack[1];
	registers[REG_RSP] += 16;
}

static void exception(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *code = (const uint8_t *)registers[REG_RIP];
	unsigned int rex = 0;
	size_t length = 0;

	set_fs_base();
	(void)signal;
	(void)info;
	if ((code[0] & 0xf0) == 0x40)
		rex = *code++;
	if (code[0] == 0xf4) {
		note("hlt", 0, 0);
		length = 1;
	} else if (code[0] == 0xcb) {
		far_return(registers);
		return;
	} else if (code[0] == 0x8e && (code[1] & 0xf8) == 0xd0) {
		cpu.ss = (uint16_t)*general(registers, (code[1] & 7) | (rex & REX_B) << 3);
		length = 2;
	} else if (code[0] == 0x0f) {
		length = two_bytes(registers, code, rex);
	}
	if (!length)
		_exit(99);
	registers[REG_RIP] = (greg_t)(code + length);
}

/* First in each test, for cmocka has handlers of its own before. */
static void start(void)
{
	struct sigaction action = { .sa_sigaction = exception, .sa_flags = SA_SIGINFO };

	memset(&cpu, 0, sizeof(cpu));
	assert_return_code(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base), 0);
	assert_return_code(sigaction(SIGILL, &action, NULL), 0);
	assert_return_code(sigaction(SIGSEGV, &action, NULL), 0);
}

static void an_msr_is_edx_and_eax(void **state)
{
	(void)state;
	start();
	cpu.reads = 0xfedcba9876543210;
	assert_int_equal(cpu_read_msr(0xc0010130), 0xfedcba9876543210);
	assert_string_equal(cpu.name, "rdmsr");
	assert_int_equal(cpu.number, 0xc0010130);
	cpu_write_msr(0x80b, 0x0123456789abcdef);
	assert_string_equal(cpu.name, "wrmsr");
	assert_int_equal(cpu.number, 0x80b);
	assert_int_equal(cpu.value, 0x0123456789abcdef);
	assert_int_equal(cpu.count, 2);
}

static void control_registers_are_read(void **state)
{
	(void)state;
	start();
	cpu.reads = 0x1122334455667788;
	assert_int_equal(cpu_read_cr2(), 0x1122334455667788);
	assert_string_equal(cpu.name, "from cr");
	assert_int_equal(cpu.number, 2);
	assert_int_equal(cpu_read_cr4(), 0x1122334455667788);
	assert_int_equal(cpu.number, 4);
	assert_int_equal(cpu.count, 2);
}

static void control_registers_are_written(void **state)
{
	static const struct {
		void (*write)(uint64_t value);
		unsigned int number;
	} writes[] = { { cpu_write_cr0, 0 }, { cpu_write_cr3, 3 }, { cpu_write_cr4, 4 } };

	(void)state;
	start();
	for (unsigned int i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		writes[i].write(0x8877665544332211 + i);
		assert_string_equal(cpu.name, "to cr");
		assert_int_equal(cpu.number, writes[i].number);
		assert_int_equal(cpu.value, 0x8877665544332211 + i);
		assert_int_equal(cpu.count, i + 1);
	}
}

/* Between two looks of the test's own; a machine that is up for two seconds has a high half. */
static void the_tsc_is_edx_and_eax(void **state)
{
	uint64_t before, tsc, after;

	(void)state;
	before = __builtin_ia32_rdtsc();
	tsc = cpu_read_tsc();
	after = __builtin_ia32_rdtsc();
	assert_true(before <= tsc && tsc <= after);
	assert_true(before >> 32);
}

static void a_halt_halts(void **state)
{
	(void)state;
	start();
	cpu_halt();
	assert_string_equal(cpu.name, "hlt");
	assert_int_equal(cpu.count, 1);
}

static void an_idt_is_named(void **state)
{
	const struct cpu_table table = { 0xfff, 0xffffffff81234567 };

	(void)state;
	start();
	cpu_load_idt(&table);
	assert_string_equal(cpu.name, "lidt");
	assert_memory_equal(&cpu.table, &table, sizeof(table));
}

/* DS, ES, FS, GS. The caller sets FS's base again. */
static void set_selectors(unsigned int selector)
{
	__asm__ volatile("mov %0, %%ds\n\t"
			 "mov %0, %%es\n\t"
			 "mov %0, %%fs\n\t"
			 "mov %0, %%gs"
			 :
			 : "r"(selector));
}

static inline void get_selectors(uint32_t selectors[SELECTORS])
{
	__asm__ volatile("mov %%ds, %0" : "=r"(selectors[0]));
	__asm__ volatile("mov %%es, %0" : "=r"(selectors[1]));
	__asm__ volatile("mov %%fs, %0" : "=r"(selectors[2]));
	__asm__ volatile("mov %%gs, %0" : "=r"(selectors[3]));
}

static void no_selector_stays(void **state)
{
	uint32_t before[SELECTORS], after[SELECTORS];

	(void)state;
	start();
	set_selectors(USER_DS);
	get_selectors(before);
	cpu_clear_selectors();
	get_selectors(after);
	set_fs_base();
	for (unsigned int i = 0; i < SELECTORS; i++) {
		assert_int_equal(before[i], USER_DS);
		assert_int_equal(after[i], 0);
	}
}

/* Ours are code at 8, data at 10h and the task's at 28h (cpu_layout.h). */
static void a_gdt_comes_with_its_selectors(void **state)
{
	const struct cpu_table table = { 0x37, 0xffffffffc0000100 };
	uint32_t after[SELECTORS];

	(void)state;
	start();
	set_selectors(USER_DS);
	cpu_load_gdt(&table);
	get_selectors(after);
	set_fs_base();
	for (unsigned int i = 0; i < SELECTORS; i++)
		assert_int_equal(after[i], 0);
	assert_string_equal(cpu.name, "lgdt");
	assert_memory_equal(&cpu.table, &table, sizeof(table));
	assert_int_equal(cpu.cs, 8);
	assert_int_equal(cpu.ss, 0x10);
	assert_int_equal(cpu.tr, 0x28);
}

/* Not executed: a hypervisor below this test would take it for a call. */
static void vmgexit_is_rep_vmmcall(void **state)
{
	static const uint8_t vmgexit[] = { 0xf3, 0x0f, 0x01, 0xd9 };

	(void)state;
	assert_non_null(memmem((const void *)(uintptr_t)cpu_vmgexit, 32, vmgexit, sizeof(vmgexit)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_msr_is_edx_and_eax),
		cmocka_unit_test(control_registers_are_read),
		cmocka_unit_test(control_registers_are_written),
		cmocka_unit_test(the_tsc_is_edx_and_eax),
		cmocka_unit_test(a_halt_halts),
		cmocka_unit_test(an_idt_is_named),
		cmocka_unit_test(no_selector_stays),
		cmocka_unit_test(a_gdt_comes_with_its_selectors),
		cmocka_unit_test(vmgexit_is_rep_vmmcall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
