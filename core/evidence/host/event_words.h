/* SPDX-License-Identifier: MIT */
/*
 * What an event of a log says, in words: one line of printable ASCII, whatever is in the log. The
 * line of an event that is proved is made of the proved bytes alone (event_log.h).
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_EVENT_WORDS_H
#define SOCLE_CORE_EVIDENCE_HOST_EVENT_WORDS_H

#include "core/evidence/host/event_log.h"

#define EVENT_WORDS_MAX \
	512u /* bytes of a line with its NUL; a longer one is cut, and ends in "..." */

/*
 * Writes the line for an event, and "" for one whose type says all of it, as a separator. What is
 * proved are its words, as event_log_proof() gave them, or NULL for what is claimed.
 */
void event_words_write(const struct event_log_event *event, const struct event_words *words,
		       char line[EVENT_WORDS_MAX]);

#endif
