/* SPDX-License-Identifier: MIT */
#include "machine/host/firmware_launch.h"

#include <inttypes.h>
#include <string.h>

#include "core/image/host/digest.h"
#include "machine/host/id_block.h"
#include "machine/host/launch_pages.h"

bool firmware_launch_check(const struct firmware *firmware, const struct launch_machine *machine,
			   struct host_error *error)
{
	const uint64_t policy = machine->properties.policy;
	const char *refusal = psp_policy_refusal(policy);

	if (refusal)
		return host_fail(error, "guest policy 0x%" PRIx64 " is refused: %s", policy,
				 refusal);
	if (machine->host->vmsa_place == HOST_VMSA_IN_RAM)
		return host_fail(error,
				 "host %s launches no firmware with VMSAs that are not in RAM",
				 machine->host->name);
	if (machine->kernel_hashes && !firmware->hash_table)
		return host_fail(error, "it has no place for a table of kernel hashes");
	for (uint32_t i = 0; i < firmware->section_count; i++) {
		const struct firmware_section *s = &firmware->sections[i];

		if (!launch_in_ram(s->gpa, s->size, machine->ram_size) ||
		    launch_in_video_memory(s->gpa, s->size))
			return host_fail(error,
					 "its section at gPA 0x%" PRIx32
					 " lies outside the machine's RAM",
					 s->gpa);
	}
	return true;
}

static struct launch_vcpus vcpus_of(const struct launch_machine *machine)
{
	return (struct launch_vcpus){ .count = machine->cpu_count,
				      .signature = machine->vcpu_signature,
				      .sev_features = SNP_FEATURE_SNP };
}

static bool add_range(struct mailbox *mailbox, enum psp_page_type type, uint64_t gpa, uint64_t size,
		      struct host_error *error)
{
	struct mailbox_pages pages = { .gpa = gpa,
				       .count = (uint32_t)(size / ABI_PAGE_SIZE),
				       .type = (uint16_t)type };

	return launch_add_pages(mailbox, pages, error);
}

static bool load_image(const struct firmware *firmware, const struct machine_memory *memory,
		       struct host_error *error)
{
	memcpy(launch_place(memory, firmware->gpa, firmware->size), firmware->data, firmware->size);
	memory->mailbox->flash_size = firmware->size;
	return add_range(memory->mailbox, PSP_PAGE_TYPE_NORMAL, firmware->gpa, firmware->size,
			 error);
}

/* hashes: the page of kernel hashes, or NULL. */
static bool load_section(const struct firmware_section *s, const struct machine_memory *memory,
			 const struct psp *psp, const uint8_t *hashes, struct host_error *error)
{
	uint8_t *at = launch_place(memory, s->gpa, s->size);
	enum psp_page_type type = firmware_page_type(s->type);

	if (type == PSP_PAGE_TYPE_SECRETS)
		psp_fill_secrets(psp, (struct snp_secrets *)at);
	if (s->type == FIRMWARE_KERNEL_HASHES && hashes) {
		memcpy(at, hashes, ABI_PAGE_SIZE);
		type = PSP_PAGE_TYPE_NORMAL;
	}
	return add_range(memory->mailbox, type, s->gpa, s->size, error);
}

static void load_vmsas(const struct firmware *firmware, const struct launch_vcpus *vcpus,
		       struct mailbox *mailbox)
{
	for (uint32_t i = 0; i < vcpus->count; i++) {
		struct snp_vmsa vmsa;

		launch_firmware_vmsa(firmware, vcpus, i, &vmsa);
		psp_fill_vmsa(&vmsa);
		mailbox->vmsa_gpa[i] = IGVM_HELD_VMSA_GPA;
		memcpy(mailbox->held_vmsa[i], &vmsa, sizeof(vmsa));
	}
	mailbox->vmsa_on_startup = true;
}

/* SNP_LAUNCH_FINISH. */
static bool finish(const struct launch_properties *properties, struct psp_launch *launch,
		   struct host_error *error)
{
	const char *refusal = NULL;

	if (properties->has_id_block)
		refusal = id_block_refusal(&properties->id_block, &properties->id_auth,
					   properties->author_key_enabled, launch);
	return !refusal || host_fail(error, "the AMD-SP refuses the ID block with %s", refusal);
}

bool firmware_launch_load(const struct firmware *firmware, const struct launch_machine *machine,
			  const struct machine_memory *memory, struct psp *psp,
			  struct host_error *error)
{
	struct launch_vcpus vcpus = vcpus_of(machine);
	uint8_t page[ABI_PAGE_SIZE];
	const uint8_t *hashes = NULL;
	struct launch_digest digest;

	if (machine->kernel_hashes) {
		launch_firmware_hashes(firmware, machine->kernel_hashes, page);
		hashes = page;
	}
	memory->mailbox->xsave = machine->xsave;
	launch_begin(machine, memory, psp);
	if (!load_image(firmware, memory, error))
		return false;
	for (uint32_t i = 0; i < firmware->section_count; i++) {
		if (!load_section(&firmware->sections[i], memory, psp, hashes, error))
			return false;
	}
	load_vmsas(firmware, &vcpus, memory->mailbox);
	if (!launch_digest_firmware(firmware, &vcpus, hashes, &digest))
		return host_fail_crypto(error, "cannot compute the launch digest");
	memcpy(psp->launch.measurement, digest.value, sizeof(psp->launch.measurement));
	psp->launch.policy = machine->properties.policy;
	return finish(&machine->properties, &psp->launch, error);
}
