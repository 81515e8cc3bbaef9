/* SPDX-License-Identifier: MIT */
/* Whatever somebody calls a policy. What is one is one, too, when its JSON is written anew. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "tools/libverify/socle-verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	struct socle_policy *policy;

	hold(text, "a policy is JSON");
	policy = socle_policy_read(text, strlen(text), NULL);
	hold(policy, "the same policy, written anew, is refused");
	socle_policy_free(policy);
	free(text);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[SOCLE_ERROR_SIZE] = "";
	struct socle_policy *policy = socle_policy_read((const char *)data, size, error);

	if (policy)
		read_again(data, size);
	else
		hold(error[0] && !strchr(error, '\n'), "a refusal has one line");
	socle_policy_free(policy);
	return 0;
}
