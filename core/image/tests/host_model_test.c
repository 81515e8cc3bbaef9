/* SPDX-License-Identifier: MIT */
/*
 * The models of hosts, against docs/hosts.md, which names the public sources that each cell was
 * read from: the page's table is written out here once more from the models, and has to be the
 * same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"
#include "abi/igvm.h"
#include "core/image/host_model.h"
#include "core/image/igvm.h"
#include "core/snp/sev_features.h"

#define CELL 512u

/* One row of the table: what it says of a host. */
struct row {
	const char *title;
	void (*cell)(const struct host_model *model, char *text);
};

static void add(char *text, const char *what)
{
	if (*text)
		strcat(text, ", ");
	strcat(text, what);
	assert_true(strlen(text) < CELL);
}

static void hv_features(const struct host_model *model, char *text)
{
	static const char *const names[] = { "SNP",
					     "AP creation",
					     "restricted injection",
					     "restricted injection timer",
					     "APIC id list",
					     "multi-VMPL",
					     [9] = "extended interrupts" };

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (!(model->hv_features >> bit & 1))
			continue;
		assert_true(bit < sizeof(names) / sizeof(names[0]) && names[bit]);
		add(text, names[bit]);
	}
}

static void sev_features(const struct host_model *model, char *text)
{
	for (uint64_t left = model->sev_features; left; left &= left - 1)
		add(text, sev_feature_name(left));
}

static void vmsa_place(const struct host_model *model, char *text)
{
	static const char *const places[] = {
		[HOST_VMSA_ANYWHERE] = "in RAM, or 0xfffffffff000",
		[HOST_VMSA_IN_RAM] = "in RAM",
		[HOST_VMSA_HELD_BY_HOST] = "0xfffffffff000",
	};

	add(text, places[model->vmsa_place]);
}

static void vmsa_fields(const struct host_model *model, char *text)
{
	add(text, model->vmsa_fields_all ? "any" : "those that QEMU takes");
}

static void features_fixed(const struct host_model *model, char *text)
{
	add(text, model->features_fixed ? "refused" : "taken");
}

static void vmsa_at_2m(const struct host_model *model, char *text)
{
	add(text, model->vmsa_not_at_2m ? "refused" : "taken");
}

/* Of the headers that any host takes, those that this one does not. */
static void headers_refused(const struct host_model *model, char *text)
{
	for (const uint32_t *type = HOST_MODEL_DEFAULT->headers; *type; type++) {
		if (!host_model_takes(model, *type))
			add(text, igvm_type_name(*type));
	}
}

static void invlpgb(const struct host_model *model, char *text)
{
	static const char *const ways[] = {
		[HOST_INVLPGB_ON] = "there",
		[HOST_INVLPGB_HIDDEN] = "hidden, #UD",
		[HOST_INVLPGB_UNDEFINED] = "#UD",
		[HOST_INVLPGB_INTERCEPTED] = "#VC",
	};

	add(text, ways[model->invlpgb]);
}

static void invlpgb_count(const struct host_model *model, char *text)
{
	char number[16];

	sprintf(number, "%u", model->invlpgb_count + 1);
	add(text, model->invlpgb == HOST_INVLPGB_HIDDEN ? "" : number);
}

static void kvm_clock(const struct host_model *model, char *text)
{
	add(text, model->kvm_clock ? "there, with KVM's name in CPUID" : "");
}

static void kvm_eoi(const struct host_model *model, char *text)
{
	add(text, model->kvm_eoi ? "there" : "");
}

static void preempt(const struct host_model *model, char *text)
{
	static const char *const when[] = {
		[HOST_PREEMPT_NO] = "no",
		[HOST_PREEMPT_BETWEEN] = "yes, but not at a VMGEXIT",
		[HOST_PREEMPT_AT_EXITS] = "yes, at any exit",
	};

	if (!(model->hv_features & GHCB_HV_FEATURE_MULTI_VMPL))
		add(text, "there is no VMPL2");
	else
		add(text, when[model->preempt]);
}

static void converts(const struct host_model *model, char *text)
{
	add(text, model->converts ? "changes the page" : "ends the VM");
}

static void sides(const struct host_model *model, char *text)
{
	add(text, model->sides_apart ? "zero" : "the old bytes, scrambled");
}

static void large_pages(const struct host_model *model, char *text)
{
	add(text, model->large_pages ? "one entry of the RMP" : "512 entries");
}

static const struct row rows[] = {
	{ "features announced by GHCB", hv_features },
	{ "SEV_FEATURES of a VMSA", sev_features },
	{ "VMSA of the launch at", vmsa_place },
	{ "fields of that VMSA", vmsa_fields },
	{ "AP creation with a VMSA at a multiple of 2 MiB", vmsa_at_2m },
	{ "AP creation with SEV_FEATURES that the first VMSA of that VMPL has not",
	  features_fixed },
	{ "IGVM headers refused", headers_refused },
	{ "a page of 2 MiB of the launch is", large_pages },
	{ "INVLPGB and TLBSYNC", invlpgb },
	{ "pages that INVLPGB takes, by CPUID", invlpgb_count },
	{ "KVM's clock for guests", kvm_clock },
	{ "KVM's end of an interrupt in memory", kvm_eoi },
	{ "an interrupt of VMPL0 reaches it while the guest's level runs", preempt },
	{ "an access to the other side of a page", converts },
	{ "a page that becomes shared reads", sides },
};

static char *read_page(void)
{
	FILE *f = fopen(SOCLE_HOSTS_MD, "r");
	char *text = calloc(1, 1u << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1u << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void assert_in(const char *page, const char *line)
{
	if (!strstr(page, line))
		fail_msg("docs/hosts.md has no line\n%s", line);
}

static void test_page(void **state)
{
	char *page = read_page();
	char line[8 * CELL];

	(void)state;
	strcpy(line, "\n| |");
	for (const struct host_model *model = host_models; model < host_models + HOST_MODELS;
	     model++)
		sprintf(line + strlen(line), " `%s` |", model->name);
	strcat(line, "\n");
	assert_in(page, line);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sprintf(line, "\n| %s |", rows[i].title);
		for (const struct host_model *model = host_models;
		     model < host_models + HOST_MODELS; model++) {
			char cell[CELL] = "";

			rows[i].cell(model, cell);
			sprintf(line + strlen(line), " %s |", *cell ? cell : "-");
		}
		strcat(line, "\n");
		assert_in(page, line);
	}
	free(page);
}

static void test_find(void **state)
{
	(void)state;
	for (const struct host_model *model = host_models; model < host_models + HOST_MODELS;
	     model++)
		assert_ptr_equal(host_model_find(model->name), model);
	assert_null(host_model_find("kvm-sev"));
	assert_null(host_model_find(""));
	assert_string_equal(HOST_MODEL_DEFAULT->name, "strict");
}

/* No host asks less of the CPU than SNP, or offers what the strict one lacks. */
static void test_strict_has_all(void **state)
{
	const struct host_model *strict = HOST_MODEL_DEFAULT;

	(void)state;
	for (const struct host_model *model = host_models; model < host_models + HOST_MODELS;
	     model++) {
		assert_true(model->sev_features & SNP_FEATURE_SNP);
		assert_int_equal(model->sev_features & ~strict->sev_features, 0);
		assert_int_equal(model->hv_features & ~strict->hv_features, 0);
		for (const uint32_t *type = model->headers; *type; type++)
			assert_true(host_model_takes(strict, *type));
	}
}

/* Bits of SEV_FEATURES: APM volume 2, table B-4. */
static void test_feature_names(void **state)
{
	(void)state;
	assert_null(sev_feature_name(0));
	assert_string_equal(sev_feature_name(0x1), "SNP active");
	assert_string_equal(sev_feature_name(0x8), "restricted injection");
	assert_string_equal(sev_feature_name(0x20), "debug swap");
	assert_string_equal(sev_feature_name(0x8200), "Secure TSC");
	assert_string_equal(sev_feature_name(0x8000), "SMT protection");
	assert_string_equal(sev_feature_name(1ull << 40), "reserved bit");
	assert_string_equal(sev_feature_name(1ull << 63), "reserved bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_strict_has_all),
		cmocka_unit_test(test_feature_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
