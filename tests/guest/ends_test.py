#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ends of a Linux, told apart by exit status, message and timeline.json: power-off, reboot, reboot by a
triple fault, panic, halt; a reboot that starts again; and, apart from all of these, the death of the emulator.

    ends_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work DIR] [NAME]...
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 280  # as a busy computer needs
PLAIN, SOCLE = False, True
STARTED = re.compile("started, .* measurement ([0-9a-f]{96})$")

# Name, what the kernel is told besides `ends=`, under Socle or not, and what `socle run` says: exit
# status, reason, and a part of its message. A Linux reboots by the chipset's port, or, where it is told
# to (reboot=t), by a triple fault (arch/x86/kernel/reboot.c).
ENDS = [
    ("poweroff", "poweroff", "", PLAIN, 0, "poweroff", "the guest powered off"),
    ("reboot", "reboot", "", PLAIN, 9, "reboot", "the guest rebooted: VMPL 0, by port 0x"),
    ("reboot by triple fault", "reboot", "reboot=t", PLAIN, 3, "triple_fault",
     "triple fault in the guest: VMPL 0"),
    ("panic", "panic", "", PLAIN, 9, "reboot", "the guest rebooted: VMPL 0, by port 0x"),
    ("halt", "halt", "", PLAIN, 11, "hang", "the guest hangs: no vCPU runs"),
    ("reboot under Socle", "reboot", "", SOCLE, 9, "reboot", "the guest rebooted: VMPL 2, by port 0x"),
    ("halt under Socle", "halt", "", SOCLE, 11, "hang", "the guest hangs: no vCPU runs"),
]


def build(options, how, words, socle):
    init = booted.HERE / "ends_init"
    more = f"ends={how} {words}"
    if socle:
        return booted.build(options, init, cmdline=more)
    return booted.image(
        options, booted.initramfs(options, init), "--plain-linux", "--append",
        f"console=ttyS0 quiet panic=-1 {more}", "--cpus", booted.CPUS, "--memory", "256M", "--c-bit", 47)


def command(options, image, socle):
    return [str(word) for word in (
        options.programs / "tools/socle", "run", "--cpus", booted.CPUS, "--log-dir", options.work,
        "--report-key-dir", booted.ROOT / "build/report-keys", "--timeout", TIMEOUT_S,
        *(() if socle else ("--memory", "256M")), image)]


def wrong(options, run, status, reason, message):
    timeline = options.work / "timeline.json"
    stop = json.loads(timeline.read_text())["stop"] if timeline.exists() else {}
    found = []
    if (run.returncode, stop.get("status"), stop.get("reason")) != (status, status, reason):
        found.append(f"exit status {run.returncode}, {stop}")
    if message not in stop.get("message", "") or message not in run.stdout:
        found.append(f"it says {run.stdout.strip()[-200:]!r}")
    if status and message not in run.stderr:
        found.append(f"the error is {run.stderr.strip()!r}")
    return "; ".join(found)


def child_of(process):
    """QEMU, once it is there."""
    for _ in range(100):
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        if children:
            return int(children[0])
        time.sleep(0.1)
    raise RuntimeError("no QEMU")


def emulator_dies(options, image):
    """An abort of QEMU, as an assertion of its own makes it."""
    with subprocess.Popen(command(options, image, PLAIN), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        qemu = child_of(process)
        time.sleep(0.5)
        os.kill(qemu, signal.SIGABRT)
        output, errors = process.communicate()
    run = subprocess.CompletedProcess([], process.returncode, output, errors)
    return wrong(options, run, 7, "qemu_died",
                 "the emulator failed, not the guest: QEMU was killed by signal 6")


def starts_again(options, image):
    """Three starts, each with the digest of the first; then a signal ends what would go on for ever."""
    digests = []
    with subprocess.Popen([*command(options, image, PLAIN)[:-1], "--on-reboot", "restart", image],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            found = STARTED.search(line)
            digests += [found[1]] if found else []
            if len(digests) == 3:
                process.terminate()
                break
        errors = process.stderr.read()
    timeline = json.loads((options.work / "timeline.json").read_text())
    boots = booted.log_of(options).count("reboot: Restarting system")
    ok = process.returncode == 8 and len(digests) == 3 and len(set(digests)) == 1 and timeline["restarts"] == 2 and \
        boots == 2
    return "" if ok else f"{process.returncode}, {digests}, {boots} reboots, {timeline['stop']}, {errors.strip()}"


def reported_panic(options):
    """Under firmware there is pvpanic in the DSDT, and the kernel's driver tells the host of a panic."""
    firmware, missing = booted.ovmf("trixie")
    if missing:
        return missing
    first = booted.initramfs(options, booted.HERE / "ends_init", modules=["pvpanic-mmio"])
    run = subprocess.run([
        *command(options, firmware, PLAIN)[:-1], "--firmware", firmware, "--kernel", booted.vmlinuz(options),
        "--initrd", first, "--append",
        "console=ttyS0 panic=-1 ends=panic"], capture_output=True, text=True, check=False)
    return wrong(options, run, 12, "panic", "the guest's kernel panicked: VMPL 0, by pvpanic")


def main():
    parser = booted.parser(__doc__, "ends")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    result = Results("ends")
    for name, how, words, socle, *ending in ENDS:
        if options.names and name not in options.names:
            continue
        booted.prepare(options)
        image = build(options, how, words, socle)
        run = subprocess.run(command(options, image, socle), capture_output=True, text=True, check=False)
        result(not (problem := wrong(options, run, *ending)), name, problem)
    booted.prepare(options)
    problem = reported_panic(options)
    result(not problem, "panic under firmware", problem)
    booted.prepare(options)
    problem = starts_again(options, build(options, "reboot", "", PLAIN))
    result(not problem, "reboot, and started again", problem)
    booted.prepare(options)
    problem = emulator_dies(options, build(options, "poweroff", "", PLAIN))
    result(not problem, "the emulator", problem)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
