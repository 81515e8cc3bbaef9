#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle igvm build --host` and `check --host`: what each host's loader takes, and what it refuses.

    igvm_hosts_test.py SOCLE GUEST KEYS

What is wanted is written down from QEMU's loader (backends/igvm.c, target/i386/sev.c), from igvmmeasure's
--check-kvm, and from docs/hosts.md. `socle run --host` must refuse what `check` refuses, with the same words.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import igvm_file  # noqa: E402
import machine  # noqa: E402
from igvm_digest import digest  # noqa: E402
from igvm_file import Igvm, PAGE, VP_CONTEXT  # noqa: E402
from results import Results  # noqa: E402

HELD, IN_RAM = 0xfffffffff000, 0x700000
KVM, HOSTS = ("kvm-svsm", "kvm"), ("strict", "kvm-svsm", "kvm", "hyperv")
# Offsets in a VMSA: APM volume 2, table B-4.
CR0, STAR, SEV_FEATURES, X87_FTW, RIP, CPL, TSC_AUX = 0x158, 0x200, 0x3b0, 0x40c, 0x178, 0xcb, 0x2ec
# Header types that QEMU has no handler for, whatever their platform; DEVICE_TREE is in COCONUT's branch.
REFUSED = ("SRAT", "SLIT", "PPTT", "MMIO_RANGES", "COMMAND_LINE")


def vmsa_of(igvm):
    content = igvm.find(VP_CONTEXT)
    gpa, _, where = struct.unpack_from("<QII", content)
    return gpa, where - igvm.data_start


def in_vmsa(offset, form, value):
    def change(igvm):
        struct.pack_into(form, igvm.data, vmsa_of(igvm)[1] + offset, value)
    return change


def with_parameter(name):
    def change(igvm):
        igvm.parameter(name, 1, 0x2000000)
        igvm.headers.append(igvm.headers.pop(next(
            i for i, header in enumerate(igvm.headers) if header[0] == VP_CONTEXT)))
    return change


def before_vmsa(kind, content):
    def change(igvm):
        at = next(i for i, header in enumerate(igvm.headers) if header[0] == VP_CONTEXT)
        igvm.headers.insert(at, [kind, bytearray(content)])
    return change


def page(flags=0, data=b""):
    """A page before the VMSA."""
    def change(igvm):
        igvm.page(0x2000000, data, flags)
        igvm.headers.insert(-2, igvm.headers.pop())
    return change


def second_vp(igvm):
    where = igvm.contents(bytes(igvm.data[vmsa_of(igvm)[1]:][:PAGE]))
    igvm.add(VP_CONTEXT, struct.pack("<QIIHH", HELD, 1, where, 1, 0))


def page_behind(igvm):
    igvm.page(0x2000000)


def without_policy(igvm):
    igvm.headers = [header for header in igvm.headers if header[0] != igvm_file.POLICY]


VERSION_STRING = (0x107, b"1.0")

# Name, change, what a KVM host says of it.
KVM_REFUSES = [
    *((f"{name}", with_parameter(name), f"{name} is nothing that host {{host}} takes") for name in REFUSED),
    ("an error range", before_vmsa(igvm_file.ERROR_RANGE, struct.pack("<QII", 0x2000000, 1, PAGE)),
     "ERROR_RANGE is nothing that host {host} takes"),
    ("a version", lambda igvm: igvm.headers.insert(2, [VERSION_STRING[0], bytearray(VERSION_STRING[1])]),
     "VERSION_STRING is nothing that host {host} takes"),
    ("a header for another platform", before_vmsa(igvm_file.ERROR_RANGE, struct.pack(
        "<QII", 0x2000000, 8, PAGE)), "ERROR_RANGE is nothing that host {host} takes"),
    ("an ignorable header", before_vmsa(0x800003f0, b""), "no header of type 0x800003f0"),
    ("STAR", in_vmsa(STAR, "<Q", 1), "the VMSA is not 0 at 0x200"),
    ("the x87 tag word", in_vmsa(X87_FTW, "<H", 0x5555), "the VMSA is not 0 at 0x40c"),
    ("CPL", in_vmsa(CPL, "<B", 3), "the VMSA is not 0 at 0xcb"),
    ("TSC_AUX", in_vmsa(TSC_AUX, "<I", 1), "the VMSA is not 0 at 0x2ec"),
    ("CR0 with paging", in_vmsa(CR0, "<Q", 0x80000031), "CR0 of the VMSA is 0x80000031"),
    ("BTB isolation", in_vmsa(SEV_FEATURES, "<Q", 0x81), "asks for BTB isolation, which host {host}"),
    ("a second VMSA", second_vp, "a second VP_CONTEXT"),
    ("a page after the VMSA", page_behind, "PAGE_DATA after VP_CONTEXT: KVM measures the VMSA last"),
    ("a shared page", page(igvm_file.SHARED), "QEMU knows no shared pages"),
    ("a page of 2 MiB", page(igvm_file.LARGE, bytes(2 << 20)), "reads 4 KiB of a page of 2 MiB"),
    ("no policy", without_policy, "no GUEST_POLICY"),
]

# What every host takes, KVM too.
TAKEN = [
    ("RIP", in_vmsa(RIP, "<Q", 0x1234)),
    ("real mode", in_vmsa(CR0, "<Q", 0x30)),
    ("2 MiB of zeros", page(igvm_file.LARGE)),
    ("an unmeasured page", page(igvm_file.UNMEASURED, b"x" * PAGE)),
    *((name, with_parameter(name)) for name in ("VP_COUNT", "ENVIRONMENT_INFO", "MEMORY_MAP", "MADT")),
]


class Checker:
    def __init__(self, socle, keys, folder):
        self.socle, self.keys, self.folder = socle, keys, folder
        self.result = Results("igvm hosts")

    def call(self, *words):
        run = subprocess.run([str(word) for word in (self.socle, *words)], capture_output=True,
                             text=True, check=False)
        return run.returncode, run.stdout.strip(), run.stderr.strip()

    def check(self, host, image):
        return self.call("igvm", "check", "--host", host, image)

    def run(self, host, image):
        return self.call("run", "--quiet", "--host", host, "--memory", "64M", "--qemu", "/bin/false",
                         "--hv", self.socle, "--report-key-dir", self.keys, image)

    def changed(self, good, change):
        igvm = Igvm(good)
        change(igvm)
        path = self.folder / "changed.igvm"
        path.write_bytes(igvm.bytes())
        return path

    def takes(self, name, host, image):
        status, output, error = self.check(host, image)
        wanted = f"{host} takes it, measurement {digest(image.read_bytes())}"
        self.result(status == 0 and output == wanted, f"{host} takes {name}", error or output)

    def refuses(self, name, host, image, what):
        status, output, error = self.check(host, image)
        self.result(status == 1 and not output and what in error and
                    re.fullmatch(r"socle: [^\n]*, at offset \d+", error),
                    f"{host} refuses {name}", error or output)
        status, _, other = self.run(host, image)
        self.result(status == 1 and error.replace("at offset", "header at file offset") == other,
                    f"and so does the machine as {host}, with the same words: {name}", other)


def build(checker, guest, host):
    image = checker.folder / f"{host}.igvm"
    vmsa = [] if host in KVM else ["--vmsa", hex(IN_RAM)]
    machine.must_build(checker.socle, image, "--host", host, "--memory", "64M", "--bare", guest, *vmsa,
                       "--cpuid-page", "0x701000", "--secrets-page", "0x702000")
    return image


def try_builds(checker, guest):
    """Each image on each host; the first is the image's, the second the loader's."""
    images = {host: build(checker, guest, host) for host in HOSTS}
    for made_for, image in images.items():
        igvm = Igvm(image.read_bytes())
        gpa, at = vmsa_of(igvm)
        (tags,) = struct.unpack_from("<H", igvm.data, at + X87_FTW)
        kvm = made_for in KVM
        checker.result((gpa, tags) == ((HELD, 0) if kvm else (IN_RAM, 0x5555)) and
                       igvm.headers[-1][0] == VP_CONTEXT, f"the VMSA for {made_for}", f"{gpa:x} {tags:x}")
        for host in HOSTS:
            if kvm == (host in KVM) or host == "strict":
                checker.takes(f"an image for {made_for}", host, image)
            else:
                checker.refuses(f"an image for {made_for}", host, image,
                                "nowhere else" if host in KVM else "not in RAM")
    return images


def main():
    socle, guest, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    with tempfile.TemporaryDirectory(prefix="socle-hosts-") as name:
        checker = Checker(socle, keys, pathlib.Path(name))
        images = try_builds(checker, guest)
        for host in KVM:
            good = images[host].read_bytes()
            for case, change, what in KVM_REFUSES:
                checker.refuses(case, host, checker.changed(good, change), what.format(host=host))
            for case, change in TAKEN:
                checker.takes(case, host, checker.changed(good, change))
        good = images["kvm"].read_bytes()
        tree, restricted = with_parameter("DEVICE_TREE"), in_vmsa(SEV_FEATURES, "<Q", 0x29)
        checker.takes("a device tree", "kvm-svsm", checker.changed(good, tree))
        checker.refuses("a device tree", "kvm", checker.changed(good, tree),
                        "DEVICE_TREE is nothing that host kvm takes")
        checker.takes("COCONUT-SVSM's features", "kvm-svsm", checker.changed(good, restricted))
        checker.refuses("restricted injection", "kvm", checker.changed(good, restricted),
                        "asks for restricted injection, which host kvm does not have")
        for host in ("strict", "hyperv"):
            good = images[host].read_bytes()
            for case, change, _ in KVM_REFUSES:
                if case not in ("a second VMSA",):
                    checker.takes(case, host, checker.changed(good, change))
            checker.takes("a device tree", host, checker.changed(good, tree))
        status, _, error = checker.check("xen", images["strict"])
        checker.result(status == 1 and all(host in error for host in HOSTS),
                       "an unknown host gives the list of them", error)
    return checker.result.finish()


if __name__ == "__main__":
    sys.exit(main())
