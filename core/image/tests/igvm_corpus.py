#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small IGVM files to fuzz from, which have every header of the format.

    igvm_corpus.py FOLDER
"""

import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/lib"))
from igvm_file import (CPUID, CPUID_XF, ERROR_RANGE, ID_BLOCK, Igvm, LARGE, PAGE, PAGE_DATA,  # noqa: E402
                       PAGE_TABLES, PARAMETERS, PLATFORM, POLICY, RELOCATABLE, REQUIRED, SECRETS,
                       SHARED, UNMEASURED, VP_CONTEXT)

SNP, NATIVE, VSM, TDX, CCA = 2, 0, 1, 3, 6
HELD = 0xfffffffff000
# EFER, CR0, SEV_FEATURES: APM volume 2, table B-4
VMSA = bytes(0xd0) + struct.pack("<Q", 0x1000) + bytes(0x158 - 0xd8) + struct.pack("<Q", 0x31) + \
    bytes(0x3b0 - 0x160) + struct.pack("<Q", 1) + bytes(PAGE - 0x3b8)


def platform(kind, mask, boundary=0):
    return struct.pack("<IBBHQ", mask, 2, kind, 1, boundary)


def plain(*platforms):
    """A file of these platforms, and a policy for the first."""
    igvm = Igvm()
    for kind, mask in platforms or ((SNP, 1),):
        igvm.add(PLATFORM, platform(kind, mask))
    igvm.add(POLICY, struct.pack("<QII", 0x30000, 1, 0))
    return igvm


def vp(igvm, gpa, index=0, mask=1):
    igvm.add(VP_CONTEXT, struct.pack("<QIIHH", gpa, mask, igvm.contents(VMSA), index, 0))


def for_kvm():
    igvm = plain()
    igvm.page(0x1000, b"\x90" * PAGE)
    igvm.page(0x2000, kind=SECRETS)
    igvm.page(0x3000, bytes(PAGE), kind=CPUID)
    igvm.add(REQUIRED, struct.pack("<QIIII", 0x100000, 1, 0x100000, 1, 0))
    for i, name in enumerate(("VP_COUNT", "ENVIRONMENT_INFO", "MEMORY_MAP", "MADT", "DEVICE_TREE")):
        igvm.parameter(name, i, 0x200000 + i * PAGE)
    vp(igvm, HELD)
    return igvm


def everything():
    igvm = plain((SNP, 1), (NATIVE, 2), (VSM, 4), (TDX, 8))
    igvm.add(RELOCATABLE, struct.pack("<IHBBQQQQQ", 1, 0, 0, 7, PAGE, 0x10000, PAGE, 0, 1 << 32))
    igvm.add(PAGE_TABLES, struct.pack("<IHBBQQQ", 1, 0, 0, 0, 0x20000, 2 * PAGE, PAGE))
    igvm.add(0x107, b"1.2.3")
    for i, name in enumerate(PARAMETERS):
        igvm.parameter(name, i, 0x300000 + i * PAGE)
    igvm.page(0x1000, flags=UNMEASURED)
    igvm.page(0x2000, flags=SHARED, mask=0xf)
    igvm.page(0x3000, kind=CPUID_XF)
    igvm.page(0x600000, flags=LARGE)
    igvm.add(ERROR_RANGE, struct.pack("<QII", 0x4000, 1, PAGE))
    igvm.add(ID_BLOCK, struct.pack("<I692x", 1))
    igvm.add(0x311, struct.pack("<I860x", 4))
    igvm.add(0x800003f0, b"whatever")
    vp(igvm, 0x5000)
    vp(igvm, 0x6000, 1)
    return igvm


def of_others():
    igvm = plain((CCA, 2), (SNP, 1))
    where = igvm.contents(b"corim".ljust(64, b"\0"))
    for kind in (0x104, 0x105):
        igvm.headers.append([kind, bytearray(struct.pack("<IIII", 1, where, 64, 0))])
    igvm.add(0x106, struct.pack("<IIQQBB6x", 2, 0, 1, 2, 0, 0))
    vp(igvm, HELD, mask=3)
    vp(igvm, HELD, 1)
    return igvm


def version_2():
    igvm = for_kvm()
    igvm.more = struct.pack("<II", 0, PAGE)
    return igvm


def with_an_author():
    igvm = for_kvm()
    block = bytearray(696)
    struct.pack_into("<IB", block, 0, 1, 1)
    struct.pack_into("<IIII", block, 88, 1, 7, 1, 1)
    block[104:] = bytes(range(256)) * 2 + bytes(80)
    for at in (252, 548):
        struct.pack_into("<I", block, at, 0)
    igvm.headers.insert(3, [ID_BLOCK, block])
    return igvm


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (for_kvm, everything, of_others, version_2, with_an_author):
        data = make().bytes()
        (folder / make.__name__).write_bytes(data)
    alone = Igvm()
    alone.add(PLATFORM, platform(SNP, 1, 1 << 46))
    (folder / "vtom").write_bytes(alone.bytes())
    crowded = plain()
    for i in range(40):
        crowded.page(i << 27)
    (folder / "scattered").write_bytes(crowded.bytes())
    twice = plain()
    twice.page(0x5000)
    twice.page(0x5000)
    (folder / "twice").write_bytes(twice.bytes())


if __name__ == "__main__":
    main()
