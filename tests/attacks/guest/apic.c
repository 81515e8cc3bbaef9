/* SPDX-License-Identifier: MIT */
/*
 * The APIC protocol on one vCPU and more, as it is to be used: registers, priorities, IPIs, the
 * host.
 */
#include "tests/attacks/guest/apic_client.h"

#define ROUNDS 32u /* with four vCPUs on a busy computer, the limit of a run is near */

static uint64_t handshake; /* atomic */
static unsigned int target;

static void begin(void)
{
	__atomic_store_n(&handshake, 0, __ATOMIC_SEQ_CST);
	start();
}

/* ---- One vCPU ---- */

static void protocol_there(void)
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 0x300000001 };

	expect("query", svsm_call_regs(&regs, 1), true);
	expect("versions 1 to 1", regs.rcx, 0x100000001);
	regs = (struct svsm_regs){ .rax = CORE_QUERY_PROTOCOL, .rcx = 0x300000002 };
	expect("query of version 2", svsm_call_regs(&regs, 1), true);
	expect("none", regs.rcx, 0);
	expect("call 5", svsm_call(0x300000005, 0, 0, 0), UNSUPPORTED_CALL);
}

static void features(void)
{
	struct svsm_regs regs = { .rax = QUERY_FEATURES, .rcx = 0x1234 };

	expect("query", svsm_call_regs(&regs, 1), true);
	expect("RAX", regs.rax, 0);
	expect("RCX", regs.rcx, 0);
}

static void registers_at_start_here(void)
{
	unsigned int id = cpu_this()->id;

	expect("ID", read_register(ID), id);
	expect("LDR", read_register(LDR), 1u << id);
	expect("TPR", read_register(TPR), 0);
	expect("PPR", read_register(PPR), 0);
	for (unsigned int i = 0; i < 8; i++) {
		expect("ISR", read_register(ISR + i), 0);
		expect("TMR", read_register(TMR + i), 0);
		expect("IRR", read_register(IRR + i), 0);
	}
}

static void registers_at_start(void)
{
	on_all(registers_at_start_here);
}

static void registers_not_there(void)
{
	static const uint64_t none[] = { 0,
					 0x800,
					 0x801,
					 0x803,
					 0x809,
					 0x80b,
					 0x80c,
					 0x80e,
					 0x80f,
					 0x828,
					 0x82f,
					 0x831,
					 0x838,
					 0x83f,
					 0x840,
					 0x8ff,
					 1ull << 32 | 0x802,
					 UINT64_MAX };
	static const uint64_t read_only[] = { 0x802, 0x80a, 0x80d, 0x810, 0x81f, 0x827 };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect("read", svsm_call(READ_REGISTER, none[i], 0, 0), INVALID_PARAMETER);
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
		expect("write", write_register(read_only[i], 0), INVALID_PARAMETER);
	expect("write of none", write_register(0x80f, 0x1ff), INVALID_PARAMETER);
}

static void reserved_bits(void)
{
	start();
	expect("TPR", write_register(TPR, 0x100), INVALID_PARAMETER);
	expect("EOI", write_register(EOI, 1), INVALID_PARAMETER);
	expect("self-IPI", write_register(SELF_IPI, 0x141), INVALID_PARAMETER);
	expect("self-IPI of an exception", write_register(SELF_IPI, 0x0e), INVALID_PARAMETER);
	expect("ICR, delivery status", write_register(ICR, SELF | 0x1041), INVALID_PARAMETER);
	expect("ICR, bit 20", write_register(ICR, SELF | 0x100041), INVALID_PARAMETER);
	expect("ICR, INIT", write_register(ICR, OTHERS | 0x500), INVALID_PARAMETER);
	expect("ICR, SIPI", write_register(ICR, OTHERS | 0x608), INVALID_PARAMETER);
	expect("ICR, an exception", write_register(ICR, SELF | 0x0d), INVALID_PARAMETER);
	expect("vector, bit 10", svsm_call(CONFIGURE_VECTOR, 0x441, 0, 0), INVALID_PARAMETER);
	expect("vector 30", svsm_call(CONFIGURE_VECTOR, 0x11e, 0, 0), INVALID_PARAMETER);
	expect("configure 3", svsm_call(CONFIGURE, 3, 0, 0), INVALID_PARAMETER);
	let_in();
	expect("nothing came", mine()->taken, 0);
}

static void self_ipi(void)
{
	start();
	expect("self-IPI", write_register(SELF_IPI, 0x51), 0);
	expect("it waits", read_register(IRR + 2), 1u << 17);
	expect("and is not in service", read_register(ISR + 2), 0);
	let_in();
	expect("taken", count_of(0, 0x51), 1);
	expect("PPR then", mine()->ppr, 0x50);
	let_in();
	expect("once", mine()->taken, 1);
	expect("it waits no more", read_register(IRR + 2) | read_register(ISR + 2), 0);
}

static void ways_to_self(void)
{
	static const uint64_t ways[] = { SELF | 0x61, 0x61, LOGICAL | TO(1) | 0x61, ALL | 0x61,
					 TO(0xffffffff) | 0x61 };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		start();
		expect("ICR", write_register(ICR, ways[i]), 0);
		expect("reads back", read_register(ICR), ways[i]);
		let_in();
		expect("taken", count_of(0, 0x61), 1);
	}
	start();
	expect("to others", write_register(ICR, OTHERS | 0x61), 0);
	let_in();
	expect("not taken", count_of(0, 0x61), 0);
}

static void vector_31(void)
{
	start();
	expect("self-IPI", write_register(SELF_IPI, 31), 0);
	expect("self-IPI", write_register(SELF_IPI, 255), 0);
	let_in();
	let_in();
	expect("the lowest", count_of(0, 31), 1);
	expect("the highest", count_of(0, 255), 1);
}

static void priorities(void)
{
	start();
	(void)write_register(SELF_IPI, 0x41);
	(void)write_register(SELF_IPI, 0x83);
	(void)write_register(SELF_IPI, 0x8f);
	let_in();
	let_in();
	let_in();
	expect("all", mine()->taken, 3);
	expect("the highest first", mine()->last[0], 0x8f);
	expect("then the next", mine()->last[1], 0x83);
	expect("then the last", mine()->last[2], 0x41);
}

static void task_priority(void)
{
	start();
	expect("TPR", write_register(TPR, 0x57), 0);
	expect("reads back", read_register(TPR), 0x57);
	(void)write_register(SELF_IPI, 0x5f);
	let_in();
	expect("of its class: kept out", mine()->taken, 0);
	(void)write_register(SELF_IPI, 0x60);
	let_in();
	expect("above it: taken", count_of(0, 0x60), 1);
	expect("TPR", write_register(TPR, 0x4f), 0);
	let_in();
	expect("below: taken", count_of(0, 0x5f), 1);
}

/* CR8 is V_TPR: no call is made. */
static void cr8(void)
{
	uint64_t value;

	start();
	__asm__ volatile("mov %0, %%cr8" : : "r"(6ull));
	expect("TPR", read_register(TPR), 0x60);
	(void)write_register(SELF_IPI, 0x65);
	let_in();
	expect("kept out", mine()->taken, 0);
	__asm__ volatile("sti; mov %0, %%cr8; nop; cli" : : "r"(5ull));
	expect("let in by CR8", count_of(0, 0x65), 1);
	(void)write_register(TPR, 0x73);
	__asm__ volatile("mov %%cr8, %0" : "=r"(value));
	expect("CR8", value, 7);
}

static void in_service(void)
{
	start();
	mine()->way = NOT;
	(void)write_register(SELF_IPI, 0x51);
	let_in();
	expect("in service", read_register(ISR + 2), 1u << 17);
	expect("PPR", read_register(PPR), 0x50);
	(void)write_register(SELF_IPI, 0x5e);
	let_in();
	expect("its class waits", mine()->taken, 1);
	(void)write_register(SELF_IPI, 0x71);
	let_in();
	expect("a higher one does not", count_of(0, 0x71), 1);
	expect("EOI", write_register(EOI, 0), 0);
	expect("ends the higher one", read_register(ISR + 2), 1u << 17);
	let_in();
	expect("its class waits", mine()->taken, 2);
	expect("EOI", write_register(EOI, 0), 0);
	let_in();
	expect("and comes", count_of(0, 0x5e), 1);
}

static void eoi_of_nothing(void)
{
	start();
	expect("EOI", write_register(EOI, 0), 0);
	(void)write_register(SELF_IPI, 0x51);
	expect("EOI", write_register(EOI, 0), 0);
	let_in();
	expect("what waits is not ended", mine()->taken, 1);
}

static void lazy_eoi(void)
{
	start();
	mine()->way = BY_FLAG;
	(void)write_register(SELF_IPI, 0x51);
	let_in();
	expect("offered", mine()->flag[0x51], 1);
	expect("it has ended", read_register(ISR + 2), 0);
	(void)write_register(SELF_IPI, 0x51);
	(void)write_register(SELF_IPI, 0x41);
	let_in();
	expect("not while another waits", mine()->flag[0x51], 0);
	expect("for the last one", mine()->flag[0x41], 1);
	let_in();
	expect("both came", mine()->taken, 3);
	mine()->way = NOT;
	(void)write_register(SELF_IPI, 0x51);
	let_in();
	expect("never given: in service", read_register(ISR + 2), 1u << 17);
	expect("by a call after all", write_register(EOI, 0), 0);
	expect("it has ended", read_register(ISR + 2), 0);
}

static void nmi_to_self(void)
{
	start();
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("NMI, whatever IF is", comes(0, 2, 1), true);
	(void)write_register(SELF_IPI, 0x51);
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	let_in();
	expect("an NMI beside an interrupt", count_of(0, 2), 2);
	expect("which comes, too", count_of(0, 0x51), 1);
}

static void halted_self(void)
{
	start();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		(void)write_register(SELF_IPI, 0x51);
		halt();
	}
	expect("each ended a HLT", count_of(0, 0x51), ROUNDS);
}

/* ---- The host ---- */

static void host_vectors(void)
{
	static const uint8_t bad[] = { 0x10, 0x1e, 31, 0x61, 0x80, 0xff };

	start();
	for (size_t i = 0; i < sizeof(bad); i++)
		host_raises(bad[i]);
	host_raises(NMI);
	let_in_from_host(0);
	expect("none is allowed", mine()->taken + count_of(0, 2), 0);
	expect("allow 0x61", svsm_call(CONFIGURE_VECTOR, 0x161, 0, 0), 0);
	for (size_t i = 0; i < sizeof(bad); i++)
		host_raises(bad[i]);
	let_in_from_host(1);
	expect("0x61 alone", count_of(0, 0x61), mine()->taken);
	expect("0x61 alone, once", mine()->taken, 1);
	expect("allow all", svsm_call(CONFIGURE_VECTOR, 0x300, 0, 0), 0);
	for (size_t i = 0; i < sizeof(bad); i++)
		host_raises(bad[i]);
	let_in_from_host(5);
	expect("from 31 on", mine()->taken, 5);
	expect("and nothing below", count_of(0, 0x10) + count_of(0, 0x1e) + count_of(0, 2), 0);
	expect("forbid 0x61", svsm_call(CONFIGURE_VECTOR, 0x61, 0, 0), 0);
	host_raises(0x61);
	let_in_from_host(5);
	expect("not again", mine()->taken, 5);
}

/* The host holds a level-triggered pin back until its end: it comes twice only if that is told. */
static void level_triggered(void)
{
	start();
	expect("allow", svsm_call(CONFIGURE_VECTOR, 0x161, 0, 0), 0);
	mine()->device_off = true;
	mine()->way = BY_FLAG;
	pin_write(PIN_COM1, PIN_LEVEL | 0x61);
	for (unsigned int i = 1; i <= 3; i++) {
		ghcb_out8(COM1 + 1, 2); /* transmitter empty: at once */
		for (unsigned int n = 0; n < PATIENCE && count_of(0, 0x61) < i; n++)
			let_in();
		expect("it comes", count_of(0, 0x61), i);
		expect("no lazy EOI", mine()->flag[0x61], 0);
	}
	pin_write(PIN_COM1, PIN_MASKED);
}

/* ---- Several vCPUs ---- */

static void wait_halted(void)
{
	struct seen *s = mine();

	s->way = BY_FLAG;
	__atomic_fetch_add(&handshake, 1, __ATOMIC_SEQ_CST);
	while (count_of(cpu_this()->id, 0x71) == 0)
		halt();
}

static void wait_running(void)
{
	mine()->way = BY_FLAG;
	__atomic_fetch_add(&handshake, 1, __ATOMIC_SEQ_CST);
	while (count_of(cpu_this()->id, 0x71) == 0)
		let_in();
}

static void wait_for(uint64_t count)
{
	expect("the others wait", reaches(&handshake, count), true);
}

/* Interrupts and NMIs to the CPU target, each when the one before has arrived; 0x71 is the last. */
static void send_to_waiting(void (*job)(void))
{
	for (target = 1; target < places.cpus; target++) {
		begin();
		cpu_begin(target, job);
		wait_for(1);
		for (unsigned int i = 1; i <= ROUNDS; i++) {
			(void)write_register(ICR, TO(target) | 0x51);
			if (!comes(target, 0x51, i)) {
				expect("an interrupt comes", i, ROUNDS + 1);
				break;
			}
			if (i % 8 != 0)
				continue;
			(void)write_register(ICR, TO(target) | NMI);
			if (!comes(target, 2, i / 8)) {
				expect("an NMI comes", i, ROUNDS + 1);
				break;
			}
		}
		(void)write_register(ICR, TO(target) | 0x71);
		cpu_end(target);
		expect("each once", count_of(target, 0x51), ROUNDS);
		expect("each NMI once", count_of(target, 2), ROUNDS / 8);
		expect("no other", seen[target].taken, ROUNDS + 1);
		expect("none here", mine()->taken, 0);
	}
}

static void to_halted(void)
{
	send_to_waiting(wait_halted);
}

static void to_running(void)
{
	send_to_waiting(wait_running);
}

static void look_at_irr(void)
{
	expect("it waits there", read_register(IRR + 2), 1u << 17);
	expect("and is not in service", read_register(ISR + 2), 0);
	let_in();
	expect("until it is let in", count_of(cpu_this()->id, 0x51), 1);
}

static void to_closed(void)
{
	begin();
	(void)write_register(ICR, TO(1) | 0x51);
	cpu_begin(1, look_at_irr);
	cpu_end(1);
}

static void take_what_waits(void)
{
	let_in();
}

static uint64_t taken_set(uint64_t icr)
{
	uint64_t set = 0;

	begin();
	(void)write_register(ICR, icr);
	on_all(take_what_waits);
	for (unsigned int i = 0; i < places.cpus; i++)
		set |= (count_of(i, 0x51) == 1 ? 1ull : 0) << i;
	return set;
}

static void shorthands(void)
{
	uint64_t all = (1ull << places.cpus) - 1;

	expect("others", taken_set(OTHERS | 0x51), all & ~1ull);
	expect("all", taken_set(ALL | 0x51), all);
	expect("self", taken_set(SELF | 0x51), 1);
	expect("everybody", taken_set(TO(0xffffffff) | 0x51), all);
	expect("one", taken_set(TO(1) | 0x51), 2);
	expect("none", taken_set(TO(places.cpus) | 0x51), 0);
	expect("a mask", taken_set(LOGICAL | TO(2) | 0x51), 2);
	expect("another cluster", taken_set(LOGICAL | TO(0x1000f) | 0x51), 0);
	expect("a mask of all", taken_set(LOGICAL | TO(0xffff) | 0x51), all);
}

static void wait_for_nmi(void)
{
	unsigned int id = cpu_this()->id;

	__atomic_fetch_add(&handshake, 1, __ATOMIC_SEQ_CST);
	(void)comes(id, 2, 1);
}

static void nmi_to_all(void)
{
	begin();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, wait_for_nmi);
	wait_for(places.cpus - 1);
	(void)write_register(ICR, OTHERS | NMI);
	for (unsigned int i = 1; i < places.cpus; i++) {
		cpu_end(i);
		expect("one for each", count_of(i, 2), 1);
	}
	expect("none for the sender", count_of(0, 2), 0);
}

/* Each sends to the next, and waits for what comes from the one before, halted. */
static void storm_here(void)
{
	unsigned int id = cpu_this()->id, next = (id + 1) % places.cpus;

	mine()->way = BY_FLAG;
	__atomic_fetch_add(&handshake, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&handshake, __ATOMIC_SEQ_CST) < places.cpus)
		cpu_relax();
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		(void)write_register(ICR, TO(next) | 0x51);
		while (count_of(id, 0x51) < i)
			halt();
		/* Until it has arrived, another one would be the same. */
		while (count_of(next, 0x51) < i)
			let_in();
	}
}

static void storm(void)
{
	begin();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, storm_here);
	storm_here();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
	for (unsigned int i = 0; i < places.cpus; i++)
		expect("each once", count_of(i, 0x51), ROUNDS);
}

/* ---- The end ---- */

static void registrations(void)
{
	expect("query", svsm_call(CONFIGURE, 0, 0, 0), 0);
	expect("one more", svsm_call(CONFIGURE, 2, 0, 0), 0);
	expect("one less", svsm_call(CONFIGURE, 1, 0, 0), 0);
	expect("still there", svsm_call(QUERY_FEATURES, 0, 0, 0), 0);
}

static uint64_t host_register(uint32_t msr)
{
	uint64_t value = 0;

	(void)ghcb_msr_read(msr, &value);
	return value;
}

static void goes_to_host(void)
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 0x300000001 };

	(void)write_register(TPR, 0x25);
	mine()->way = NOT;
	(void)write_register(SELF_IPI, 0x61);
	let_in();
	(void)write_register(SELF_IPI, 0x41);
	(void)write_register(SELF_IPI, 31);
	expect("configure", svsm_call(CONFIGURE, cpu_this()->id == 0 ? 1 : 0, 0, 0), 0);
	expect("read", svsm_call(READ_REGISTER, ID, 0, 0), UNSUPPORTED_PROTOCOL);
	expect("register", svsm_call(CONFIGURE, 2, 0, 0), UNSUPPORTED_PROTOCOL);
	expect("call 5", svsm_call(0x300000005, 0, 0, 0), UNSUPPORTED_PROTOCOL);
	expect("query", svsm_call_regs(&regs, 1), true);
	expect("not there", regs.rcx, 0);
	expect("the host's IRR", host_register(IRR + 2), 2);
	expect("and vector 31", host_register(IRR), 1u << 31);
	expect("ISR", host_register(ISR + 3), 2);
	expect("TPR", host_register(TPR), 0x25);
	expect("EOI", ghcb_msr_write(EOI, 0), true);
	let_in();
	expect("it delivers", count_of(cpu_this()->id, 0x41), 1);
	expect("EOI", ghcb_msr_write(EOI, 0), true);
	expect("TPR", ghcb_msr_write(TPR, 0), true);
	let_in();
	expect("all of it", count_of(cpu_this()->id, 31), 1);
	expect("EOI", ghcb_msr_write(EOI, 0), true);
}

static void hand_over(void)
{
	start();
	goes_to_host();
	for (unsigned int i = 1; i < places.cpus; i++) {
		cpu_begin(i, goes_to_host);
		cpu_end(i);
	}
}

#define SPEC "58019, APIC protocol"

const struct rule rules[] = {
	{ "the protocol is there", SPEC, protocol_there, 1 },
	{ "features", SPEC, features, 1 },
	{ "registers at the start", SPEC, registers_at_start, 1 },
	{ "registers that are not there", SPEC, registers_not_there, 1 },
	{ "reserved bits", SPEC, reserved_bits, 1 },
	{ "self-IPI", "APM volume 2, 16.14", self_ipi, 1 },
	{ "ways to itself", "APM volume 2, 16.5", ways_to_self, 1 },
	{ "the lowest and the highest vector", SPEC, vector_31, 1 },
	{ "priorities", "APM volume 2, 16.6.4", priorities, 1 },
	{ "task priority", "APM volume 2, 16.6.4", task_priority, 1 },
	{ "CR8", "APM volume 2, 16.6.4", cr8, 1 },
	{ "in service", "APM volume 2, 16.6.3", in_service, 1 },
	{ "EOI of nothing", "APM volume 2, 16.6.5", eoi_of_nothing, 1 },
	{ "lazy EOI", "58019, calling area", lazy_eoi, 1 },
	{ "an NMI to itself", SPEC, nmi_to_self, 1 },
	{ "an interrupt that waits ends HLT", "APM volume 3, HLT", halted_self, 1 },
	{ "vectors of the host", SPEC, host_vectors, 1 },
	{ "level-triggered interrupts of the host", SPEC, level_triggered, 1 },
	{ "IPIs and NMIs to a vCPU that has halted", SPEC, to_halted, 2 },
	{ "IPIs and NMIs to a vCPU that runs", SPEC, to_running, 2 },
	{ "an IPI to a vCPU with interrupts off", SPEC, to_closed, 2 },
	{ "destinations", "APM volume 2, 16.5 and 16.13", shorthands, 2 },
	{ "NMIs to all others", SPEC, nmi_to_all, 2 },
	{ "each vCPU to the next, all halting", SPEC, storm, 2 },
	{ "registrations", SPEC, registrations, 1 },
	{ "the APIC goes to the host", SPEC, hand_over, 1 },
	{ 0 },
};
