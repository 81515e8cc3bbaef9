# SPDX-License-Identifier: MIT
"""Attestation reports (SNP firmware ABI, ATTESTATION_REPORT) as tests make them."""

import hashlib
import struct

SIZE = 1184
SIGNED_SIZE = 0x2A0
TCBS = {"current": 0x38, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0}


def unsigned(version, cpu, *, report_data=bytes(64), measurement=bytes(48), policy=0x30000, vmpl=0,
             vlek=False, tcb=bytes(8), chip=b""):
    """policy: SMT is allowed (bit 16), and bit 17, which is always set. cpu: family, model, stepping."""
    report = bytearray(SIZE)
    struct.pack_into("<I", report, 0x00, version)
    struct.pack_into("<Q", report, 0x08, policy)
    struct.pack_into("<II", report, 0x30, vmpl, 1)  # ECDSA P-384 with SHA-384
    struct.pack_into("<I", report, 0x48, 4 * vlek)
    report[0x50:0x90], report[0x90:0xC0] = report_data, measurement
    for at in TCBS.values():
        report[at:at + 8] = tcb
    report[0x188:0x188 + len(cpu)] = bytes(cpu)
    report[0x1A0:0x1E0] = chip.ljust(64, b"\0")
    return report


def sign(report, pair_of):
    """pair_of gives r and s of ECDSA for a SHA-384 digest."""
    pair = pair_of(hashlib.sha384(report[:SIGNED_SIZE]).digest())
    for at, number in zip((0x2A0, 0x2E8), pair):
        report[at:at + 72] = number.to_bytes(72, "little")
    return bytes(report)
