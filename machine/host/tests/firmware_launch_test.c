/* SPDX-License-Identifier: MIT */
/*
 * Firmware into the machine's memory: what lands where, and in which order. That the digest is
 * QEMU's is sev-snp-measure's to say (tests/peers/firmware_digest_test.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/host/digest.h"
#include "machine/host/firmware_launch.h"

#define RAM_SIZE (64ull << 20)
#define SIZE 0x10000u
#define HELD 0xfffffffff000ull

static uint8_t image[SIZE];

static const struct firmware FIRMWARE = {
	.data = image,
	.size = SIZE,
	.gpa = 0xffff0000,
	.ap_start = 0x80b004,
	.section_count = 4,
	.sections = { { 0x800000, 0x2000, FIRMWARE_MEMORY },
		      { 0x80d000, 0x1000, FIRMWARE_SECRETS },
		      { 0x80e000, 0x1000, FIRMWARE_CPUID },
		      { 0x80f000, 0x1000, FIRMWARE_CALLING_AREA } },
};

static struct launch_machine machine_of(const char *host)
{
	return (struct launch_machine){ .host = host_model_find(host),
					.ram_size = RAM_SIZE,
					.cpu_count = 3,
					.properties.policy = 0x130000,
					.vcpu_signature = 0xa00f11 };
}

static void test_check(void **state)
{
	struct launch_machine kvm = machine_of("kvm"), hyperv = machine_of("hyperv");
	struct firmware firmware = FIRMWARE;
	struct host_error error = { 0 };

	(void)state;
	assert_true(firmware_launch_check(&firmware, &kvm, &error));
	assert_false(firmware_launch_check(&firmware, &hyperv, &error));
	assert_non_null(strstr(error.text, "host hyperv launches no firmware"));
	kvm.properties.policy = 0x10000;
	assert_false(firmware_launch_check(&firmware, &kvm, &error));
	assert_non_null(strstr(error.text, "guest policy 0x10000 is refused: bit 17"));
	kvm.properties.policy = 0x30000;
	firmware.sections[3].gpa = RAM_SIZE - 0x1000;
	assert_true(firmware_launch_check(&firmware, &kvm, &error));
	firmware.sections[3].gpa = RAM_SIZE;
	assert_false(firmware_launch_check(&firmware, &kvm, &error));
	assert_string_equal(error.text,
			    "its section at gPA 0x4000000 lies outside the machine's RAM");
	firmware.sections[3].gpa = 0xbf000;
	assert_false(firmware_launch_check(&firmware, &kvm, &error));
	/* The flash is no RAM of the sections. */
	firmware.sections[3].gpa = 0xfffe0000;
	assert_false(firmware_launch_check(&firmware, &kvm, &error));
}

static void assert_range(const struct mailbox *mailbox, unsigned int at, uint64_t gpa,
			 uint32_t count, uint32_t type)
{
	assert_true(at < mailbox->page_range_count);
	assert_int_equal(mailbox->pages[at].gpa, gpa);
	assert_int_equal(mailbox->pages[at].count, count);
	assert_int_equal(mailbox->pages[at].type, type);
}

/*
 * QEMU's state of a vCPU after its reset: APM volume 2, 14.1.3, and EDX the processor's signature.
 */
static void assert_vmsa(const uint8_t *page, uint64_t base, uint64_t rip)
{
	struct snp_vmsa vmsa;

	memcpy(&vmsa, page, sizeof(vmsa));
	assert_int_equal(vmsa.cs.base, base);
	assert_int_equal(vmsa.cs.selector, 0xf000);
	assert_int_equal(vmsa.rip, rip);
	assert_int_equal(vmsa.rdx, 0xa00f11);
	assert_int_equal(vmsa.cr0, 0x10);
	assert_int_equal(vmsa.sev_features, 1);
	assert_int_equal(vmsa.vmpl, 0);
}

static void test_load(void **state)
{
	struct launch_machine machine = machine_of("kvm");
	struct machine_memory memory = { .guest_ram_size = RAM_SIZE };
	struct host_error error = { 0 };
	struct psp psp = { 0 };
	struct mailbox *m;

	(void)state;
	memset(image, 0x5a, sizeof(image));
	memset(psp.vmpck, 0x77, sizeof(psp.vmpck));
	memory.guest_ram = calloc(1, RAM_SIZE);
	memory.flash = calloc(1, MACHINE_FLASH_MAX);
	memory.mailbox = m = calloc(1, sizeof(*m));
	assert_true(firmware_launch_load(&FIRMWARE, &machine, &memory, &psp, &error));
	assert_int_equal(m->flash_size, SIZE);
	assert_int_equal(memory.flash[MACHINE_FLASH_MAX - SIZE - 1], 0);
	assert_int_equal(memory.flash[MACHINE_FLASH_MAX - SIZE], 0x5a);
	assert_int_equal(memory.flash[MACHINE_FLASH_MAX - 1], 0x5a);
	assert_range(m, 0, 0xffff0000, 16, PSP_PAGE_TYPE_NORMAL);
	assert_range(m, 1, 0x800000, 2, PSP_PAGE_TYPE_ZERO);
	assert_range(m, 2, 0x80d000, 1, PSP_PAGE_TYPE_SECRETS);
	assert_range(m, 3, 0x80e000, 1, PSP_PAGE_TYPE_CPUID);
	assert_range(m, 4, 0x80f000, 1, PSP_PAGE_TYPE_ZERO);
	assert_int_equal(m->page_range_count, 5);
	assert_int_equal(memory.guest_ram[0x80d020], 0x77); /* VMPCK0 */
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(m->vmsa_gpa[i], HELD);
	assert_int_equal(m->vmsa_gpa[3], MAILBOX_NO_VMSA);
	assert_vmsa(m->held_vmsa[0], 0xffff0000, 0xfff0);
	assert_vmsa(m->held_vmsa[1], 0x800000, 0xb004);
	assert_vmsa(m->held_vmsa[2], 0x800000, 0xb004);
	assert_true(m->vmsa_on_startup);
	assert_int_equal(m->cpu_count, 3);
	assert_int_equal(m->magic, MAILBOX_MAGIC);
	assert_int_equal(psp.launch.policy, 0x130000);
	assert_false(bytes_are_zero(psp.launch.measurement, sizeof(psp.launch.measurement)));
	free(memory.guest_ram);
	free(memory.flash);
	free(memory.mailbox);
}

/*
 * The table: edk2, OvmfPkg/AmdSev/BlobVerifierLibSevHashes; its fields are 50 bytes each behind 18.
 */
static void test_hashes(void **state)
{
	static const uint8_t empty[4] = { 0xe3, 0xb0, 0xc4, 0x42 }; /* SHA-256 of no bytes */
	struct launch_machine machine = machine_of("kvm");
	struct machine_memory memory = { .guest_ram_size = RAM_SIZE };
	struct kernel_hashes hashes = { .kernel = { 7 } };
	struct firmware firmware = FIRMWARE;
	struct launch_digest without, with;
	struct launch_vcpus vcpus = { .count = 1, .sev_features = 1 };
	struct host_error error = { 0 };
	struct psp psp = { 0 };
	const uint8_t *table;

	(void)state;
	machine.kernel_hashes = &hashes;
	assert_false(firmware_launch_check(&firmware, &machine, &error));
	assert_string_equal(error.text, "it has no place for a table of kernel hashes");
	firmware.sections[3].type = FIRMWARE_KERNEL_HASHES;
	firmware.hash_table = 0x80fc00;
	assert_true(firmware_launch_check(&firmware, &machine, &error));
	assert_true(kernel_hash(hashes.initrd, "", 0));
	memory.guest_ram = calloc(1, RAM_SIZE);
	memory.flash = calloc(1, MACHINE_FLASH_MAX);
	memory.mailbox = calloc(1, sizeof(*memory.mailbox));
	assert_true(firmware_launch_load(&firmware, &machine, &memory, &psp, &error));
	assert_range(memory.mailbox, 4, 0x80f000, 1, PSP_PAGE_TYPE_NORMAL);
	table = memory.guest_ram + 0x80fc00;
	assert_int_equal(table[16] | table[17] << 8, 168);
	assert_memory_equal(table + 18 + 50 + 18, empty, sizeof(empty));
	assert_int_equal(table[18 + 100 + 18], 7);
	assert_true(bytes_are_zero(table + 168, 0x400 - 168));
	assert_true(bytes_are_zero(table - 0xc00, 0xc00));
	/* They are in the digest. */
	assert_true(launch_digest_firmware(&firmware, &vcpus, NULL, &without));
	assert_true(launch_digest_firmware(&firmware, &vcpus, table - 0xc00, &with));
	assert_memory_not_equal(without.value, with.value, sizeof(with.value));
	free(memory.guest_ram);
	free(memory.flash);
	free(memory.mailbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
