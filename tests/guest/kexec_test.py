#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kexec of a stock Linux under Socle, which ends: that the first kernel gives way to the second, and by what that one
ends. The first row of docs/guest.md's table is this test's to hold, with Linux 6.12; with --firmware it only says how
it ends.

    kexec_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work DIR] [--firmware OVMF.fd]
"""

import json
import pathlib
import subprocess
import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 1500  # as a busy computer needs
# The first kernel's last line (Linux, kernel/kexec_core.c, kernel_kexec()).
GIVES_WAY = "kexec_core: Starting new kernel"
ENDS = "rmp_violation"  # of the second: it takes a page as private that the first had shared


def build(options):
    """The image, and for firmware what it finds the kernel by."""
    kernel = booted.vmlinuz(options)
    (options.work / "kernel").write_bytes(kernel.read_bytes())
    first = booted.initramfs(options, booted.HERE / "kexec_init",
                             [options.work / "kernel", options.programs / "tests/guest/kexec-now"])
    append = "console=ttyS0 panic=-1"
    if not options.firmware:
        return booted.with_socle(options, first, append, 1), ("--memory", "512M")
    image = options.work / "guest.igvm"
    booted.run(options.programs / "tools/socle", "igvm", "build", "-q", "-o", image, "--host", "kvm-svsm",
               *booted.socle(options), "--firmware", options.firmware)
    return image, ("--host", "kvm-svsm", "--memory", "512M", "--kernel", kernel, "--initrd", first, "--append", append)


def main():
    parser = booted.parser(__doc__, "kexec")
    parser.add_argument("--firmware", type=pathlib.Path)
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("kexec")
    image, more = build(options)
    words = [options.programs / "tools/socle", "run", "--log-dir", options.work, "--report-key-dir",
             booted.ROOT / "build/report-keys", "--timeout", TIMEOUT_S, *more, image]
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    stop = json.loads((options.work / "timeline.json").read_text())["stop"]
    log = booted.log_of(options)
    begun, _, after = log.partition("@kexec begins")
    print(f"# {stop}\n# {run.stderr.strip()}")
    result("starting the guest" in (options.work / "svsm.log").read_text() and begun != log,
           "the first kernel comes to kexec", log[-500:])
    result("@kexec failed" not in after, "the second one is started", after[-500:])
    given_up, _, second = after.partition(GIVES_WAY)
    result(given_up != after, "the first kernel has given way", after[-500:])
    result("socle.second" not in second, "and the second comes to nothing", second[-500:])
    result(stop.get("vmpl") == 2, "it is the guest that ends", str(stop))
    if not options.firmware:
        result(stop["reason"] == ENDS, "by a page that the first kernel had shared", str(stop))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
