#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one exit of each kind costs, in instructions of guest and hypervisor: QEMU counts them
(-icount), so the figures do not depend on the computer.

    exit_cost.py --programs BUILD [--check] [--json FILE]

With --check it fails when one is a tenth above what it was when bench/exit_cost.json was written.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import machine  # noqa: E402

LINE = re.compile(r"^cost (\d+) (.*)$")
GROWTH = 1.1
TIMEOUT_S = 240


def measure(programs, folder):
    """Instructions by kind of exit."""
    socle, image, logs = programs / "tools" / "socle", folder / "image.igvm", folder / "logs"
    qemu = machine.icount_qemu(folder / "qemu")
    logs.mkdir()
    machine.must_build(socle, image, "--memory", "64M", "--bare",
                       programs / "tests" / "machine" / "rules" / "exit-cost", "--vmsa", "0x700000",
                       "--cpuid-page", "0x701000", "--secrets-page", "0x702000")
    stop, output = machine.run(socle, image, logs, folder / "keys", "--memory", "64M", "--qemu", qemu,
                               "--hv", programs / "machine" / "hv" / "hv.bin", seconds=TIMEOUT_S)
    found = [LINE.match(line) for line in machine.log_of(logs, "guest.log").splitlines()]
    if stop is None or stop.get("code") != 0 or not all(found) or not found:
        raise RuntimeError(f"nothing was measured: {output or stop}")
    return {match[2]: int(match[1]) for match in found}


def show(costs, limits):
    """Whether all are within their limits, and each limit has its cost."""
    fine = set(costs) == set(limits)
    for name in [name for name in limits if name not in costs]:
        print(f"{name:42} was not measured, and has a limit")
    for name, cost in costs.items():
        if name not in limits:
            print(f"{name:42} {cost:8} instructions  was measured, and has no limit")
            continue
        limit = int(limits[name] * GROWTH)
        fine = fine and cost <= limit
        print(f"{name:42} {cost:8} instructions (limit {limit}){'' if cost <= limit else '  above the limit'}")
    return fine


def parser(document):
    """Options of a bench that has limits in a file."""
    known = argparse.ArgumentParser(description=document.splitlines()[0])
    known.add_argument("--programs", type=Path, required=True)
    known.add_argument("--check", action="store_true")
    known.add_argument("--json", type=Path, help="write what was measured there")
    return known


def judge(costs, limits, options):
    """Shows and writes them as the options say. Returns the exit status."""
    if options.json:
        options.json.write_text(json.dumps(costs, indent=2) + "\n")
    return 0 if show(costs, json.loads(limits.read_text())) or not options.check else 1


def main():
    options = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="socle-exit-cost-") as folder:
        return judge(measure(options.programs.resolve(), Path(folder)), ROOT / "bench" / "exit_cost.json", options)


if __name__ == "__main__":
    sys.exit(main())
