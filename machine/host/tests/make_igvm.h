/* SPDX-License-Identifier: MIT */
/* Small IGVM files for tests, right or wrong in what the loader has to check. */
#ifndef SOCLE_MACHINE_HOST_TESTS_MAKE_IGVM_H
#define SOCLE_MACHINE_HOST_TESTS_MAKE_IGVM_H

#include <stddef.h>
#include <stdint.h>

#include "abi/igvm.h"
#include "abi/snp.h"

#define MAKE_IGVM_PAGES_MAX 32u

struct make_page {
	uint64_t gpa;
	uint8_t fill; /* every byte of the page; 0: no data in the file */
	uint16_t type;
	uint32_t flags;
};

struct make_igvm {
	uint64_t policy;
	struct make_page pages[MAKE_IGVM_PAGES_MAX];
	unsigned int page_count;
	uint64_t required_gpa; /* 0: no REQUIRED_MEMORY; else one of 64 KiB */
	uint64_t vmsa_gpa[2];
	uint16_t vmsa_index[2];
	unsigned int vmsa_count;
	struct snp_vmsa vmsa;
};

/* A file that launches: a page of 0xa5, one of zeros, secrets, CPUID and a VMSA. */
void make_igvm_default(struct make_igvm *make);

/* The file in a new buffer, which the caller frees. */
uint8_t *make_igvm_build(const struct make_igvm *make, size_t *size);

#endif
