#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The launch digest of Debian's OVMF is what sev-snp-measure says: for 1, 2 and 4 vCPUs, of each processor whose
signature it knows by name.

    firmware_digest_test.py --programs BUILD [--work build/peers]

sev-snp-measure is IBM's (PyPI), and written from QEMU's side; pip fetches it into the work folder, once, and
scripts/fetch-ovmf.sh the firmware. Where one of them cannot be had, that is a failure.
"""

import argparse
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

PEER = "sev-snp-measure==0.0.13"
STARTED = re.compile(r"machine: started, .* measurement ([0-9a-f]{96})$", re.MULTILINE)
# (suite, vCPUs, the peer's name of a processor, what it is to `socle run`)
CASES = [
    ("trixie", 1, "EPYC-Milan", []),
    ("trixie", 2, "EPYC-Milan", []),
    ("trixie", 4, "EPYC-Milan", []),
    ("forky", 1, "EPYC-Milan", []),
    ("forky", 2, "EPYC-Genoa", ["--vcpu-sig", "0xa10f10"]),
    ("forky", 4, "EPYC-Rome", ["--vcpu-sig", "0x830f10"]),
]

result = Results("firmware digests")


def install(work):
    """The peer's program, or why there is none."""
    program = work / "snp-measure/bin/sev-snp-measure"
    if not program.exists():
        venv.create(work / "snp-measure", with_pip=True)
        status, output = machine.command(work / "snp-measure/bin/pip", "install", "--quiet", PEER)
        if status:
            return None, output
    return program, ""


def fetch(suite):
    folder = ROOT / f"build/ovmf-{suite}"
    status, output = machine.command(ROOT / "scripts/fetch-ovmf.sh", "--suite", suite, "--dir", folder)
    return output if status else "", folder / "OVMF.fd"


def ours(programs, work, firmware, cpus, options):
    """As the run says it at its start: nothing more is waited for than its end a second later."""
    _, output = machine.command(programs / "tools/socle", "run", "--firmware", firmware, "--host", "kvm", "--cpus",
                                cpus, "--timeout", 1, "--log-dir", work / "digest-logs", "--report-key-dir",
                                work / "keys", *options)
    found = STARTED.search(output)
    return found[1] if found else output


def theirs(program, firmware, cpus, processor):
    return subprocess.run([program, "--mode", "snp", "--vcpus", str(cpus), "--vcpu-type", processor, "--ovmf", firmware],
                          check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    program, wrong = install(work)
    result(program, PEER, wrong)
    for suite, cpus, processor, more in CASES if program else []:
        wrong, firmware = fetch(suite)
        if wrong:
            result(False, f"OVMF of {suite}", wrong)
            continue
        got, want = ours(options.programs.resolve(), work, firmware, cpus, more), theirs(program, firmware, cpus,
                                                                                          processor)
        result(got == want, f"OVMF of {suite}, {cpus} vCPUs, {processor}", f"{got}, and the peer says {want}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
