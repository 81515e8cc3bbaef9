#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What QEMU's devices reach: guests that point them at what they may and may not reach, and what the machine says.

    dma_test.py SOCLE dma|messages|misuse GUEST HV KEYS [QEMU]
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

SECTOR, SECTORS = 512, 64
RULES = {"dma": 16, "messages": 10, "misuse": 72}
CPUS = {"messages": 2, "misuse": 2}
SECONDS = 120  # as a busy computer needs; a quiet one takes some 5 s
VMSA, CPUID_PAGE, SECRETS_PAGE = 0x700000, 0x701000, 0x702000
BY_DEVICE = "DMA by device 00:03.0 is refused"
# A QEMU whose first disk takes its time: one request a second.
SLOW = """#!/bin/sh
for word; do
	shift
	case $word in
	if=none,id=disk0,*) word=$word,throttling.iops-total=1 ;;
	esac
	set -- "$@" "$word"
done
exec {qemu} "$@"
"""
# One whose IOMMU is gone by the time it starts, and those that do not say what it can do.
NO_IOMMU = """#!/bin/sh
for word; do
	shift
	case $word in
	amd-iommu,intremap*) word=usb-ehci ;;
	esac
	set -- "$@" "$word"
done
exec {qemu} "$@"
"""
NO_HELP = {"fails": "exit 1", "says nothing": "exit 0", "speaks of others": "echo intel-iommu options:; exit 0",
           "says it, and fails": '"{qemu}" "$@"; exit 1', "never ends": "yes amd-iommu"}


def refused(log, page):
    """Whether it says so: in one line, or, on QEMU 11, in two."""
    return (f"{BY_DEVICE}: page {page:#x} is not shared" in log or
            BY_DEVICE in log and f"DMA by a device is refused: page {page:#x} is not shared" in log)


def contents():
    return b"".join(bytes([(7 * n + 1) & 0xff]) * SECTOR for n in range(SECTORS))


def run_guest(result, what, socle, image, hv, keys, folder, qemu):
    """Runs it, with a disk; the disk and machine.log."""
    disk, logs = folder / "disk.raw", folder / "logs"
    disk.write_bytes(contents())
    stop, output = machine.run(socle, image, logs, keys, "--memory", "64M", "--hv", hv, "--qemu", qemu, "--cpus",
                               CPUS.get(what, 1), "--disk", disk, seconds=SECONDS)
    lines = machine.log_of(logs).splitlines()
    for line in lines:
        if line.startswith(("ok ", "not ok ")):
            result(line.startswith("ok "), line.partition("ok ")[2])
    result(stop and stop.get("code") == 0 and sum(line.startswith("ok ") for line in lines) == RULES[what],
           f"{RULES[what]} rules, and the guest ends", f"{stop} {output} {lines[-3:]} "
           f"{sum(line.startswith('ok ') for line in lines)}")
    return disk, machine.log_of(logs, "machine.log")


def try_dma(result, *arguments, folder, qemu):
    disk, log = run_guest(result, "dma", *arguments, folder, wrapper(folder, SLOW, qemu))
    result(refused(log, 0x1002000), "the machine says what was refused, with device and page", log)
    # Sector 8 may have been written, with what QEMU takes for a page that it cannot read.
    after = disk.read_bytes()
    result(after in (contents(), contents()[:8 * SECTOR] + bytes(SECTOR) + contents()[9 * SECTOR:]),
           "and nothing of a private page is on the disk")
    try_without_iommu(result, *arguments, folder, qemu)


def wrapper(folder, text, qemu):
    path = folder / "qemu"
    path.write_text(text.replace("{qemu}", str(qemu)))
    path.chmod(0o755)
    return path


def try_without_iommu(result, socle, image, hv, keys, folder, qemu):
    """What cannot be relied on is not started: devices would reach the hypervisor's memory."""
    disk, logs = folder / "disk.raw", folder / "logs"
    arguments = ("--memory", "64M", "--hv", hv, "--disk", disk)
    stop, output = machine.run(socle, image, logs, keys, *arguments, "--qemu", wrapper(folder, NO_IOMMU, qemu),
                               seconds=SECONDS)
    log = machine.log_of(logs, "machine.log")
    result("there are devices that reach memory, and no IOMMU" in log and "hypervisor up" not in log,
           "no guest starts without the IOMMU", f"{stop} {output} {log}")
    for name, does in NO_HELP.items():
        text = f'#!/bin/sh\ncase "$*" in\n*,help) {does} ;;\nesac\nexec {qemu} "$@"\n'
        status, output = machine.command(socle, "run", "--quiet", "--report-key-dir", keys, "--timeout", 20, "--qemu",
                                         wrapper(folder, text, qemu), *arguments, image)
        result(status == 1 and "does not say what its amd-iommu can do" in output,
               f"nor on a QEMU whose help {name}", f"{status} {output}")


def try_misuse(result, *arguments, folder, qemu):
    disk, log = run_guest(result, "misuse", *arguments, folder, qemu)
    result(refused(log, 0x1003000), "the machine says what was refused, with device and page", log)
    for says in (" 0x2000000000 is not shared",
                 "a device's message is refused, it is for no APIC: address 2000000000, data 31",
                 "a device's message is refused, it is no interrupt: address fee01000, data 500"):
        result(says in log, f"the machine says: {says}", log)
    result(b"\x77" not in disk.read_bytes()[60 * SECTOR:61 * SECTOR], "and nothing of a private page is on the disk")


def main():
    what = sys.argv.pop(2)
    socle, guest, hv, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
    qemu = sys.argv[5] if len(sys.argv) > 5 else "qemu-system-x86_64"
    result = Results("dma")
    with tempfile.TemporaryDirectory(prefix="socle-dma-") as name:
        folder = pathlib.Path(name)
        image = machine.must_build(socle, folder / "guest.igvm", "--memory", "64M", "--bare", guest, "--vmsa",
                                   hex(VMSA), "--cpuid-page", hex(CPUID_PAGE), "--secrets-page", hex(SECRETS_PAGE))
        if what == "messages":
            run_guest(result, what, socle, image, hv, keys, folder, qemu)
        else:
            {"dma": try_dma, "misuse": try_misuse}[what](result, socle, image, hv, keys, folder=folder, qemu=qemu)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
