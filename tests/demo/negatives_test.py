#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the demo left is complete, and its evidence is judged with one thing wrong at a time:
`socle verify` refuses each by the check and the exit status that docs/evidence.md names. Needs a
demo that ran with --keep.

    negatives_test.py --programs BUILD [--demo FOLDER]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("verify", "lib")]
import evidence  # noqa: E402
from results import Results  # noqa: E402


DEMO_FILES = {"socle.igvm", "machine.log", "svsm.log", "guest.log", "timeline.json",
              "verdict.json", "verdict-ak.json", "evidence", "mine", "ca", "ak.name",
              "report-vmpl2.bin"}
EVIDENCE_FILES = {"report.bin", "manifest.bin", "ask.pem", "vcek.pem", "ek.pub", "ak.pub",
                  "answer.bin", "quote.msg", "quote.sig", "quote.pcrs", "ek-rsa2048.der",
                  "ek-ecc-p256.der", "ek-ecc-p256.pub", "ak"}
OWN_FILES = {"nonce.bin", "challenge.json", "measurement.hex", "ark.pem", "ak"}
KEY_FILES = {"selector.bin", "context.bin", "manifest.bin", "report.bin", "certs.bin", "quote.msg",
             "quote.sig", "quote.pcrs"}
OWN_KEY_FILES = {"nonce.bin", "ark.pem"}
EVENTS = ("machine_start", "vmpl0_entry", "certificates_issued", "services_ready", "vmpl2_entry", "guest_userspace",
          "evidence", "verdict")


def files_error(demo):
    """What is wrong with the names and sizes of what the demo left, or None."""
    for folder, wanted in ((demo, DEMO_FILES), (demo / "evidence", EVIDENCE_FILES),
                           (demo / "evidence/ak", KEY_FILES), (demo / "mine", OWN_FILES),
                           (demo / "mine/ak", OWN_KEY_FILES)):
        found = {path.name for path in folder.iterdir()}
        if found != wanted:
            return f"{folder}: {sorted(found ^ wanted)} missing or not expected"
    for name, size in (("mine/nonce.bin", 64), ("evidence/report.bin", 1184)):
        if (demo / name).stat().st_size != size:
            return f"{name} is not of {size} bytes"
    return None


def timeline_error(demo):
    """What is wrong with timeline.json: a missing event, their order, no counted exits."""
    timeline = json.loads((demo / "timeline.json").read_text())
    missing = [name for name in EVENTS if name not in timeline["events"]]
    if missing:
        return f"no event {missing[0]}"
    times = [timeline["events"][name]["monotonic_ns"] for name in EVENTS]
    if times != sorted(times):
        return f"events out of order: {times}"
    if not any(kind["by_vmpl"][0] for kind in timeline["exits"]) or \
            not any(kind["by_vmpl"][2] for kind in timeline["exits"]):
        return "exits of VMPL0 or VMPL2 were not counted"
    return None


def verify(socle, folder, *options):
    run = subprocess.run([str(word) for word in (socle, "verify", "--json", *options, folder)],
                         capture_output=True, text=True, check=False)
    verdict = json.loads(run.stdout) if run.stdout else {}
    failing = {c["name"] for c in verdict.get("checks", []) if c["result"] == "fail"}
    return run.returncode, failing, run.stderr


def flip_archive_byte(image, flipped):
    """One bit of the archive in the image: a comment of services.conf, so that it would boot."""
    data = bytearray(image.read_bytes())
    at = data.find(b"# The services of Socle")
    if at < 0:
        raise RuntimeError("the image holds no services.conf")
    data[at + 2] ^= 0x20
    flipped.write_bytes(data)


def foreign_ak(programs, work, folder):
    """An AK and a quote of a second TPM, over the right nonce."""
    with evidence.tpm(programs / "tools/socle", ROOT / "profiles/tcg.conf", work) as tpm:
        evidence.make_keys(tpm)
        evidence.quote(tpm, (evidence.mine(folder) / "nonce.bin").read_bytes())
    for name in ("ak.pub", "quote.msg", "quote.sig", "quote.pcrs"):
        shutil.copy(work / name, folder / name)


def flip_pcr_value(folder):
    path = folder / "quote.pcrs"
    data = bytearray(path.read_bytes())
    data[0x90] ^= 1  # in the first value: selections 132 bytes, two counts, a size
    path.write_bytes(data)


def flip_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def key_cases():
    """The same for the key that was attested by a selector; all paths are below its folder."""
    def other_part(name):
        return lambda d: shutil.copy(d.parent / name, d / name)

    return [
        ("the attested key", 0, None, lambda d: None),
        ("the attested key with a stale nonce", 5, "report-data",
         lambda d: (evidence.mine(d) / "nonce.bin").write_bytes(os.urandom(64))),
        ("the attested key with another selector", 5, "context",
         lambda d: flip_last_byte(d / "selector.bin")),
        ("the attested key with another context", 5, "context",
         lambda d: flip_last_byte(d / "context.bin")),
        ("the attested key without its context", 5, "context",
         lambda d: (d / "context.bin").unlink()),
        ("the endorsement key in the attested key's place", 5, "report-data",
         other_part("manifest.bin")),
        ("the endorsement key's report for the attested key", 5, "report-data",
         other_part("report.bin")),
        ("the challenged key's quote for the attested key", 6, "quote-signature",
         other_part("quote.msg")),
        ("another PCR value for the attested key", 6, "quote-pcrs", flip_pcr_value),
    ]


def cases(programs, demo, work):
    """Name, exit status, a check that must be among the failing, what to do, options."""
    trust = "--trust-emulated"
    flipped = work / "flipped.igvm"
    flip_archive_byte(demo / "socle.igvm", flipped)
    second = work / "second"
    second.mkdir()
    return [
        ("the demo's own evidence", 0, None, lambda d: None, [trust]),
        ("one byte of the archive flipped", 4, "measurement", lambda d: None,
         [trust, "--image", str(flipped)]),
        ("a stale nonce", 5, "report-data",
         lambda d: (evidence.mine(d) / "nonce.bin").write_bytes(os.urandom(64)), [trust]),
        ("the AK of a second TPM", 5, "challenge-ak",
         lambda d: foreign_ak(programs, second, d), [trust]),
        ("another PCR value", 6, "quote-pcrs", flip_pcr_value, [trust]),
        ("the report of VMPL2", 3, "vmpl",
         lambda d: shutil.copy(demo / "report-vmpl2.bin", d / "report.bin"), [trust]),
        ("real roots only", 2, "root", lambda d: None, []),
    ]


def copied(demo, part, work):
    """A part of the demo's evidence to spoil, and what the relying party has beside it."""
    folder = work / "evidence"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(demo / "evidence", folder)
    folder = folder / part
    shutil.rmtree(evidence.mine(folder), ignore_errors=True)
    shutil.copytree(demo / "mine" / part, evidence.mine(folder))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--demo", type=Path, default=ROOT / "build/demo-direct")
    options = parser.parse_args()
    socle = options.programs / "tools/socle"
    result = Results("demo negatives")
    for name, wrong in (("files", files_error(options.demo)),
                        ("timeline", timeline_error(options.demo))):
        result(not wrong, name, wrong or "")

    def judge(name, status, check, outcome):
        code, failing, error = outcome
        result(code == status and (check is None or check in failing), name,
               f"exit status {code}, failing {sorted(failing)} {error}")

    with tempfile.TemporaryDirectory() as work:
        for name, status, check, spoil, arguments in cases(options.programs, options.demo,
                                                           Path(work)):
            folder = copied(options.demo, "", Path(work))
            spoil(folder)
            judge(name, status, check, verify(socle, folder, "--mine", evidence.mine(folder),
                                              *arguments))
        for name, status, check, spoil in key_cases():
            folder = copied(options.demo, "ak", Path(work))
            spoil(folder)
            judge(name, status, check, verify(
                socle, folder, "--trust-emulated", "--mine", evidence.mine(folder), "--certs",
                folder.parent, "--image", options.demo / "socle.igvm"))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
