# SPDX-License-Identifier: MIT
"""The vectors of verdicts.json: whole folders of evidence (docs/evidence.md), good ones for each
binding and spoiled ones, and what a verifier has to say of them. That is written down by hand."""

import hashlib
import struct

from cryptography.hazmat.primitives import serialization

import make_chain
import rules
from make_attestation import NONCE, PCRS, Key, quote, selector

SECRET = hashlib.sha256(b"socle test vectors/secret").digest()


def pcr_file(values=PCRS):
    """As tpm2_quote -o writes them."""
    mask = sum(1 << n for n in values)
    choice = struct.pack("<HB", 0x000B, 3) + mask.to_bytes(4, "little") + b"\0"
    digests = b"".join(struct.pack("<H", 32) + bytes.fromhex(v).ljust(64, b"\0")
                       for _, v in sorted(values.items()))
    return struct.pack("<I", 1) + choice.ljust(128, b"\0") + struct.pack("<I", 1) + \
        struct.pack("<I", len(values)) + digests.ljust(8 * 66, b"\0")


def spki_of(key):
    """P-256 alone."""
    return make_chain.ecc_spki(3, *(int.from_bytes(u, "big") for u in key.public.unique))


def pem_of(key):
    return serialization.load_der_public_key(spki_of(key)).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def flipped(data, offset, bit=0):
    data = bytearray(data)
    data[offset] ^= 1 << bit
    return bytes(data)


class Evidence:
    """A folder in the making; options that are not the usual ones."""

    def __init__(self, world, request, version, keys, nonce=NONCE):
        self.world = world
        self.options = {"trust_emulated": True, "depth": "full",
                        "measurement": make_chain.MEASUREMENT.hex()}
        chain = world.chain
        self.files = {"ark.pem": chain.ark, "ask.pem": chain.ask, "vcek.pem": chain.vcek,
                      "nonce.bin": nonce, "manifest.bin": rules.make_manifest(
                          version, [k.data for k in keys])}
        context = rules.make_context(rules.VTPM, version, request)
        if request:
            self.files.update({"selector.bin": request, "context.bin": context})
        self.sign(rules.report_data(nonce, context, self.files["manifest.bin"]))

    def sign(self, report_data, **changes):
        self.files["report.bin"] = self.world.chain.report(report_data, **changes)
        return self

    def again(self, **changes):
        """The same report with something else in it, signed too."""
        return self.sign(self.files["report.bin"][0x50:0x90], **changes)

    def quoted(self, key, nonce=NONCE, signer=None):
        made = quote(key, nonce, signer)
        self.files.update({"quote.msg": bytes.fromhex(made["message"]),
                           "quote.sig": bytes.fromhex(made["signature"]),
                           "quote.pcrs": pcr_file()})
        return self

    def challenged(self, ek, ak, ek_name=None, area=None):
        area = area or ak.data
        ek_name = ek_name or ek.public.name()
        ak_name = rules.Public(area).name()
        self.files.update({"ek.pub": pem_of(ek), "ak.pub": area, "answer.bin": SECRET})
        self.options["challenge"] = {"ek_name": ek_name.hex(), "ak_name": ak_name.hex(),
                                     "secret": SECRET.hex()}
        return self.quoted(ak, signer=rules.child_name(ek_name, ak_name))

    def certified(self, der, depth=None):
        self.files.update({"ek.crt": der, "ca.crt": self.world.authority.root})
        return self.depth(depth or "full")

    def depth(self, depth):
        self.options["depth"] = depth
        return self

    def refused_roots(self):
        self.options["trust_emulated"] = False
        return self

    def expecting(self, measurement):
        self.options["measurement"] = measurement.hex()
        return self

    def change(self, **files):
        """report_bin=bytes and so on; None takes the file away."""
        for name, data in files.items():
            self.files[name.replace("_", ".")] = data
        self.files = {n: d for n, d in self.files.items() if d is not None}
        return self

    def spoil(self, name, offset, bit=0):
        self.files[name] = flipped(self.files[name], offset, bit)
        return self


class World:
    """Who is there: the chain, the authority, the keys of one vTPM."""

    def __init__(self, keys):
        self.chain, self.authority = make_chain.Chain(), make_chain.Authority()
        self.ek, self.ak = keys["ek-ecc-p256"], keys["ak-ecc-p256"]
        self.child = Key("ak-ecc-p256", "ak below the ek")
        self.other = Key("ak-ecc-p256", "ak of another vtpm")
        self.certificate = self.authority.issue(spki_of(self.ek), 7)
        self.template = selector(rules.TEMPLATE, self.ak.template)
        self.ek_id = selector(rules.KEY, 0x02)

    def attested(self, **more):
        return Evidence(self, self.template, 0, [self.ak], **more).quoted(self.ak)

    def bound(self, request, version, keys, context=None):
        """Attested, but the report is over other things than were asked for."""
        it = Evidence(self, request, version, keys).quoted(self.ak)
        if context is not None:
            it.files["context.bin"] = context
            it.sign(rules.report_data(NONCE, context, it.files["manifest.bin"]))
        return it

    def challenged(self, **more):
        return Evidence(self, self.ek_id, 0, [self.ek]).challenged(self.ek, self.child, **more)

    def listed(self):
        return Evidence(self, b"", 1, [self.ek, self.ak]).quoted(self.ak)

    def selected_ek(self):
        return Evidence(self, self.ek_id, 0, [self.ek])


NO_AK = ["quote-signature", "quote-signer"]


def good(w):
    """Name, evidence, bindings."""
    return [
        ("attested-ak", w.attested(), ["attested-ak"]),
        ("attested-ak in a list", w.listed(), ["attested-ak"]),
        ("challenge", w.challenged(), ["challenge"]),
        ("ek-certificate", w.selected_ek().certified(w.certificate, "keys"), ["ek-certificate"]),
        ("attested-ak and ek-certificate", w.listed().certified(w.certificate),
         ["attested-ak", "ek-certificate"]),
        ("manifest", w.selected_ek().depth("keys"), ["manifest"]),
        ("the report alone", w.selected_ek().depth("report"), []),
    ]


def bad(w):
    """Name, evidence, status, all checks that fail."""
    unrestricted = flipped(w.child.data, 5)
    other_certificate = w.authority.issue(spki_of(w.other), 8)
    return [
        ("an emulated root that nobody trusts", w.attested().refused_roots(), 2, ["root"]),
        ("a certificate with another signature",
         w.attested().change(ask_pem=flipped(w.chain.ask, -1)), 2, ["chain"]),
        ("a bit of the report", w.attested().spoil("report.bin", 0xC0), 2, ["signature"]),
        ("debugging allowed", w.attested().again(policy=0xB0000), 3, ["policy"]),
        ("VMPL 2", w.attested().again(vmpl=2), 3, ["vmpl"]),
        ("another measurement", w.attested().expecting(bytes(48)), 4, ["measurement"]),
        ("another nonce", w.attested().change(nonce_bin=SECRET + SECRET), 5,
         ["report-data", "quote-nonce"]),
        ("another context than the selector's", w.attested().spoil("context.bin", 20), 5,
         ["context"]),
        ("a report without the context", w.bound(w.template, 0, [w.ak], b""), 5,
         ["context", "report-data"]),
        ("another key than the template's", w.bound(
            selector(rules.TEMPLATE, flipped(w.ak.template, 7, 7)), 0, [w.ak]), 5, ["manifest"]),
        ("two keys where one was selected", w.bound(w.template, 1, [w.ak, w.ak]), 5,
         ["manifest"]),
        ("P-256 without a selector in version 0", w.bound(b"", 0, [w.ek]), 5,
         ["manifest", "attested-ak", *NO_AK]),
        ("no signing key attested", w.bound(w.ek_id, 0, [w.ek]), 5, ["attested-ak", *NO_AK]),
        ("a challenge for another key", w.challenged(ek_name=w.other.public.name()), 5,
         ["challenge-ek"]),
        ("a challenge for a key that is not restricted", w.challenged(area=unrestricted), 5,
         ["challenge-ak", "quote-signature"]),
        ("another answer", w.challenged().spoil("answer.bin", 0), 5, ["challenge-answer"]),
        ("a certificate for another key",
         w.selected_ek().certified(other_certificate, "keys"), 5, ["ek-certificate-key"]),
        ("a certificate with another signature, for the key",
         w.selected_ek().certified(flipped(w.certificate, -1), "keys"), 5, ["ek-certificate"]),
        ("a quote by another key", w.attested().quoted(w.other), 6, NO_AK),
        ("a quote by the same key elsewhere", w.attested().quoted(
            w.ak, signer=rules.child_name(w.ek.public.name(), w.ak.public.name())), 6,
         ["quote-signer"]),
        ("a quote over another nonce", w.attested().quoted(w.ak, SECRET + SECRET), 6,
         ["quote-nonce"]),
        ("other PCR values", w.attested().change(quote_pcrs=pcr_file({**PCRS, 7: "44" * 32})), 6,
         ["quote-pcrs"]),
    ]


# What the relying party has of its own; all else is the guest's.
OWN = ("nonce.bin", "ark.pem", "ca.crt")


def describe(name, evidence, expected, store):
    """The vector; files that several folders share are in the store once."""
    files, mine = {}, {}
    for file, data in evidence.files.items():
        known = [key for key, text in store.items()
                 if text == data.hex() and key.rsplit("/", 1)[0] == file]
        key = known[0] if known else \
            f"{file}/{1 + sum(k.rsplit('/', 1)[0] == file for k in store)}"
        store[key] = data.hex()
        (mine if file in OWN else files)[file] = key
    return {"name": name, **evidence.options, "files": files, "mine": mine, "expected": expected}


def make(keys):
    """Files and verdicts."""
    world, store, vectors = World(keys), {}, []
    for name, evidence, bindings in good(world):
        vectors.append(describe(name, evidence, {
            "verdict": "trusted", "status": 0, "binding": bindings[0] if bindings else None,
            "bindings": bindings, "failing": []}, store))
    for name, evidence, status, failing in bad(world):
        vectors.append(describe(name, evidence, {
            "verdict": "refused", "status": status, "binding": None, "bindings": [],
            "failing": failing}, store))
    return {"files": store, "verdicts": vectors}
