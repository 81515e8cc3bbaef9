/* SPDX-License-Identifier: MIT */
/*
 * Whatever a client sends for a verdict, with a nonce that was the service's: the answer is JSON,
 * and of a status that is documented.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "tools/verify_serve/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold_answer(const struct judge_answer *answer, const char *const *verdicts)
{
	json_t *json = json_loads(answer->text, JSON_REJECT_DUPLICATES, NULL);
	const char *verdict = json_string_value(json_object_get(json, "verdict"));
	bool known = false;

	for (; *verdicts; verdicts++)
		known = known || (verdict && strcmp(verdict, *verdicts) == 0);
	hold(known && strcmp(verdict, answer->verdict) == 0, "the answer has such a verdict");
	hold((answer->status == 200) == (strcmp(verdict, "trusted") == 0),
	     "200 is for trust alone");
	json_decref(json);
}

/* A challenge that was made for keys of nobody's. */
static const char record[] =
	"{\"ek_name\": \"000b1111111111111111111111111111111111111111111111111111111111111111\", "
	"\"ak_name\": \"000b2222222222222222222222222222222222222222222222222222222222222222\", "
	"\"secret\": \"3333333333333333333333333333333333333333333333333333333333333333\"}";

static struct socle_policy *policy_of(const char *look_at)
{
	struct socle_policy *policy;
	char json[512];

	snprintf(json, sizeof(json),
		 "{\"format\": 1, \"look_at\": \"%s\", \"measurements\": {\"expected\": "
		 "\"2490f51633ff4f6d36dd49a521c5d5f54397c7ca9033d839e127c6d8bbdc9dcafc3c2a531fb3"
		 "e49945b22d00dfb598d0\"}}",
		 look_at);
	policy = socle_policy_read(json, strlen(json), NULL);
	hold(policy, "a policy");
	return policy;
}

static void judge_all(const struct judge_request *request, const char *look_at, const char *made)
{
	static const char *const all[] = { "error", "refused", "trusted", NULL };
	struct judge judge = { .policy = policy_of(look_at) };
	struct judge_answer answer = { 0 };

	judge_run(&judge, request, made, &answer);
	hold(answer.status == 200 || answer.status == 403 || answer.status == 422, "a status");
	hold_answer(&answer, all);
	free(answer.text);
	socle_policy_free((struct socle_policy *)judge.policy);
}

static void challenge_all(const struct judge_request *request, const char *const *errors)
{
	struct judge judge = { .policy = policy_of("quote") };
	struct judge_answer answer = { 0 };
	char made[NONCE_RECORD_MAX];

	judge_challenge(&judge, request, made, &answer);
	hold(answer.status == 200 || answer.status == 422, "a challenge's status");
	hold((answer.status == 200) == (made[0] != '\0'), "a record is for a challenge alone");
	if (answer.status == 422)
		hold_answer(&answer, errors);
	free(answer.text);
	socle_policy_free((struct socle_policy *)judge.policy);
}

static unsigned int sum_of(const uint8_t *data, size_t size)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += data[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const errors[] = { "error", NULL };
	struct judge_answer answer = { 0 };
	struct judge_request *request = judge_read((const char *)data, size, &answer);

	if (!request) {
		hold(answer.status == 400, "what cannot be read is 400");
		hold_answer(&answer, errors);
		free(answer.text);
		return 0;
	}
	/* One of them each: a verdict takes milliseconds. */
	switch (sum_of(data, size) % 3) {
	case 0:
		judge_all(request, "keys", "");
		break;
	case 1:
		judge_all(request, "quote", record);
		break;
	default:
		challenge_all(request, errors);
	}
	judge_free(request);
	return 0;
}
