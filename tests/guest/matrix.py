#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ordinary SNP guests of every kind that are to boot: firmware, kernel, way of boot, number of vCPUs and memory, each
pair of them in one guest at least, by tests/guest/firmware_test.py; some on newer QEMUs; and a Debian that
installs packages and writes to its disk, starts again and finds both.

    matrix.py --programs BUILD [--sample | --under-socle] [--list] [--kernel DIR] [--kernel7 DIR] [--guest DIR]
              [--guest7 DIR]

--sample takes fewer, in which each of their values is there once at least. Each boot
says how far it came, when, and by how many exits. --under-socle takes guests under Socle instead, at VMPL2, by
tests/guest/svsm_firmware_test.py: each way of boot with each kernel, and each firmware; and a sleep, a CPU that goes
and comes back, reset and power-off, by tests/guest/svsm_power_test.py, for comparison once without Socle.
"""

import argparse
import itertools
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import suites  # noqa: E402
from results import Results  # noqa: E402

FACTORS = {
    "firmware": ("trixie OVMF", "forky OVMF", "forky OVMF.amdsev"),
    "kernel": ("6", "7"),
    "way": ("fw_cfg", "grub", "systemd-boot"),
    "cpus": ("1", "2", "4"),
    "memory": ("256M", "512M", "3G", "4G"),
}
# (suite of QEMU, guest)
NEWER_QEMUS = (("trixie", ("trixie OVMF", "6", "systemd-boot", "2", "512M")),
               ("forky", ("forky OVMF", "7", "systemd-boot", "2", "512M")))


def possible(guest):
    """The GRUB in the amdsev build is empty, and it looks at no disk."""
    return guest[0] != "forky OVMF.amdsev" or guest[2] == "fw_cfg"


def tuples(guest, size):
    """All that a guest has of so many factors at once."""
    return set(itertools.combinations(enumerate(guest), size))


def cover(size):
    """Few guests that together have what any has of so many factors: each time the one that brings most."""
    guests = [guest for guest in itertools.product(*FACTORS.values()) if possible(guest)]
    wanted = set().union(*(tuples(guest, size) for guest in guests))
    while wanted:
        best = max(guests, key=lambda guest: len(tuples(guest, size) & wanted))
        wanted -= tuples(best, size)
        yield best


# (firmware, kernel, way, sizes by one image); 2025.02 measures nothing.
UNDER_SOCLE = (("forky OVMF", "6", "systemd-boot", "1:256M,4:3G"), ("forky OVMF", "6", "grub", "2:512M"),
               ("forky OVMF", "6", "fw_cfg", "1:256M,2:512M,4:3G,8:16G"),
               ("forky OVMF.amdsev", "6", "fw_cfg", "2:512M"),
               *(("forky OVMF", "7", way, "2:512M") for way in ("systemd-boot", "grub", "fw_cfg")),
               # More than 16 GiB, of which Socle takes some, and the end is the guest's word for it.
               ("forky OVMF", "7", "fw_cfg", "2:17G"),
               *(("trixie OVMF", "6", way, "2:512M") for way in ("systemd-boot", "fw_cfg")))

# (firmware, kernel, more words) of guests that sleep, lose a CPU and have it back, reset, and power off.
POWER_UNDER_SOCLE = (("forky OVMF", "6"), ("forky OVMF", "7"), ("forky OVMF", "6", "--without-socle"))

DEBIAN = "a Debian that installs packages and writes, starts again and finds both"


class Matrix:
    def __init__(self, options):
        self.options, self.result = options, Results("guests")

    def run(self, name, *words):
        start = time.monotonic()
        done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
        said = [line for line in done.stdout.splitlines() if line.startswith("# ")]
        problem = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("# ", "ok "))]
        self.result(done.returncode == 0, name, "\n".join(problem[:30]))
        print("\n".join([*said, f"# {time.monotonic() - start:.0f} s in all"]), flush=True)

    def guest_words(self, kernel, number):
        """What all tests take alike."""
        options = self.options
        return ["--kernel", options.kernel7 if kernel == "7" else options.kernel, "--guest",
                options.guest7 if kernel == "7" else options.guest, "--work", options.work / str(number)]

    def kind_words(self, firmware, kernel, way, number):
        """What the two of ways of boot take alike."""
        suite, build = firmware.split()
        return ["--suite", suite, "--build", build, "--way", way, *self.guest_words(kernel, number)]

    def boot_under_socle(self, guest, number):
        firmware, kernel, way, made = guest
        self.run(", ".join((firmware, f"Linux {kernel}", way, made, "under Socle")),
                 ROOT / "tests/guest/svsm_firmware_test.py", "--programs", self.options.programs, "--sizes", made,
                 "--seconds", self.options.seconds, *self.kind_words(firmware, kernel, way, f"socle-{number}"))

    def power_under_socle(self, firmware, kernel, *more):
        self.run(", ".join((firmware, f"Linux {kernel}", "a sleep, a CPU offline and back, reset, power-off",
                            *(more or ["under Socle"]))),
                 ROOT / "tests/guest/svsm_power_test.py", "--programs", self.options.programs, "--suite",
                 firmware.split()[0], "--seconds", 2 * int(self.options.seconds),
                 *self.guest_words(kernel, "-".join(("socle-power", kernel, *more))), *more)

    def boot(self, guest, number, qemu=None):
        firmware, kernel, way, cpus, memory = guest
        options = self.options
        words = [*self.kind_words(firmware, kernel, way, number), "--cpus", cpus, "--memory", memory, "--seconds",
                 options.seconds]
        name = ", ".join((firmware, f"Linux {kernel}", way, f"{cpus} vCPUs", memory))
        if qemu:
            name += f", QEMU of {qemu}"
            words += ["--qemu", suites.qemu_of(qemu)]
        self.run(name, ROOT / "tests/guest/firmware_test.py", "--programs", options.programs, *words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--under-socle", action="store_true")
    parser.add_argument("--list", action="store_true", help="name the guests, and start none")
    parser.add_argument("--seconds", default="600", help="after which a boot is given up")
    for name, default in (("kernel", "kernel"), ("kernel7", "kernel7"), ("guest", "guest"), ("guest7", "guest7"),
                          ("work", "guests")):
        parser.add_argument(f"--{name}", type=pathlib.Path, default=ROOT / "build" / default)
    options = parser.parse_args()
    guests = UNDER_SOCLE if options.under_socle else list(cover(1 if options.sample else 2))
    if options.list:
        print("\n".join(", ".join(guest) for guest in guests))
        if options.under_socle:
            print("\n".join(", ".join((*guest, "power")) for guest in POWER_UNDER_SOCLE))
        if not options.sample and not options.under_socle:
            print("\n".join([*(", ".join((*guest, f"QEMU of {qemu}")) for qemu, guest in NEWER_QEMUS), DEBIAN]))
        return 0
    matrix = Matrix(options)
    for number, guest in enumerate(guests):
        (matrix.boot_under_socle if options.under_socle else matrix.boot)(guest, number)
    for guest in POWER_UNDER_SOCLE if options.under_socle else ():
        matrix.power_under_socle(*guest)
    if not options.sample and not options.under_socle:
        for qemu, guest in NEWER_QEMUS:
            matrix.boot(guest, f"qemu-{qemu}", qemu)
        matrix.run(DEBIAN, ROOT / "scripts/demo-disk.py", "--programs",
                   options.programs, "--reboot", "--quiet", "--work", options.work / "debian")
    return matrix.result.finish()


if __name__ == "__main__":
    sys.exit(main())
