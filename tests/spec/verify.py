#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A second verifier of evidence directories (docs/evidence.md), beside `socle verify` and without
any of its code: Python, and python3-cryptography for the primitives.

    verify.py [--mine DIR] [--nonce FILE] [--challenge FILE] [--trust-emulated] [--keys-only | --report-only]
              [--certs DIR] [--ark FILE] [--ask FILE] [--vcek FILE] [--asvk FILE] [--vlek FILE]
              [--at TIME] [--csp-id ID] [--vmpl N] [--allow-masked-chip] [--allow-unknown-version]
              [--measurement HEX] [--minimum-tcb F,B,T,S,M] [--ek-cert FILE --ca FILE]
              [--pcr BANK:N=HEX]... [--policy FILE] [--chip-id HEX]... [--host-data HEX]...
              [--id-key-digest HEX]... [--author-key-digest HEX]... [--family-id HEX]...
              [--image-id HEX]... [--minimum-svn N] DIRECTORY

The same check names and exit status: 0 trusted, 1 unreadable, 2 to 6 the class of the first check
that fails. Writes JSON: verdict, status, binding, bindings, failing."""

import argparse
import base64
import datetime
import functools
import hashlib
import itertools
import json
import math
import re
import struct
import sys
import uuid
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import event_log
import rules

# SHA-256 of the public keys (SubjectPublicKeyInfo) of ARK-Milan, ARK-Genoa and ARK-Turin.
AMD_ROOTS = {"9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
             "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
             "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"}
OID = "1.3.6.1.4.1.3704.1."
EMULATED = "1.3.6.1.4.1.32473.1"
EK_USAGE = "2.23.133.8.1"
HASH_OF = {0x000B: hashes.SHA256, 0x000C: hashes.SHA384, 0x000D: hashes.SHA512}
CURVES = {3: ec.SECP256R1, 4: ec.SECP384R1, 5: ec.SECP521R1}
# Root, issuer and signer, by whether a VLEK signed.
CHAINS = {False: ("ark", "ask", "vcek"), True: ("ark", "asvk", "vlek")}
# Family, first and last model, name of the product; what bytes of a TCB_VERSION are, by product.
CPUS = [(0x19, 0x00, 0x0F, "Milan"), (0x19, 0x10, 0x1F, "Genoa"), (0x19, 0xA0, 0xAF, "Genoa"),
        (0x1A, 0x00, 0x11, "Turin"), (0x1A, 0x50, 0x5F, "Venice"), (0x1A, 0x90, 0xAF, "Venice"),
        (0x1A, 0xC0, 0xCF, "Venice")]
MILAN_TCB = {"bl": 0, "tee": 1, "snp": 6, "ucode": 7}
TCBS = {"Milan": MILAN_TCB, "Genoa": MILAN_TCB,
        "Turin": {"fmc": 0, "bl": 1, "tee": 2, "snp": 3, "ucode": 7},
        "Venice": {"fmc": 0, "tee": 1, "snp": 2}}
TCB_PARTS = {"fmc": "3.9", "bl": "3.1", "tee": "3.2", "snp": "3.3", "ucode": "3.8"}
TABLE_GUIDS = {"63da758d-e664-4564-adc5-f4b93be8accd": "vcek",
               "a8074bc2-a25a-483e-aae6-39c045a0b8a1": "vlek",
               "4ab7b379-bbac-4fe4-a02f-05aef327c782": "ask",
               "c0b406a4-a803-4952-9743-3fb6014cd0ae": "ark"}
OWNER = bytes.fromhex("40000001")
# Of the guest policy, from bit 16 on.
POLICY_BITS = ("smt", "reserved-one", "migrate-ma", "debug", "single-socket", "cxl-allow",
               "mem-aes-256-xts", "rapl-disable", "ciphertext-hiding", "page-swap-disable")
# Rules of a policy that are lists of bytes, and the options that stand for them.
LISTS = {"measurements": None, "id_key_digests": "--id-key-digest",
         "author_key_digests": "--author-key-digest", "host_data": "--host-data",
         "family_ids": "--family-id", "image_ids": "--image-id", "chip_ids": "--chip-id", "keys": None}


class Unreadable(Exception):
    pass


class Failed(Exception):
    pass


def demand(condition, text="wrong"):
    if not condition:
        raise Failed(text)


# Reading files.

def read_file(path):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error}") from error
    if len(data) > 64 << 10:
        raise Unreadable(f"{path}: too large")
    return data


# Fields of go-sev-guest's Report: where they are in the firmware's, and how long.
MESSAGE = {1: (0, 4), 2: (4, 4), 3: (8, 8), 4: (0x10, 16), 5: (0x20, 16), 6: (0x30, 4), 7: (0x34, 4),
           8: (0x38, 8), 9: (0x40, 8), 10: (0x48, 4), 11: (0x50, 64), 12: (0x90, 48), 13: (0xC0, 32),
           14: (0xE0, 48), 15: (0x110, 48), 16: (0x140, 32), 17: (0x160, 32), 18: (0x180, 8),
           19: (0x1A0, 64), 20: (0x1E0, 8), 21: (0x1E8, 1), 22: (0x1E9, 1), 23: (0x1EA, 1),
           24: (0x1EC, 1), 25: (0x1ED, 1), 26: (0x1EE, 1), 27: (0x1F0, 8), 28: (0x2A0, 512),
           30: (0x1F8, 8), 31: (0x200, 8)}


def read_fields(data):
    """(number, value) of a protocol buffer: numbers and bytes; others are passed over."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = data[at], at + 1
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                if value >> 64 or shift > 70:
                    raise ValueError
                return value

    while at < len(data):
        tag = varint()
        wire = tag & 7
        if not tag >> 3 or tag >> 3 >= 1 << 29 or wire not in (0, 1, 2, 5):
            raise ValueError
        if wire == 0:
            yield tag >> 3, varint()
            continue
        size = varint() if wire == 2 else 8 if wire == 1 else 4
        if size > len(data) - at:
            raise ValueError
        at += size
        yield tag >> 3, data[at - size:at] if wire == 2 else None


def read_single(data, known):
    found = {}
    for number, value in read_fields(data):
        if number in known:
            if number in found or value is None:
                raise ValueError
            found[number] = value
    return found


def report_of_message(data):
    report = bytearray(0x4A0)
    for number, value in read_single(data, {*MESSAGE, 29}).items():
        if number == 29:
            family = (value >> 8 & 15) + (value >> 20 & 255)
            if value & ~0x0FFF0FFF or family > 255:
                raise ValueError
            report[0x188:0x18B] = bytes([family, value >> 12 & 0xF0 | value >> 4 & 15, value & 15])
            continue
        at, size = MESSAGE[number]
        if isinstance(value, bytes) != (size > 8) or size > 8 and len(value) != size:
            raise ValueError
        report[at:at + size] = value if size > 8 else value.to_bytes(size, "little")
    return bytes(report)


def table_of_message(data):
    """As a host would have it."""
    found = read_single(data, {1, 2, 3, 6})
    if not all(isinstance(value, bytes) for value in found.values()):
        raise ValueError
    guids = {name: guid for guid, name in TABLE_GUIDS.items()}
    names = {1: "vcek", 2: "ask", 3: "ark", 6: "vlek"}
    found = {number: value for number, value in found.items() if value}
    entries, blobs, at = b"", b"", 24 * (len(found) + 1)
    for number, value in found.items():
        entries += uuid.UUID(guids[names[number]]).bytes + struct.pack("<II", at + len(blobs), len(value))
        blobs += value
    return entries + bytes(24) + blobs


def read_message(data):
    """A report and a table of what go-sev-guest writes."""
    try:
        if data[0] == 8:
            return report_of_message(data), b""
        parts = read_single(data, {1, 2})
        return report_of_message(parts[1]), table_of_message(parts[2]) if parts.get(2) else b""
    except (ValueError, IndexError, TypeError, OverflowError, KeyError) as error:
        raise Unreadable("a message that is none") from error


def read_base64(text):
    """RFC 4648, 4, or 5, which may go without padding."""
    if re.search(rb"[-_]", text):
        if re.search(rb"[+/]", text):
            raise ValueError("two alphabets")
        text = text.translate(bytes.maketrans(b"-_", b"+/"))
        text += b"=" * (-len(text) % 4) if b"=" not in text else b""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data) != text:
        raise ValueError("bits left over")
    return data


def read_report(path):
    """A report and the host's table behind it, in any form."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error}") from error
    if len(data) > 128 << 10:
        raise Unreadable(f"{path}: too large")
    text = re.sub(rb"[ \t\r\n]", b"", data)
    if text and re.fullmatch(rb"[!-~]*", text):
        try:
            data = bytes.fromhex(text.decode()) if re.fullmatch(rb"([0-9a-fA-F]{2})*", text) else read_base64(text)
        except ValueError as error:
            raise Unreadable(f"{path}: {error}") from error
    if data[:4] == b"HCLA":
        data = data[32:32 + 0x4A0]
    if len(data) > 2 and data[0] in (8, 10) and data[1]:
        return read_message(data)
    if len(data) < 0x4A0:
        raise Unreadable(f"{path}: too short")
    return data[:0x4A0], data[0x4A0:]


def refuse_encrypted(data, path):
    """Bytes that may be PEM; nobody is asked for the passphrase of some that say they have one."""
    if b"ENCRYPTED" in data:
        raise Unreadable(f"{path}: encrypted")
    return data


def read_certificates(path):
    return parse_certificates(read_file(path), path)


def parse_certificates(data, path):
    refuse_encrypted(data, path)
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", data, re.S)
    try:
        if blocks:
            return [x509.load_pem_x509_certificate(b) for b in blocks]
        return [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise Unreadable(f"{path}: no certificate") from error


def read_crls(path):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error}") from error
    blocks = re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", data, re.S)
    if len(blocks) != data.count(b"-----BEGIN X509 CRL-----"):
        raise Unreadable(f"{path}: half a list")
    try:
        return [x509.load_pem_x509_crl(b) for b in blocks] or [x509.load_der_x509_crl(data)]
    except ValueError as error:
        raise Unreadable(f"{path}: no revocation list") from error


def pick(path, name):
    """The certificate for this place, out of a file that may have all of a chain in any order."""
    found = read_certificates(path)
    if len(found) > 1:
        found = [c for c in found if fits(c, name)]
    if len(found) != 1:
        raise Unreadable(f"{path}: {len(found)} certificates that could be the {name}")
    return found[0]


def fits(certificate, name):
    own = certificate.issuer == certificate.subject
    if name in ("ark", "vcek", "vlek"):
        return own if name == "ark" else not claims_ca(certificate)
    return not own and claims_ca(certificate) and \
        common_name(certificate).startswith("SEV-VLEK") == (name == "asvk")


def parse_table(data, path, vlek):
    """The certificates of a chain by name from the host's table (docs/evidence.md), as far as it has
    them; an ASVK stands in the ASK's place."""
    entries, at = [], 0
    while True:
        if len(data) - at < 24 or len(entries) > 16:
            raise Unreadable(f"{path}: no end")
        guid, offset, length = uuid.UUID(bytes=data[at:at + 16]), *struct.unpack_from(
            "<II", data, at + 16)
        at += 24
        if guid.int == 0:
            break
        name = TABLE_GUIDS.get(str(guid))
        name = "asvk" if vlek and name == "ask" else name
        entries.append((offset, offset + length, name if name in CHAINS[vlek] else None))
    end = at
    for start, stop, _ in sorted(entries, key=lambda e: e[:2]):
        if not end <= start < stop <= len(data):
            raise Unreadable(f"{path}: an entry's bytes")
        end = stop
    names = [name for _, _, name in entries if name]
    if len(entries) > 16 or len(set(names)) != len(names):
        raise Unreadable(f"{path}: too many entries")
    return {name: parse_certificates(data[start:stop], path)[0]
            for start, stop, name in entries if name}


def read_key(path):
    try:
        return serialization.load_pem_public_key(refuse_encrypted(read_file(path), path))
    except ValueError as error:
        raise Unreadable(f"{path}: no public key") from error


@functools.cache
def amd_certificates():
    """AMD's own of every product, which the project has as text."""
    source = Path(__file__).resolve().parents[2] / "core/evidence/host/amd_certificates.c"
    text = "".join(re.findall(r'"(.*)\\n"', source.read_text()))
    text = text.replace("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n") \
        .replace("-----END CERTIFICATE-----", "\n-----END CERTIFICATE-----\n")
    return parse_certificates(text.encode(), source)


class OwnFiles:
    """What only the relying party can know: files that it names, or those of its folder, which is not
    the guest's."""

    def __init__(self, options):
        self.options, self.folder = options, options.mine and Path(options.mine)
        guests = Path(options.directory).resolve()
        if self.folder and (not self.folder.exists() or
                            guests in (self.folder.resolve(), *self.folder.resolve().parents)):
            raise Unreadable(f"{self.folder}: not the relying party's")

    def path(self, option, name):
        """None when there is no such file."""
        given = getattr(self.options, option)
        if given or not self.folder:
            return given
        return self.folder / name if (self.folder / name).exists() else None

    def read(self, option, name):
        path = self.path(option, name)
        if not path:
            raise Unreadable(f"{name}: not given")
        return read_file(path)


class Evidence:
    """The files of a directory, as far as the depth wants them."""

    def __init__(self, options):
        self.directory = Path(options.directory)
        self.own = OwnFiles(options)
        path = options.report or self.kernel_path("report.bin", "outblob")
        self.report, self.table = read_report(path)
        if self.table:
            parse_table(self.table, path, self.report[0x48] >> 2 & 7 == 1)
        self.read_chain(options)
        self.depth = 0 if options.report_only else 1 if options.keys_only else 2
        self.challenged, self.ek_certificate = False, None
        self.log_path, self.log = options.eventlog, b""
        if self.depth > 0:
            self.read_keys(options)
        if self.depth > 1:
            self.read_quote()

    def read_chain(self, options):
        """A file that is named, or there, comes before the guest's table."""
        self.vlek = self.report[0x48] >> 2 & 7 == 1
        chain = CHAINS[self.vlek]
        folder = Path(options.certs or options.directory)
        given = {n: getattr(options, n) for n in chain}
        given["ark"] = self.own.path("ark", "ark.pem")
        paths = {n: Path(given[n] or folder / f"{n}.pem") for n in chain}
        missing = [n for n in chain if not given[n] and not paths[n].exists()]
        table, path = self.table, self.kernel_path("certs.bin", "auxblob", folder)
        if path.exists():
            table = read_file(path)
        table = parse_table(table, path, self.vlek) if missing and table else {}
        found = {n: pick(paths[n], n) for n in chain if n not in missing}
        found.update({n: table[n] for n in missing if n in table})
        for above, below in ((chain[1], chain[2]), (chain[0], chain[1])):
            if above not in found and below in found:
                found.update({above: c for c in amd_certificates() if c.subject == found[below].issuer})
        self.ark, self.issuer, self.signer = (found.get(n) or pick(paths[n], n) for n in chain)
        self.root_from_guest = not given["ark"]

    def kernel_path(self, name, kernels, folder=None):
        """A file of the guest's, or the kernel's own name of it."""
        folder = folder or self.directory
        return folder / (name if (folder / name).exists() or not (folder / kernels).exists() else kernels)

    def file(self, name, optional=False):
        path = self.directory / name
        return b"" if optional and not path.exists() else read_file(path)

    def read_keys(self, options):
        self.nonce, self.manifest = self.own.read("nonce", "nonce.bin"), read_file(
            self.kernel_path("manifest.bin", "manifestblob"))
        if len(self.nonce) != 64:
            raise Unreadable("nonce.bin: not a nonce")
        self.selector = self.file("selector.bin", True)
        self.context = self.file("context.bin", True)
        if options.ek_cert:
            self.ek_certificate = read_certificates(options.ek_cert)[0]
            self.ca = read_certificates(options.ca)

    def read_quote(self):
        self.challenged = bool(self.own.path("challenge", "challenge.json"))
        self.ek = self.ak = self.ak_area = None
        if self.challenged or (self.directory / "ek.pub").exists():
            self.ek = read_key(self.directory / "ek.pub")
        if self.challenged or (self.directory / "ak.pub").exists():
            self.read_ak(self.directory / "ak.pub")
        self.quote, self.signature = self.file("quote.msg"), self.file("quote.sig")
        self.values = self.file("quote.pcrs", not self.challenged)
        self.log = read_file(self.log_path) if self.log_path else self.file("eventlog.bin", True)
        if not self.challenged:
            return
        self.answer = self.file("answer.bin")
        try:
            record = json.loads(self.own.read("challenge", "challenge.json"))
            self.challenge = {n: bytes.fromhex(record[n]) for n in ("ek_name", "ak_name", "secret")}
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"challenge.json: {error}") from error


    def read_ak(self, path):
        """A key in PEM, a TPMT_PUBLIC or a TPM2B_PUBLIC."""
        try:
            self.ak = read_key(path)
            return
        except Unreadable:
            area = read_file(path)
        if len(area) >= 2 and int.from_bytes(area[:2], "big") == len(area) - 2:
            area = area[2:]
        try:
            if len(area) > 1024 or rules.Public(area).trailing:
                raise ValueError
        except (EOFError, ValueError) as error:
            raise Unreadable(f"{path}: neither a key nor a public area") from error
        self.ak_area = area


# Signatures.

def signed_by(key, signature, data, digest, pss_salt=None):
    """Whether key signed data; RSA with PSS when a salt length is given."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            scheme = padding.PKCS1v15() if pss_salt is None else \
                padding.PSS(padding.MGF1(digest()), pss_salt)
            key.verify(signature, data, scheme, digest())
        else:
            key.verify(signature, data, ec.ECDSA(digest()))
    except (InvalidSignature, ValueError):
        return False
    return True


def certified_by(issuer, subject):
    # AMD's ARK and ASK sign with RSASSA-PSS, SHA-384 and a salt of 48 bytes.
    if subject.signature_algorithm_oid.dotted_string == PSS:
        digest, salt = hashes.SHA384, 48
    else:
        digest, salt = type(subject.signature_hash_algorithm), None
    return signed_by(issuer.public_key(), subject.signature, subject.tbs_certificate_bytes, digest,
                     salt)


def valid_at(certificate, at):
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc < at < certificate.not_valid_after_utc
    at = at.replace(tzinfo=None)  # python3-cryptography before 42
    return certificate.not_valid_before < at < certificate.not_valid_after


def check_link(issuer, subject, is_ca, at):
    demand(subject.issuer == issuer.subject, "issuer's name")
    demand(certified_by(issuer, subject), "signature")
    demand(valid_at(subject, at), "dates")
    demand(claims_ca(subject) == is_ca, "CA flag")


def check_critical(certificate):
    known = (x509.BasicConstraints, x509.KeyUsage)
    demand(all(isinstance(e.value, known) for e in certificate.extensions if e.critical),
           "a critical extension")


def common_name(certificate):
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return names[0].value if names else ""


PSS = "1.2.840.113549.1.1.10"
# RSASSA-PSS-params (RFC 4055, 3.1) begin with the hash; Debian 12's python3-cryptography does not read them.
PSS_HASH = re.compile(rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30.\xa0.\x30."
                      rb"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02(.)", re.DOTALL)
PSS_HASH_SIZES = {b"\x01": 32, b"\x02": 48, b"\x03": 64}


def hash_size(certificate):
    """Bytes of the digest that was signed; 0 for a PSS whose hash is none of SHA-2's."""
    if certificate.signature_algorithm_oid.dotted_string != PSS:
        return certificate.signature_hash_algorithm.digest_size
    found = PSS_HASH.search(certificate.tbs_certificate_bytes)
    return PSS_HASH_SIZES.get(found.group(1), 0) if found else 0


def check_strength(certificate):
    """Of certificates above and of endorsement keys: 112 bits of security."""
    key = certificate.public_key()
    demand(key.key_size >= (2048 if isinstance(key, rsa.RSAPublicKey) else 224), "a small key")
    demand(hash_size(certificate) >= 28, "a short hash")


def emulated_marks(certificate):
    """Whether its subject, and whether an extension says that a certificate is emulated."""
    serials = certificate.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    return (any(serial.value == "EMULATED" for serial in serials),
            any(e.oid.dotted_string == EMULATED for e in certificate.extensions))


def crl_dates(crl):
    """This update and the next, in UTC."""
    def aware(time):
        return time and time.replace(tzinfo=datetime.timezone.utc)

    if hasattr(crl, "last_update_utc"):
        return crl.last_update_utc, crl.next_update_utc
    return aware(crl.last_update), aware(crl.next_update)  # python3-cryptography before 42


def entry_issuers(entry, before):
    """Whose certificate an entry is about: what it says, or else the one before (RFC 5280, 5.3.3)."""
    try:
        names = entry.extensions.get_extension_for_class(x509.CertificateIssuer).value
    except x509.ExtensionNotFound:
        return before
    return names.get_values_for_type(x509.DirectoryName)


def check_crl(crl, chain, at):
    """A list of the root's, which is the first of the chain."""
    found = PSS_HASH.search(crl.tbs_certlist_bytes)
    demand(crl.signature_algorithm_oid.dotted_string == PSS and found and
           PSS_HASH_SIZES.get(found.group(1)) == 48, "PSS")
    demand(signed_by(chain[0].public_key(), crl.signature, crl.tbs_certlist_bytes, hashes.SHA384, 48),
           "signature")
    this, following = crl_dates(crl)
    demand(this < at and following is not None and at < following, "dates")
    for e in crl.extensions:
        demand(not e.critical or isinstance(e.value, x509.IssuingDistributionPoint) and not (
            e.value.only_contains_user_certs or e.value.only_contains_ca_certs or
            e.value.only_contains_attribute_certs or e.value.only_some_reasons), "extension")
    issuers = [crl.issuer]
    for entry in crl:
        demand(all(isinstance(e.value, (x509.CertificateIssuer, x509.CRLReason))
                   for e in entry.extensions if e.critical), "extension of an entry")
        issuers = entry_issuers(entry, issuers)
        demand(not any(c.issuer in issuers and c.serial_number == entry.serial_number for c in chain),
               "revoked")


def claims_ca(certificate):
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def same_key(a, b):
    def spki(key):
        return key.public_bytes(serialization.Encoding.DER,
                                serialization.PublicFormat.SubjectPublicKeyInfo)
    return a is not None and b is not None and spki(a) == spki(b)


def openssl_key(public):
    """A Public as a key of the library, or None for a point that is on no curve."""
    try:
        numbers = [int.from_bytes(u, "big") for u in public.unique]
        if public.type == rules.RSA:
            return rsa.RSAPublicNumbers(public.exponent(), numbers[0]).public_key()
        return ec.EllipticCurvePublicNumbers(*numbers, CURVES[public.size]()).public_key()
    except ValueError:
        return None


# Which keys may be trusted at all.

SMALL_PRIMES = [p for p in range(3, 752, 2) if all(p % q for q in range(3, p, 2))]
ROCA_PRIMES = [p for p in SMALL_PRIMES if p <= 167]


def is_prime(n):
    """Miller and Rabin, for odd numbers above 10."""
    twos = (n - 1 & 1 - n).bit_length() - 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, n - 1 >> twos, n)
        if x not in (1, n - 1) and not any((x := x * x % n) == n - 1 for _ in range(twos - 1)):
            return False
    return True


def has_close_primes(n):
    root = math.isqrt(n)
    return any(math.isqrt(a * a - n) ** 2 == a * a - n for a in range(root + 1, root + 101))


@functools.cache
def is_weak(n):
    return n % 2 == 0 or any(n % p == 0 for p in SMALL_PRIMES) or is_prime(n) or \
        all(n % p in {pow(65537, i, p) for i in range(p)} for p in ROCA_PRIMES) or \
        has_close_primes(n) or math.isqrt(n) ** 2 == n


def check_key(key):
    if isinstance(key, ec.EllipticCurvePublicKey):
        demand(isinstance(key.curve, tuple(CURVES.values())), "curve")
        return
    demand(isinstance(key, rsa.RSAPublicKey), "neither RSA nor a curve's")
    n, e = key.public_numbers().n, key.public_numbers().e
    demand(key.key_size in (2048, 3072, 4096) and e == 65537, "size or exponent")
    demand(not is_weak(n), "modulus")


# The report and the VCEK.

class Signer:
    """What the extensions of a VCEK or VLEK say."""

    def __init__(self, certificate, vlek):
        self.values = {e.oid.dotted_string[len(OID):]: e.value.value
                       for e in certificate.extensions
                       if e.oid.dotted_string.startswith(OID)}
        self.product = self.text("2").split("-")[0]
        demand(self.product in TCBS, "product")
        self.tcb = {part: self.level(TCB_PARTS[part]) for part in TCBS[self.product]}
        demand(("5" if vlek else "4") in self.values and ("4" if vlek else "5") not in self.values,
               "of a chip or of a cloud")
        self.csp_id = vlek and self.text("5")
        if vlek:
            demand(self.csp_id and len(self.csp_id) <= 64, "cloud")
            return
        size = 8 if self.product in ("Turin", "Venice") else 64
        self.hwid = self.values["4"]
        if len(self.hwid) == size + 2:
            demand(self.hwid[:2] == bytes([4, size]), "chip id")
            self.hwid = self.hwid[2:]
        demand(len(self.hwid) == size, "chip id")
        self.hwid = self.hwid.ljust(64, b"\0")

    def text(self, name):
        der = self.values[name]
        demand(der[0] == 0x16 and der[1] == len(der) - 2 and
               all(0x20 <= c < 0x7F for c in der[2:]), name)
        return der[2:].decode()

    def level(self, name):
        der = self.values[name]
        demand(der[0] == 2 and der[1] == len(der) - 2 and 1 <= der[1] <= 2, name)
        value = int.from_bytes(der[2:], "big", signed=True)
        demand(0 <= value <= 255, name)
        return value


class Verifier:
    def __init__(self, evidence, options):
        self.e, self.options, self.rules = evidence, options, options.rules
        self.signer = self.signer_error = None
        try:
            self.signer = Signer(evidence.signer, evidence.vlek)
        except (Failed, KeyError, IndexError, ValueError) as error:
            self.signer_error = str(error) or "malformed"
        if evidence.depth > 0:
            self.take_binding()
        if evidence.depth > 1:
            self.take_quote()

    def u32(self, offset):
        return struct.unpack_from("<I", self.e.report, offset)[0]

    def u64(self, offset):
        return struct.unpack_from("<Q", self.e.report, offset)[0]

    def tcb(self, offset):
        layout = TCBS[self.signer.product] if self.signer else {}
        return {part: self.e.report[offset + at] for part, at in layout.items()}

    def take_binding(self):
        e = self.e
        self.selected, self.selector_error = (rules.NONE, None), None
        try:
            self.selected = rules.read_selector(e.selector)
        except rules.Refused as error:
            self.selector_error = str(error)
        self.context = rules.make_context(rules.VTPM, rules.manifest_version(e.manifest),
                                          e.selector)
        self.keys, self.manifest_error = [], None
        try:
            self.keys = rules.read_manifest(e.manifest)
        except rules.Refused as error:
            self.manifest_error = str(error)
        self.ek = None
        if self.e.challenged:
            decrypting = [k for k in self.keys if not k.signing]
            named = [k for k in decrypting if k.name() == self.e.challenge["ek_name"]]
            self.ek = (named + decrypting + [None])[0]

    def take_quote(self):
        self.quote_error = self.values_error = self.ak = None
        try:
            self.quote = read_quote(self.e.quote)
        except (Failed, EOFError) as error:
            self.quote_error = str(error) or "cut short"
        try:
            self.values = read_values(self.e.values)
        except (Failed, EOFError, struct.error) as error:
            self.values_error = str(error) or "cut short"
        self.ak_error = None
        if self.e.challenged:
            self.take_challenged_ak()
            return
        signing = [k for k in self.keys if k.signing]
        if signing:
            self.ak = signing[0]
            for key in signing:
                if not self.quote_error and rules.primary_name(key.name()) == self.quote["signer"]:
                    self.ak = key

    def take_challenged_ak(self):
        name, area = self.e.challenge["ak_name"], self.e.ak_area
        if area is None:
            area = find_ak(self.e.ak, name)
        try:
            keys = rules.read_manifest(area) if area else []
        except rules.Refused as error:
            self.ak_error = str(error)
            return
        if not keys or not keys[0].signing:
            self.ak_error = "no AK"
            return
        try:
            check_key(openssl_key(keys[0]))
        except Failed as error:
            self.ak_error = str(error)
            return
        self.ak = keys[0]
        if self.ak.name() != name:
            self.ak_error = "another Name"

    # Class 2.

    def root(self):
        spki = self.e.ark.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        marks = [emulated_marks(c) for c in (self.e.ark, self.e.issuer, self.e.signer)]
        if hashlib.sha256(spki).hexdigest() in AMD_ROOTS:
            demand(not any(named or extended for named, extended in marks), "emulated below AMD's")
        else:
            demand(all(named for named, _ in marks) and marks[0][1] and marks[1][1] and
                   self.options.trust_emulated and not self.e.root_from_guest,
                   "unknown root")

    def revocation(self):
        chain = (self.e.ark, self.e.issuer, self.e.signer)
        lists = [crl for crl in self.options.crls if crl.issuer == chain[0].subject]
        demand(lists, "no list of this root's")
        for crl in lists:
            check_crl(crl, chain, self.options.time)

    def chain(self):
        ark, issuer, signer, at = self.e.ark, self.e.issuer, self.e.signer, self.options.time
        check_link(ark, ark, True, at)
        check_link(ark, issuer, True, at)
        check_link(issuer, signer, False, at)
        for certificate in (ark, issuer, signer):
            check_critical(certificate)
            check_key(certificate.public_key())
            demand(certificate.signature_algorithm_oid.dotted_string == PSS and
                   hash_size(certificate) == 48, "PSS")
        demand(all(isinstance(c.public_key(), rsa.RSAPublicKey) and c.public_key().key_size == 4096
                   for c in (ark, issuer)), "RSA 4096")
        demand(not same_key(ark.public_key(), issuer.public_key()), "the root as its own ASK")
        demand(common_name(issuer).startswith("SEV-VLEK") == self.e.vlek, "ASK or ASVK")
        demand(common_name(signer).startswith("SEV-VLEK" if self.e.vlek else "SEV-VCEK"), "name")

    def signer_readable(self):
        demand(self.signer_error is None, self.signer_error)

    def signature(self):
        r, s = (int.from_bytes(self.e.report[o:o + 72], "little") for o in (0x2A0, 0x2E8))
        key = self.e.signer.public_key()
        demand(self.u32(0x34) == 1 and isinstance(key, ec.EllipticCurvePublicKey) and
               isinstance(key.curve, ec.SECP384R1))
        demand(signed_by(key, utils.encode_dss_signature(r, s), self.e.report[:0x2A0],
                         hashes.SHA384))

    # Class 3.

    def report_format(self):
        version = self.u32(0)
        demand(version >= 2 and (version <= 5 or self.options.allow_unknown_version), "version")
        reserved = [(0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x208, 0x2A0),
                    (0x330, 0x4A0)]
        reserved += [(0x188, 0x18B)] * (version < 3) + [(0x1F8, 0x208)] * (version < 5)
        demand(version > 5 or not any(any(self.e.report[a:b]) for a, b in reserved), "reserved")
        demand(self.u32(0x48) < 32 and self.u64(8) < 1 << 26, "reserved bits")

    def signing_key(self):
        demand(self.u32(0x48) & 2 == 0 and self.u32(0x48) >> 2 & 7 in (0, 1))

    def product(self):
        self.signer_readable()
        family, model = self.e.report[0x188:0x18A]
        demand(self.u32(0) < 3 or
               any(family == f and first <= model <= last and name == self.signer.product
                   for f, first, last, name in CPUS), "CPUID")
        used = TCBS[self.signer.product].values()
        demand(not any(self.e.report[tcb + i] for tcb in (0x38, 0x180, 0x1E0, 0x1F0)
                       for i in range(8) if i not in used), "reserved bytes of a TCB")

    def chip_id(self):
        self.signer_readable()
        chip_id = self.e.report[0x1A0:0x1E0]
        if any(chip_id):
            demand(self.e.vlek or chip_id == self.signer.hwid)
        else:
            demand(self.e.vlek or self.options.allow_masked_chip, "masked")

    def csp_id(self):
        self.signer_readable()
        demand(self.signer.csp_id in self.rules["csp_ids"])

    def known_chip(self):
        demand(self.e.report[0x1A0:0x1E0] in self.rules["chip_ids"])

    def policy_bits(self):
        names = {name for bit, name in enumerate(POLICY_BITS, 16) if self.u64(8) >> bit & 1}
        wanted = self.rules["policy_bits"]
        demand(names >= set(wanted.get("required", ())))
        demand(names.isdisjoint(wanted.get("forbidden", ())))

    def guest_svn(self):
        demand(self.u32(4) >= self.rules["minimum_svn"])

    def listed(self, name, first, last):
        """A check that the bytes of the report are a value of that list."""
        def check():
            demand(name != "author_key_digests" or self.u32(0x48) & 1, "author key")
            demand(self.e.report[first:last] in self.rules[name])
        return check

    def tcb_exact(self):
        self.signer_readable()
        demand(self.tcb(0x180) == self.signer.tcb)

    def tcb_order(self):
        reported, committed, current, launch = (self.tcb(o) for o in (0x180, 0x1E0, 0x38, 0x1F0))
        demand(all(reported[p] <= committed[p] <= current[p] and launch[p] <= current[p]
                   for p in current))
        demand(self.e.report[0x1E8:0x1EB][::-1] >= self.e.report[0x1EC:0x1EF][::-1], "firmware")

    def tcb_minimum(self):
        floors = self.rules["minimum_tcb"]
        for tcb in map(self.tcb, (0x180, 0x1E0, 0x1F0)):
            demand(all(tcb.get(p, 0) >= least for p, least in floors.get("any", {}).items()))
        if set(floors) - {"any"}:
            self.signer_readable()
            demand(self.signer.product in floors, "product")
            for tcb in map(self.tcb, (0x180, 0x1E0, 0x1F0)):
                demand(all(tcb.get(p, 0) >= least
                           for p, least in floors[self.signer.product].items()))

    def policy(self):
        demand(self.u64(8) >> 17 & 7 == 1)

    def vmpl(self):
        demand(self.u32(0x30) == self.options.vmpl)

    # Class 4.

    def measurement(self):
        demand(self.e.report[0x90:0xC0] in self.rules["measurements"])

    # Class 5.

    def check_context(self):
        demand(self.selector_error is None, self.selector_error)
        demand(self.e.context == self.context)

    def check_report_data(self):
        demand(self.e.report[0x50:0x90] ==
               rules.report_data(self.e.nonce, self.context, self.e.manifest))

    def manifest(self):
        demand(self.manifest_error is None, self.manifest_error)
        for key in self.keys:
            check_key(openssl_key(key))
        demand(len({(k.type, *k.unique) for k in self.keys}) == len(self.keys), "a key twice")
        kind, what = self.selected
        if kind == rules.NONE:
            demand(rules.manifest_version(self.e.manifest) or
                   self.keys[0].data.startswith(rules.EK_L1_PREFIX))
            return
        demand(len(self.keys) == 1)
        key = self.keys[0]
        if kind == rules.TEMPLATE:
            demand(rules.made_from(what, key))
        if kind == rules.KEY:
            demand(rules.KEY_IDS.get(what) == (key.type, key.size, key.signing))

    def ek_file(self):
        demand(self.ek is not None and same_key(openssl_key(self.ek), self.e.ek))

    def challenge_ek(self):
        demand(self.ek is not None and self.ek.name() == self.e.challenge["ek_name"])

    def challenge_ak(self):
        demand(self.ak_error is None, self.ak_error)

    def challenge_answer(self):
        demand(self.e.answer == self.e.challenge["secret"])

    def attested_ak(self):
        demand(self.ak is not None)
        demand(self.e.ak is None or same_key(openssl_key(self.ak), self.e.ak))
        demand(self.e.ak_area is None or self.e.ak_area == self.ak.data)

    def known_key(self):
        demand(self.manifest_error is None or self.e.depth > 1)
        names = [self.ak.name() if self.ak else None] if self.e.depth > 1 else \
            [key.name() for key in self.keys]
        demand(all(name in self.rules["keys"] for name in names))

    def ek_certificate(self):
        certificate, ca = self.e.ek_certificate, self.e.ca
        demand(not claims_ca(certificate), "a CA's")
        check_strength(certificate)
        try:
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            demand(EK_USAGE in [u.dotted_string for u in usage], "usage")
        except x509.ExtensionNotFound:
            pass
        self.lead_to_root(certificate, ca, len(ca))

    def lead_to_root(self, certificate, ca, steps, is_ca=False):
        """Depth first over the authorities whose name and signature fit."""
        for issuer in ca:
            try:
                check_link(issuer, certificate, is_ca, self.options.time)
                check_strength(issuer)
                if issuer.issuer == issuer.subject:
                    check_link(issuer, issuer, True, self.options.time)
                elif steps:
                    self.lead_to_root(issuer, ca, steps - 1, True)
                else:
                    continue
                return
            except Failed:
                continue
        raise Failed("not by this CA")

    def ek_certificate_key(self):
        certified = self.e.ek_certificate.public_key()
        demand(any(same_key(openssl_key(k), certified) for k in self.keys if not k.signing))

    # Class 6.

    def quote_scheme(self):
        """(schemes that may have been used, hash)"""
        if self.ak is None:
            return (0x0014, 0x0016, 0x0018), 0x000B
        return (self.ak.scheme[0],), self.ak.scheme[1]

    def quote_signature(self):
        key = openssl_key(self.ak) if self.ak else self.e.ak if self.e.challenged else None
        schemes, digest = self.quote_scheme()
        demand(key and quote_signed(key, schemes, digest, self.e.quote, self.e.signature))

    def quote_format(self):
        demand(self.quote_error is None, self.quote_error)

    def quote_signer(self):
        self.quote_format()
        if self.e.challenged:
            wanted = challenged_signers(self.e.challenge["ek_name"], self.e.challenge["ak_name"])
        else:
            wanted = [rules.primary_name(self.ak.name())] if self.ak else []
        demand(self.quote["signer"] in wanted)

    def quote_nonce(self):
        self.quote_format()
        demand(self.quote["extra"] == self.e.nonce)

    def quote_pcrs(self):
        self.quote_format()
        demand(self.values_error is None, self.values_error)
        selection, digests = self.values
        demand(selection == self.quote["selection"])
        digest = rules.HASHES[self.quote_scheme()[1]](b"".join(digests)).digest()
        demand(digest == self.quote["digest"])

    def pcr_values(self):
        demand(self.values_error is None, self.values_error)
        selection, digests = self.values
        quoted = [(bank, n) for bank, mask in selection for n in range(24) if mask >> n & 1]
        found = {}
        for place, digest in zip(quoted, digests):
            found.setdefault(place, digest)
        for place, values in self.rules["pcrs"].items():
            demand(found.get(place) in values)

    # Class 7.

    def take_boot(self):
        quoted = {}
        if self.values_error is None:
            places = [(bank, n) for bank, mask in self.values[0] for n in range(24) if mask >> n & 1]
            quoted = dict(zip(places, self.values[1]))
        self.boot = event_log.Boot(self.e.log, quoted)

    def by_log(self, check, *arguments):
        def run():
            try:
                check(*arguments)
            except event_log.Refused as error:
                raise Failed(str(error)) from error
        return run

    def event_log(self):
        demand(self.boot.error is None, self.boot.error)

    def event_log_quote(self):
        demand(self.boot.error is None and self.boot.quote_error is None)

    def boot_checks(self):
        wants = self.rules["boot"]
        if self.e.depth < 2:
            return []
        if not self.e.log:
            if wants:
                raise Unreadable("the event log is missing")
            return []
        self.take_boot()
        digests = {name: [bytes.fromhex(v) for v in wants.get(name, {}).values()]
                   for name in ("signers", "firmware", "programs", "files")}
        lines = list(wants.get("command_lines", {}).values())
        texts = lines + list(wants.get("words", {}).values())
        b = self.boot
        return [
            ("event-log", 7, True, self.event_log),
            ("event-log-quote", 7, True, self.event_log_quote),
            ("secure-boot", 7, "secure_boot" in wants, self.by_log(b.secure_boot, wants.get("secure_boot"))),
            ("boot-signers", 7, digests["signers"], self.by_log(b.signers, digests["signers"])),
            ("boot-firmware", 7, digests["firmware"], self.by_log(b.firmware, digests["firmware"])),
            ("boot-programs", 7, digests["programs"], self.by_log(b.programs, digests["programs"])),
            ("boot-files", 7, digests["files"] or texts, self.by_log(b.files, digests["files"], texts)),
            ("boot-command-line", 7, lines, self.by_log(b.command_line, lines)),
        ]

    def checks(self):
        e = self.e
        keys, full = e.depth > 0, e.depth > 1
        selected = keys and (e.selector or e.context)
        values = full and (e.challenged or e.values)
        wants = self.rules
        return [
            ("root", 2, True, self.root),
            ("chain", 2, True, self.chain),
            ("revocation", 2, self.options.crl, self.revocation),
            ("vcek", 2, True, self.signer_readable),
            ("signature", 2, True, self.signature),
            ("report-format", 3, True, self.report_format),
            ("signing-key", 3, True, self.signing_key),
            ("product", 3, True, self.product),
            ("chip-id", 3, True, self.chip_id),
            ("known-chip", 3, wants["chip_ids"], self.known_chip),
            ("csp-id", 3, wants["csp_ids"], self.csp_id),
            ("tcb", 3, True, self.tcb_exact),
            ("tcb-order", 3, True, self.tcb_order),
            ("tcb-minimum", 3, True, self.tcb_minimum),
            ("policy", 3, True, self.policy),
            ("policy-bits", 3, wants["policy_bits"], self.policy_bits),
            ("guest-svn", 3, wants["minimum_svn"], self.guest_svn),
            ("vmpl", 3, True, self.vmpl),
            ("host-data", 3, wants["host_data"], self.listed("host_data", 0xC0, 0xE0)),
            ("measurement", 4, wants["measurements"], self.measurement),
            ("id-key", 4, wants["id_key_digests"], self.listed("id_key_digests", 0xE0, 0x110)),
            ("author-key", 4, wants["author_key_digests"],
             self.listed("author_key_digests", 0x110, 0x140)),
            ("family-id", 4, wants["family_ids"], self.listed("family_ids", 0x10, 0x20)),
            ("image-id", 4, wants["image_ids"], self.listed("image_ids", 0x20, 0x30)),
            ("context", 5, selected, self.check_context),
            ("report-data", 5, keys, self.check_report_data),
            ("manifest", 5, keys, self.manifest),
            ("known-key", 5, keys and wants["keys"], self.known_key),
            ("ek", 5, e.challenged, self.ek_file),
            ("challenge-ek", 5, e.challenged, self.challenge_ek),
            ("challenge-ak", 5, e.challenged, self.challenge_ak),
            ("challenge-answer", 5, e.challenged, self.challenge_answer),
            ("attested-ak", 5, full and not e.challenged, self.attested_ak),
            ("ek-certificate", 5, e.ek_certificate, self.ek_certificate),
            ("ek-certificate-key", 5, e.ek_certificate, self.ek_certificate_key),
            ("quote-signature", 6, full, self.quote_signature),
            ("quote-format", 6, full, self.quote_format),
            ("quote-signer", 6, full, self.quote_signer),
            ("quote-nonce", 6, full, self.quote_nonce),
            ("quote-pcrs", 6, values, self.quote_pcrs),
            ("pcr-values", 6, values or full and wants["pcrs"], self.pcr_values),
            *self.boot_checks(),
        ]

    def run(self):
        failing, status = [], 0
        for name, number, wanted, check in self.checks():
            if not wanted:
                continue
            try:
                check()
            except Failed:
                failing.append(name)
                status = status or number
        bindings = [] if failing else self.bindings()
        return {"verdict": "refused" if failing else "trusted", "status": status,
                "binding": bindings[0] if bindings else None, "bindings": bindings,
                "failing": failing}

    def bindings(self):
        if self.e.depth == 0:
            return []
        held = ["challenge" if self.e.challenged else "attested-ak"] * (self.e.depth > 1)
        held += ["ek-certificate"] * bool(self.e.ek_certificate)
        return held or ["manifest"]


def challenged_signers(ek, ak):
    """The qualified names that a challenged AK may have: below the EK, or a primary key itself."""
    names = []
    for make in (lambda: rules.child_name(ek, ak), lambda: rules.primary_name(ak),
                 lambda: rules.hash_name(ak, OWNER + ak)):
        try:
            names.append(make())
        except KeyError:
            pass
    return names


def find_ak(key, name):
    """The public area with this Name, of key as one that may be attested to sign, without a policy:
    section 8 leaves four attributes, the scheme and its hash, and the way to say 65537 free."""
    def sized(number, size):
        return struct.pack(">H", size) + number.to_bytes(size, "big")

    free = [sum(bits) for n in range(5) for bits in itertools.combinations((4, 64, 128, 1024), n)]
    heads = [name[:2] + struct.pack(">IHH", 0x00050032 | more, 0, rules.ALG_NULL) for more in free]
    numbers = key.public_numbers() if isinstance(
        key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else None
    if isinstance(key, rsa.RSAPublicKey):
        if numbers.e != 65537:
            return None
        tails = [struct.pack(">HHHI", scheme, alg, key.key_size, exponent) +
                 sized(numbers.n, key.key_size // 8) for scheme in (0x0014, 0x0016)
                 for alg in HASH_OF for exponent in (0, 65537)]
    elif numbers:
        curve = next((c for c, made in CURVES.items() if isinstance(key.curve, made)), None)
        if curve is None:
            return None
        size = rules.COORDINATE[curve]
        tails = [struct.pack(">HHHH", 0x0018, alg, curve, rules.ALG_NULL) +
                 sized(numbers.x, size) + sized(numbers.y, size) for alg in HASH_OF]
    else:
        return None
    kind = struct.pack(">H", rules.RSA if isinstance(key, rsa.RSAPublicKey) else rules.ECC)
    for head, tail in itertools.product(heads, tails):
        try:
            if rules.Public(kind + head + tail).name() == name:
                return kind + head + tail
        except (KeyError, EOFError, ValueError):
            return None
    return None


def read_selection(c):
    banks = []
    for _ in range(c.number(4)):
        bank, bitmap = c.number(2), c.take(c.number(1))
        demand(len(bitmap) <= 3 and len(banks) < 4, "selection")
        banks.append((bank, int.from_bytes(bitmap, "little")))
    return banks


def read_quote(data):
    """A TPMS_ATTEST of a quote."""
    c = rules.Cursor(data)
    demand(c.take(4) == b"\xffTCG", "magic")
    demand(c.number(2) == 0x8018, "not a quote")
    quote = {"signer": c.sized(), "extra": c.sized()}
    c.take(8 + 4 + 4 + 1 + 8)  # clock, resets, restarts, safe, firmware version
    quote["selection"] = read_selection(c)
    quote["digest"] = c.sized()
    demand(c.done() and len(quote["signer"]) <= 66, "form")
    return quote


def read_values(data):
    """tpm2_quote's file: TPML_PCR_SELECTION, then a count of TPML_DIGEST, as C has them."""
    count, banks, digests, at = struct.unpack_from("<I", data)[0], [], [], 4 + 16 * 8
    demand(count <= 16 and len(data) >= at, "selection")
    for i in range(count):
        bank, size = struct.unpack_from("<HB", data, 4 + 8 * i)
        demand(size <= 3 and i < 4, "selection")
        bitmap = data[4 + 8 * i + 3:][:size]
        banks.append((bank, int.from_bytes(bitmap, "little")))
    lists = struct.unpack_from("<I", data, at)[0]
    at += 4
    for _ in range(lists):
        held = struct.unpack_from("<I", data, at)[0]
        demand(held <= 8, "digests")
        for i in range(8):
            size = struct.unpack_from("<H", data, at + 4 + 66 * i)[0]
            digest = data[at + 4 + 66 * i + 2:][:64]
            demand(len(digest) == 64 and (i >= held or size <= 64), "digest")
            if i < held:
                digests.append(digest[:size])
        at += 4 + 66 * 8
    sizes = [{0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64}.get(bank)
             for bank, mask in banks for n in range(24) if mask >> n & 1]
    demand(at == len(data) and [len(d) for d in digests] == sizes, "count")
    return banks, digests


def read_tpm_signature(data):
    """(scheme, hash, signature in the library's form), or None when it is no TPMT_SIGNATURE."""
    c = rules.Cursor(data)
    try:
        scheme, digest = c.number(2), c.number(2)
        if scheme not in (0x0014, 0x0016, 0x0018):
            return None
        parts = [c.sized() for _ in range(2 if scheme == 0x0018 else 1)]
    except EOFError:
        return None
    if not c.done():
        return None
    if scheme == 0x0018:
        return scheme, digest, utils.encode_dss_signature(*(int.from_bytes(p, "big")
                                                            for p in parts))
    return scheme, digest, parts[0]


def quote_signed(key, schemes, digest, message, signature):
    tagged = read_tpm_signature(signature)
    if tagged:
        if tagged[1] != digest:
            return False
        schemes, signature = [s for s in schemes if s == tagged[0]], tagged[2]
    for scheme in schemes:
        if isinstance(key, rsa.RSAPublicKey) == (scheme == 0x0018):
            continue
        salt = padding.PSS.AUTO if scheme == 0x0016 else None
        if signed_by(key, signature, message, HASH_OF[digest], salt):
            return True
    return False


BANKS = {"sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}


def parse_pcr(text):
    match = re.fullmatch(r"(sha256|sha384|sha512):(\d+)=([0-9a-fA-F]+)", text)
    if not match:
        raise Unreadable(f"--pcr {text}")
    return match[1], match[2], match[3]


def parse_time(text):
    """Of --at, or now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    if text is None:
        return now
    form = "%Y-%m-%dT%H:%M:%SZ" if "T" in text else "%Y-%m-%d"
    return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)


def read_measurement(options, policy, own):
    """What is expected, by the options, the policy, or one's own folder: as a policy has it."""
    path = own.path("measurement", "measurement.hex")
    if options.measurement:
        text = options.measurement
    elif "measurements" in policy:
        return policy["measurements"]
    elif path:
        text = own.read("measurement", "measurement.hex").decode(errors="replace")
    elif options.report_only or policy.get("id_key_digests") or policy.get("author_key_digests"):
        return {}
    else:
        raise Unreadable("measurement.hex is missing")
    if not re.fullmatch(r"[0-9a-fA-F]{96}", text.split("\n")[0]):
        raise Unreadable("measurement.hex: no measurement")
    return {"": text.split("\n")[0]}


def policy_of(options):
    """The policy's file, with the rules of options in the place of its own."""
    policy = json.loads(read_file(options.policy)) if options.policy else {}
    for name, option in LISTS.items():
        values = getattr(options, option[2:].replace("-", "_")) if option else None
        if values:
            policy[name] = dict(enumerate(values))
    if options.csp_id:
        policy["csp_ids"] = dict(enumerate(options.csp_id))
    if options.minimum_tcb:
        policy["minimum_tcb"] = {"any": dict(zip(
            ("fmc", "bootloader", "tee", "snp", "microcode"), map(int, options.minimum_tcb.split(","))))}
    if options.minimum_svn is not None:
        policy["minimum_svn"] = options.minimum_svn
    if options.pcr:
        policy["pcrs"] = {}
        for bank, pcr, value in map(parse_pcr, options.pcr):
            policy["pcrs"].setdefault(bank, {})[pcr] = value
    for flag, name in (("trust_emulated", "emulated"), ("allow_masked_chip", "masked_chip"),
                       ("allow_unknown_version", "unknown_version")):
        setattr(options, flag, getattr(options, flag) or policy.get("allow", {}).get(name, False))
    if not options.report_only and not options.keys_only:
        options.report_only = policy.get("look_at") == "report"
        options.keys_only = policy.get("look_at") == "keys"
    options.vmpl = policy.get("vmpl", 0) if options.vmpl is None else options.vmpl
    options.at = options.at or policy.get("at")
    return policy


def rules_of(policy):
    """The rules as the checks want them."""
    short = {"bootloader": "bl", "microcode": "ucode"}
    found = {name: [bytes.fromhex(value) for value in policy.get(name, {}).values()] for name in LISTS}
    found["csp_ids"] = list(policy.get("csp_ids", {}).values())
    found["policy_bits"] = policy.get("policy_bits", {})
    found["minimum_svn"] = policy.get("minimum_svn", 0)
    found["boot"] = policy.get("boot", {})
    found["minimum_tcb"] = {product: {short.get(part, part): least for part, least in tcb.items()}
                            for product, tcb in policy.get("minimum_tcb", {}).items()}
    found["pcrs"] = {(BANKS[bank], int(pcr)): [bytes.fromhex(v) for v in
                                               ([value] if isinstance(value, str) else value)]
                     for bank, pcrs in policy.get("pcrs", {}).items() for pcr, value in pcrs.items()}
    return found


def demand_signed_block(wanted):
    """GUEST_SVN, FAMILY_ID and IMAGE_ID are whoever's signed the ID block: which key has to be demanded."""
    said = wanted["minimum_svn"] or wanted["family_ids"] or wanted["image_ids"]
    if said and not wanted["id_key_digests"] and not wanted["author_key_digests"]:
        raise Unreadable("a rule about an ID block that anybody could have signed")


def demand_launch(policy):
    """What firmware measured of itself is its own word: which was launched has to be demanded."""
    if policy.get("boot", {}).get("firmware") and not policy.get("measurements"):
        raise Unreadable("boot.firmware without measurements")


def demand_starters(policy):
    """Files and words are measured by programs, any of which says what it likes."""
    boot = policy.get("boot", {})
    if any(name in boot for name in ("files", "words", "command_lines")) and \
            not boot.get("programs") and not boot.get("signers"):
        raise Unreadable("what programs measure, without programs or signers")


def verify(arguments):
    """The verdict on evidence, or Unreadable."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("--trust-emulated", "--keys-only", "--report-only", "--allow-masked-chip",
                 "--allow-unknown-version"):
        parser.add_argument(flag, action="store_true")
    for option in ("--certs", "--ark", "--ask", "--vcek", "--asvk", "--vlek", "--measurement",
                   "--ek-cert", "--ca", "--cert-chain", "--at", "--mine", "--nonce", "--challenge",
                   "--report", "--policy", "--minimum-tcb", "--eventlog"):
        parser.add_argument(option)
    parser.add_argument("--crl", action="append", default=[])
    for option in ["--csp-id", *filter(None, LISTS.values())]:
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("--minimum-svn", type=int)
    parser.add_argument("--vmpl", type=int)
    parser.add_argument("--pcr", action="append", default=[])
    parser.add_argument("directory")
    options = parser.parse_args([str(a) for a in arguments])
    policy = policy_of(options)
    demand_starters(policy)
    if options.cert_chain:
        options.ark = options.ask = options.asvk = options.cert_chain
    options.time = parse_time(options.at)
    options.crls = [crl for path in options.crl for crl in read_crls(path)]
    evidence = Evidence(options)
    policy["measurements"] = read_measurement(options, policy, evidence.own)
    demand_launch(policy)
    options.rules = rules_of(policy)
    demand_signed_block(options.rules)
    return Verifier(evidence, options).run()


def main():
    try:
        verdict = verify(sys.argv[1:])
    except (Unreadable, argparse.ArgumentError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return 1
    print(json.dumps(verdict, indent=2))
    return verdict["status"]


if __name__ == "__main__":
    sys.exit(main())
