/* SPDX-License-Identifier: MIT */
/* `socle eventlog show`: what a boot's event log says, and what of it its digests prove. */
#include <jansson.h>
#include <stdio.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/evidence/host/event_words.h"
#include "tools/cmd.h"
#include "tools/options.h"

struct arguments {
	const char *file;
	bool json;
};

static const struct {
	uint16_t algorithm;
	const char *name;
} bank_names[] = {
	{ TPM_ALG_SHA1, "sha1" },
	{ TPM_ALG_SHA256, "sha256" },
	{ TPM_ALG_SHA384, "sha384" },
	{ TPM_ALG_SHA512, "sha512" },
};

static const char *bank_name(uint16_t algorithm)
{
	for (size_t i = 0; i < sizeof(bank_names) / sizeof(bank_names[0]); i++) {
		if (bank_names[i].algorithm == algorithm)
			return bank_names[i].name;
	}
	return NULL;
}

static json_t *hex(const void *data, size_t size)
{
	char text[HEX_TEXT_SIZE(EVENT_LOG_DIGEST_MAX)];

	hex_write(text, data, size);
	return json_string(text);
}

static const char *proof_name(const struct event_log_event *event, enum event_proof proof)
{
	if (event->type == EVENT_NO_ACTION)
		return "extends nothing";
	switch (proof) {
	case EVENT_PROVED:
		return "proved";
	case EVENT_REFUTED:
		return "refuted";
	default:
		return "claimed";
	}
}

static json_t *describe_event(const struct event_log *log, const struct event_log_event *event)
{
	struct event_words words;
	char line[EVENT_WORDS_MAX];
	enum event_proof proof = event_log_proof(log, event, &words);
	const char *name = event_type_name(event->type);
	json_t *digests = json_object();

	event_words_write(event, proof == EVENT_PROVED ? &words : NULL, line);
	for (size_t i = 0; i < log->bank_count; i++)
		json_object_set_new(digests, bank_name(log->banks[i].algorithm),
				    hex(event->digests[i], log->banks[i].size));
	return json_pack("{s:I, s:I, s:s*, s:I, s:s, s:s, s:o}", "number",
			 (json_int_t)event->number, "pcr", (json_int_t)event->pcr, "type", name,
			 "type_number", (json_int_t)event->type, "proof", proof_name(event, proof),
			 "words", line, "digests", digests);
}

static json_t *describe_pcrs(const struct event_log *log, uint16_t algorithm)
{
	uint8_t values[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX];
	json_t *pcrs = json_object();
	size_t size;

	if (!event_log_replay(log, algorithm, values, &size))
		return pcrs;
	for (unsigned int i = 0; i < EVENT_LOG_PCRS; i++) {
		char number[4];

		snprintf(number, sizeof(number), "%u", i);
		if (log->extended >> i & 1)
			json_object_set_new(pcrs, number, hex(values[i], size));
	}
	return pcrs;
}

static json_t *describe(const struct event_log *log)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	struct host_error problem;
	json_t *events = json_array(), *banks = json_object();
	bool well = event_log_judge(log, &problem);

	while (event_log_next(log, &cursor, &event))
		json_array_append_new(events, describe_event(log, &event));
	for (size_t i = 0; i < log->bank_count; i++)
		json_object_set_new(banks, bank_name(log->banks[i].algorithm),
				    describe_pcrs(log, log->banks[i].algorithm));
	return json_pack("{s:s*, s:i, s:o, s:o}", "problem", well ? NULL : problem.text,
			 "startup_locality", log->startup_locality, "events", events, "pcrs",
			 banks);
}

static void print_event(const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));

	printf("%4lld  PCR %-2lld  %-8s  %s", json_integer_value(json_object_get(event, "number")),
	       json_integer_value(json_object_get(event, "pcr")),
	       json_string_value(json_object_get(event, "proof")), type ? type : "unknown");
	if (!type)
		printf(" type 0x%llx", json_integer_value(json_object_get(event, "type_number")));
	if (json_string_length(json_object_get(event, "words")) > 0)
		printf(": %s", json_string_value(json_object_get(event, "words")));
	putchar('\n');
}

static void print_text(json_t *all)
{
	const char *bank, *pcr;
	json_t *value, *values;
	size_t i;

	json_array_foreach(json_object_get(all, "events"), i, value) print_event(value);
	json_object_foreach(json_object_get(all, "pcrs"), bank, values)
	{
		json_object_foreach(values, pcr, value)
			printf("%s PCR %-2s  %s\n", bank, pcr, json_string_value(value));
	}
	value = json_object_get(all, "problem");
	if (value)
		printf("problem: %s\n", json_string_value(value));
}

static enum cmd_status show(void *arguments)
{
	const struct arguments *a = arguments;
	struct host_error error;
	struct file_bytes bytes;
	struct event_log log;
	enum cmd_status status;

	if (!cmd_read_input(a->file, EVENT_LOG_MAX, &bytes))
		return cmd_show_error(a->json);
	if (event_log_open(&log, bytes.data, bytes.size, &error)) {
		status = cmd_show("eventlog", describe(&log), a->json, print_text);
	} else {
		cmd_file_error(a->file, "%s", error.text);
		status = cmd_show_error(a->json);
	}
	file_free(&bytes);
	return status;
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, json, "json", FLAG, NULL, "as one JSON object"),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, file, "FILE", FILE, NULL, "the log; - is standard input"),
	{ 0 },
};

static const struct command eventlog_show = {
	.name = "show",
	.summary = "show what a boot's event log says",
	.about =
		"Shows the events of a log in the TCG's crypto-agile form, as Linux has it in "
		"/sys/kernel/security/tpm0/binary_bios_measurements, and what the PCRs hold after "
		"them. `proved` are words whose hash is the event's digest; `claimed` is anybody's "
		"word. Nothing is held against a TPM: anybody can write a log.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.run = show,
	.refused = cmd_show_refused,
};

const struct command cmd_eventlog = {
	.name = "eventlog",
	.summary = "show the event logs of boots",
	.commands = (const struct command *const[]){ &eventlog_show, NULL },
};
