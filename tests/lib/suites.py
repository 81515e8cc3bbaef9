# SPDX-License-Identifier: MIT
"""QEMU as a newer suite of Debian has it (scripts/fetch-qemu.sh)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def qemu_of(suite):
    """Where it cannot be had, that is a failure, and not a skip."""
    folder = ROOT / "build" / f"qemu-{suite}"
    run = subprocess.run([ROOT / "scripts/fetch-qemu.sh", "--suite", suite, "--dir", folder], check=False)
    if run.returncode:
        sys.exit(f"the QEMU of {suite} cannot be had")
    print(f"# {(folder / 'version').read_text().strip()}", flush=True)
    return folder / "qemu-system-x86_64"
