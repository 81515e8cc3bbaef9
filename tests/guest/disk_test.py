#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's Linux as an SNP guest at VMPL0 with a disk of QEMU's, by its own driver: it reads what the host has written
and writes what the host then reads.

    disk_test.py --programs BUILD [--by firmware|image|socle] [--bus NAME] [--format raw|qcow2] [--cpus N]
                 [--qemu PATH] [--seconds N] [--kernel DIR] [--guest DIR] [--work DIR]
"""

import hashlib
import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 280  # as a busy computer needs; a quiet one takes some 20 s
SIZE = 8 << 20
PATTERN_AT, PATTERN = 512 * 4096, (b"socle\n" * (1 << 18))[:1 << 20]  # as disk_init writes it
MODULES = {"virtio-blk": ["virtio_blk"], "virtio-scsi": ["virtio_scsi", "sd_mod"], "nvme": ["nvme"],
           "ahci": ["ahci", "sd_mod"]}
APPEND = "console=ttyS0 panic=-1"


def make_disk(options):
    """What is on it, and its file."""
    raw, disk = options.work / "disk.raw", options.work / f"disk.{options.format}"
    contents = b"".join(hashlib.sha256(n.to_bytes(4, "little")).digest() for n in range(SIZE // 32))
    raw.write_bytes(contents)
    if options.format != "raw":
        booted.run("qemu-img", "convert", "-f", "raw", "-O", options.format, raw, disk)
    return contents, disk


def contents_of(options, disk):
    if options.format == "raw":
        return disk.read_bytes()
    booted.run("qemu-img", "convert", "-f", options.format, "-O", "raw", disk, options.work / "after.raw")
    return (options.work / "after.raw").read_bytes()


def problems_of(options, lines, before, disk):
    said = "\n".join(lines)
    wanted = before[:PATTERN_AT] + PATTERN + before[PATTERN_AT + len(PATTERN):]
    problems = []
    if f"digest {hashlib.sha256(before).hexdigest()}" not in lines:
        problems.append("it read something else than the host had written")
    if contents_of(options, disk) != wanted:
        problems.append("the host does not read what it wrote")
    if "written" not in lines:
        problems.append("it did not come to its end")
    # The kernel's words for encrypted memory, and none of an IOMMU that it has found.
    if "SEV-SNP" not in booted.log_of(options):
        problems.append("it is no SNP guest")
    if "AMD-Vi" in booted.log_of(options) or "IVRS" in booted.log_of(options) or "AMD-Vi" in said:
        problems.append("it has found an IOMMU")
    if "DMA by" in (options.work / "machine.log").read_text():
        problems.append("a device met a page that is not shared")
    return problems


def main():
    parser = booted.parser(__doc__, "disk-boot")
    parser.add_argument("--by", choices=booted.STARTS, default="firmware", help="what starts the kernel")
    parser.add_argument("--bus", choices=MODULES, default="virtio-blk")
    parser.add_argument("--format", choices=("raw", "qcow2"), default="raw")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--seconds", type=int, default=TIMEOUT_S, help="after which it is given up")
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("disk")
    before, disk = make_disk(options)
    first = booted.initramfs(options, booted.HERE / "disk_init", modules=MODULES[options.bus])
    file, more = booted.started(options, first, APPEND)
    more += ["--qemu", options.qemu, "--disk", f"{disk},bus={options.bus}"]
    lines, problem = booted.boot(options, file, options.seconds, *more, cpus=options.cpus)
    problems = [problem] if problem else problems_of(options, lines, before, disk)
    name = f"{options.format} disk by {options.bus}, started by {options.by}, {options.cpus} vCPUs"
    if not result(not problems, name, "; ".join(problems)):
        print("\n".join([*lines, *booted.last_words(options)]))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
