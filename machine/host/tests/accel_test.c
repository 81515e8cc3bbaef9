/* SPDX-License-Identifier: MIT */
/*
 * What `--accel kvm` looks at, in files made here: the formats are Linux's
 * (arch/x86/kernel/cpu/proc.c, a module's bool or int parameter).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/host/accel.h"
#include "tests/lib/scratch_dir.h"

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_refusals(void **state)
{
	const char *no_svm = "the processor has no SVM, or does not show it";

	(void)state;
	assert_string_equal(accel_kvm_refusal("root"), no_svm);
	put("root/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu svm_lock xsvm\nbugs\t\t: svm\n");
	assert_string_equal(accel_kvm_refusal("root"), no_svm);
	put("root/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu lm svm\n");
	assert_string_equal(accel_kvm_refusal("root"), "the module kvm_amd is not loaded");
	put("root/sys/module/kvm_amd/parameters/nested", "0\n");
	assert_string_equal(accel_kvm_refusal("root"), "kvm_amd is loaded with nested=0");
	put("root/sys/module/kvm_amd/parameters/nested", "1\n");
	assert_string_equal(accel_kvm_refusal("root"), "/dev/kvm cannot be opened");
	put("root/dev/kvm", "");
	assert_null(accel_kvm_refusal("root"));
	put("root/sys/module/kvm_amd/parameters/nested", "Y\n");
	assert_null(accel_kvm_refusal("root"));
}

int main(void)
{
	static const char *const folders[] = { "root",
					       "root/proc",
					       "root/dev",
					       "root/sys",
					       "root/sys/module",
					       "root/sys/module/kvm_amd",
					       "root/sys/module/kvm_amd/parameters" };
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_refusals) };
	int failed;

	if (chdir(scratch_dir_make()) != 0)
		return 1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (mkdir(folders[i], 0700) != 0)
			return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	scratch_dir_remove();
	return failed;
}
