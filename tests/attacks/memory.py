# SPDX-License-Identifier: MIT
"""What a machine that ended must have in memory, whatever its guest tried: Socle's pages, VMSAs, RMP.

It is read from outside, out of `socle run --dump`, and held against the image that was launched.
Sections are of APM volume 2: 15.36.3 to 15.36.6 (RMP), appendix B (VMSA).
"""

import re
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import igvm_digest  # noqa: E402

PAGE = 4096
VA_IMAGE = 0xFFFFFFFF80000000  # abi/params.h
HOLE = range(0xA0000, 0xC0000)  # video memory, no RAM

# Flags of an entry (core/snp/rmp.h), those that a test can know.
ASSIGNED, VALIDATED, VMSA = 1, 2, 4
KNOWN = ASSIGNED | VALIDATED | VMSA
ALL, READ = 15, 1

# Shared pages of Socle: GHCB and doorbell of each vCPU, and what it talks to the AMD-SP by, the
# request, the response, and four pages of certificates.
SHARED_EACH, SHARED_ONCE = 2, 6
# A present entry of a page table, but for the C-bit and what the CPU notes in it.
NOT_COMPARED = 1 << 47 | 0x60
WRITE, ADDRESS = 2, 0x000FFFFFFFFFF000
HELD_VMSA = 0xFFFFFFFFF000  # no page of memory: KVM holds the VMSA of the launch


class Params:
    """The parameter block (abi/params.h) and the VMSA of the launch."""

    def __init__(self, launched):
        vmsa = next(data for kind, _, data in launched if kind == igvm_digest.VMSA)
        self.vmsa = next(gpa for kind, gpa, _ in launched if kind == igvm_digest.VMSA)
        self.page = struct.unpack_from("<Q", vmsa, 0x318)[0]  # RBX
        block = next(data for _, gpa, data in launched if gpa == self.page)
        values = struct.unpack_from("<10Q", block, 0x18)
        self.region, self.image, self.tables, self.archive, self.free = (
            range(values[i], values[i] + values[i + 1]) for i in range(0, 10, 2))


def constants(elf):
    """Segments of the monitor that nothing may write, as ranges of offsets in its image."""
    offset, _, _, _, size, count = struct.unpack_from("<QQIHHH", elf, 0x20)
    for i in range(count):
        kind, flags, _, va, _, _, memory = struct.unpack_from("<IIQQQQQ", elf, offset + i * size)
        if kind == 1 and not flags & 2:
            yield range(va - VA_IMAGE, va - VA_IMAGE + memory)


def symbols(elf):
    """Offsets in the monitor's image by name."""
    text = subprocess.run(["nm", elf], check=True, capture_output=True, text=True).stdout
    return {match[2]: int(match[1], 16) - VA_IMAGE
            for match in re.finditer(r"^([0-9a-f]+) \w (\w+)$", text, re.MULTILINE)}


class Memory:
    def __init__(self, folder, image, monitor, cpus, vmpl=2, features=1):
        self.ram = (folder / "ram.bin").read_bytes()
        self.rmp = (folder / "rmp.bin").read_bytes()
        self.launched = list(igvm_digest.pages(image.read_bytes()))
        self.params = Params(self.launched)
        self.constants = list(constants(monitor.read_bytes()))
        self.symbols = symbols(monitor)
        self.cpus = cpus
        self.vmpl, self.features = vmpl, features

    def entry(self, gpa):
        """Flags, and what VMPL 1, 2 and 3 may do."""
        flags, _, *perms = self.rmp[gpa // PAGE * 8:gpa // PAGE * 8 + 5]
        return flags & KNOWN, perms

    def page(self, gpa):
        return self.ram[gpa:gpa + PAGE]

    def is_constant(self, gpa):
        p = self.params
        return (gpa == p.page or gpa in p.archive or
                any(gpa - p.image.start in part for part in self.constants))

    def without_stub(self, gpa, page):
        """The page but for what the entry stub notes in it while nothing is protected yet."""
        if gpa != self.params.image.start:
            return page
        start, end = (self.symbols[name] for name in ("boot_gdt_pointer", "boot_c_bit"))
        return page[:start] + page[end + 4:]

    def wrong_constants(self):
        """Text, constants, parameters and archive are what was measured."""
        found = 0
        for _, gpa, data in self.launched:
            if self.is_constant(gpa):
                found += 1
                if self.without_stub(gpa, self.page(gpa)) != self.without_stub(gpa, data):
                    yield f"Socle's constant page 0x{gpa:x} was changed"
        if found < 100:
            yield f"only {found} of Socle's pages are constant"

    def leaf(self, va):
        """Table and index of the entry of a page of 4 KiB, in the tables of the launch."""
        tables = {gpa: struct.unpack("<512Q", data) for _, gpa, data in self.launched
                  if gpa in self.params.tables}
        table = self.params.tables.start
        for shift in (39, 30, 21):
            table = tables[table][va >> shift & 511] & ADDRESS
        return table, va >> 12 & 511

    def wrong_tables(self):
        """What Socle's first page tables map is mapped there still."""
        changed = {  # what Socle itself changes at its start: the bits that go
            (self.params.tables.start, 0): ~0,  # the entry stub's identity mapping
            self.leaf(VA_IMAGE + self.symbols["idt"]): WRITE,  # the IDT is sealed
        }
        for _, gpa, data in self.launched:
            if gpa not in self.params.tables:
                continue
            before, after = (struct.unpack("<512Q", page) for page in (data, self.page(gpa)))
            for i, (old, new) in enumerate(zip(before, after)):
                want = old & ~changed.get((gpa, i), 0)
                if old & 1 and (want ^ new) & ~NOT_COMPARED:
                    yield f"entry {i} of Socle's page table 0x{gpa:x} is 0x{new:x}, was 0x{old:x}"

    def wrong_region(self):
        """No page of Socle is for another VMPL, shared pages and VMSAs are as many as they must be."""
        shared, vmsas = [], []
        for gpa in range(self.params.region.start, self.params.region.stop, PAGE):
            flags, perms = self.entry(gpa)
            if flags == 0:
                shared.append(gpa)
            elif flags == ASSIGNED | VALIDATED | VMSA:
                vmsas.append(gpa)
            elif flags != ASSIGNED | VALIDATED:
                yield f"page 0x{gpa:x} of Socle has the flags 0x{flags:x}"
            if any(perms):
                yield f"VMPL 1 to 3 may do {perms} with Socle's page 0x{gpa:x}"
        if len(shared) != self.cpus * SHARED_EACH + SHARED_ONCE:
            yield f"{len(shared)} pages of Socle are shared"
        yield from self.wrong_vmsas(vmsas)

    def wrong_vmsas(self, pages):
        """Those of Socle's own vCPUs, VMPL 0 and restricted injection, and the guest's first."""
        kinds = []
        for gpa in pages:
            page = self.page(gpa)
            kinds.append((page[0xCA], struct.unpack_from("<Q", page, 0x3B0)[0]))
        held = self.params.vmsa == HELD_VMSA
        if not held and self.params.vmsa not in pages:
            yield "the VMSA of the launch is none any more"
        if sorted(kinds) != sorted([(0, 9)] * (self.cpus - held) + [(self.vmpl, self.features)]):
            yield f"VMPL and SEV_FEATURES of the VMSAs in Socle's region are {kinds}"

    def rights(self, right):
        """Of VMPL 1, 2 and 3, where the guest's level has this one and no other has any."""
        return [right if vmpl == self.vmpl else 0 for vmpl in (1, 2, 3)]

    def wrong_guest(self, kept):
        """The guest's pages are private, valid and its own, but for those it has said otherwise of."""
        want = {"shared": (0, [0, 0, 0]), "vmsa": (ASSIGNED | VALIDATED | VMSA, self.rights(READ)),
                "valid": (ASSIGNED | VALIDATED, self.rights(ALL)), "hole": (0, [0, 0, 0]),
                "invalid": (ASSIGNED, [0, 0, 0]), "lost": (ASSIGNED | VALIDATED, [0, 0, 0])}
        for gpa in range(0, len(self.ram), PAGE):
            if gpa in self.params.region:
                continue
            state = "hole" if gpa in HOLE else kept.get(gpa, "valid")
            if self.entry(gpa) != want[state]:
                yield f"page 0x{gpa:x} of the guest, {state}: flags and rights {self.entry(gpa)}"

    def wrong(self, kept):
        """All that is not as it must be."""
        yield from self.wrong_constants()
        yield from self.wrong_tables()
        yield from self.wrong_region()
        yield from self.wrong_guest(kept)
