#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An image with firmware, and a host that says what it likes of its memory and vCPUs.

    svsm_firmware_test.py SOCLE HV MONITOR SERVICES KEYS

The firmware is a few instructions at the reset vector that end the VM by the GHCB's MSR, so a start that is
right ends at VMPL2. The host's words are put into the file's parameter areas in the place of its parameters:
no digest covers them, which is shown, too. What a hostile map or MADT is has its cases in
monitor/boot/tests/host_memory_test.c; here is that each lie ends the VM before VMPL2 runs, with its reason.
"""

import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import firmware_input_test as plain  # noqa: E402
import igvm_file  # noqa: E402
import machine  # noqa: E402
from results import Results  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MIB, GIB = 1 << 20, 1 << 30
REGION = 0xfd000000
RAM, RESERVED = 0, 1
SECONDS = 150  # as a busy computer needs for eight vCPUs; a quiet one takes two
# Real mode: mov ecx, 0xc0010130; mov eax, 0x7a100; xor edx, edx; wrmsr; rep vmmcall: a request to end the VM, with
# set 10 and code 7 (GHCB 2.3.1). It starts 16 bytes before the end, with a jump to where it has room.
END_VM = bytes.fromhex("66b9300101c0" "66b800a10700" "6631d2" "0f30" "f30f01d9")
JUMP = bytes.fromhex("e9") + struct.pack("<h", -0x80 - 3)


def firmware():
    image = bytearray(plain.firmware())
    image[-16 - 0x80:-16 - 0x80 + len(END_VM)] = END_VM
    image[-16:-16 + len(JUMP)] = JUMP
    # The table of GUIDs, which the code would overlap, is 32 bytes before the end: 0x80 is more than both.
    return bytes(image)


def entry(at, size, kind=RAM):
    return struct.pack("<QQHHI", at // 4096, size // 4096, kind, 0, 0)


def madt(ids):
    """Of local APICs, and above 255 of local x2APICs (ACPI 6.5, 5.2.12.12)."""
    rows = b"".join(struct.pack("<BBBBI", 0, 8, number, number, 1) if number <= 255 else
                    struct.pack("<BBHIII", 9, 16, 0, number, 1, number) for number in ids)
    return struct.pack("<4sI", b"APIC", 44 + len(rows)) + bytes(36) + rows


GOOD_MAP = entry(0, 0xa0000) + entry(0xa0000, 0x20000, RESERVED) + entry(0xc0000, 64 * MIB - 0xc0000)
# What is said -> vCPUs, map, MADT; and what Socle says to it: nothing, when it is right.
TOO_MUCH = "more RAM than Socle has room to keep account of"
NO_WORK_AHEAD = "service ahead is not started: others need the memory"
NO_MEMORY = (TOO_MUCH, "more vCPUs than that", "RAM up to the addresses' end in little pieces")
SAID = {
    "the machine's own words": (1, GOOD_MAP, madt([0]), None),
    "no vCPU": (0, GOOD_MAP, madt([0]), "number of vCPUs is not 1 to 64"),
    "65 vCPUs": (65, GOOD_MAP, madt(range(65)), "number of vCPUs is not 1 to 64"),
    "an APIC id twice": (2, GOOD_MAP, madt([0, 0]), "an APIC id twice"),
    "a gap in the APIC ids": (2, GOOD_MAP, madt([0, 2]), "not below the number of vCPUs"),
    "APIC id 255": (1, GOOD_MAP, madt([0, 255]), "not below the number of vCPUs"),
    "x2APIC id 256": (1, GOOD_MAP, madt([0, 256]), "not below the number of vCPUs"),
    "no MADT": (1, GOOD_MAP, b"", "MADT is none"),
    "an empty map": (1, b"", madt([0]), "has no RAM"),
    "a map without an end": (1, entry(0, 4096) * 170, madt([0]), "overlaps itself"),
    "thousands of pieces": (1, b"".join(entry(i * 8192, 4096) for i in range(170)), madt([0]), "too many pieces"),
    "a map of reserved pieces without an end": (1, b"".join(entry(i * 8192, 4096, RESERVED) for i in range(170)),
                                                madt([0]), "has no end"),
    "pieces that overlap": (1, entry(0, 32 * MIB) + entry(16 * MIB, 48 * MIB), madt([0]), "overlaps itself"),
    "a piece that wraps": (1, GOOD_MAP + struct.pack("<QQHHI", 1 << 52, 1 << 51, 0, 0, 0), madt([0]),
                           "beyond what can be addressed"),
    "RAM above the C-bit": (1, GOOD_MAP + entry(1 << 51, 4096), madt([0]), "beyond what can be addressed"),
    "RAM over Socle": (1, GOOD_MAP + entry(REGION + 15 * MIB, 2 * MIB), madt([0]), "where Socle is"),
    "RAM over the firmware": (1, GOOD_MAP + entry(4 * GIB - 4096, 4096), madt([0]), "where the firmware is"),
    "RAM over the APICs": (1, GOOD_MAP + entry(0xfee00000, 4096), madt([0]), "where the APICs are"),
    "no RAM where the firmware starts": (1, entry(0, 8 * MIB), madt([0]), "lacks RAM that the firmware starts with"),
    # Of larger machines Socle takes RAM, which this firmware cannot be told (docs/budget.md).
    TOO_MUCH: (1, GOOD_MAP + entry(4 * GIB, 1 << 36), madt([0]), "there is room for 16 GiB and 8 vCPUs"),
    "more vCPUs than that": (9, GOOD_MAP, madt(range(9)), "there is room for 16 GiB and 8 vCPUs"),
    "RAM up to the addresses' end in little pieces": (
        1, GOOD_MAP + entry(1 << 45, MIB), madt([0]), "no memory for the states of the guest's pages"),
}


# Rows of docs/hosts.md: what the host lacks -> runs, each of an image, options of the host, and Socle's last line;
# none where the guest starts all the same. The row on parameters has its runs above.
NEEDS = "which an SVSM needs"
PARAMETERS = "MADT and memory map as parameters of an IGVM file"
LACKS = {
    "multi-VMPL": [("", ["--lacks", "multi-vmpl"], f"the host lacks multi-VMPL, {NEEDS}")],
    "restricted injection": [("", ["--lacks", "restricted-injection"],
                              f"the host lacks restricted injection, {NEEDS}")],
    "AP creation": [("", ["--lacks", "ap-creation"], f"the host lacks AP creation, {NEEDS}")],
    "APIC timer at VMPL0": [("", ["--fault", "refuse-apic"], "the host has no APIC timer for VMPL0"),
                            ("", ["--lacks", "restricted-injection-timer"], None)],
    "VMPL0 runs for its interrupts while the guest's level runs": [
        ("preempt", ["--preempt", "no"], "the image says that it does"), ("", ["--preempt", "no"], None)],
    "alternate injection, with its events": [
        ("apic", ["--lacks", "extended-interrupts"], "the host lacks alternate injection, which this image needs"),
        ("", ["--lacks", "extended-interrupts"], None)],
    "INVLPGB and TLBSYNC": [("", ["--invlpgb", "hidden"], None)],
    "APIC id list": [("", ["--lacks", "apic-id-list", "--cpus", "2"], None)],
    "pages change by an access to their other side": [("", ["--convert", "no"], None),
                                                      ("", ["--convert", "yes"], None)],
}


def say(image, vcpus, memory_map, table):
    """The file with these words in the place of its parameters: in the initial contents of their areas."""
    file = igvm_file.Igvm(image)
    parameters = set(igvm_file.PARAMETERS.values())
    words = {file_area(content): kind for kind, content in file.headers if kind in parameters}
    said = {igvm_file.PARAMETERS["VP_COUNT"]: struct.pack("<I", vcpus), igvm_file.MEMORY_MAP: memory_map,
            igvm_file.PARAMETERS["MADT"]: table}
    file.headers = [header for header in file.headers if header[0] not in parameters]
    for kind, content in file.headers:
        if kind == igvm_file.PARAMETER_AREA:
            index = struct.unpack_from("<I", content, 8)[0]
            struct.pack_into("<I", content, 12, file.contents(said[words[index]].ljust(4096, b"\0")))
    return file.bytes()


def file_area(content):
    return struct.unpack_from("<I", content)[0]


class Suite:
    def __init__(self, arguments, folder):
        self.socle, self.hv, monitor, services, self.keys = arguments
        self.folder, self.result = folder, Results("firmware under Socle")
        self.monitor, self.services = monitor, services
        self.firmware = folder / "firmware.fd"
        self.firmware.write_bytes(firmware())
        self.image = self.build("socle.igvm", "--preempt", "no")

    def build(self, name, *options, conf=ROOT / "services/services.conf"):
        return machine.must_build(
            self.socle, self.folder / name, "--monitor", self.monitor, "--firmware", self.firmware, *options,
            files={"services/services": self.services, "services.conf": conf,
                   "profile/tcg.conf": ROOT / "profiles/tcg.conf"})

    def measure(self, path):
        return subprocess.run([self.socle, "igvm", "measure", path], check=True, capture_output=True, text=True).stdout

    def run(self, name, path, says, *options, code=0x5):
        """says: a word of the monitor's last line, which ends with that code; None: its guest starts."""
        logs = self.folder / "logs"
        stop, output = machine.run(self.socle, path, logs, self.keys, "--hv", self.hv, *options, seconds=SECONDS)
        log = machine.log_of(logs)
        if says is None:
            ok = stop and stop["reason"] == "guest_terminated" and "starting the guest" in log and \
                "VMPL 2, reason set 10, code 0x7" in output
        else:
            ok = stop and says in log and "starting the guest" not in log and \
                f"VMPL 0, reason set 2, code {code:#x}" in output
        self.result(bool(ok), name, f"{stop} {output} {log[-600:]}")

    def hostile(self):
        image, digest = self.image.read_bytes(), self.measure(self.image)
        path = self.folder / "said.igvm"
        for name, (vcpus, memory_map, table, says) in SAID.items():
            path.write_bytes(say(image, vcpus, memory_map, table))
            if self.measure(path) != digest:
                self.result(False, name, "what the host says is measured")
                continue
            self.run(name, path, says, "--memory", "64M", code=0x6 if name in NO_MEMORY else 0x5)

    def hosts(self):
        """Rows of docs/hosts.md: an image for upstream KVM starts there, and says why it ends."""
        path = self.build("kvm.igvm", "--host", "kvm")
        self.run("upstream KVM", path, "the host lacks multi-VMPL, which an SVSM needs", "--host", "kvm", code=0x7)
        path = self.build("kvm-svsm.igvm", "--host", "kvm-svsm")
        self.run("KVM with planes", path, None, "--host", "kvm-svsm")

    def lacks(self):
        """What Socle does without each feature: the rows of that table, and there are no others."""
        images = {"": self.image, "preempt": self.build("preempt.igvm", "--preempt", "yes"),
                  "apic": self.build("apic.igvm", "--preempt", "no", "--guest-apic")}
        for feature, runs in LACKS.items():
            for image, options, says in runs:
                self.run(f"a host without {feature}: {' '.join(options)} {image}".strip(), images[image], says,
                         *options, code=0x7)
                early = says and NEEDS in says
                self.result((self.exits("hv_doorbell") == 0) == bool(early),
                            f"  that has {'no ' if early else 'a '}doorbell page")
        page = (ROOT / "docs/hosts.md").read_text().split("## What Socle does without\n")[1].split("\n## ")[0]
        rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")}
        self.result(rows - {"feature", "---"} == set(LACKS) | {PARAMETERS}, "each row of docs/hosts.md has its run",
                    str(rows ^ set(LACKS)))

    def exits(self, name):
        """How often VMPL0 made that exit in the last run."""
        timeline = json.loads((self.folder / "logs/timeline.json").read_text())
        return sum(kind["by_vmpl"][0] for kind in timeline["exits"] if kind["kind"].endswith(name))

    def sizes(self):
        """All of docs/budget.md's have memory for work ahead, as an image that gives it too much has not."""
        conf = self.folder / "services.conf"
        conf.write_text(re.sub(r"(?s)(service ahead\n.*?memory )\w+", r"\g<1>16M",
                               (ROOT / "services/services.conf").read_text()))
        self.run("work ahead of 16 MiB", self.build("ahead.igvm", "--preempt", "no", conf=conf), None)
        self.result(NO_WORK_AHEAD in machine.log_of(self.folder / "logs"), "  for which there is no memory")
        for cpus, memory in ((1, "64M"), (2, "3G"), (8, "16G")):
            self.run(f"{cpus} vCPUs, {memory}", self.image, None, "--cpus", cpus, "--memory", memory)
            log = machine.log_of(self.folder / "logs")
            self.result("services ready" in log and NO_WORK_AHEAD not in log, "  that leave memory for work ahead", log)


def main():
    with tempfile.TemporaryDirectory(prefix="socle-firmware-") as folder:
        suite = Suite(sys.argv[1:], pathlib.Path(folder))
        suite.hostile()
        suite.sizes()
        suite.hosts()
        suite.lacks()
        return suite.result.finish()


if __name__ == "__main__":
    sys.exit(main())
