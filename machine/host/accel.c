/* SPDX-License-Identifier: MIT */
#include "machine/host/accel.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_below(const char *root, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return fopen(whole, "re");
}

static bool has_word(char *line, const char *wanted)
{
	char *rest = line, *word;

	while ((word = strsep(&rest, " \t\n"))) {
		if (strcmp(word, wanted) == 0)
			return true;
	}
	return false;
}

/* The first processor's flags tell: all are the same. */
static bool has_svm(const char *root)
{
	FILE *f = open_below(root, "/proc/cpuinfo");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && getline(&line, &size, f) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		found = has_word(line, "svm");
		break;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* Its text is 1 or Y; there is none where the module is not loaded. */
static const char *nesting_refusal(const char *root)
{
	FILE *f = open_below(root, "/sys/module/kvm_amd/parameters/nested");
	int first = f ? fgetc(f) : EOF;

	if (f)
		fclose(f);
	if (first == EOF)
		return "the module kvm_amd is not loaded";
	return first == '1' || first == 'Y' ? NULL : "kvm_amd is loaded with nested=0";
}

const char *accel_kvm_refusal(const char *root)
{
	char path[PATH_MAX];
	const char *refusal;
	int fd;

	if (!has_svm(root))
		return "the processor has no SVM, or does not show it";
	refusal = nesting_refusal(root);
	if (refusal)
		return refusal;
	snprintf(path, sizeof(path), "%s/dev/kvm", root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "/dev/kvm cannot be opened";
	close(fd);
	return NULL;
}
