#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What OVMF measures of itself, a version and two volumes: `socle policy make --firmware` says the digests that
virt-firmware's virt-fw-measure says, for each firmware that Debian has for confidential guests.

    firmware_pcr_test.py --programs BUILD [--work build/peers]

virt-firmware is Gerd Hoffmann's (PyPI), who maintains OVMF's packages for Fedora; pip fetches it into the work folder,
once, and scripts/fetch-ovmf.sh the firmware. Where one of them cannot be had, that is a failure.
"""

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

PEER = "virt-firmware==26.10"
NAMES = ("volume of the first phase", "volume of the second phase")
results = Results("firmware's own measurements")


def install(work):
    folder = work / "virt-firmware"
    if not (folder / "bin/virt-fw-measure").exists():
        venv.create(folder, with_pip=True)
        status, output = machine.command(folder / "bin/pip", "install", "--quiet", PEER)
        if status:
            sys.exit(f"{PEER} cannot be had: {output}")
    return folder / "bin/virt-fw-measure"


def ours(programs, flash, work, *more):
    """A name and a digest each; PCR 4 needs some program."""
    (work / "program.efi").write_bytes(pe())
    run = subprocess.run([str(w) for w in (programs / "tools/socle", "policy", "make", "--firmware", flash, "--kernel",
                                           work / "program.efi", *more)], capture_output=True, text=True, check=False)
    if run.returncode:
        return run.stderr, {}
    return "", json.loads(run.stdout)["boot"]["firmware"]


def pe():
    """The least PE file: one section, which is there in full."""
    header = bytearray(0x400)
    header[0:2] = b"MZ"
    header[0x3C] = 0x40
    header[0x40:0x58] = b"PE\0\0" + bytes.fromhex("6486 0100 00000000 00000000 00000000 f000 2200")
    header[0x58:0x5A] = b"\x0b\x02"
    header[0x58 + 60:0x58 + 64] = (0x200).to_bytes(4, "little")
    header[0x58 + 108:0x58 + 112] = (16).to_bytes(4, "little")
    section = b".text".ljust(8, b"\0") + b"".join(n.to_bytes(4, "little") for n in (0x200, 0x1000, 0x200, 0x200))
    header[0x148:0x148 + len(section)] = section
    return bytes(header)


def check(options, measure, suite, name):
    folder = ROOT / f"build/ovmf-{suite}"
    status, output = machine.command(ROOT / "scripts/fetch-ovmf.sh", "--suite", suite, "--dir", folder)
    if status:
        sys.exit(f"the firmware of {suite} cannot be had: {output}")
    flash = folder / f"{name}.fd"
    errors, digests = ours(options.programs, flash, options.work)
    version = next((key.removeprefix("version ") for key in digests if key.startswith("version ")), "")
    if not results(version and len(digests) == 3, f"{suite}, {name}: its version and two volumes", errors or digests):
        return
    said = json.loads(subprocess.run([measure, "--image", flash, "--version", version, "--bank", "sha256"], check=True,
                                     capture_output=True, text=True).stdout)["records"]
    theirs = [record["digests"][0]["digest"] for record in said if record["pcr"] == 0]
    results(theirs == [digests[key] for key in (f"version {version}", *NAMES)], f"{suite}, {name}: as virt-firmware's",
            (theirs, digests))
    errors, digests = ours(options.programs, flash, options.work, "--firmware-version", "another")
    results("version another" in digests, f"{suite}, {name}: a version that is given", errors)


def check_refused(options):
    """What is no flash of OVMF's, cut and damaged ones."""
    good = (ROOT / "build/ovmf-forky/OVMF.fd").read_bytes()
    at = good.index(bytes.fromhex("98584eee143959429d6edc7bd79403cf"), 0x84000) + 20
    for name, data, why in (
            ("no volumes", bytes(1 << 20), "no volumes of OVMF's"),
            ("a cut volume", good[:0x100000], "no volumes of OVMF's"),
            ("no LZMA file", good[:at] + b"\xff" + good[at + 1:], "no LZMA file"),
            ("one that is too large", good[:at + 5] + b"\xff" * 8 + good[at + 13:], "too large"),
            ("a changed bit", good[:at + 5000] + bytes([good[at + 5000] ^ 1]) + good[at + 5001:], "flash: ")):
        (options.work / "flash").write_bytes(data)
        errors, digests = ours(options.programs, options.work / "flash", options.work)
        results(not digests and why in errors, f"refused: {name}", (errors, digests))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    measure = install(options.work)
    for suite, name in (("forky", "OVMF"), ("forky", "OVMF.amdsev"), ("trixie", "OVMF")):
        check(options, measure, suite, name)
    check_refused(options)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
