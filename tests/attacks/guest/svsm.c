/* SPDX-License-Identifier: MIT */
/* Calls to the SVSM (58019, section 5), and page state changes that it knows or does not. */
#include "tests/attacks/guest/attack.h"

#define RUN_VMPL0_REQUEST 0x016u
#define RUN_VMPL0_DONE 0x017u
#define PSC_DONE 0x015u
#define PSC_HUGE (1ull << 56)
#define PSC_OPERATION_SHIFT 52
#define SHARED_BUFFER 0x800u

void vmgexit_with(uint64_t ghcb_msr, struct svsm_regs *regs)
{
	register uint64_t r8 __asm__("r8");
	register uint64_t r9 __asm__("r9");

	msr_write(SNP_MSR_GHCB, ghcb_msr);
	r8 = regs->r8; /* not before, for a call may change them */
	r9 = regs->r9;
	__asm__ volatile("rep; vmmcall"
			 : "+a"(regs->rax), "+c"(regs->rcx), "+d"(regs->rdx), "+r"(r8), "+r"(r9)
			 :
			 : "memory");
	regs->r8 = r8;
	regs->r9 = r9;
}

bool svsm_run(struct svsm_regs *regs)
{
	vmgexit_with(RUN_VMPL0_REQUEST, regs);
	return msr_read(SNP_MSR_GHCB) == RUN_VMPL0_DONE;
}

bool svsm_call_regs(struct svsm_regs *regs, uint8_t pending)
{
	struct svsm_caa *caa = (struct svsm_caa *)cpu_this()->caa;
	bool ran;

	__atomic_store_n(&caa->call_pending, pending, __ATOMIC_SEQ_CST);
	ran = svsm_run(regs);
	return __atomic_exchange_n(&caa->call_pending, 0, __ATOMIC_SEQ_CST) == 0 && ran;
}

uint64_t svsm_call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	struct svsm_regs regs = { .rax = rax, .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return svsm_call_regs(&regs, 1) ? regs.rax : SVSM_NOT_TAKEN;
}

/*
 * 58019, section 6.7: RCX = protocol in 63:32, version in 31:0; the answer is the highest and
 * lowest.
 */
bool svsm_alive(void)
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };

	return svsm_call_regs(&regs, 1) && regs.rax == 0 && regs.rcx == 0x100000001;
}

struct pvalidate_list *svsm_list(void)
{
	return (struct pvalidate_list *)cpu_this()->list;
}

uint64_t svsm_pvalidate_list(void)
{
	return svsm_call(CORE_PVALIDATE, cpu_this()->list, 0, 0);
}

uint64_t svsm_pvalidate(uint64_t entry)
{
	struct pvalidate_list *list = svsm_list();

	list->entries = 1;
	list->next = 0;
	list->entry[0] = entry;
	return svsm_pvalidate_list();
}

bool page_valid(uint64_t gpa)
{
	return svsm_pvalidate(gpa | ENTRY_VALIDATE) == 0x80001010;
}

bool psc_msr(uint64_t gpa, unsigned int operation)
{
	return ghcb_msr_call(0x014 | gpa | (uint64_t)operation << PSC_OPERATION_SHIFT) == PSC_DONE;
}

/* 56421, section 4.1.6: a list of one entry in the shared buffer. */
bool psc_list(uint64_t gpa, unsigned int operation, bool huge)
{
	volatile struct ghcb *ghcb = ghcb_own();
	volatile struct ghcb_psc_header *header = (volatile void *)ghcb->shared_buffer;
	volatile uint64_t *entry = (volatile uint64_t *)(header + 1);
	struct ghcb_answer answer;

	header->cur_entry = 0;
	header->end_entry = 0;
	header->reserved = 0;
	*entry = gpa | (uint64_t)operation << PSC_OPERATION_SHIFT | (huge ? PSC_HUGE : 0);
	ghcb->sw_scratch = ghcb_gpa() + SHARED_BUFFER;
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	answer = ghcb_exit(0x80000010, 0, 0);
	return answer.result == 0 && answer.info_2 == 0 && header->cur_entry == 1;
}

uint64_t page_give_up(uint64_t gpa)
{
	uint64_t result = svsm_pvalidate(gpa);

	return result == 0 && !psc_msr(gpa, PSC_SHARED) ? SVSM_NOT_TAKEN : result;
}

uint64_t page_get_back(uint64_t gpa)
{
	return psc_msr(gpa, PSC_PRIVATE) ? svsm_pvalidate(gpa | ENTRY_VALIDATE) : SVSM_NOT_TAKEN;
}
