/* SPDX-License-Identifier: MIT */
/*
 * The world of the protocol tests: the model's memory laid out as a VM, its guest pages and vCPUs
 * as after a launch, a run loop of a few lines, and services that answer what a test tells them.
 *
 *	0 .. 8 MiB	RAM; 1..2 MiB loaded by the file; 2..4 MiB validated as one 2 MiB page;
 *			4..8 MiB not validated
 *	8 .. 10 MiB	nothing
 *	10 .. 16 MiB	RAM; 10..11 MiB validated as pages of 4 KiB; Socle's region 12..13 MiB;
 *			the last page of RAM is valid
 */
#ifndef SOCLE_MONITOR_ARCH_MODEL_TESTS_WORLD_H
#define SOCLE_MONITOR_ARCH_MODEL_TESTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"
#include "abi/svsm.h"
#include "monitor/arch/model/model.h"
#include "monitor/protocol/protocol.h"
#include "monitor/service/service.h"

#define MIB (1ull << 20)
#define WORLD_CPUS 4u
#define WORLD_LOADED (1 * MIB)
#define WORLD_LARGE (2 * MIB)	/* a valid 2 MiB page */
#define WORLD_INVALID (4 * MIB) /* not validated, 4 MiB of it */
#define WORLD_HOLE (8 * MIB)	/* no RAM, 2 MiB of it */
#define WORLD_SMALL (10 * MIB)	/* valid pages of 4 KiB, 1 MiB of them */
#define WORLD_REGION (12 * MIB)
#define WORLD_REGION_SIZE (1 * MIB)
#define WORLD_BOOT_VMSA (WORLD_REGION + 0x1000)
#define WORLD_BOOT_CAA (WORLD_LOADED + 0x1000)
#define WORLD_LAST_PAGE (MODEL_SIZE - ABI_PAGE_SIZE)

/* A service of the tests: what it answers, and what it was asked last. */
struct world_service {
	bool available;
	enum service_status status;
	uint8_t reply[SERVICE_MESSAGE_MAX];
	size_t reply_size;
	unsigned int calls; /* requests, however many slices they took */
	uint32_t op;
	uint8_t payload[SERVICE_MESSAGE_MAX];
	size_t payload_size;
	/*
	 * Called before the reply is taken: something that happens meanwhile, or that makes the
	 * reply fit the request.
	 */
	void (*while_working)(void);
	unsigned int slices; /* calls in slices: how many are not the last */
	bool suspended;
	bool in_use;  /* by somebody else: service_try() finds it busy */
	bool is_kept; /* what a suspended one came to, for another one's sake */
	struct service_answer kept;
	unsigned int aborts;
};

/* A new world. Aborts when it cannot be made. */
void world_start(void);

struct world_service *world_service(enum service_role role);

/* One call of cpu, as the run loop makes it: registers in, registers out. */
struct svsm_call world_call(unsigned int cpu, uint64_t rax, uint64_t rcx, uint64_t rdx,
			    uint64_t r8);

/* The same of a level of that vCPU. */
struct svsm_call world_level_call(unsigned int vmpl, unsigned int cpu, uint64_t rax, uint64_t rcx,
				  uint64_t rdx, uint64_t r8);

/* The same, for its result only, from the boot vCPU. */
uint32_t world_core(uint32_t call, uint64_t rcx, uint64_t rdx, uint64_t r8);

/* Writes to and reads guest memory as the guest itself does. */
void world_put(uint64_t at, const void *from, size_t size);
void world_get(void *to, uint64_t at, size_t size);

/* Makes the page a good VMSA image for the guest, at its first level or at another one. */
void world_put_vmsa(uint64_t page);
void world_put_vmsa_of(uint64_t page, uint8_t vmpl);

/* Creates a vCPU for cpu at these pages; aborts when that fails. */
void world_create(unsigned int cpu, uint64_t vmsa, uint64_t caa);

/*
 * A second level: VMPL3 of cpu at these pages, made by the boot vCPU, which gives it the calling
 * area. And what the first level gives to VMPL3 by RMPADJUST, on 4 KiB: all rights, or these.
 */
void world_create_lower(unsigned int cpu, uint64_t vmsa, uint64_t caa);
void world_share(uint64_t page);
void world_share_as(uint64_t page, unsigned int perms);

/* A list for PVALIDATE at list: entries, next, and the entries. */
void world_put_list(uint64_t list, uint16_t count, uint16_t next, const uint64_t *entries);

/* What the guest may do at VMPL2 on that page: everything, or nothing. */
bool world_guest_owns(uint64_t page);
bool world_guest_barred(uint64_t page);

/* True when VMPL2 may read the page, as Linux reads its VMSAs, and the guest nothing else. */
bool world_guest_reads(uint64_t page);

#define CORE(call) ((uint64_t)SVSM_PROTOCOL_CORE << 32 | (call))
#define ATTEST(call) ((uint64_t)SVSM_PROTOCOL_ATTEST << 32 | (call))
#define VTPM(call) ((uint64_t)SVSM_PROTOCOL_VTPM << 32 | (call))

#endif
