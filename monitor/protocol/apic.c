/* SPDX-License-Identifier: MIT */
/* The APIC protocol (58019, protocol 3, version 1), on vCPUs whose APIC is Socle's. */
#include "monitor/apic/guest.h"
#include "monitor/protocol/protocol.h"

/* There is nothing beyond the base set. */
uint32_t svsm_apic_query_features(struct svsm_call *call)
{
	call->rcx = 0;
	return SVSM_SUCCESS;
}

uint32_t svsm_apic_configure(struct svsm_call *call)
{
	switch (call->rcx) {
	case SVSM_APIC_CONFIGURE_QUERY:
		break;
	case SVSM_APIC_CONFIGURE_DEREGISTER:
		guest_apic_deregister();
		break;
	case SVSM_APIC_CONFIGURE_REGISTER:
		return guest_apic_register() ? SVSM_SUCCESS : SVSM_ERR_APIC_CANNOT_REGISTER;
	default:
		return SVSM_ERR_INVALID_PARAMETER;
	}
	/* A VMSA that is not there any more is found out when the answer is written. */
	(void)guest_apic_settle(call->caller.cpu, call->caller.vmsa);
	return SVSM_SUCCESS;
}

uint32_t svsm_apic_read_register(struct svsm_call *call)
{
	uint64_t value;

	if (!guest_apic_read(call->caller.cpu, call->rcx, &value))
		return SVSM_ERR_INVALID_PARAMETER;
	call->rdx = value;
	return SVSM_SUCCESS;
}

uint32_t svsm_apic_write_register(struct svsm_call *call)
{
	switch (guest_apic_write(call->caller.cpu, call->rcx, call->rdx)) {
	case GUEST_APIC_DONE:
		return SVSM_SUCCESS;
	case GUEST_APIC_REFUSED:
		return SVSM_ERR_INVALID_PARAMETER;
	case GUEST_APIC_GIVEN:
		break;
	}
	return SVSM_ERR_INVALID_REQUEST;
}

uint32_t svsm_apic_configure_vector(struct svsm_call *call)
{
	return guest_apic_configure_vector(call->caller.cpu, call->rcx)
		       ? SVSM_SUCCESS
		       : SVSM_ERR_INVALID_PARAMETER;
}
