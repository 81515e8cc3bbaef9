/* SPDX-License-Identifier: MIT */
/*
 * Whatever somebody calls an event log. What can be read has as many events as it says, each with
 * words of printable ASCII, and replays in each of its banks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/evidence/host/event_words.h"
#include "core/evidence/host/uefi_variable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const struct event_log *log, const struct event_log_event *event)
{
	char line[EVENT_WORDS_MAX];
	struct event_words words;
	struct uefi_variable v;
	enum event_proof proof = event_log_proof(log, event, &words);

	event_words_write(event, proof == EVENT_PROVED ? &words : NULL, line);
	if (strnlen(line, sizeof(line)) == sizeof(line))
		abort();
	for (const char *c = line; *c; c++) {
		if (*c < ' ' || *c > '~')
			abort();
	}
	if (proof != EVENT_PROVED)
		return;
	if (words.data < event->data || words.size > event->size ||
	    words.data + words.size > event->data + event->size)
		abort();
	uefi_variable_read(&v, words.data, words.size);
}

static void walk(const struct event_log *log)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	uint32_t count = 1; /* the event of the form */

	while (event_log_next(log, &cursor, &event)) {
		check_words(log, &event);
		count++;
	}
	if (count != log->event_count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX];
	struct host_error error;
	struct event_log log;
	size_t digest_size;

	if (!event_log_open(&log, data, size, &error))
		return 0;
	walk(&log);
	event_log_judge(&log, &error);
	for (size_t i = 0; i < log.bank_count; i++) {
		if (!event_log_replay(&log, log.banks[i].algorithm, pcrs, &digest_size))
			abort();
	}
	return 0;
}
