/* SPDX-License-Identifier: MIT */
#include "core/image/host_check.h"

#include <string.h>

#include "abi/snp.h"
#include "core/base/bytes.h"
#include "core/image/igvm_check.h"
#include "core/snp/sev_features.h"

/* What KVM measures as CR0, whatever the VMSA says: NE and ET, and PE in protected mode. */
#define CR0_REAL_MODE 0x30u
#define CR0_PROTECTED_MODE 0x31u

#define EFER_SVME (1ull << 12)

#define NO_OFFSET SIZE_MAX

struct host_run {
	const struct host_model *host;
	struct igvm_error *error;
	bool vmsa_seen;
	uint64_t at; /* the header */
};

#define FIELD(member)                                                                        \
	{                                                                                    \
		offsetof(struct snp_vmsa, member), sizeof(((struct snp_vmsa *)NULL)->member) \
	}

/*
 * What QEMU hands to KVM out of a VMSA; all else must be 0 (check_vmsa_supported() in its sev.c).
 */
static const struct {
	size_t offset, size;
} vmsa_fields[] = {
	{ 0, offsetof(struct snp_vmsa, pl0_ssp) }, /* segment registers and tables */
	FIELD(efer),
	FIELD(cr4),
	FIELD(cr3),
	FIELD(cr0),
	FIELD(dr7),
	FIELD(dr6),
	FIELD(rflags),
	FIELD(rip),
	FIELD(rsp),
	FIELD(rax),
	FIELD(g_pat),
	FIELD(rcx),
	FIELD(rdx),
	FIELD(rbx),
	FIELD(rbp),
	FIELD(rsi),
	FIELD(rdi),
	FIELD(r8),
	FIELD(r9),
	FIELD(r10),
	FIELD(r11),
	FIELD(r12),
	FIELD(r13),
	FIELD(r14),
	FIELD(r15),
	FIELD(sev_features),
	FIELD(xcr0),
	FIELD(mxcsr),
	FIELD(x87_fcw),
};

static bool is_kvm(const struct host_model *host)
{
	return host->vmsa_place == HOST_VMSA_HELD_BY_HOST;
}

__attribute__((format(printf, 2, 3))) static bool refuse(const struct host_run *run,
							 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	igvm_refuse_list(run->error, IGVM_ERR_UNSUPPORTED, run->at, fmt, args);
	va_end(args);
	return false;
}

/* Where the VMSA has something that QEMU does not hand over; NO_OFFSET: nowhere. */
static size_t foreign_byte(const struct snp_vmsa *vmsa)
{
	uint8_t rest[sizeof(*vmsa)];

	memcpy(rest, vmsa, sizeof(rest));
	for (size_t i = 0; i < sizeof(vmsa_fields) / sizeof(vmsa_fields[0]); i++)
		memset(rest + vmsa_fields[i].offset, 0, vmsa_fields[i].size);
	for (size_t i = 0; i < sizeof(rest); i++) {
		if (rest[i] != 0)
			return i;
	}
	return NO_OFFSET;
}

static bool check_kvm_vmsa(const struct host_run *run, const struct snp_vmsa *vmsa)
{
	size_t foreign = foreign_byte(vmsa);

	if (run->vmsa_seen)
		return refuse(run, "a second VP_CONTEXT: QEMU sets the first vCPU's alone");
	if (foreign != NO_OFFSET)
		return refuse(run, "the VMSA is not 0 at 0x%lx, which QEMU does not hand to KVM",
			      (unsigned long)foreign);
	if (vmsa->cr0 != CR0_REAL_MODE && vmsa->cr0 != CR0_PROTECTED_MODE)
		return refuse(run, "CR0 of the VMSA is 0x%llx: KVM measures 0x30 or 0x31",
			      (unsigned long long)vmsa->cr0);
	return true;
}

static bool check_vmsa(struct host_run *run, const struct igvm_directive *d)
{
	const struct host_model *host = run->host;
	bool held = d->vp_context.gpa == IGVM_HELD_VMSA_GPA;
	struct snp_vmsa vmsa;
	uint64_t missing;

	memcpy(&vmsa, d->data, sizeof(vmsa));
	if (!(vmsa.sev_features & SNP_FEATURE_SNP))
		return refuse(run, "the VMSA does not have SNP among its SEV_FEATURES");
	if (!(vmsa.efer & EFER_SVME)) /* KVM sets it, and measures it then (svm_set_efer()) */
		return refuse(run, "the VMSA does not have EFER.SVME, and VMRUN refuses it so");
	missing = vmsa.sev_features & ~host->sev_features;
	if (missing)
		return refuse(run, "the VMSA asks for %s, which host %s does not have",
			      sev_feature_name(missing), host->name);
	if (host->vmsa_place == HOST_VMSA_HELD_BY_HOST && !held)
		return refuse(
			run, "the VMSA is at 0x%llx: host %s has it at 0x%llx and nowhere else",
			(unsigned long long)d->vp_context.gpa, host->name, IGVM_HELD_VMSA_GPA);
	if (host->vmsa_place == HOST_VMSA_IN_RAM && held)
		return refuse(run, "the VMSA is not in RAM, where host %s wants it", host->name);
	if (!host->vmsa_fields_all && !check_kvm_vmsa(run, &vmsa))
		return false;
	run->vmsa_seen = true;
	return true;
}

/* What QEMU's parser and loader make of a page. */
static bool check_kvm_page(const struct host_run *run, const struct igvm_directive *d)
{
	if (d->page.flags & IGVM_PAGE_FLAG_SHARED)
		return refuse(run, "QEMU knows no shared pages and measures this one");
	if (d->page.flags & IGVM_PAGE_FLAG_2MB && d->data)
		return refuse(run, "QEMU's parser reads 4 KiB of a page of 2 MiB");
	return true;
}

/* KVM measures the VMSA at the end of the launch, wherever the file has it. */
static bool check_kvm_order(const struct host_run *run, const struct igvm_directive *d)
{
	if (run->vmsa_seen && d->page_type != PSP_PAGE_TYPE_NONE)
		return refuse(run, "%s after VP_CONTEXT: KVM measures the VMSA last",
			      igvm_type_name(d->type));
	return true;
}

static bool check_directive(struct host_run *run, const struct igvm_directive *d)
{
	if (d->type == IGVM_TYPE_VP_CONTEXT)
		return check_vmsa(run, d);
	if (!is_kvm(run->host))
		return true;
	if (d->type == IGVM_TYPE_PAGE_DATA && !check_kvm_page(run, d))
		return false;
	return check_kvm_order(run, d);
}

/* By its type, whatever its platform: QEMU looks the type up first. */
static bool check_type(const struct host_run *run, const struct igvm_header *header)
{
	const char *name = igvm_type_name(header->type);

	if (!is_kvm(run->host)) /* one without a name is ignorable: the reader has seen to that */
		return !name || host_model_takes(run->host, header->type & ~IGVM_TYPE_IGNORABLE) ||
		       refuse(run, "%s is nothing that host %s takes", name, run->host->name);
	if (!name || header->type & IGVM_TYPE_IGNORABLE)
		return refuse(run, "QEMU's parser knows no header of type 0x%x", header->type);
	return host_model_takes(run->host, header->type) ||
	       refuse(run, "%s is nothing that host %s takes", name, run->host->name);
}

bool host_check(const struct host_model *host, const struct igvm_file *file,
		struct igvm_error *error)
{
	struct host_run run = { .host = host, .error = error };
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct igvm_header header;

	while (igvm_next_header(file, &cursor, &header)) {
		run.at = header.offset;
		if (!check_type(&run, &header))
			return false;
	}
	cursor = (struct igvm_cursor){ 0 };
	while (igvm_next(file, &cursor, &d)) {
		run.at = d.header_offset;
		if (!check_directive(&run, &d))
			return false;
	}
	run.at = file->header.variable_header_offset;
	if (is_kvm(host) && !file->has_policy)
		return refuse(&run, "no GUEST_POLICY: QEMU then asks for 0, which no AMD-SP takes");
	return true;
}
