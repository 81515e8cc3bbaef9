/* SPDX-License-Identifier: MIT */
/* Core protocol (58019, section 6): what is not about validation and vCPUs. */
#include "monitor/mem/guest_copy.h"
#include "monitor/protocol/protocol.h"
#include "monitor/vcpu/registry.h"

uint32_t svsm_core_remap_ca(struct svsm_call *call)
{
	gpa_t caa = gpa(call->rcx);

	if (!gpa_aligned(caa, ABI_PAGE_SIZE))
		return SVSM_ERR_INVALID_PARAMETER;
	if (registry_remap(call->caller.cpu, call->caller.vmpl, caa) != REGISTRY_OK)
		return SVSM_ERR_INVALID_ADDRESS;
	call->caller.caa = caa;
	return SVSM_SUCCESS;
}

/*
 * Socle never answers that it needs pages, so there is nothing that a deposit could be for. The
 * list is judged as the specification says, and the request then refused.
 */
uint32_t svsm_core_deposit_mem(struct svsm_call *call)
{
	struct svsm_pvalidate_list list;
	uint64_t room = ABI_PAGE_SIZE - call->rcx % ABI_PAGE_SIZE;

	if (!gpa_aligned(gpa(call->rcx), 8))
		return SVSM_ERR_INVALID_PARAMETER;
	if (!guest_copy_in(call->caller.vmpl, &list, gpa(call->rcx), sizeof(list)))
		return SVSM_ERR_INVALID_ADDRESS;
	if (list.entries == 0 || list.next >= list.entries ||
	    list.entries > (room - sizeof(list)) / sizeof(uint64_t))
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_ERR_INVALID_REQUEST;
}

/* Nothing was deposited: an empty list. The bytes after its count are unused and stay. */
uint32_t svsm_core_withdraw_mem(struct svsm_call *call)
{
	uint64_t room = ABI_PAGE_SIZE - call->rcx % ABI_PAGE_SIZE;
	uint16_t entries = 0;

	if (!gpa_aligned(gpa(call->rcx), 8) || room < 2 * sizeof(uint64_t))
		return SVSM_ERR_INVALID_PARAMETER;
	if (!guest_copy_out(call->caller.vmpl, gpa(call->rcx), &entries, sizeof(entries)))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

uint32_t svsm_core_query_protocol(struct svsm_call *call)
{
	uint32_t version = (uint32_t)call->rcx;
	uint32_t min, max;
	bool offered = svsm_protocol_versions(call->caller.vmpl, (uint32_t)(call->rcx >> 32), &min,
					      &max);

	if (offered && version >= min && version <= max)
		call->rcx = (uint64_t)max << 32 | min;
	else
		call->rcx = 0;
	return SVSM_SUCCESS;
}

/* 58019, table 9. Confidentiality is by the C-bit alone: a query says so, a change is refused. */
uint32_t svsm_core_configure_vtom(struct svsm_call *call)
{
	if (!(call->rcx & SVSM_VTOM_QUERY)) {
		if (call->rcx & SVSM_VTOM_CONFIGURE_RESERVED)
			return SVSM_ERR_INVALID_PARAMETER;
		return SVSM_ERR_INVALID_REQUEST;
	}
	if (call->rcx & SVSM_VTOM_QUERY_RESERVED)
		return SVSM_ERR_INVALID_PARAMETER;
	call->rcx = 0;
	return SVSM_SUCCESS;
}
