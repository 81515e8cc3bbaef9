#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long a vCPU stands still in a TPM command in turns, in instructions, which QEMU counts: an RSA-3072 key; and in
a TPM2_Clear without turns, in which the vtpm learns what is to be found ahead (tests/attacks/guest/turns.c). A tick of
the TSC is an instruction there, which makes one of 1 GHz. No processor with SNP has so slow a one, and Socle takes it
for one of 3 GHz: its millisecond has three million (arch/hw/timer.c).

    turns_test.py --programs BUILD
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

RULES = 4
SECONDS = 1200  # a minute of a processor is enough, which a busy computer may not have at once
MILLISECOND = 3_000_000
LONGEST = 12 * MILLISECOND
# Learning takes 0.45 ms; no search for a prime, nor ten times as much, fits in here.
LEARNS = 2 * MILLISECOND
CLEARED = re.compile(r"^# cleared in (\d+)$", re.MULTILINE)
STOP = re.compile(r"^# (\d+) turns, longest stop (\d+)$", re.MULTILINE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    options = parser.parse_args()
    run.TIMEOUT_S = SECONDS
    result = Results("turns")
    with tempfile.TemporaryDirectory(prefix="socle-turns-") as temporary:
        folder = Path(temporary)
        qemu = machine.icount_qemu(folder / "qemu")
        case = run.Run("turns-3072", 1, RULES, ("--qemu", qemu))
        _, passed, problems = run.run_one(case, options.programs.resolve(), folder / "run", folder / "keys")
        result(not problems and passed == RULES, f"{passed} of {RULES} rules {problems[:3]}")
        said = machine.log_of(folder / "run", "guest.log")
        found = STOP.search(said)
        turns, longest = (int(found[1]), int(found[2])) if found else (0, 0)
        result(turns > 1, f"an RSA-3072 key takes {turns} turns")
        result(0 < longest <= LONGEST, f"the longest is {longest / MILLISECOND:.2f} ms of instructions, 12 at most")
        cleared = int(found[1]) if (found := CLEARED.search(said)) else 0
        result(0 < cleared <= LEARNS, f"a TPM2_Clear that learns takes {cleared / MILLISECOND:.2f} ms, 2 at most")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
