#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The launch digest of Debian's OVMF is what sev-snp-measure says: for 1, 2 and 4 vCPUs, of each processor whose
signature it knows by name. ID blocks of its program are taken; QEMU's own list of properties is that of options.

    firmware_digest_test.py --programs BUILD [--work build/peers]

sev-snp-measure is IBM's (PyPI), and written from QEMU's side; pip fetches it into the work folder, once, and
scripts/fetch-ovmf.sh the firmware. Where one of them cannot be had, that is a failure.
"""

import argparse
import base64
import re
import subprocess
import sys
import venv
from pathlib import Path

from cryptography.hazmat.primitives import serialization

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import id_block  # noqa: E402
import machine  # noqa: E402
from results import Results  # noqa: E402

PEER = "sev-snp-measure==0.0.13"
STARTED = re.compile(r"machine: started, .* measurement ([0-9a-f]{96})$", re.MULTILINE)
# (suite, build, vCPUs, the peer's name of a processor, what it is to `socle run`)
CASES = [
    ("trixie", "OVMF", 1, "EPYC-Milan", []),
    ("trixie", "OVMF", 2, "EPYC-Milan", []),
    ("trixie", "OVMF", 4, "EPYC-Milan", []),
    ("forky", "OVMF", 1, "EPYC-Milan", []),
    ("forky", "OVMF", 2, "EPYC-Genoa", ["--vcpu-sig", "0xa10f10"]),
    ("forky", "OVMF", 4, "EPYC-Rome", ["--vcpu-sig", "0x830f10"]),
    ("forky", "OVMF.amdsev", 1, "EPYC-Milan", []),
]
KERNEL, INITRD, APPEND = b"HdrS".rjust(0x206, b"k") + b"\x0f\x02" + bytes(64 << 10), b"initrd" * 1000, "a=b,c quiet"
# What there is beside the firmware, of these: (build, words for both programs); kernel hashes are ours to ask for.
HASHED = [
    ("OVMF", ("--kernel", "kernel", "--initrd", "initrd", "--append", APPEND)),
    ("OVMF.amdsev", ("--kernel", "kernel", "--initrd", "initrd", "--append", APPEND)),
    ("OVMF.amdsev", ("--kernel", "kernel")),
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
    return output if status else "", folder


def ours(programs, work, firmware, cpus, options):
    """As the run says it at its start: nothing more is waited for than its end a second later."""
    _, output = machine.command(programs / "tools/socle", "run", "--firmware", firmware, "--host", "kvm", "--cpus",
                                cpus, "--timeout", 1, "--log-dir", work / "digest-logs", "--report-key-dir",
                                work / "keys", *options)
    found = STARTED.search(output)
    return found[1] if found else output


def theirs(program, firmware, cpus, processor, words=()):
    return subprocess.run([program, "--mode", "snp", "--vcpus", str(cpus), "--vcpu-type", processor, "--ovmf", firmware,
                           *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def compare_hashed(programs, work, program, folder):
    (work / "kernel").write_bytes(KERNEL)
    (work / "initrd").write_bytes(INITRD)
    for build, words in HASHED:
        words = [str(work / word) if word in ("kernel", "initrd") else word for word in words]
        got = ours(programs, work, folder / f"{build}.fd", 2, [*words, "--kernel-hashes"])
        want = theirs(program, folder / f"{build}.fd", 2, "EPYC-Milan", words)
        result(got == want, f"{build} with {len(words) // 2} kernel hashes", f"{got}, and the peer says {want}")
        got = ours(programs, work, folder / f"{build}.fd", 2, words)
        result(got != want, "  and another one without them", got)


def compare_id_block(programs, work, create, firmware):
    """The peer's ID block and authentication, as QEMU takes them, are taken, and a changed one is not."""
    keys = [work / "id.pem", work / "author.pem"]
    for path in keys:
        path.write_bytes(id_block.new_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    digest = ours(programs, work, firmware, 2, [])
    text = subprocess.run([create, "--measurement", base64.b64encode(bytes.fromhex(digest)), "--idkey", keys[0],
                           "--authorkey", keys[1]], check=True, stdout=subprocess.PIPE, text=True).stdout
    block, auth = re.match("id-block=([^,]*),id-auth=(.*)", text).groups()
    flipped = bytearray(base64.b64decode(auth))
    flipped[0x640] ^= 1  # the last byte of the ID key
    for name, words, want in (
            ("with its author", ["--id-block", block, "--id-auth", auth, "--author-key-enabled"], digest),
            ("without", ["--id-block", block, "--id-auth", auth], digest),
            ("for another policy", ["--id-block", block, "--id-auth", auth, "--policy", "0xb0000"], "POLICY_FAILURE"),
            ("with another author", ["--id-block", block, "--id-auth", base64.b64encode(flipped).decode(),
                                     "--author-key-enabled"], "BAD_SIGNATURE: the author"),
            ("with another key", ["--id-block", block, "--id-auth", base64.b64encode(flipped).decode()], digest)):
        got = ours(programs, work, firmware, 2, words)
        result(want in got, f"ID block of {PEER} {name}", got)


def compare_properties(programs):
    """Each property that QEMU's sev-snp-guest has is an option."""
    folder = ROOT / "build/qemu-forky"
    status, output = machine.command(ROOT / "scripts/fetch-qemu.sh", "--suite", "forky", "--dir", folder)
    if status:
        result(False, "QEMU of forky", output)
        return
    _, output = machine.command(folder / "qemu-system-x86_64", "-object", "sev-snp-guest,help")
    names = re.findall("^  ([a-z-]+)=", output, re.MULTILINE)
    _, known = machine.command(programs / "tools/socle", "run", "--help")
    missing = [name for name in names if f"--{name} " not in known]
    result(len(names) >= 9 and not missing, f"{len(names)} properties of QEMU are options", f"{missing} of {names}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    program, wrong = install(work)
    result(program, PEER, wrong)
    programs = options.programs.resolve()
    for suite, build, cpus, processor, more in CASES if program else []:
        wrong, folder = fetch(suite)
        if wrong:
            result(False, f"OVMF of {suite}", wrong)
            continue
        firmware = folder / f"{build}.fd"
        got, want = ours(programs, work, firmware, cpus, more), theirs(program, firmware, cpus, processor)
        result(got == want, f"{build} of {suite}, {cpus} vCPUs, {processor}", f"{got}, and the peer says {want}")
    wrong, folder = fetch("forky")
    if program and not wrong:
        compare_hashed(programs, work, program, folder)
        compare_id_block(programs, work, program.with_name("snp-create-id-block"), folder / "OVMF.fd")
    compare_properties(programs)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
