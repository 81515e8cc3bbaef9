/* SPDX-License-Identifier: MIT */
/* Values of several parts with commas between them, as QEMU's options have them. */
#ifndef SOCLE_MACHINE_HOST_SUBOPTIONS_H
#define SOCLE_MACHINE_HOST_SUBOPTIONS_H

#include <stddef.h>

/* Cuts value behind its first part, in which two commas become one; what is left, or NULL. */
char *suboption_cut(char *value);

/* Cuts NAME=VALUE in two; where VALUE is, or NULL without an equals sign. */
char *suboption_value(char *option);

/* The index of a word among count, or count. */
size_t suboption_word(const char *const *words, size_t count, const char *word);

#endif
