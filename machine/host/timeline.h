/* SPDX-License-Identifier: MIT */
/* What happened when in one run of the machine, and how often: timeline.json. */
#ifndef SOCLE_MACHINE_HOST_TIMELINE_H
#define SOCLE_MACHINE_HOST_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "machine/mailbox.h"

/*
 * The file, format 1:
 *	"start_monotonic_ns"	CLOCK_MONOTONIC at machine start
 *	"events"		name -> {"ns": since machine start, "monotonic_ns"}, of the first
 *				time
 *	"restarts"		launches after the first; exits, switches and storm are of the last
 *				one
 *	"exits"			[{"kind", "code": hex, "by_vmpl": [4]}], of the hypervisor's
 *				counters
 *	"switches"		[4], VMPL switches into each level
 *	"storm"			{"interval_us", "user", "kernel", "nested", "timer"}: mailbox.h;
 *				only when there was one
 *	"sweep"			{"whole", "by_vmpl": [4]}: mailbox.h; only when there was one
 *	"stop"			{"reason", "status", "message", and what the reason adds}
 */
struct timeline {
	uint64_t start_ns;
	json_t *events;
	json_t *stop;
	unsigned int restarts; /* launches after the first */
};

/* Starts the clock and notes the event machine_start. False when out of memory. */
bool timeline_init(struct timeline *timeline);
void timeline_free(struct timeline *timeline);

/* ns since machine start. */
uint64_t timeline_now(const struct timeline *timeline);

/* Notes that an event happened now; false if it had happened before, which stays noted. */
bool timeline_event(struct timeline *timeline, const char *name);

/* Sets "stop"; takes the reference. */
void timeline_stop(struct timeline *timeline, json_t *stop);

/* Writes the file into dir, all of it or nothing, with the counters that mailbox holds. */
bool timeline_write(const struct timeline *timeline, const struct mailbox *mailbox, const char *dir,
		    struct host_error *error);

#endif
