#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Socle's place in memory and the order of the launch change its measurement and nothing else.

    layout_test.py SOCLE MONITOR VTPM ATTEST

Boots Socle with its real services and no guest, from different layouts: each must say the very same
up to the line that its services are ready, and each must measure differently. None has a host channel,
and each must find that out instead of waiting for an authority there.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOOT_SECONDS = 60
READY = "socle: services ready"
NO_CHANNEL = "vtpm: no certificates: there is no host channel"

LAYOUTS = {
    "as usual": [],
    "another base": ["--base", "0x4000000"],
    "the last directive first": ["--reverse-directives"],
    "shuffled": ["--shuffle", "20"],
    "another base, shuffled": ["--base", "0xa600000", "--shuffle", "7"],
}


def build(socle, monitor, services, image, options):
    files = {"services/services": services,
             "services.conf": ROOT / "services/services.conf",
             "profile/tcg.conf": ROOT / "profiles/tcg.conf"}
    command = [socle, "igvm", "build", "-q", "--monitor", monitor, "-o", image, *options]
    for name, path in files.items():
        command += ["--file", f"{name}={path}"]
    subprocess.run(command, check=True)
    run = subprocess.run([socle, "igvm", "measure", image], check=True, stdout=subprocess.PIPE,
                         text=True)
    return run.stdout.strip()


def boot(socle, image, keys, logs):
    """Socle's log up to READY; all there is when that does not come."""
    process = subprocess.Popen([socle, "run", "--quiet", "--log-dir", logs, "--report-key-dir",
                                keys, "--timeout", str(BOOT_SECONDS), image],
                               stderr=subprocess.DEVNULL)
    log = logs / "svsm.log"
    text = ""
    try:
        while process.poll() is None and READY not in text:
            time.sleep(0.1)
            text = log.read_text(errors="replace") if log.exists() else ""
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    return text[:text.index(READY) + len(READY)] if READY in text else text


def main():
    socle, monitor, services = sys.argv[1:4]
    keys = pathlib.Path(socle).resolve().parent.parent / "tests/machine/keys"
    measurements, usual, failures = {}, None, 0
    with tempfile.TemporaryDirectory(prefix="socle-layout-") as path:
        for name, options in LAYOUTS.items():
            folder = pathlib.Path(path) / name.replace(" ", "-")
            folder.mkdir()
            measurement = build(socle, monitor, services, folder / "image", options)
            text = boot(socle, folder / "image", keys, folder / "logs")
            usual = usual or text
            problem = ""
            if READY not in text:
                problem = "its services do not get ready"
            elif NO_CHANNEL not in text:
                problem = "it takes nothing for a host channel"
            elif text != usual:
                problem = "it says other things"
            elif measurement in measurements:
                problem = f"it measures like {measurements[measurement]}"
            measurements[measurement] = name
            print(f"{'not ok' if problem else 'ok'} - {name} {problem}".rstrip())
            if problem:
                print(text)
            failures += bool(problem)
    print(f"layout: {len(LAYOUTS) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
