#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs Socle's tests and counts them; the last line is `N passed, N failed, N skipped`.

    check.py --programs BUILD [--slow | --unit] [--only NAME]... [--slower N]

A test is a program that prints a line `N passed, N failed[, N skipped]` after a name and a colon,
or a cmocka program, or else counts as one by its exit status. One that does not end in time failed; for a
computer that is slow, or has other work, each program's limit is N times as long. Limits within them stay.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT = re.compile(r"^(?:[\w -]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
LIMIT_S = 240  # for one program
LIMIT_SLOW_S = 900
CMOCKA = re.compile(r"^\[  (PASSED|FAILED)  \] (\d+) test\(s\)", re.MULTILINE)


def count(output, ok):
    """(passed, failed, skipped) of one program's output."""
    counts = COUNT.findall(output)
    if counts:
        total = [sum(int(c[i] or 0) for c in counts) for i in range(3)]
    else:
        found = CMOCKA.findall(output)
        total = [sum(int(n) for kind, n in found if kind == "PASSED"),
                 sum(int(n) for kind, n in found if kind == "FAILED"), 0]
    if sum(total) == 0:
        return (1, 0, 0) if ok else (0, 1, 0)
    if not ok and total[1] == 0:
        total[1] = 1  # it ended badly after its last count
    return tuple(total)


def show(name, counts, seconds, output):
    passed, failed, skipped = counts
    print(f"{'FAIL' if failed else 'ok':4}  {name:28} {passed:4} passed, {failed} failed"
          f"{f', {skipped} skipped' if skipped else ''}  ({seconds:.0f} s)", flush=True)
    for line in output.splitlines():
        if line.startswith("skipped"):
            print(f"      {line}")
    if failed:  # what passed is named, too, and there may be much of it
        lines = output.splitlines()
        # A test may be another run of this program, whose lines are set in.
        wrong = [line for line in lines[:-40] if line.lstrip(" |").startswith(("not ok", "FAIL"))]
        print("\n".join("      | " + line for line in wrong[:40] + lines[-40:]), flush=True)


def run_group(argv, limit):
    """Runs a program, and ends whatever it started: its status, None when out of time, and output."""
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        kill_group(process)
        output, _ = process.communicate()
        return None, output + f"\nout of time after {limit} s\n"
    finally:
        kill_group(process)


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_meson(programs, slower):
    """Every test that the build registers; each has a time limit there."""
    log = programs / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    start = time.monotonic()
    status, output = run_group(["meson", "test", "-C", programs, "--no-rebuild",
                                "--num-processes", "2", "--timeout-multiplier", str(slower), "--quiet"],
                               LIMIT_SLOW_S * slower)
    results = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for test in results:
        text = test.get("stdout", "") + test.get("stderr", "")
        yield test["name"], count(text, test["result"] == "OK"), test["duration"], text
    if status != 0 and all(test["result"] == "OK" for test in results):
        yield "meson test", (0, 1, 0), time.monotonic() - start, output


def run_program(name, argv, limit):
    start = time.monotonic()
    status, output = run_group(argv, limit)
    return name, count(output, status == 0), time.monotonic() - start, output


def programs_of(build, slow):
    """What does not run inside the build: machines and guests."""
    def demo(name, folder, *words):
        return name, ["scripts/demo.py", "--programs", build, "--build-dir", f"build/{folder}",
                      *words]

    if slow:
        return [
            demo("demo, one vCPU, on Hyper-V's model", "demo-1cpu", "--cpus", "1", "--host",
                 "hyperv"),
            demo("demo, profile google, on KVM's model", "demo-google", "--profile", "google",
                 "--host", "kvm-svsm"),
            *(demo(f"demo, profile {name}", f"demo-{name}", "--profile", name)
              for name in ("azure", "aws")),
            demo("demo under a storm of #HV", "demo-storm", "--machine-option=--event-storm",
                 "--machine-option=300"),
            demo("demo, two planes at once", "demo-planes", "--machine-option=--fault",
                 "--machine-option=planes-at-once"),
            demo("demo, another base, shuffled", "demo-base", "--image-option=--base",
                 "--image-option=0x10000000", "--image-option=--shuffle", "--image-option=3"),
            demo("demo, directives reversed", "demo-reverse",
                 "--image-option=--reverse-directives"),
            ("clang", ["scripts/check-clang.sh", "build/clang"]),
            ("clang-tidy", ["scripts/analyze.py", "--programs", build, "clang-tidy"]),
            ("gcc's analyzer", ["scripts/analyze.py", "--programs", build, "gcc"]),
            ("the igvm crate", ["tests/peers/igvm_test.py", "--programs", build]),
            ("event logs of real machines", ["tests/peers/eventlog_test.py", "--programs", build]),
            ("verdicts under load", ["tests/verify/serve_load.py", f"{build}/tools/socle", "--seconds", "20"]),
            ("the ear crate", ["tests/peers/ear_test.py", "--programs", build]),
            ("IGVM files, fuzzed", ["scripts/fuzz-igvm.py", "40"]),
            ("readers of evidence, fuzzed", ["scripts/fuzz-verifier.py"]),
            ("verifiers of others", ["tests/peers/peers_test.py", "--programs", build]),
            ("faults that a test sees", ["scripts/mutants", "--repeat"]),
            ("digests of firmware", ["tests/peers/firmware_digest_test.py", "--programs", build]),
            ("guests by firmware, a sample", ["tests/guest/matrix.py", "--programs", build, "--sample"]),
            *((f"OVMF of {suite} under Socle",
               ["tests/guest/svsm_firmware_test.py", "--programs", build, "--suite", suite,
                                                "--sizes", made, "--work", f"build/svsm-firmware-{suite}"])
              for suite, made in (("forky", "1:256M,4:3G"), ("trixie", "2:512M"))),
            ("GRUB under Socle", ["tests/guest/svsm_firmware_test.py", "--programs", build, "--way", "grub", "--work",
                                  "build/svsm-firmware-grub"]),
            ("demo, a Debian on a disk", ["scripts/demo-vm.py", "--programs", build]),
            ("its evidence, and others'", ["tests/demo/vm_negatives_test.py", "--programs", build]),
            *((f"a disk by {bus}, {cpus} vCPUs",
               ["tests/guest/disk_test.py", "--programs", build, "--by", "firmware", "--bus",
                                                  bus, "--cpus", cpus, "--format", made, "--work",
                                                  f"build/disk-{bus}-{cpus}"])
              for bus, cpus, made in (("virtio-blk", "1", "raw"), ("nvme", "2", "qcow2"))),
            ("a disk without firmware, under Socle", ["tests/guest/disk_test.py", "--programs", build, "--by", "socle",
                                                      "--cpus", "2", "--work", "build/disk-socle"]),
            ("a network",
             ["tests/guest/net_test.py", "--programs", build, "--device", "virtio-net", "--cpus", "1", "--work",
                           "build/net-virtio-net"]),
            ("plain Linux, two vCPUs", ["tests/guest/plain_linux_test.py", "--programs", build,
                                        "--cpus", "2"]),
            ("machine on a newer QEMU", ["tests/machine/run.py", "--programs", build, "--suite", "trixie"]),
            *((f"the guest's APIC beside that of {suite}'s QEMU",
               ["tests/apic/judge_test.py", f"{build}/tests/apic/apic-image.elf", f"{build}/tests/apic/apic-model",
                "--suite", suite, "--steps", "1000"]) for suite in ("trixie", "forky")),
            ("ends of a Linux", ["tests/guest/ends_test.py", "--programs", build]),
            ("a reset under Socle", ["tests/guest/reset_test.py", "--programs", build]),
            ("kexec under Socle", ["tests/guest/kexec_test.py", "--programs", build]),
            ("a CPU that comes back", ["tests/guest/cpus_test.py", "--programs", build]),
            ("NMIs in the SVSM call", ["tests/guest/nmi_test.py", "--programs", build]),
            ("demo, archive byte flipped", ["tests/demo/flipped_boot_test.py", "--programs", build,
                                            "--build-dir", "build/demo-flipped"]),
            ("keys over many calls", ["tests/guest/probe_test.py", "--programs", build,
                                      "--parts", "tests,hold"]),
            ("vTPM under load", ["tests/vtpm/load_test.py", f"{build}/tools/socle", "profiles"]),
            ("primes found ahead", ["tests/guest/ahead_test.py", "--programs", build]),
            ("vTPM under OVMF", ["tests/vtpm/firmware_test.py", "--ovmf", f"{build}/tools/socle", "profiles"]),
            ("authority that misbehaves", ["tests/demo/authority_test.py", "--programs", build,
                                           "--build-dir", "build/demo-authority", "--cpus", "1"]),
            ("hostile services under a storm", ["tests/services/hostile_test.py", "--storm", "120",
                                                f"{build}/tools/socle",
                                                f"{build}/monitor/monitor.elf",
                                                f"{build}/tests/services/hostile"]),
            ("an event at each instruction", ["tests/attacks/sweep_test.py", "--programs", build]),
            ("the longest turn", ["tests/attacks/turns_test.py", "--programs", build]),
            ("attacks, more of them", ["tests/attacks/run.py", "--programs", build, "--slow"]),
            ("bad input, more of it", ["tests/bad_input_test.py", f"{build}/tools/socle-checked",
                                       f"{build}/tests/machine/guest/guest-separation",
                                       f"{build}/tests/keys", "600"]),
            ("states, all of them", ["tests/vtpm/state_test.py", f"{build}/tools/socle", "profiles", "--all"]),
            demo("demo, Linux 7", "demo-7", "--kernel", "build/kernel7", "--guest", "build/guest7"),
            ("svsm/attest, Linux 7", ["tests/guest/attest_test.py", "--programs", build,
                                      "--kernel", "build/kernel7", "--guest", "build/guest7",
                                      "--work", "build/attest-test-7"]),
            ("Secure TSC, Linux 7", ["tests/guest/plain_linux_test.py", "--programs", build, "--cpus", "2",
                                     "--secure-tsc", "--kernel", "build/kernel7", "--guest",
                                     "build/guest7", "--work", "build/secure-tsc-7"]),
            ("a CPU that comes back, Linux 7", ["tests/guest/cpus_test.py", "--programs", build,
                                                "--kernel", "build/kernel7", "--guest",
                                                "build/guest7", "--work", "build/cpus-test-7",
                                                "--hosts", "on"]),
        ]
    return [
        ("format", ["scripts/format.sh", "--check"]),
        ("machine", ["tests/machine/run.py", "--programs", build]),
        ("attacks", ["tests/attacks/run.py", "--programs", build]),
        ("plain Linux at VMPL0", ["tests/guest/plain_linux_test.py", "--programs", build]),
        ("svsm/attest in the guest", ["tests/guest/attest_test.py", "--programs", build]),
        ("demo", ["scripts/demo.py", "--programs", build, "--keep"]),
        ("demo negatives", ["tests/demo/negatives_test.py", "--programs", build]),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--slow", action="store_true", help="the slow tests, and only those")
    parser.add_argument("--unit", action="store_true", help="only those that the build registers")
    parser.add_argument("--only", action="append", help="tests of this name, and no others")
    parser.add_argument("--slower", type=float, default=1, metavar="N",
                        help="each test program's limit is N times as long")
    options = parser.parse_args()
    if not 1 <= options.slower <= 100:
        parser.error(f"--slower: from 1 to 100, not {options.slower}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("check: told to end"))
    total = [0, 0, 0]

    def add(name, counts, seconds, output):
        show(name, counts, seconds, output)
        for i in range(3):
            total[i] += counts[i]

    if not options.slow and not options.only:
        for result in run_meson(options.programs.resolve(), options.slower):
            add(*result)
    limit = (LIMIT_SLOW_S if options.slow else LIMIT_S) * options.slower
    for name, argv in programs_of(str(options.programs), options.slow):
        if not options.unit and (not options.only or name in options.only):
            add(*run_program(name, argv, limit))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
