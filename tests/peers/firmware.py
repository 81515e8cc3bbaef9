#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packs a bare test guest as firmware, in the form in which OVMF tells a loader about itself.

    firmware.py GUEST PAGE OUTPUT

GUEST is a guest of tests/attacks or tests/peers (an ELF file, linked at 2 MiB), PAGE what
tests/peers/guest/firmware.S became. An SVSM that starts firmware can be packed with the OUTPUT: its last page
leads to the guest's entry. The table at its end is edk2's (OvmfPkg/ResetVector: table of GUIDs, SEV metadata of
version 1), and names the memory that the guest needs and the pages for secrets, CPUID and calling area.
"""

import struct
import sys
import uuid
from pathlib import Path

PAGE = 0x1000
GUEST, GUEST_END = 0x200000, 0x700000  # what the guests of tests/attacks use of the first 16 MiB
TABLES, TABLES_SIZE = 0x1f0000, 0xd000  # as in guest/firmware.S
SECRETS_PAGE, CPUID_PAGE, CAA_PAGE = 0x1fd000, 0x1fe000, 0x1ff000
MEMORY, SECRETS, CPUID, CAA = 1, 2, 3, 4  # kinds of sections
SECTIONS = ((TABLES, TABLES_SIZE, MEMORY), (SECRETS_PAGE, PAGE, SECRETS), (CPUID_PAGE, PAGE, CPUID),
            (CAA_PAGE, PAGE, CAA), (GUEST, GUEST_END - GUEST, MEMORY))
FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
METADATA = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
AP_START = uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
RESET_VECTOR = 0xfffffff0
MULTIPLE = 64 << 10  # of what is in a flash
FREE = 0xe00  # of the last page: from here on the table may lie


def segments(elf):
    """Entry, and address and bytes of each loadable segment, without its zeros at the end."""
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    found = []
    for n in range(count):
        kind, _, offset, address, _, filled, _, _ = struct.unpack_from("<IIQQQQQQ", elf, headers + n * size)
        if kind == 1:
            found.append((address, elf[offset:offset + filled]))
    return entry, found


def flat(elf):
    """The entry, and all bytes from GUEST on."""
    entry, found = segments(elf)
    image = bytearray()
    for address, data in sorted(found):
        if address < GUEST + len(image) or address + len(data) > GUEST_END:
            raise ValueError(f"a segment at {address:#x} is not where a guest is")
        image += bytes(address - GUEST - len(image)) + data
    return entry, bytes(image) + bytes(-len(image) % PAGE)


def row(data, guid):
    """An entry of the table: it is read from its end."""
    return data + struct.pack("<H", len(data) + 18) + guid.bytes_le


def last_page(page, entry, image, more):
    """The page with its words filled in, and with what a loader looks for at its end."""
    page = bytearray(page)
    size = len(image) + PAGE
    struct.pack_into("<III", page, 0, (1 << 32) - size, len(image) // 4, entry)
    metadata = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(SECTIONS), 1, len(SECTIONS))
    metadata += b"".join(struct.pack("<III", *section) for section in SECTIONS)
    page[FREE:FREE + len(metadata)] = metadata
    rows = more + row(struct.pack("<I", PAGE - FREE), METADATA)
    table = rows + struct.pack("<H", len(rows) + 18) + FOOTER.bytes_le
    page[PAGE - 32 - len(table):PAGE - 32] = table
    return bytes(page)


def pack(guest, page, for_socle=False):
    """The firmware, of these two ELF files. For Socle it says where other vCPUs would start, and is of whole 64 KiB."""
    entry, image = flat(guest)
    (_, code), = segments(page)[1]
    if len(code) != PAGE or any(code[FREE:PAGE - 32]):
        raise ValueError("the last page has no room for the table")
    if not for_socle:
        return image + last_page(code, entry, image, b"")
    packed = image + last_page(code, entry, image, row(struct.pack("<I", RESET_VECTOR), AP_START))
    return bytes(-len(packed) % MULTIPLE) + packed


def main():
    guest, page, output = (Path(word) for word in sys.argv[1:4])
    output.write_bytes(pack(guest.read_bytes(), page.read_bytes()))


if __name__ == "__main__":
    main()
