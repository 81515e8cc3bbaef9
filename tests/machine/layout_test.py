#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Socle's place in memory and the order of the launch change its measurement and nothing else.

    layout_test.py SOCLE MONITOR VTPM ATTEST

Boots Socle with its real services and no guest, from different layouts: each must say the very same
up to the line that its services are ready, and each must measure differently. None has a host channel,
and each must find that out instead of waiting for an authority there.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NO_CHANNEL = "vtpm: no certificates: there is no host channel"

LAYOUTS = {
    "as usual": [],
    "another base": ["--base", "0x4000000"],
    "the last directive first": ["--reverse-directives"],
    "shuffled": ["--shuffle", "20"],
    "another base, shuffled": ["--base", "0xa600000", "--shuffle", "7"],
}


def build(socle, monitor, services, image, options):
    machine.must_build(socle, image, "--monitor", monitor, *options,
                       files={"services/services": services,
                              "services.conf": ROOT / "services/services.conf",
                              "profile/tcg.conf": ROOT / "profiles/tcg.conf"})
    run = subprocess.run([socle, "igvm", "measure", image], check=True, stdout=subprocess.PIPE,
                         text=True)
    return run.stdout.strip()


def boot(socle, image, keys, logs):
    """Socle's log up to READY; all there is when that does not come."""
    text, ready, _ = machine.run_until_ready(socle, image, logs, keys).partition(machine.READY)
    return text + ready


def main():
    socle, monitor, services = sys.argv[1:4]
    keys = pathlib.Path(socle).resolve().parent.parent / "tests/machine/keys"
    measurements, usual = {}, None
    result = Results("layout")
    with tempfile.TemporaryDirectory(prefix="socle-layout-") as path:
        for name, options in LAYOUTS.items():
            folder = pathlib.Path(path) / name.replace(" ", "-")
            folder.mkdir()
            measurement = build(socle, monitor, services, folder / "image", options)
            text = boot(socle, folder / "image", keys, folder / "logs")
            usual = usual or text
            problem = ""
            if machine.READY not in text:
                problem = "its services do not get ready"
            elif NO_CHANNEL not in text:
                problem = "it takes nothing for a host channel"
            elif text != usual:
                problem = "it says other things"
            elif measurement in measurements:
                problem = f"it measures like {measurements[measurement]}"
            measurements[measurement] = name
            if not result(not problem, name, problem):
                print(text)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
