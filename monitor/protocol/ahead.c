/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/ahead.h"

#include <string.h>

#include "core/tpm/profile.h"
#include "monitor/arch/arch.h"
#include "monitor/base/limits.h"
#include "monitor/log/log.h"
#include "monitor/mem/secret.h"
#include "monitor/protocol/protocol.h"
#include "monitor/service/service.h"

#define NOBODY UINT32_MAX /* and work that comes is whose vCPU it comes to */
#define NEVER (UINT32_MAX - 1)
/*
 * From one step to the next, however short it was: as when the vtpm is somebody else's at the
 * moment.
 */
#define PAUSE_NS 100000000ull

enum step {
	STEP_TWIN,    /* is started and loaded */
	STEP_ASK,     /* the vtpm for an order */
	STEP_BEGIN,   /* the search for a prime */
	STEP_GO_ON,   /* with it: the service is suspended */
	STEP_DELIVER, /* the prime */
	STEP_DONE,    /* nothing is left to be found */
	STEP_FAILED,  /* and nothing will be */
	STEP_NONE,    /* as was said before the guest ran */
};

/*
 * The work of one vCPU at a time, which alone touches what is below. It gives it away when it is
 * done.
 */
static uint32_t worker = NEVER;
static struct {
	enum step step;
	enum step behind_twin; /* the first step of the search, or none */
	uint64_t due_ns;
	unsigned int delivered; /* since the worker began */
	struct prime_order order;
	struct prime_found found;
} work;

static bool is_worker(unsigned int cpu)
{
	return __atomic_load_n(&worker, __ATOMIC_ACQUIRE) == cpu;
}

static enum step ask(void)
{
	size_t size = 0;

	switch (service_try(SERVICE_VTPM, VTPM_OP_AHEAD_NEXT, NULL, 0, &work.order,
			    sizeof(work.order), &size)) {
	case SERVICE_OK:
		return size == sizeof(work.order) ? STEP_BEGIN : size ? STEP_FAILED : STEP_DONE;
	case SERVICE_ERR_BUSY:
		return STEP_ASK;
	default:
		return STEP_FAILED;
	}
}

static enum step after_slice(enum service_progress progress, struct service_answer *answer)
{
	bool found = answer->status == SERVICE_OK && answer->size == sizeof(work.found);

	if (progress == SERVICE_PENDING)
		return STEP_GO_ON;
	if (found)
		memcpy(&work.found, answer->payload, sizeof(work.found));
	explicit_bzero(&work.order, sizeof(work.order));
	service_answer_free(answer);
	return found ? STEP_DELIVER : STEP_FAILED;
}

static enum step search(enum step step)
{
	struct service_answer answer;
	enum service_progress progress;

	if (step == STEP_BEGIN)
		progress = service_call_start(SERVICE_AHEAD, AHEAD_OP_FIND, &work.order,
					      sizeof(work.order), false, &answer);
	else
		progress = service_call_continue(SERVICE_AHEAD, &answer);
	return after_slice(progress, &answer);
}

/* A prime that is not wanted any more is not an error. */
static enum step deliver(void)
{
	size_t size;

	switch (service_try(SERVICE_VTPM, VTPM_OP_AHEAD_FOUND, &work.found, sizeof(work.found),
			    NULL, 0, &size)) {
	case SERVICE_OK:
		explicit_bzero(&work.found, sizeof(work.found));
		work.delivered++;
		return STEP_ASK;
	case SERVICE_ERR_BUSY:
		return STEP_DELIVER;
	default:
		return STEP_FAILED;
	}
}

static enum step take(enum step step)
{
	switch (step) {
	case STEP_TWIN:
		return svsm_attest_prepare() ? STEP_TWIN : work.behind_twin;
	case STEP_ASK:
		return ask();
	case STEP_BEGIN:
	case STEP_GO_ON:
		return search(step);
	case STEP_DELIVER:
		return deliver();
	default:
		return step;
	}
}

static bool is_end(enum step step)
{
	return step == STEP_DONE || step == STEP_FAILED || step == STEP_NONE;
}

static void say_no_more(void)
{
	log_printf(LOG_WARNING, "no primes are found ahead from here on");
}

static void end(void)
{
	explicit_bzero(&work.order, sizeof(work.order));
	explicit_bzero(&work.found, sizeof(work.found));
	if (work.step == STEP_FAILED)
		say_no_more();
	else if (work.delivered)
		log_printf(LOG_INFO, "%u primes were found ahead", work.delivered);
	work.delivered = 0;
	__atomic_store_n(&worker, work.step == STEP_DONE ? NOBODY : NEVER, __ATOMIC_RELEASE);
}

static void work_on(void)
{
	uint64_t start = arch_now_ns(), pause;

	work.step = take(work.step);
	pause = (arch_now_ns() - start) * AHEAD_SHARE;
	work.due_ns = start + (pause > PAUSE_NS ? pause : PAUSE_NS);
	if (is_end(work.step))
		end();
}

/*
 * Nobody will find their primes: a start that is longer is better than a call that is. Each request
 * makes a key, so that each has the budget of its own. A vtpm that knows no such request has left
 * no key for later.
 */
static void make_keys(void)
{
	uint32_t left = PROFILE_KEYS_MAX, before;

	do {
		size_t size = 0;
		enum service_status status;

		before = left;
		status = service_call(SERVICE_VTPM, VTPM_OP_KEYS, NULL, 0, &left, sizeof(left),
				      &size);
		if (status == SERVICE_ERR_UNSUPPORTED)
			return;
		if (status != SERVICE_OK || size != sizeof(left) || left >= before) {
			service_give_up(SERVICE_VTPM, "not all keys of its profile are made");
			return;
		}
	} while (left);
}

void ahead_init(void)
{
	static struct secret secrets[2];

	secret_add(&secrets[0], &work.order, sizeof(work.order));
	secret_add(&secrets[1], &work.found, sizeof(work.found));
}

/*
 * Behind the twin's. The vtpm learns what to have found by trying on its TPM, which no guest has
 * changed yet: its authorizations are empty, its hierarchies enabled, its slots free.
 */
static enum step first_of_search(bool preempts)
{
	enum step step;

	if (!preempts || !service_available(SERVICE_AHEAD))
		return STEP_NONE;
	step = ask();
	if (step != STEP_FAILED)
		return step;
	say_no_more();
	return STEP_NONE;
}

void ahead_start(bool preempts)
{
	if (!service_available(SERVICE_VTPM))
		return;
	work.behind_twin = first_of_search(preempts);
	if (work.behind_twin == STEP_NONE)
		make_keys();
	if (!preempts || !service_available(SERVICE_VTPM))
		return;
	work.step = service_available(SERVICE_TWIN) ? STEP_TWIN : work.behind_twin;
	work.due_ns = arch_now_ns() + PAUSE_NS;
	worker = BOOT_CPU;
	if (is_end(work.step))
		end();
}

/*
 * Whether there is work at all only the vtpm knows, which is asked with the first order. That the
 * last worker may be about to end is no loss: the vtpm says it with every response.
 */
void ahead_wake(unsigned int cpu)
{
	uint32_t nobody = NOBODY;

	if (__atomic_compare_exchange_n(&worker, &nobody, cpu, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		work.step = STEP_ASK;
}

bool ahead_turn(unsigned int cpu)
{
	if (!is_worker(cpu) || arch_now_ns() < work.due_ns)
		return false;
	work_on();
	return true;
}

uint64_t ahead_due(unsigned int cpu)
{
	return is_worker(cpu) ? work.due_ns : 0;
}
