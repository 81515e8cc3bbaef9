#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs Socle's tests and counts them; the last line is `N passed, N failed, N skipped`.

    check.py --programs BUILD [--slow] [--only NAME]...

A test is a program that prints a line `N passed, N failed[, N skipped]` after a name and a colon,
or a cmocka program, or else counts as one by its exit status.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT = re.compile(r"^(?:[\w -]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
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
    if failed:
        print("\n".join("      | " + line for line in output.splitlines()[-40:]), flush=True)


def run_meson(programs):
    """Every test that the build registers."""
    subprocess.run(["meson", "test", "-C", programs, "--no-rebuild", "--num-processes", "2",
                    "--quiet"], check=False, stdout=subprocess.DEVNULL)
    log = programs / "meson-logs" / "testlog.json"
    for line in log.read_text().splitlines():
        test = json.loads(line)
        output = test.get("stdout", "") + test.get("stderr", "")
        yield test["name"], count(output, test["result"] == "OK"), test["duration"], output


def run_program(name, argv):
    start = time.monotonic()
    run = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace", check=False)
    return name, count(run.stdout, run.returncode == 0), time.monotonic() - start, run.stdout


def programs_of(build, slow):
    """What does not run inside the build: machines and guests."""
    if slow:
        return [
            ("demo, one vCPU", ["scripts/demo.py", "--programs", build, "--cpus", "1",
                                "--build-dir", "build/demo-1cpu"]),
            ("demo, Linux 7", ["scripts/demo.py", "--programs", build, "--kernel", "build/kernel7",
                               "--guest", "build/guest7", "--build-dir", "build/demo-7"]),
            ("svsm/attest, Linux 7", ["tests/guest/attest_test.py", "--programs", build,
                                      "--kernel", "build/kernel7", "--guest", "build/guest7",
                                      "--work", "build/attest-test-7"]),
        ]
    return [
        ("machine", ["tests/machine/run.py", "--programs", build]),
        ("svsm/attest in the guest", ["tests/guest/attest_test.py", "--programs", build]),
        ("demo", ["scripts/demo.py", "--programs", build, "--keep"]),
        ("demo negatives", ["tests/demo/negatives.py", "--programs", build]),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--slow", action="store_true", help="the slow tests, and only those")
    parser.add_argument("--only", action="append", help="tests of this name, and no others")
    options = parser.parse_args()
    total = [0, 0, 0]

    def add(name, counts, seconds, output):
        show(name, counts, seconds, output)
        for i in range(3):
            total[i] += counts[i]

    if not options.slow and not options.only:
        for result in run_meson(options.programs.resolve()):
            add(*result)
    for name, argv in programs_of(str(options.programs), options.slow):
        if not options.only or name in options.only:
            add(*run_program(name, argv))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
