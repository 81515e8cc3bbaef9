/* SPDX-License-Identifier: MIT */
#include "machine/host/launch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/host/digest.h"
#include "core/image/host_check.h"
#include "machine/host/id_block.h"
#include "machine/host/launch_pages.h"
#include "machine/host/parameters.h"

#define LEAF_EXTENDED_STATE 0xdu

struct check {
	const struct launch_machine *machine;
	unsigned int vmsa_count;
	bool has_firmware;
	struct host_error *error;
};

static const char *directive_name(const struct igvm_directive *d)
{
	const char *name = igvm_type_name(d->type);

	return name ? name : "directive";
}

__attribute__((format(printf, 3, 4))) static bool
refuse(struct check *c, const struct igvm_directive *d, const char *format, ...)
{
	char what[128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return host_fail(c->error, "%s at gPA 0x%" PRIx64 " %s, header at file offset %" PRIu64,
			 directive_name(d), igvm_directive_gpa(d), what, d->header_offset);
}

/* Whether something is put into the range, rather than only wanted to be RAM. */
static bool is_loaded(const struct igvm_directive *d)
{
	return d->type == IGVM_TYPE_PAGE_DATA || d->type == IGVM_TYPE_VP_CONTEXT ||
	       d->type == IGVM_TYPE_PARAMETER_INSERT || d->type == IGVM_TYPE_ERROR_RANGE;
}

static bool check_range(struct check *c, const struct igvm_directive *d)
{
	uint64_t gpa = igvm_directive_gpa(d);

	if (d->type == IGVM_TYPE_VP_CONTEXT && gpa == IGVM_HELD_VMSA_GPA)
		return true;
	if (!launch_in_ram(gpa, d->size, c->machine->ram_size) && !launch_in_flash(gpa, d->size) &&
	    !launch_in_extra(gpa, d->size))
		return refuse(c, d, "lies outside the machine's RAM");
	if (is_loaded(d) && launch_in_video_memory(gpa, d->size))
		return refuse(c, d, "lies where a PC has video memory");
	return true;
}

static bool check_vmsa(struct check *c, const struct igvm_directive *d)
{
	struct snp_vmsa vmsa;

	c->vmsa_count++;
	if (d->vp_context.vp_index >= c->machine->cpu_count)
		return refuse(c, d, "is of vCPU %u, and the machine has %u", d->vp_context.vp_index,
			      c->machine->cpu_count);
	memcpy(&vmsa, d->data, sizeof(vmsa));
	if (vmsa.vmpl != 0)
		return refuse(c, d, "is not of VMPL 0");
	if (!(vmsa.sev_features & SNP_FEATURE_SNP))
		return refuse(c, d, "does not have SNP among its SEV_FEATURES");
	return true;
}

/* Nothing is moved here: a region stays where the file has it, if it may be there. */
static bool check_relocatable(struct check *c, const struct igvm_directive *d)
{
	const struct igvm_relocatable_region *r = &d->relocatable;

	if (r->gpa < r->minimum_gpa || r->gpa + r->size > r->maximum_gpa)
		return refuse(c, d, "may not stay there, and this host moves none");
	return true;
}

static bool check_directive(struct check *c, const struct igvm_directive *d)
{
	if (!check_range(c, d))
		return false;
	c->has_firmware |= is_loaded(d) && launch_in_flash(igvm_directive_gpa(d), d->size);
	switch (d->type) {
	case IGVM_TYPE_VP_CONTEXT:
		return check_vmsa(c, d);
	case IGVM_TYPE_RELOCATABLE_REGION:
		return check_relocatable(c, d);
	default:
		return true;
	}
}

bool launch_check(const struct igvm_file *file, const struct launch_machine *machine,
		  struct host_error *error)
{
	struct check c = { .machine = machine, .error = error };
	const char *refusal = file->has_policy ? psp_policy_refusal(file->policy) : NULL;
	struct igvm_cursor cursor = { 0 };
	struct igvm_error host_error;
	struct igvm_directive d;
	bool ok = true;

	if (!host_check(machine->host, file, &host_error))
		return host_fail(error, "%s, header at file offset %" PRIu64, host_error.text,
				 host_error.offset);
	if (refusal)
		return host_fail(error, "guest policy 0x%" PRIx64 " is refused: %s", file->policy,
				 refusal);
	while (ok && igvm_next(file, &cursor, &d))
		ok = check_directive(&c, &d);
	if (ok && c.vmsa_count == 0)
		ok = host_fail(error, "there is no VP_CONTEXT, so nothing to start");
	if (ok && machine->kernel && !c.has_firmware)
		ok = host_fail(error, "--kernel is for firmware, and there is none in the file");
	return ok;
}

/* A parameter area on its way into the guest. */
struct area {
	uint8_t *bytes;
	size_t size;
	uint32_t index;
};

struct load {
	const struct machine_memory *memory;
	struct psp *psp;
	const struct parameters_facts *facts;
	struct area areas[IGVM_AREAS_MAX];
	uint32_t area_count;
	struct igvm_directive id_block; /* of no type: there is none */
	bool large_pages;		/* as the host has them */
	struct host_error *error;
};

static struct area *find_area(struct load *l, uint32_t index)
{
	struct area *area = l->areas;

	while (area->index != index) /* the reader knows that it is there */
		area++;
	return area;
}

/* Where the bytes of a directive go, which check_range() has passed. */
static uint8_t *place_of(const struct load *l, const struct igvm_directive *d)
{
	return launch_place(l->memory, igvm_directive_gpa(d), d->size);
}

static bool make_area(struct load *l, const struct igvm_directive *d)
{
	struct area *area = &l->areas[l->area_count];

	*area = (struct area){ .size = d->area.number_of_bytes, .index = d->area.index };
	area->bytes = calloc(1, area->size);
	if (!area->bytes)
		return host_fail(l->error, "out of memory");
	l->area_count++;
	if (d->data)
		memcpy(area->bytes, d->data, area->size);
	return true;
}

static bool put_pages(struct load *l, const struct igvm_directive *d)
{
	struct mailbox_pages pages = { .gpa = igvm_directive_gpa(d),
				       .count = (uint32_t)(d->size / ABI_PAGE_SIZE),
				       .type = (uint16_t)d->page_type };

	if (d->page_type == PSP_PAGE_TYPE_NONE)
		return true; /* shared with the host: not part of the RMP's private pages */
	if (d->type == IGVM_TYPE_PAGE_DATA && d->page.flags & IGVM_PAGE_FLAG_2MB && l->large_pages)
		pages.flags |= MAILBOX_PAGES_LARGE;
	if (d->type == IGVM_TYPE_PAGE_DATA && d->page.data_type == IGVM_PAGE_TYPE_CPUID_XF)
		pages.flags |= MAILBOX_PAGES_CPUID_XF;
	return launch_add_pages(l->memory->mailbox, pages, l->error);
}

static bool load_page(struct load *l, const struct igvm_directive *d)
{
	uint8_t *at = place_of(l, d);

	if (d->page_type == PSP_PAGE_TYPE_SECRETS)
		psp_fill_secrets(l->psp, (struct snp_secrets *)at);
	else if (d->data)
		memcpy(at, d->data, d->size);
	return put_pages(l, d);
}

static bool load_vmsa(struct load *l, const struct igvm_directive *d)
{
	struct mailbox *mailbox = l->memory->mailbox;
	struct snp_vmsa vmsa;

	memcpy(&vmsa, d->data, sizeof(vmsa));
	psp_fill_vmsa(&vmsa);
	mailbox->secure_tsc |= (vmsa.sev_features & SNP_FEATURE_SECURE_TSC) != 0;
	mailbox->vmsa_gpa[d->vp_context.vp_index] = d->vp_context.gpa;
	if (d->vp_context.gpa == IGVM_HELD_VMSA_GPA) {
		memcpy(mailbox->held_vmsa[d->vp_context.vp_index], &vmsa, sizeof(vmsa));
		return true;
	}
	memcpy(place_of(l, d), &vmsa, sizeof(vmsa));
	return put_pages(l, d);
}

static bool insert_area(struct load *l, const struct igvm_directive *d)
{
	const struct area *area = find_area(l, d->insert.area_index);

	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): the area was made before. */
	memcpy(place_of(l, d), area->bytes, area->size);
	return put_pages(l, d);
}

static bool write_parameter(struct load *l, const struct igvm_directive *d)
{
	const struct area *area = find_area(l, d->parameter.area_index);

	return parameters_write(l->facts, d, area->bytes, area->size, l->error);
}

static bool load_directive(struct load *l, const struct igvm_directive *d)
{
	switch (d->type) {
	case IGVM_TYPE_PAGE_DATA:
		return load_page(l, d);
	case IGVM_TYPE_VP_CONTEXT:
		return load_vmsa(l, d);
	case IGVM_TYPE_PARAMETER_AREA:
		return make_area(l, d);
	case IGVM_TYPE_PARAMETER_INSERT:
		return insert_area(l, d);
	case IGVM_TYPE_SNP_ID_BLOCK:
		l->id_block = *d;
		return true;
	default: /* all RAM is there, and what is not loaded is the host's, so shared */
		return !igvm_is_parameter(d->type) || write_parameter(l, d);
	}
}

/* SNP_LAUNCH_FINISH. */
static bool finish_launch(struct load *l)
{
	const char *refusal = NULL;

	if (l->id_block.type)
		refusal = id_block_igvm_refusal(&l->id_block.id_block, &l->psp->launch);
	return !refusal ||
	       host_fail(l->error,
			 "the AMD-SP refuses the SNP_ID_BLOCK with %s, header at file offset "
			 "%" PRIu64,
			 refusal, l->id_block.header_offset);
}

static bool load_all(struct load *l, const struct igvm_file *file)
{
	struct igvm_cursor cursor = { 0 };
	struct launch_digest digest;
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		if (!load_directive(l, &d))
			return false;
	}
	if (!launch_digest_file(file, &digest))
		return host_fail_crypto(l->error, "cannot compute the launch digest");
	memcpy(l->psp->launch.measurement, digest.value, sizeof(l->psp->launch.measurement));
	l->psp->launch.policy = file->has_policy ? file->policy : LAUNCH_POLICY_DEFAULT;
	return finish_launch(l);
}

/*
 * The flash is there from its lowest page on that the file names, and the extra memory up to its
 * highest one.
 */
static void size_memory(const struct igvm_file *file, struct mailbox *mailbox)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		uint64_t gpa = igvm_directive_gpa(&d), end = gpa + d.size - MACHINE_EXTRA_BASE;

		if (!is_loaded(&d) && d.type != IGVM_TYPE_REQUIRED_MEMORY)
			continue;
		if (launch_in_flash(gpa, d.size) && MACHINE_4G - gpa > mailbox->flash_size)
			mailbox->flash_size = MACHINE_4G - gpa;
		if (launch_in_extra(gpa, d.size) && end > mailbox->extra_size)
			mailbox->extra_size = end;
	}
}

static bool lists_extended_state(const struct igvm_directive *d)
{
	struct snp_cpuid_page page;

	if (d->type != IGVM_TYPE_PAGE_DATA || d->page_type != PSP_PAGE_TYPE_CPUID || !d->data)
		return false;
	memcpy(&page, d->data, sizeof(page));
	for (uint32_t i = 0; i < page.count && i < SNP_CPUID_MAX_ENTRIES; i++) {
		if (page.entries[i].eax_in == LEAF_EXTENDED_STATE)
			return true;
	}
	return false;
}

/* Whether the guest is shown XSAVE: it asks for it by the leaves of its CPUID page. */
static bool wants_xsave(const struct igvm_file *file)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		if (lists_extended_state(&d))
			return true;
	}
	return false;
}

bool launch_load(const struct igvm_file *file, const struct launch_machine *machine,
		 const struct machine_memory *memory, struct psp *psp, struct host_error *error)
{
	struct parameters_facts facts;
	struct load l = { .memory = memory,
			  .facts = &facts,
			  .psp = psp,
			  .large_pages = machine->host->large_pages,
			  .error = error };
	struct mailbox *mailbox = memory->mailbox;
	bool ok;

	launch_begin(machine, memory, psp);
	size_memory(file, mailbox);
	mailbox->xsave = machine->xsave || wants_xsave(file);
	parameters_machine(&facts, machine->cpu_count, machine->ram_size, mailbox->flash_size,
			   machine->command_line);
	facts.svsm_disk = machine->svsm_disk;
	ok = load_all(&l, file);
	for (uint32_t i = 0; i < l.area_count; i++)
		free(l.areas[i].bytes);
	return ok;
}
