/* SPDX-License-Identifier: MIT */
/* Calls that services answer: vTPM (58019, section 8) and attestation (section 7). */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define VTPM_QUERY 0x200000000ull
#define VTPM_CMD 0x200000001ull
#define ATTEST_SERVICES 0x100000000ull
#define ATTEST_SINGLE 0x100000001ull

/* Request: u32 command, u8 locality, u32 size, then the command. Response: u32 size, then it. */
static void put_command(uint64_t at, uint32_t command, uint8_t locality, uint32_t size)
{
	/* TPM2_GetRandom of 8 bytes: TPM 2.0 Library part 3, section 16.1 */
	static const uint8_t get_random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 };

	memcpy((void *)at, &command, 4);
	memcpy((void *)(at + 4), &locality, 1);
	memcpy((void *)(at + 5), &size, 4);
	memcpy((void *)(at + 9), get_random, sizeof(get_random));
}

static uint32_t word(uint64_t at)
{
	uint32_t value;

	memcpy(&value, (const void *)at, 4);
	return value;
}

static void expect_random(uint64_t at)
{
	put_command(at, 8, 0, 12);
	expect("TPM2_GetRandom", svsm_call(VTPM_CMD, at, 0, 0), 0);
	expect("size of the response", word(at), 20);
	expect("its tag and size", word(at + 4), 0x00000180);
	expect("its response code", word(at + 10), 0);
}

static void query(void)
{
	struct svsm_regs regs = { .rax = VTPM_QUERY, .rcx = ~0ull, .rdx = ~0ull };

	expect("the call is taken", svsm_call_regs(&regs, 1), true);
	expect("result", regs.rax, 0);
	expect("TPM_SEND_COMMAND and no other", regs.rcx, 0x100);
	expect("commands in turns, and no other feature", regs.rdx, 0x8000000000000000);
}

static void command_buffer(void)
{
	struct bad_address bad[BAD_ADDRESSES];
	uint64_t last = places.svsm - 0x1000;

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++)
		expect(bad[i].what, svsm_call(VTPM_CMD, bad[i].gpa, 0, 0), 0x80000003);
	put_command(last + 8, 8, 0, 12);
	expect("a buffer that ends in Socle", svsm_call(VTPM_CMD, last + 8, 0, 0), 0x80000003);
	expect("a buffer that begins before all", svsm_call(VTPM_CMD, ~0ull - 7, 0, 0), 0x80000003);
	expect_random(last);
}

static void command_header(void)
{
	static const struct {
		const char *what;
		uint32_t command;
		uint8_t locality;
		uint32_t size;
		uint64_t result;
	} bad[] = {
		{ "command 0", 0, 0, 12, 0x80000006 },
		{ "command 1, TPM_SIGNAL_POWER_ON", 1, 0, 12, 0x80000006 },
		{ "command 0xffffffff", 0xffffffff, 0, 12, 0x80000006 },
		{ "locality 1", 8, 1, 12, 0x80000005 },
		{ "locality 4", 8, 4, 12, 0x80000005 },
		{ "locality 255", 8, 255, 12, 0x80000005 },
		{ "no byte", 8, 0, 0, 0x80000005 },
		{ "one more than the buffer has", 8, 0, 4088, 0x80000005 },
		{ "4 GiB", 8, 0, 0xffffffff, 0x80000005 },
	};
	uint64_t page = page_new();

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_command(page, bad[i].command, bad[i].locality, bad[i].size);
		expect(bad[i].what, svsm_call(VTPM_CMD, page, 0, 0), bad[i].result);
		expect("nothing is written", word(page + 5), bad[i].size);
	}
	expect_random(page);
}

/* What the TPM thinks of a command is in its response. */
static void command_garbage(void)
{
	uint64_t page = page_new();

	for (unsigned int fill = 0; fill < 256; fill += 51) {
		memset((void *)page, (int)fill, 4096);
		put_command(page, 8, 0, 4087);
		memset((void *)(page + 9), (int)fill, 4087);
		expect("a command of one byte", svsm_call(VTPM_CMD, page, 0, 0), 0);
		expect("a response of a header", word(page), 10);
		expect("with an error", word(page + 10) != 0, true);
	}
	expect_random(page + 0x3); /* any alignment, as long as the page behind is the guest's */
}

static void command_taken(void)
{
	uint64_t page = page_new();

	put_command(page, 8, 0, 12);
	pages_keep(page, 1, "invalid");
	expect("shared", psc_msr(page, PSC_SHARED), true);
	expect("private", psc_msr(page, PSC_PRIVATE), true);
	expect("result", svsm_call(VTPM_CMD, page, 0, 0), 0x80000003);
	expect_random(page_new());
}

/* Attestation. */

static uint64_t attest(uint64_t call, const struct svsm_attest_op *op)
{
	return svsm_call(call, (uint64_t)op, 0, 0);
}

/* SNP firmware ABI, ATTESTATION_REPORT: version, VMPL at 0x30, 1184 bytes. */
static void expect_report(struct svsm_attest_op *op)
{
	struct svsm_regs regs = { .rax = ATTEST_SINGLE, .rcx = (uint64_t)op };

	expect("the call is taken", svsm_call_regs(&regs, 1), true);
	expect("result", regs.rax, 0);
	expect("size of the report", regs.r8, 1184);
	expect("VMPL of the report", word(op->report.gpa + 0x30), 0);
	expect("the manifest is not empty", regs.rcx != 0, true);
}

static void attest_block(void)
{
	struct bad_address bad[BAD_ADDRESSES];
	uint64_t last = places.svsm - 0x1000;

	bad_addresses(bad);
	for (unsigned int i = 0; i < BAD_ADDRESSES; i++) {
		expect(bad[i].what, svsm_call(ATTEST_SERVICES, bad[i].gpa, 0, 0), 0x80000003);
		expect(bad[i].what, svsm_call(ATTEST_SINGLE, bad[i].gpa, 0, 0), 0x80000003);
	}
	expect("a block that ends in Socle", svsm_call(ATTEST_SINGLE, last + 0xff0, 0, 0),
	       0x80000003);
	expect_report(attest_op_new());
}

/* Each buffer of the block at each bad address; nothing is written to any other. */
static void attest_buffers(void)
{
	struct svsm_attest_op *op = attest_op_new();
	struct svsm_loc *const buffers[] = { &op->report, &op->nonce, &op->manifest,
					     &op->certificates };
	struct bad_address bad[BAD_ADDRESSES];

	bad_addresses(bad);
	op->certificates = (struct svsm_loc){ .gpa = page_new(), .size = 0x1000 };
	for (unsigned int b = 0; b < 4; b++) {
		uint64_t good = buffers[b]->gpa;

		for (unsigned int i = 0; i < BAD_ADDRESSES; i++) {
			buffers[b]->gpa = bad[i].gpa;
			expect(bad[i].what, attest(ATTEST_SINGLE, op), 0x80000003);
			expect(bad[i].what, attest(ATTEST_SERVICES, op), 0x80000003);
		}
		buffers[b]->gpa = good;
	}
	expect("no report was written", page_zero(op->report.gpa), true);
	expect("no manifest was written", page_zero(op->manifest.gpa), true);
	op->certificates.size = 0;
	expect_report(op);
}

static void attest_sizes(void)
{
	struct svsm_attest_op *op = attest_op_new();
	static const uint32_t nonces[] = { 0, 1, 63, 65, 128, 0xffffffff };

	for (unsigned int i = 0; i < 6; i++) {
		op->nonce.size = nonces[i];
		expect("a nonce of another size", attest(ATTEST_SINGLE, op), 0x80000005);
	}
	op->nonce.size = 64;
	op->report.size = 1183;
	expect("a report buffer that is too small", attest(ATTEST_SINGLE, op), 0x80000005);
	expect("no report was written", page_zero(op->report.gpa), true);
	op->report.size = 0x1000;
	op->report.reserved = 1;
	expect("a reserved field", attest(ATTEST_SINGLE, op), 0x80000005);
	op->report.reserved = 0;
	op->reserved = 1;
	expect("the last reserved field", attest(ATTEST_SINGLE, op), 0x80000005);
	op->reserved = 0;
	op->service.bytes[0] ^= 1;
	expect("a service that is not there", attest(ATTEST_SINGLE, op), 0x80000005);
	op->service.bytes[0] ^= 1;
	expect_report(op);
}

static void attest_taken(void)
{
	struct svsm_attest_op *op = attest_op_new();

	for (unsigned int i = 0; i < 3; i++) {
		struct svsm_loc *const buffers[] = { &op->report, &op->nonce, &op->manifest };
		uint64_t good = buffers[i]->gpa, taken = page_new();

		pages_keep(taken, 1, "invalid");
		expect("shared", psc_msr(taken, PSC_SHARED), true);
		expect("private", psc_msr(taken, PSC_PRIVATE), true);
		buffers[i]->gpa = taken;
		expect("a buffer that the host took", attest(ATTEST_SINGLE, op), 0x80000003);
		buffers[i]->gpa = good;
	}
	expect_report(op);
}

/* Keys of other levels: 58019, section 3 (secrets page), and what Linux wants of its own. */
static void secrets(void)
{
	const struct snp_secrets *page = (const struct snp_secrets *)places.secrets_page;
	unsigned int bits[SNP_VMPL_COUNT] = { 0 };

	for (unsigned int level = 0; level < SNP_VMPL_COUNT; level++) {
		for (unsigned int i = 0; i < SNP_VMPCK_SIZE; i++)
			bits[level] |= page->vmpck[level][i];
	}
	for (unsigned int level = 0; level < SNP_VMPL_COUNT; level++)
		expect("VMPCKs of its level and of less privileged ones, and no other",
		       bits[level] != 0, level >= places.vmpl);
	expect("guest VMPL", page->svsm_guest_vmpl, places.vmpl);
	expect("version of the core protocol", page->svsm_max_version, 1);
}

/* Two vCPUs use the TPM and the attestation at once. */
static void hammer(void)
{
	for (unsigned int i = 0; i < 20; i++)
		expect_random(cpu_this()->list);
}

static void from_all_cpus(void)
{
	struct svsm_attest_op *op = attest_op_new();

	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, hammer);
	for (unsigned int i = 0; i < 3; i++)
		expect_report(op);
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
}

const struct rule rules[] = {
	{ "the secrets page has no key of a higher level", "58019 3, table 1", secrets, 1 },
	{ "vTPM query", "58019 8.1", query, 1 },
	{ "vTPM command in what is not the guest's", "58019 8.2", command_buffer, 1 },
	{ "vTPM command header", "58019 8.2, table 16", command_header, 1 },
	{ "vTPM commands that are none", "58019 8.2; TPM 2.0 part 3", command_garbage, 1 },
	{ "vTPM command that the host took", "58019 8.2", command_taken, 1 },
	{ "attestation block in what is not the guest's", "58019 7", attest_block, 1 },
	{ "attestation buffers in what is not the guest's", "58019 7", attest_buffers, 1 },
	{ "attestation: sizes and reserved fields", "58019 7, tables 11 and 13", attest_sizes, 1 },
	{ "attestation buffers that the host took", "58019 7", attest_taken, 1 },
	{ "vTPM and attestation from all vCPUs at once", "58019 7, 8", from_all_cpus, 2 },
	{ NULL, NULL, NULL, 0 },
};
