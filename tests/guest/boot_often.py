#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts the demo's kernel again and again at VMPL0 without Socle, up to its first program, which
switches the machine off, and says how each start ended. By hand: for faults that come once in a
hundred starts.

    boot_often.py --programs BUILD [--count N] [--cpus N] [--patches N] [--hv FILE]
        [--plain-qemu multi|single] [--kernel DIR] [--work DIR]

--patches has the kernel patch itself that often, twice, under load, before it switches off.
--plain-qemu starts the kernel on QEMU without the machine, with a thread for each processor or one
for all. What a start that did not end well has left is kept in the folder below build/.
"""

import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import time

import booted

sys.path.insert(0, str(booted.ROOT / "guest/initramfs"))
import build as initramfs  # noqa: E402

TIMEOUT_S = 240
MEMORY = "256M"
# A host with much else to do lets timer interrupts come late, and the kernel then gives up.
CMDLINE = "console=ttyS0 panic=-1 quiet no_timer_check"
# The machine's processor. Its CMPXCHG16B leaves rubbish in RFLAGS (docs/machine-limits.md).
QEMU_CPU = "EPYC-Milan,-cx16"
# What a kernel says when it dies, of which the first line is the one to know.
LAST_WORDS = re.compile(r"Oops: .*|BUG: .*|int3: .*|Kernel panic .*|.*soft lockup.*|.*rcu.*stall.*")


def cmdline(options):
    return f"{CMDLINE} patches={options.patches}" if options.patches else CMDLINE


def first_file_system(options):
    stage = options.work / "stage"
    (stage / "dev").mkdir(parents=True)
    (stage / "proc").mkdir()
    shutil.copy(options.programs / "tests/guest/first-program", stage / "init")
    out = options.work / "initramfs.cpio"
    out.write_bytes(initramfs.newc(stage))
    return out


def start_machine(options, image, folder):
    here = argparse.Namespace(**{**vars(options), "work": folder})
    more = ["--hv", options.hv] if options.hv else []
    return booted.boot(here, image, TIMEOUT_S, "--memory", MEMORY, *more, cpus=options.cpus)


def start_qemu(options, first, folder):
    """The same without the machine."""
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display",
               "none", "-machine", "q35", "-accel", f"tcg,thread={options.plain_qemu}", "-cpu",
               QEMU_CPU, "-smp", str(options.cpus), "-m", MEMORY, "-kernel", booted.vmlinuz(options), "-initrd", first,
               "-append",
               cmdline(options), "-serial", f"file:{folder / 'guest.log'}", "-serial",
               f"file:{folder / 'results.log'}"]
    try:
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        problem = None
    except subprocess.SubprocessError as error:
        problem = "timeout" if isinstance(error, subprocess.TimeoutExpired) else str(error)
    return (folder / "results.log").read_text(errors="replace").splitlines(), problem


def ending(options, folder, lines, problem):
    """How a start ended, in a few words; None when well."""
    log = folder / "guest.log"
    words = LAST_WORDS.search(log.read_text(errors="replace")) if log.exists() else None
    if words:
        return words.group().strip()
    if problem:
        return problem.splitlines()[0]
    wanted = {f"{options.cpus} processors"}
    if options.patches:
        wanted.add(f"{options.patches} patches")
    return ", ".join(f"it does not say {line!r}" for line in sorted(wanted - set(lines))) or None


def main():
    parser = booted.parser(__doc__, "boot-often")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--patches", type=int, default=0)
    parser.add_argument("--hv", type=pathlib.Path, help="another hypervisor of the machine")
    parser.add_argument("--plain-qemu", choices=["multi", "single"])
    options = parser.parse_args()
    booted.prepare(options)
    subject = first_file_system(options)
    start = start_qemu
    if not options.plain_qemu:
        start = start_machine
        subject = booted.image(options, subject, "--plain-linux", "--append", cmdline(options), "--cpus",
                               options.cpus, "--memory", MEMORY, "--c-bit", 47)
    endings = collections.Counter()
    for number in range(1, options.count + 1):
        folder = options.work / f"start-{number}"
        folder.mkdir()
        began = time.monotonic()
        how = ending(options, folder, *start(options, subject, folder))
        endings[how or "well"] += 1
        print(f"{number:4} {time.monotonic() - began:5.1f} s  {how or 'well'}", flush=True)
        if not how:
            shutil.rmtree(folder)
    bad = options.count - endings.pop("well", 0)
    for how, times in endings.most_common():
        print(f"{times:4} times: {how}")
    print(f"starts: {options.count - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
