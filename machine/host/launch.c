/* SPDX-License-Identifier: MIT */
#include "machine/host/launch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/host/digest.h"
#include "core/snp/sev_features.h"

#define DEFAULT_POLICY (PSP_POLICY_SMT | PSP_POLICY_RESERVED_ONE)

/* A PC has video memory there, whatever RAM lies underneath. */
#define PC_HOLE_START 0xa0000ull
#define PC_HOLE_END 0xc0000ull

struct check {
	const struct host_model *host;
	uint64_t ram_size;
	unsigned int vmsa_count;
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

static bool check_range(struct check *c, const struct igvm_directive *d)
{
	uint64_t gpa = igvm_directive_gpa(d);

	if (!bytes_range_ok(gpa, d->size, c->ram_size))
		return refuse(c, d, "lies outside the machine's RAM");
	if (d->type != IGVM_TYPE_REQUIRED_MEMORY && gpa < PC_HOLE_END &&
	    gpa + d->size > PC_HOLE_START)
		return refuse(c, d, "lies where a PC has video memory");
	return true;
}

static bool check_vmsa(struct check *c, const struct igvm_directive *d)
{
	struct snp_vmsa vmsa;

	if (++c->vmsa_count > 1)
		return refuse(c, d, "is a second one; the machine starts one vCPU");
	memcpy(&vmsa, d->data, sizeof(vmsa));
	if (vmsa.vmpl != 0)
		return refuse(c, d, "is not of VMPL 0");
	if (!(vmsa.sev_features & SNP_FEATURE_SNP))
		return refuse(c, d, "does not have SNP among its SEV_FEATURES");
	if (vmsa.sev_features & ~c->host->sev_features)
		return refuse(c, d, "asks for %s, which host %s does not have",
			      sev_feature_name(vmsa.sev_features & ~c->host->sev_features),
			      c->host->name);
	return true;
}

static bool is_loaded(uint32_t type)
{
	return type == IGVM_TYPE_PAGE_DATA || type == IGVM_TYPE_VP_CONTEXT ||
	       type == IGVM_TYPE_REQUIRED_MEMORY;
}

static bool check_directive(struct check *c, const struct igvm_directive *d)
{
	if (!is_loaded(d->type))
		return refuse(c, d, "is nothing that the machine honours");
	if (!host_model_takes(c->host, d->type))
		return refuse(c, d, "is nothing that host %s takes", c->host->name);
	if (!check_range(c, d))
		return false;
	return d->type != IGVM_TYPE_VP_CONTEXT || check_vmsa(c, d);
}

bool launch_check(const struct igvm_file *file, const struct host_model *host,
		  uint64_t guest_ram_size, struct host_error *error)
{
	struct check c = { .host = host, .ram_size = guest_ram_size, .error = error };
	const char *refusal = file->has_policy ? psp_policy_refusal(file->policy) : NULL;
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	bool ok = true;

	if (refusal)
		return host_fail(error, "guest policy 0x%" PRIx64 " is refused: %s", file->policy,
				 refusal);
	while (ok && igvm_next(file, &cursor, &d))
		ok = check_directive(&c, &d);
	if (ok && c.vmsa_count == 0)
		ok = host_fail(error, "there is no VP_CONTEXT, so nothing to start");
	return ok;
}

/* Adds pages to the initial RMP; neighbours of one type share an entry. */
static bool add_pages(struct mailbox *mailbox, uint64_t gpa, uint32_t count,
		      enum psp_page_type type)
{
	struct mailbox_pages *last = &mailbox->pages[mailbox->page_range_count];

	if (mailbox->page_range_count > 0) {
		last--;
		if (last->type == type &&
		    last->gpa + (uint64_t)last->count * ABI_PAGE_SIZE == gpa) {
			last->count += count;
			return true;
		}
		last++;
	}
	if (mailbox->page_range_count == MAILBOX_PAGES_MAX)
		return false;
	*last = (struct mailbox_pages){ .gpa = gpa, .count = count, .type = type };
	mailbox->page_range_count++;
	return true;
}

static bool load_directive(const struct igvm_directive *d, const struct machine_memory *memory,
			   const struct psp *psp)
{
	uint64_t gpa = igvm_directive_gpa(d);

	if (d->type == IGVM_TYPE_REQUIRED_MEMORY)
		return true; /* all RAM is there */
	if (d->page_type == PSP_PAGE_TYPE_SECRETS)
		psp_fill_secrets(psp, (struct snp_secrets *)(memory->guest_ram + gpa));
	else if (d->data)
		memcpy(memory->guest_ram + gpa, d->data, d->size);
	if (d->page_type == PSP_PAGE_TYPE_VMSA)
		memory->mailbox->vmsa_gpa = gpa;
	if (d->page_type == PSP_PAGE_TYPE_NONE)
		return true; /* shared with the host: not part of the RMP's private pages */
	return add_pages(memory->mailbox, gpa, d->size / ABI_PAGE_SIZE, d->page_type);
}

bool launch_load(const struct igvm_file *file, const struct machine_memory *memory,
		 unsigned int cpu_count, struct psp *psp, struct host_error *error)
{
	struct mailbox *mailbox = memory->mailbox;
	struct igvm_cursor cursor = { 0 };
	struct launch_digest digest;
	struct igvm_directive d;

	launch_digest_init(&digest);
	while (igvm_next(file, &cursor, &d)) {
		if (!launch_digest_directive(&digest, &d))
			return host_fail_crypto(error, "cannot compute the launch digest");
		if (!load_directive(&d, memory, psp))
			return host_fail(error, "pages lie in more than %u separate ranges",
					 MAILBOX_PAGES_MAX);
	}
	memcpy(psp->launch.measurement, digest.value, sizeof(psp->launch.measurement));
	psp->launch.policy = file->has_policy ? file->policy : DEFAULT_POLICY;
	mailbox->version = MAILBOX_VERSION;
	mailbox->cpu_count = cpu_count;
	mailbox->guest_ram_size = memory->guest_ram_size;
	mailbox->magic = MAILBOX_MAGIC;
	return true;
}
