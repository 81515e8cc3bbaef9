#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An event of VMPL0 at each instruction between two calls of a guest (tests/attacks/guest/sweep.c), where QEMU
counts instructions, on hosts that preempt between two instructions and at exits.

    sweep_test.py --programs BUILD
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

RULES = 3
SECONDS = 600  # ten of a processor are enough, which a busy computer may not have at once
HOSTS = (run.STRICT, ())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    options = parser.parse_args()
    run.TIMEOUT_S = SECONDS
    result = Results("sweep")
    with tempfile.TemporaryDirectory(prefix="socle-sweep-") as temporary:
        folder = Path(temporary)
        for i, host in enumerate(HOSTS):
            name = (host or run.HOST)[1]
            qemu = machine.icount_qemu(folder / f"qemu-{i}")
            case = run.Run("sweep", 1, RULES, ("--event-sweep", "--qemu", qemu, *host))
            _, passed, problems = run.run_one(case, options.programs.resolve(), folder / str(i), folder / "keys")
            result(not problems and passed == RULES, f"sweep on {name}: {passed} of {RULES} rules {problems[:3]}")
            timeline = folder / str(i) / "timeline.json"
            sweep = json.loads(timeline.read_text())["sweep"] if timeline.exists() else {}
            # Each rule has as many calls: none has been without a whole one.
            result(sweep.get("whole", 0) >= 2 * RULES, f"sweep on {name}: {sweep}")
            result(all(sweep.get("by_vmpl", [0] * 4)[vmpl] for vmpl in (0, 2)), "VMPL0 and VMPL2 were met")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
