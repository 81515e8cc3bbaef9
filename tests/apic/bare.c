/* SPDX-License-Identifier: MIT */
/*
 * Bare metal: does a sequence to the local APICs of this machine, in xAPIC or in x2APIC mode, and
 * prints their registers after each step. The command line ends in SEED STEPS or SEED STEPS x2apic.
 * It knows nothing of Socle's own APIC: what it prints is the machine's.
 */
#include "tests/apic/sequence.h"

#define APIC 0xfee00000u
#define REG_ID 0x20u
#define REG_TPR 0x80u
#define REG_PPR 0xa0u
#define REG_EOI 0xb0u
#define REG_LDR 0xd0u
#define REG_DFR 0xe0u
#define REG_SVR 0xf0u
#define REG_ISR 0x100u
#define REG_TMR 0x180u
#define REG_IRR 0x200u
#define REG_ICR 0x300u
#define REG_ICR_HIGH 0x310u
#define REG_SELF 0x3f0u
#define SVR_ON 0x1ffu
#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC 0x800u /* the register at 16 n is MSR 0x800 + n */
#define BASE_X2APIC 0x400u

#define ICR_INIT 0x4500u
#define ICR_SIPI 0x4600u
#define ICR_TO_SELF (1u << 18)
#define WINDOW_VECTOR 0x40u
#define ICR_TO_OTHERS (3u << 18)
#define ICR_BUSY (1u << 12)
#define TRAMPOLINE 0x8000u
#define LET_IN 300u /* more than the vectors that there are */
#define INIT_PAUSE 1000000u

/*
 * A device's message: a store, with a mask of CPUs in the address. QEMU takes that of a CPU for
 * one, too; a store to the first page, as an id of 0 would have it, is one to the CPU's own APIC.
 */
#define MSI_MASK_SHIFT 12
#define MSI_LOGICAL (1u << 2)
#define MSI_LEVEL (1u << 15)
#define MSI_ASSERT (1u << 14)

/*
 * The log is memory, for an exit for each character takes minutes on some hosts. Zeros follow it.
 */
#define LOG 0x400000u
#define LOG_END 0xf00000u
#define DEBUG_EXIT 0xf4
#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK 0xa1
#define VECTOR_NMI 2u
#define MULTIBOOT_COMMAND_LINE 4 /* the word of the information that has its address */

struct order {
	struct step step;
	uint32_t given, done; /* counts */
};

struct idt_entry {
	uint16_t low, selector, type, high;
};

extern uint8_t bare_trampoline[], bare_trampoline_end[], bare_stubs[];

static struct idt_entry idt[256] __attribute__((aligned(8)));
static volatile struct order orders[SEQUENCE_CPUS];
static volatile uint32_t lines[SEQUENCE_CPUS][LINE_WORDS];
static volatile uint32_t online;
static bool x2apic;
static char *log = (char *)LOG;

void bare_main(const uint32_t *multiboot);
void bare_ap(uint32_t cpu);
void bare_interrupt(uint32_t vector);

static uint64_t msr_read(uint32_t msr)
{
	uint64_t value;

	__asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
	return value;
}

static void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "A"(value) : "memory");
}

static uint32_t msr_of(uint32_t reg)
{
	return MSR_X2APIC + reg / 16;
}

static uint32_t read(uint32_t reg)
{
	return x2apic ? (uint32_t)msr_read(msr_of(reg)) : *(volatile uint32_t *)(APIC + reg);
}

static void write(uint32_t reg, uint32_t value)
{
	if (x2apic)
		msr_write(msr_of(reg), value);
	else
		*(volatile uint32_t *)(APIC + reg) = value;
}

static uint32_t own_id(void)
{
	return x2apic ? read(REG_ID) : read(REG_ID) >> 24;
}

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void put_char(char c)
{
	if (log < (char *)LOG_END)
		*log++ = c;
}

static void put(const char *text)
{
	for (; *text; text++)
		put_char(*text);
}

static void put_hex(uint32_t value)
{
	bool started = false;

	for (int shift = 28; shift >= 0; shift -= 4) {
		uint32_t digit = value >> shift & 0xf;

		started = started || digit != 0 || shift == 0;
		if (started)
			put_char((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	}
}

static _Noreturn void end(void)
{
	for (;;) {
		out8(DEBUG_EXIT, 0);
		__asm__ volatile("hlt");
	}
}

void bare_interrupt(uint32_t vector)
{
	uint32_t cpu = own_id();

	if (vector == VECTOR_NMI) {
		lines[cpu][LINE_NMIS]++;
	} else if (vector >= SEQUENCE_VECTOR_FIRST) {
		lines[cpu][LINE_TAKEN]++;
		lines[cpu][LINE_LAST] = vector;
	} else {
		put("exception ");
		put_hex(vector);
		put("\n");
		end();
	}
}

static void load_idt(void)
{
	const struct {
		uint16_t limit;
		const void *base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, idt };

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t stub = (uint32_t)bare_stubs + 16 * i;

		idt[i] = (struct idt_entry){ (uint16_t)stub, 0x08, 0x8e00, (uint16_t)(stub >> 16) };
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static void start_apic(uint32_t cpu)
{
	load_idt();
	if (x2apic) {
		msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | BASE_X2APIC);
	} else {
		write(REG_DFR, 0xffffffff); /* flat: each CPU has a bit */
		write(REG_LDR, 1u << (24 + cpu));
	}
	write(REG_SVR, SVR_ON);
}

static void send(uint32_t icr, uint32_t destination)
{
	if (x2apic) {
		msr_write(msr_of(REG_ICR), (uint64_t)destination << 32 | icr);
		return;
	}
	write(REG_ICR_HIGH, destination << 24);
	write(REG_ICR, icr);
	while (read(REG_ICR) & ICR_BUSY)
		;
}

static void run(const struct step *s)
{
	switch (s->kind) {
	case STEP_TPR:
		write(REG_TPR, s->value);
		break;
	case STEP_EOI:
		write(REG_EOI, 0);
		break;
	case STEP_SEND:
		send(s->value, s->destination);
		break;
	case STEP_DEVICE:
		*(volatile uint32_t *)(APIC + (1u << (MSI_MASK_SHIFT + s->cpu)) + MSI_LOGICAL) =
			s->value | (s->level ? MSI_LEVEL | MSI_ASSERT : 0);
		break;
	case STEP_SELF:
		write(REG_SELF, s->value);
		break;
	default:
		for (uint32_t i = 0; i < LET_IN; i++)
			__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		break;
	}
}

static void fill_line(uint32_t cpu)
{
	volatile uint32_t *line = lines[cpu];

	line[LINE_ID] = own_id();
	line[LINE_TPR] = read(REG_TPR);
	line[LINE_PPR] = read(REG_PPR);
	line[LINE_ICR] = read(REG_ICR);
	line[LINE_ICR_HIGH] = x2apic ? (uint32_t)(msr_read(msr_of(REG_ICR)) >> 32) : 0;
	line[LINE_LDR] = x2apic ? read(REG_LDR) : 0;
	for (uint32_t i = 0; i < 8; i++) {
		line[LINE_ISR + i] = read(REG_ISR + 16 * i);
		line[LINE_TMR + i] = read(REG_TMR + 16 * i);
		line[LINE_IRR + i] = read(REG_IRR + 16 * i);
	}
}

/* Has a CPU do a step, or fill its line, and waits until it has. */
static void order(uint32_t cpu, const struct step *s)
{
	static const struct step look = { .kind = STEP_COUNT };

	if (s == 0)
		s = &look;
	if (cpu == 0) {
		if (s->kind == STEP_COUNT)
			fill_line(0);
		else
			run(s);
		return;
	}
	orders[cpu].step = *s;
	orders[cpu].given++;
	while (orders[cpu].done != orders[cpu].given)
		__asm__ volatile("pause");
}

void bare_ap(uint32_t cpu)
{
	start_apic(cpu);
	__atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		struct step s;

		while (orders[cpu].done == orders[cpu].given)
			__asm__ volatile("pause");
		s = orders[cpu].step;
		if (s.kind == STEP_COUNT)
			fill_line(cpu);
		else
			run(&s);
		orders[cpu].done++;
	}
}

static void start_others(void)
{
	volatile uint8_t *to = (volatile uint8_t *)TRAMPOLINE;

	for (const uint8_t *from = bare_trampoline; from != bare_trampoline_end; from++)
		*to++ = *from;
	send(ICR_INIT | ICR_TO_OTHERS, 0);
	for (volatile uint32_t i = 0; i < INIT_PAUSE;
	     i++) /* KVM drops a SIPI that comes too early */
		;
	send(ICR_SIPI | ICR_TO_OTHERS | TRAMPOLINE >> 12, 0);
	while (online != SEQUENCE_CPUS - 1)
		__asm__ volatile("pause");
}

/* The number at *text, and past it. */
static uint32_t number(const char **text)
{
	uint32_t value = 0;

	while (**text == ' ')
		++*text;
	for (; **text >= '0' && **text <= '9'; ++*text)
		value = 10 * value + (uint32_t)(**text - '0');
	return value;
}

static void print_line(uint32_t cpu)
{
	for (uint32_t i = 0; i < LINE_WORDS; i++) {
		put_hex(lines[cpu][i]);
		put(i + 1 == LINE_WORDS ? "\n" : " ");
	}
}

/*
 * Whether the CPU takes an interrupt that waits when IF is set, which is no matter of its APIC: a
 * host that does not see the window cannot judge what is taken when.
 */
static bool has_window(void)
{
	static const struct step take = { .kind = STEP_TAKE };
	bool taken;

	send(ICR_TO_SELF | WINDOW_VECTOR, 0);
	run(&take);
	taken = lines[0][LINE_TAKEN] == 1;
	write(REG_EOI, 0);
	lines[0][LINE_TAKEN] = lines[0][LINE_LAST] = 0;
	return taken;
}

void bare_main(const uint32_t *multiboot)
{
	const char *text = (const char *)multiboot[MULTIBOOT_COMMAND_LINE];
	uint32_t state, steps;

	while (*text && *text != ' ') /* the image's name */
		text++;
	state = number(&text);
	steps = number(&text);
	while (*text == ' ')
		text++;
	x2apic = *text == 'x';
	out8(PIC_MASTER_MASK, 0xff); /* the firmware's timer would come through */
	out8(PIC_SLAVE_MASK, 0xff);
	start_apic(0);
	if (!has_window()) {
		put("no window\n");
		end();
	}
	start_others();
	for (uint32_t cpu = 0; cpu < SEQUENCE_CPUS; cpu++) {
		struct step s = sequence_first(cpu);

		order(cpu, &s);
	}
	for (uint32_t i = 0; i < steps; i++) {
		struct step s = sequence_next(&state, x2apic);

		order(s.kind == STEP_DEVICE ? 0 : s.cpu, &s);
		put("step ");
		put_hex(i);
		put(" kind ");
		put_hex(s.kind);
		put(" cpu ");
		put_hex(s.cpu);
		put("\n");
		for (uint32_t cpu = 0; cpu < SEQUENCE_CPUS; cpu++) {
			order(cpu, 0);
			print_line(cpu);
		}
	}
	put("end\n");
	end();
}
