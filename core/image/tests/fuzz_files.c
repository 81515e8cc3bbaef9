/* SPDX-License-Identifier: MIT */
/* Runs the fuzzer's function over the files of a folder, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX (1u << 20)

static void run(const char *path)
{
	uint8_t *data = malloc(FILE_MAX);
	FILE *f = fopen(path, "rb");

	if (data && f)
		LLVMFuzzerTestOneInput(data, fread(data, 1, FILE_MAX, f));
	if (f)
		fclose(f);
	free(data);
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;

	if (!folder || chdir(argv[1]) != 0)
		return 1;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] != '.')
			run(entry->d_name);
	}
	closedir(folder);
	return 0;
}
