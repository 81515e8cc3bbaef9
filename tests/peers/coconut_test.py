#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""COCONUT-SVSM on the SNP machine, unmodified: images that its own builder made, on the host whose loader
and features they are for.

    coconut_test.py --programs BUILD [--image FILE [--digest HEX]] [--tests FILE]... [--cpus N]...
                    [--igvmmeasure PATH]

--image comes to its request loop on every vCPU; --digest is what COCONUT's own igvmmeasure says of the file.
--tests is an image of its in-SVSM tests, each of which has to pass; they have a disk and a host to ask, as
COCONUT's script gives them. --igvmmeasure is that program, which judges these files and what Socle builds for
KVM. Without a file what needs it is skipped: the project has neither them nor a way to build them. docs/peers.md
has what was run.
"""

import argparse
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

SECONDS = 60
TEST_SECONDS = 300
LOOP = re.compile(rb"Launching request-processing task on CPU (\d+)")
# Its kernel/src/testing.rs: what it writes to the exit port when all tests have passed.
PASSED = 0x10
DISK_SIZE = 512 << 10
result = Results("coconut")


class Host(threading.Thread):
    """Answers what the tests ask at the fourth serial port: a byte each (its kernel/src/testing.rs)."""

    def __init__(self, path, digest, disk):
        super().__init__(daemon=True)
        self.path, self.digest, self.disk, self.asked = path, digest, disk, []

    def answer(self, request):
        if request == 1:
            return self.digest
        if request == 2:
            return hashlib.sha256(self.disk.read_bytes()).digest()
        return b""

    def connect(self):
        for _ in range(300):
            with socket.socket(socket.AF_UNIX) as channel:
                try:
                    channel.connect(str(self.path))
                except OSError:
                    time.sleep(0.1)
                    continue
                return channel.dup()
        return None

    def run(self):
        channel = self.connect()
        while channel:
            try:
                byte = channel.recv(1)
                if not byte:
                    return
                self.asked += byte
                channel.sendall(self.answer(byte[0]))
            except OSError:
                return


def boot(socle, image, cpus, folder):
    """The vCPUs whose request loop runs, in the order of their numbers; it never ends by itself."""
    log = folder / f"{cpus}/guest.log"
    process = subprocess.Popen([socle, "run", "--quiet", "--host", "kvm-svsm", "--cpus", str(cpus), "--memory",
                                "1G", "--timeout", str(SECONDS), "--log-dir", log.parent, "--report-key-dir",
                                folder / "keys", image], stderr=subprocess.PIPE)
    loops = []
    while process.poll() is None and len(loops) < cpus:
        time.sleep(0.1)
        loops = sorted(int(number) for number in LOOP.findall(log.read_bytes())) if log.exists() else []
    process.terminate()
    process.wait(30)
    return loops


def test_names(log):
    """The tests that started, those that it passes over, and how many it said there are: in its kernel, and
    in its user program."""
    started = re.findall(r"test (\S+) \.\.\.$", log, re.M)
    ignored = re.findall(r"test (\S+) \.\.\. ignored", log)
    announced = re.findall(r"running (\d+) (?:user )?tests", log)
    return started, ignored, sum(map(int, announced))


def run_tests(socle, image, cpus, folder):
    """Runs the image's tests to their end: the stop, its console, and what it asked."""
    folder.mkdir()
    disk, path, logs = folder / "disk.raw", folder / "channel", folder / "logs"
    disk.write_bytes(os.urandom(DISK_SIZE))
    host = Host(path, bytes.fromhex(digest_of(socle, image)), disk)
    host.start()
    stop, output = machine.run(socle, image, logs, folder.parent / "keys", "--host", "kvm-svsm", "--cpus", cpus,
                               "--memory", "1G", "--svsm-disk", disk, "--test-devices", "--test-channel",
                               f"unix:{path}", seconds=TEST_SECONDS)
    return stop, machine.log_of(logs, "guest.log").replace("\r", ""), host.asked, output


def digest_of(socle, image):
    return machine.command(socle, "igvm", "measure", image)[1]


def judge_tests(socle, image, cpus, folder):
    begun = time.monotonic()
    stop, log, asked, output = run_tests(socle, image, cpus, folder)
    started, ignored, announced = test_names(log)
    print(f"# {image.name} on {cpus} vCPUs: {announced} tests, {len(ignored)} of them ignored by COCONUT, asked "
          f"{asked}, {time.monotonic() - begun:.0f} s", flush=True)
    result(stop and stop["reason"] == "test_exit" and stop["value"] == PASSED,
           f"{image.name}: its tests pass on {cpus} vCPUs", f"{stop} {output} last: {log.splitlines()[-8:]}")
    result(announced > 0 and len(started) + len(ignored) == announced and "All tests passed!" in log,
           "  each of them was run or passed over by itself", f"{announced} {len(started)} {len(ignored)}")


def built(programs, folder):
    """What `socle igvm build` makes for KVM with planes: a tiny guest, and Socle itself."""
    socle, bare, whole = programs / "tools/socle", folder / "bare.igvm", folder / "whole.igvm"
    guest = programs / "tests/machine/guest/guest-separation"
    machine.must_build(socle, bare, "--host", "kvm-svsm", "--bare", guest, "--cpuid-page", "0x701000",
                       "--secrets-page", "0x702000")
    machine.must_build(socle, whole, "--host", "kvm-svsm", "--monitor", programs / "monitor/monitor.elf",
                       files={"services/services": programs / "services/services",
                              "services.conf": ROOT / "services/services.conf",
                              "profile/tcg.conf": ROOT / "profiles/tcg.conf"})
    return bare, whole


def judge_measured(igvmmeasure, socle, images):
    """Its digest, of files that it would have KVM take, beside ours."""
    for image in images:
        status, output = machine.command(igvmmeasure, "--check-kvm", image, "measure", "-b")
        result(status == 0 and output.lower() == digest_of(socle, image), f"igvmmeasure: {image.name}",
               f"{status} {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--digest")
    parser.add_argument("--tests", type=Path, action="append", default=[])
    parser.add_argument("--igvmmeasure", type=Path)
    parser.add_argument("--cpus", type=int, action="append")
    options = parser.parse_args()
    programs = options.programs.resolve()
    socle = programs / "tools/socle"
    if not options.image and not options.tests and not options.igvmmeasure:
        result.skip("COCONUT-SVSM", "no image was given")
        result.finish()
        return 0
    with tempfile.TemporaryDirectory(prefix="socle-coconut-") as name:
        if options.igvmmeasure:
            judge_measured(options.igvmmeasure, socle, [*([options.image] if options.image else []), *options.tests,
                                                        *built(programs, Path(name))])
        else:
            result.skip("igvmmeasure", "no path was given")
        if options.image and options.digest:
            result(digest_of(socle, options.image) == options.digest.lower(), "the digest is igvmmeasure's")
        for cpus in (options.cpus or (1, 2, 4, 8)) if options.image else ():
            loops = boot(socle, options.image, cpus, Path(name))
            result(loops == list(range(cpus)), f"request loops on {cpus} vCPUs", loops)
        for image in options.tests:
            for cpus in options.cpus or (1, 2, 4):
                judge_tests(socle, image, cpus, Path(name) / f"{image.stem}-{cpus}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
