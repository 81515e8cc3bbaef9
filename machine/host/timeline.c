/* SPDX-License-Identifier: MIT */
#include "machine/host/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/host/clock.h"
#include "core/base/host/file.h"
#include "machine/host/exits.h"
#include "machine/host/files.h"

#define FILE_NAME "timeline.json"

uint64_t timeline_now(const struct timeline *timeline)
{
	return clock_ns() - timeline->start_ns;
}

static void note(struct timeline *timeline, const char *name, uint64_t clock)
{
	json_object_set_new(timeline->events, name,
			    json_pack("{s:I, s:I}", "ns", (json_int_t)(clock - timeline->start_ns),
				      "monotonic_ns", (json_int_t)clock));
}

bool timeline_init(struct timeline *timeline)
{
	*timeline = (struct timeline){ .start_ns = clock_ns() };
	timeline->events = json_object();
	if (!timeline->events)
		return false;
	note(timeline, "machine_start", timeline->start_ns);
	return true;
}

void timeline_free(struct timeline *timeline)
{
	json_decref(timeline->events);
	json_decref(timeline->stop);
	*timeline = (struct timeline){ 0 };
}

bool timeline_event(struct timeline *timeline, const char *name)
{
	if (json_object_get(timeline->events, name))
		return false;
	note(timeline, name, clock_ns());
	return true;
}

void timeline_stop(struct timeline *timeline, json_t *stop)
{
	json_decref(timeline->stop);
	timeline->stop = stop;
}

static json_t *four(const uint64_t counts[4])
{
	return json_pack("[I, I, I, I]", (json_int_t)counts[0], (json_int_t)counts[1],
			 (json_int_t)counts[2], (json_int_t)counts[3]);
}

static json_t *exits(const struct mailbox *mailbox)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < MAILBOX_EXIT_KINDS; i++) {
		const struct mailbox_exit_counter *c = &mailbox->exits[i];
		char name[EXIT_NAME_SIZE], code[24];

		if (!(c->count[0] | c->count[1] | c->count[2] | c->count[3]))
			continue;
		exit_name(c->code, name);
		snprintf(code, sizeof(code), "0x%" PRIx64, exit_code(c->code));
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "kind", name, "code", code,
						      "by_vmpl", four(c->count)));
	}
	return list;
}

static json_t *storm(const struct mailbox *mailbox)
{
	const struct mailbox_storm *s = &mailbox->storm;

	if (mailbox->storm_us == 0)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "interval_us", (json_int_t)mailbox->storm_us,
			 "user", (json_int_t)s->user, "kernel", (json_int_t)s->kernel, "nested",
			 (json_int_t)s->nested, "timer", (json_int_t)s->timer);
}

static json_t *sweep(const struct mailbox *mailbox)
{
	if (mailbox->sweeps == 0 && mailbox->every_us == 0)
		return NULL;
	return json_pack("{s:I, s:o}", "whole", (json_int_t)mailbox->sweep.whole, "by_vmpl",
			 four(mailbox->sweep.at));
}

static char *to_text(const struct timeline *timeline, const struct mailbox *mailbox)
{
	json_t *root = json_pack("{s:i, s:I, s:O, s:i, s:o, s:o, s:o*, s:o*, s:O?}", "format", 1,
				 "start_monotonic_ns", (json_int_t)timeline->start_ns, "events",
				 timeline->events, "restarts", (int)timeline->restarts, "exits",
				 exits(mailbox), "switches", four(mailbox->switches), "storm",
				 storm(mailbox), "sweep", sweep(mailbox), "stop", timeline->stop);
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;

	json_decref(root);
	return text;
}

bool timeline_write(const struct timeline *timeline, const struct mailbox *mailbox, const char *dir,
		    struct host_error *error)
{
	static struct mailbox none; /* no life has counted anything */
	char *path = files_path(dir, FILE_NAME);
	char *text = to_text(timeline, mailbox ? mailbox : &none);
	struct host_error file_error;
	bool ok;

	if (!path || !text)
		ok = host_fail(error, "out of memory");
	else
		ok = file_write(path, text, strlen(text), &file_error) ||
		     host_fail(error, "%s: %s", path, file_error.text);
	free(path);
	free(text);
	return ok;
}
