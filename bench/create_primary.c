/* SPDX-License-Identifier: MIT */
/*
 * The bare work: libtpms's TPM2_CreatePrimary of new ECC P-256 keys, within the process. Prints the
 * median in microseconds.
 *
 *	create_primary COUNT
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/keys.h"
#include "bench/samples.h"
#include "services/vtpm/tpm_command.h"

int main(int argc, char **argv)
{
	static struct samples samples;
	struct tpm_primary primary;
	int count = argc == 2 ? atoi(argv[1]) : 0;

	tpm_init(false);
	if (count <= 0 || !tpm_power_on() || tpm_startup_clear())
		errx(2, "usage: create_primary COUNT");
	for (int i = 0; i < count; i++) {
		uint8_t template[KEYS_TEMPLATE_MAX];
		size_t size = keys_template(KEYS_ECC_P256, template);
		uint64_t start = samples_now();

		if (tpm_create_primary(template, size, &primary))
			errx(2, "TPM2_CreatePrimary");
		samples_add(&samples, start);
		if (tpm_flush(primary.handle))
			errx(2, "TPM2_FlushContext");
	}
	printf("%.2f\n", samples_median(&samples));
	return 0;
}
