#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the test vectors of docs/spec/vectors: the same bytes every time, from keys that follow
from their names. What each selector and each broken manifest has to give is written down here by
hand; everything else is computed as docs/spec/create-and-attest.md says.

    make_vectors.py DIRECTORY

docs/spec/vectors/README.md explains the files."""

import hashlib
import json
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

import rules

SMALL_PRIMES = [p for p in range(3, 2000, 2) if all(p % d for d in range(3, int(p ** .5) + 1, 2))]
ORDERS = {curve: int(text, 16) for curve, text in {
    3: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    4: "ff" * 24 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    5: "01" + "ff" * 32 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
}.items()}
CURVES = {3: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}

POLICY_A = "0020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
POLICY_B = {
    "sha256": "0020ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0",
    "sha384": "0030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba0969964615"
              "0f9fc000f3f80e12",
    "sha512": "0040b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d5"
              "7edb25fbdb1838425608b413cd616a5f6db5b6071af99bea",
}
TEMPLATES = {name: bytes.fromhex(text) for name, text in {
    "ek-rsa2048": "0001000b000300b2" + POLICY_A + "000600800043001008000000000001" + "00" * 257,
    "ek-ecc-p256": "0023000b000300b2" + POLICY_A + "0006008000430010000300100020" + "00" * 32 +
                   "0020" + "00" * 32,
    "ek-h1-rsa2048": "0001000b000300f2" + POLICY_B["sha256"] + "00060080004300100800000000000000",
    "ek-h2-ecc-p256": "0023000b000300f2" + POLICY_B["sha256"] +
                      "00060080004300100003001000000000",
    "ek-h3-ecc-p384": "0023000c000300f2" + POLICY_B["sha384"] +
                      "00060100004300100004001000000000",
    "ek-h4-ecc-p521": "0023000d000300f2" + POLICY_B["sha512"] +
                      "00060100004300100005001000000000",
    "ek-h6-rsa3072": "0001000c000300f2" + POLICY_B["sha384"] + "00060100004300100c00000000000000",
    "ak-rsa2048": "0001000b00050072000000100014000b0800000000000000",
    "ak-ecc-p256": "0023000b00050072000000100018000b0003001000000000",
    "ak-ecc-p384": "0023000c00050072000000100018000c0004001000000000",
}.items()}
KEY_IDS = {"ek-rsa2048": 0x01, "ek-ecc-p256": 0x02, "ek-h1-rsa2048": 0x11, "ek-h2-ecc-p256": 0x12,
           "ek-h3-ecc-p384": 0x13, "ek-h4-ecc-p521": 0x14, "ek-h6-rsa3072": 0x16,
           "ak-rsa2048": 0x81, "ak-ecc-p256": 0x82, "ak-ecc-p384": 0x83}
AK_NV = {"ak-rsa2048": 0x01C10001, "ak-ecc-p256": 0x01C10003}
DIGEST_INFO = {0x000B: "3031300d060960864801650304020105000420",
               0x000C: "3041300d060960864801650304020205000430"}
PCRS = {0: "11" * 32, 7: "22" * 32, 16: "33" * 32}


def stream(label, bits):
    """A number of that many bits that follows from a label."""
    data, counter = b"", 0
    while 8 * len(data) < bits:
        data += hashlib.sha512(f"socle test vectors/{label}/{counter}".encode()).digest()
        counter += 1
    return int.from_bytes(data, "big") & (1 << bits) - 1


def is_prime(n):
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(label, bits):
    """The first prime above a number that follows from label, p - 1 without the factor 65537."""
    n = stream(label, bits) | 3 << bits - 2 | 1
    while n % 65537 == 1 or not is_prime(n):
        n += 2
    return n


class Key:
    """What a TPM would make of a template, and its private half."""

    def __init__(self, name):
        self.name, self.template = name, TEMPLATES[name]
        template = rules.Public(self.template)
        if template.type == rules.RSA:
            p, q = (prime(f"{name}/{side}", template.size // 2) for side in "pq")
            self.modulus = p * q
            self.exponent = pow(65537, -1, (p - 1) * (q - 1))
            unique = [self.modulus]
        else:
            self.scalar = stream(name, 600) % (ORDERS[template.size] - 1) + 1
            point = ec.derive_private_key(self.scalar, CURVES[template.size])
            numbers = point.public_key().public_numbers()
            unique = [numbers.x, numbers.y]
        size = template.number_size()
        self.data = self.template[:template.unique_offset] + b"".join(
            struct.pack(">H", size) + n.to_bytes(size, "big") for n in unique)
        self.public = rules.Public(self.data)

    def sign(self, message):
        """A TPMT_SIGNATURE by the key's own scheme; ECDSA with a number that follows from it."""
        scheme, alg = self.public.scheme
        digest = rules.HASHES[alg](message).digest()
        tag = struct.pack(">HH", scheme, alg)
        size = self.public.number_size()
        if self.public.type == rules.RSA:
            block = bytes.fromhex(DIGEST_INFO[alg]) + digest
            block = b"\0\1" + b"\xff" * (size - 3 - len(block)) + b"\0" + block
            parts = [pow(int.from_bytes(block, "big"), self.exponent, self.modulus)]
        else:
            parts = self.ecdsa(int.from_bytes(digest, "big"), stream(digest.hex(), 600))
        return tag + b"".join(struct.pack(">H", size) + n.to_bytes(size, "big") for n in parts)

    def ecdsa(self, digest, number):
        order, curve = ORDERS[self.public.size], CURVES[self.public.size]
        k = number % (order - 1) + 1
        r = ec.derive_private_key(k, curve).public_key().public_numbers().x % order
        return [r, pow(k, -1, order) * (digest + r * self.scalar) % order]

    def describe(self):
        name = self.public.name()
        return {"key": self.name, "template": self.template.hex(), "public": self.data.hex(),
                "tpm_name": name.hex(), "qualified_name": rules.primary_name(name).hex()}


def quote(key, nonce):
    """TPMS_ATTEST of a quote over PCRS of SHA-256, and its signature."""
    values = [bytes.fromhex(v) for _, v in sorted(PCRS.items())]
    mask = sum(1 << n for n in PCRS)
    digest = rules.HASHES[key.public.scheme[1]](b"".join(values)).digest()
    signer = rules.primary_name(key.public.name())
    message = b"\xffTCG" + struct.pack(">HH", 0x8018, len(signer)) + signer + \
        struct.pack(">H", len(nonce)) + nonce + \
        struct.pack(">QIIBQ", 5_000, 1, 0, 1, 0x2016051100162800) + \
        struct.pack(">IHB", 1, 0x000B, 3) + mask.to_bytes(3, "little") + \
        struct.pack(">H", len(digest)) + digest
    return {"message": message.hex(), "signature": key.sign(message).hex(),
            "pcrs": {"sha256": {str(n): v for n, v in sorted(PCRS.items())}}}


# One for all: then REPORT_DATA differs by what was asked for and what was attested, or not at all.
NONCE = hashlib.sha512(b"socle test vectors/nonce").digest()


def attestation(name, call, version, selector, keys, same_as=None):
    context = rules.make_context(rules.VTPM, version, selector or b"")
    manifest = rules.make_manifest(version, [k.data for k in keys])
    vector = {"name": name, "call": call, "nonce": NONCE.hex(),
              "service_guid": {"text": str(rules.VTPM), "bytes": rules.VTPM.bytes_le.hex()},
              "manifest_version": version,
              "selector": None if selector is None else selector.hex(),
              "keys": [k.describe() for k in keys], "context": context.hex(),
              "manifest": manifest.hex(),
              "report_data": rules.report_data(NONCE, context, manifest).hex()}
    if same_as:
        vector["same_report_data_as"] = same_as
    signing = [k for k in keys if k.public.signing]
    if signing:
        vector["quote"] = quote(signing[0], NONCE)
    return vector


def selector(kind, rest=b""):
    return struct.pack("<Q", kind) + (rest if isinstance(rest, bytes) else struct.pack("<I", rest))


def make_attestations(keys):
    profile = [keys[n] for n in ("ek-rsa2048", "ek-ecc-p256", "ak-rsa2048", "ak-ecc-p256",
                                 "ak-ecc-p384")]
    ek = profile[:1]
    vectors = [
        attestation("call 1, version 0", 1, 0, None, ek),
        attestation("call 1, version 1", 1, 1, None, profile),
        attestation("kind 0, version 0", 2, 0, selector(0), ek, "call 1, version 0"),
        attestation("kind 0, version 1", 2, 1, selector(0), profile, "call 1, version 1"),
        attestation("no selector, version 0", 2, 0, b"", ek, "call 1, version 0"),
        attestation("no selector, version 1", 2, 1, b"", profile, "call 1, version 1"),
    ]
    for name, key in keys.items():
        for version in (0, 1):
            vectors.append(attestation(f"kind 1, {name}, version {version}", 2, version,
                                       selector(1, key.template), [key]))
            vectors.append(attestation(f"kind 2, {name}, version {version}", 2, version,
                                       selector(2, KEY_IDS[name]), [key]))
            if name in AK_NV:
                vectors.append(attestation(f"kind 3, {name}, version {version}", 2, version,
                                           selector(3, AK_NV[name]), [key]))
    return vectors


def changed(name, **at):
    """A template with other bytes: aN=value sets byte N."""
    data = bytearray(TEMPLATES[name])
    for place, value in at.items():
        data[int(place[1:])] = value
    return bytes(data)


def make_selectors():
    ak, ek = TEMPLATES["ak-ecc-p256"], TEMPLATES["ek-h1-rsa2048"]
    rsa_ak = TEMPLATES["ak-rsa2048"]

    def template(data, expected="ok"):
        return selector(1, data), expected

    cases = {"no selector": (b"", "ok"), "kind 0": (selector(0), "ok")}
    cases.update({f"kind 1: {n}": template(t) for n, t in TEMPLATES.items()})
    cases.update({f"kind 2: {n}": (selector(2, i), "ok") for n, i in KEY_IDS.items()})
    cases.update({
        "kind 2: an id that no profile has": (selector(2, 0xFFFFFFFF), "ok"),
        "kind 3": (selector(3, 0x01C10003), "ok"),
        "kind 3: the last NV index": (selector(3, 0x01FFFFFF), "ok"),
        "kind 3: a persistent handle": (selector(3, 0x81010001), "bad-index"),
        "kind 3: a PCR": (selector(3, 0), "bad-index"),
        "one byte": (b"\1", "too-short"),
        "seven bytes": (selector(1)[:7], "too-short"),
        "kind 0 with a byte": (selector(0, b"\0"), "bad-size"),
        "kind 1 without a template": (selector(1), "template-size"),
        "kind 2 without an id": (selector(2), "bad-size"),
        "kind 2 with three bytes": (selector(2, b"\1\0\0"), "bad-size"),
        "kind 2 with five bytes": (selector(2, b"\1\0\0\0\0"), "bad-size"),
        "kind 3 with eight bytes": (selector(3, struct.pack("<Q", 0x01C10003)), "bad-size"),
        "kind 4": (selector(4), "unknown-kind"),
        "kind 1 in the upper half": (struct.pack("<Q", 1 << 32) + ak, "unknown-kind"),
        "kind 1, big-endian": (struct.pack(">Q", 1) + ak, "unknown-kind"),
        "1024 bytes": (selector(1, ak + bytes(1016 - len(ak))), "template-trailing"),
        "1025 bytes": (selector(1, ak + bytes(1017 - len(ak))), "too-long"),
        "a template cut by one byte": template(ak[:-1], "template-truncated"),
        "a template cut after its type": template(ak[:2], "template-truncated"),
        "half a type": template(ak[:1], "template-truncated"),
        "a template and a byte": template(ak + b"\0", "template-trailing"),
        "a TPM2B_PUBLIC": template(struct.pack(">H", len(ak)) + ak, "template-type"),
        "a keyed hash": template(bytes.fromhex("0008000b00050072000000050000"), "template-type"),
        "Names with SHA-1": template(changed("ak-ecc-p256", a3=4), "template-name-alg"),
        "Names with SM3": template(changed("ak-ecc-p256", a3=0x12), "template-name-alg"),
        "attribute bit 0": template(changed("ak-ecc-p256", a7=0x73), "template-reserved"),
        "attribute bit 8": template(changed("ak-ecc-p256", a6=0x01), "template-reserved"),
        "attribute bit 31": template(changed("ak-ecc-p256", a4=0x80), "template-reserved"),
        "fixedTPM clear": template(changed("ak-ecc-p256", a7=0x70), "template-movable"),
        "fixedParent clear": template(changed("ak-ecc-p256", a7=0x62), "template-movable"),
        "encryptedDuplication": template(changed("ak-ecc-p256", a6=0x08), "template-movable"),
        "sensitiveDataOrigin clear": template(changed("ak-ecc-p256", a7=0x52), "template-origin"),
        "restricted clear": template(changed("ak-ecc-p256", a5=0x04), "template-unrestricted"),
        "unrestricted decryption": template(changed("ek-h1-rsa2048", a5=0x02),
                                            "template-unrestricted"),
        "sign and decrypt": template(changed("ak-ecc-p256", a5=0x07), "template-purpose"),
        "neither sign nor decrypt": template(changed("ak-ecc-p256", a5=0x01), "template-purpose"),
        "x509sign": template(changed("ak-ecc-p256", a5=0x0D), "template-purpose"),
        "stClear and noDA": template(changed("ak-ecc-p256", a7=0x76, a6=0x04)),
        "adminWithPolicy": template(changed("ak-ecc-p256", a7=0xF2)),
        "no authorization at all": template(changed("ak-ecc-p256", a7=0x32)),
        "a policy of 20 bytes": template(ak[:8] + b"\0\x14" + bytes(20) + ak[10:],
                                         "template-policy"),
        "a policy to sign": template(ak[:8] + b"\0\x20" + bytes(32) + ak[10:]),
        "a signing key with AES": template(ak[:10] + bytes.fromhex("000600800043") + ak[12:],
                                           "template-symmetric"),
        "an EK without AES": template(ek[:42] + b"\0\x10" + ek[48:], "template-symmetric"),
        "an EK with AES-CTR": template(changed("ek-h1-rsa2048", a47=0x40), "template-symmetric"),
        "an EK with AES-192": template(changed("ek-h1-rsa2048", a45=0xC0), "template-symmetric"),
        "an EK with AES-256": template(changed("ek-h1-rsa2048", a44=1, a45=0)),
        "an AK without a scheme": template(ak[:12] + b"\0\x10" + ak[16:], "template-scheme"),
        "ECDSA with SHA-1": template(changed("ak-ecc-p256", a15=4), "template-scheme"),
        "ECDSA with SHA-512": template(changed("ak-ecc-p256", a15=0x0D)),
        "ECDSA by RSA": template(changed("ak-rsa2048", a13=0x18), "template-scheme"),
        "RSASSA by ECC": template(changed("ak-ecc-p256", a13=0x14), "template-scheme"),
        "RSAPSS": template(changed("ak-rsa2048", a13=0x16)),
        "OAEP for an EK": template(ek[:48] + bytes.fromhex("0017000b") + ek[50:],
                                   "template-scheme"),
        "RSA 1024": template(changed("ak-rsa2048", a16=4), "template-key"),
        "RSA 4096": template(changed("ak-rsa2048", a16=16)),
        "exponent 3": template(changed("ak-rsa2048", a21=3), "template-key"),
        "exponent 65537, written out": template(changed("ak-rsa2048", a19=1, a21=1)),
        "P-192": template(changed("ak-ecc-p256", a17=1), "template-key"),
        "SM2": template(changed("ak-ecc-p256", a17=0x20), "template-key"),
        "P-521": template(changed("ak-ecc-p256", a17=5)),
        "a key derivation scheme": template(ak[:18] + bytes.fromhex("0020000b") + ak[20:],
                                            "template-key"),
        "unique as a start value": template(rsa_ak[:-2] + b"\0\4abcd"),
        "unique longer than the modulus": template(rsa_ak[:-2] + b"\1\1" + bytes(257),
                                                   "template-unique"),
        "unique longer than a coordinate": template(ak[:-4] + b"\0\0\0\x21" + bytes(33),
                                                    "template-unique"),
    })
    vectors = []
    for name, (data, expected) in cases.items():
        kind = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else 0
        vector = {"name": name, "selector": data.hex(), "expected": expected}
        if expected == "ok":
            vector["kind"] = kind
            if kind in (rules.KEY, rules.NV):
                vector["id"] = struct.unpack_from("<I", data, 8)[0]
        vectors.append(vector)
    return vectors


def make_manifests(keys):
    ek, ak = keys["ek-rsa2048"].data, keys["ak-ecc-p256"].data

    def as_list(*publics, version=1, count=None):
        return struct.pack(">II", version, len(publics) if count is None else count) + \
            b"".join(struct.pack(">H", len(p)) + p for p in publics)

    free = bytearray(ak)
    free[5] = 0x04  # restricted clear
    cases = [
        ("version 0, EK", 0, ek, 1), ("version 0, AK", 0, ak, 1),
        ("version 1, one key", 1, as_list(ak), 1), ("version 1, two keys", 1, as_list(ek, ak), 2),
        ("version 1, 32 keys", 1, as_list(*32 * [ak]), 32),
        ("nothing", 0, b"", 0), ("one byte", 0, b"\0", 0),
        ("version 0 with a byte more", 0, ek + b"\0", 0),
        ("version 0 cut short", 0, ek[:-1], 0),
        ("version 0 as TPM2B_PUBLIC", 0, struct.pack(">H", len(ek)) + ek, 0),
        ("version 0, a template", 0, TEMPLATES["ak-ecc-p256"], 0),
        ("version 0, an unrestricted key", 0, bytes(free), 0),
        ("version 0, zeros in place of a type", 1, b"\0\0" + ak[2:], 0),
        ("version 1 cut within its header", 1, as_list(ak)[:7], 0),
        ("version 1 without keys", 1, as_list(), 0),
        ("version 1, 33 keys", 1, as_list(*33 * [ak]), 0),
        ("version 1, more keys counted than there are", 1, as_list(ak, count=2), 0),
        ("version 1, fewer keys counted than there are", 1, as_list(ak, ak, count=1), 0),
        ("version 1, a count without end", 1, as_list(ak, count=0xFFFFFFFF), 0),
        ("version 1 cut within a key", 1, as_list(ek, ak)[:-1], 0),
        ("version 1, an empty key", 1, as_list(b"", ak), 0),
        ("version 1, a bad key after a good one", 1, as_list(ak, bytes(free)), 0),
        ("version 1, little-endian", 0, struct.pack("<II", 1, 1) + as_list(ak)[8:], 0),
        ("version 2", 1, as_list(ak, version=2), 0),
    ]
    return [{"name": name, "manifest": data.hex(), "version": version,
             "expected": "accept" if count else "refuse", "keys": count}
            for name, version, data, count in cases]


def make():
    """File names and what they hold."""
    keys = {name: Key(name) for name in TEMPLATES}
    head = {"specification": "docs/spec/create-and-attest.md", "format": 1}
    return {
        "attestations.json": {**head, "attestations": make_attestations(keys)},
        "selectors.json": {**head, "selectors": make_selectors()},
        "manifests.json": {**head, "manifests": make_manifests(keys)},
    }


def render(content):
    return json.dumps(content, indent=1) + "\n"


def main():
    for name, content in make().items():
        (Path(sys.argv[1]) / name).write_text(render(content))


if __name__ == "__main__":
    main()
