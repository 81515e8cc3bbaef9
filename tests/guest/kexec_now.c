/* SPDX-License-Identifier: MIT */
/*
 * kexec_now KERNEL COMMAND-LINE: loads that kernel, without a first file system, and starts it.
 * Where that fails, why.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int kernel = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (kernel < 0 || syscall(SYS_kexec_file_load, kernel, -1, strlen(argv[2]) + 1, argv[2],
				  KEXEC_FILE_NO_INITRAMFS) != 0) {
		fprintf(stderr, "kexec_now: cannot load: %s\n", strerror(errno));
		return 1;
	}
	reboot(LINUX_REBOOT_CMD_KEXEC);
	fprintf(stderr, "kexec_now: cannot start: %s\n", strerror(errno));
	return 1;
}
