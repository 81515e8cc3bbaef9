#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""socle_tpm's call of the SVSM survives NMIs between its WRMSR and its VMGEXIT: boots a guest that
sends them to itself while it uses the TPM.

    nmi_test.py --programs BUILD [--work build/nmi-test]
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 240


def run(*command):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


def build(options):
    """The image of a guest with the storm in it."""
    work, programs = options.work, options.programs
    run("guest/module/build.sh", options.kernel, work / "module", HERE / "nmi_storm")
    run("guest/initramfs/build.py", "--kernel", options.kernel, "--module",
        options.guest / "socle_tpm.ko", "--agent", programs / "guest/socle-guest",
        "--init", HERE / "nmi_init", "--extra", work / "module/nmi_storm.ko",
        "--out", work / "initramfs.cpio")
    release = (options.kernel / "version").read_text().strip()
    image = work / "nmi.igvm"
    run(programs / "tools/socle", "igvm", "build", "-q", "-o", image,
        "--monitor", programs / "monitor/monitor.elf",
        "--file", f"services/services={programs / 'services/services'}",
        "--file", f"services.conf={ROOT / 'services/services.conf'}",
        "--file", f"profile/tcg.conf={ROOT / 'profiles/tcg.conf'}",
        "--kernel", options.kernel / "root/boot" / f"vmlinuz-{release}",
        "--initrd", work / "initramfs.cpio", "--cmdline", "console=ttyS0 quiet panic=-1",
        "--cpus", 2)
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/nmi-test")
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
    verdict = next((line for line in lines if line.startswith("nmi: ")), "nmi: no verdict")
    ok = machine.returncode == 0 and verdict.startswith("nmi: ok")
    print(verdict if machine.returncode == 0 else machine.stderr.strip())
    print(f"nmi: {int(ok)} passed, {int(not ok)} failed")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
