#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What interrupts of VMPL0 take from a guest that computes, in instructions and exits, which QEMU and the machine
count (-icount), so the figures do not depend on the computer.

    interrupts.py --programs BUILD [--check]

With --check it fails when one is above its limit.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
sys.path.insert(0, str(ROOT / "tests" / "attacks"))
import machine  # noqa: E402
import run as attacks  # noqa: E402

LOOP = re.compile(r"^# loop (\d+)$", re.MULTILINE)
SECONDS = 600
EXITS = 4  # of one interrupt
INSTRUCTIONS = 60_000  # of one interrupt, exits and the guest's way back included; measured are some 27,000
# A second: microseconds between two, and the guest's loss.
RATES = {100: (10_000, 0.02), 1000: (1_000, 0.15)}
# Work ahead (docs/services.md): its share of a vCPU, and the longest slice, with what begins and ends it.
AHEAD_SHARE = 0.05
SLICE_S = 0.011


def is_exit(kind):
    """What a processor leaves the guest for: RMP instructions and the GHCB's MSR it does by itself."""
    return kind in ("intr", "hlt") or kind.startswith(("nae.", "msr."))


def measure(programs, folder, keys, options, conf="", guest="loop"):
    """Ticks of the loop, exits, and events."""
    case = attacks.Run(guest, 1, 1,
                       (*options, *attacks.STRICT, "--qemu", machine.icount_qemu(folder.with_suffix(".qemu"))),
                       conf=conf)
    _, passed, problems = attacks.run_one(case, programs, folder, keys)
    if problems or not passed:
        raise RuntimeError(f"nothing was measured: {problems[:3]}")
    timeline = json.loads((folder / "timeline.json").read_text())
    exits = {kind["kind"]: kind["by_vmpl"] for kind in timeline["exits"] if is_exit(kind["kind"])}
    return (int(LOOP.search(machine.log_of(folder, "guest.log"))[1]), exits,
            sum(timeline.get("sweep", {"by_vmpl": [0]})["by_vmpl"]))


def services(ahead):
    """services.conf with the service for work ahead, or without."""
    text = (ROOT / "services/services.conf").read_text()
    return text if ahead else machine.without_service(text, "ahead")


def ahead(programs, folder, keys, say):
    """What work ahead takes of a guest that computes while there are primes to be found: at most its share and one
    slice. It computes for two seconds, in the first half of which the twin begins (docs/services.md)."""
    without, _, _ = measure(programs, folder / "without", keys, (), services(False), "loop-long")
    beside, _, _ = measure(programs, folder / "ahead", keys, (), services(True), "loop-long")
    seconds = beside / machine.ICOUNT_HZ
    lost = (beside - without) / machine.ICOUNT_HZ
    say(f"work ahead: seconds lost of {seconds:.3g}, one slice apart", max(lost - SLICE_S, 0), AHEAD_SHARE * seconds)
    return lost > 0


def total(exits):
    return sum(sum(by_vmpl) for by_vmpl in exits.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    programs, fine = options.programs.resolve(), True
    attacks.TIMEOUT_S = SECONDS

    def say(what, value, limit):
        nonlocal fine
        fine = fine and value <= limit
        print(f"{what:52} {value:12.4g} (limit {limit:g}){'' if value <= limit else '  above the limit'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="socle-interrupts-") as temporary:
        folder = Path(temporary)
        alone, exits, _ = measure(programs, folder / "0", folder / "keys", ())
        # One is of the trial before the guest's start (docs/planes.md).
        say("without: interrupts of the host's at VMPL2", exits.get("intr", [0] * 4)[2], 1)
        for rate, (every, loss) in RATES.items():
            ticks, more, events = measure(programs, folder / str(rate), folder / "keys", ("--event-every", every))
            say(f"{rate} a second: exits of one interrupt", (total(more) - total(exits)) / max(events, 1), EXITS)
            say(f"{rate} a second: what the guest loses", ticks / alone - 1, loss)
            say(f"{rate} a second: instructions for one interrupt", (ticks - alone) / max(events, 1), INSTRUCTIONS)
            fine = fine and events > 0
        (folder / "work").mkdir()
        fine = ahead(programs, folder / "work", folder / "keys", say) and fine
    return 0 if fine or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
