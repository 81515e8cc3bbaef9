/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/protocol.h"

#include <stddef.h>

#include "abi/params.h"
#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/service/service.h"

/* Every call of Socle. What is not here does not exist, and QUERY_PROTOCOL says so. */
static const struct svsm_table_entry table[] = {
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_REMAP_CA, 1, svsm_core_remap_ca },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_PVALIDATE, 1, svsm_core_pvalidate },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_CREATE_VCPU, 1, svsm_core_create_vcpu },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_DELETE_VCPU, 1, svsm_core_delete_vcpu },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_DEPOSIT_MEM, 1, svsm_core_deposit_mem },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_WITHDRAW_MEM, 1, svsm_core_withdraw_mem },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_QUERY_PROTOCOL, 1, svsm_core_query_protocol },
	{ SVSM_PROTOCOL_CORE, SVSM_CORE_CONFIGURE_VTOM, 1, svsm_core_configure_vtom },
	{ SVSM_PROTOCOL_ATTEST, SVSM_ATTEST_SERVICES, 1, svsm_attest_services },
	{ SVSM_PROTOCOL_ATTEST, SVSM_ATTEST_SINGLE_SERVICE, 1, svsm_attest_single_service },
	{ SVSM_PROTOCOL_ATTEST, SVSM_ATTEST_SINGLE_SERVICE_EX, 2, svsm_attest_single_service_ex },
	{ SVSM_PROTOCOL_VTPM, SVSM_VTPM_QUERY, 1, svsm_vtpm_query },
	{ SVSM_PROTOCOL_VTPM, SVSM_VTPM_CMD, 1, svsm_vtpm_cmd },
	{ SVSM_PROTOCOL_APIC, SVSM_APIC_QUERY_FEATURES, 1, svsm_apic_query_features },
	{ SVSM_PROTOCOL_APIC, SVSM_APIC_CONFIGURE, 1, svsm_apic_configure },
	{ SVSM_PROTOCOL_APIC, SVSM_APIC_READ_REGISTER, 1, svsm_apic_read_register },
	{ SVSM_PROTOCOL_APIC, SVSM_APIC_WRITE_REGISTER, 1, svsm_apic_write_register },
	{ SVSM_PROTOCOL_APIC, SVSM_APIC_CONFIGURE_VECTOR, 1, svsm_apic_configure_vector },
};
#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

static uint32_t protocol_of(uint64_t rax)
{
	return (uint32_t)(rax >> 32);
}

static uint32_t call_of(uint64_t rax)
{
	return (uint32_t)rax;
}

/*
 * What less privileged levels of the guest have: the core protocol, which acts for them on what is
 * theirs, and of the services what the image grants. The APIC is the first level's.
 */
static bool lower_has(uint32_t protocol)
{
	switch (protocol) {
	case SVSM_PROTOCOL_CORE:
		return true;
	case SVSM_PROTOCOL_ATTEST:
		return level_lower_may(SOCLE_LOWER_ATTEST);
	case SVSM_PROTOCOL_VTPM:
		return level_lower_may(SOCLE_LOWER_VTPM);
	default:
		return false;
	}
}

/*
 * False for a protocol that this image, this vCPU, or this level does not have whatever the table
 * says.
 */
static bool here(unsigned int vmpl, uint32_t protocol)
{
	if (level_is_lower(vmpl))
		return lower_has(protocol);
	return protocol != SVSM_PROTOCOL_APIC || guest_apic_emulated(arch_cpu_index());
}

static const struct svsm_table_entry *find(unsigned int vmpl, uint64_t rax)
{
	if (!here(vmpl, protocol_of(rax)))
		return NULL;
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		if (table[i].protocol == protocol_of(rax) && table[i].call == call_of(rax))
			return &table[i];
	}
	return NULL;
}

/* The lowest and highest version of a protocol in the table, false when it has no row. */
static bool table_versions(uint32_t protocol, uint32_t *min, uint32_t *max)
{
	bool known = false;

	for (size_t i = 0; i < TABLE_SIZE; i++) {
		uint32_t since = table[i].since;

		if (table[i].protocol != protocol)
			continue;
		*min = !known || since < *min ? since : *min;
		*max = !known || since > *max ? since : *max;
		known = true;
	}
	return known;
}

/* True when what serves the protocol is alive. The monitor itself always is. */
static bool served(uint32_t protocol)
{
	if (protocol == SVSM_PROTOCOL_ATTEST)
		return service_available(SERVICE_ATTEST);
	if (protocol == SVSM_PROTOCOL_VTPM)
		return service_available(SERVICE_VTPM);
	return true;
}

bool svsm_protocol_versions(unsigned int vmpl, uint32_t protocol, uint32_t *min, uint32_t *max)
{
	return here(vmpl, protocol) && table_versions(protocol, min, max) && served(protocol);
}

bool svsm_call_exists(uint64_t rax)
{
	return find(guest_vmpl(), rax) != NULL;
}

static uint32_t unknown_call(unsigned int vmpl, uint64_t rax)
{
	uint32_t min, max;

	if (here(vmpl, protocol_of(rax)) && table_versions(protocol_of(rax), &min, &max))
		return SVSM_ERR_UNSUPPORTED_CALL;
	return SVSM_ERR_UNSUPPORTED_PROTOCOL;
}

void svsm_dispatch(struct svsm_call *call, uint8_t pending)
{
	const struct svsm_table_entry *entry = find(call->caller.vmpl, call->rax);

	call->caller_deleted = false;
	if (pending != 1)
		call->rax = SVSM_ERR_INVALID_FORMAT;
	else if (!entry)
		call->rax = unknown_call(call->caller.vmpl, call->rax);
	else
		call->rax = entry->handler(call);
}
