# SPDX-License-Identifier: MIT
"""IGVM files taken apart and put together, rightly or wrongly. Shares no code with Socle's."""

import struct
import zlib

PAGE = 4096
HEADER = 24
PLATFORM, POLICY = 0x001, 0x101
RELOCATABLE, PAGE_TABLES = 0x102, 0x103
PARAMETER_AREA, PAGE_DATA, PARAMETER_INSERT, VP_CONTEXT, REQUIRED = 0x301, 0x302, 0x303, 0x304, 0x305
ID_BLOCK, MEMORY_MAP, ERROR_RANGE = 0x30b, 0x30c, 0x30d
PARAMETERS = {"VP_COUNT": 0x307, "ENVIRONMENT_INFO": 0x313, "MEMORY_MAP": MEMORY_MAP,
              "MMIO_RANGES": 0x30a, "COMMAND_LINE": 0x30e, "MADT": 0x309, "SRAT": 0x308,
              "SLIT": 0x30f, "PPTT": 0x310, "DEVICE_TREE": 0x312}
LARGE, UNMEASURED, SHARED = 1, 2, 4  # flags of PAGE_DATA
NORMAL, SECRETS, CPUID, CPUID_XF = 0, 1, 2, 3  # its types


def seal(data, header_size, fixed_size=HEADER):
    """Sizes and checksum of the fixed header, so that what is behind them gets looked at."""
    data = bytearray(data)
    struct.pack_into("<III", data, 12, header_size, len(data), 0)
    struct.pack_into("<I", data, 20, zlib.crc32(data[:fixed_size + header_size]))
    return bytes(data)


class Igvm:
    """A file taken apart, so that it can be put together otherwise."""

    def __init__(self, data=b""):
        self.more = b""  # what version 2 has behind the fixed header
        self.headers, self.data_start, self.data = [], HEADER, bytearray()
        if data:
            self.take_apart(data)

    def take_apart(self, data):
        _, _, offset, size, _, _ = struct.unpack_from("<6I", data)
        self.headers, at = [], offset
        while at < offset + size:
            kind, length = struct.unpack_from("<II", data, at)
            self.headers.append([kind, bytearray(data[at + 8:at + 8 + length])])
            at += 8 + -(-length // 8) * 8
        self.data_start, self.data = at, bytearray(data[at:])

    def find(self, kind):
        return next(content for k, content in self.headers if k == kind)

    def add(self, kind, content):
        self.headers.append([kind, bytearray(content)])

    def contents(self, data):
        """Adds file data; where it is."""
        at = self.data_start + len(self.data)
        self.data += data
        return at

    def page(self, gpa, data=b"", flags=0, kind=NORMAL, mask=1):
        where = self.contents(data) if data else 0
        self.add(PAGE_DATA, struct.pack("<QIIIHH", gpa, mask, where, flags, kind, 0))

    def parameter(self, name, area, gpa, offset=0, size=PAGE):
        """An area with that parameter alone, at gpa."""
        self.add(PARAMETER_AREA, struct.pack("<QII", size, area, 0))
        self.add(PARAMETERS[name], struct.pack("<II", area, offset))
        self.add(PARAMETER_INSERT, struct.pack("<QII", gpa, 1, area))

    def bytes(self):
        """The file, with right sizes and checksum whatever the headers say."""
        fixed_size = HEADER + len(self.more)
        size = sum(8 + -(-len(content) // 8) * 8 for _, content in self.headers)
        self.move_data(fixed_size + size - self.data_start)
        headers = b"".join(struct.pack("<II", kind, len(content)) + content +
                           bytes(-len(content) % 8) for kind, content in self.headers)
        start = struct.pack("<4s5I", b"IGVM", 2 if self.more else 1, fixed_size, 0, 0, 0)
        return seal(start + self.more + headers + self.data, size, fixed_size)

    def move_data(self, distance):
        """The data section follows the headers: what they say of its place moves along."""
        for kind, content in self.headers:
            if kind in (PAGE_DATA, VP_CONTEXT, PARAMETER_AREA) and len(content) >= 16:
                (where,) = struct.unpack_from("<I", content, 12)
                if where:
                    struct.pack_into("<I", content, 12, where + distance & 0xffffffff)
        self.data_start += distance
