/* SPDX-License-Identifier: MIT */
/* A folder of a test's own. */
#ifndef SOCLE_TESTS_LIB_SCRATCH_DIR_H
#define SOCLE_TESTS_LIB_SCRATCH_DIR_H

/* Makes an empty folder below $TMPDIR; its path stays valid until scratch_dir_remove(). */
const char *scratch_dir_make(void);

/* Removes the folder and all in it. */
void scratch_dir_remove(void);

#endif
