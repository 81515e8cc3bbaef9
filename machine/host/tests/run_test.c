/* SPDX-License-Identifier: MIT */
/* Whole runs of the host process, with a stand-in for QEMU (fake_qemu.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine/host/run.h"
#include "machine/host/tests/make_igvm.h"
#include "tests/lib/scratch_dir.h"

static const char *fake_qemu;

static struct run_options options_for(const char *scenario)
{
	return (struct run_options){
		.image = "good.igvm",
		.hv_image = scenario,
		.qemu = fake_qemu,
		.accel = "tcg",
		.host = HOST_MODEL_DEFAULT,
		.log_dir = "logs",
		.key_dir = "keys",
		.cpus = 2,
		.memory = 64u << 20,
		.timeout_ns = 30ull * 1000000000u,
		.quiet = true,
	};
}

static char *read_text(const char *path)
{
	char *text = calloc(1, 1u << 18);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1u << 18) - 1, f) < (1u << 18) - 1);
	fclose(f);
	return text;
}

static void assert_log_has(const char *path, const char *what)
{
	char *text = read_text(path);

	if (!strstr(text, what))
		fail_msg("%s does not have \"%s\":\n%s", path, what, text);
	free(text);
}

static json_t *read_timeline(void)
{
	json_error_t error;
	json_t *json = json_load_file("logs/timeline.json", 0, &error);

	if (!json)
		fail_msg("timeline.json: %s", error.text);
	return json;
}

static void assert_stop(const char *reason, int status)
{
	json_t *json = read_timeline(), *stop = json_object_get(json, "stop");

	assert_string_equal(json_string_value(json_object_get(stop, "reason")), reason);
	assert_int_equal(json_integer_value(json_object_get(stop, "status")), status);
	json_decref(json);
}

static void assert_run(const char *scenario, enum run_status status, const char *reason,
		       const char *message)
{
	struct run_options options = options_for(scenario);
	struct host_error error = { 0 };

	assert_int_equal(run_machine(&options, &error), status);
	assert_string_equal(error.text, message);
	assert_stop(reason, (int)status);
}

static void test_stops(void **state)
{
	(void)state;
	assert_run("poweroff", 0, "poweroff", "");
	assert_run("terminate", 2, "guest_terminated",
		   "the guest asked to be terminated: VMPL 2, reason set 4097, code 0x1002");
	assert_run("guest-ends", 2, "guest_terminated",
		   "the guest asked to be terminated: VMPL 2, reason set 4097, code 0x1002");
	assert_run("monitor-ends", 2, "guest_terminated",
		   "the guest asked to be terminated: VMPL 0, reason set 4097, code 0x1002: "
		   "monitor: ends:.. why");
	assert_run("shutdown", 3, "triple_fault", "triple fault in the guest: VMPL 2, RIP 0x1001");
	assert_run(
		"rmp", 4, "rmp_violation",
		"RMP violation by the guest: VMPL 2, gPA 0x1001, nested page fault error 0x1002, "
		"RIP 0x1003");
	assert_run("reboot", 9, "reboot", "the guest rebooted: VMPL 2, by port 0x1001");
	assert_run("test-exit", 10, "test_exit",
		   "the guest ended the machine by the exit port: VMPL 2, value 0x1001");
	assert_run("guest-hangs", 11, "hang",
		   "the guest hangs: no vCPU runs, and nothing can wake one; the last to stop was "
		   "vCPU 2, "
		   "VMPL 4097, RIP 0x1002");
	assert_run("panic", 12, "panic", "the guest's kernel panicked: VMPL 2, by pvpanic");
	assert_run("hv-error", 5, "hv_error", "the hypervisor failed");
	assert_run("unknown-stop", 5, "hv_error", "the hypervisor failed");
	assert_run(
		"died", 7, "qemu_died",
		"the emulator failed, not the guest: QEMU ended with status 3: fake: cannot go on");
}

/* What others wrote is printable in messages, and so timeline.json can hold them. */
static void test_texts_of_others(void **state)
{
	(void)state;
	assert_run("died-rudely", 7, "qemu_died",
		   "the emulator failed, not the guest: QEMU ended with status 3: fake: .[2J.");
	assert_log_has("logs/machine.log", "qemu: fake: .[2J.\n");
	assert_run("cpu-lacks", 1, "cpu_lacks",
		   "the processor that the emulator shows lacks what the machine needs: .., CPUID "
		   "leaf 0x2, EBX, bits 0x1002");
}

/* Each life has new memory and new keys, and the same launch; logs and time go on. */
static void test_reboots(void **state)
{
	struct run_options options = options_for("reboots");
	struct host_error error = { 0 };
	json_t *timeline;
	char *text;

	(void)state;
	options.on_reboot = RUN_RESTART_ON_REBOOT;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_log_has("logs/machine.log", "hv: life 1: 00 a5 0\n");
	assert_log_has("logs/machine.log", "end: the guest rebooted: VMPL 2, by port 0x1001\n");
	assert_log_has("logs/machine.log", "hv: life 2: 00 a5 0\n");
	assert_log_has("logs/machine.log", "hv: life 3: 00 a5 0\n");
	text = read_text("logs/guest.log");
	assert_string_equal(text, "a life\na life\na life\n");
	free(text);
	assert_stop("poweroff", 0);
	timeline = read_timeline();
	assert_int_equal(json_integer_value(json_object_get(timeline, "restarts")), 2);
	json_decref(timeline);
	assert_int_equal(unlink("lives"), 0);
	options.on_reboot = RUN_EXIT_ON_REBOOT;
	assert_int_equal(run_machine(&options, &error), RUN_REBOOT);
	assert_int_equal(unlink("lives"), 0);
}

/* A guest that cannot be started again has ended all the same: log, timeline and dump say how. */
static void test_not_restarted(void **state)
{
	struct run_options options = options_for("vanishes");
	struct host_error error = { 0 };

	(void)state;
	assert_int_equal(symlink(fake_qemu, "qemu"), 0);
	options.qemu = "./qemu";
	options.on_reboot = RUN_RESTART_ON_REBOOT;
	options.dump_dir = "dump/vanished";
	assert_int_equal(run_machine(&options, &error), RUN_MISUSE);
	assert_string_equal(error.text, "the guest rebooted and is not started again: cannot start "
					"./qemu: No such file or directory");
	assert_stop("not_restarted", 1);
	assert_log_has("logs/machine.log", "end: the guest rebooted and is not started again");
	assert_int_equal(access("dump/vanished/ram.bin", F_OK), 0);
}

/* Said once, of each disk that forgets, where the guest may start again. */
static void test_forgetful_disks(void **state)
{
	static const char line[] =
		"disk has snapshot=on: each restart loses what is written to it\n";
	struct run_options options = options_for("reboots");
	struct host_error error = { 0 };
	FILE *f = fopen("disk", "w");
	char *log, *at;

	(void)state;
	assert_non_null(f);
	fputs("x", f);
	fclose(f);
	options.devices.disks[0] = (struct guest_disk){ .path = "disk", .snapshot = true };
	options.devices.disk_count = 1;
	options.on_reboot = RUN_RESTART_ON_REBOOT;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	log = read_text("logs/machine.log");
	at = strstr(log, line);
	assert_non_null(at);
	assert_null(strstr(at + 1, line));
	free(log);
	assert_int_equal(unlink("lives"), 0);
	options.devices.disks[0].snapshot = false;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	log = read_text("logs/machine.log");
	assert_null(strstr(log, "snapshot=on"));
	free(log);
	assert_int_equal(unlink("lives"), 0);
	options.devices.disks[0].snapshot = true;
	options.on_reboot = RUN_EXIT_ON_REBOOT;
	assert_int_equal(run_machine(&options, &error), RUN_REBOOT);
	log = read_text("logs/machine.log");
	assert_null(strstr(log, "snapshot=on"));
	free(log);
	assert_int_equal(unlink("lives"), 0);
}

static void assert_file(const char *path, size_t size, size_t at, uint8_t want)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
	assert_int_equal(fgetc(f), want);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	assert_int_equal(ftell(f), size);
	fclose(f);
}

static void test_dump(void **state)
{
	struct run_options options = options_for("dump");
	struct host_error error = { 0 };

	(void)state;
	options.dump_dir = "dump/new";
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_file("dump/new/ram.bin", 64u << 20, 0x2000, 0x77);
	assert_file("dump/new/ram.bin", 64u << 20, 0x1000fff, 0xa5);
	/* 16384 pages of 8 bytes */
	assert_file("dump/new/rmp.bin", 0x20000, 0, 0x3c);
	assert_file("dump/new/rmp.bin", 0x20000, 0x1ffff, 0x3c);
	/* A table that is not all in the hypervisor's RAM is not written. */
	options = options_for("dump-wild");
	options.dump_dir = "dump/wild";
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_file("dump/wild/ram.bin", 64u << 20, 0x2000, 0x77);
	assert_int_equal(access("dump/wild/rmp.bin", F_OK), -1);
	options.dump_dir = "good.igvm/dump";
	assert_int_equal(run_machine(&options, &error), RUN_MISUSE);
}

static void test_killed(void **state)
{
	struct run_options options = options_for("killed");
	struct host_error error = { 0 };

	(void)state;
	assert_int_equal(run_machine(&options, &error), RUN_QEMU_DIED);
	/* A sanitizer turns the signal into an exit status and says so. */
	assert_non_null(strstr(error.text, "QEMU"));
	assert_stop("qemu_died", 7);
}

static void test_requests(void **state)
{
	struct run_options options = options_for("requests");
	struct host_error error = { 0 };

	(void)state;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	/* The page is all zeros, which is no message: INVALID_PARAM. Certificates need 2 pages. */
	assert_log_has("logs/machine.log", "hv: answer 16 pages 0 guid 00\n");
	assert_log_has("logs/machine.log", "hv: answer 100000000 pages 2 guid 63\n");
	assert_log_has("logs/machine.log", "hv: answer 16 pages 2 guid 63\n");
	assert_log_has("logs/machine.log", "host: unknown request 77\n");
}

static void test_disk(void **state)
{
	struct run_options options = options_for("disk");
	struct host_error error = { 0 };
	char text[8 * 512];
	FILE *f = fopen("disk", "w");

	(void)state;
	memset(text, 'o', sizeof(text));
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, sizeof(text), f), sizeof(text));
	assert_int_equal(fclose(f), 0);
	options.svsm_disk = "disk";
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_file("disk", sizeof(text), 7 * 512 - 1, 'o');
	assert_file("disk", sizeof(text), 7 * 512, 'x');
	assert_file("disk", sizeof(text), 8 * 512 - 1, 'x');
	assert_log_has("logs/machine.log", "hv: disk 8: 0 xx\n");
	assert_log_has("logs/machine.log", "hv: disk 8: 0 ox\n");
	/* EINVAL: beyond its end, and beyond the mailbox. */
	assert_log_has(
		"logs/machine.log",
		"host: disk: request 3 of the disk, 512 bytes at sector 8: Invalid argument\n");
	assert_log_has("logs/machine.log", "hv: disk 8: 22 ox\n");
	assert_log_has("logs/machine.log", "66048 bytes at sector 0: Invalid argument\n");
	options.svsm_disk = "no-disk";
	assert_int_equal(run_machine(&options, &error), RUN_MISUSE);
	assert_string_equal(error.text, "no-disk: No such file or directory");
}

static void assert_order(const json_t *events, const char *before, const char *after)
{
	json_int_t a = json_integer_value(json_object_get(json_object_get(events, before), "ns"));
	json_int_t b = json_integer_value(json_object_get(json_object_get(events, after), "ns"));

	assert_true(json_object_get(events, before) && json_object_get(events, after));
	assert_true(a <= b);
}

static void assert_counters(const json_t *timeline)
{
	json_t *exits = json_object_get(timeline, "exits");
	json_t *psc = json_array_get(exits, 1), *cpuid = json_array_get(exits, 0);
	json_t *switches = json_object_get(timeline, "switches");

	assert_int_equal(json_array_size(exits), 2);
	assert_string_equal(json_string_value(json_object_get(cpuid, "kind")), "cpuid");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(cpuid, "by_vmpl"), 2)),
			 5);
	assert_string_equal(json_string_value(json_object_get(psc, "kind")), "nae.psc");
	assert_string_equal(json_string_value(json_object_get(psc, "code")), "0x80000010");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(psc, "by_vmpl"), 0)), 7);
	assert_int_equal(json_integer_value(json_array_get(switches, 2)), 9);
}

static void test_logs(void **state)
{
	struct run_options options = options_for("logs");
	struct host_error error = { 0 };
	json_t *timeline, *events;
	char *text;

	(void)state;
	options.debug_marks.marks[0] = (struct run_mark){ "services_ready", "services ready" };
	options.debug_marks.marks[1] = (struct run_mark){ "never", "something else" };
	options.debug_marks.count = 2;
	options.console_marks.marks[0] = (struct run_mark){ "userspace", "login:" };
	options.console_marks.count = 1;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	text = read_text("logs/svsm.log");
	assert_string_equal(text, "monitor: boot\r\nmonitor: services ready now\n"
				  "and again: services ready\n");
	free(text);
	text = read_text("logs/guest.log");
	assert_string_equal(text, "Linux version\nlogin: ");
	free(text);
	assert_log_has("logs/machine.log", "hv: a line of the hypervisor\n");
	timeline = read_timeline();
	events = json_object_get(timeline, "events");
	assert_order(events, "machine_start", "vmpl0_entry");
	assert_order(events, "vmpl0_entry", "vmpl2_entry");
	assert_order(events, "vmpl2_entry", "end");
	assert_order(events, "services_ready", "end");
	assert_order(events, "userspace", "end");
	assert_null(json_object_get(events, "never"));
	assert_counters(timeline);
	json_decref(timeline);
}

static void test_long_log(void **state)
{
	struct run_options options = options_for("long-log");
	struct host_error error = { 0 };

	(void)state;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_log_has("logs/machine.log", "some of it is lost");
	assert_log_has("logs/machine.log", "hv: after\n");
	assert_log_has("logs/machine.log", "hv: last\n");
}

static void test_launch(void **state)
{
	struct run_options options = options_for("launch");
	struct host_error error = { 0 };

	(void)state;
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_log_has("logs/machine.log", "hv: launch is right\n");
}

static pid_t fake_pid(void)
{
	for (unsigned int i = 0; i < 1000; i++) {
		FILE *f = fopen("fake.pid", "r");
		int pid = 0;

		if (f) {
			if (fscanf(f, "%d", &pid) != 1)
				pid = 0;
			fclose(f);
		}
		if (pid)
			return pid;
		usleep(10000);
	}
	fail_msg("the stand-in for QEMU did not start");
	return 0;
}

static void assert_gone(pid_t pid)
{
	for (unsigned int i = 0; i < 500; i++) {
		if (kill(pid, 0) != 0 && errno == ESRCH)
			return;
		usleep(10000);
	}
	fail_msg("QEMU has survived");
}

static void test_timeout(void **state)
{
	struct run_options options = options_for("hang");
	struct host_error error = { 0 };

	(void)state;
	unlink("fake.pid");
	options.timeout_ns = 1000000000u;
	assert_int_equal(run_machine(&options, &error), RUN_TIMEOUT);
	assert_string_equal(error.text, "timeout: the guest still runs after 1 s");
	assert_stop("timeout", 6);
	assert_gone(fake_pid());
}

/* Runs the hanging machine in a process of its own, sends it a signal, returns its wait status. */
static int signalled(int signal)
{
	struct run_options options = options_for("hang");
	struct host_error error = { 0 };
	pid_t runner, qemu;
	int status;

	unlink("fake.pid");
	runner = fork();
	if (runner == 0)
		_exit((int)run_machine(&options, &error));
	qemu = fake_pid();
	kill(runner, signal);
	assert_int_equal(waitpid(runner, &status, 0), runner);
	assert_gone(qemu);
	return status;
}

static void test_signals(void **state)
{
	int status;

	(void)state;
	status = signalled(SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), RUN_INTERRUPTED);
	assert_stop("interrupted", 8);
	status = signalled(SIGKILL);
	assert_true(WIFSIGNALED(status));
}

static void assert_misuse(const struct run_options *options, const char *why)
{
	struct host_error error = { 0 };

	assert_int_equal(run_machine(options, &error), RUN_MISUSE);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" does not say \"%s\"", error.text, why);
}

static void test_misuse(void **state)
{
	struct run_options options = options_for("poweroff");

	(void)state;
	options.qemu = "/nonexistent/qemu";
	assert_misuse(&options, "cannot start /nonexistent/qemu: No such file");
	options = options_for("poweroff");
	options.image = "missing.igvm";
	assert_misuse(&options, "missing.igvm: No such file");
	options = options_for("poweroff");
	options.image = ".";
	assert_misuse(&options, ".: not a regular file");
	options = options_for("poweroff");
	options.image = "short.igvm";
	assert_misuse(&options, "short.igvm: ");
	assert_misuse(&options, "at file offset");
	options = options_for("poweroff");
	options.log_dir = "good.igvm/logs";
	assert_misuse(&options, "Not a directory");
}

/* Who does not say what he is, and does not end, is not waited for. */
static void test_silent(void **state)
{
	struct run_options options = options_for("poweroff");

	(void)state;
	assert_int_equal(symlink(fake_qemu, "silent"), 0);
	options.qemu = "./silent";
	assert_misuse(&options, "./silent --version: no answer in 10 seconds");
}

/* A TPM is without the option ppi where QEMU has it, and who does not say whether gets none. */
static void test_tpm_options(void **state)
{
	static const char *const names[] = { "without-ppi", "fails", "mute" };
	struct run_options options = options_for("tpm");
	struct host_error error = { 0 };

	(void)state;
	options.tpm = "tpm.socket";
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_log_has("logs/machine.log", "tpm-crb,tpmdev=tpm,ppi=off\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(symlink(fake_qemu, names[i]), 0);
	options.qemu = "./without-ppi";
	assert_int_equal(run_machine(&options, &error), RUN_POWEROFF);
	assert_log_has("logs/machine.log", "tpm-crb,tpmdev=tpm\n");
	options.qemu = "./fails";
	assert_misuse(&options, "./fails does not say what its tpm-crb can do");
	options.qemu = "./mute";
	assert_misuse(&options, "./mute does not say what its tpm-crb can do");
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	struct make_igvm make;
	uint8_t *data;
	size_t size;

	(void)state;
	if (chdir(scratch_dir_make()) != 0)
		return -1;
	make_igvm_default(&make);
	data = make_igvm_build(&make, &size);
	write_file("good.igvm", data, size);
	write_file("short.igvm", data, size - 1);
	free(data);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_dir_remove();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stops),	      cmocka_unit_test(test_killed),
		cmocka_unit_test(test_requests),      cmocka_unit_test(test_logs),
		cmocka_unit_test(test_long_log),      cmocka_unit_test(test_launch),
		cmocka_unit_test(test_timeout),	      cmocka_unit_test(test_signals),
		cmocka_unit_test(test_misuse),	      cmocka_unit_test(test_silent),
		cmocka_unit_test(test_dump),	      cmocka_unit_test(test_disk),
		cmocka_unit_test(test_reboots),	      cmocka_unit_test(test_texts_of_others),
		cmocka_unit_test(test_not_restarted), cmocka_unit_test(test_forgetful_disks),
		cmocka_unit_test(test_tpm_options),
	};

	if (argc != 2 || !(fake_qemu = realpath(argv[1], NULL)))
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
