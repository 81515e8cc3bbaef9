# SPDX-License-Identifier: MIT
"""What the tests share that boot Linux under Socle: their options, the image, and its run."""

import argparse
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
CPUS = 2


def parser(description, work):
    """Options of every such test; work is the folder below build/ that it writes to."""
    known = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    known.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    known.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    known.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    known.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / work)
    return known


def prepare(options):
    """Makes paths absolute, and the folder of the test an empty one."""
    for name, path in vars(options).items():
        if isinstance(path, pathlib.Path):
            setattr(options, name, path.resolve())
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)


def run(*command):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


def build(options, init, extra=()):
    """An image of Socle with the services that a demo has, and a guest that runs init."""
    work, programs = options.work, options.programs
    run("guest/initramfs/build.py", "--kernel", options.kernel, "--module",
        options.guest / "socle_tpm.ko", "--agent", programs / "guest/socle-guest",
        "--init", init, *(word for path in extra for word in ("--extra", path)),
        "--out", work / "initramfs.cpio")
    release = (options.kernel / "version").read_text().strip()
    image = work / "guest.igvm"
    run(programs / "tools/socle", "igvm", "build", "-q", "-o", image,
        "--monitor", programs / "monitor/monitor.elf",
        "--file", f"services/services={programs / 'services/services'}",
        "--file", f"services.conf={ROOT / 'services/services.conf'}",
        "--file", f"profile/tcg.conf={ROOT / 'profiles/tcg.conf'}",
        "--kernel", options.kernel / "root/boot" / f"vmlinuz-{release}",
        "--initrd", work / "initramfs.cpio", "--cmdline", "console=ttyS0 quiet panic=-1",
        "--cpus", CPUS)
    return image


def boot(options, image, seconds, *more):
    """The lines of the guest's log, and what went wrong with the machine, or None. more: options of
    `socle run`."""
    machine = subprocess.run(
        [options.programs / "tools/socle", "run", "--quiet", "--cpus", str(CPUS), "--log-dir",
         options.work, "--report-key-dir", ROOT / "build/report-keys", "--timeout",
         str(seconds), *more, image], check=False, capture_output=True, text=True)
    log = options.work / "guest.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    if machine.returncode != 0:
        return lines, machine.stderr.strip() or "socle run failed"
    return lines, None
