/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/twin.h"

#include <string.h>

#include "abi/svsm.h"
#include "monitor/log/log.h"

static struct {
	bool loaded;
	uint64_t generation; /* of the seeds that it was loaded with, or is being loaded with */
	/* The creation under way. */
	bool loading;
	bool creates_next;	     /* it has the seeds; the key is for the next slice */
	struct service_answer seeds; /* what it is being loaded with; the vtpm's */
	const uint8_t *order;	     /* its caller's */
	size_t order_size;
} twin;

/*
 * Loads it with twin.seeds, the vtpm's answer. With SERVICE_FINISHED *answer tells what came of it,
 * also when there was nothing to load.
 */
static enum service_progress start_loading(struct service_answer *answer)
{
	struct vtpm_seeds header;

	twin.loaded = false;
	if (twin.seeds.status != SERVICE_OK || twin.seeds.size <= sizeof(header)) {
		*answer = (struct service_answer){ .status = SERVICE_ERR_FAILED };
		return SERVICE_FINISHED;
	}
	memcpy(&header, twin.seeds.payload, sizeof(header));
	twin.generation = header.generation;
	return service_call_start(SERVICE_TWIN, TWIN_OP_LOAD, twin.seeds.payload + sizeof(header),
				  twin.seeds.size - sizeof(header), true, answer);
}

static bool finish_loading(struct service_answer *answer)
{
	twin.loaded = answer->status == SERVICE_OK;
	service_answer_free(answer);
	service_answer_free(&twin.seeds);
	return twin.loaded;
}

static enum service_progress start_creating(struct service_answer *answer)
{
	return service_call_start(SERVICE_TWIN, TWIN_OP_CREATE, twin.order, twin.order_size, false,
				  answer);
}

bool twin_prepare(void)
{
	struct service_answer answer;
	enum service_progress progress;

	/* What it was being loaded with is freed also where it is gone by now. */
	if (twin.loaded || (!twin.loading && !service_available(SERVICE_TWIN)))
		return false;
	if (twin.loading) {
		progress = service_call_continue(SERVICE_TWIN, &answer);
	} else {
		service_try_ask(SERVICE_VTPM, VTPM_OP_SEEDS, NULL, 0, &twin.seeds);
		if (twin.seeds.status == SERVICE_ERR_BUSY)
			return true;
		progress = start_loading(&answer);
	}
	twin.loading = progress == SERVICE_PENDING;
	if (!twin.loading && !finish_loading(&answer))
		log_printf(LOG_WARNING, "the vtpm has no twin that makes keys for attestation");
	return twin.loading;
}

/* Goes on with what twin_prepare() has begun, if the seeds are those that are wanted. */
static enum service_progress load(uint64_t generation, struct service_answer *answer)
{
	if (twin.loading && twin.generation == generation)
		return service_call_continue(SERVICE_TWIN, answer);
	if (twin.loading)
		twin_abort();
	twin.loading = true;
	service_ask(SERVICE_VTPM, VTPM_OP_SEEDS, NULL, 0, &twin.seeds);
	return start_loading(answer);
}

/*
 * The twin has stopped, at the end of a slice or of its work. Loading and creating are no one
 * slice.
 */
static uint32_t go_on(enum service_progress progress, struct service_answer *answer)
{
	if (progress == SERVICE_FINISHED && twin.loading) {
		twin.loading = false;
		twin.creates_next = finish_loading(answer);
		return twin.creates_next ? SVSM_ERR_INCOMPLETE : SVSM_ERR_SERVICE_FAILED;
	}
	return progress == SERVICE_PENDING ? SVSM_ERR_INCOMPLETE : SVSM_SUCCESS;
}

uint32_t twin_start(uint64_t generation, const uint8_t *order, size_t size,
		    struct service_answer *answer)
{
	bool fits = twin.loaded && twin.generation == generation;

	twin.order = order;
	twin.order_size = size;
	twin.creates_next = false;
	return go_on(fits ? start_creating(answer) : load(generation, answer), answer);
}

uint32_t twin_continue(struct service_answer *answer)
{
	bool creates = twin.creates_next;

	twin.creates_next = false;
	return go_on(creates ? start_creating(answer) : service_call_continue(SERVICE_TWIN, answer),
		     answer);
}

void twin_abort(void)
{
	service_call_abort(SERVICE_TWIN);
	service_answer_free(&twin.seeds);
	twin.loading = false;
	twin.creates_next = false;
}

uint64_t twin_generation(void)
{
	return twin.generation;
}
