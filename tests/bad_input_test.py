#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `socle igvm show|measure` and `socle run` make of files that are not right.

    bad_input_test.py SOCLE PROGRAM KEYS [COUNT]

A file that is refused gives exit status 1, nothing on standard output, nothing written, and one
line on standard error, `socle: FILE: what, where`. PROGRAM is a small bare guest to build files of,
KEYS a folder for the machine's keys, COUNT how many random changes to try (100).
"""

import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from igvm_file import (ERROR_RANGE, HEADER, ID_BLOCK, Igvm, MEMORY_MAP, PAGE, PAGE_DATA,  # noqa: E402
                       PARAMETER_AREA, PARAMETER_INSERT, PLATFORM, POLICY, RELOCATABLE, REQUIRED, VP_CONTEXT, seal)
from results import Results  # noqa: E402

UNKNOWN = 0x3f0
AREA = struct.pack("<QII", PAGE, 1, 0)  # of one page, with index 1
VMSA, CPUID_PAGE, SECRETS_PAGE = 0x700000, 0x701000, 0x702000
RAM = 64 << 20
VMPL_IN_VMSA, SEV_FEATURES_IN_VMSA = 0x0ca, 0x3b0  # APM volume 2, table B-4
SECONDS = 20
LINE = re.compile(r"socle: (?P<file>[^:]*): (?P<what>[^\n]+)\n")


def changed(good, *changes):
    igvm = Igvm(good)
    for change in changes:
        change(igvm)
    return igvm.bytes()


def version_2(good, architecture, page_size):
    def change(igvm):
        igvm.more = struct.pack("<II", architecture, page_size)
    return changed(good, change)


def parameter(area, offset=0):
    return struct.pack("<II", area, offset)


def insert(gpa):
    return struct.pack("<QII", gpa, 1, 1)


def patch(good, kind, offset, form, value):
    return changed(good, lambda f: struct.pack_into(form, f.find(kind), offset, value))


def patch_vmsa(good, offset, form, value):
    def change(igvm):
        (where,) = struct.unpack_from("<I", igvm.find(VP_CONTEXT), 12)
        struct.pack_into(form, igvm.data, where - igvm.data_start + offset, value)
    return changed(good, change)


def fixed(good, offset, value):
    data = bytearray(good)
    struct.pack_into("<I", data, offset, value)
    return bytes(data)


def twice(kind):
    def change(igvm):
        at = next(i for i, header in enumerate(igvm.headers) if header[0] == kind)
        igvm.headers.insert(at + 1, [kind, bytearray(igvm.headers[at][1])])
    return change


def without(kind):
    def change(igvm):
        igvm.headers = [header for header in igvm.headers if header[0] != kind]
    return change


def adding(kind, content):
    return lambda igvm: igvm.headers.append([kind, bytearray(content)])


def contradictions(good):
    """Name, file, what must be said. All commands refuse these."""
    size = len(good)
    required = struct.pack("<QIIII", 0x100000, 1, PAGE, 0, 0)
    return [
        ("empty", b"", "ends within the fixed header"),
        ("no magic", b"MVGI" + good[4:], "not an IGVM file"),
        ("text", b"# not an image\n" * 100, "not an IGVM file"),
        ("another version", fixed(good, 4, 3), "format version 3"),
        ("version 2 of another architecture", version_2(good, 1, PAGE), "architecture 1"),
        ("version 2 with large pages", version_2(good, 0, 65536), "pages of 65536 bytes"),
        ("one byte short", good[:-1], f"the header says {size} bytes, the file has {size - 1}"),
        ("one byte more", good + b"\0", f"the header says {size} bytes, the file has {size + 1}"),
        ("headers elsewhere", fixed(good, 8, 16), "lie in the fixed one"),
        ("headers too long", fixed(good, 12, size), "unaligned or leave the file"),
        ("headers far too long", fixed(good, 12, 0xfffffff8), "unaligned or leave the file"),
        ("a wrong checksum", fixed(good, 20, 0x12345678), "checksum is 0x12345678"),
        ("an unknown directive", changed(good, adding(UNKNOWN, bytes(8))),
         "unknown directive type 0x3f0"),
        ("parameters without an area", changed(good, adding(MEMORY_MAP, parameter(7))),
         "no PARAMETER_AREA 7 before it"),
        ("a parameter area twice", changed(good, adding(PARAMETER_AREA, AREA), adding(
            PARAMETER_AREA, AREA)), "a second PARAMETER_AREA 1"),
        ("a parameter outside its area", changed(good, adding(PARAMETER_AREA, AREA), adding(
            MEMORY_MAP, parameter(1, PAGE))), "byte offset 4096 is outside PARAMETER_AREA 1"),
        ("a parameter area inserted twice", changed(good, adding(PARAMETER_AREA, AREA), adding(
            PARAMETER_INSERT, insert(0x200000)), adding(PARAMETER_INSERT, insert(0x300000))),
         "PARAMETER_AREA 1 is in the guest already"),
        ("parameters over a page", changed(good, adding(PARAMETER_AREA, AREA), adding(
            PARAMETER_INSERT, insert(struct.unpack_from("<Q", Igvm(good).find(PAGE_DATA))[0]))),
         "is loaded twice"),
        ("a parameter area inside the headers", changed(good, adding(PARAMETER_AREA, struct.pack(
            "<QII", PAGE, 1, HEADER))), "outside the data section"),
        ("two ID blocks", changed(good, adding(ID_BLOCK, struct.pack("<I692x", 1)), adding(
            ID_BLOCK, struct.pack("<I692x", 1))), "a second SNP_ID_BLOCK"),
        ("half a page of errors", changed(good, adding(ERROR_RANGE, struct.pack(
            "<QII", 0x200000, 1, PAGE // 2))), "ERROR_RANGE of 2048 bytes is not whole pages"),
        ("a short directive", changed(good, adding(REQUIRED, required[:16])),
         "REQUIRED_MEMORY has 16 bytes, it must have 24"),
        ("a page twice", changed(good, twice(PAGE_DATA)), "is loaded twice"),
        ("two first vCPUs", changed(good, twice(VP_CONTEXT)), "a second VP_CONTEXT with index 0"),
        ("two policies", changed(good, twice(POLICY)), "a second GUEST_POLICY"),
        ("two platforms", changed(good, twice(PLATFORM)), "a second SUPPORTED_PLATFORM"),
        ("no platform", changed(good, without(PLATFORM)), "no SUPPORTED_PLATFORM"),
        ("a platform too late", changed(good, adding(PLATFORM, Igvm(good).find(PLATFORM))),
         "comes after a later section's headers"),
        ("another platform", patch(good, PLATFORM, 5, "<B", 3),
         "no platform SEV-SNP; the first one that is there: TDX"),
        ("vTOM only", patch(good, PLATFORM, 8, "<Q", 1 << 46),
         "SEV-SNP is there with vTOM (0x400000000000) only"),
        ("a page inside the headers", patch(good, PAGE_DATA, 12, "<I", HEADER),
         "outside the data section"),
        ("a page behind the file", patch(good, PAGE_DATA, 12, "<I", 0xfffff000),
         "outside the data section"),
        ("an unaligned page", patch(good, PAGE_DATA, 0, "<Q", 0x100008), "is unaligned"),
        ("a page nowhere", patch(good, PAGE_DATA, 0, "<Q", 0xfffffffffffff000),
         "is not a physical address"),
        ("unknown page flags", patch(good, PAGE_DATA, 16, "<I", 0x100), "unknown page flags 0x100"),
        ("an unknown kind of page", patch(good, PAGE_DATA, 20, "<H", 9),
         "unknown page data type 9"),
        ("a reserved field", patch(good, PAGE_DATA, 22, "<H", 1), "reserved field"),
        ("memory of no pages", changed(good, adding(REQUIRED, required[:12] + bytes(12))),
         "not whole pages"),
    ]


def unbootable(good):
    """Files that are right as files, but that the machine must refuse."""
    return [
        ("no vCPU", changed(good, without(VP_CONTEXT)), "no VP_CONTEXT"),
        ("a page outside RAM", patch(good, PAGE_DATA, 0, "<Q", RAM), "outside the machine's RAM"),
        ("a VMSA outside RAM", patch(good, VP_CONTEXT, 0, "<Q", 1 << 40),
         "outside the machine's RAM"),
        ("a VMSA without a vCPU", changed(good, twice(VP_CONTEXT), lambda igvm: struct.pack_into(
            "<H", igvm.headers[-1][1], 16, 1), lambda igvm: struct.pack_into(
                "<Q", igvm.headers[-1][1], 0, 0x300000)),
         "is of vCPU 1, and the machine has 1"),
        ("parameters outside RAM", changed(good, adding(PARAMETER_AREA, AREA), adding(
            PARAMETER_INSERT, insert(RAM))), "outside the machine's RAM"),
        ("errors outside RAM", changed(good, adding(ERROR_RANGE, struct.pack(
            "<QII", RAM - PAGE, 1, 2 * PAGE))), "outside the machine's RAM"),
        ("a parameter that does not fit", changed(good, adding(PARAMETER_AREA, AREA), adding(
            MEMORY_MAP, parameter(1, PAGE - 48))),
         "MEMORY_MAP does not fit behind byte 4048 of PARAMETER_AREA 1"),
        ("a region that has to be moved", changed(good, lambda igvm: igvm.headers.insert(2, [
            RELOCATABLE, struct.pack("<IHBBQQQQQ", 1, 0, 0, 0, PAGE, 0x200000, PAGE, 0x300000,
                                     0x400000)])), "may not stay there, and this host moves none"),
        ("an ID block of another launch", changed(good, adding(ID_BLOCK, struct.pack(
            "<I692x", 1))), "the AMD-SP refuses the SNP_ID_BLOCK with BAD_MEASUREMENT"),
        ("a page over video memory", patch(good, PAGE_DATA, 0, "<Q", 0xb8000), "video memory"),
        ("a VMSA of VMPL1", patch_vmsa(good, VMPL_IN_VMSA, "<B", 1), "not of VMPL 0"),
        ("a VMSA without SNP", patch_vmsa(good, SEV_FEATURES_IN_VMSA, "<Q", 0),
         "does not have SNP"),
        ("a policy without its reserved one", patch(good, POLICY, 0, "<Q", 0x10000),
         "guest policy 0x10000"),
    ]


class Checker:
    def __init__(self, socle, keys, folder):
        self.socle, self.keys, self.folder = socle, keys, folder
        self.result = Results("bad input")

    def commands(self, path):
        """What is tried with each file; QEMU is none, so a good one goes no further than that."""
        logs, certificates = self.folder / "logs", self.folder / "certificates"
        return {
            "show": ["igvm", "show", path],
            "show --json": ["igvm", "show", "--json", path],
            "measure": ["igvm", "measure", path],
            "run": ["run", "--memory", f"{RAM >> 20}M", "--qemu", "/bin/false", "--hv", self.socle,
                    "--report-key-dir", self.keys, "--log-dir", logs, "--certs-out", certificates,
                    path],
        }

    def call(self, words):
        return subprocess.run([self.socle, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=SECONDS, check=False)

    def refusal_problem(self, run, path, what):
        """Why that was no proper refusal, or nothing."""
        line = LINE.fullmatch(run.stderr)
        if run.returncode != 1:
            return f"exit status {run.returncode}, {run.stderr.strip()[-200:]!r}"
        if not line or line["file"] != str(path):
            return f"not one line about the file: {run.stderr!r}"
        if what not in line["what"]:
            return f"it does not say {what!r}: {run.stderr!r}"
        if run.stdout:
            return f"partial output {run.stdout[:80]!r}"
        left = self.clean_up()
        return f"it left {', '.join(left)}" if left else None

    def clean_up(self):
        """Removes what a run wrote; its names."""
        left = [path for path in (self.folder / "logs", self.folder / "certificates")
                if path.exists()]
        for path in left:
            shutil.rmtree(path)
        return [path.name for path in left]

    def accepted_problem(self, name, run):
        """A changed file may also be right; then the machine only finds that QEMU ends."""
        if name == "run":
            ok = run.returncode in (1, 7) and re.fullmatch(r"socle: [^\n]+\n", run.stderr)
        else:
            ok = run.returncode == 0 and run.stdout and not run.stderr
        return None if ok else f"exit status {run.returncode}, {run.stderr.strip()[-200:]!r}"

    def note(self, name, problems):
        self.result(not problems, name, "; ".join(problems))

    def refuse(self, name, path, what, only=None):
        problems = []
        for command, words in self.commands(path).items():
            if only is None or command in only:
                problem = self.refusal_problem(self.call(words), path, what)
                problems += [f"{command}: {problem}"] if problem else []
            elif command != "run":
                problem = self.accepted_problem(command, self.call(words))
                problems += [f"{command}: {problem}"] if problem else []
        self.note(name, problems)

    def survive(self, name, path):
        """Refused properly or taken, by all of them alike."""
        problems, verdicts = [], set()
        for command, words in self.commands(path).items():
            run = self.call(words)
            refused = LINE.fullmatch(run.stderr) and f"socle: {path}: " in run.stderr
            if command != "run":
                verdicts.add(bool(refused))
            problem = self.refusal_problem(run, path, "") if refused else \
                self.accepted_problem(command, run)
            problems += [f"{command}: {problem}"] if problem else []
            self.clean_up()
        if len(verdicts) > 1:
            problems.append("show and measure do not agree")
        self.note(name, problems)


def try_other_files(checker, folder):
    """What is no file, or none of any use."""
    missing, directory, pipe = folder / "missing", folder / "directory", folder / "pipe"
    directory.mkdir()
    os.mkfifo(pipe)
    checker.refuse("no file", missing, "No such file")
    checker.refuse("a directory", directory, "not a regular file")
    checker.refuse("a pipe", pipe, "not a regular file")
    checker.refuse("a device", pathlib.Path("/dev/zero"), "not a regular file")
    huge = folder / "huge"
    with huge.open("wb") as file:
        file.truncate((4 << 30) + PAGE)
    checker.refuse("a file of more than 4 GiB", huge, "bytes are more than")


def try_random(checker, folder, good, count):
    generator = random.Random(1)  # the same files each time
    (header_size,) = struct.unpack_from("<I", good, 12)
    for number in range(count):
        data = bytearray(good)
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(HEADER, HEADER + header_size)
            data[at] = generator.choice((0, 1, 0x7f, 0x80, 0xff, data[at] ^ 1 << number % 8))
        path = folder / f"random-{number}"
        path.write_bytes(seal(data, header_size))
        checker.survive(f"random change {number}", path)
        path.unlink()


def main():
    socle, program, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 100
    with tempfile.TemporaryDirectory(prefix="socle-bad-") as name:
        folder = pathlib.Path(name)
        image = folder / "good"
        subprocess.run([socle, "igvm", "build", "-q", "-o", image, "--memory", f"{RAM >> 20}M",
                        "--bare", program, "--vmsa", hex(VMSA), "--cpuid-page", hex(CPUID_PAGE),
                        "--secrets-page", hex(SECRETS_PAGE)], check=True)
        good = image.read_bytes()
        checker = Checker(socle, keys, folder)
        checker.note("taking apart and putting together", [] if Igvm(good).bytes() == good else
                     ["gives another file"])
        checker.survive("the file itself", image)
        bad = folder / "bad"
        for case, data, what in contradictions(good):
            bad.write_bytes(data)
            checker.refuse(case, bad, what)
        for case, data, what in unbootable(good):
            bad.write_bytes(data)
            checker.refuse(case, bad, what, only=("run",))
        (header_size,) = struct.unpack_from("<I", good, 12)
        for length in (*range(0, HEADER + header_size, 37), HEADER + header_size, PAGE, 2 * PAGE):
            bad.write_bytes(good[:length])
            checker.refuse(f"cut to {length} bytes", bad, "")
        bad_name = folder / "two\nlines"
        bad_name.write_bytes(b"IGVM")
        run = checker.call(["igvm", "show", bad_name])
        checker.note("a name of two lines", [] if run.stderr.count("\n") == 1 else [run.stderr])
        try_other_files(checker, folder)
        try_random(checker, folder, good, count)
    return checker.result.finish()


if __name__ == "__main__":
    sys.exit(main())
