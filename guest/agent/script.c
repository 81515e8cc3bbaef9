/* SPDX-License-Identifier: MIT */
#include "guest/agent/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void become(const char *script, const char *name, const char *folder, int output)
{
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execl(script, script, name, folder, (char *)NULL);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", script, strerror(errno));
	_exit(127);
}

static void follow_output(int fd, char last_line[SCRIPT_LINE_MAX])
{
	FILE *output = fdopen(fd, "r");
	char line[SCRIPT_LINE_MAX];

	if (output == NULL) {
		close(fd);
		return;
	}
	while (fgets(line, sizeof(line), output) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0')
			continue;
		fprintf(stderr, "%s\n", line);
		memcpy(last_line, line, sizeof(line));
	}
	fclose(output);
}

static bool succeeded(pid_t child)
{
	int status;
	pid_t ended;

	do {
		ended = waitpid(child, &status, 0);
	} while (ended < 0 && errno == EINTR);
	return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool script_run(const char *script, const char *name, const char *folder,
		char last_line[SCRIPT_LINE_MAX])
{
	int ends[2];
	pid_t child;

	memset(last_line, 0, SCRIPT_LINE_MAX);
	if (pipe2(ends, O_CLOEXEC) != 0) {
		snprintf(last_line, SCRIPT_LINE_MAX, "pipe: %s", strerror(errno));
		return false;
	}
	child = fork();
	if (child == 0)
		become(script, name, folder, ends[1]);
	close(ends[1]);
	if (child < 0) {
		snprintf(last_line, SCRIPT_LINE_MAX, "fork: %s", strerror(errno));
		close(ends[0]);
		return false;
	}
	follow_output(ends[0], last_line);
	return succeeded(child);
}
