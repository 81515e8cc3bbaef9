/* SPDX-License-Identifier: MIT */
#include "machine/host/suboptions.h"

#include <string.h>

char *suboption_cut(char *value)
{
	char *to = value;

	for (; *value; value++) {
		if (*value == ',' && value[1] != ',')
			break;
		if (*value == ',')
			value++;
		*to++ = *value;
	}
	if (!*value)
		value = NULL;
	*to = '\0';
	return value ? value + 1 : NULL;
}

char *suboption_value(char *option)
{
	char *value = strchr(option, '=');

	if (value)
		*value++ = '\0';
	return value;
}

size_t suboption_word(const char *const *words, size_t count, const char *word)
{
	size_t i = 0;

	while (i < count && (!words[i] || strcmp(words[i], word) != 0))
		i++;
	return i;
}
