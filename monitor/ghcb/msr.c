/* SPDX-License-Identifier: MIT */
#include "abi/snp.h"
#include "monitor/arch/arch.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/base/die.h"
#include "monitor/ghcb/ghcb.h"

#define GFN_MASK 0x000ffffffffff000ull
#define PSC_OPERATION_SHIFT 52
#define REPLY_SHIFT 32
#define SEV_INFO_MAX_SHIFT 48
#define SEV_INFO_MIN_SHIFT 32

/* One request. The MSR then names the GHCB page again, if there is one. */
static uint64_t msr_request(uint64_t request)
{
	cpu_write_msr(SNP_MSR_GHCB, request);
	cpu_vmgexit();

	uint64_t reply = cpu_read_msr(SNP_MSR_GHCB);

	if (cpu_on_block() && cpu_this()->ghcb)
		cpu_write_msr(SNP_MSR_GHCB, cpu_this()->ghcb_page.raw);
	return reply;
}

static uint32_t info(uint64_t reply)
{
	return (uint32_t)(reply & GHCB_MSR_INFO_MASK);
}

void arch_host_negotiate(void)
{
	uint64_t reply = msr_request(GHCB_MSR_SEV_INFO_REQ);
	uint16_t max = (uint16_t)(reply >> SEV_INFO_MAX_SHIFT);
	uint16_t min = (uint16_t)(reply >> SEV_INFO_MIN_SHIFT);

	if (info(reply) != GHCB_MSR_SEV_INFO_RESP || max < GHCB_PROTOCOL_MIN ||
	    min > GHCB_PROTOCOL_MAX)
		ghcb_terminate(GHCB_TERM_SET_GENERIC, GHCB_TERM_GENERIC_PROTOCOL);
}

bool arch_host_suffices(uint64_t *features)
{
	uint64_t need = GHCB_HV_FEATURE_SNP | GHCB_HV_FEATURE_AP_CREATION |
			GHCB_HV_FEATURE_RESTRICTED_INJECTION | GHCB_HV_FEATURE_MULTI_VMPL;
	uint64_t reply = msr_request(GHCB_MSR_HV_FEATURES_REQ);

	*features = info(reply) == GHCB_MSR_HV_FEATURES_RESP ? reply >> 12 : 0;
	return (*features & need) == need;
}

bool ghcb_page_state(gpa_t page, bool private_page)
{
	uint64_t operation = private_page ? GHCB_PSC_PRIVATE : GHCB_PSC_SHARED;
	uint64_t reply = msr_request((operation << PSC_OPERATION_SHIFT) | (page.raw & GFN_MASK) |
				     GHCB_MSR_PSC_REQ);

	return info(reply) == GHCB_MSR_PSC_RESP && reply >> REPLY_SHIFT == 0;
}

bool ghcb_register(gpa_t page)
{
	return msr_request(page.raw | GHCB_MSR_REG_GPA_REQ) == (page.raw | GHCB_MSR_REG_GPA_RESP);
}

_Noreturn void ghcb_terminate(uint8_t set, uint8_t code)
{
	uint64_t request = (uint64_t)code << GHCB_MSR_TERM_CODE_SHIFT |
			   (uint64_t)(set & 0xf) << GHCB_MSR_TERM_SET_SHIFT | GHCB_MSR_TERM_REQ;

	for (;;) {
		cpu_write_msr(SNP_MSR_GHCB, request);
		cpu_vmgexit();
		cpu_halt();
	}
}
