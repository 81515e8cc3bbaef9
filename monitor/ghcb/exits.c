/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "abi/psp.h"
#include "abi/snp.h"
#include "monitor/arch/arch.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/base/die.h"
#include "monitor/cpu/wait.h"
#include "monitor/ghcb/ghcb.h"

#define OFFSET_RAX offsetof(struct ghcb, rax)
#define OFFSET_RBX offsetof(struct ghcb, rbx)
#define OFFSET_RCX offsetof(struct ghcb, rcx)
#define OFFSET_RDX offsetof(struct ghcb, rdx)
#define OFFSET_SCRATCH offsetof(struct ghcb, sw_scratch)
#define IOIO_SEGMENT_DS (3u << 10)
#define AP_VMPL_SHIFT 16
#define AP_APIC_ID_SHIFT 32

static void mark_valid(struct ghcb *ghcb, size_t offset)
{
	ghcb->valid_bitmap[offset / 64] |= (uint8_t)(1u << (offset / 8 % 8));
}

static bool is_valid(const volatile struct ghcb *ghcb, size_t offset)
{
	return ghcb->valid_bitmap[offset / 64] >> (offset / 8 % 8) & 1;
}

static void put(struct ghcb *ghcb, size_t offset, uint64_t value)
{
	memcpy((uint8_t *)ghcb + offset, &value, sizeof(value));
	mark_valid(ghcb, offset);
}

/* Reads an output of the host, once. False when the host did not say that it is there. */
static bool take(const struct ghcb *ghcb, size_t offset, uint64_t *value)
{
	const volatile uint64_t *field =
		(const volatile uint64_t *)((const uint8_t *)ghcb + offset);

	if (!is_valid(ghcb, offset))
		return false;
	*value = *field;
	return true;
}

/* A GHCB in which no field is valid, for the next exit. */
static struct ghcb *begin(void)
{
	struct cpu *cpu = cpu_this();

	assert_own(cpu->ghcb, "exit before there is a GHCB");
	memset(cpu->ghcb->valid_bitmap, 0, sizeof(cpu->ghcb->valid_bitmap));
	cpu->ghcb->protocol_version = GHCB_PROTOCOL_MAX;
	cpu->ghcb->usage = 0;
	return cpu->ghcb;
}

static void put_exit(struct ghcb *ghcb, uint64_t code, uint64_t info_1, uint64_t info_2)
{
	put(ghcb, offsetof(struct ghcb, sw_exit_code), code);
	put(ghcb, offsetof(struct ghcb, sw_exit_info_1), info_1);
	put(ghcb, offsetof(struct ghcb, sw_exit_info_2), info_2);
	cpu_write_msr(SNP_MSR_GHCB, cpu_this()->ghcb_page.raw);
}

/* True when the host says that it did what was asked. */
static bool succeeded(const struct ghcb *ghcb)
{
	uint64_t result;

	return take(ghcb, offsetof(struct ghcb, sw_exit_info_1), &result) &&
	       (uint32_t)result == GHCB_RESULT_OK;
}

static bool leave(struct ghcb *ghcb, uint64_t code, uint64_t info_1, uint64_t info_2)
{
	put_exit(ghcb, code, info_1, info_2);
	cpu_vmgexit();
	return succeeded(ghcb);
}

/*
 * Ring 3 can execute VMGEXIT too. It must not repeat our last exit, so nothing in the page says
 * that there is one while a service runs.
 */
void arch_host_close(struct cpu *cpu)
{
	if (cpu->ghcb)
		memset(cpu->ghcb->valid_bitmap, 0, sizeof(cpu->ghcb->valid_bitmap));
}

bool ghcb_io_read8(uint16_t port, uint8_t *value)
{
	struct ghcb *ghcb = begin();
	uint64_t info = (uint64_t)port << SVM_IOIO_PORT_SHIFT | SVM_IOIO_IN | SVM_IOIO_SIZE8;
	uint64_t rax;

	put(ghcb, OFFSET_RAX, 0);
	if (!leave(ghcb, SVM_EXIT_IOIO, info, 0) || !take(ghcb, OFFSET_RAX, &rax))
		return false;
	*value = (uint8_t)rax;
	return true;
}

bool ghcb_io_write8(uint16_t port, uint8_t value)
{
	struct ghcb *ghcb = begin();

	put(ghcb, OFFSET_RAX, value);
	return leave(ghcb, SVM_EXIT_IOIO, (uint64_t)port << SVM_IOIO_PORT_SHIFT | SVM_IOIO_SIZE8,
		     0);
}

bool ghcb_io_write_string(uint16_t port, const void *from, size_t size)
{
	struct ghcb *ghcb = begin();
	uint64_t info = (uint64_t)port << SVM_IOIO_PORT_SHIFT | SVM_IOIO_STRING | SVM_IOIO_REP |
			SVM_IOIO_SIZE8 | SVM_IOIO_ADDR64 | IOIO_SEGMENT_DS;

	if (!size || size > sizeof(ghcb->shared_buffer))
		return false;
	memcpy(ghcb->shared_buffer, from, size);
	put(ghcb, OFFSET_SCRATCH, cpu_this()->ghcb_page.raw + offsetof(struct ghcb, shared_buffer));
	return leave(ghcb, SVM_EXIT_IOIO, info, size);
}

bool ghcb_io_read_string(uint16_t port, void *to, size_t size)
{
	struct ghcb *ghcb = begin();
	uint64_t info = (uint64_t)port << SVM_IOIO_PORT_SHIFT | SVM_IOIO_STRING | SVM_IOIO_REP |
			SVM_IOIO_SIZE8 | SVM_IOIO_ADDR64 | SVM_IOIO_IN;

	if (!size || size > sizeof(ghcb->shared_buffer))
		return false;
	put(ghcb, OFFSET_SCRATCH, cpu_this()->ghcb_page.raw + offsetof(struct ghcb, shared_buffer));
	if (!leave(ghcb, SVM_EXIT_IOIO, info, size))
		return false;
	memcpy(to, ghcb->shared_buffer, size);
	return true;
}

bool ghcb_mmio_write32(uint64_t address, uint32_t value)
{
	struct ghcb *ghcb = begin();

	memcpy(ghcb->shared_buffer, &value, sizeof(value));
	put(ghcb, OFFSET_SCRATCH, cpu_this()->ghcb_page.raw + offsetof(struct ghcb, shared_buffer));
	return leave(ghcb, GHCB_EXIT_MMIO_WRITE, address, sizeof(value));
}

bool ghcb_msr_read(uint32_t msr, uint64_t *value)
{
	struct ghcb *ghcb = begin();
	uint64_t rax, rdx;

	put(ghcb, OFFSET_RCX, msr);
	if (!leave(ghcb, SVM_EXIT_MSR, 0, 0) || !take(ghcb, OFFSET_RAX, &rax) ||
	    !take(ghcb, OFFSET_RDX, &rdx))
		return false;
	*value = rdx << 32 | (uint32_t)rax;
	return true;
}

bool ghcb_msr_write(uint32_t msr, uint64_t value)
{
	struct ghcb *ghcb = begin();

	put(ghcb, OFFSET_RCX, msr);
	put(ghcb, OFFSET_RAX, (uint32_t)value);
	put(ghcb, OFFSET_RDX, value >> 32);
	return leave(ghcb, SVM_EXIT_MSR, 1, 0);
}

bool arch_start_vcpu(uint32_t apic_id, unsigned int vmpl, gpa_t vmsa, uint64_t sev_features)
{
	struct ghcb *ghcb = begin();
	uint64_t info = (uint64_t)apic_id << AP_APIC_ID_SHIFT | (uint64_t)vmpl << AP_VMPL_SHIFT |
			GHCB_AP_CREATE;

	put(ghcb, OFFSET_RAX, sev_features);
	return leave(ghcb, GHCB_EXIT_AP_CREATION, info, vmsa.raw);
}

bool ghcb_set_doorbell(gpa_t page)
{
	return leave(begin(), GHCB_EXIT_HV_DOORBELL, GHCB_DOORBELL_SET, page.raw);
}

bool ghcb_send_ipi(uint64_t icr)
{
	return leave(begin(), GHCB_EXIT_HV_IPI, icr, 0);
}

bool ghcb_configure_int_inj(uint8_t vector)
{
	return leave(begin(), GHCB_EXIT_CONFIGURE_INT_INJ, vector, 0);
}

bool ghcb_specific_eoi(unsigned int vmpl, uint8_t vector)
{
	return leave(begin(), GHCB_EXIT_SPECIFIC_EOI,
		     (uint64_t)vmpl << GHCB_INT_INJ_VMPL_SHIFT | vector, 0);
}

bool ghcb_disable_alt_inj(unsigned int vmpl, uint8_t tpr, bool shadow, bool interrupts)
{
	uint64_t info = (uint64_t)vmpl << GHCB_INT_INJ_VMPL_SHIFT |
			(uint64_t)tpr << GHCB_INT_INJ_TPR_SHIFT |
			(shadow ? GHCB_INT_INJ_SHADOW : 0) | (interrupts ? GHCB_INT_INJ_IF : 0);

	return leave(begin(), GHCB_EXIT_DISABLE_ALT_INJ, info, 0);
}

enum arch_run arch_run_vmpl(unsigned int vmpl)
{
	struct ghcb *ghcb = begin();

	put_exit(ghcb, GHCB_EXIT_RUN_VMPL, vmpl, 0);
	if (!wait_other_vmpl(cpu_this()))
		return ARCH_RUN_EVENT;
	return succeeded(ghcb) ? ARCH_RUN_RETURNED : ARCH_RUN_REFUSED;
}

uint64_t ghcb_guest_request(gpa_t request, gpa_t response, gpa_t certificates, uint64_t *pages)
{
	struct ghcb *ghcb = begin();
	uint64_t code = GHCB_EXIT_GUEST_REQUEST, result;

	if (certificates.raw) {
		code = GHCB_EXIT_EXT_GUEST_REQUEST;
		put(ghcb, OFFSET_RAX, certificates.raw);
		put(ghcb, OFFSET_RBX, *pages);
	}
	/* A host that gives no result, or does not know the exit, counts as busy. */
	if (!leave(ghcb, code, request.raw, response.raw) ||
	    !take(ghcb, offsetof(struct ghcb, sw_exit_info_2), &result))
		return (uint64_t)PSP_VMM_ERR_BUSY << 32;
	if (certificates.raw && result >> 32 == PSP_VMM_ERR_INVALID_LEN)
		take(ghcb, OFFSET_RBX, pages);
	return result;
}
