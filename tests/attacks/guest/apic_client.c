/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/apic_client.h"

#define IOAPIC 0xfec00000ull
#define IOAPIC_DATA (IOAPIC + 0x10)
#define IOAPIC_ENTRY 0x10u

struct gate {
	uint16_t low, selector, type, middle;
	uint32_t high, reserved;
};

extern char apic_entries[];
void apic_interrupt(uint64_t vector);

static struct gate gates[256];
struct seen seen[CPUS_MAX];
void (*apic_handler)(uint64_t vector);
void (*nmi_handler)(void);

uint64_t read_register(uint64_t reg)
{
	struct svsm_regs regs = { .rax = READ_REGISTER, .rcx = reg };

	return svsm_call_regs(&regs, 1) && regs.rax == 0 ? regs.rdx : SVSM_NOT_TAKEN | regs.rax;
}

uint64_t write_register(uint64_t reg, uint64_t value)
{
	return svsm_call(WRITE_REGISTER, reg, value, 0);
}

uint8_t *no_eoi_required(void)
{
	return (uint8_t *)(cpu_this()->caa + NO_EOI_REQUIRED);
}

void end_of_interrupt(void)
{
	if (__atomic_exchange_n(no_eoi_required(), 0, __ATOMIC_SEQ_CST) == 0)
		(void)write_register(EOI, 0);
}

static void count_interrupt(uint64_t vector)
{
	struct seen *s = mine();

	s->last[s->taken++ % VECTORS_LAST] = (uint8_t)vector;
	s->flag[vector] = __atomic_load_n(no_eoi_required(), __ATOMIC_SEQ_CST);
	s->ppr = read_register(PPR);
	if (s->device_off)
		ghcb_out8(COM1 + 1, 0);
	if (s->way == BY_FLAG)
		end_of_interrupt();
	else if (s->way == BY_CALL)
		(void)write_register(EOI, 0);
}

void apic_interrupt(uint64_t vector)
{
	__atomic_fetch_add(&mine()->count[vector], 1, __ATOMIC_SEQ_CST);
	if (apic_handler != NULL)
		apic_handler(vector);
	else if (vector != 2)
		count_interrupt(vector);
	else if (nmi_handler != NULL)
		nmi_handler();
}

void load_gates(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;

	__asm__ volatile("sidt %0" : "=m"(table));
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)apic_entries + 16 * i;

		if (i < 31 && i != 2)
			gates[i] = ((const struct gate *)table.base)[i];
		else
			gates[i] = (struct gate){
				(uint16_t)at,	      0x08, 0x8e00, (uint16_t)(at >> 16),
				(uint32_t)(at >> 32), 0
			};
	}
	table.limit = sizeof(gates) - 1;
	table.base = (uint64_t)gates;
	__asm__ volatile("lidt %0" : : "m"(table));
}

void on_all(void (*job)(void))
{
	for (unsigned int i = 1; i < places.cpus; i++) {
		cpu_begin(i, job);
		cpu_end(i);
	}
	job();
}

void on_others(void (*job)(void))
{
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, job);
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
}

void let_in(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

void let_in_from_host(uint64_t count)
{
	unsigned int more = 0;

	for (unsigned int i = 0; i < PATIENCE && more < HOST_PATIENCE; i++) {
		let_in();
		cpu_relax();
		more += mine()->taken >= count;
	}
}

void halt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void start_here(void)
{
	struct seen *s = mine();

	load_gates();
	(void)svsm_call(CONFIGURE_VECTOR, 0x200, 0, 0); /* none of the host's */
	s->way = BY_CALL;
	(void)write_register(TPR, 0);
	for (unsigned int i = 0; i < 4; i++) {
		let_in();
		(void)write_register(EOI, 0);
	}
	*s = (struct seen){ .way = BY_CALL };
}

void start(void)
{
	nmi_handler = NULL;
	on_all(start_here);
}

uint64_t count_of(unsigned int cpu, uint8_t vector)
{
	return __atomic_load_n(&seen[cpu].count[vector], __ATOMIC_SEQ_CST);
}

bool reaches(const uint64_t *number, uint64_t value)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (__atomic_load_n(number, __ATOMIC_SEQ_CST) >= value)
			return true;
		cpu_relax();
	}
	return false;
}

bool comes(unsigned int cpu, uint8_t vector, uint64_t count)
{
	return reaches(&seen[cpu].count[vector], count);
}

void host_raises(uint64_t vector)
{
	(void)ghcb_msr_write(ICR, SELF | vector);
}

static void mmio_write(uint64_t gpa, uint32_t value)
{
	volatile struct ghcb *ghcb = ghcb_own();

	*(volatile uint32_t *)ghcb->shared_buffer = value;
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	(void)ghcb_exit(0x80000002, gpa, 4);
}

void ioapic_write(uint32_t reg, uint32_t value)
{
	mmio_write(IOAPIC, reg);
	mmio_write(IOAPIC_DATA, value);
}

void pin_write(unsigned int pin, uint32_t low)
{
	ioapic_write(IOAPIC_ENTRY + 2 * pin + 1, 0);
	ioapic_write(IOAPIC_ENTRY + 2 * pin, low);
}
