#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each directive of an IGVM file, and what the machine leaves of it in a guest's memory and CPUID.

    directives_test.py SOCLE GUEST HV KEYS

A file of every directive (made here, without Socle's code) starts a tiny guest, which says what it
finds; under two memory sizes and two numbers of vCPUs. ACPI tables are judged by ACPICA's iasl, the
device tree by dtc, both besides the literals here. The ID block is signed by python3-cryptography over a
launch digest of our second reader, and read back in a report.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import id_block  # noqa: E402
import igvm_digest  # noqa: E402
import igvm_file  # noqa: E402
import machine  # noqa: E402
from igvm_file import PAGE  # noqa: E402
from results import Results  # noqa: E402

VMSA, CPUID_PAGE, SECRETS_PAGE, CPUID_XF_PAGE = 0x700000, 0x701000, 0x702000, 0x703000
PARAMETERS, UNMEASURED, SHARED, ERRORS, SMALL = (0x2000000, 0x2010000, 0x2011000, 0x2012000,
                                                 0x2013000)
SECOND_VMSA, SECOND_CODE, SECOND_FLAG = 0x2014000, 0x2015000, 0x2016000
LARGE, SMALLS = 0x2200000, 0x2400000
HELD = 0xfffffffff000
NAMES = ["VP_COUNT", "ENVIRONMENT_INFO", "MEMORY_MAP", "MMIO_RANGES", "COMMAND_LINE", "MADT",
         "SRAT", "SLIT", "PPTT", "DEVICE_TREE"]  # the order in which the guest shows them
COMMAND_LINE = "console=ttyS0 \"two words\""
RIP = 0x178  # in a VMSA: APM volume 2, table B-4
MIB = 1 << 20
# mov dword [SECOND_FLAG], 1; jmp to itself
CODE = b"\xc7\x05" + struct.pack("<II", SECOND_FLAG, 1) + b"\xeb\xfe"
POLICY = 0x30000
FAMILY, IMAGE, SVN = bytes(range(0xa0, 0xb0)), bytes(range(0x10, 0x20)), 0x01020304
CONFIGURATIONS = [(1, 64, True), (2, 128, True), (1, 128, False), (2, 64, False)]  # vCPUs, MiB, author key
# Machines read below 4 GiB: RAM with a hole for video memory (tests/machine/guest, PC architecture).
HOLE = (0xa0, 0x20)


def add_second_vcpu(igvm):
    """The first vCPU's VMSA with the host, and one in RAM for the second."""
    (where,) = struct.unpack_from("<I", igvm.find(igvm_file.VP_CONTEXT), 12)
    first = bytes(igvm.data[where - igvm.data_start:][:PAGE])
    second = first[:RIP] + struct.pack("<Q", SECOND_CODE) + first[RIP + 8:]
    struct.pack_into("<Q", igvm.find(igvm_file.VP_CONTEXT), 0, HELD)
    igvm.add(igvm_file.VP_CONTEXT, struct.pack("<QIIHH", SECOND_VMSA, 1, igvm.contents(second), 1,
                                               0))


def cpuid_contents(*entries):
    page = struct.pack("<IIQ", len(entries), 0, 0)
    for leaf, subleaf, *values in entries:
        page += struct.pack("<IIQQIIIIQ", leaf, subleaf, 0, 0, *values, 0)
    return page.ljust(PAGE, b"\0")


GIVEN = (0x80000008, 0, 0x2020, 0, 0, 0)  # narrower addresses than the machine has
ASKED = (0x8000001f, 0, 0, 0, 0, 0)
OWN = (0x40000000, 0, 1, 2, 3, 4)


def set_cpuid_contents(igvm, contents):
    page = next(content for kind, content in igvm.headers if kind == igvm_file.PAGE_DATA and
                struct.unpack_from("<Q", content)[0] == CPUID_PAGE)
    struct.pack_into("<I", page, 12, igvm.contents(contents))


def every_directive(good, cpus):
    igvm = igvm_file.Igvm(good)
    vp_contexts = [header for header in igvm.headers if header[0] == igvm_file.VP_CONTEXT]
    igvm.headers = [header for header in igvm.headers if header[0] != igvm_file.VP_CONTEXT]
    igvm.headers.insert(2, [igvm_file.RELOCATABLE, bytearray(struct.pack(
        "<IHBBQQQQQ", 1, 0, 0, 0, PAGE, SMALL, PAGE, 0, 1 << 32))])
    set_cpuid_contents(igvm, cpuid_contents(ASKED, GIVEN, OWN))
    igvm.add(igvm_file.REQUIRED, struct.pack("<QIIII", 32 * MIB, 1, 16 * MIB, 0, 0))
    for i, name in enumerate(NAMES):
        igvm.parameter(name, i, PARAMETERS + i * PAGE)
    igvm.page(CPUID_XF_PAGE, kind=igvm_file.CPUID_XF)
    igvm.page(UNMEASURED, b"unmeasured".ljust(PAGE, b"\0"), igvm_file.UNMEASURED)
    igvm.page(SHARED, b"shared".ljust(PAGE, b"\0"), igvm_file.SHARED)
    igvm.page(SMALL)
    igvm.page(LARGE, b"large".ljust(2 * MIB - PAGE, b"\0") + b"its last page".ljust(PAGE, b"\0"),
              igvm_file.LARGE)
    for at in range(512):
        igvm.page(SMALLS + at * PAGE)
    igvm.page(SMALL, b"of another platform".ljust(PAGE, b"\0"), mask=8)
    igvm.add(igvm_file.ERROR_RANGE, struct.pack("<QII", ERRORS, 1, PAGE))
    igvm.page(SECOND_CODE, CODE.ljust(PAGE, b"\0"))
    igvm.page(SECOND_FLAG)
    igvm.headers += vp_contexts
    if cpus > 1:
        add_second_vcpu(igvm)
    return igvm.bytes()


def shown(text):
    """What the guest showed, by name."""
    parts, name = {}, None
    for line in text.splitlines():
        if line.startswith("= "):
            name = line[2:]
            parts[name] = b""
        elif name and re.fullmatch("[0-9a-f]+", line):
            parts[name] += bytes.fromhex(line)
        else:
            name = None
    return parts


def entries_of(table, start):
    """Type and bytes of each entry of a MADT, SRAT or PPTT."""
    at = start
    while at < len(table):
        yield table[at], table[at:at + table[at + 1]]
        at += table[at + 1]


def table_problem(folder, name, table):
    """ACPICA's own judgement: it takes the table apart, and finds nothing wrong with it."""
    table = table.ljust(struct.unpack_from("<I", table, 4)[0], b"\0")
    path = folder / f"{name}.aml"
    path.write_bytes(table)
    run = subprocess.run(["iasl", "-d", path], capture_output=True, text=True, check=False)
    source = path.with_suffix(".dsl")
    text = source.read_text() if source.exists() else ""
    bad = re.search(r"(?i)incorrect checksum|invalid|error|unknown.*type|remaining", text)
    if run.returncode or not text or bad:
        return f"iasl: {bad.group() if bad else run.stdout + run.stderr}"
    return ""


def tree_of(folder, tree):
    """The device tree as source, by dtc; its complaints."""
    path = folder / "tree.dtb"
    path.write_bytes(tree.ljust(struct.unpack_from(">I", tree, 4)[0], b"\0"))
    run = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", path], capture_output=True, text=True,
                         check=False)
    return run.stdout, run.stderr


def judge_tables(result, folder, parts, cpus, size):
    for name in ("MADT", "SRAT", "SLIT", "PPTT"):
        problem = table_problem(folder, name, parts[name])
        result(not problem, f"{name} is one to iasl", problem)
    madt = list(entries_of(parts["MADT"], 44))
    result(parts["MADT"][:4] == b"APIC" and [entry[3] for kind, entry in madt if kind == 0] ==
           list(range(cpus)), "MADT has the APIC ids")
    result([struct.unpack_from("<I", entry, 4)[0] for kind, entry in madt if kind == 1] ==
           [0xfec00000], "and the IOAPIC")
    srat = list(entries_of(parts["SRAT"], 48))
    memory = [struct.unpack_from("<QQ", entry, 8) for kind, entry in srat if kind == 1]
    result([entry[3] for kind, entry in srat if kind == 0] == list(range(cpus)),
           "SRAT has the APIC ids")
    result(memory == [(0, 0xa0000), (0xc0000, size - 0xc0000)], "and the RAM", str(memory))
    result(parts["SLIT"][36:45] == struct.pack("<QB", 1, 10), "SLIT has one locality")
    cores = [struct.unpack_from("<IIII", entry.ljust(20, b"\0"), 4)
             for kind, entry in entries_of(parts["PPTT"].ljust(36 + 20 * (cpus + 1), b"\0"), 36)]
    result(cores[0][:2] == (0x11, 0) and
           [(flags, parent, number) for flags, parent, number, _ in cores[1:]] ==
           [(0xa, 36, n) for n in range(cpus)], "PPTT has a package of cores", str(cores))


def judge_tree(result, folder, tree, cpus, size):
    """With two vCPUs the machine has a disk for VMPL0."""
    source, complaints = tree_of(folder, tree)
    result(source and not complaints, "the device tree is one to dtc, which has no warning",
           complaints)
    result(re.findall(r"cpu@(\w+) \{", source) == [f"{n:x}" for n in range(cpus)],
           "it has the vCPUs", source)
    low, high = "0x00 0x00 0x00 0xa0000", f"0x00 0xc0000 0x00 {size - 0xc0000:#x}"
    result(f"reg = <{low}>" in source and f"reg = <{high}>" in source, "and the RAM", source)
    disk = 'virtio@fef00000 {\n\t\tcompatible = "virtio,mmio";\n\t\treg = <0x00 0xfef00000 0x00 0x1000>;'
    result((disk in source) == (cpus == 2) and source.count("virtio") == 2 * (cpus == 2), "and the disk", source)
    result('bootargs = "console=ttyS0 \\"two words\\"";' in source, "and the command line", source)


def judge_parameters(result, folder, parts, cpus, size):
    result(parts["VP_COUNT"] == bytes([cpus]), "VP_COUNT")
    result(parts["ENVIRONMENT_INFO"] == b"\1", "ENVIRONMENT_INFO: memory is shared at first")
    want = b"".join(struct.pack("<QQHHI", first, pages, kind, 0, 0) for first, pages, kind in (
        (0, 0xa0, 0), (*HOLE, 1), (0xc0, size // PAGE - 0xc0, 0)))
    result(parts["MEMORY_MAP"] == want.rstrip(b"\0"), "MEMORY_MAP", parts["MEMORY_MAP"].hex())
    first, pages = struct.unpack_from("<QQ", parts["MMIO_RANGES"].ljust(32, b"\0"))
    result(first <= 0xfec00 and first + pages >= 0x100000 and first * PAGE >= size,
           "MMIO_RANGES has IOAPIC, local APIC and flash, and no RAM")
    result(parts["COMMAND_LINE"] == COMMAND_LINE.encode(), "COMMAND_LINE")
    judge_tables(result, folder, parts, cpus, size)
    judge_tree(result, folder, parts["DEVICE_TREE"], cpus, size)


def judge_pages(result, parts):
    result(parts["unmeasured"] == b"unmeasured", "UNMEASURED keeps its contents")
    result(parts["shared"] == b"shared", "SHARED is there without the C-bit")
    result(parts["errors"] == b"", "ERROR_RANGE is shared memory of zeros")
    result(parts["zeros"] == b"", "a header for another platform does not count")
    result(parts["large"] == b"large" and parts["large end"] == b"its last page",
           "a page of 2 MiB keeps its contents")
    page = parts["CPUID"].ljust(PAGE, b"\0")
    entries = [struct.unpack_from("<IIQQIIIIQ", page, 16 + 48 * i) for i in range(3)]
    values = [(e[0], e[1], *e[4:8]) for e in entries]
    result(page[0] == 3 and values[1] == GIVEN and values[2] == OWN,
           "CPUID keeps the values that the file has")
    # RMPQUERY, C-bit 47, one bit of addresses lost, four VMPLs: docs/machine-limits.md.
    result(values[0][:4] == (0x8000001f, 0, 0x7a, 0x8000406f), "and has the asked ones filled in",
           str(values[0]))
    extended = parts["CPUID_XF"].ljust(PAGE, b"\0")
    result(all(struct.unpack_from("<I", extended, 16 + 48 * i)[0] == 0xd
               for i in range(extended[0])), "CPUID_XF lists extended state alone")


class Signer:
    """Two keys, and what they make of a file."""

    def __init__(self):
        self.id_key, self.author = id_block.new_key(), id_block.new_key()

    def content(self, image, author=True, policy=POLICY):
        return id_block.content(self.id_key, self.author if author else None,
                                bytes.fromhex(igvm_digest.digest(image)), policy, FAMILY, IMAGE, SVN)

    def sign(self, image, author=True):
        igvm = igvm_file.Igvm(image)
        igvm.add(igvm_file.ID_BLOCK, self.content(image, author))
        return igvm.bytes()


def judge_report(result, signer, image, author, parts):
    """ATTESTATION_REPORT of the firmware ABI: offsets and meanings."""
    report = parts.get("report", b"").ljust(0x4a0, b"\0")
    wanted = ((0x04, struct.pack("<I", SVN), "GUEST_SVN"), (0x08, struct.pack("<Q", POLICY), "POLICY"),
              (0x10, FAMILY, "FAMILY_ID"), (0x20, IMAGE, "IMAGE_ID"),
              (0x48, struct.pack("<I", author), "AUTHOR_KEY_EN, and the VCEK signs"),
              (0x90, bytes.fromhex(igvm_digest.digest(image)), "MEASUREMENT"),
              (0xe0, id_block.key_digest(signer.id_key), "ID_KEY_DIGEST"),
              (0x110, id_block.key_digest(signer.author) if author else bytes(48), "AUTHOR_KEY_DIGEST"))
    for at, value, name in wanted:
        result(report[at:at + len(value)] == value, f"the report has the ID block's {name}",
               report[at:at + len(value)].hex())


class Runner:
    def __init__(self, socle, hv, keys, folder):
        self.socle, self.hv, self.keys, self.folder = socle, hv, keys, folder

    def run(self, image, name, cpus, mib):
        logs = self.folder / name
        logs.mkdir()
        disk = logs / "disk"
        disk.write_bytes(bytes(512))
        stop, output = machine.run(
            self.socle, image, logs, self.keys, "--cpus", cpus, "--memory", f"{mib}M", "--hv",
            self.hv, "--append", COMMAND_LINE, *(("--svsm-disk", disk) if cpus == 2 else ()), seconds=60)
        return stop, output, machine.log_of(logs)


def try_cpuid(result, runner, good):
    """Contents that the AMD-SP does not take: the firmware ABI, SNP_LAUNCH_UPDATE."""
    for name, contents, what in (
            ("wider addresses", cpuid_contents(ASKED, (0x80000008, 0, 0x4031, 0, 0, 0)),
             "EAX of leaf 0x80000008, subleaf 0x0, entry 1"),
            ("an unknown leaf", cpuid_contents((0x8000fffe, 2, 0, 0, 0, 1)),
             "EDX of leaf 0x8000fffe, subleaf 0x2, entry 0"),
            ("too many entries", struct.pack("<I", 65).ljust(PAGE, b"\0"),
             "more than 64 entries")):
        igvm = igvm_file.Igvm(good)
        set_cpuid_contents(igvm, contents)
        image = runner.folder / "cpuid.igvm"
        image.write_bytes(igvm.bytes())
        stop, output, log = runner.run(image, f"cpuid {name}".replace(" ", "-"), 1, 64)
        result(stop and stop["status"] == 1 and what in stop["message"] and log == "",
               f"the AMD-SP refuses a CPUID page with {name}", f"{stop} {output}")


def same(at, value):
    def change(block):
        block[at:at + len(value)] = value
    return change


def flip(at):
    def change(block):
        block[at] ^= 1
    return change


def words(at, value):
    return same(at, struct.pack("<I", value))


def without_author(block):
    block[id_block.AUTHOR_SIGNATURE:] = bytes(id_block.SIZE - id_block.AUTHOR_SIGNATURE)


ID_SIGNED, AUTHOR_SIGNED = "BAD_SIGNATURE: the ID key", "BAD_SIGNATURE: the author key"
# What is changed in a block that was good, and what SNP_LAUNCH_FINISH, or the format, says to it.
BAD_BLOCKS = [
    ("of another launch", flip(id_block.DIGEST + 47), "BAD_MEASUREMENT"),
    ("version 2", words(id_block.VERSION, 2), "INVALID_PARAM: its version"),
    ("another algorithm of the ID key", words(id_block.ID_ALGORITHM, 2), "INVALID_PARAM: the ID key's algorithm"),
    ("another algorithm of the author key", words(id_block.AUTHOR_ALGORITHM, 0),
     "INVALID_PARAM: the author key's algorithm"),
    ("another family", flip(id_block.FAMILY), ID_SIGNED),
    ("another image", flip(id_block.IMAGE + 15), ID_SIGNED),
    ("another SVN", words(id_block.SVN, SVN + 1), ID_SIGNED),
    ("R of the ID key's signature", flip(id_block.ID_SIGNATURE), ID_SIGNED),
    ("S of the ID key's signature", flip(id_block.ID_SIGNATURE + 72), ID_SIGNED),
    ("a signature of zeros", same(id_block.ID_SIGNATURE, bytes(144)), ID_SIGNED),
    ("R above the curve's order", same(id_block.ID_SIGNATURE + 48, b"\1"), ID_SIGNED),
    ("S that is the curve's order", same(id_block.ID_SIGNATURE + 72, id_block.ORDER.to_bytes(72, "little")),
     ID_SIGNED),
    ("an ID key of another curve", words(id_block.ID_KEY, 1), ID_SIGNED),
    ("an ID key that is no point", flip(id_block.ID_KEY + 8 + 72), ID_SIGNED),
    ("an ID key beyond the field", same(id_block.ID_KEY + 8 + 48, b"\1"), ID_SIGNED),
    ("the author's signature", flip(id_block.AUTHOR_SIGNATURE), AUTHOR_SIGNED),
    ("an author key that is no point", flip(id_block.AUTHOR_KEY + 8), AUTHOR_SIGNED),
    ("an author key of another curve", words(id_block.AUTHOR_KEY, 1), AUTHOR_SIGNED),
    ("an author key of zeros", without_author, AUTHOR_SIGNED),
    ("an author key that is not enabled", same(id_block.AUTHOR_ENABLED, b"\0"),
     "SNP_ID_BLOCK has an author key that is not enabled"),
    ("AuthorKeyEnabled 2", same(id_block.AUTHOR_ENABLED, b"\2"), "AuthorKeyEnabled of SNP_ID_BLOCK"),
    ("a reserved byte", same(id_block.AUTHOR_ENABLED + 3, b"\1"), "reserved field of SNP_ID_BLOCK"),
    ("a reserved word of a key", words(id_block.ID_KEY + 4, 1), "reserved field of SNP_ID_BLOCK"),
]


def try_id_blocks(result, runner, signer, good):
    """Each is refused before the guest runs; so is a good one beside another policy, or by exchanged keys."""
    blocks = []
    for name, change, why in BAD_BLOCKS:
        block = signer.content(good)
        change(block)
        blocks.append((name, block, why))
    blocks.append(("another policy than the file's", signer.content(good, policy=POLICY | 1 << 19), ID_SIGNED))
    block = signer.content(good)
    block[id_block.ID_KEY:id_block.AUTHOR_SIGNATURE] = id_block.public(signer.author)
    blocks.append(("the author's key for the ID key", block, ID_SIGNED))
    block = signer.content(good)
    block[id_block.AUTHOR_KEY:] = id_block.public(signer.id_key)
    blocks.append(("the ID key for the author's key", block, AUTHOR_SIGNED))
    for name, block, why in blocks:
        igvm = igvm_file.Igvm(good)
        igvm.add(igvm_file.ID_BLOCK, block)
        image = runner.folder / "id-block.igvm"
        image.write_bytes(igvm.bytes())
        stop, output, log = runner.run(image, f"id-block {name}".replace(" ", "-"), 1, 64)
        said = (stop or {}).get("message", "") + output
        result((stop is None or stop["status"] == 1) and why in said and log == "",
               f"an SNP_ID_BLOCK with {name} is refused", f"{stop} {output}")


def main():
    socle, guest, hv, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
    result = Results("directives")
    with tempfile.TemporaryDirectory(prefix="socle-directives-") as name:
        folder = pathlib.Path(name)
        image = folder / "good.igvm"
        machine.must_build(socle, image, "--memory", "64M", "--bare", guest, "--vmsa", hex(VMSA),
                           "--cpuid-page", hex(CPUID_PAGE), "--secrets-page", hex(SECRETS_PAGE))
        good = image.read_bytes()
        runner = Runner(socle, hv, keys, folder)
        signer = Signer()
        for cpus, mib, author in CONFIGURATIONS:
            print(f"# {cpus} vCPUs, {mib} MiB, author key: {author}", flush=True)
            image.write_bytes(signer.sign(every_directive(good, cpus), author))
            stop, output, log = runner.run(image, f"of-{cpus}-{mib}", cpus, mib)
            checked = [line for line in log.splitlines() if line.startswith(("ok ", "not ok "))]
            for line in checked:
                result(line.startswith("ok "), line.partition("ok ")[2])
            parts = shown(log)
            if not result(stop and stop.get("code") == 0 and "end" in parts and
                          len(checked) == (11 if cpus > 1 else 7), "the guest says all",
                          f"{stop} {output} {log[-300:]}"):
                continue
            judge_parameters(result, folder, parts, cpus, mib * MIB)
            judge_pages(result, parts)
            judge_report(result, signer, image.read_bytes(), author, parts)
        try_cpuid(result, runner, good)
        try_id_blocks(result, runner, signer, good)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
