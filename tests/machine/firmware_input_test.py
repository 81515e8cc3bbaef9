#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `socle run --firmware` makes of what is wrong: one line on standard error, exit status 1, and no QEMU.

    firmware_input_test.py SOCLE HV KEYS

The firmware is made here, with nothing in it but what a loader reads: the layout is edk2's (OvmfPkg/ResetVector).
What is wrong with the file itself has each its case in core/image/tests/firmware_test.c.
"""

import base64
import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import id_block  # noqa: E402
from results import Results  # noqa: E402

SIZE = 0x20000
METADATA = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
START = uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
TABLE = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
SECTIONS = ((0x800000, 0x9000, 1), (0x80d000, 0x1000, 2), (0x80e000, 0x1000, 3), (0x80f000, 0x1000, 4))
# Of a stand-in for QEMU: what it is asked before it is started.
ASKED = 'case "$*" in --version | "-device amd-iommu,help") echo amd-iommu; exit 0 ;; esac\n'
FREE = 0x1000  # how far before the end the metadata are


def entry(data, guid):
    return data + struct.pack("<H", len(data) + 18) + guid.bytes_le


def firmware(sections=SECTIONS, rows=(METADATA, START)):
    image = bytearray(SIZE)
    metadata = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(sections), 1, len(sections))
    metadata += b"".join(struct.pack("<III", *section) for section in sections)
    image[SIZE - FREE:SIZE - FREE + len(metadata)] = metadata
    values = {METADATA: FREE, START: 0x80b004}
    table = b"".join(entry(struct.pack("<I", values[row]), row) for row in rows)
    table += struct.pack("<H", len(table) + 18) + TABLE.bytes_le
    image[SIZE - 32 - len(table):SIZE - 32] = table
    return bytes(image)


def kernel(version=0x20f, sectors=4, size=8192, magic=b"HdrS"):
    image = bytearray(size)
    image[0x1f1] = sectors
    struct.pack_into("<4sH", image, 0x202, magic, version)
    return bytes(image)


class Suite:
    def __init__(self, socle, hv, keys, folder):
        self.words = [socle, "run", "--hv", hv, "--report-key-dir", keys, "--timeout", "20"]
        self.folder, self.result = folder, Results("firmware input")
        self.started = folder / "started"
        self.qemu = self.write("qemu", f"#!/bin/sh\n{ASKED}: >{self.started}\nexit 3\n".encode())
        self.qemu.chmod(0o755)
        self.good = self.write("good.fd", firmware())
        self.kernel = self.write("kernel", kernel())

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def call(self, *words):
        return subprocess.run([str(word) for word in (*self.words, "--qemu", self.qemu, *words)], check=False,
                              capture_output=True, text=True)

    def taken(self, name, *words):
        """QEMU is started, which is all that this test has of one."""
        run = self.call(*words)
        self.result(run.returncode == 7 and self.started.exists(), name, (run.returncode, run.stderr))
        self.started.unlink(missing_ok=True)

    def refused(self, name, says, *words):
        run = self.call(*words)
        ok = run.returncode == 1 and not run.stdout and not self.started.exists() and \
            run.stderr.startswith("socle: ") and run.stderr.count("\n") == 1 and says in run.stderr
        self.result(ok, name, (run.returncode, run.stdout, run.stderr))
        self.started.unlink(missing_ok=True)


def files(s):
    for name, data, says in (
            ("empty", b"", "multiple of 64 KiB"),
            ("no table", bytes(SIZE), "there is no table of GUIDs"),
            ("no metadata", firmware(rows=(START,)), "it has no SEV metadata"),
            ("no start", firmware(rows=(METADATA,)), "where the other vCPUs start"),
            ("cut", firmware()[:-0x10000], "there is no table of GUIDs"),
            ("odd", firmware()[:-1], "multiple of 64 KiB"),
            ("overlap", firmware((*SECTIONS, (0x808000, 0x1000, 1))), "a section overlaps another one"),
            ("itself", firmware((*SECTIONS, (0xffff0000, 0x1000, 1))), "a section overlaps the firmware itself"),
            ("no page", firmware((*SECTIONS, (0x900001, 0x1000, 1))), "not of whole pages"),
            ("beyond RAM", firmware((*SECTIONS, (64 << 20, 0x1000, 1))), "0x4000000 lies outside the machine's RAM"),
            ("the end of RAM", firmware((*SECTIONS, ((64 << 20) - 0x1000, 0x2000, 1))),
             "lies outside the machine's RAM"),
            ("video memory", firmware((*SECTIONS, (0x9f000, 0x2000, 1))), "lies outside the machine's RAM")):
        s.refused(f"firmware: {name}", says, "--memory", "64M", "--firmware", s.write("bad.fd", data))
    s.refused("firmware that is not there", "No such file", "--firmware", s.folder / "missing")
    s.refused("firmware that is a folder", "not a regular file", "--firmware", s.folder)
    for name, data, says in (("short", b"x", "no Linux kernel"),
                             ("another file", kernel(magic=b"HdrX"), "no Linux kernel"),
                             ("an old protocol", kernel(version=0x1ff), "older boot protocol"),
                             ("cut", kernel(size=2560), "cut off"),
                             ("cut, by default", kernel(sectors=0, size=2560), "cut off")):
        s.refused(f"kernel: {name}", says, "--firmware", s.good, "--kernel", s.write("bad", data))
    s.refused("a kernel that is not there", "No such file", "--firmware", s.good, "--kernel", s.folder / "missing")
    s.refused("an initrd that is not there", "No such file", "--firmware", s.good, "--kernel", s.kernel, "--initrd",
              s.folder / "missing")
    s.refused("an empty initrd", "it is empty", "--firmware", s.good, "--kernel", s.kernel, "--initrd",
              s.write("nothing", b""))


def options(s):
    s.refused("firmware and an image", "one argument too many", "--firmware", s.good, s.good)
    s.refused("neither", "FILE.igvm is missing")
    s.refused("a kernel, and firmware as the image", "not an IGVM file", "--kernel", s.kernel, s.good)
    s.refused("an initrd without a kernel", "--initrd wants --kernel", "--firmware", s.good, "--initrd", s.kernel)
    s.refused("KVM's end of an interrupt elsewhere", "--kvm-eoi yes wants a --host that is like KVM",
              "--host", "hyperv", "--kvm-eoi", "yes", s.good)
    s.refused("two plans for one event", "--event-sweep and --event-every", "--event-sweep", "--event-every", "100",
              "--firmware", s.good)
    s.refused("hashes without a kernel", "--kernel-hashes wants --kernel", "--firmware", s.good, "--kernel-hashes")
    s.refused("hashes without a place", "no place for a table of kernel hashes", "--firmware", s.good, "--kernel",
              s.kernel, "--kernel-hashes")
    s.refused("a policy that no AMD-SP takes", "guest policy 0x10000 is refused", "--firmware", s.good, "--policy",
              "0x10000")
    s.refused("a policy for an image", "--policy wants --firmware", "--policy", "0xb0000", s.good)
    s.refused("a command line without a kernel", "--append wants --kernel", "--firmware", s.good, "--append", "quiet")
    s.refused("a processor for an image", "--vcpu-sig wants --firmware", "--vcpu-sig", "0x830f10", s.good)
    properties(s)
    s.refused("a host with VMSAs in RAM", "host hyperv launches no firmware", "--firmware", s.good, "--host", "hyperv")
    s.taken("firmware alone", "--firmware", s.good)
    s.taken("firmware, kernel and initrd", "--firmware", s.good, "--kernel", s.kernel, "--initrd", s.kernel, "--append",
            "a,b=c")
    s.taken("the smallest memory", "--firmware", s.good, "--memory", "64M")


def text(data):
    return base64.b64encode(data).decode()


def properties(s):
    """QEMU's sev-snp-guest has them, and its own words for most of this (target/i386/sev.c)."""
    block, auth = id_block.properties(id_block.new_key(), None, bytes(48), 0x30000, bytes(16), bytes(16), 0)
    signed = ["--firmware", s.good, "--id-block", text(block), "--id-auth", text(auth)]
    for name, size in (("id-block", 96), ("id-auth", 4096), ("host-data", 32), ("guest-visible-workarounds", 16)):
        for what, value in (("too little", text(bytes(size - 1))), ("too much", text(bytes(size + 1))),
                            ("nothing", ""), ("no base64", "#" * 8), ("half a digit", text(bytes(size))[:-1] + "%")):
            s.refused(f"{name}: {what}", f"--{name} wants {size} bytes in base64", "--firmware", s.good, f"--{name}",
                      value)
    s.refused("an ID block for an image", "--id-block wants --firmware", "--id-block", text(block), s.good)
    s.refused("an ID block alone", "--id-block wants --id-auth", *signed[:4])
    s.refused("its authentication alone", "--id-auth wants --id-block", *signed[:2], *signed[4:])
    s.refused("an author key without a block", "--author-key-enabled wants --id-block", *signed[:2],
              "--author-key-enabled")
    s.refused("an ID block of another launch", "refuses the ID block with BAD_MEASUREMENT", *signed)
    s.refused("the C-bit elsewhere", "--cbitpos wants 47", *signed[:2], "--cbitpos", "51")
    s.refused("more address bits lost", "--reduced-phys-bits wants 1", *signed[:2], "--reduced-phys-bits", "5")
    s.refused("a device of AMD's", "--sev-device wants no value at all", *signed[:2], "--sev-device", "/dev/sev")
    s.taken("what QEMU wants and the machine knows", *signed[:2], "--cbitpos", "47", "--reduced-phys-bits", "1")
    s.taken("host data and workarounds", *signed[:2], "--host-data", text(bytes(32)), "--guest-visible-workarounds",
            text(bytes(16)), "--vcek-disabled")


def lock_of(path, byte):
    """A user of the file as QEMU marks one (block/file-posix.c); it is one while it is open."""
    user = path.open("r+b")
    fcntl.fcntl(user, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0))
    return user


def devices(s):
    """Each by the whole command; what is wrong with a file or a network has its cases in machine/host/tests."""
    def wrong(name, says, *words):
        s.refused(name, says, "--firmware", s.good, *words)

    disk, empty = s.write("disk", bytes(4096)), s.write("empty", b"")
    qcow2 = s.write("qcow2", struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 1 << 20))
    wrong("a disk that is missing", "No such file", "--disk", s.folder / "missing")
    wrong("a disk that is a folder", "Is a directory", "--disk", s.folder)
    wrong("a disk that is empty", "it is empty", "--disk", empty)
    wrong("a disk of another format", "does not begin as one", "--disk", f"{disk},format=qcow2")
    wrong("a qcow2 that is cut off", "it is cut off", "--disk", qcow2)
    wrong("a disk that is there twice", "there twice", "--disk", disk, "--disk", disk)
    wrong("a disk of no known format", "format=raw|qcow2", "--disk", f"{disk},format=vmdk")
    with lock_of(disk, 101):
        wrong("a disk that another machine writes", "another machine has this disk", "--disk", disk)
    s.taken("a disk", "--firmware", s.good, "--disk", disk)
    wrong("a device of no known name", "virtio-net[,netdev=ID], e1000", "--device", "rtl8139")
    wrong("a network that is not there", "wants --netdev user,id=a", "--device", "e1000,netdev=a")
    wrong("a network without a device", "wants one device with netdev=a, and has 0", "--netdev", "user,id=a")
    wrong("a network of another kind", "--netdev wants user,id=ID", "--netdev", "tap,id=a")
    wrong("a network that runs a program", "--netdev wants user,id=ID", "--netdev",
          "user,id=a,guestfwd=tcp:10.0.2.100:1-cmd:true")
    with socket.create_server(("127.0.0.1", 0)) as other:
        network = ["--device", "virtio-net,netdev=a", "--netdev",
                   f"user,id=a,hostfwd=tcp:127.0.0.1:{other.getsockname()[1]}-:1"]
        wrong("a port that another program has", "cannot forward TCP port", *network)
    s.taken("the port, once it is free", "--firmware", s.good, *network)


def main():
    socle, hv, keys = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="socle-firmware-") as folder:
        suite = Suite(socle, hv, keys, pathlib.Path(folder))
        files(suite)
        options(suite)
        devices(suite)
        return suite.result.finish()


if __name__ == "__main__":
    sys.exit(main())
