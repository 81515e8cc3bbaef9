/* SPDX-License-Identifier: MIT */
#include "monitor/mem/secret.h"

#include <string.h>

static struct secret *first;

void secret_add(struct secret *secret, void *data, size_t size)
{
	*secret = (struct secret){ .data = data, .size = size, .next = first };
	first = secret;
}

void secret_wipe(void)
{
	for (const struct secret *secret = first; secret; secret = secret->next)
		explicit_bzero(secret->data, secret->size);
}
