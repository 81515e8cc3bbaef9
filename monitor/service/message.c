/* SPDX-License-Identifier: MIT */
#include "monitor/service/message.h"

#include "abi/service.h"
#include "monitor/base/direct.h"

bool message_alloc(struct message *message, struct page_owner *owner, size_t size)
{
	size_t pages = (size + ABI_PAGE_SIZE - 1) / ABI_PAGE_SIZE;
	gpa_t first;

	*message = (struct message){ 0 };
	if (size == 0 || size > SERVICE_MESSAGE_MAX)
		return false;
	if (!page_alloc_span(owner, pages, 1, &first))
		return false;
	*message = (struct message){
		.owner = owner,
		.first = first,
		.data = direct_ptr(first),
		.size = size,
		.pages = pages,
	};
	return true;
}

void message_free(struct message *message)
{
	if (message->data)
		page_free_span(message->owner, message->first, message->pages);
	*message = (struct message){ 0 };
}

bool message_from_space(struct message *message, struct page_owner *owner,
			const struct address_space *space, va_t from, size_t size)
{
	if (!message_alloc(message, owner, size))
		return false;
	if (space_read(space, message->data, from, size))
		return true;
	message_free(message);
	return false;
}
