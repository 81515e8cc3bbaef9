/* SPDX-License-Identifier: MIT */
/*
 * Selected keys (docs/spec/create-and-attest.md): what the vtpm has is served at once; what has to
 * be made is made by the oracle, a slice of time for each call, one key at a time for the whole VM.
 * Between its slices a creation waits for the call that asked for it to come again. Any vCPU may
 * bring it, for a caller that waits with its interrupts on may be moved. One that nobody brings any
 * more gives way: to its own vCPU's next wish, to the deletion of its vCPU, and to others that have
 * come often enough.
 */
#include <string.h>

#include "core/bytes.h"
#include "monitor/lock/lock.h"
#include "monitor/protocol/attest.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"

/* TPM_RC has 12 bits. */
#define TPM_CODE_MAX 0xfffu
#define TEMPLATE_MAX SVSM_SELECTOR_MAX
#define PUBLIC_MAX SVSM_SELECTOR_MAX
/* So often others find a creation suspended before it has to go. */
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
	struct service_answer order; /* of the vtpm: the oracle's request, with the TPM's state */
	uint8_t remember[sizeof(struct vtpm_remember) + TEMPLATE_MAX + PUBLIC_MAX];
} creation = { .lock = LOCK_INIT("attest creation", LOCK_RANK_CALL) };

/*
 * The vtpm pays for its answers until they are freed, and an order holds its whole permanent state.
 * Held from the question until the order has become the creation or is gone: two exist at most,
 * however many vCPUs ask. The vtpm answers one at a time anyway.
 */
static struct lock selection = LOCK_INIT("attest selection", LOCK_RANK_SELECTION);

/* ---- What the vtpm says to a selector ---- */

static uint32_t result_of_tpm(uint32_t code)
{
	if (code == 0 || code > TPM_CODE_MAX)
		return SVSM_ERR_SERVICE_FAILED;
	return SVSM_ERR_ATTEST_TPM + code;
}

static void ask_vtpm(const struct attest_call *in, struct service_answer *answer)
{
	size_t selector_size = in->context_size - sizeof(struct svsm_attest_context);
	struct {
		uint32_t version;
		uint8_t selector[SVSM_SELECTOR_MAX];
	} request = { .version = in->block.base.manifest_version };

	memcpy(request.selector, in->context + sizeof(struct svsm_attest_context), selector_size);
	service_ask(SERVICE_VTPM, VTPM_OP_SELECT, &request, sizeof(request.version) + selector_size,
		    answer);
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

/* With SVSM_SUCCESS *answer is full: the manifest, or what the oracle shall make. */
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
	service_answer_free(&creation.order);
	memset(&creation.call, 0, sizeof(creation.call));
	creation.state = CREATION_NONE;
}

static void give_up(void)
{
	service_call_abort(SERVICE_ORACLE);
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

/* Begins a creation and takes *order over; false when another one is under way. */
static bool begin(const struct attest_call *in, gpa_t vmsa, struct service_answer *order)
{
	bool mine;

	lock_acquire(&creation.lock);
	if (creation.state == CREATION_SUSPENDED && ++creation.waits > WAITS_MAX)
		give_up();
	mine = creation.state == CREATION_NONE;
	if (mine) {
		creation.state = CREATION_RUNNING;
		creation.waits = 0;
		creation.vmsa = vmsa;
		creation.call = *in;
		creation.order = *order;
		*order = (struct service_answer){ .status = SERVICE_OK };
	}
	lock_release(&creation.lock);
	return mine;
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

/* A vCPU that runs a creation is in a call, and so cannot have been deleted. */
void svsm_attest_forget_vcpu(gpa_t vmsa)
{
	lock_acquire(&creation.lock);
	if (creation.state == CREATION_SUSPENDED && creation.vmsa.raw == vmsa.raw)
		give_up();
	lock_release(&creation.lock);
}

/* ---- The run. The creation is CREATION_RUNNING, and ours. ---- */

/* The oracle's request, taken apart; the vtpm is not trusted to count. */
struct order {
	uint64_t seed_generation;
	const uint8_t *request, *template;
	size_t request_size;
	uint32_t template_size;
};

static bool parse_order(struct order *order)
{
	struct bytes_reader r = bytes_reader_init(creation.order.payload, creation.order.size);
	struct vtpm_select_reply reply;
	struct oracle_create create;

	bytes_copy(&r, &reply, sizeof(reply));
	order->seed_generation = reply.seed_generation;
	order->request_size = bytes_left(&r);
	order->request = creation.order.payload + sizeof(reply);
	bytes_copy(&r, &create, sizeof(create));
	bytes_take(&r, create.state_size);
	order->template = bytes_take(&r, create.template_size);
	order->template_size = create.template_size;
	return bytes_complete(&r) && create.template_size != 0 &&
	       create.template_size <= TEMPLATE_MAX;
}

/* Gives the key to the vtpm, so that the selector finds it. */
static uint32_t remember(const struct order *order, const uint8_t *public, size_t public_size)
{
	struct vtpm_remember header = {
		.seed_generation = order->seed_generation,
		.template_size = order->template_size,
		.public_size = (uint32_t)public_size,
	};
	uint8_t *at = creation.remember;
	enum service_status status;
	size_t none;

	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	memcpy(at, order->template, order->template_size);
	at += order->template_size;
	memcpy(at, public, public_size);
	at += public_size;
	status = service_call(SERVICE_VTPM, VTPM_OP_REMEMBER, creation.remember,
			      (size_t)(at - creation.remember), NULL, 0, &none);
	return status == SERVICE_OK ? SVSM_SUCCESS : SVSM_ERR_SERVICE_FAILED;
}

/* The guest has no part in what the two services say to each other: their errors are not its. */
static uint32_t take_key(const struct order *order, const struct service_answer *made)
{
	struct bytes_reader r = bytes_reader_init(made->payload, made->size);
	const uint8_t *public;
	size_t public_size;
	uint32_t code;

	if (made->status != SERVICE_OK || made->size < sizeof(code))
		return SVSM_ERR_SERVICE_FAILED;
	code = bytes_le32(&r);
	if (code)
		return result_of_tpm(code);
	public_size = bytes_left(&r);
	public = bytes_take(&r, public_size);
	if (public_size == 0 || public_size > PUBLIC_MAX)
		return SVSM_ERR_SERVICE_FAILED;
	return remember(order, public, public_size);
}

static uint32_t run(bool first)
{
	enum service_progress progress;
	struct service_answer made;
	struct order order;
	uint32_t result;

	if (!parse_order(&order)) {
		end();
		return SVSM_ERR_SERVICE_FAILED;
	}
	progress = first ? service_call_start(SERVICE_ORACLE, ORACLE_OP_CREATE, order.request,
					      order.request_size, &made)
			 : service_call_continue(SERVICE_ORACLE, &made);
	if (progress == SERVICE_PENDING) {
		suspend();
		return SVSM_ERR_INCOMPLETE;
	}
	result = take_key(&order, &made);
	service_answer_free(&made);
	end();
	return result;
}

/*
 * With SVSM_SUCCESS *selected is the manifest, or *create says that a creation has begun, which is
 * the caller's to run.
 */
static uint32_t select_or_begin(const struct attest_call *in, gpa_t vmsa,
				struct service_answer *selected, bool *create)
{
	uint32_t result;

	lock_acquire(&selection);
	result = select_key(in, selected, create);
	if (result == SVSM_SUCCESS && *create && !begin(in, vmsa, selected)) {
		service_answer_free(selected);
		result = SVSM_ERR_INCOMPLETE;
	}
	lock_release(&selection);
	return result;
}

/* Once the key is made, it is there: a vtpm that wants it made again does not get its way. */
static uint32_t select_made(const struct attest_call *in, struct service_answer *selected)
{
	bool create = false;
	uint32_t result;

	lock_acquire(&selection);
	result = select_key(in, selected, &create);
	if (result == SVSM_SUCCESS && create) {
		service_answer_free(selected);
		result = SVSM_ERR_SERVICE_FAILED;
	}
	lock_release(&selection);
	return result;
}

uint32_t attest_select(const struct attest_call *in, gpa_t vmsa, struct service_answer *selected)
{
	enum turn turn = take_turn(in, vmsa);
	bool create = false;
	uint32_t result;

	if (turn == TURN_WAIT)
		return SVSM_ERR_INCOMPLETE;
	if (turn == TURN_GO_ON) {
		result = run(false);
	} else {
		result = select_or_begin(in, vmsa, selected, &create);
		if (result != SVSM_SUCCESS || !create)
			return result;
		result = run(true);
	}
	return result == SVSM_SUCCESS ? select_made(in, selected) : result;
}
