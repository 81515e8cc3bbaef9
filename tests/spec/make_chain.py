# SPDX-License-Identifier: MIT
"""Certificates and reports of the test vectors, the same bytes every time: an emulated chain above
reports (ARK, ASK, VCEK with AMD's extensions), an authority and its certificates for endorsement
keys. DER is put together here, since no library lets one choose the salt of a signature."""

import hashlib
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

import numbers_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import report  # noqa: E402

CHIP_ID = hashlib.sha512(b"socle test vectors/chip").digest()
TCB = bytes([4, 0, 0, 0, 0, 0, 24, 219])  # boot loader, TEE, reserved, SNP, microcode
MEASUREMENT = hashlib.sha384(b"socle test vectors/measurement").digest()
SALT = 48
# How many candidates of each prime are known to be none.
SKIP = {"ark/p": 1479, "ark/q": 229, "ask/p": 400, "ask/q": 260}


# DER.

def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    body = b""
    for arc in (40 * first + second, *rest):
        digits = bytes([arc & 0x7F])
        while arc := arc >> 7:
            digits = bytes([0x80 | arc & 0x7F]) + digits
        body += digits
    return der(6, body)


def sequence(*parts):
    return der(0x30, *parts)


def bits(data):
    return der(3, b"\0" + data)


def octets(data):
    return der(4, data)


NULL = der(5)
TRUE = der(1, b"\xff")
SHA384 = sequence(oid("2.16.840.1.101.3.4.2.2"), NULL)
PSS = sequence(oid("1.2.840.113549.1.1.10"), sequence(
    der(0xA0, SHA384), der(0xA1, sequence(oid("1.2.840.113549.1.1.8"), SHA384)),
    der(0xA2, integer(SALT))))
ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))


def name(common_name=None):
    if common_name is None:
        return sequence()
    return sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0C, common_name.encode()))))


def amd_name(common_name, marked=True):
    """As AMD's certificates have it (57230), and the mark of an emulated one."""
    place = (("2.5.4.11", "Engineering"), ("2.5.4.6", "US"), ("2.5.4.7", "Santa Clara"),
             ("2.5.4.8", "CA"), ("2.5.4.10", "Advanced Micro Devices"))
    mark = (("2.5.4.5", "EMULATED"),) if marked else ()
    return sequence(*(der(0x31, sequence(oid(number), der(
        0x13 if number in ("2.5.4.6", "2.5.4.5") else 0x0C, text.encode())))
                      for number, text in (*place, *mark, ("2.5.4.3", common_name))))


def extension(number, value, critical=False):
    return sequence(oid(number), *[TRUE] * critical, octets(value))


def ca_extensions(is_ca):
    """basicConstraints and keyUsage."""
    usage = der(3, b"\1\6") if is_ca else der(3, b"\3\x08")
    return [extension("2.5.29.19", sequence(*[TRUE] * is_ca), True),
            extension("2.5.29.15", usage, True)]


def certificate(issuer, subject, spki, extensions, algorithm, sign, serial=1):
    """issuer and subject are names; sign makes the signature of the rest."""
    validity = sequence(der(0x17, b"250101000000Z"), der(0x17, b"491231235959Z"))
    body = sequence(der(0xA0, integer(2)), integer(serial), algorithm, issuer, validity, subject,
                    spki, der(0xA3, sequence(*extensions)))
    return sequence(body, algorithm, bits(sign(body)))


# The other mark of emulated authorities: an extension that AMD's do not have.
MARK = extension("1.3.6.1.4.1.32473.1", der(0x0C, b"Made for the test vectors of Socle."))
CRL_ADDRESS = "https://kdsintf.amd.com/vcek/v1/Milan/crl"


def amd_ca_extensions():
    point = sequence(der(0xA0, der(0xA0, der(0x86, CRL_ADDRESS.encode()))))
    return [*ca_extensions(True), extension("2.5.29.31", sequence(point)), MARK]


# Keys.

class RsaKey:
    """RSA 4096, as AMD's ARK and ASK; signs with RSASSA-PSS."""

    def __init__(self, label):
        p, q = (numbers_of.prime(f"{label}/{side}", 2048, SKIP[f"{label}/{side}"])
                for side in "pq")
        self.modulus = p * q
        self.exponent = pow(65537, -1, (p - 1) * (q - 1))
        self.spki = sequence(sequence(oid("1.2.840.113549.1.1.1"), NULL),
                             bits(sequence(integer(self.modulus), integer(65537))))

    def sign(self, message):
        digest = hashlib.sha384(message).digest()
        salt = hashlib.sha384(b"socle test vectors/salt" + digest).digest()[:SALT]
        hashed = hashlib.sha384(bytes(8) + digest + salt).digest()
        size = 512
        block = bytes(size - 2 - SALT - len(hashed)) + b"\1" + salt
        mask = b"".join(hashlib.sha384(hashed + struct.pack(">I", i)).digest()
                        for i in range(size // 48 + 1))
        masked = bytearray(a ^ b for a, b in zip(block, mask))
        masked[0] &= 0x7F  # the modulus has 4096 bits, the block one less
        number = int.from_bytes(bytes(masked) + hashed + b"\xbc", "big")
        return pow(number, self.exponent, self.modulus).to_bytes(size, "big")


class EccKey:
    """P-256 (3) or P-384 (4) by the TPM's numbers of curves."""

    NAMED = {3: "1.2.840.10045.3.1.7", 4: "1.3.132.0.34"}
    SIZES = {3: 32, 4: 48}

    def __init__(self, label, curve):
        self.curve, self.scalar = curve, numbers_of.scalar(label, curve)
        public = ec.derive_private_key(self.scalar, numbers_of.CURVES[curve]).public_key()
        numbers = public.public_numbers()
        self.spki = ecc_spki(curve, numbers.x, numbers.y)

    def pair(self, digest):
        return numbers_of.ecdsa(self.curve, self.scalar, digest)

    def sign(self, message):
        return sequence(*map(integer, self.pair(hashlib.sha256(message).digest())))


def ecc_spki(curve, x, y):
    size = EccKey.SIZES[curve]
    return sequence(sequence(oid("1.2.840.10045.2.1"), oid(EccKey.NAMED[curve])),
                    bits(b"\4" + x.to_bytes(size, "big") + y.to_bytes(size, "big")))


# The chain above a report.

# Levels of nothing yet that every certificate has, and that go-sev-guest wants to see.
RESERVED = {"3.4": 0, "3.5": 0, "3.6": 0, "3.7": 0}


def vcek_extensions():
    base = "1.3.6.1.4.1.3704.1."
    levels = {"3.1": TCB[0], "3.2": TCB[1], "3.3": TCB[6], **RESERVED, "3.8": TCB[7]}
    return [extension(base + "1", integer(0)), extension(base + "2", der(0x16, b"Milan-B0")),
            *(extension(base + n, integer(v)) for n, v in levels.items()),
            extension(base + "4", CHIP_ID)]


class Chain:
    def __init__(self):
        ark_key, ask_key, self.vcek_key = RsaKey("ark"), RsaKey("ask"), EccKey("vcek", 4)
        ark, ask, vcek = map(amd_name, ("ARK-Milan", "SEV-Milan", "SEV-VCEK"))
        authority = amd_ca_extensions()
        self.ark = certificate(ark, ark, ark_key.spki, authority, PSS, ark_key.sign)
        self.ask = certificate(ark, ask, ask_key.spki, authority, PSS, ark_key.sign, 2)
        self.vcek = certificate(ask, vcek, self.vcek_key.spki, vcek_extensions(), PSS,
                                ask_key.sign, 3)

    def report(self, report_data, vmpl=0, policy=0x30000):
        """Of version 3."""
        unsigned = report.unsigned(3, (0x19, 1, 1), report_data=report_data, measurement=MEASUREMENT,
                                   policy=policy, vmpl=vmpl, tcb=TCB, chip=CHIP_ID)
        return report.sign(unsigned, self.vcek_key.pair)


# An authority for endorsement keys (TCG EK Credential Profile).

class Authority:
    def __init__(self):
        self.key, self.name = EccKey("ca", 3), name("Test vectors CA")
        self.root = certificate(self.name, self.name, self.key.spki, ca_extensions(True),
                                ECDSA_SHA256, self.key.sign)

    def issue(self, spki, serial):
        tpm = sequence(der(0x31, sequence(oid("2.23.133.2.1"), der(0x0C, b"id:534F4C45"))))
        extensions = [*ca_extensions(False),
                      extension("2.5.29.37", sequence(oid("2.23.133.8.1"))),
                      extension("2.5.29.17", sequence(der(0xA4, tpm)), True)]
        return certificate(self.name, name(), spki, extensions, ECDSA_SHA256, self.key.sign,
                           serial)
