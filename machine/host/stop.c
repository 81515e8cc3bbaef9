/* SPDX-License-Identifier: MIT */
#include "machine/host/stop.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "machine/host/printable.h"

__attribute__((format(printf, 4, 5))) static void set(struct stop *stop, enum run_status status,
						      const char *reason, const char *format, ...)
{
	va_list args;

	stop->status = status;
	stop->reason = reason;
	va_start(args, format);
	vsnprintf(stop->message, sizeof(stop->message), format, args);
	va_end(args);
	make_printable(stop->message);
}

static void add_number(struct stop *stop, const char *name, uint64_t value)
{
	json_object_set_new(stop->detail, name, json_integer((json_int_t)value));
}

static void add_hex(struct stop *stop, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_object_set_new(stop->detail, name, json_string(text));
}

static void guest_terminated(struct stop *stop, const uint64_t arg[4], const char *last_debug)
{
	bool said = arg[0] == 0 && *last_debug;

	set(stop, RUN_GUEST_TERMINATED, "guest_terminated",
	    "the guest asked to be terminated: VMPL %" PRIu64 ", reason set %" PRIu64
	    ", code 0x%" PRIx64 "%s%s",
	    arg[0], arg[1], arg[2], said ? ": " : "", said ? last_debug : "");
	add_number(stop, "vmpl", arg[0]);
	add_number(stop, "set", arg[1]);
	add_number(stop, "code", arg[2]);
}

static void triple_fault(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_TRIPLE_FAULT, "triple_fault",
	    "triple fault in the guest: VMPL %" PRIu64 ", RIP 0x%" PRIx64, arg[0], arg[1]);
	add_number(stop, "vmpl", arg[0]);
	add_hex(stop, "rip", arg[1]);
}

static void rmp_violation(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_RMP_VIOLATION, "rmp_violation",
	    "RMP violation by the guest: VMPL %" PRIu64 ", gPA 0x%" PRIx64
	    ", nested page fault error 0x%" PRIx64 ", RIP 0x%" PRIx64,
	    arg[0], arg[1], arg[2], arg[3]);
	add_number(stop, "vmpl", arg[0]);
	add_hex(stop, "gpa", arg[1]);
	add_hex(stop, "error", arg[2]);
	add_hex(stop, "rip", arg[3]);
}

static void reboot(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_REBOOT, "reboot", "the guest rebooted: VMPL %" PRIu64 ", by port 0x%" PRIx64,
	    arg[0], arg[1]);
	add_number(stop, "vmpl", arg[0]);
	add_hex(stop, "port", arg[1]);
}

static void test_exit(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_TEST_EXIT, "test_exit",
	    "the guest ended the machine by the exit port: VMPL %" PRIu64 ", value 0x%" PRIx64,
	    arg[0], arg[1]);
	add_number(stop, "vmpl", arg[0]);
	add_number(stop, "value", arg[1]);
}

static void hang(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_HANG, "hang",
	    "the guest hangs: no vCPU runs, and nothing can wake one; the last to stop was vCPU "
	    "%" PRIu64 ", VMPL %" PRIu64 ", RIP 0x%" PRIx64,
	    arg[0], arg[1], arg[2]);
	add_number(stop, "vcpu", arg[0]);
	add_number(stop, "vmpl", arg[1]);
	add_hex(stop, "rip", arg[2]);
}

static void panicked(struct stop *stop, const uint64_t arg[4])
{
	set(stop, RUN_PANIC, "panic", "the guest's kernel panicked: VMPL %" PRIu64 ", by pvpanic",
	    arg[0]);
	add_number(stop, "vmpl", arg[0]);
}

static void cpuid_page(struct stop *stop, const uint64_t arg[4])
{
	static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX", "a reserved field" };

	add_hex(stop, "gpa", arg[0]);
	if (arg[1] == MAILBOX_CPUID_HEADER) {
		set(stop, RUN_MISUSE, "cpuid_page",
		    "the AMD-SP refuses the CPUID page at gPA 0x%" PRIx64
		    ": more than 64 entries, or a reserved field",
		    arg[0]);
		return;
	}
	set(stop, RUN_MISUSE, "cpuid_page",
	    "the AMD-SP refuses the CPUID page at gPA 0x%" PRIx64 ": %s of leaf 0x%x, subleaf 0x%x,"
	    " entry %" PRIu64,
	    arg[0], registers[arg[3] < 4 ? arg[3] : 4], (uint32_t)arg[2], (uint32_t)(arg[2] >> 32),
	    arg[1]);
	add_number(stop, "entry", arg[1]);
}

static void cpu_lacks(struct stop *stop, const uint64_t arg[4])
{
	static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };
	char name[sizeof(arg[3]) + 1] = "", since[64] = "";
	uint32_t version = (uint32_t)(arg[1] >> 32);

	memcpy(name, &arg[3], sizeof(arg[3]));
	make_printable(name);
	if (version)
		snprintf(since, sizeof(since), ", which QEMU has from %u.%u on", version >> 8,
			 version & 0xff);
	set(stop, RUN_MISUSE, "cpu_lacks",
	    "the processor that the emulator shows lacks what the machine needs: %s, CPUID leaf "
	    "0x%" PRIx64 ", %s, bits 0x%" PRIx64 "%s",
	    name, arg[0], registers[arg[1] & 3], arg[2], since);
	json_object_set_new(stop->detail, "name", json_string(name));
}

void stop_from_mailbox(struct stop *stop, const struct mailbox *mailbox, const char *last_debug)
{
	const uint64_t *arg = mailbox->stop_arg;

	stop->detail = json_object();
	switch (mailbox->stop_reason) {
	case MAILBOX_STOP_POWEROFF:
		set(stop, RUN_POWEROFF, "poweroff", "the guest powered off");
		break;
	case MAILBOX_STOP_GUEST_TERMINATE:
		guest_terminated(stop, arg, last_debug);
		break;
	case MAILBOX_STOP_SHUTDOWN:
		triple_fault(stop, arg);
		break;
	case MAILBOX_STOP_RMP_VIOLATION:
		rmp_violation(stop, arg);
		break;
	case MAILBOX_STOP_REBOOT:
		reboot(stop, arg);
		break;
	case MAILBOX_STOP_HANG:
		hang(stop, arg);
		break;
	case MAILBOX_STOP_PANIC:
		panicked(stop, arg);
		break;
	case MAILBOX_STOP_CPU_LACKS:
		cpu_lacks(stop, arg);
		break;
	case MAILBOX_STOP_CPUID_PAGE:
		cpuid_page(stop, arg);
		break;
	case MAILBOX_STOP_TEST_EXIT:
		test_exit(stop, arg);
		break;
	default:
		set(stop, RUN_HV_ERROR, "hv_error", "the hypervisor failed");
		break;
	}
}

void stop_qemu_died(struct stop *stop, int wait_status, const char *last_output)
{
	const char *colon = *last_output ? ": " : "";

	stop->detail = json_object();
	if (WIFSIGNALED(wait_status)) {
		set(stop, RUN_QEMU_DIED, "qemu_died",
		    "the emulator failed, not the guest: QEMU was killed by signal %d%s%s",
		    WTERMSIG(wait_status), colon, last_output);
		add_number(stop, "signal", (uint64_t)WTERMSIG(wait_status));
		return;
	}
	set(stop, RUN_QEMU_DIED, "qemu_died",
	    "the emulator failed, not the guest: QEMU ended with status %d%s%s",
	    WEXITSTATUS(wait_status), colon, last_output);
	add_number(stop, "exit_status", (uint64_t)WEXITSTATUS(wait_status));
}

void stop_not_restarted(struct stop *stop, const char *why)
{
	stop->detail = json_object();
	set(stop, RUN_MISUSE, "not_restarted", "the guest rebooted and is not started again: %s",
	    why);
}

void stop_timeout(struct stop *stop, uint64_t timeout_ns)
{
	set(stop, RUN_TIMEOUT, "timeout", "timeout: the guest still runs after %" PRIu64 " s",
	    timeout_ns / 1000000000u);
}

void stop_interrupted(struct stop *stop, int signal)
{
	set(stop, RUN_INTERRUPTED, "interrupted", "interrupted by signal %d (%s)", signal,
	    strsignal(signal));
}

void stop_left(struct stop *stop)
{
	set(stop, RUN_INTERRUPTED, "interrupted", "left by Ctrl-A X");
}

json_t *stop_json(const struct stop *stop)
{
	json_t *json = json_pack("{s:s, s:i, s:s}", "reason", stop->reason, "status", stop->status,
				 "message", stop->message);

	if (json && stop->detail)
		json_object_update(json, stop->detail);
	return json;
}

void stop_free(struct stop *stop)
{
	json_decref(stop->detail);
	*stop = (struct stop){ 0 };
}
