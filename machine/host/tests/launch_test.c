/* SPDX-License-Identifier: MIT */
/* IGVM files into the machine's memory: what is refused, and what lands where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "machine/host/launch.h"
#include "machine/host/tests/make_igvm.h"

#define RAM_SIZE (64ull << 20)

static const struct launch_machine MACHINE = { .host = HOST_MODEL_DEFAULT,
					       .ram_size = RAM_SIZE,
					       .cpu_count = 2,
					       .command_line = "quiet splash" };

static void open_file(const struct make_igvm *make, uint8_t **data, struct igvm_file *file)
{
	struct igvm_error error;
	size_t size;

	*data = make_igvm_build(make, &size);
	if (!igvm_open(file, *data, size, &error))
		fail_msg("%s", error.text);
}

static void assert_says(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("\"%s\" does not say \"%s\"", text, what);
}

static void assert_refused(const struct make_igvm *make, const char *why)
{
	struct host_error error = { 0 };
	struct igvm_file file;
	uint8_t *data;

	open_file(make, &data, &file);
	assert_false(launch_check(&file, &MACHINE, &error));
	assert_says(error.text, why);
	free(data);
}

/* Refused by the reader already, on which launch_check() relies. */
static void assert_not_opened(const struct make_igvm *make, const char *why)
{
	struct igvm_error error;
	struct igvm_file file;
	size_t size;
	uint8_t *data = make_igvm_build(make, &size);

	assert_false(igvm_open(&file, data, size, &error));
	assert_says(error.text, why);
	free(data);
}

static void assert_taken(const struct make_igvm *make)
{
	struct host_error error = { 0 };
	struct igvm_file file;
	uint8_t *data;

	open_file(make, &data, &file);
	if (!launch_check(&file, &MACHINE, &error))
		fail_msg("%s", error.text);
	free(data);
}

static void test_overlap(void **state)
{
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.pages[1].gpa = make.pages[0].gpa;
	assert_not_opened(&make, "page 0x1000000 is loaded twice");
	make_igvm_default(&make);
	make.vmsa_gpa[0] = make.pages[2].gpa;
	assert_not_opened(&make, "page 0x1002000 is loaded twice");
	make_igvm_default(&make);
	make.pages[1] = (struct make_page){ .gpa = 0x1000000, .flags = IGVM_PAGE_FLAG_2MB };
	assert_not_opened(&make, "is loaded twice");
	make_igvm_default(&make);
	make.required_gpa = 0x1000000; /* says where RAM must be, and may lie under pages */
	assert_taken(&make);
}

static void test_outside_ram(void **state)
{
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.pages[0].gpa = RAM_SIZE - 0x1000;
	assert_taken(&make);
	make.pages[0].gpa = RAM_SIZE;
	assert_refused(&make, "PAGE_DATA at gPA 0x4000000 lies outside");
	make.pages[0].gpa = 0xffffffffff000;
	assert_refused(&make, "lies outside");
	make_igvm_default(&make);
	make.vmsa_gpa[0] = 0xffffffffe000;
	assert_refused(&make, "VP_CONTEXT at gPA 0xffffffffe000 lies outside");
	make.vmsa_gpa[0] = 0xfffffffff000; /* where the host holds it */
	assert_taken(&make);
	make_igvm_default(&make);
	make.required_gpa = RAM_SIZE - 0xf000;
	assert_refused(&make, "REQUIRED_MEMORY at gPA 0x3ff1000 lies outside");
	make.required_gpa = RAM_SIZE - 0x10000;
	assert_taken(&make);
	/* The one place where a file has memory of its own. */
	make.required_gpa = 0xfdff0000;
	assert_taken(&make);
	make.required_gpa = 0xfdff1000;
	assert_refused(&make, "lies outside");
	make.required_gpa = 0xfcfff000;
	assert_refused(&make, "lies outside");
}

struct loaded {
	struct machine_memory memory;
	struct psp psp;
};

static void test_kernel(void **state)
{
	struct launch_machine machine = MACHINE;
	struct host_error error = { 0 };
	struct make_igvm make;
	struct igvm_file file;
	uint8_t *data;

	(void)state;
	machine.kernel = true;
	make_igvm_default(&make);
	open_file(&make, &data, &file);
	assert_false(launch_check(&file, &machine, &error));
	assert_says(error.text, "--kernel is for firmware");
	free(data);
	make.pages[0].gpa = 0xfffff000;
	open_file(&make, &data, &file);
	assert_true(launch_check(&file, &machine, &error));
	free(data);
}

static void load(const struct make_igvm *make, struct loaded *l)
{
	struct host_error error = { 0 };
	struct igvm_file file;
	uint8_t *data;

	open_file(make, &data, &file);
	*l = (struct loaded){ .memory.guest_ram_size = RAM_SIZE };
	memset(l->psp.vmpck, 0x77, sizeof(l->psp.vmpck));
	l->memory.guest_ram = calloc(1, RAM_SIZE);
	l->memory.flash = calloc(1, MACHINE_FLASH_MAX);
	l->memory.extra = calloc(1, MACHINE_EXTRA_MAX);
	l->memory.mailbox = calloc(1, sizeof(struct mailbox));
	assert_true(launch_check(&file, &MACHINE, &error));
	if (!launch_load(&file, &MACHINE, &l->memory, &l->psp, &error))
		fail_msg("%s", error.text);
	free(data);
}

static void unload(struct loaded *l)
{
	free(l->memory.guest_ram);
	free(l->memory.flash);
	free(l->memory.extra);
	free(l->memory.mailbox);
}

static void assert_range(const struct mailbox *mailbox, unsigned int at, uint64_t gpa,
			 uint32_t count, uint32_t type)
{
	assert_true(at < mailbox->page_range_count);
	assert_int_equal(mailbox->pages[at].gpa, gpa);
	assert_int_equal(mailbox->pages[at].count, count);
	assert_int_equal(mailbox->pages[at].type, type);
}

/* Below 4 GiB there may be 16 MiB of firmware, and nothing else behind 2 GiB. */
static void test_flash(void **state)
{
	struct make_igvm make;
	struct loaded l;

	(void)state;
	make_igvm_default(&make);
	make.pages[0].gpa = 0xff000000;
	assert_taken(&make);
	make.pages[0].gpa = 0xfefff000;
	assert_refused(&make, "lies outside");
	make.pages[0].gpa = 0xffffd000;
	make.pages[1] = (struct make_page){ .gpa = 0xfffff000, .fill = 0x3c };
	load(&make, &l);
	assert_int_equal(l.memory.mailbox->flash_size, 0x3000);
	assert_int_equal(l.memory.flash[0xffd000], 0xa5);
	assert_int_equal(l.memory.flash[0xffdfff], 0xa5);
	assert_int_equal(l.memory.flash[0xffe000], 0);
	assert_int_equal(l.memory.flash[0xffffff], 0x3c);
	assert_range(l.memory.mailbox, 0, 0xffffd000, 1, PSP_PAGE_TYPE_NORMAL);
	unload(&l);
}

/* With 3 GiB of RAM the last of them is from 4 GiB on. */
static void test_ram_above_4g(void **state)
{
	static const struct {
		uint64_t gpa;
		bool ram;
	} places[] = {
		{ 0x7ffff000, true },  { 0x80000000, false }, { 0xbffff000, false },
		{ 0x100000000, true }, { 0x13ffff000, true }, { 0x140000000, false },
	};
	struct launch_machine machine = MACHINE;
	struct make_igvm make;

	(void)state;
	machine.ram_size = 3ull << 30;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct host_error error = { 0 };
		struct igvm_file file;
		uint8_t *data;

		make_igvm_default(&make);
		make.pages[0].gpa = places[i].gpa;
		open_file(&make, &data, &file);
		assert_int_equal(launch_check(&file, &machine, &error), places[i].ram);
		free(data);
	}
	assert_int_equal(machine_ram_offset(3ull << 30, 0x7ffff000), 0x7ffff000);
	assert_int_equal(machine_ram_offset(3ull << 30, 0x100000000), 0x80000000);
	assert_int_equal(machine_ram_offset(3ull << 30, 0x13ffff000), 0xbffff000);
	assert_int_equal(machine_ram_offset(3ull << 30, 0x80000000), 3ull << 30);
}

static void test_pc_hole(void **state)
{
	static const uint64_t refused[] = { 0xa0000, 0xb0000, 0xbf000 };
	static const uint64_t taken[] = { 0x0, 0x9f000, 0xc0000 };
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	for (unsigned int i = 0; i < 3; i++) {
		make.pages[0].gpa = refused[i];
		assert_refused(&make, "video memory");
		make.pages[0].gpa = taken[i];
		assert_taken(&make);
	}
	make.pages[0] = (struct make_page){ .gpa = 0, .flags = IGVM_PAGE_FLAG_2MB };
	assert_refused(&make, "video memory");
}

/* A feature that a host lacks is refused by its name. */
static void assert_host(const struct make_igvm *make, const char *host, const char *why)
{
	struct launch_machine machine = MACHINE;
	struct make_igvm for_host = *make;
	struct host_error error = { 0 };
	struct igvm_file file;
	uint8_t *data;
	bool ok;

	machine.host = host_model_find(host);
	if (machine.host->vmsa_place == HOST_VMSA_HELD_BY_HOST) {
		for_host.vmsa_gpa[0] = 0xfffffffff000;
		for_host.vmsa.cr0 = 0x31;
	}
	open_file(&for_host, &data, &file);
	ok = launch_check(&file, &machine, &error);
	assert_int_equal(ok, why == NULL);
	if (why)
		assert_says(error.text, why);
	free(data);
}

/* What each host admits: docs/hosts.md. Bits: APM volume 2, table B-4. */
static void test_hosts(void **state)
{
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.vmsa.sev_features = 0x1;
	assert_host(&make, "kvm", NULL);
	make.vmsa.sev_features = 0x9;
	assert_host(&make, "kvm", "asks for restricted injection, which host kvm does not have");
	assert_host(&make, "kvm-svsm", NULL);
	make.vmsa.sev_features = 0x29;
	assert_host(&make, "kvm", "asks for restricted injection, which host kvm does not have");
	assert_host(&make, "kvm-svsm", NULL);
	assert_host(&make, "hyperv", NULL);
	make.vmsa.sev_features = 0x201;
	assert_host(&make, "strict", NULL);
	assert_host(&make, "kvm-svsm", "asks for Secure TSC, which host kvm-svsm does not have");
	assert_host(&make, "hyperv", "asks for Secure TSC, which host hyperv does not have");
	make.vmsa.sev_features = 0x80e9;
	assert_host(&make, "strict", NULL);
	assert_host(&make, "hyperv", "asks for SMT protection, which host hyperv does not have");
	make.vmsa.sev_features = 0x11;
	assert_host(&make, "strict", NULL);
	assert_host(&make, "kvm-svsm",
		    "asks for alternate injection, which host kvm-svsm does not");
	assert_host(&make, "hyperv", "asks for alternate injection, which host hyperv does not");
	make.vmsa.sev_features = 0x3;
	assert_host(&make, "hyperv", "asks for virtual TOM, which host hyperv does not have");
}

static void test_vmsa(void **state)
{
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.vmsa_count = 0;
	assert_refused(&make, "no VP_CONTEXT");
	make_igvm_default(&make);
	make.vmsa_count = 2;
	make.vmsa_gpa[1] = 0x1005000;
	make.vmsa_index[1] = 1;
	assert_taken(&make);
	make.vmsa_index[1] = 0;
	assert_not_opened(&make, "second VP_CONTEXT with index 0");
	make.vmsa_index[1] = 2;
	make.vmsa_index[0] = 1;
	assert_not_opened(&make, "VP indices");
	make_igvm_default(&make);
	make.vmsa_index[0] = 1;
	assert_not_opened(&make, "VP indices");
	make_igvm_default(&make);
	make.vmsa.vmpl = 1;
	assert_refused(&make, "not of VMPL 0");
	make_igvm_default(&make);
	make.vmsa.sev_features = 0x8;
	assert_refused(&make, "does not have SNP");
	/* APM volume 2, 15.5.1: EFER.SVME is zero, an illegal state. Of any vCPU of the launch. */
	make_igvm_default(&make);
	make.vmsa.efer = 0xd00;
	assert_refused(&make, "the VMSA does not have EFER.SVME, and VMRUN refuses it so, header");
	make.vmsa.efer = 0x1d00;
	assert_taken(&make);
}

static void test_policy(void **state)
{
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.policy = 0x10000;
	assert_refused(&make, "guest policy 0x10000 is refused: bit 17");
	make.policy = 0x80030000;
	assert_refused(&make, "guest policy 0x80030000 is refused");
}

static void test_load(void **state)
{
	struct make_igvm make;
	const struct mailbox *mailbox;
	const uint8_t *ram;
	struct loaded l;

	(void)state;
	make_igvm_default(&make);
	load(&make, &l);
	mailbox = l.memory.mailbox;
	ram = l.memory.guest_ram;
	assert_int_equal(mailbox->magic, 0x584f424c49414d53);
	assert_int_equal(mailbox->version, MAILBOX_VERSION);
	assert_int_equal(mailbox->cpu_count, 2);
	assert_int_equal(mailbox->guest_ram_size, RAM_SIZE);
	assert_int_equal(mailbox->vmsa_gpa[0], 0x1004000);
	assert_int_equal(mailbox->vmsa_gpa[1], ~0ull);
	assert_int_equal(mailbox->page_range_count, 4);
	assert_range(mailbox, 0, 0x1000000, 2, PSP_PAGE_TYPE_NORMAL);
	assert_range(mailbox, 1, 0x1002000, 1, PSP_PAGE_TYPE_SECRETS);
	assert_range(mailbox, 2, 0x1003000, 1, PSP_PAGE_TYPE_CPUID);
	assert_range(mailbox, 3, 0x1004000, 1, PSP_PAGE_TYPE_VMSA);
	for (unsigned int i = 0; i < 4096; i++) {
		assert_int_equal(ram[0x1000000 + i], 0xa5);
		assert_int_equal(ram[0x1001000 + i], 0);
		assert_int_equal(ram[0x1003000 + i], 0);
	}
	assert_int_equal(ram[0x1002020], 0x77);
	assert_int_equal(ram[0x100209f], 0x77);
	assert_memory_equal(ram + 0x1004000, &make.vmsa, 4096);
	assert_int_equal(l.psp.launch.policy, 0x30000);
	unload(&l);
}

/* A page that is shared with the host is loaded and neither measured nor in the RMP. */
static void test_shared_page(void **state)
{
	struct loaded with, without;
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	load(&make, &without);
	make.pages[make.page_count++] = (struct make_page){ .gpa = 0x2000000,
							    .fill = 0x33,
							    .flags = IGVM_PAGE_FLAG_SHARED };
	load(&make, &with);
	assert_int_equal(with.memory.guest_ram[0x2000fff], 0x33);
	assert_int_equal(with.memory.mailbox->page_range_count, 4);
	assert_memory_equal(with.psp.launch.measurement, without.psp.launch.measurement, 48);
	unload(&with);
	unload(&without);
}

/*
 * SHA-384 chain over PAGE_INFO (firmware ABI, SNP_LAUNCH_UPDATE), computed with Python's hashlib.
 */
/* Up to its last page that is asked for, by whatever directive. */
static void test_extra_memory(void **state)
{
	struct make_igvm make;
	struct loaded l;

	(void)state;
	make_igvm_default(&make);
	load(&make, &l);
	assert_int_equal(l.memory.mailbox->extra_size, 0);
	unload(&l);
	make.required_gpa = 0xfd000000; /* 16 pages */
	load(&make, &l);
	assert_int_equal(l.memory.mailbox->extra_size, 0x10000);
	unload(&l);
	make.pages[0].gpa = 0xfd012000;
	load(&make, &l);
	assert_int_equal(l.memory.mailbox->extra_size, 0x13000);
	assert_int_equal(l.memory.mailbox->flash_size, 0);
	assert_int_equal(l.memory.extra[0x12000], 0xa5);
	assert_int_equal(l.memory.extra[0x12fff], 0xa5);
	unload(&l);
}

static void test_measurement(void **state)
{
	static const uint8_t expected[48] = {
		0x88, 0x2b, 0x29, 0x60, 0xde, 0x51, 0xc3, 0xf9, 0x3e, 0x32, 0x58, 0x0e,
		0x3a, 0xe9, 0x9a, 0x58, 0xf4, 0xf9, 0x20, 0x82, 0x6e, 0x22, 0x01, 0xf6,
		0xd0, 0x81, 0xee, 0xf2, 0x1c, 0xe4, 0x3c, 0x36, 0x80, 0xb7, 0x44, 0x2e,
		0xde, 0x91, 0xdc, 0x1f, 0xeb, 0x13, 0x6d, 0xab, 0x4b, 0x20, 0xb5, 0x2b,
	};
	struct make_igvm make;
	struct loaded l;

	(void)state;
	make_igvm_default(&make);
	load(&make, &l);
	assert_memory_equal(l.psp.launch.measurement, expected, sizeof(expected));
	unload(&l);
	make.pages[0].fill ^= 1;
	load(&make, &l);
	assert_memory_not_equal(l.psp.launch.measurement, expected, sizeof(expected));
	unload(&l);
}

/*
 * SNP_LAUNCH_UPDATE of a VMSA, as AMD's published firmware has it: GUEST_TSC_SCALE (2F0h) and
 * GUEST_TSC_OFFSET (2F8h) are measured as 0; with Secure TSC they are the AMD-SP's, else they stay.
 */
static void test_secure_tsc(void **state)
{
	static const uint64_t one = 1ull << 32, zero;
	struct loaded with, other, without;
	struct make_igvm make;

	(void)state;
	make_igvm_default(&make);
	make.vmsa.sev_features = 0x201;
	load(&make, &with);
	make.vmsa.tsc_scale = 0x123456789;
	make.vmsa.tsc_offset = 77;
	load(&make, &other);
	assert_int_equal(other.memory.mailbox->secure_tsc, 1);
	assert_memory_equal(other.memory.guest_ram + 0x10042f0, &one, 8);
	assert_memory_equal(other.memory.guest_ram + 0x10042f8, &zero, 8);
	assert_memory_equal(other.psp.launch.measurement, with.psp.launch.measurement, 48);
	make.vmsa.sev_features = 0x1;
	load(&make, &without);
	assert_int_equal(without.memory.mailbox->secure_tsc, 0);
	assert_memory_equal(without.memory.guest_ram + 0x10042f0, &make.vmsa.tsc_scale, 16);
	unload(&with);
	unload(&other);
	unload(&without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlap),	     cmocka_unit_test(test_outside_ram),
		cmocka_unit_test(test_pc_hole),	     cmocka_unit_test(test_flash),
		cmocka_unit_test(test_ram_above_4g), cmocka_unit_test(test_vmsa),
		cmocka_unit_test(test_hosts),	     cmocka_unit_test(test_policy),
		cmocka_unit_test(test_load),	     cmocka_unit_test(test_shared_page),
		cmocka_unit_test(test_measurement),  cmocka_unit_test(test_extra_memory),
		cmocka_unit_test(test_kernel),	     cmocka_unit_test(test_secure_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
