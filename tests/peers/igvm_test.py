#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The igvm crate beside Socle's reader and builder of IGVM files.

    igvm_test.py --programs BUILD [--work build/peers]

cargo fetches the crate and builds tests/peers/igvm, whose program reads files by the crate's parser
and writes some by its serializer. Its launch digests, which stand on that parser and another SHA-384,
must be Socle's; what it writes, Socle reads, and the machine's AMD-SP takes an ID block that it signed.
Without cargo or the crate this fails.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))

import machine  # noqa: E402
from igvm_file import HEADER, ID_BLOCK, Igvm  # noqa: E402
from results import Results  # noqa: E402

SECONDS = 300
QEMU_DIED = 7  # of `socle run`: the launch was accepted, and /bin/false is no QEMU


def build(work):
    """The peer's program; why there is none."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "igvm-target")}
    try:
        run = subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT / "tests/peers/igvm",
                             env=environment, capture_output=True, text=True, check=False,
                             timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    return work / "igvm-target/debug/igvm-peer", run.stderr if run.returncode else ""


def call(*words):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout.strip() or run.stderr.strip()


def images(socle, programs, folder):
    """What Socle builds, for each host that it builds for: name, file."""
    guest = programs / "tests/machine/guest/guest-separation"
    monitor = ["--monitor", programs / "monitor/monitor.elf"]
    files = {"services/services": programs / "services/services",
             "services.conf": ROOT / "services/services.conf",
             "profile/tcg.conf": ROOT / "profiles/tcg.conf"}
    for host in ("strict", "kvm-svsm", "kvm", "hyperv"):
        vmsa = [] if host.startswith("kvm") else ["--vmsa", "0x700000"]
        for name, options, packed in ((f"a tiny guest for {host}", ["--bare", guest, *vmsa,
                                       "--cpuid-page", "0x701000", "--secrets-page", "0x702000"], {}),
                                      (f"Socle for {host}", monitor, files)):
            image = folder / "ours.igvm"
            machine.must_build(socle, image, "--host", host, *options, files=packed)
            yield name, image


def launch(socle, image, keys):
    """Exit status and output of a launch that goes as far as to QEMU."""
    return call(socle, "run", "--quiet", "--memory", "64M", "--cpus", "2", "--qemu", "/bin/false", "--hv",
                socle, "--report-key-dir", keys, image)


def try_signed(result, socle, signed, keys):
    """The ID block of p384's signatures: the launch goes on with it, and without it when it is another."""
    status, output = launch(socle, signed, keys)
    result(status == QEMU_DIED, "the AMD-SP takes an ID block that the peer signed", output)
    igvm = Igvm(signed.read_bytes())
    igvm.find(ID_BLOCK)[60] ^= 1  # FAMILY_ID
    signed.write_bytes(igvm.bytes())
    status, output = launch(socle, signed, keys)
    result(status == 1 and "BAD_SIGNATURE" in output, "and refuses it with another family", output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    programs, work = options.programs.resolve(), options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    socle, keys = programs / "tools/socle", programs / "tests/keys"
    result = Results("igvm crate")
    peer, problem = build(work)
    if not result(not problem, "cargo builds it", problem):
        return result.finish()
    for name, image in images(socle, programs, work):
        theirs, ours = call(peer, "read", image), call(socle, "igvm", "measure", image)
        result(ours[0] == 0 and theirs == ours, f"it reads {name}, and measures the same",
               f"{theirs} {ours}")
    status, written = call(peer, "write", work)
    result(status == 0 and len(written.splitlines()) == 5, "it writes its files", written)
    for line in written.splitlines():
        name, digest = line.split()
        ours = call(socle, "igvm", "measure", work / f"{name}.igvm")
        result(ours == (0, digest), f"Socle reads its {name}, and measures the same", str(ours))
    try_signed(result, socle, work / "signed.igvm", keys)
    data = bytearray((work / "usual.igvm").read_bytes())
    data[HEADER] ^= 2
    (work / "usual.igvm").write_bytes(data)
    theirs, ours = call(peer, "read", work / "usual.igvm"), call(
        socle, "igvm", "measure", work / "usual.igvm")
    result(theirs[0] and ours[0], "both see a header that was changed", f"{theirs} {ours}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
