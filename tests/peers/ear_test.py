#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our attestation results as the crate `ear` reads them: the cases of tests/verify/ear_test.py, each token
read back by the crate's version that has the token's profile, and a forged one refused by it.

    ear_test.py --programs BUILD [--shared DIR] [--work build/peers]

cargo fetches the crate and builds tests/peers/ear. Without cargo or the crate this fails.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))

from results import Results  # noqa: E402

SECONDS = 600


def build(work):
    """The peer's program; why there is none."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "ear-target")}
    try:
        run = subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT / "tests/peers/ear",
                             env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    return work / "ear-target/debug/ear-peer", run.stderr if run.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    peer, problem = build(work)
    if problem:
        result = Results("ear crate")
        result(False, "cargo builds it", problem)
        return result.finish()
    return subprocess.run([ROOT / "tests/verify/ear_test.py", options.programs.resolve() / "tools/socle",
                           ROOT / "docs/spec/vectors", options.shared, "--peer", peer],
                          check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
