#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each call of the core protocol costs, in instructions of guest, Socle and hypervisor: QEMU counts them
(-icount), so the figures do not depend on the computer.

    call_cost.py --programs BUILD [--check] [--json FILE]

With --check it fails when one is a tenth above what it was when bench/call_cost.json was written.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import exit_cost

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "tests/attacks")]
import machine  # noqa: E402
import run as attacks  # noqa: E402

LINE = re.compile(r"^# cost (\d+) (.*)$", re.MULTILINE)
CPUS = 2  # one of them makes the calls, and the other is stopped
SECONDS = 240


def measure(programs, folder):
    """Instructions by call."""
    attacks.TIMEOUT_S = SECONDS
    case = attacks.Run("call-cost", CPUS, 1, ("--qemu", machine.icount_qemu(folder / "qemu")))
    _, passed, problems = attacks.run_one(case, programs, folder / "run", folder / "keys")
    if problems or not passed:
        raise RuntimeError(f"nothing was measured: {problems[:3]}")
    return {name: int(cost) for cost, name in LINE.findall(machine.log_of(folder / "run", "guest.log"))}


def main():
    options = exit_cost.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="socle-call-cost-") as folder:
        return exit_cost.judge(measure(options.programs.resolve(), Path(folder)), ROOT / "bench/call_cost.json",
                               options)


if __name__ == "__main__":
    sys.exit(main())
