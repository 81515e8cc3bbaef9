#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svsm/attest of the guest's kernel module, with Socle behind it: boots a guest that tries all of
its manners (tests/guest/attest_init), new RSA keys in many turns, two at once and a killed one
among them.

    attest_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work build/attest-test]
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 280
COUNT = re.compile(r"attest: \d+ passed, \d+ failed")


def run(*command):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


def archive(programs):
    """Options that put the services and what they read into the image."""
    names = {"services/services": programs / "services/services",
             "services.conf": ROOT / "services/services.conf",
             "profile/tcg.conf": ROOT / "profiles/tcg.conf"}
    return [word for name, path in names.items() for word in ("--file", f"{name}={path}")]


def build(options):
    work, programs = options.work, options.programs
    run("guest/initramfs/build.py", "--kernel", options.kernel, "--module",
        options.guest / "socle_tpm.ko", "--agent", programs / "guest/socle-guest",
        "--init", HERE / "attest_init", "--out", work / "initramfs.cpio")
    release = (options.kernel / "version").read_text().strip()
    image = work / "attest.igvm"
    run(programs / "tools/socle", "igvm", "build", "-q", "-o", image,
        "--monitor", programs / "monitor/monitor.elf", *archive(programs),
        "--kernel", options.kernel / "root/boot" / f"vmlinuz-{release}",
        "--initrd", work / "initramfs.cpio", "--cmdline", "console=ttyS0 quiet panic=-1",
        "--cpus", 2)
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/attest-test")
    options = parser.parse_args()
    for name, path in vars(options).items():
        setattr(options, name, path.resolve())
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    image = build(options)
    machine = subprocess.run(
        [options.programs / "tools/socle", "run", "--quiet", "--cpus", "2", "--log-dir",
         options.work, "--report-key-dir", ROOT / "build/report-keys", "--timeout",
         str(TIMEOUT_S), image], check=False, capture_output=True, text=True)
    log = options.work / "guest.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in lines:
        print(line)
    if machine.returncode != 0:
        print(machine.stderr.strip())
    if machine.returncode != 0 or not lines or not any(map(COUNT.fullmatch, lines)):
        print("attest: 0 passed, 1 failed")
        return 1
    return 0 if any(line.endswith(" passed, 0 failed") for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
