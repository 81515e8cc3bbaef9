# SPDX-License-Identifier: MIT
"""Evidence that somebody forged who can sign: every word of a report, every byte of a quote, of a
manifest, a selector and a context, changed, and whatever is over it signed again by the right key. So
nothing but the rules of a verifier can refuse it. Signatures are forged as such, too.

Each forgery is a name and the files that differ from good evidence, by their names."""

import hashlib
import json
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "spec"))

from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: E402

import make_verdicts  # noqa: E402
import rules  # noqa: E402

SIGNED = 0x2A0
R, S = 0x2A0, 0x2E8
P384 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
# What a report of version 5 says that no rule is about when nothing but the report is looked at, by the
# words of 8 bytes that it stands in (SNP firmware ABI, ATTESTATION_REPORT): FAMILY_ID and IMAGE_ID,
# PLATFORM_INFO, REPORT_DATA to REPORT_ID_MA, both mitigation vectors.
FREE = {*range(0x10, 0x30, 8), 0x40, *range(0x50, 0x180, 8), 0x1F8, 0x200}
# Single bits: version 4 for 5, GUEST_SVN, the policy's ABI_MINOR, a higher current boot loader, an author
# key, a newer build of the current firmware, older microcode at launch.
FREE_BITS = {("first", 0x00), ("last", 0x00), ("first", 0x08), ("first", 0x38), ("first", 0x48),
             ("first", 0x1E8), ("last", 0x1F0)}


def is_free(which, at):
    return at in FREE or (which, at) in FREE_BITS


class Signer:
    """The VCEK's private key, quick where make_chain's is the same every time."""

    def __init__(self, key):
        self.private = ec.derive_private_key(key.scalar, ec.SECP384R1())

    def pair(self, report):
        return utils.decode_dss_signature(self.private.sign(bytes(report[:SIGNED]),
                                                            ec.ECDSA(hashes.SHA384())))

    def sign(self, report):
        return put_pair(report, *self.pair(report))


def put_pair(report, r, s):
    report = bytearray(report)
    for at, number in ((R, r), (S, s)):
        report[at:at + 72] = number.to_bytes(72, "little")
    return bytes(report)


def changed(data, at, value):
    data = bytearray(data)
    data[at] ^= value
    return bytes(data)


def reports(chain):
    """Words of the signed part, two bits of each: a name, the report, whether no rule is about it."""
    signer = Signer(chain.key)
    good = signer.sign(chain.report)
    for at in range(0, SIGNED, 8):
        for which, place, bit in (("first", at, 0x01), ("last", at + 7, 0x80)):
            yield (f"the {which} bit of the word at {at:#x}", signer.sign(changed(good, place, bit)),
                   is_free(which, at))


def signatures(chain):
    """Numbers that are none of a signature, or another one's, and what stands behind them."""
    signer = Signer(chain.key)
    r, s = signer.pair(chain.report)
    other = signer.pair(changed(chain.report, 0x40, 2))
    for name, pair in (("r is 0", (0, s)), ("s is 0", (r, 0)), ("both are 0", (0, 0)),
                       ("r is the order", (P384, s)), ("s is the order", (r, P384)),
                       ("r is larger by the order", (r + P384, s)),
                       ("s is larger by the order", (r, s + P384)),
                       ("r and s in each other's place", (s, r)),
                       ("another report's r", (other[0], s)), ("another report's s", (r, other[1])),
                       ("another report's", other)):
        yield f"signature: {name}", put_pair(chain.report, *pair)
    good = put_pair(chain.report, r, s)
    for at in (0x2A0, 0x2CF, 0x2D0, 0x2E7, 0x2E8, 0x317, 0x318, 0x32F):
        yield f"signature: a bit at {at:#x}", changed(good, at, 1)
    for at in (0x330, 0x400, 0x49F):
        yield f"a bit behind the signature, at {at:#x}", changed(good, at, 0x10)


class Bound:
    """Whole evidence of verdicts.json's world, in which every key can sign."""

    def __init__(self):
        self.world = make_verdicts.World({name: make_verdicts.Key(name) for name in (
            "ek-ecc-p256", "ak-ecc-p256")})
        self.good = self.world.attested()
        self.challenged = self.world.challenged()
        self.signer = Signer(self.world.chain.vcek_key)

    def report(self, manifest, selector, context):
        report = bytearray(self.good.files["report.bin"])
        report[0x50:0x90] = rules.report_data(make_verdicts.NONCE, context, manifest)
        return self.signer.sign(report)

    def rebound(self, **files):
        """The report is over what is there now."""
        now = {**self.good.files, **{n.replace("_", "."): d for n, d in files.items()}}
        files = {n.replace("_", "."): d for n, d in files.items()}
        files["report.bin"] = self.report(now["manifest.bin"], now["selector.bin"], now["context.bin"])
        return files

    def quotes(self, stride=1):
        message = self.good.files["quote.msg"]
        for at in range(0, len(message), stride):
            forged = changed(message, at, 1 << at % 8)
            yield f"quote: a bit of byte {at}, signed", {
                "quote.msg": forged, "quote.sig": self.world.ak.sign(forged)}
        for size in range(0, len(message), 16):
            yield f"quote: {size} bytes, signed", {
                "quote.msg": message[:size], "quote.sig": self.world.ak.sign(message[:size])}
        longer = message + b"\0"
        yield "quote: a byte more, signed", {"quote.msg": longer,
                                             "quote.sig": self.world.ak.sign(longer)}

    def manifests(self, stride=1):
        manifest = self.good.files["manifest.bin"]
        for at in range(0, len(manifest), stride):
            yield f"manifest: a bit of byte {at}, bound", self.rebound(
                manifest_bin=changed(manifest, at, 1 << at % 8))
        for size in (0, 1, 4, 8, 10, len(manifest) - 1):
            yield f"manifest: {size} bytes, bound", self.rebound(manifest_bin=manifest[:size])
        yield "manifest: a byte more, bound", self.rebound(manifest_bin=manifest + b"\0")

    def selectors(self, stride=1):
        """With the context that follows, so that it is the rules for selectors that refuse."""
        selector = self.good.files["selector.bin"]
        version = rules.manifest_version(self.good.files["manifest.bin"])
        for at in range(0, len(selector), stride):
            forged = changed(selector, at, 1 << at % 8)
            yield f"selector: a bit of byte {at}, bound", self.rebound(
                selector_bin=forged, context_bin=rules.make_context(rules.VTPM, version, forged))

    def contexts(self, stride=1):
        context = self.good.files["context.bin"]
        for at in range(0, len(context), stride):
            yield f"context: a bit of byte {at}, bound", self.rebound(
                context_bin=changed(context, at, 1 << at % 8))

    def values(self):
        values = self.good.files["quote.pcrs"]
        for at in [*range(0, 24), *range(128, len(values), 29)]:
            yield f"PCR values: a bit of byte {at}", {"quote.pcrs": changed(values, at, 1)}


def key_changes(key):
    """Bits of the first bytes of a public area: what the rules for keys are about."""
    for at in range(0, min(len(key), 24)):
        for bit in range(8):
            yield at, bit, changed(key, at, 1 << bit)


def challenged_keys(bound):
    """The challenged AK with other attributes, and its own Name in the challenge."""
    record = bound.challenged.options["challenge"]
    for at, bit, area in key_changes(bound.challenged.files["ak.pub"]):
        try:
            name = rules.Public(area).name()
        except (KeyError, EOFError, ValueError):
            name = area[2:4] + hashlib.sha256(area).digest()
        yield f"challenged AK: bit {bit} of byte {at}", {
            "ak.pub": area, "challenge.json": json.dumps({**record, "ak_name": name.hex()}).encode()}
