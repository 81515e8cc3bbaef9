/* SPDX-License-Identifier: MIT */
#include "monitor/service/syscalls.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/service/linux.h"

#define SERVICE_PID 1
#define NS_PER_S 1000000000ull
#define RANDOM_PIECE 64u
#define RANDOM_MAX 4096u /* bytes of one getrandom() */

struct timespec64 {
	int64_t seconds, nanoseconds;
};

struct syscall {
	uint64_t number;
	int64_t (*handler)(struct service *service, const uint64_t arg[6]);
};

static int64_t sys_read(struct service *service, const uint64_t arg[6])
{
	return channel_read(service, arg[0], va(arg[1]), arg[2]);
}

static int64_t sys_write(struct service *service, const uint64_t arg[6])
{
	return channel_write(service, arg[0], va(arg[1]), arg[2]);
}

/* Anonymous private memory where we like, readable and writable. */
static int64_t sys_mmap(struct service *service, const uint64_t arg[6])
{
	const uint64_t want = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS;
	const uint64_t harmless = LINUX_MAP_NORESERVE | LINUX_MAP_STACK;

	if (arg[2] != (LINUX_PROT_READ | LINUX_PROT_WRITE) || (arg[3] & ~harmless) != want)
		return -LINUX_EINVAL;
	return process_mmap(service, arg[1]);
}

static int64_t sys_mprotect(struct service *service, const uint64_t arg[6])
{
	const uint64_t known = LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC;
	unsigned int rights = 0;

	if (arg[2] & ~known)
		return -LINUX_EINVAL;
	if (arg[2] & LINUX_PROT_READ)
		rights |= MAP_READ;
	if (arg[2] & LINUX_PROT_WRITE)
		rights |= MAP_WRITE | MAP_READ;
	if (arg[2] & LINUX_PROT_EXEC)
		rights |= MAP_EXEC | MAP_READ;
	return process_protect(service, arg[0], arg[1], rights);
}

static int64_t sys_munmap(struct service *service, const uint64_t arg[6])
{
	return process_munmap(service, arg[0], arg[1]);
}

static int64_t sys_brk(struct service *service, const uint64_t arg[6])
{
	return (int64_t)process_brk(service, arg[0]);
}

static int64_t sys_getpid(struct service *service, const uint64_t arg[6])
{
	(void)service;
	(void)arg;
	return SERVICE_PID;
}

static int64_t sys_exit(struct service *service, const uint64_t arg[6])
{
	process_crash(service, arg[0] == 0 ? "it left" : "it left with an error");
	return 0;
}

static int64_t sys_arch_prctl(struct service *service, const uint64_t arg[6])
{
	if (arg[0] != LINUX_ARCH_SET_FS)
		return -LINUX_EINVAL;
	if (arg[1] >= SPACE_USER_MAX)
		return -LINUX_EPERM;
	service->context.fs_base = arg[1];
	return 0;
}

static int64_t sys_time(struct service *service, const uint64_t arg[6])
{
	int64_t seconds = (int64_t)(arch_now_ns() / NS_PER_S);

	if (arg[0] && !space_write(&service->space, va(arg[0]), &seconds, sizeof(seconds)))
		return -LINUX_EFAULT;
	return seconds;
}

/* There is one thread, so that nobody ever waits and there is nobody to wake. */
static int64_t sys_futex(struct service *service, const uint64_t arg[6])
{
	(void)service;
	if ((arg[1] & ~(uint64_t)LINUX_FUTEX_PRIVATE_FLAG) != LINUX_FUTEX_WAKE)
		return -LINUX_ENOSYS;
	return 0;
}

/* One clock for all: the time since the monitor's start, which is as good as the host's word. */
static int64_t sys_clock_gettime(struct service *service, const uint64_t arg[6])
{
	uint64_t now = arch_now_ns();
	struct timespec64 time = {
		.seconds = (int64_t)(now / NS_PER_S),
		.nanoseconds = (int64_t)(now % NS_PER_S),
	};

	if (arg[0] != LINUX_CLOCK_REALTIME && arg[0] != LINUX_CLOCK_MONOTONIC &&
	    arg[0] != LINUX_CLOCK_PROCESS_CPUTIME_ID)
		return -LINUX_EINVAL;
	if (!space_write(&service->space, va(arg[1]), &time, sizeof(time)))
		return -LINUX_EFAULT;
	return 0;
}

/* Fails closed: who wants random bytes where there are none has nothing to go on with. */
static int64_t sys_getrandom(struct service *service, const uint64_t arg[6])
{
	size_t size = arg[1] < RANDOM_MAX ? arg[1] : RANDOM_MAX;
	uint8_t piece[RANDOM_PIECE];

	if (arg[2] & ~(uint64_t)(LINUX_GRND_NONBLOCK | LINUX_GRND_RANDOM))
		return -LINUX_EINVAL;
	if (!space_check(&service->space, va(arg[0]), size, MAP_WRITE))
		return -LINUX_EFAULT;
	for (size_t done = 0; done < size; done += RANDOM_PIECE) {
		size_t part = size - done < RANDOM_PIECE ? size - done : RANDOM_PIECE;

		if (!arch_random(piece, part)) {
			process_crash(service, "the CPU gives no random bytes");
			return -LINUX_EIO;
		}
		space_write(&service->space, va(arg[0] + done), piece, part);
	}
	explicit_bzero(piece, sizeof(piece));
	return (int64_t)size;
}

static const struct syscall syscalls[] = {
	{ LINUX_READ, sys_read },
	{ LINUX_WRITE, sys_write },
	{ LINUX_MMAP, sys_mmap },
	{ LINUX_MPROTECT, sys_mprotect },
	{ LINUX_MUNMAP, sys_munmap },
	{ LINUX_BRK, sys_brk },
	{ LINUX_GETPID, sys_getpid },
	{ LINUX_EXIT, sys_exit },
	{ LINUX_ARCH_PRCTL, sys_arch_prctl },
	{ LINUX_TIME, sys_time },
	{ LINUX_FUTEX, sys_futex },
	{ LINUX_CLOCK_GETTIME, sys_clock_gettime },
	{ LINUX_EXIT_GROUP, sys_exit },
	{ LINUX_GETRANDOM, sys_getrandom },
};

static const struct syscall *find_syscall(uint64_t number)
{
	for (size_t i = 0; i < sizeof(syscalls) / sizeof(syscalls[0]); i++) {
		if (syscalls[i].number == number)
			return &syscalls[i];
	}
	return NULL;
}

void syscall_do(struct service *service)
{
	struct trap_frame *regs = &service->context.regs;
	const uint64_t arg[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };
	const struct syscall *call = find_syscall(regs->rax);
	int64_t result = -LINUX_ENOSYS;

	if (call)
		result = call->handler(service, arg);
	regs->rax = (uint64_t)result;
}
