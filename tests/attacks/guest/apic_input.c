/* SPDX-License-Identifier: MIT */
/*
 * The APIC protocol with what it must refuse, and with changes in the middle of what it does:
 * nothing is lost, nothing comes twice, and what is refused has no effect.
 */
#include "tests/attacks/guest/apic_client.h"
#include "tests/attacks/guest/lives.h"

#define INVALID_REQUEST 0x80000006ull
#define CANNOT_REGISTER 0x80001000ull
#define FIRST 31u
#define VECTORS 256u
#define BIT(vector) (1u << (vector) % 32)
#define WORD(reg, vector) ((reg) + (vector) / 32)
#define DEVICE_VECTOR 0x61u

static uint64_t step;

static void next_step(void)
{
	__atomic_fetch_add(&step, 1, __ATOMIC_SEQ_CST);
}

static void await(uint64_t value)
{
	expect("the other vCPU goes on", reaches(&step, value), true);
}

static void self_ipi(uint64_t vector)
{
	expect("self-IPI", write_register(SELF_IPI, vector), 0);
}

static void take_and_keep(uint64_t vector)
{
	mine()->way = NOT;
	self_ipi(vector);
	let_in();
}

static bool waits(uint8_t vector)
{
	return read_register(WORD(IRR, vector)) & BIT(vector);
}

static bool served(uint8_t vector)
{
	return read_register(WORD(ISR, vector)) & BIT(vector);
}

static void eoi(void)
{
	expect("EOI", write_register(EOI, 0), 0);
}

/* ---- What there is not ---- */

static void calls_not_there(void)
{
	static const uint64_t calls[] = { 5, 6, 0x7fffffff, 0x80000000, UINT32_MAX };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		expect("call", svsm_call(3ull << 32 | calls[i], 0, 0, 0), UNSUPPORTED_CALL);
}

static bool is_readable(uint64_t reg)
{
	return reg == ID || reg == TPR || reg == PPR || reg == LDR || reg == ICR ||
	       (reg >= ISR && reg < IRR + 8);
}

static void every_register(void)
{
	for (uint64_t reg = 0x800; reg < 0x900; reg++) {
		uint64_t want = is_readable(reg) ? 0 : INVALID_PARAMETER;

		expect("read", svsm_call(READ_REGISTER, reg, 0, 0), want);
		expect("read, bit 32", svsm_call(READ_REGISTER, reg | 1ull << 32, 0, 0),
		       INVALID_PARAMETER);
		expect("read, bit 63", svsm_call(READ_REGISTER, reg | 1ull << 63, 0, 0),
		       INVALID_PARAMETER);
	}
}

static void read_only(void)
{
	start();
	(void)write_register(TPR, 0x35);
	for (uint64_t reg = 0x800; reg < 0x900; reg++) {
		if (reg == TPR || reg == EOI || reg == ICR || reg == SELF_IPI)
			continue;
		expect("write", write_register(reg, 0xff), INVALID_PARAMETER);
	}
	expect("ID", read_register(ID), 0);
	expect("LDR", read_register(LDR), 1);
	expect("TPR", read_register(TPR), 0x35);
	expect("PPR", read_register(PPR), 0x35);
	for (uint64_t reg = ISR; reg < IRR + 8; reg++)
		expect("no bit of it", read_register(reg), 0);
}

static void reserved_values(void)
{
	start();
	for (unsigned int bit = 8; bit < 64; bit++) {
		expect("TPR", write_register(TPR, 1ull << bit), INVALID_PARAMETER);
		expect("self-IPI", write_register(SELF_IPI, 1ull << bit | 0x51), INVALID_PARAMETER);
		expect("EOI", write_register(EOI, 1ull << bit), INVALID_PARAMETER);
	}
	expect("TPR", read_register(TPR), 0);
	let_in();
	expect("nothing came", mine()->taken, 0);
}

/* APM volume 2, 16.5: what no mode of the ICR has, and what the modes that there are have not. */
static void reserved_of_icr(void)
{
	static const uint8_t bits[] = { 12, 13, 16, 17, 20, 21, 22, 23,
					24, 25, 26, 27, 28, 29, 30, 31 };
	static const uint8_t modes[] = { 1, 2, 3, 5, 6, 7 };

	start();
	expect("one that is right", write_register(ICR, SELF | 0x52), 0);
	for (size_t i = 0; i < sizeof(bits); i++)
		expect("a bit", write_register(ICR, SELF | 1ull << bits[i] | 0x51),
		       INVALID_PARAMETER);
	for (size_t i = 0; i < sizeof(modes); i++)
		expect("a mode", write_register(ICR, SELF | (uint64_t)modes[i] << 8 | 0x51),
		       INVALID_PARAMETER);
	for (uint64_t vector = 0; vector < FIRST; vector++) {
		expect("an exception", write_register(ICR, SELF | vector), INVALID_PARAMETER);
		expect("and to itself", write_register(SELF_IPI, vector), INVALID_PARAMETER);
	}
	expect("ICR is what it was", read_register(ICR), SELF | 0x52);
	let_in();
	expect("nothing but that came", mine()->taken, 1);
	expect("no NMI", count_of(0, 2), 0);
}

static void reserved_of_calls(void)
{
	static const uint64_t configure[] = { 3, 4, 0x100, 1ull << 32, 1ull << 32 | 2, UINT64_MAX };

	start();
	for (size_t i = 0; i < sizeof(configure) / sizeof(configure[0]); i++)
		expect("configure", svsm_call(CONFIGURE, configure[i], 0, 0), INVALID_PARAMETER);
	for (unsigned int bit = 10; bit < 64; bit++)
		expect("vector", svsm_call(CONFIGURE_VECTOR, 1ull << bit | 0x361, 0, 0),
		       INVALID_PARAMETER);
	for (uint64_t vector = 0; vector < FIRST; vector++)
		expect("an exception", svsm_call(CONFIGURE_VECTOR, 0x100 | vector, 0, 0),
		       INVALID_PARAMETER);
	for (uint64_t vector = 0; vector < VECTORS; vector++)
		host_raises(vector);
	let_in_from_host(0);
	expect("no vector is allowed", mine()->taken, 0);
	expect("the APIC is still there", read_register(ID), 0);
}

static void destinations_not_there(void)
{
	static const uint64_t nobody[] = { TO(CPUS_MAX),	  TO(0x100),
					   TO(0xfffffffe),	  LOGICAL | TO(0),
					   LOGICAL | TO(0x1ffff), LOGICAL | TO(0xfff0ffff) };

	start();
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		expect("fixed", write_register(ICR, nobody[i] | 0x51), 0);
		expect("NMI", write_register(ICR, nobody[i] | NMI), 0);
	}
	let_in();
	expect("no interrupt", mine()->taken, 0);
	expect("no NMI", count_of(0, 2), 0);
}

/* ---- Interrupts of the guest's own ---- */

/* APM volume 2, 16.5: the trigger mode means nothing to these, and the vector nothing to an NMI. */
static void trigger_mode(void)
{
	start();
	for (uint64_t bits = 0; bits < 4; bits++) {
		mine()->way = NOT;
		expect("ICR", write_register(ICR, SELF | bits << 14 | 0x51), 0);
		let_in();
		expect("TMR", read_register(WORD(TMR, 0x51)), 0);
		eoi();
	}
	expect("each came", count_of(0, 0x51), 4);
	for (uint64_t vector = 0; vector < VECTORS; vector += 51)
		expect("NMI", write_register(ICR, SELF | NMI | vector), 0);
	expect("NMIs", comes(0, 2, 6), true);
	expect("and nothing else", mine()->taken, 4);
}

static void every_vector(void)
{
	start();
	for (uint64_t vector = FIRST; vector < VECTORS; vector++)
		self_ipi(vector);
	for (unsigned int i = 0; i < VECTORS; i++)
		let_in();
	expect("all came", mine()->taken, VECTORS - FIRST);
	for (unsigned int i = 0; i < VECTORS - FIRST; i++)
		expect("from the highest on", mine()->last[i], VECTORS - 1 - i);
}

static void merged(void)
{
	start();
	for (unsigned int i = 0; i < 5; i++)
		self_ipi(0x51);
	let_in();
	let_in();
	expect("five that wait are one", mine()->taken, 1);
}

static void again_in_service(void)
{
	start();
	take_and_keep(0x51);
	self_ipi(0x51);
	self_ipi(0x51);
	expect("in service", served(0x51), true);
	expect("and waiting", waits(0x51), true);
	let_in();
	expect("not taken twice", count_of(0, 0x51), 1);
	eoi();
	let_in();
	expect("taken after EOI", count_of(0, 0x51), 2);
	eoi();
	let_in();
	expect("and no more", mine()->taken, 2);
}

static void nested(void)
{
	static const uint8_t vectors[] = { 0x41, 0x62, 0x83, 0xff };

	start();
	for (size_t i = 0; i < sizeof(vectors); i++)
		take_and_keep(vectors[i]);
	expect("all were taken", mine()->taken, sizeof(vectors));
	for (size_t i = sizeof(vectors); i-- > 0;) {
		expect("PPR is the highest one's", read_register(PPR), vectors[i] & 0xf0);
		expect("which is in service", served(vectors[i]), true);
		eoi();
		expect("until its end", served(vectors[i]), false);
	}
	expect("PPR", read_register(PPR), 0);
}

static void eois_of_nothing(void)
{
	start();
	for (unsigned int i = 0; i < 20; i++)
		eoi();
	take_and_keep(0x41);
	take_and_keep(0x61);
	eoi();
	expect("one EOI, one end", served(0x41), true);
	eoi();
	eoi();
	eoi();
	self_ipi(0x31);
	eoi();
	expect("what waits is not ended", waits(0x31), true);
	let_in();
	expect("and comes", count_of(0, 0x31), 1);
	eoi();
}

/* ---- In the middle of a delivery: it stands in the VMSA, and the CPU has not taken it ---- */

static void tpr_raised(void)
{
	start();
	self_ipi(0x51);
	expect("TPR", write_register(TPR, 0x5f), 0);
	let_in();
	expect("kept out", mine()->taken, 0);
	expect("it waits", waits(0x51), true);
	expect("TPR", write_register(TPR, 0x4f), 0);
	let_in();
	let_in();
	expect("once", mine()->taken, 1);
}

static void overtaken(void)
{
	start();
	self_ipi(0x51);
	self_ipi(0x91);
	self_ipi(0x71);
	expect("the first waits again", waits(0x51), true);
	let_in();
	let_in();
	let_in();
	expect("three", mine()->taken, 3);
	expect("the highest", mine()->last[0], 0x91);
	expect("the next", mine()->last[1], 0x71);
	expect("the first one sent", mine()->last[2], 0x51);
}

/* What waits already is not touched. */
static void forbidden_meanwhile(void)
{
	start();
	expect("allow", svsm_call(CONFIGURE_VECTOR, 0x161, 0, 0), 0);
	host_raises(DEVICE_VECTOR);
	for (unsigned int i = 0; i < PATIENCE && !waits(DEVICE_VECTOR); i++)
		cpu_relax();
	expect("it waits", waits(DEVICE_VECTOR), true);
	expect("forbid", svsm_call(CONFIGURE_VECTOR, DEVICE_VECTOR, 0, 0), 0);
	host_raises(DEVICE_VECTOR);
	let_in_from_host(1);
	expect("the one that waited comes", mine()->taken, 1);
}

static void area_moved(void)
{
	uint64_t old = cpu_this()->caa, new = page_new();
	uint8_t *before = no_eoi_required();

	start();
	take_and_keep(0x51);
	expect("a call", read_register(ID), 0);
	expect("offered", *before, 1);
	expect("REMAP_CA", svsm_call(CORE_REMAP_CA, new, 0, 0), 0);
	cpu_this()->caa = new;
	expect("not there any more", *before, 0);
	expect("but here", *no_eoi_required(), 1);
	expect("in service", served(0x51), true);
	*no_eoi_required() = 0;
	expect("ended here", served(0x51), false);
	expect("and back", svsm_call(CORE_REMAP_CA, old, 0, 0), 0);
	cpu_this()->caa = old;
	*(uint64_t *)new = 0;
}

/* ---- The flag ---- */

static void flag_of_nothing(void)
{
	start();
	take_and_keep(0x51);
	*no_eoi_required() = 0x7f;
	expect("not zero: not ended", served(0x51), true);
	eoi();
	take_and_keep(0x41);
	take_and_keep(0x61);
	expect("not offered for two", *no_eoi_required(), 0);
	*no_eoi_required() = 0;
	expect("so nothing is ended", served(0x61) && served(0x41), true);
	*no_eoi_required() = 1;
	expect("nor by a flag of its own", served(0x61) && served(0x41), true);
	*no_eoi_required() = 0;
	expect("either way", served(0x61) && served(0x41), true);
	eoi();
	eoi();
}

static void ended_twice(void)
{
	start();
	take_and_keep(0x51);
	expect("offered", *no_eoi_required(), 1);
	*no_eoi_required() = 0;
	self_ipi(0x41);
	eoi();
	expect("the second end is of nothing", waits(0x41), true);
	expect("ended", served(0x51), false);
	let_in();
	expect("it comes", count_of(0, 0x41), 1);
	eoi();
}

/* ---- CR8 ---- */

static void cr8_write(uint64_t class)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(class) : "memory");
}

static void classes(void)
{
	start();
	for (uint64_t class = 0; class < 16; class ++) {
		cr8_write(class);
		expect("TPR", read_register(TPR), class << 4);
		self_ipi(0x80);
		let_in();
		expect("what is above comes", count_of(0, 0x80), class < 8 ? class + 1 : 8);
		if (class < 8)
			expect("and has ended", served(0x80), false);
	}
	expect("it waits", waits(0x80), true);
	expect("TPR", write_register(TPR, 0x6a), 0);
	cr8_write(6);
	expect("the same class: TPR stays", read_register(TPR), 0x6a);
	let_in();
	expect("it came", count_of(0, 0x80), 9);
	cr8_write(0);
}

/* ---- NMIs ---- */

/* A call of a handler, which puts back what it may have interrupted. */
static void nmi_in_handler(void)
{
	uint64_t ghcb_msr = msr_read(SNP_MSR_GHCB);

	if (count_of(0, 2) != 1)
		return;
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("the next waits", count_of(0, 2), 1);
	msr_write(SNP_MSR_GHCB, ghcb_msr);
}

static void nmi_waits_for_iret(void)
{
	start();
	nmi_handler = nmi_in_handler;
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("two came", comes(0, 2, 2), true);
	expect("a call", read_register(ID), 0);
	expect("the second and the third were one", count_of(0, 2), 2);
}

static void nmi_of_interrupt(uint64_t vector)
{
	if (vector != 0x51)
		return;
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("within the handler", comes(cpu_this()->id, 2, 1), true);
	expect("EOI", write_register(EOI, 0), 0);
}

static void nmi_in_interrupt(void)
{
	start();
	apic_handler = nmi_of_interrupt;
	self_ipi(0x51);
	let_in();
	apic_handler = NULL;
	expect("the interrupt", count_of(0, 0x51), 1);
	expect("the NMI", count_of(0, 2), 1);
	expect("it has ended", served(0x51), false);
}

/* No call is made there, for the CPU may be in the middle of one. */
static void stay_in_handler(void)
{
	if (count_of(1, 2) != 1)
		return;
	next_step();
	(void)reaches(&step, 3);
}

static void take_nmis(void)
{
	next_step();
	await(4);
}

static void nmis_from_another(void)
{
	start();
	step = 0;
	nmi_handler = stay_in_handler;
	cpu_begin(1, take_nmis);
	await(1);
	expect("the first", write_register(ICR, TO(1) | NMI), 0);
	await(2); /* its handler runs */
	for (unsigned int i = 0; i < 5; i++)
		expect("more", write_register(ICR, TO(1) | NMI), 0);
	for (unsigned int i = 0; i < HOST_PATIENCE; i++)
		cpu_relax();
	expect("they wait for IRET", count_of(1, 2), 1);
	next_step();
	expect("and come", comes(1, 2, 2), true);
	for (unsigned int i = 0; i < HOST_PATIENCE; i++)
		cpu_relax();
	next_step();
	cpu_end(1);
	expect("as one", count_of(1, 2), 2);
}

/* ---- The host ---- */

static void pin_level(uint8_t pin_vector)
{
	pin_write(PIN_COM1, PIN_LEVEL | pin_vector);
	ghcb_out8(COM1 + 1, 2); /* transmitter empty: at once */
}

static void take_device(uint64_t count)
{
	for (unsigned int n = 0; n < PATIENCE && count_of(0, DEVICE_VECTOR) < count; n++)
		let_in();
	expect("the device's interrupt comes", count_of(0, DEVICE_VECTOR), count);
}

static void level_and_edge(void)
{
	start();
	expect("allow", svsm_call(CONFIGURE_VECTOR, 0x161, 0, 0), 0);
	mine()->way = NOT;
	mine()->device_off = true;
	pin_level(DEVICE_VECTOR);
	take_device(1);
	expect("TMR", read_register(WORD(TMR, DEVICE_VECTOR)), BIT(DEVICE_VECTOR));
	self_ipi(DEVICE_VECTOR);
	expect("an IPI of the same vector is an edge", read_register(WORD(TMR, DEVICE_VECTOR)), 0);
	eoi();
	let_in();
	expect("it comes, too", count_of(0, DEVICE_VECTOR), 2);
	eoi();
	ghcb_out8(COM1 + 1, 2);
	take_device(3);
	eoi();
	pin_write(PIN_COM1, PIN_MASKED);
}

/* A vector that is not allowed is gone, and its line stays closed: the host is told of no end. */
static void level_not_allowed(void)
{
	start();
	mine()->device_off = true;
	pin_level(DEVICE_VECTOR);
	let_in_from_host(0);
	expect("not allowed", mine()->taken, 0);
	ghcb_out8(COM1 + 1, 0);
	pin_write(PIN_COM1, PIN_MASKED);
}

/* ---- Several vCPUs ---- */

static void without_alternate(void)
{
	uint64_t page = vcpu_vmsa_new(1);

	((struct snp_vmsa *)page)->sev_features &= ~SNP_FEATURE_ALTERNATE_INJECTION;
	expect("CREATE_VCPU", vcpu_create(page, cpu_at(1)->caa, 1), INVALID_PARAMETER);
	expect("the page is a page", page_valid(page), true);
	for (size_t i = 0; i < 512; i++)
		((uint64_t *)page)[i] = 0;
}

static void leave_traces(void)
{
	expect("allow", svsm_call(CONFIGURE_VECTOR, 0x300, 0, 0), 0);
	expect("TPR", write_register(TPR, 0x40), 0);
	take_and_keep(0x91);
	self_ipi(0x51);
	expect("ICR", write_register(ICR, SELF | 0x52), 0);
}

static void look_for_traces(void)
{
	for (uint64_t reg = ISR; reg < IRR + 8; reg++)
		expect("nothing in service, nothing waits", read_register(reg), 0);
	expect("TPR", read_register(TPR), 0);
	expect("ICR", read_register(ICR), 0);
	load_gates();
	*mine() = (struct seen){ .way = BY_CALL };
	host_raises(0x61);
	let_in_from_host(0);
	expect("nothing of the host's is allowed", mine()->taken, 0);
}

static void made_anew(void)
{
	start();
	cpu_begin(1, leave_traces);
	cpu_end(1);
	vcpu_replace(1);
	cpu_begin(1, look_for_traces);
	cpu_end(1);
}

static void deleted(void)
{
	uint64_t vmsa = cpu_at(1)->vmsa, caa = cpu_at(1)->caa;

	start();
	expect("the host stops it", cpu_stop(1), true);
	expect("delete", vcpu_delete(vmsa), 0);
	expect("an IPI to nobody", write_register(ICR, TO(1) | 0x51), 0);
	expect("an NMI to nobody", write_register(ICR, TO(1) | NMI), 0);
	cpu_vmsa(vmsa, 1);
	expect("create", vcpu_create(vmsa, caa, 1), 0);
	expect("it runs", cpu_enter(1, vmsa, caa), true);
	cpu_begin(1, look_for_traces);
	cpu_end(1);
	expect("no NMI", count_of(1, 2), 0);
}

static void kept_out(void)
{
	expect("TPR", write_register(TPR, 0x60), 0);
	next_step();
	while (count_of(1, 0x71) == 0)
		halt();
	expect("what TPR keeps out has not come", count_of(1, 0x51), 0);
	expect("it waits", waits(0x51), true);
	expect("TPR", write_register(TPR, 0), 0);
	let_in();
	expect("and comes", count_of(1, 0x51), 1);
}

static void halted_below_tpr(void)
{
	start();
	step = 0;
	cpu_begin(1, kept_out);
	await(1);
	for (unsigned int i = 0; i < 5; i++)
		expect("an interrupt", write_register(ICR, TO(1) | 0x51), 0);
	expect("one of a higher class", write_register(ICR, TO(1) | 0x71), 0);
	cpu_end(1);
}

/* All at once: each has all that was for it, and each register write is its own APIC's. */
#define ROUNDS 20u

static void all_at_once_here(void)
{
	unsigned int id = cpu_this()->id;
	uint8_t vector = (uint8_t)(0xa0 + id);

	next_step();
	await(places.cpus);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		expect("TPR", write_register(TPR, id << 4 | i), 0);
		expect("to all others", write_register(ICR, OTHERS | vector), 0);
		expect("TPR", read_register(TPR), id << 4 | i);
		expect("ICR", read_register(ICR), OTHERS | vector);
		let_in();
	}
	next_step();
	await(2 * places.cpus);
	let_in();
	for (unsigned int i = 0; i < places.cpus; i++)
		expect("of each other one", count_of(id, (uint8_t)(0xa0 + i)) != 0, i != id);
	expect("ID", read_register(ID), id);
}

static void all_at_once(void)
{
	start();
	step = 0;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, all_at_once_here);
	all_at_once_here();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
}

/* ---- The way back: the last rule ---- */

static uint64_t host_register(uint32_t msr)
{
	uint64_t value = 0;

	(void)ghcb_msr_read(msr, &value);
	return value;
}

/* In the handler of an NMI, with another one waiting. */
static void hand_over_in_handler(void)
{
	uint64_t ghcb_msr = msr_read(SNP_MSR_GHCB);

	if (count_of(0, 2) != 1)
		return;
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	expect("one more", svsm_call(CONFIGURE, 2, 0, 0), 0);
	expect("one less", svsm_call(CONFIGURE, 1, 0, 0), 0);
	expect("still there", read_register(ID), 0);
	expect("the last", svsm_call(CONFIGURE, 1, 0, 0), 0);
	expect("deregister twice", svsm_call(CONFIGURE, 1, 0, 0), UNSUPPORTED_PROTOCOL);
	msr_write(SNP_MSR_GHCB, ghcb_msr);
}

static void has_state_of_ours(void)
{
	static const uint8_t waiting[] = { 31, 0x41, 0x7f, 0x81, 0xff };

	for (unsigned int i = 0; i < sizeof(waiting); i++)
		expect("IRR", host_register(WORD(IRR, waiting[i])) & BIT(waiting[i]),
		       BIT(waiting[i]));
	expect("ISR", host_register(WORD(ISR, DEVICE_VECTOR)), BIT(DEVICE_VECTOR));
	expect("ISR", host_register(WORD(ISR, 0x91)), BIT(0x91));
	expect("TMR", host_register(WORD(TMR, DEVICE_VECTOR)), BIT(DEVICE_VECTOR));
	expect("TPR", host_register(TPR), 0x25);
	expect("PPR", host_register(PPR), 0x90);
	expect("the NMI that waited", comes(0, 2, 2), true);
	(void)ghcb_exit(0x80000003, 0, 0); /* NMI complete */
}

static void goes_on_at_host(void)
{
	static const uint8_t order[] = { 0xff, 0x81, 0x7f, 0x41, 31 };

	mine()->taken = 0;
	(void)ghcb_msr_write(TPR, 0);
	for (unsigned int i = 0; i < sizeof(order); i++) {
		if (order[i] == 0x81) /* of a class below 0x91 */
			(void)ghcb_msr_write(EOI, 0);
		if (order[i] == 0x41) /* of a class below the device's */
			(void)ghcb_msr_write(EOI, 0);
		let_in();
		expect("it comes", mine()->last[i], order[i]);
		(void)ghcb_msr_write(EOI, 0);
	}
	expect("and no more", mine()->taken, sizeof(order));
	expect("nothing in service", host_register(PPR), 0);
	mine()->taken = 0;
	ghcb_out8(COM1 + 1, 2);
	take_device(2);
	(void)ghcb_msr_write(EOI, 0);
}

/* This vCPU's APIC is still Socle's, and that of CPU 0 is not. */
static void not_yet(void)
{
	expect("too late", svsm_call(CONFIGURE, 2, 0, 0), CANNOT_REGISTER);
	self_ipi(0x51);
	let_in();
	expect("it works as before", count_of(cpu_this()->id, 0x51), 1);
	expect("an IPI to it", write_register(ICR, TO(0) | 0x51), INVALID_REQUEST);
	expect("an NMI to it", write_register(ICR, TO(0) | NMI), INVALID_REQUEST);
	expect("to all", write_register(ICR, ALL | 0x51), INVALID_REQUEST);
	let_in();
	expect("the others have it", count_of(cpu_this()->id, 0x51), 2);
	expect("deregister: none is left", svsm_call(CONFIGURE, 1, 0, 0), 0);
	expect("it is gone", svsm_call(READ_REGISTER, ID, 0, 0), UNSUPPORTED_PROTOCOL);
	expect("the host's", host_register(ID), cpu_this()->id);
	(void)ghcb_msr_write(ICR, TO(0) | 0x52);
}

static void whole_state(void)
{
	start();
	expect("allow", svsm_call(CONFIGURE_VECTOR, 0x161, 0, 0), 0);
	mine()->device_off = true;
	mine()->way = NOT;
	pin_level(DEVICE_VECTOR);
	take_device(1);
	take_and_keep(0x91);
	expect("TPR", write_register(TPR, 0x25), 0);
	self_ipi(31);
	self_ipi(0x41);
	self_ipi(0x7f);
	self_ipi(0x81);
	self_ipi(0xff);
	nmi_handler = hand_over_in_handler;
	expect("ICR", write_register(ICR, SELF | NMI), 0);
	has_state_of_ours();
	goes_on_at_host();
	for (unsigned int i = 1; i < places.cpus; i++) {
		cpu_begin(i, not_yet);
		cpu_end(i);
		let_in();
		expect("by the host's APICs", count_of(0, 0x52), i);
		(void)ghcb_msr_write(EOI, 0);
	}
}

#define SPEC "58019, APIC protocol"
#define REGISTERS "APM volume 2, 16.6"

const struct rule rules[] = {
	{ "calls that are not there", SPEC, calls_not_there, 1 },
	{ "every register, read", SPEC, every_register, 1 },
	{ "registers that are only read", SPEC, read_only, 1 },
	{ "reserved bits of TPR, EOI and self-IPI", SPEC, reserved_values, 1 },
	{ "reserved bits and modes of the ICR", SPEC, reserved_of_icr, 1 },
	{ "reserved bits of the calls", SPEC, reserved_of_calls, 1 },
	{ "destinations that are not there", "APM volume 2, 16.13", destinations_not_there, 1 },
	{ "trigger mode, and vector of an NMI", "APM volume 2, 16.5", trigger_mode, 1 },
	{ "every vector, waiting at once", REGISTERS, every_vector, 1 },
	{ "one that waits already", REGISTERS, merged, 1 },
	{ "one that is in service", REGISTERS, again_in_service, 1 },
	{ "one within the other", REGISTERS, nested, 1 },
	{ "ends of nothing", REGISTERS, eois_of_nothing, 1 },
	{ "TPR raised in the middle of a delivery", REGISTERS, tpr_raised, 1 },
	{ "a higher one in the middle of a delivery", REGISTERS, overtaken, 1 },
	{ "a vector forbidden while one waits", SPEC, forbidden_meanwhile, 1 },
	{ "a calling area that moves with the flag", "58019, calling area", area_moved, 1 },
	{ "the flag where it was not offered", "58019, calling area", flag_of_nothing, 1 },
	{ "an end by flag and by call", "58019, calling area", ended_twice, 1 },
	{ "CR8 and TPR, each class", REGISTERS, classes, 1 },
	{ "an NMI in the handler of an NMI", "APM volume 2, 15.21.10", nmi_waits_for_iret, 1 },
	{ "an NMI in the handler of an interrupt", "APM volume 2, 8.2.3", nmi_in_interrupt, 1 },
	{ "an IPI of a level-triggered vector", REGISTERS, level_and_edge, 1 },
	{ "a level-triggered one that is not allowed", SPEC, level_not_allowed, 1 },
	{ "NMIs of another vCPU in the handler of an NMI", "APM volume 2, 15.21.10",
	  nmis_from_another, 2 },
	{ "a VMSA without alternate injection", SPEC, without_alternate, 2 },
	{ "a vCPU that is made anew", SPEC, made_anew, 2 },
	{ "IPIs to a vCPU that is deleted", SPEC, deleted, 2 },
	{ "a vCPU that halts with a high TPR", REGISTERS, halted_below_tpr, 2 },
	{ "all vCPUs at once", SPEC, all_at_once, 2 },
	{ "the APIC goes to the host with all that it has", SPEC, whole_state, 1 },
	{ 0 },
};
