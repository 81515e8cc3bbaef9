#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The twin begins behind the guest's start: when, by Socle's log, and how long a vCPU stands still for it, in
instructions, which QEMU counts. A guest asks for a key at once, or leaves Socle the time to be ready, having
taken the hierarchies that keys are found ahead in (tests/attacks/guest/twin.c). What a tick and a millisecond are:
turns_test.py.

    twin_test.py --programs BUILD
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import run
from turns_test import LONGEST, MILLISECOND, SECONDS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

RULES = 2
KEY = re.compile(r"^# the (first|second) key: (\d+) turns, longest stop (\d+)$", re.MULTILINE)
STOPS = re.compile(r"^# (\d+) stops, longest (\d+)$", re.MULTILINE)
GUEST = "starting the guest at VMPL2"
BEGINS, LOADED = "service twin is ready", "service twin is prepared"


def boot(options, result, name, folder, conf=""):
    """What the guest has said, once Socle's log has its lines in their order."""
    qemu = machine.icount_qemu(folder / "qemu")
    case = run.Run(name, 1, RULES, ("--qemu", qemu), conf=conf)
    _, passed, problems = run.run_one(case, options.programs.resolve(), folder / name, folder / "keys")
    result(not problems and passed == RULES, f"{name}: {passed} of {RULES} rules {problems[:3]}")
    log = machine.log_of(folder / name)
    at = [log.find(line) for line in (GUEST, BEGINS, LOADED)]
    result(-1 < at[0] < at[1] < at[2], f"{name}: the twin begins behind the guest's start, and is used {at}")
    said = machine.log_of(folder / name, "guest.log")
    return {word: (int(turns), int(stop)) for word, turns, stop in KEY.findall(said)}, STOPS.search(said)


def within(result, name, stop):
    result(0 < stop <= LONGEST, f"{name}: the longest stop is {stop / MILLISECOND:.2f} ms of instructions, 12 at most")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    options = parser.parse_args()
    run.TIMEOUT_S = SECONDS
    result = Results("twin")
    with tempfile.TemporaryDirectory(prefix="socle-twin-") as folder:
        keys, _ = boot(options, result, "twin", Path(folder))
        result(keys["first"][0] > 2 and keys["second"][0] == 1,
               f"asked for at once the first key takes {keys['first'][0]} turns, the second {keys['second'][0]}")
        within(result, "asked for at once", keys["second"][1])
        keys, stops = boot(options, result, "twin-ahead", Path(folder))
        result(keys["first"][0] == 1, f"behind work ahead the first key takes {keys['first'][0]} turn")
        within(result, "asked for later", keys["second"][1])
        within(result, "work ahead", int(stops[2]) if stops else 0)
        conf = machine.without_service((run.ROOT / "services" / "services.conf").read_text(), "ahead")
        keys, stops = boot(options, result, "twin-alone", Path(folder), conf)
        result(keys["first"][0] == 1, f"where nobody finds primes the first key takes {keys['first'][0]} turn, too")
        within(result, "the twin alone", int(stops[2]) if stops else 0)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
