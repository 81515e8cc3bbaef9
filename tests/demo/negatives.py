#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the demo left: its files and its timeline are all there, and the same evidence with one
thing changed is refused by `socle verify` with the named check and exit status.

    negatives.py --programs BUILD [--demo build/demo]
"""

import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEMO_FILES = {"other", "socle.igvm", "machine.log", "svsm.log", "guest.log", "timeline.json",
              "verdict.json", "evidence"}
EVIDENCE_FILES = {"nonce.bin", "report.bin", "manifest.bin", "ark.pem", "ask.pem", "vcek.pem",
                  "ek.pub", "ak.pub", "challenge.json", "answer.bin", "quote.msg", "quote.sig",
                  "quote.pcrs", "measurement.hex"}
OTHER_FILES = {"ak.name", "report-vmpl2.bin"}
EVENTS = ("machine_start", "vmpl0_entry", "services_ready", "vmpl2_entry", "guest_userspace",
          "evidence", "verdict")


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, wrong):
        """wrong is what is wrong, or nothing."""
        if wrong:
            self.failed += 1
            print(f"FAIL demo: {name}: {wrong}")
        else:
            self.passed += 1

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped demo: {name}: {why}")


def files_error(folder):
    for place, wanted in ((folder, DEMO_FILES), (folder / "other", OTHER_FILES),
                          (folder / "evidence", EVIDENCE_FILES)):
        if (found := {path.name for path in place.iterdir()}) != wanted:
            return f"{place}: {sorted(found ^ wanted)} missing or not expected"
    sizes = {"nonce.bin": 64, "report.bin": 1184}
    for name, size in sizes.items():
        if (found := (folder / "evidence" / name).stat().st_size) != size:
            return f"{name} has {found} bytes"
    return None


def timeline_error(folder):
    timeline = json.loads((folder / "timeline.json").read_text())
    times = []
    for name in EVENTS:
        if name not in timeline["events"]:
            return f"no event {name}"
        times.append(timeline["events"][name]["monotonic_ns"])
    if times != sorted(times):
        return f"events out of order: {times}"
    if not any(exit["by_vmpl"][2] for exit in timeline["exits"]):
        return "no exit of VMPL2 was counted"
    return None


def verify(socle, evidence, *options):
    """Exit status, and the names of the checks that failed."""
    result = subprocess.run([socle, "verify", "--json", evidence, *options], capture_output=True,
                            text=True, check=False)
    try:
        checks = json.loads(result.stdout)["checks"]
    except (ValueError, KeyError):
        return result.returncode, [result.stderr.strip()]
    return result.returncode, [check["name"] for check in checks if check["result"] != "pass"]


# Changes. Each gets a copy of the evidence and the folder of the demo.


def stale_nonce(evidence, demo):
    (evidence / "nonce.bin").write_bytes(os.urandom(64))


def other_pcr(evidence, demo):
    """The last PCR value of tpm2_quote's file: count, then 8 digests of 2 + 64 bytes a list."""
    path = evidence / "quote.pcrs"
    data = bytearray(path.read_bytes())
    lists = 4 + 16 * 8
    data[lists + 4 + 4 + 2] ^= 1
    path.write_bytes(data)


def vmpl2_report(evidence, demo):
    shutil.copy(demo / "other/report-vmpl2.bin", evidence / "report.bin")


def tool(environment, work, name, *arguments):
    subprocess.run([f"tpm2_{name}", "-Q", *map(str, arguments)], check=True, cwd=work,
                   env=environment, capture_output=True)


def foreign_ak(evidence, demo):
    """AK and quote are those of a second TPM, everything else is this guest's."""
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={work}",
                                "--server", f"type=unixio,path={work}/tpm", "--ctrl",
                                f"type=unixio,path={work}/tpm.ctrl", "--flags",
                                "not-need-init,startup-clear"],
                               stderr=subprocess.DEVNULL)
        try:
            while not (work / "tpm.ctrl").exists():
                time.sleep(0.05)
            env = dict(os.environ, TPM2TOOLS_TCTI=f"swtpm:path={work}/tpm")
            nonce = (evidence / "nonce.bin").read_bytes()
            tool(env, work, "createek", "-G", "rsa", "-c", "ek.ctx")
            tool(env, work, "createak", "-C", "ek.ctx", "-G", "ecc", "-g", "sha256", "-s", "ecdsa",
                 "-c", "ak.ctx", "-u", evidence / "ak.pub", "-f", "pem")
            # No resource manager makes room here.
            tool(env, work, "flushcontext", "-t")
            tool(env, work, "quote", "-c", "ak.ctx", "-l", "sha256:0,1,2,3,4,5,6,7,8,9,15",
                 "-q", nonce.hex(), "-g", "sha256", "-m", evidence / "quote.msg",
                 "-s", evidence / "quote.sig", "-f", "plain", "-o", evidence / "quote.pcrs")
        finally:
            tpm.terminate()
            tpm.wait()


# Name, change, exit status, a check that must be among those that fail.
NEGATIVES = (
    ("stale nonce", stale_nonce, 5, "report-data"),
    ("AK of a second TPM", foreign_ak, 5, "challenge-ak"),
    ("other PCR value", other_pcr, 6, "quote-pcrs"),
    ("report from VMPL2", vmpl2_report, 3, "vmpl"),
)


def negative(socle, folder, change, status, name):
    with tempfile.TemporaryDirectory() as work:
        evidence = pathlib.Path(work) / "evidence"
        shutil.copytree(folder / "evidence", evidence)
        change(evidence, folder)
        got, failed = verify(socle, evidence, "--trust-emulated", "--image", folder / "socle.igvm")
    if got != status or name not in failed:
        return f"status {got} instead of {status}, checks that failed: {failed}"
    return None


def flipped_archive(socle, folder):
    """One bit of a measured file: a word of services.conf, which the archive holds as it is."""
    image = bytearray((folder / "socle.igvm").read_bytes())
    place = image.find(b"docs/services.md")
    if place < 0:
        return "the image does not hold services.conf"
    image[place] ^= 1
    with tempfile.TemporaryDirectory() as work:
        other = pathlib.Path(work) / "other.igvm"
        other.write_bytes(image)
        got, failed = verify(socle, folder / "evidence", "--trust-emulated", "--image", other)
    if got != 4 or failed != ["measurement"]:
        return f"status {got} instead of 4, checks that failed: {failed}"
    return None


def real_roots(socle, folder):
    got, failed = verify(socle, folder / "evidence", "--image", folder / "socle.igvm")
    if got != 2 or "root" not in failed:
        return f"status {got} instead of 2, checks that failed: {failed}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--demo", type=pathlib.Path, default=ROOT / "build/demo")
    options = parser.parse_args()
    socle, folder = options.programs / "tools/socle", options.demo
    results = Results()
    if not (folder / "verdict.json").exists():
        results.check("all", f"{folder} does not hold a demo that came to its end")
    else:
        results.check("files", files_error(folder))
        results.check("timeline", timeline_error(folder))
        results.check("flipped archive", flipped_archive(socle, folder))
        results.check("real roots only", real_roots(socle, folder))
        for name, change, status, check in NEGATIVES:
            if change is foreign_ak and shutil.which("swtpm") is None:
                results.skip(name, "swtpm is not installed")
                continue
            results.check(name, negative(socle, folder, change, status, check))
    print(f"demo: {results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
