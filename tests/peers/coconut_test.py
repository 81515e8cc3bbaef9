#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""COCONUT-SVSM on the SNP machine, unmodified: an image that its own builder made, on the host whose loader
and features it is for, comes to its request loop on every vCPU.

    coconut_test.py --programs BUILD [--image FILE] [--digest HEX]

Without --image everything is skipped: the project has neither that image nor a way to build it. --digest is
what COCONUT's own igvmmeasure says of the file. docs/peers.md has what was run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402

CPUS, SECONDS = (1, 2, 4, 8), 60
LOOP = re.compile(rb"Launching request-processing task on CPU (\d+)")
result = Results("coconut")


def boot(socle, image, cpus, folder):
    """The vCPUs whose request loop runs, in the order of their numbers; it never ends by itself."""
    log = folder / f"{cpus}/guest.log"
    process = subprocess.Popen([socle, "run", "--quiet", "--host", "kvm-svsm", "--cpus", str(cpus), "--memory",
                                "1G", "--timeout", str(SECONDS), "--log-dir", log.parent, "--report-key-dir",
                                folder / "keys", image], stderr=subprocess.PIPE)
    loops = []
    while process.poll() is None and len(loops) < cpus:
        time.sleep(0.1)
        loops = sorted(int(number) for number in LOOP.findall(log.read_bytes())) if log.exists() else []
    process.terminate()
    process.wait(30)
    return loops


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--digest")
    options = parser.parse_args()
    socle = options.programs.resolve() / "tools/socle"
    if not options.image:
        result.skip("COCONUT-SVSM", "no image was given")
        result.finish()
        return 0
    measured = subprocess.run([socle, "igvm", "measure", options.image], capture_output=True, text=True,
                              check=False).stdout.strip()
    if options.digest:
        result(measured == options.digest.lower(), "the digest is igvmmeasure's", measured)
    with tempfile.TemporaryDirectory(prefix="socle-coconut-") as name:
        for cpus in CPUS:
            loops = boot(socle, options.image, cpus, Path(name))
            result(loops == list(range(cpus)), f"request loops on {cpus} vCPUs", loops)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
