/* SPDX-License-Identifier: MIT */
#include "machine/host/exits.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "abi/ghcb.h"
#include "abi/snp.h"
#include "machine/mailbox.h"

struct exit_label {
	uint64_t code;
	const char *name;
};

static const struct exit_label svm_labels[] = {
	{ SVM_EXIT_INTR, "intr" },
	{ SVM_EXIT_NMI, "nmi" },
	{ SVM_EXIT_VINTR, "vintr" },
	{ SVM_EXIT_CR0_SEL_WRITE, "cr0_sel_write" },
	{ SVM_EXIT_RDTSC, "rdtsc" },
	{ SVM_EXIT_RDPMC, "rdpmc" },
	{ SVM_EXIT_CPUID, "cpuid" },
	{ SVM_EXIT_PAUSE, "pause" },
	{ SVM_EXIT_HLT, "hlt" },
	{ SVM_EXIT_IOIO, "ioio" },
	{ SVM_EXIT_MSR, "msr" },
	{ SVM_EXIT_SHUTDOWN, "shutdown" },
	{ SVM_EXIT_VMMCALL, "vmmcall" },
	{ SVM_EXIT_RDTSCP, "rdtscp" },
	{ SVM_EXIT_WBINVD, "wbinvd" },
	{ SVM_EXIT_NPF, "npf" },
	{ SVM_EXIT_VMGEXIT, "vmgexit" },
	{ SVM_EXIT_DR7_READ, "dr7_read" },
	{ SVM_EXIT_DR7_WRITE, "dr7_write" },
};

static const struct exit_label nae_labels[] = {
	{ GHCB_EXIT_MMIO_READ, "mmio_read" },
	{ GHCB_EXIT_MMIO_WRITE, "mmio_write" },
	{ GHCB_EXIT_NMI_COMPLETE, "nmi_complete" },
	{ GHCB_EXIT_AP_RESET_HOLD, "ap_reset_hold" },
	{ GHCB_EXIT_AP_JUMP_TABLE, "ap_jump_table" },
	{ GHCB_EXIT_PSC, "psc" },
	{ GHCB_EXIT_GUEST_REQUEST, "guest_request" },
	{ GHCB_EXIT_EXT_GUEST_REQUEST, "ext_guest_request" },
	{ GHCB_EXIT_AP_CREATION, "ap_creation" },
	{ GHCB_EXIT_HV_DOORBELL, "hv_doorbell" },
	{ GHCB_EXIT_HV_IPI, "hv_ipi" },
	{ GHCB_EXIT_GET_APIC_IDS, "get_apic_ids" },
	{ GHCB_EXIT_RUN_VMPL, "run_vmpl" },
	{ GHCB_EXIT_CONFIGURE_INT_INJ, "configure_int_inj" },
	{ GHCB_EXIT_DISABLE_ALT_INJ, "disable_alt_inj" },
	{ GHCB_EXIT_SPECIFIC_EOI, "specific_eoi" },
	{ GHCB_EXIT_HV_FEATURES, "hv_features" },
	{ GHCB_EXIT_TERM_REQUEST, "term_request" },
	{ GHCB_EXIT_UNSUPPORTED, "unsupported" },
};

static const struct exit_label msr_labels[] = {
	{ GHCB_MSR_SEV_INFO_REQ, "sev_info" },
	{ GHCB_MSR_CPUID_REQ, "cpuid" },
	{ GHCB_MSR_AP_RESET_HOLD_REQ, "ap_reset_hold" },
	{ GHCB_MSR_PREF_GPA_REQ, "pref_gpa" },
	{ GHCB_MSR_REG_GPA_REQ, "reg_gpa" },
	{ GHCB_MSR_PSC_REQ, "psc" },
	{ GHCB_MSR_RUN_VMPL_REQ, "run_vmpl" },
	{ GHCB_MSR_HV_FEATURES_REQ, "hv_features" },
	{ GHCB_MSR_TERM_REQ, "term_request" },
};

/* Families of SVM exits of one register or exception each, by the number in the code. */
struct exit_family {
	uint64_t first;
	unsigned int count;
	const char *format;
};

static const struct exit_family svm_families[] = {
	{ 0x00, 16, "cr%u_read" },
	{ 0x10, 16, "cr%u_write" },
	{ 0x20, 16, "dr%u_read" },
	{ 0x30, 16, "dr%u_write" },
	{ SVM_EXIT_EXCP_BASE, 32, "exception_%u" },
};

#define LABEL_SIZE 24
#define COUNT(labels) (sizeof(labels) / sizeof((labels)[0]))

static const char *find(const struct exit_label *labels, size_t count, uint64_t code)
{
	for (size_t i = 0; i < count; i++) {
		if (labels[i].code == code)
			return labels[i].name;
	}
	return NULL;
}

static const struct exit_family *find_family(uint64_t code)
{
	for (size_t i = 0; i < COUNT(svm_families); i++) {
		if (code - svm_families[i].first < svm_families[i].count)
			return &svm_families[i];
	}
	return NULL;
}

/* An SVM exit, bare or handed on in a GHCB. */
static const char *svm_name(uint64_t code, char text[LABEL_SIZE])
{
	const struct exit_family *family = find_family(code);

	if (!family)
		return find(svm_labels, COUNT(svm_labels), code);
	snprintf(text, LABEL_SIZE, family->format, (unsigned int)(code - family->first));
	return text;
}

static void write_name(char name[EXIT_NAME_SIZE], const char *prefix, const char *label,
		       uint64_t code)
{
	if (label)
		snprintf(name, EXIT_NAME_SIZE, "%s%s", prefix, label);
	else
		snprintf(name, EXIT_NAME_SIZE, "%s0x%" PRIx64, prefix, code);
}

uint64_t exit_code(uint64_t counter_code)
{
	return counter_code & ~(MAILBOX_EXIT_NAE | MAILBOX_EXIT_MSR_PROTOCOL);
}

void exit_name(uint64_t counter_code, char name[EXIT_NAME_SIZE])
{
	uint64_t code = exit_code(counter_code);
	char text[LABEL_SIZE];
	const char *label;

	if (counter_code & MAILBOX_EXIT_MSR_PROTOCOL) {
		write_name(name, "msr.", find(msr_labels, COUNT(msr_labels), code), code);
		return;
	}
	label = svm_name(code, text);
	if (!(counter_code & MAILBOX_EXIT_NAE)) {
		write_name(name, "", label, code);
		return;
	}
	if (!label)
		label = find(nae_labels, COUNT(nae_labels), code);
	write_name(name, "nae.", label, code);
}
