#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Debian from a disk, as an ordinary SNP guest without an SVSM: OVMF finds systemd-boot on the disk, and that a
unified kernel image; the system comes to its login, is logged into, attests itself by Debian's own kernel, and
powers off.

    demo-disk.py --programs BUILD [--cpus N] [--memory SIZE] [--suite trixie|forky] [--loader NAME] [--timeout SECONDS]
                 [--reboot] [--quiet]

Firmware, loaders and system are Debian's packages, fetched and made below build/ the first time. With --reboot the
guest has a second disk with packages, installs them by apt, writes a file, resets the machine, is launched anew, and
finds both. The last line says how it ended.
"""

import argparse
import base64
import os
import pathlib
import re
import secrets
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from terminal import Terminal  # noqa: E402

APPEND = "root=LABEL=debian-root rw console=ttyS0 quiet systemd.show_status=1"
REPORT = "/sys/kernel/config/tsm/report/demo"
REPORT_SIZE, REPORT_DATA_AT = 1184, 0x50
MEASUREMENT = re.compile(rb"measurement ([0-9a-f]{96})")
PROMPT = b"# "
# What the guest installs, and what then proves it: dpkg's word, and the program's.
INSTALL = ("mount -o ro -L debian-debs /mnt && apt-get -q -y install /mnt/*.deb </dev/null && umount /mnt && "
           "echo installed")
INSTALLED = "dpkg-query -W -f '${Package} ${Status}\\n' jq libjq1 libonig5; echo '{\"a\": [6, 7]}' | jq '.a[0] * .a[1]'"
INSTALLED_SAYS = [*(f"{name} install ok installed" for name in ("jq", "libjq1", "libonig5")), "42"]
# What is on the terminal beside the guest's words: its colours, and the machine's line of progress.
ESCAPES = re.compile("\x1b\\[[?0-9;]*[A-Za-z]|\r|nothing printed for [0-9]+ s, [0-9]+ exits of the guest")


class DemoError(Exception):
    pass


def call(*words):
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise DemoError((done.stderr or done.stdout).strip())
    return done.stdout


def make_disk(options):
    for words in (["scripts/fetch-ovmf.sh", "--suite", options.suite], ["scripts/fetch-loaders.sh"],
                  ["scripts/make-debian.sh"], *([["scripts/make-package-disk.sh"]] if options.reboot else [])):
        options.say(call(ROOT / words[0], *words[1:]).strip())
    disk, system = options.work / f"{options.loader}.img", ROOT / "build/debian-trixie"
    call(ROOT / "scripts/make-disk.py", "--loader", options.loader, "--kernel", system / "vmlinuz", "--initrd",
         system / "initrd.img", "--append", APPEND, "--root", system / "root.ext4", disk)
    return disk


class Guest:
    """The machine on a terminal of its own, and the shell in it once somebody has logged in."""

    def __init__(self, options, disk):
        self.options, self.started, self.commands = options, time.monotonic(), 0
        words = [options.programs / "tools/socle", "run", "--firmware", ROOT / f"build/ovmf-{options.suite}/OVMF.fd",
                 "--disk", disk, "--cpus", options.cpus, "--memory", options.memory, "--report-key-dir",
                 ROOT / "build/report-keys", "--certs-out", options.work / "evidence", "--timeout", options.timeout]
        if options.reboot:
            words += ["--disk", f"{ROOT / 'build/debian-trixie/packages.img'},format=raw", "--on-reboot", "restart"]
        self.terminal = Terminal(words, show=None if options.quiet else self.show)

    @staticmethod
    def show(data):
        os.write(sys.stdout.fileno(), data)

    def wait(self, words):
        before = self.terminal.wait_for(words, self.started + self.options.timeout - time.monotonic())
        if before is None:
            raise DemoError(f"the guest did not come to {words.decode()!r}")
        return before

    def log_in(self):
        self.wait(b"login: ")
        self.options.say(f"login prompt after {time.monotonic() - self.started:.0f} s")
        self.terminal.type(b"root\r")
        self.wait(PROMPT)
        self.run("stty -echo")

    def run(self, command):
        """What the command prints."""
        self.commands += 1
        # What the shell echoes is not what it prints.
        self.terminal.type(f"{command}; echo e''nd-{self.commands}\r".encode())
        return ESCAPES.sub("", self.wait(f"end-{self.commands}\r".encode()).decode(errors="replace"))

    def report(self, nonce):
        """By configfs, as the kernel's sev-guest makes it."""
        self.run("modprobe sev-guest; systemctl start sys-kernel-config.mount")
        octal = "".join(f"\\{byte:03o}" for byte in nonce)
        text = self.run(f"mkdir {REPORT} && printf '{octal}' >{REPORT}/inblob && base64 {REPORT}/outblob")
        found = re.search(r"[A-Za-z0-9+/=\n]{1000,}", text)
        if not found:
            raise DemoError(f"there is no report: {text.strip()}")
        return base64.b64decode(found[0])

    def power_off(self):
        self.terminal.type(b"systemctl poweroff\r")
        status, errors, _ = self.terminal.end(self.started + self.options.timeout - time.monotonic())
        if status:
            raise DemoError(errors.strip())


def verify(options, report, measurement):
    evidence, mine = options.work / "evidence", options.work / "mine"
    mine.mkdir(exist_ok=True)
    (evidence / "ark.pem").rename(mine / "ark.pem")
    (evidence / "report.bin").write_bytes(report)
    return call(options.programs / "tools/socle", "verify", "--report-only", "--trust-emulated", "--vmpl", "0",
                "--measurement", measurement, "--mine", mine, evidence).strip().splitlines()[-1]


def install_and_reboot(options, guest):
    if "jq" in guest.run("dpkg-query -W jq 2>/dev/null"):
        raise DemoError("the package is there before it was installed")
    said = guest.run(INSTALL).strip().splitlines()
    if said[-1:] != ["installed"]:
        raise DemoError(f"apt installed nothing: {' / '.join(said[-3:])}")
    word = secrets.token_hex(8)
    guest.run(f"echo {word} >written; sync")
    guest.terminal.type(b"systemctl reboot\r")
    guest.log_in()
    if word not in guest.run("cat written"):
        raise DemoError("the file that it wrote before it was started again is not there")
    said = guest.run(INSTALLED).strip().splitlines()  # behind the prompt
    if said[-len(INSTALLED_SAYS):] != INSTALLED_SAYS:
        raise DemoError(f"what it installed is not there any more: {' / '.join(said)}")
    options.say("started again, it finds the packages that it has installed, and what it has written")


def demo(options):
    guest = Guest(options, make_disk(options))
    try:
        guest.log_in()
        if options.reboot:
            install_and_reboot(options, guest)
        if f"{options.cpus}" not in guest.run("nproc").split():
            raise DemoError("it has another number of processors")
        nonce = secrets.token_bytes(64)
        report = guest.report(nonce)
        if len(report) != REPORT_SIZE or report[REPORT_DATA_AT:REPORT_DATA_AT + 64] != nonce:
            raise DemoError("its report is for another nonce")
        guest.power_off()
    finally:
        if guest.terminal.process.poll() is None:
            guest.terminal.end(0)
    measurement = MEASUREMENT.search(guest.terminal.all)[1].decode()
    options.say(verify(options, report, measurement))
    options.say(f"powered off after {time.monotonic() - guest.started:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--suite", choices=("trixie", "forky"), default="forky", help="whose OVMF")
    parser.add_argument("--loader", choices=("systemd-boot", "grub"), default="systemd-boot")
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/demo-disk")
    parser.add_argument("--reboot", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="do not show the guest's console")
    options = parser.parse_args()
    options.programs, options.work = options.programs.resolve(), options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    options.say = lambda line: print(f"demo-disk: {line}", flush=True)
    try:
        demo(options)
    except DemoError as error:
        print(f"\ndemo-disk: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
