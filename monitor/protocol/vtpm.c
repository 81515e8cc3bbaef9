/* SPDX-License-Identifier: MIT */
/*
 * vTPM protocol (58019, section 8). The guest's buffer is one page long and holds first the
 * request, then the response. A TPM's own failure is a response; only what keeps the command from
 * the TPM, or the response from the guest, is a result code.
 */
#include <string.h>

#include "abi/snp.h"
#include "core/base/crc32.h"
#include "monitor/arch/arch.h"
#include "monitor/lock/claim.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/secret.h"
#include "monitor/protocol/ahead.h"
#include "monitor/protocol/evidence.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/service/service.h"

#define BUFFER_SIZE ABI_PAGE_SIZE
#define BUFFER_RIGHTS (SNP_RMPADJUST_READ | SNP_RMPADJUST_WRITE)
#define COMMAND_MAX (BUFFER_SIZE - sizeof(struct svsm_vtpm_cmd_req))
#define RESPONSE_MAX (BUFFER_SIZE - SVSM_VTPM_RESPONSE_HEADER)
/* A response is dropped when other callers have found it waiting this many times. */
#define WAITS_MAX 1000u
/* For so many calls more it is remembered whose it was. */
#define REMEMBERED_MAX 100000u

_Static_assert(SVSM_VTPM_RESPONSE_HEADER == sizeof(struct vtpm_response), "they share a place");
_Static_assert(COMMAND_MAX <= VTPM_COMMAND_MAX, "the service takes what fits the guest's buffer");

struct request {
	struct vtpm_command header;
	uint8_t command[COMMAND_MAX];
};

/* What goes to the service, and what goes back into the guest's buffer. */
static struct {
	struct claim claim;  /* not a lock: the service may be slow, or sleep for the host */
	bool evidence_asked; /* by a command of this call */
	struct request request;
	/* The service's reply; the guest gets the response's size in place of what is about it. */
	struct {
		union {
			struct vtpm_response about;
			uint32_t size;
		};
		uint8_t bytes[RESPONSE_MAX];
	} response;
} buffers;

/*
 * The one command that is under way in turns (docs/spec/vtpm-in-turns.md), and claimed as they are.
 * It belongs to the page and the bytes that it came with; a TPM cannot take back half a command, so
 * what its caller gives up comes to its end all the same, by whoever calls next, and nobody gets
 * its response.
 */
static struct {
	bool under_way, done, given_up;
	unsigned int vmpl;  /* whose it is */
	unsigned int waits; /* how often others of that level found it done */
	gpa_t buffer;
	struct request request;
	size_t size; /* of the command */
	struct service_answer answer;
} turns;

/*
 * Whose response was dropped: that call is not to have its command run again, and is told once. A
 * checksum, for the command itself may hold what is not to stay; a guest that makes one that fits
 * has a call of its own refused.
 */
static struct {
	unsigned int left; /* calls until it is forgotten; 0: there is none */
	unsigned int vmpl;
	gpa_t buffer;
	size_t size;
	uint32_t checksum;
} dropped;

void svsm_vtpm_init(void)
{
	static struct secret secrets[4];

	secret_add(&secrets[0], &buffers.request, sizeof(buffers.request));
	secret_add(&secrets[1], &buffers.response, sizeof(buffers.response));
	secret_add(&secrets[2], &turns, sizeof(turns));
	secret_add(&secrets[3], &dropped, sizeof(dropped));
}

uint32_t svsm_vtpm_query(struct svsm_call *call)
{
	call->rcx = service_available(SERVICE_VTPM) ? SVSM_VTPM_QUERY_COMMANDS : 0;
	call->rdx = service_available(SERVICE_VTPM) ? SVSM_VTPM_QUERY_IN_TURNS : 0;
	return SVSM_SUCCESS;
}

/*
 * Locality 0 only: higher ones are for a dynamic root of trust and for firmware, and whoever can
 * make this call is neither.
 */
static uint32_t decode(const struct svsm_call *call, size_t *size, bool *in_turns)
{
	struct svsm_vtpm_cmd_req req;
	unsigned int vmpl = call->caller.vmpl;
	gpa_t buffer = gpa(call->rcx);

	if (!guest_range_ok(vmpl, buffer, BUFFER_SIZE, BUFFER_RIGHTS) ||
	    !guest_copy_in(vmpl, &req, buffer, sizeof(req)))
		return SVSM_ERR_INVALID_ADDRESS;
	*in_turns = req.command & SVSM_VTPM_IN_TURNS;
	if ((req.command & ~SVSM_VTPM_IN_TURNS) != SVSM_VTPM_SEND_COMMAND)
		return SVSM_ERR_INVALID_REQUEST;
	if (req.locality != 0 || req.size == 0 || req.size > COMMAND_MAX)
		return SVSM_ERR_INVALID_PARAMETER;
	buffers.request.header = (struct vtpm_command){ .locality = req.locality };
	if (!guest_copy_in(vmpl, buffers.request.command, gpa(buffer.raw + sizeof(req)), req.size))
		return SVSM_ERR_INVALID_ADDRESS;
	*size = req.size;
	return SVSM_SUCCESS;
}

/* Also where nobody gets the response: what the command has asked for is asked. */
static void do_what_is_asked(const void *reply, size_t size)
{
	struct vtpm_response about;

	if (size <= sizeof(about))
		return;
	memcpy(&about, reply, sizeof(about));
	if (about.flags & VTPM_EVIDENCE_ASKED)
		buffers.evidence_asked = true;
	if (about.flags & VTPM_AHEAD_WAITS)
		ahead_wake(arch_cpu_index());
}

/* The response is written in one piece, and only when there is one that fits. */
static uint32_t respond(const struct svsm_call *call, size_t size)
{
	const size_t before = sizeof(buffers.response.about);

	if (size <= before || size > sizeof(buffers.response))
		return SVSM_ERR_SERVICE_FAILED;
	size -= before;
	buffers.response.size = (uint32_t)size;
	if (!guest_copy_out(call->caller.vmpl, gpa(call->rcx), &buffers.response,
			    SVSM_VTPM_RESPONSE_HEADER + size))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

static uint32_t run(const struct svsm_call *call, size_t command_size)
{
	size_t size = 0;
	enum service_status status = service_call(SERVICE_VTPM, VTPM_OP_COMMAND, &buffers.request,
						  sizeof(buffers.request.header) + command_size,
						  &buffers.response, sizeof(buffers.response),
						  &size);

	if (status != SERVICE_OK)
		return svsm_result_of_service(status);
	do_what_is_asked(&buffers.response, size);
	return respond(call, size);
}

/* ---- In turns. The buffers are claimed. ---- */

static void end_turns(void)
{
	service_answer_free(&turns.answer);
	explicit_bzero(&turns, sizeof(turns));
}

static void go_on(enum service_progress progress)
{
	turns.done = progress == SERVICE_FINISHED;
	if (turns.done)
		do_what_is_asked(turns.answer.payload, turns.answer.size);
	if (turns.done && turns.given_up)
		end_turns();
}

static void drop_response(void)
{
	dropped.left = REMEMBERED_MAX;
	dropped.vmpl = turns.vmpl;
	dropped.buffer = turns.buffer;
	dropped.size = turns.size;
	dropped.checksum = core_crc32(0, turns.request.command, turns.size);
	end_turns();
}

/* Whether it is the call whose response was dropped, which is then known. Any other counts. */
static bool was_dropped(unsigned int vmpl, gpa_t buffer, size_t size)
{
	if (dropped.left == 0)
		return false;
	dropped.left--;
	if (dropped.vmpl != vmpl || dropped.buffer.raw != buffer.raw)
		return false;
	dropped.left = 0; /* other bytes in its page give it up */
	return dropped.size == size &&
	       dropped.checksum == core_crc32(0, buffers.request.command, size);
}

/*
 * A page is one level's, so far as others' calls are concerned: none takes another's response, nor
 * gives it up.
 */
static bool is_same_place(unsigned int vmpl, gpa_t buffer)
{
	return turns.vmpl == vmpl && turns.buffer.raw == buffer.raw;
}

static bool is_ours(unsigned int vmpl, gpa_t buffer, size_t size)
{
	return !turns.given_up && is_same_place(vmpl, buffer) && turns.size == size &&
	       memcmp(turns.request.command, buffers.request.command, size) == 0;
}

/*
 * Another command found a response that waits: true when that is to be dropped. One of a level
 * above waits for none of those beneath it, which in turn have nothing dropped of it.
 */
static bool has_waited(unsigned int vmpl)
{
	if (vmpl != turns.vmpl)
		return vmpl < turns.vmpl;
	return turns.waits++ == WAITS_MAX;
}

/* For another command at buffer: false when one is under way yet, which may have had a turn. */
static bool make_way(unsigned int vmpl, gpa_t buffer)
{
	if (is_same_place(vmpl, buffer))
		turns.given_up = true;
	if (!turns.done) {
		go_on(service_call_continue(SERVICE_VTPM, &turns.answer));
		return false;
	}
	if (turns.given_up)
		end_turns();
	else if (has_waited(vmpl))
		drop_response();
	return !turns.under_way;
}

static void begin_turns(unsigned int vmpl, gpa_t buffer, size_t size)
{
	turns.under_way = true;
	turns.vmpl = vmpl;
	turns.buffer = buffer;
	turns.size = size;
	memcpy(&turns.request, &buffers.request, sizeof(turns.request.header) + size);
	go_on(service_call_start(SERVICE_VTPM, VTPM_OP_COMMAND, &turns.request,
				 sizeof(turns.request.header) + size, false, &turns.answer));
}

static uint32_t take_answer(const struct svsm_call *call)
{
	enum service_status status = turns.answer.status;
	size_t size = turns.answer.size;

	if (status == SERVICE_OK && size != 0 && size <= sizeof(buffers.response))
		memcpy(&buffers.response, turns.answer.payload, size);
	end_turns();
	return status == SERVICE_OK ? respond(call, size) : svsm_result_of_service(status);
}

static uint32_t run_in_turns(const struct svsm_call *call, size_t size)
{
	unsigned int vmpl = call->caller.vmpl;
	gpa_t buffer = gpa(call->rcx);
	bool ours = turns.under_way && is_ours(vmpl, buffer, size);

	if (turns.under_way && !ours && !make_way(vmpl, buffer))
		return SVSM_ERR_INCOMPLETE;
	if (!ours)
		begin_turns(vmpl, buffer, size);
	else if (!turns.done)
		go_on(service_call_continue(SERVICE_VTPM, &turns.answer));
	turns.waits = 0;
	return turns.done ? take_answer(call) : SVSM_ERR_INCOMPLETE;
}

/* ---- The call ---- */

/* The service has finished what was under way first: what it came to is taken from it at once. */
static uint32_t run_at_once(const struct svsm_call *call, size_t size)
{
	uint32_t result = run(call, size);

	if (turns.under_way)
		(void)make_way(call->caller.vmpl, gpa(call->rcx));
	return result;
}

static uint32_t run_either_way(const struct svsm_call *call, size_t size, bool in_turns)
{
	bool is_lost = was_dropped(call->caller.vmpl, gpa(call->rcx), size);

	if (!in_turns)
		return run_at_once(call, size);
	return is_lost ? SVSM_ERR_SERVICE_FAILED : run_in_turns(call, size);
}

uint32_t svsm_vtpm_cmd(struct svsm_call *call)
{
	bool in_turns = false;
	bool evidence;
	uint32_t result;
	size_t size;

	claim_take(&buffers.claim);
	result = decode(call, &size, &in_turns);
	if (result == SVSM_SUCCESS)
		result = run_either_way(call, size, in_turns);
	/* Commands carry authorization values: nothing of one stays longer than it takes. */
	explicit_bzero(&buffers.request, sizeof(buffers.request));
	explicit_bzero(&buffers.response, sizeof(buffers.response));
	evidence = buffers.evidence_asked;
	buffers.evidence_asked = false;
	claim_release(&buffers.claim);
	/* The report may have to wait for the host, and others need not wait for that. */
	if (evidence)
		evidence_renew();
	return result;
}
