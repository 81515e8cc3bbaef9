/* SPDX-License-Identifier: MIT */
/* Why something could not be built: one line for a person. */
#ifndef SOCLE_CORE_HOST_RESULT_H
#define SOCLE_CORE_HOST_RESULT_H

#include <stdbool.h>

struct build_error {
	char text[256];
};

/* Fills in the error and returns false. */
__attribute__((format(printf, 2, 3))) bool build_fail(struct build_error *error, const char *fmt,
						      ...);

#endif
