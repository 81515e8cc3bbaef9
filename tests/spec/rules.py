# SPDX-License-Identifier: MIT
"""Create-and-attest as docs/spec/create-and-attest.md has it: selectors, the rules that say which
keys may be attested, contexts, manifests, REPORT_DATA, Names. Written from that text, with nothing
of the C code in it, so that two readings of the text can be compared."""

import hashlib
import struct
import uuid

VTPM = uuid.UUID("c476f1eb-0123-45a5-9641-b4e7dde5bfe3")
SELECTOR_MAX = 1024
NONE, TEMPLATE, KEY, NV = range(4)
RSA, ECC = 0x0001, 0x0023
ALG_NULL = 0x0010
HASHES = {0x000B: hashlib.sha256, 0x000C: hashlib.sha384, 0x000D: hashlib.sha512}
COORDINATE = {0x0003: 32, 0x0004: 48, 0x0005: 66}
ENDORSEMENT = bytes.fromhex("4000000b")

# Section 8.2, the attributes.
FIXED_TPM, FIXED_PARENT, ENCRYPTED_DUPLICATION = 1 << 1, 1 << 4, 1 << 11
ORIGIN, RESTRICTED, DECRYPT, SIGN, X509_SIGN = 1 << 5, 1 << 16, 1 << 17, 1 << 18, 1 << 19
KNOWN = FIXED_TPM | 1 << 2 | FIXED_PARENT | ORIGIN | 1 << 6 | 1 << 7 | 1 << 10 | \
    ENCRYPTED_DUPLICATION | RESTRICTED | DECRYPT | SIGN | X509_SIGN

# What a key id promises: type, then bits or curve, then whether it signs.
KEY_IDS = {0x01: (RSA, 2048, False), 0x02: (ECC, 3, False), 0x11: (RSA, 2048, False),
           0x12: (ECC, 3, False), 0x13: (ECC, 4, False), 0x14: (ECC, 5, False),
           0x16: (RSA, 3072, False), 0x17: (RSA, 4096, False), 0x81: (RSA, 2048, True),
           0x82: (ECC, 3, True), 0x83: (ECC, 4, True)}

EK_L1_PREFIX = bytes.fromhex(
    "0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
    "00060080004300100800000000000100")


class Refused(Exception):
    """By rule; its text is the name of the rule."""


class Cursor:
    """Takes big-endian TPM structures apart."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise EOFError
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def sized(self):
        return self.take(self.number(2))

    def done(self):
        return self.at == len(self.data)


class Public:
    """A TPMT_PUBLIC of an RSA or ECC key. EOFError: cut short. ValueError: another type."""

    def __init__(self, data):
        c = Cursor(data)
        self.data = data
        self.type = c.number(2)
        if self.type not in (RSA, ECC):
            raise ValueError("type")
        self.name_alg, self.attributes = c.number(2), c.number(4)
        self.policy = c.sized()
        self.symmetric = [c.number(2)]
        if self.symmetric[0] != ALG_NULL:
            self.symmetric += [c.number(2), c.number(2)]
        self.scheme = [c.number(2)]
        if self.scheme[0] != ALG_NULL:
            self.scheme.append(c.number(2))
        self.size = c.number(2)  # bits of RSA, curve of ECC
        self.last = c.number(4) if self.type == RSA else c.number(2)  # exponent, key derivation
        if self.type == ECC and self.last != ALG_NULL:
            c.number(2)
        self.unique_offset = c.at
        self.unique = [c.sized() for _ in range(1 if self.type == RSA else 2)]
        self.trailing = not c.done()
        self.signing = bool(self.attributes & SIGN)

    def number_size(self):
        return self.size // 8 if self.type == RSA else COORDINATE[self.size]

    def whole(self):
        return all(len(u) == self.number_size() for u in self.unique)

    def name(self):
        return self.data[2:4] + HASHES[self.name_alg](self.data).digest()

    def exponent(self):
        return self.last or 65537


def read_template(data):
    """A TPMT_PUBLIC that passes every rule of section 8, or Refused."""
    if not 0 < len(data) <= SELECTOR_MAX - 8:
        raise Refused("template-size")
    try:
        public = Public(data)
    except EOFError:
        raise Refused("template-truncated") from None
    except ValueError:
        raise Refused("template-type") from None
    for name, broken in RULES:
        if broken(public):
            raise Refused("template-" + name)
    return public


def _attributes(wanted, forbidden=0):
    return lambda p: p.attributes & wanted != wanted or p.attributes & forbidden


def _symmetric(p):
    if p.signing:
        return p.symmetric != [ALG_NULL]
    return p.symmetric not in ([0x0006, 128, 0x0043], [0x0006, 256, 0x0043])


def _scheme(p):
    if not p.signing:
        return p.scheme != [ALG_NULL]
    allowed = (0x0014, 0x0016) if p.type == RSA else (0x0018,)
    return p.scheme[0] not in allowed or p.scheme[1] not in HASHES


def _key(p):
    if p.type == RSA:
        return p.size not in (2048, 3072, 4096) or p.last not in (0, 65537)
    return p.size not in COORDINATE or p.last != ALG_NULL


RULES = (
    ("trailing", lambda p: p.trailing),
    ("name-alg", lambda p: p.name_alg not in HASHES),
    ("reserved", lambda p: p.attributes & ~KNOWN),
    ("movable", _attributes(FIXED_TPM | FIXED_PARENT, ENCRYPTED_DUPLICATION)),
    ("origin", _attributes(ORIGIN)),
    ("unrestricted", _attributes(RESTRICTED)),
    ("purpose", lambda p: p.attributes & (SIGN | DECRYPT) not in (SIGN, DECRYPT) or
     p.attributes & X509_SIGN),
    ("policy", lambda p: len(p.policy) not in (0, HASHES[p.name_alg]().digest_size)),
    ("symmetric", _symmetric),
    ("scheme", _scheme),
    ("key", _key),
    ("unique", lambda p: any(len(u) > p.number_size() for u in p.unique)),
)


def made_from(template, public):
    """Whether a TPM makes this public area (both are Public) of that template."""
    return template.data[:template.unique_offset] == public.data[:public.unique_offset] and \
        public.whole()


def read_selector(data):
    """(kind, None, template or id), or Refused."""
    if len(data) > SELECTOR_MAX:
        raise Refused("too-long")
    if not data:
        return NONE, None
    if len(data) < 8:
        raise Refused("too-short")
    kind, rest = struct.unpack_from("<Q", data)[0], data[8:]
    if kind > NV:
        raise Refused("unknown-kind")
    if kind == TEMPLATE:
        return kind, read_template(rest)
    if len(rest) != (0 if kind == NONE else 4):
        raise Refused("bad-size")
    if kind == NONE:
        return kind, None
    number = struct.unpack("<I", rest)[0]
    if kind == NV and number >> 24 != 1:
        raise Refused("bad-index")
    return kind, number


def make_context(service, version, selector):
    """Section 6. Empty for a call that selects nothing."""
    if selector in (b"", bytes(8)) or len(selector) > SELECTOR_MAX:
        return b""
    return b"SSM2" + service.bytes_le + struct.pack("<II", version, len(selector)) + selector


def report_data(nonce, context, manifest):
    return hashlib.sha512(nonce + context + manifest).digest()


def make_manifest(version, publics):
    """Section 7, from bytes of public areas."""
    if version == 0:
        return publics[0]
    return struct.pack(">II", 1, len(publics)) + \
        b"".join(struct.pack(">H", len(p)) + p for p in publics)


def manifest_version(manifest):
    return 1 if len(manifest) >= 2 and manifest[:2] == b"\0\0" else 0


def _whole_key(data):
    public = read_template(data)
    if not public.whole():
        raise Refused("not-whole")
    return public


def read_manifest(manifest):
    """The keys of a manifest, all of which pass the rules and are whole, or Refused."""
    if manifest_version(manifest) == 0:
        return [_whole_key(manifest)]
    c = Cursor(manifest)
    try:
        version, count = c.number(4), c.number(4)
        if version != 1:
            raise Refused("manifest-version")
        if not 1 <= count <= 32:
            raise Refused("manifest-count")
        keys = [_whole_key(c.sized()) for _ in range(count)]
    except EOFError:
        raise Refused("manifest-truncated") from None
    if not c.done():
        raise Refused("manifest-trailing")
    return keys


def hash_name(name, data):
    return name[:2] + HASHES[int.from_bytes(name[:2], "big")](data).digest()


def primary_name(name):
    """The qualified name of a primary key of the endorsement hierarchy."""
    return hash_name(name, ENDORSEMENT + name)


def child_name(parent, name):
    """The qualified name of a key below such a primary key."""
    return hash_name(name, primary_name(parent) + name)
