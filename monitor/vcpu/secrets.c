/* SPDX-License-Identifier: MIT */
#include "monitor/vcpu/secrets.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"

#define CORE_VERSION_MAX 1u

static struct snp_secrets secrets;

void secrets_init(const struct socle_params *params)
{
	struct snp_secrets *page = direct_ptr(gpa(params->secrets_page));

	secrets = *page;
	explicit_bzero(page, sizeof(*page));
}

const uint8_t *secrets_vmpck0(void)
{
	return secrets.vmpck[0];
}

void secrets_give_guest(const struct socle_params *params, struct snp_secrets *page)
{
	*page = secrets;
	for (unsigned int vmpl = 0; vmpl < guest_vmpl(); vmpl++)
		explicit_bzero(page->vmpck[vmpl], SNP_VMPCK_SIZE);
	page->svsm_base = params->region.gpa;
	page->svsm_size = params->region.size;
	page->svsm_caa = params->guest_caa;
	page->svsm_max_version = CORE_VERSION_MAX;
	page->svsm_guest_vmpl = guest_vmpl();

	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++)
		explicit_bzero(secrets.vmpck[vmpl], SNP_VMPCK_SIZE);
}

void secrets_wipe(void)
{
	explicit_bzero(&secrets, sizeof(secrets));
}
