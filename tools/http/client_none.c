/* SPDX-License-Identifier: MIT */
/* HTTP as a client in a build without it (-Dhttp=disabled), as a static one is. */
#include "tools/http/client.h"

struct http_client *http_open(const struct http_policy *policy, struct host_error *error)
{
	(void)policy;
	host_fail(error, "this build has no HTTP client (libcurl)");
	return NULL;
}

enum http_outcome http_ask(struct http_client *client, const struct http_question *question,
			   struct http_answer *answer, struct host_error *error)
{
	(void)client, (void)question;
	*answer = (struct http_answer){ 0 };
	host_fail(error, "this build has no HTTP client (libcurl)");
	return HTTP_UNHEARD;
}

void http_close(struct http_client *client)
{
	(void)client;
}
