#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Linux that OVMF started under Socle suspends to idle and is woken by its RTC, loses a CPU and has it back, each
time with its TPM and both CPUs at work; resets, is launched anew by the same file, with the same digest; and powers
off.

    svsm_power_test.py --programs BUILD [--without-socle] [--suite trixie|forky] [--kernel DIR] [--guest DIR]
                       [--seconds N] [--work DIR]

--without-socle has an ordinary SNP guest do it, which has no TPM.

Where the firmware cannot be had, that is a failure.
"""

import re
import subprocess
import sys

import booted
from firmware_test import kernel_words
from results import Results  # booted knows where it is
from svsm_firmware_test import HOST, MEASURING, TIMEOUT_S, build

APPEND = "console=ttyS0 panic=-1 quiet"
MARK = "socle was here"  # as svsm_power_init has it
TOLD = re.compile(r"@power ([^\r\n]*)")
STARTED = re.compile("started, .* measurement ([0-9a-f]{96})$", re.MULTILINE)
CPUS = 2
ANEW, AGAIN = (rf'{CPUS} processors, Linux .*, on its disk "{found}"' for found in ("", MARK))
WOKEN = r"\[s2idle\]: 1 sleep of \d+ s, 1 RTC event"  # no S3; ACPI's fixed event, by SCI
FIRST, SECOND = (ANEW, WOKEN, f"cpu back, {CPUS} processors", "reset"), (AGAIN, "power off")


def guest(options, first):
    """What `socle run` is to start."""
    if options.without_socle:
        return ["--firmware", options.firmware, *kernel_words(options, first, f"{APPEND} socle.test=without")]
    return [*kernel_words(options, first, APPEND), build(options, first)]


def run(options, first, disk):
    """The machine's status, and what `socle run` said."""
    words = [options.programs / "tools/socle", "run", "--cpus", CPUS, "--memory", "512M", "--host", HOST, "--log-dir",
             options.work, "--report-key-dir", booted.ROOT / "build/report-keys", "--timeout", options.seconds,
             "--on-reboot", "restart", "--disk", f"{disk},format=raw", *guest(options, first)]
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    parser = booted.parser(__doc__, "svsm-power")
    parser.add_argument("--suite", choices=MEASURING, default="forky", help="whose OVMF")
    parser.add_argument("--without-socle", action="store_true", help="at VMPL0")
    parser.add_argument("--seconds", type=int, default=2 * TIMEOUT_S, help="after which both lives are given up")
    options = parser.parse_args()
    options.build, options.way = "OVMF", "fw_cfg"
    booted.prepare(options)
    where = "without Socle" if options.without_socle else "under Socle"
    result = Results(f"power {where}")
    options.firmware, missing = booted.ovmf(options.suite, options.build)
    if missing:
        result(False, f"OVMF of {options.suite} {where}", missing)
        return result.finish()
    disk = options.work / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    first = booted.initramfs(options, booted.HERE / "svsm_power_init", modules=["virtio_blk"])
    status, said = run(options, first, disk)
    told = TOLD.findall(booted.log_of(options))
    lives = [told[:len(FIRST)], told[len(FIRST):]]
    for life, wanted, name in zip(lives, (FIRST, SECOND), ("a sleep, a CPU offline and back, reset", "power-off")):
        result(len(life) == len(wanted) and all(map(re.fullmatch, wanted, life)), name, "; ".join(life))
    digests = STARTED.findall(said)
    result(len(digests) == len(lives) and len(set(digests)) == 1, "two launches, one digest", str(digests))
    result(status == 0, "the machine is off", f"{status}, {said[-600:]}")
    if result.failed:
        print("\n".join(booted.last_words(options)))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
