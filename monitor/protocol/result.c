/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/result.h"

#include "abi/svsm.h"
#include "monitor/arch/arch.h"

uint32_t svsm_result_of_service(enum service_status status)
{
	switch (status) {
	case SERVICE_OK:
		return SVSM_SUCCESS;
	case SERVICE_ERR_FORMAT:
	case SERVICE_ERR_UNSUPPORTED:
		return SVSM_ERR_INVALID_PARAMETER;
	case SERVICE_ERR_BUSY:
		return SVSM_ERR_SERVICE_BUSY;
	case SERVICE_ERR_NO_MEMORY:
	case SERVICE_ERR_FAILED:
		break;
	}
	return SVSM_ERR_SERVICE_FAILED;
}

uint32_t svsm_result_of_page(uint32_t eax)
{
	if (eax == SNP_RESULT_OK)
		return SVSM_SUCCESS;
	if (eax == ARCH_RESULT_FAULT)
		return SVSM_ERR_INVALID_ADDRESS;
	if (eax > 0xf)
		return SVSM_ERR_PVALIDATE_UNKNOWN;
	return SVSM_ERR_PROTOCOL_BASE + eax;
}
