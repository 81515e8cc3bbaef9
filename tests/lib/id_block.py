# SPDX-License-Identifier: MIT
"""ID blocks of SNP launches, signed here by python3-cryptography (SEV-SNP firmware ABI, SNP_LAUNCH_FINISH:
ID_BLOCK and ID_AUTH; ECDSA P-384 with SHA-384). Shares no code with Socle's."""

import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SIZE = 696  # of the content of the IGVM header
# Where its fields are (igvm_defs, IGVM_VHS_SNP_ID_BLOCK).
AUTHOR_ENABLED, DIGEST, FAMILY, IMAGE, VERSION, SVN = 4, 8, 56, 72, 88, 92
ID_ALGORITHM, AUTHOR_ALGORITHM, ID_SIGNATURE, ID_KEY, AUTHOR_SIGNATURE, AUTHOR_KEY = 96, 100, 104, 248, 400, 544
ECDSA_P384_SHA384, CURVE_P384 = 1, 2
ORDER = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)


def new_key():
    return ec.generate_private_key(ec.SECP384R1())


def pair(r, s):
    return r.to_bytes(72, "little") + s.to_bytes(72, "little")


def signature(key, data):
    return pair(*decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384()))))


def public(key):
    numbers = key.public_key().public_numbers()
    return struct.pack("<II", CURVE_P384, 0) + pair(numbers.x, numbers.y)


def firmware_key(header_key):
    """The key as the firmware has it, and signs and digests it: no gap, and zeros behind."""
    return (header_key[:4] + header_key[8:]).ljust(0x404, b"\0")


def key_digest(key):
    return hashlib.sha384(firmware_key(public(key))).digest()


def signed_part(digest, family, image, svn, policy):
    return digest + family + image + struct.pack("<IIQ", 1, svn, policy)


def content(id_key, author, digest, policy, family, image, svn):
    """The content of an SNP_ID_BLOCK header; author None: no author key."""
    block = bytearray(SIZE)
    struct.pack_into("<IB", block, 0, 1, author is not None)
    for at, value in ((DIGEST, digest), (FAMILY, family), (IMAGE, image)):
        block[at:at + len(value)] = value
    struct.pack_into("<IIII", block, VERSION, 1, svn, ECDSA_P384_SHA384, ECDSA_P384_SHA384 if author else 0)
    block[ID_SIGNATURE:ID_KEY] = signature(id_key, signed_part(digest, family, image, svn, policy))
    block[ID_KEY:AUTHOR_SIGNATURE] = public(id_key)
    if author:
        block[AUTHOR_SIGNATURE:AUTHOR_KEY] = signature(author, firmware_key(public(id_key)))
        block[AUTHOR_KEY:] = public(author)
    return block


def properties(id_key, author, digest, policy, family, image, svn):
    """What QEMU's sev-snp-guest has as id-block and id-auth; author None: no author key."""
    def padded(pair_of_numbers):
        return pair_of_numbers.ljust(0x200, b"\0")
    block = signed_part(digest, family, image, svn, policy)
    auth = struct.pack("<II", ECDSA_P384_SHA384, ECDSA_P384_SHA384 if author else 0).ljust(0x40, b"\0")
    auth += padded(signature(id_key, block)) + firmware_key(public(id_key)).ljust(0x440, b"\0")
    if author:
        auth += padded(signature(author, firmware_key(public(id_key)))) + firmware_key(public(author))
    return block, auth.ljust(0x1000, b"\0")
