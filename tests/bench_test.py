#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the benches do before and behind what they measure: the services of each side.

    bench_test.py

What they compare is one service apart only if all others are on both sides.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/lib")]
import boot_speed  # noqa: E402
import interrupts  # noqa: E402
import machine  # noqa: E402
from results import Results  # noqa: E402


def sides(result):
    usual = machine.services_of(interrupts.services(True))
    left = machine.services_of(interrupts.services(False))
    result("ahead" in usual and left == [name for name in usual if name != "ahead"], "without work ahead: all other services",
           str(left))
    conf = (ROOT / "services/services.conf").read_text()
    left = machine.services_of(boot_speed.without_tpm(conf))
    result(left == [name for name in usual if name not in boot_speed.TPM] and left, "without a TPM: all other services",
           str(left))
    for name in usual:
        lines = [line for line in machine.without_service(conf, name).splitlines() if line.startswith("\t")]
        rest = [line for line in conf.splitlines() if line.startswith("\t")]
        result(all(line in rest for line in lines) and len(lines) < len(rest), f"without {name}: fewer lines, and none new")
    try:
        machine.without_service(conf, "nobody")
        result(False, "a service that is not there is not taken out")
    except ValueError as error:
        result("nobody" in str(error), "a service that is not there is not taken out", str(error))


def main():
    result = Results("benches")
    sides(result)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
