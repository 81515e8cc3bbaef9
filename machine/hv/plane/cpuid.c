/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/cpuid.h"

#include "machine/hv/plane/cpuid_rules.h"

/*
 * Leaf 0xD only where it is asked for: QEMU has neither XSAVEC nor XSAVES, without which an SNP
 * guest that sees XSAVE gives up, and the hypervisor takes its time for them (insn/xsave.c). Where
 * it is hidden, so is everything that needs XSAVE.
 */
#define LEAF_STANDARD_MAX 0xcu
#define LEAF_EXTENDED_MAX 0x8000001fu
#define LEAF_EXTENDED_STATE 0xdu
#define PHYSICAL_BITS 48u
#define PHYSICAL_BITS_LOST 1u /* to the C-bit */

/*
 * Leaf 1 ECX: MONITOR, VMX, SMX, EST, TM2, FMA, CMPXCHG16B, xTPR, PDCM, PCID, DCA, TSC deadline,
 * XSAVE, OSXSAVE, AVX, F16C.
 */
#define F1_ECX_HIDDEN                                                                       \
	(1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 12 | 1u << 13 | 1u << 14 | \
	 1u << 15 | 1u << 17 | 1u << 18 | 1u << 24 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29)
#define FLAG_VM (1u << 17)
#define F1_ECX_CMPXCHG16B (1u << 13)
#define F1_ECX_XSAVE (1u << 26)
#define F1_ECX_OF_AVX (1u << 12 | 1u << 28 | 1u << 29) /* FMA, AVX, F16C */
#define F7_EBX_AVX2 (1u << 5)
#define FD_EAX_OFFERED (1u << 0 | 1u << 1 | 1u << 3) /* XSAVEOPT, XSAVEC, XSAVES */
#define F1_ECX_X2APIC (1u << 21)
#define F1_ECX_HYPERVISOR (1u << 31)
#define F1_EDX_APIC (1u << 9)
#define F1_EDX_HTT (1u << 28)
/* Leaf 7 EBX kept: FSGSBASE, BMI1, SMEP, BMI2, ERMS, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB, SHA. */
#define F7_EBX_KEPT                                                                         \
	(1u << 0 | 1u << 3 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 18 | 1u << 19 | 1u << 20 | \
	 1u << 23 | 1u << 24 | 1u << 29)
#define F7_ECX_KEPT (1u << 2 | 1u << 22) /* UMIP, RDPID */
#define F7_EDX_KEPT (1u << 4)		 /* fast short REP MOV */
/* Linux, Documentation/virt/kvm/x86/cpuid.rst. */
#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_KVM_FEATURES 0x40000001u
#define KVM_FEATURE_NO_IO_DELAY (1u << 1)
#define KVM_FEATURE_CLOCK (1u << 3)
#define KVM_FEATURE_PV_EOI (1u << 6)
#define KVM_FEATURE_CLOCK_STABLE (1u << 24)
#define F6_EAX_ARAT (1u << 2)
/* Leaf 0x80000001 ECX: SVM, IBS, XOP, SKINIT, WDT, LWP, FMA4, TCE, NodeId, TBM, performance
 * counters, OSVW, DBX, MWAITX. */
#define E1_ECX_HIDDEN                                                                            \
	(1u << 2 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 16 |   \
	 1u << 17 | 1u << 19 | 1u << 21 | 1u << 23 | 1u << 24 | 1u << 26 | 1u << 27 | 1u << 28 | \
	 1u << 29)
#define E7_EDX_INVARIANT_TSC (1u << 8)
#define E8_EBX_KEPT (1u << 0 | 1u << 9)	    /* CLZERO, WBNOINVD */
#define E8_EBX_INVLPGB (1u << 3 | 1u << 21) /* and that it reaches nested translations */

#define SEV_EAX_SEV (1u << 1)
#define SEV_EAX_ES (1u << 3)
#define SEV_EAX_SNP (1u << 4)
#define SEV_EAX_VMPL (1u << 5)
#define SEV_EAX_RMPQUERY (1u << 6)
#define SEV_EBX_LOST_SHIFT 6
#define SEV_EBX_VMPLS_SHIFT 12
#define SEV_EBX_COHERENT (1u << 31) /* no cache line eviction needed at page state changes */

/*
 * QEMU 7.2 computes RFLAGS by the last operation that it wrote down, POPFQ, from the operands of
 * the one before, ADD: its first operand shows up as flags.
 */
bool cpuid_cmpxchg16b_right(void)
{
	uint64_t pair[2] __attribute__((aligned(16))) = { 1, 2 };
	uint64_t flags, operand = FLAG_VM, sum = 0, low = 0, high = 0;

	__asm__ volatile("pushfq; popfq; addq %4, %3; lock cmpxchg16b %5; pushfq; popq %0"
			 : "=&r"(flags), "+a"(low), "+d"(high), "+r"(sum)
			 : "r"(operand), "m"(pair), "b"(0ull), "c"(0ull)
			 : "cc", "memory");
	return !(flags & FLAG_VM);
}

/* Bits of an APIC id that number the cores of a package of cpus. */
static uint32_t core_bits(unsigned int cpus)
{
	uint32_t bits = 0;

	while (1u << bits < cpus)
		bits++;
	return bits;
}

/* Bits of leaf 1, ECX, that are hidden on this machine only. */
static uint32_t shown_1(const struct cpuid_machine *machine)
{
	uint32_t shown = machine->cmpxchg16b ? F1_ECX_CMPXCHG16B : 0;

	if (machine->xfeatures)
		shown |= F1_ECX_XSAVE;
	if (machine->xfeatures & XSTATE_AVX)
		shown |= F1_ECX_OF_AVX;
	return shown;
}

static void filter_1(struct x86_cpuid *r, uint32_t apic_id, const struct cpuid_machine *machine)
{
	unsigned int cpus = machine->cpus;

	r->ebx = (r->ebx & 0xffff) | apic_id << 24 | cpus << 16;
	r->ecx = (r->ecx & ~(F1_ECX_HIDDEN & ~shown_1(machine))) | F1_ECX_X2APIC |
		 F1_ECX_HYPERVISOR;
	r->edx |= F1_EDX_APIC;
	r->edx &= ~F1_EDX_HTT;
	if (cpus > 1)
		r->edx |= F1_EDX_HTT;
}

static void filter_7(struct x86_cpuid *r, uint32_t subleaf, const struct cpuid_machine *machine)
{
	if (subleaf != 0) {
		*r = (struct x86_cpuid){ 0 };
		return;
	}
	r->eax = 0;
	r->ebx &= F7_EBX_KEPT | (machine->xfeatures & XSTATE_AVX ? F7_EBX_AVX2 : 0);
	r->ecx &= F7_ECX_KEPT;
	r->edx &= F7_EDX_KEPT;
}

/* One thread for each core, one package. */
static void filter_b(struct x86_cpuid *r, uint32_t subleaf, uint32_t apic_id, unsigned int cpus)
{
	*r = (struct x86_cpuid){ .ecx = subleaf & 0xff, .edx = apic_id };
	if (subleaf == 0) {
		r->ebx = 1;
		r->ecx |= 1u << 8;
	} else if (subleaf == 1) {
		r->eax = core_bits(cpus);
		r->ebx = cpus;
		r->ecx |= 2u << 8;
	}
}

static uint32_t area_size(uint64_t xcr0)
{
	return xcr0 & XSTATE_AVX ? XSTATE_SIZE_MAX : XSTATE_AVX_OFFSET;
}

/* Extended state: sizes for XCR0 as it is, and with all that there is (APM volume 3, E.3.9). */
static void filter_d(struct x86_cpuid *r, uint32_t subleaf, const struct cpuid_machine *machine)
{
	*r = (struct x86_cpuid){ 0 };
	if (subleaf == 0)
		*r = (struct x86_cpuid){ .eax = (uint32_t)machine->xfeatures,
					 .ebx = area_size(machine->xcr0),
					 .ecx = area_size(machine->xfeatures) };
	else if (subleaf == 1)
		*r = (struct x86_cpuid){ .eax = FD_EAX_OFFERED, .ebx = area_size(machine->xcr0) };
	else if (subleaf == 2 && (machine->xfeatures & XSTATE_AVX))
		*r = (struct x86_cpuid){ .eax = XSTATE_AVX_SIZE, .ebx = XSTATE_AVX_OFFSET };
}

static void filter_sev(struct x86_cpuid *r)
{
	*r = (struct x86_cpuid){
		.eax = SEV_EAX_SEV | SEV_EAX_ES | SEV_EAX_SNP | SEV_EAX_VMPL | SEV_EAX_RMPQUERY,
		.ebx = MACHINE_C_BIT | PHYSICAL_BITS_LOST << SEV_EBX_LOST_SHIFT |
		       SNP_VMPL_COUNT << SEV_EBX_VMPLS_SHIFT | SEV_EBX_COHERENT,
	};
}

static uint32_t standard_max(const struct cpuid_machine *machine)
{
	return machine->xfeatures ? LEAF_EXTENDED_STATE : LEAF_STANDARD_MAX;
}

static void filter_standard(struct x86_cpuid *r, uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
			    const struct cpuid_machine *machine)
{
	switch (leaf) {
	case 0:
		r->eax = standard_max(machine);
		return;
	case 1:
		filter_1(r, apic_id, machine);
		return;
	case 2:
	case 4:
		return;
	case 6:
		*r = (struct x86_cpuid){ .eax = r->eax & F6_EAX_ARAT };
		return;
	case 7:
		filter_7(r, subleaf, machine);
		return;
	case 0xb:
		filter_b(r, subleaf, apic_id, machine->cpus);
		return;
	case LEAF_EXTENDED_STATE:
		filter_d(r, subleaf, machine);
		return;
	default:
		*r = (struct x86_cpuid){ 0 };
	}
}

static void filter_8(struct x86_cpuid *r, const struct cpuid_machine *machine)
{
	r->eax = (r->eax & 0xff00) | PHYSICAL_BITS;
	r->ebx &= E8_EBX_KEPT;
	r->ecx = (machine->cpus - 1) | core_bits(machine->cpus) << 12;
	r->edx = 0;
	if (!machine->invlpgb)
		return;
	r->ebx |= E8_EBX_INVLPGB;
	r->edx = machine->invlpgb_count;
}

/*
 * Secure TSC runs at one rate, GUEST_TSC_FREQ, for the guest's whole life (APM volume 2, "Secure
 * TSC"), and it shows: a Linux whose TSC may vary prefers the host's clock (kvmclock_init()).
 */
static void filter_power(struct x86_cpuid *r, const struct cpuid_machine *machine)
{
	uint32_t invariant = machine->secure_tsc ? E7_EDX_INVARIANT_TSC : 0;

	*r = (struct x86_cpuid){ .edx = (r->edx & E7_EDX_INVARIANT_TSC) | invariant };
}

static void filter_extended(struct x86_cpuid *r, uint32_t leaf, uint32_t apic_id,
			    const struct cpuid_machine *machine)
{
	switch (leaf) {
	case 0x80000000:
		r->eax = LEAF_EXTENDED_MAX;
		return;
	case 0x80000001:
		r->ecx &= ~E1_ECX_HIDDEN;
		return;
	case 0x80000002 ... 0x80000004: /* processor name */
	case 0x80000005 ... 0x80000006: /* caches and TLBs */
	case 0x80000019:
	case 0x8000001d:
		return;
	case 0x80000007:
		filter_power(r, machine);
		return;
	case 0x80000008:
		filter_8(r, machine);
		return;
	case 0x8000001e:
		*r = (struct x86_cpuid){ .eax = apic_id, .ebx = apic_id };
		return;
	case 0x8000001f:
		filter_sev(r);
		return;
	default:
		*r = (struct x86_cpuid){ 0 };
	}
}

/*
 * What KVM says of itself, with a clock for its guests, perhaps the end of interrupts in memory,
 * and no more.
 */
static struct x86_cpuid hypervisor_leaf(uint32_t leaf, const struct cpuid_machine *machine)
{
	if (leaf == LEAF_HYPERVISOR)
		return (struct x86_cpuid){ .eax = LEAF_KVM_FEATURES,
					   .ebx = 0x4b4d564b, /* "KVMKVMKVM" */
					   .ecx = 0x564b4d56,
					   .edx = 0x0000004d };
	return (struct x86_cpuid){ .eax = KVM_FEATURE_NO_IO_DELAY | KVM_FEATURE_CLOCK |
					  KVM_FEATURE_CLOCK_STABLE |
					  (machine->kvm_eoi ? KVM_FEATURE_PV_EOI : 0) };
}

static bool is_hypervisor_leaf(uint32_t leaf)
{
	return leaf == LEAF_HYPERVISOR || leaf == LEAF_KVM_FEATURES;
}

void cpuid_filter(struct x86_cpuid *raw, uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
		  const struct cpuid_machine *machine)
{
	if (leaf <= standard_max(machine))
		filter_standard(raw, leaf, subleaf, apic_id, machine);
	else if (leaf >= 0x80000000 && leaf <= LEAF_EXTENDED_MAX)
		filter_extended(raw, leaf, apic_id, machine);
	else if (machine->kvm_clock && is_hypervisor_leaf(leaf))
		*raw = hypervisor_leaf(leaf, machine);
	else
		*raw = (struct x86_cpuid){ 0 };
}

struct x86_cpuid cpuid_answer(uint32_t leaf, uint32_t subleaf, uint32_t apic_id,
			      const struct cpuid_machine *machine)
{
	struct x86_cpuid r = x86_cpuid(leaf, subleaf);

	cpuid_filter(&r, leaf, subleaf, apic_id, machine);
	return r;
}

/* Leaves of the page; the others read zero by the rules of the SNP firmware ABI. */
static const struct {
	uint32_t leaf, subleaf;
} listed[] = {
	{ 0x0, 0 },
	{ 0x1, 0 },
	{ 0x2, 0 },
	{ 0x4, 0 },
	{ 0x5, 0 },
	{ 0x6, 0 },
	{ 0x7, 0 },
	{ 0xb, 0 },
	{ 0xb, 1 },
	{ 0xb, 2 },
	{ 0x80000000, 0 },
	{ 0x80000001, 0 },
	{ 0x80000002, 0 },
	{ 0x80000003, 0 },
	{ 0x80000004, 0 },
	{ 0x80000005, 0 },
	{ 0x80000006, 0 },
	{ 0x80000007, 0 },
	{ 0x80000008, 0 },
	{ 0x8000000a, 0 },
	{ 0x80000019, 0 },
	{ 0x8000001a, 0 },
	{ 0x8000001d, 0 },
	{ 0x8000001d, 1 },
	{ 0x8000001d, 2 },
	{ 0x8000001d, 3 },
	{ 0x8000001d, 4 },
	{ 0x8000001e, 0 },
	{ 0x8000001f, 0 },
	{ 0xd, 0 },
	{ 0xd, 1 },
	{ 0xd, 2 },
	{ LEAF_HYPERVISOR, 0 },
	{ LEAF_KVM_FEATURES, 0 },
};

/*
 * The state that the first two leaves of extended state are about, as QEMU fills the page on KVM:
 * x87 alone. Linux takes no other entry there (snp_cpuid_get_validated_func()), adds the rest
 * itself, and ends where it finds none.
 */
static uint64_t xcr0_of(uint32_t leaf, uint32_t subleaf)
{
	return leaf == LEAF_EXTENDED_STATE && subleaf < 2 ? XSTATE_X87 : 0;
}

static void list_leaves(struct snp_cpuid_page *page, bool extended_state,
			const struct cpuid_machine *machine)
{
	for (unsigned int i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		bool about_state = listed[i].leaf == LEAF_EXTENDED_STATE;

		if (about_state ? !machine->xfeatures : extended_state)
			continue;
		if (is_hypervisor_leaf(listed[i].leaf) && !machine->kvm_clock)
			continue;
		page->entries[page->count++] = (struct snp_cpuid_entry){
			.eax_in = listed[i].leaf,
			.ecx_in = listed[i].subleaf,
			.xcr0_in = xcr0_of(listed[i].leaf, listed[i].subleaf),
		};
	}
}

/* The host fills what has no values; the AMD-SP judges all. */
static bool fill_entry(struct snp_cpuid_entry *entry, const struct cpuid_machine *machine,
		       unsigned int *bad)
{
	struct cpuid_machine as_entry = *machine;
	struct x86_cpuid r;

	as_entry.xcr0 = entry->xcr0_in;
	r = cpuid_answer(entry->eax_in, entry->ecx_in, 0, &as_entry);

	if (entry->eax | entry->ebx | entry->ecx | entry->edx)
		return cpuid_rules_take(entry, &r, bad);
	entry->eax = r.eax;
	entry->ebx = r.ebx;
	entry->ecx = r.ecx;
	entry->edx = r.edx;
	*bad = CPUID_RULES_RESERVED;
	return entry->reserved == 0;
}

bool cpuid_fill_page(struct snp_cpuid_page *page, bool extended_state,
		     const struct cpuid_machine *machine, struct cpuid_refusal *refusal)
{
	refusal->entry = MAILBOX_CPUID_HEADER;
	if (page->count > SNP_CPUID_MAX_ENTRIES || page->reserved_004 != 0 ||
	    page->reserved_008 != 0)
		return false;
	if (page->count == 0)
		list_leaves(page, extended_state, machine);
	for (refusal->entry = 0; refusal->entry < page->count; refusal->entry++) {
		if (!fill_entry(&page->entries[refusal->entry], machine, &refusal->reg))
			return false;
	}
	return true;
}
