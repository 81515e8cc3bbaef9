/* SPDX-License-Identifier: MIT */
/*
 * Messages to the AMD-SP (SEV-SNP Firmware ABI, guest messages and SNP_GUEST_REQUEST). A key may be
 * used by whoever has it, at any VMPL; its sequence number belongs to the key. Errors of the
 * firmware are in SW_EXITINFO2 31:0, the status of a request in its answer.
 */
#include <string.h>

#include "tests/machine/rules/families.h"
#include "tests/machine/rules/message.h"

#define SECTION "SEV-SNP Firmware ABI, SNP_GUEST_REQUEST"
#define SECRETS_PAGE 0x702000ull
#define GUEST_REQUEST 0x80000011ull
#define TRIES 100u /* a host may be busy */

/* How a message differs from a good one. */
enum {
	GOOD,
	SEQNO_ZERO,
	SEQNO_AGAIN,
	SEQNO_AHEAD,
	SEQNO_ONE_MORE,
	TAG,
	ALGORITHM,
	HEADER_VERSION,
	HEADER_SIZE,
	TYPE,
	MESSAGE_VERSION,
	MESSAGE_SIZE,
	KEY_NUMBER,
	OTHER_KEY,
	HIGHER_LEVEL,
	LEVEL_FOUR,
	RESERVED_BYTES,
};

struct message {
	unsigned int key, how;
};

static uint8_t request_page[4096] __attribute__((aligned(4096)));
static uint8_t response_page[4096] __attribute__((aligned(4096)));
static uint8_t keys[SNP_VMPL_COUNT][SNP_VMPCK_SIZE];
static uint64_t next_seqno[SNP_VMPL_COUNT];
static bool ready;

static void share(uint8_t *page)
{
	(void)pvalidate((uint64_t)page, 0, 0);
	(void)page_make_shared((uint64_t)page);
}

static void prepare(void)
{
	if (ready)
		return;
	share(request_page);
	share(response_page);
	memcpy(keys, ((const struct snp_secrets *)SECRETS_PAGE)->vmpck, sizeof(keys));
	for (unsigned int i = 0; i < SNP_VMPL_COUNT; i++)
		next_seqno[i] = 1;
	ready = true;
}

static void spoil_header(struct psp_msg_header *h, unsigned int how)
{
	switch (how) {
	case SEQNO_ZERO:
		h->seqno = 0;
		break;
	case SEQNO_AGAIN:
		h->seqno -= 2;
		break;
	case SEQNO_AHEAD:
		h->seqno += 2;
		break;
	case SEQNO_ONE_MORE:
		h->seqno += 1;
		break;
	case ALGORITHM:
		h->algo = 7;
		break;
	case HEADER_VERSION:
		h->header_version = 9;
		break;
	case HEADER_SIZE:
		h->header_size = 0x40;
		break;
	case TYPE:
		h->type = 200;
		break;
	case MESSAGE_VERSION:
		h->version = 200;
		break;
	case MESSAGE_SIZE:
		h->size = 0x20;
		break;
	case KEY_NUMBER:
		h->vmpck = 4;
		break;
	default:
		break;
	}
}

static void write_request(const struct message *m)
{
	struct message_request whole = message_report(m->key, next_seqno[m->key]);

	whole.request.report_data[0] = 0x5a;
	whole.request.vmpl -= m->how == HIGHER_LEVEL;
	whole.request.vmpl = m->how == LEVEL_FOUR ? 4 : whole.request.vmpl;
	whole.request.reserved[5] = m->how == RESERVED_BYTES;
	spoil_header(&whole.header, m->how);
	message_seal(&whole, keys[m->how == OTHER_KEY ? (m->key + 1) % 4 : m->key]);
	whole.header.authtag[3] ^= m->how == TAG;
	message_put((uint64_t)request_page, &whole);
}

/* What the answer says: its status, or what is wrong with it, from bit 32 on. */
static uint64_t read_response(const struct message *m)
{
	static struct message_response whole;

	message_get((uint64_t)response_page, &whole);
	if (whole.header.seqno != next_seqno[m->key] + 1)
		return 1ull << 32;
	if (whole.header.type != PSP_MSG_REPORT_RSP || whole.header.vmpck != m->key)
		return 2ull << 32;
	if (!message_open(&whole, keys[m->key]))
		return 3ull << 32;
	if (whole.response.status != PSP_STATUS_OK)
		return whole.response.status;
	if (whole.response.report.vmpl != m->key || whole.response.report.report_data[0] != 0x5a)
		return 4ull << 32;
	return 0;
}

#define REFUSED_BY_HOST (1ull << 60)
#define REFUSED_BY_FIRMWARE (1ull << 61)

static uint64_t send(uint64_t arg)
{
	const struct message *m = (const struct message *)arg;
	struct ghcb_answer answer = { 0 };
	uint64_t status;

	write_request(m);
	for (unsigned int i = 0; i < TRIES; i++) {
		answer = ghcb_exit(GUEST_REQUEST, (uint64_t)request_page, (uint64_t)response_page);
		if (answer.info_2 >> 32 != PSP_VMM_ERR_BUSY)
			break;
	}
	if (answer.result != 0 || answer.info_2 >> 32 != 0)
		return REFUSED_BY_HOST;
	if (answer.info_2 != 0)
		return REFUSED_BY_FIRMWARE;
	status = read_response(m);
	next_seqno[m->key] += 2;
	return status;
}

/* The variant is the key. */
static uint64_t report(const struct rule_case *c)
{
	static struct message m;

	prepare();
	m = (struct message){ (unsigned int)c->variant, GOOD };
	return act(c->rule->vcpus > 1, c->vmpl, send, (uint64_t)&m);
}

/* 1: refused, whoever did it, and then 0: a good one is answered as if nothing had been. */
static uint64_t refused(const struct rule_case *c)
{
	static struct message bad, good;
	uint64_t first, second;

	prepare();
	bad = (struct message){ (unsigned int)c->variant, (unsigned int)c->rule->arg };
	good = (struct message){ (unsigned int)c->variant, GOOD };
	first = act(0, c->vmpl, send, (uint64_t)&bad);
	second = act(0, c->vmpl, send, (uint64_t)&good);
	if (first != REFUSED_BY_FIRMWARE && first != REFUSED_BY_HOST)
		return first << 8;
	return second << 8 | 1;
}

static uint64_t status(const struct rule_case *c)
{
	static struct message m;

	prepare();
	m = (struct message){ (unsigned int)c->variant, (unsigned int)c->rule->arg };
	return act(0, c->vmpl, send, (uint64_t)&m);
}

static const struct rule rules[] = {
	{ "a report by it", SECTION, RULE_FIRMWARE, LEVELS_ALL, 1, 0, report, 0, 0 },
	{ "a report by it, second vCPU", SECTION, RULE_FIRMWARE, LEVEL(0), 2, 0, report, 0, 0 },
	{ "sequence number 0: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, SEQNO_ZERO, 1 },
	{ "last sequence number again: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused,
	  SEQNO_AGAIN, 1 },
	{ "sequence number ahead: refused", SECTION, RULE_FIRMWARE, LEVEL(0) | LEVEL(2), 1, 0,
	  refused, SEQNO_AHEAD, 1 },
	{ "a report of VMPL4: refused in the answer", SECTION, RULE_FIRMWARE, 0, 1, 0, status,
	  LEVEL_FOUR, 0x16 },
};

static const struct rule header_rules[] = {
	{ "sequence number of an answer: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused,
	  SEQNO_ONE_MORE, 1 },
	{ "wrong tag: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, TAG, 1 },
	{ "unknown algorithm: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, ALGORITHM, 1 },
	{ "unknown version of the header: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused,
	  HEADER_VERSION, 1 },
	{ "size of the header: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, HEADER_SIZE, 1 },
	{ "unknown type: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, TYPE, 1 },
	{ "unknown version of the message: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused,
	  MESSAGE_VERSION, 1 },
	{ "size of the message: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, MESSAGE_SIZE,
	  1 },
	{ "key 4: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, KEY_NUMBER, 1 },
	{ "sealed by another key: refused", SECTION, RULE_FIRMWARE, 0, 1, 0, refused, OTHER_KEY,
	  1 },
	{ "reserved bytes of a request: refused in the answer", SECTION, RULE_FIRMWARE, 0, 1, 0,
	  status, RESERVED_BYTES, 0x16 },
};

/* Keys but the first. */
static const struct rule lower_rules[] = {
	{ "a report of the level above: refused in the answer", SECTION, RULE_FIRMWARE, 0, 1, 0,
	  status, HIGHER_LEVEL, 0x16 },
};

const struct rule_family messages_0 = { "VMPCK0", rules, RULE_COUNT(rules), 0, 0 };
const struct rule_family messages_1 = { "VMPCK1", rules, RULE_COUNT(rules), 1, 0 };
const struct rule_family messages_2 = { "VMPCK2", rules, RULE_COUNT(rules), 2, 0 };
const struct rule_family messages_3 = { "VMPCK3", rules, RULE_COUNT(rules), 3, 0 };
const struct rule_family messages_header = { "VMPCK0", header_rules, RULE_COUNT(header_rules), 0,
					     0 };
const struct rule_family messages_lower_1 = { "VMPCK1", lower_rules, RULE_COUNT(lower_rules), 1,
					      0 };
const struct rule_family messages_lower_3 = { "VMPCK3", lower_rules, RULE_COUNT(lower_rules), 3,
					      0 };
