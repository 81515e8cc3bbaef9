# SPDX-License-Identifier: MIT
"""A second reader of IGVM files and a second launch digest, which share no code with Socle's."""

import hashlib
import struct
import zlib

PAGE = 4096
PAGE_DATA, VP_CONTEXT, PARAMETER_AREA, PARAMETER_INSERT = 0x302, 0x304, 0x301, 0x303
NORMAL, VMSA, UNMEASURED, SECRETS, CPUID = 1, 2, 4, 5, 6


def directives(data):
    """Yields (type, content) of every variable header."""
    magic, version, offset, size, total, crc = struct.unpack_from('<4sIIIII', data)
    assert (magic, version, total) == (b'IGVM', 1, len(data))
    headers = bytearray(data[:offset + size])
    headers[20:24] = bytes(4)
    assert zlib.crc32(headers) == crc
    at = offset
    while at < offset + size:
        kind, length = struct.unpack_from('<II', data, at)
        yield kind, data[at + 8:at + 8 + length]
        at += 8 + -(-length // 8) * 8
    assert at == offset + size


def pages(data):
    """Yields (page type, gPA, contents) of every 4 KiB page of the launch, in order. The platform is the one of
    compatibility mask 1."""
    areas = {}
    for kind, content in directives(data):
        if kind == PARAMETER_AREA:
            size, area = struct.unpack_from('<QI', content)
            areas[area] = size
        elif kind == PARAMETER_INSERT:
            gpa, _, area = struct.unpack('<QII', content)
            for step in range(0, areas[area], PAGE):
                yield UNMEASURED, gpa + step, bytes(PAGE)
        elif kind == VP_CONTEXT:
            gpa, _, where = struct.unpack_from('<QII', content)
            yield VMSA, gpa, data[where:where + PAGE]
        elif kind == PAGE_DATA:
            gpa, mask, where, flags, page_type, _ = struct.unpack('<QIIIHH', content)
            if flags & 4 or not mask & 1:
                continue
            size = 0x200000 if flags & 1 else PAGE
            measured = {0: UNMEASURED if flags & 2 else NORMAL, 1: SECRETS, 2: CPUID, 3: CPUID}[page_type]
            memory = data[where:where + size] if where else bytes(size)
            for step in range(0, size, PAGE):
                yield measured, gpa + step, memory[step:step + PAGE]


def digest(data):
    value = bytes(48)
    for page_type, gpa, memory in pages(data):
        contents = bytes(48)
        if page_type in (NORMAL, VMSA):
            # GUEST_TSC_SCALE and GUEST_TSC_OFFSET of a VMSA count as 0 (AMD's published firmware).
            hashed = memory[:0x2f0] + bytes(16) + memory[0x300:] if page_type == VMSA else memory
            contents = hashlib.sha384(hashed).digest()
        info = value + contents + struct.pack('<HBBIQ', 0x70, page_type, 0, 0, gpa)
        assert len(info) == 0x70
        value = hashlib.sha384(info).digest()
    return value.hex()
