#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine treats Socle like any other image: the demo's kernel, the same file, boots at VMPL0
without Socle, knows where it is, and fetches its own report.

    plain_linux.py --programs BUILD [--cpus N] [--kernel DIR] [--guest DIR] [--work DIR]
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TIMEOUT_S = 120
MEMORY = "256M"

# The kernel's words (arch/x86/mm/mem_encrypt.c, arch/x86/coco/sev/core.c).
WANTED = ("Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP", "SNP running at VMPL0",
          "plain: provider sev_guest")
REPORT_DATA = b"0123456789abcdef" * 4  # what plain_init asks for
REPORT_SIZE = 1184
# Offsets in the report (SEV-SNP firmware ABI specification, ATTESTATION_REPORT).
VMPL, DATA, MEASUREMENT, MEASUREMENT_SIZE = 0x30, 0x50, 0x90, 48


def run(*command):
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def build(options):
    work = options.work
    run("guest/initramfs/build.py", "--kernel", options.kernel, "--module",
        options.guest / "socle_tpm.ko", "--agent", options.programs / "guest/socle-guest",
        "--init", HERE / "plain_init", "--out", work / "initramfs.cpio")
    release = (options.kernel / "version").read_text().strip()
    image = work / "plain.igvm"
    run(options.programs / "tools/socle", "igvm", "build", "-q", "-o", image, "--plain-linux",
        "--kernel", options.kernel / "root/boot" / f"vmlinuz-{release}", "--initrd",
        work / "initramfs.cpio", "--cmdline", "console=ttyS0 panic=-1", "--cpus", options.cpus,
        "--memory", MEMORY, "--c-bit", 47)
    return image


def boot(options, image):
    """The stop of the timeline, and the guest's log."""
    log = options.work / "log"
    run = subprocess.run(
        [options.programs / "tools/socle", "run", "--quiet", "--cpus", str(options.cpus),
         "--memory", MEMORY, "--timeout", str(TIMEOUT_S), "--log-dir", log, "--report-key-dir",
         ROOT / "build/report-keys", image], check=False, stderr=subprocess.PIPE, text=True)
    if not (log / "timeline.json").exists():
        return {"reason": run.stderr.strip()}, ""
    stop = json.loads((log / "timeline.json").read_text())["stop"]
    return stop, (log / "guest.log").read_text(errors="replace")


def said(text, what):
    """The rest of the guest's line `plain: WHAT ...`, or nothing."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line[len(what):] for line in lines if line.startswith(what)), "")


def report_problems(hexadecimal, measurement):
    try:
        report = bytes.fromhex(hexadecimal)
    except ValueError:
        report = b""
    if len(report) != REPORT_SIZE:
        return ["the guest got no report"]
    problems = []
    if report[VMPL:VMPL + 4] != bytes(4):
        problems.append("the report is not of VMPL 0")
    if report[DATA:DATA + 64] != REPORT_DATA:
        problems.append("the report has other data than asked for")
    if report[MEASUREMENT:MEASUREMENT + MEASUREMENT_SIZE].hex() != measurement:
        problems.append("the report's measurement is not the image's")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/plain-linux")
    options = parser.parse_args()
    for name in ("programs", "kernel", "guest", "work"):
        setattr(options, name, getattr(options, name).resolve())
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    image = build(options)
    measurement = run(options.programs / "tools/socle", "igvm", "measure", image).strip()
    stop, log = boot(options, image)
    wanted = (*WANTED, f"plain: {options.cpus} processors")
    problems = [f"its log lacks {line!r}" for line in wanted if line not in log]
    problems += report_problems(said(log, "plain: report "), measurement)
    if stop["reason"] != "poweroff":
        problems.append(f"it ended with {stop}")
    for problem in problems:
        print(problem)
    if problems:
        print("\n".join(log.splitlines()[-15:]))
    print(f"plain Linux: {int(not problems)} passed, {int(bool(problems))} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
