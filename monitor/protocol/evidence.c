/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/evidence.h"

#include <stdbool.h>

#include "monitor/lock/claim.h"
#include "monitor/log/log.h"
#include "monitor/service/service.h"

/* Asks a service with what the last one has answered, whose answer is freed. */
static bool pass_on(enum service_role role, uint32_t op, struct service_answer *answer)
{
	struct service_answer next;

	service_ask(role, op, answer->payload, answer->size, &next);
	service_answer_free(answer);
	*answer = next;
	return answer->status == SERVICE_OK;
}

void evidence_renew(void)
{
	static struct claim claim; /* what was asked for last is stored last */
	struct service_answer answer;

	claim_take(&claim);
	service_ask(SERVICE_VTPM, VTPM_OP_EVIDENCE_OF, NULL, 0, &answer);
	if (answer.status != SERVICE_OK ||
	    !pass_on(SERVICE_ATTEST, ATTEST_OP_RUNTIME_DATA, &answer) ||
	    !pass_on(SERVICE_VTPM, VTPM_OP_EVIDENCE, &answer))
		log_printf(LOG_WARNING, "the vTPM's evidence is not renewed, status %u",
			   (unsigned int)answer.status);
	service_answer_free(&answer);
	claim_release(&claim);
}
