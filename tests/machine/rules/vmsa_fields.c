/* SPDX-License-Identifier: MIT */
/*
 * Registers that belong to a level: VMRUN takes them from its VMSA, and they are there again when
 * the level has stopped (APM volume 2, 15.35.8 and table B-4, which has the offsets).
 */
#include "tests/machine/rules/families.h"

#define SECTION "APM volume 2, table B-4"

struct field {
	uint64_t offset, size;
	uint64_t loaded, stored; /* two values that the register takes */
	uint64_t (*read)(uint64_t unused);
	uint64_t (*write)(uint64_t value);
	uint32_t msr;
};

static uint64_t read_cr2(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static uint64_t write_cr2(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(value));
	return 0;
}

static uint64_t read_cr4(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static uint64_t write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
	return 0;
}

static uint64_t read_fs(uint64_t unused)
{
	uint16_t value;

	(void)unused;
	__asm__ volatile("mov %%fs, %0" : "=r"(value));
	return value;
}

static uint64_t write_fs(uint64_t value)
{
	__asm__ volatile("mov %0, %%fs" : : "r"((uint16_t)value));
	return 0;
}

enum {
	STAR,
	LSTAR,
	CSTAR,
	SFMASK,
	KERNEL_GS,
	FS_BASE,
	GS_BASE,
	SYSENTER_CS,
	SYSENTER_ESP,
	SYSENTER_EIP,
	PAT,
	CR2,
	CR4,
	FS,
	FIELDS,
};

static const struct field fields[FIELDS] = {
	[STAR] = { 0x200, 8, 0x0023001000000000, 0x0033002000000000, NULL, NULL, 0xc0000081 },
	[LSTAR] = { 0x208, 8, 0x123456789000, 0xffff800012345000, NULL, NULL, 0xc0000082 },
	[CSTAR] = { 0x210, 8, 0x123456781000, 0xffff800012341000, NULL, NULL, 0xc0000083 },
	[SFMASK] = { 0x218, 8, 0x47700, 0x3f7fd5, NULL, NULL, 0xc0000084 },
	[KERNEL_GS] = { 0x220, 8, 0x123456782000, 0xffff800012342000, NULL, NULL, 0xc0000102 },
	[FS_BASE] = { 0x48, 8, 0x123456783000, 0xffff800012343000, NULL, NULL, 0xc0000100 },
	[GS_BASE] = { 0x58, 8, 0x123456784000, 0xffff800012344000, NULL, NULL, 0xc0000101 },
	[SYSENTER_CS] = { 0x228, 8, 0x1230, 0x4568, NULL, NULL, 0x174 },
	[SYSENTER_ESP] = { 0x230, 8, 0x123456785000, 0xffff800012345800, NULL, NULL, 0x175 },
	[SYSENTER_EIP] = { 0x238, 8, 0x123456786000, 0xffff800012346000, NULL, NULL, 0x176 },
	[PAT] = { 0x268, 8, 0x0007010600070106, 0x0007040600070406, NULL, NULL, 0x277 },
	[CR2] = { 0x240, 8, 0x123456787000, 0xffff800012347000, read_cr2, write_cr2, 0 },
	[CR4] = { 0x148, 8, 0x624, 0x628, read_cr4, write_cr4, 0 }, /* TSD, DE */
	[FS] = { 0x40, 2, 0x13, 0x18, read_fs, write_fs, 0 },
};

static uint64_t read_register(uint64_t index)
{
	const struct field *f = &fields[index];

	return f->read ? f->read(0) : msr_read(f->msr);
}

static uint64_t write_register(uint64_t index)
{
	const struct field *f = &fields[index];

	if (f->write)
		return f->write(f->stored);
	msr_write(f->msr, f->stored);
	return 0;
}

static volatile void *place(const struct field *f, unsigned int vmpl)
{
	return (volatile uint8_t *)actor_vmsa(0, vmpl) + f->offset;
}

static uint64_t in_vmsa(const struct field *f, unsigned int vmpl)
{
	return f->size == 2 ? *(volatile uint16_t *)place(f, vmpl)
			    : *(volatile uint64_t *)place(f, vmpl);
}

static void put_in_vmsa(const struct field *f, unsigned int vmpl, uint64_t value)
{
	if (f->size == 2)
		*(volatile uint16_t *)place(f, vmpl) = (uint16_t)value;
	else
		*(volatile uint64_t *)place(f, vmpl) = value;
}

/* Differences from what the level must see, and then from what its VMSA must hold. */
static uint64_t kept(const struct rule_case *c)
{
	const struct field *f = &fields[c->rule->arg];
	uint64_t before = in_vmsa(f, c->vmpl), wrong;

	put_in_vmsa(f, c->vmpl, f->loaded);
	wrong = act(0, c->vmpl, read_register, c->rule->arg) ^ f->loaded;
	if (wrong == 0)
		wrong = act(0, c->vmpl, write_register, c->rule->arg);
	if (wrong == 0)
		wrong = in_vmsa(f, c->vmpl) ^ f->stored;
	put_in_vmsa(f, c->vmpl, before);
	return wrong;
}

/* What VMPL0 has in the same register meanwhile. */
static uint64_t apart(const struct rule_case *c)
{
	uint64_t before = read_register(c->rule->arg);
	const struct field *f = &fields[c->rule->arg];
	uint64_t in_lower = in_vmsa(f, c->vmpl), wrong;

	wrong = act(0, c->vmpl, write_register, c->rule->arg);
	wrong |= read_register(c->rule->arg) ^ before;
	put_in_vmsa(f, c->vmpl, in_lower);
	return wrong;
}

static const struct rule rules[] = {
	{ "STAR", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, kept, STAR, 0 },
	{ "LSTAR", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, kept, LSTAR, 0 },
	{ "CSTAR", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, CSTAR, 0 },
	{ "SFMASK", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, SFMASK, 0 },
	{ "KERNEL_GS_BASE", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, kept, KERNEL_GS, 0 },
	{ "base of FS", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, FS_BASE, 0 },
	{ "base of GS", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, kept, GS_BASE, 0 },
	{ "SYSENTER_CS", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, SYSENTER_CS, 0 },
	{ "SYSENTER_ESP", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, SYSENTER_ESP, 0 },
	{ "SYSENTER_EIP", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, SYSENTER_EIP, 0 },
	{ "PAT", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, PAT, 0 },
	{ "CR2", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, kept, CR2, 0 },
	{ "CR4", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, CR4, 0 },
	{ "selector of FS", SECTION, RULE_CPU, LEVEL(2), 1, 0, kept, FS, 0 },
	{ "VMPL0 keeps its LSTAR", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, apart, LSTAR, 0 },
	{ "VMPL0 keeps its CR2", SECTION, RULE_CPU, LEVEL(2), 1, 0, apart, CR2, 0 },
	{ "VMPL0 keeps its PAT", SECTION, RULE_CPU, LEVEL(2), 1, 0, apart, PAT, 0 },
};

const struct rule_family vmsa_kept = { "registers of a level", rules, RULE_COUNT(rules), 0, 0 };
