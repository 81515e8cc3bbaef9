/* SPDX-License-Identifier: MIT */
/*
 * Selected keys (docs/spec/create-and-attest.md): what the vtpm has is served at once; what has to
 * be made is made by its twin, a slice of time for each call, one key at a time for the whole VM.
 * Between its slices a creation waits for the call that asked for it to come again. Any vCPU may
 * repeat it, for a caller that waits with interrupts enabled may be moved. A creation whose call is
 * not repeated is given up: when its vCPU asks for another key, when its vCPU is deleted, and when
 * others have found it suspended often enough.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "monitor/lock/lock.h"
#include "monitor/protocol/attest.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/protocol/twin.h"

/* TPM_RC has 12 bits. */
#define TPM_CODE_MAX 0xfffu
/* What vtpm and twin say to each other goes through here as it is. */
#define ORDER_MAX (sizeof(struct twin_order) + SVSM_SELECTOR_MAX)
#define MADE_MAX 2048u
/* A suspended creation is given up when other callers have found it so this many times. */
#define WAITS_MAX 1000u

enum creation_state {
	CREATION_NONE,
	CREATION_SUSPENDED,
	CREATION_RUNNING, /* some vCPU works on it without the lock: only that one changes it */
};

static struct {
	struct lock lock;
	enum creation_state state;
	unsigned int waits; /* how often others came since it ran last */
	gpa_t vmsa;	    /* of the vCPU that brought it last */
	struct attest_call call;
	bool begun;		  /* the twin works on it */
	uint64_t seed_generation; /* the vtpm's, when it was asked */
	uint8_t order[ORDER_MAX];
	size_t order_size;
	uint8_t remember[sizeof(struct vtpm_remember) + ORDER_MAX + MADE_MAX];
} creation = { .lock = { .rank = LOCK_RANK_CALL } };

/* ---- What the vtpm says to a selector ---- */

static uint32_t result_of_tpm(uint32_t code)
{
	if (code == 0 || code > TPM_CODE_MAX)
		return SVSM_ERR_SERVICE_FAILED;
	return SVSM_ERR_ATTEST_TPM + code;
}

static void ask_vtpm(const struct attest_call *in, struct service_answer *answer)
{
	struct {
		uint32_t version;
		uint8_t selector[SVSM_SELECTOR_MAX];
	} request = { .version = in->block.base.manifest_version };

	memcpy(request.selector, in->selector, in->selector_size);
	service_ask(SERVICE_VTPM, VTPM_OP_SELECT, &request,
		    sizeof(request.version) + in->selector_size, answer);
}

static uint32_t judge(const struct service_answer *answer, bool *create)
{
	struct vtpm_select_reply reply;

	if (answer->status != SERVICE_OK)
		return svsm_result_of_service(answer->status);
	if (answer->size < sizeof(reply))
		return SVSM_ERR_SERVICE_FAILED;
	memcpy(&reply, answer->payload, sizeof(reply));
	*create = reply.outcome == SELECT_CREATE;
	switch (reply.outcome) {
	case SELECT_MANIFEST:
	case SELECT_CREATE:
		return SVSM_SUCCESS;
	case SELECT_REFUSED:
		return SVSM_ERR_ATTEST_SELECTOR;
	case SELECT_TPM_ERROR:
		return result_of_tpm(reply.code);
	default:
		return SVSM_ERR_SERVICE_FAILED;
	}
}

/* With SVSM_SUCCESS *answer is full: the manifest, or the order for the key to be made. */
static uint32_t select_key(const struct attest_call *in, struct service_answer *answer,
			   bool *create)
{
	uint32_t result;

	ask_vtpm(in, answer);
	result = judge(answer, create);
	if (result != SVSM_SUCCESS)
		service_answer_free(answer);
	return result;
}

/* ---- Whose turn it is ---- */

static void forget(void)
{
	memset(&creation.call, 0, sizeof(creation.call));
	creation.state = CREATION_NONE;
}

static void give_up(void)
{
	twin_abort();
	forget();
}

enum turn {
	TURN_GO_ON, /* the creation is the caller's, which runs it */
	TURN_WAIT,  /* so it is, but another vCPU runs it just now */
	TURN_NEW,   /* the call has no creation */
};

static enum turn take_turn(const struct attest_call *in, gpa_t vmsa)
{
	enum turn turn = TURN_NEW;

	lock_acquire(&creation.lock);
	if (creation.state != CREATION_NONE &&
	    memcmp(in, &creation.call, sizeof(creation.call)) == 0) {
		turn = creation.state == CREATION_SUSPENDED ? TURN_GO_ON : TURN_WAIT;
	} else if (creation.state == CREATION_SUSPENDED && creation.vmsa.raw == vmsa.raw) {
		give_up();
	}
	if (turn == TURN_GO_ON) {
		creation.state = CREATION_RUNNING;
		creation.vmsa = vmsa;
		creation.waits = 0;
	}
	lock_release(&creation.lock);
	return turn;
}

/* The vtpm's answer, whose header is there: it is not trusted to count. */
static bool take_order(const struct service_answer *order)
{
	struct vtpm_select_reply header;
	size_t size = order->size - sizeof(header);

	if (size == 0 || size > sizeof(creation.order))
		return false;
	memcpy(&header, order->payload, sizeof(header));
	creation.seed_generation = header.seed_generation;
	creation.order_size = size;
	memcpy(creation.order, order->payload + sizeof(header), size);
	return true;
}

/* Begins a creation: INCOMPLETE when another one is under way. */
static uint32_t begin(const struct attest_call *in, gpa_t vmsa, const struct service_answer *order)
{
	uint32_t result = SVSM_ERR_INCOMPLETE;

	lock_acquire(&creation.lock);
	if (creation.state == CREATION_SUSPENDED && ++creation.waits > WAITS_MAX)
		give_up();
	if (creation.state == CREATION_NONE)
		result = take_order(order) ? SVSM_SUCCESS : SVSM_ERR_SERVICE_FAILED;
	if (result == SVSM_SUCCESS) {
		creation.state = CREATION_RUNNING;
		creation.begun = false;
		creation.waits = 0;
		creation.vmsa = vmsa;
		creation.call = *in;
	}
	lock_release(&creation.lock);
	return result;
}

static void suspend(void)
{
	lock_acquire(&creation.lock);
	creation.state = CREATION_SUSPENDED;
	lock_release(&creation.lock);
}

static void end(void)
{
	lock_acquire(&creation.lock);
	forget();
	lock_release(&creation.lock);
}

/*
 * A vCPU that runs a creation of its own is in a call, and so cannot have been deleted; what
 * svsm_attest_prepare() runs is no vCPU's.
 */
void svsm_attest_forget_vcpu(gpa_t vmsa)
{
	lock_acquire(&creation.lock);
	if (creation.state == CREATION_SUSPENDED && creation.vmsa.raw == vmsa.raw)
		give_up();
	lock_release(&creation.lock);
}

/*
 * A creation of nobody's call: those that come meanwhile wait for it as for any other. One that is
 * suspended loads the twin itself if it needs that, and so does whatever replaces it: there is
 * nothing to wait for, and it may stay suspended for ever.
 */
bool svsm_attest_prepare(void)
{
	enum creation_state state;
	bool more;

	lock_acquire(&creation.lock);
	state = creation.state;
	if (state == CREATION_NONE)
		creation.state = CREATION_RUNNING;
	lock_release(&creation.lock);
	if (state != CREATION_NONE)
		return state == CREATION_RUNNING;
	more = twin_prepare();
	end();
	return more;
}

/* ---- The run. The creation is CREATION_RUNNING, and ours. ---- */

/* Gives the key to the vtpm, whose answer is that to the selector. */
static uint32_t remember(const uint8_t *made, size_t made_size, struct service_answer *selected)
{
	struct vtpm_remember header = {
		.seed_generation = twin_generation(),
		.manifest_version = creation.call.block.base.manifest_version,
		.order_size = (uint32_t)creation.order_size,
		.made_size = (uint32_t)made_size,
	};
	uint8_t *at = creation.remember;
	bool create = false;
	uint32_t result;

	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	memcpy(at, creation.order, creation.order_size);
	at += creation.order_size;
	memcpy(at, made, made_size);
	at += made_size;
	service_ask(SERVICE_VTPM, VTPM_OP_REMEMBER, creation.remember,
		    (size_t)(at - creation.remember), selected);
	/* The guest has no part in what the two services say to each other. */
	result = selected->status == SERVICE_OK ? judge(selected, &create)
						: SVSM_ERR_SERVICE_FAILED;
	if (result == SVSM_SUCCESS && create)
		result = SVSM_ERR_SERVICE_FAILED; /* made once, it is not made again */
	if (result != SVSM_SUCCESS)
		service_answer_free(selected);
	return result;
}

static uint32_t take_key(const struct service_answer *made, struct service_answer *selected)
{
	struct bytes_reader r = bytes_reader_init(made->payload, made->size);
	const uint8_t *key;
	size_t key_size;
	uint32_t code;

	if (made->status != SERVICE_OK || made->size < sizeof(code))
		return SVSM_ERR_SERVICE_FAILED;
	code = bytes_le32(&r);
	if (code)
		return result_of_tpm(code);
	key_size = bytes_left(&r);
	key = bytes_take(&r, key_size);
	if (key_size == 0 || key_size > MADE_MAX)
		return SVSM_ERR_SERVICE_FAILED;
	return remember(key, key_size, selected);
}

static uint32_t work(struct service_answer *made)
{
	if (creation.begun)
		return twin_continue(made);
	creation.begun = true;
	return twin_start(creation.seed_generation, creation.order, creation.order_size, made);
}

/* With SVSM_SUCCESS *selected is the vtpm's answer, with the manifest. */
static uint32_t run(struct service_answer *selected)
{
	struct service_answer made;
	uint32_t result = work(&made);

	if (result == SVSM_ERR_INCOMPLETE) {
		suspend();
		return result;
	}
	if (result == SVSM_SUCCESS) {
		result = take_key(&made, selected);
		service_answer_free(&made);
	}
	end();
	return result;
}

uint32_t attest_select(const struct attest_call *in, gpa_t vmsa, struct service_answer *selected)
{
	enum turn turn = take_turn(in, vmsa);
	bool create = false;
	uint32_t result;

	if (turn == TURN_WAIT)
		return SVSM_ERR_INCOMPLETE;
	if (turn == TURN_GO_ON)
		return run(selected);
	result = select_key(in, selected, &create);
	if (result != SVSM_SUCCESS || !create)
		return result;
	result = begin(in, vmsa, selected);
	service_answer_free(selected);
	return result == SVSM_SUCCESS ? run(selected) : result;
}
