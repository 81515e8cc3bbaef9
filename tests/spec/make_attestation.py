# SPDX-License-Identifier: MIT
"""What the test vectors are about: templates, keys made from them, quotes by these, selectors."""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric import ec

import numbers_of
import rules

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
    # As a relying party may choose one of its own: unique is a start value.
    "ak-ecc-p256-unique": "0023000b00050072000000100018000b00030010" + "".join(
        "0020" + hashlib.sha256(f"socle test vectors/unique/{side}".encode()).hexdigest()
        for side in "xy"),
}.items()}
KEY_IDS = {"ek-rsa2048": 0x01, "ek-ecc-p256": 0x02, "ek-h1-rsa2048": 0x11, "ek-h2-ecc-p256": 0x12,
           "ek-h3-ecc-p384": 0x13, "ek-h4-ecc-p521": 0x14, "ek-h6-rsa3072": 0x16,
           "ak-rsa2048": 0x81, "ak-ecc-p256": 0x82, "ak-ecc-p384": 0x83}
AK_NV = {"ak-rsa2048": 0x01C10001, "ak-ecc-p256": 0x01C10003}
DIGEST_INFO = {0x000B: "3031300d060960864801650304020105000420",
               0x000C: "3041300d060960864801650304020205000430"}
PCRS = {0: "11" * 32, 7: "22" * 32, 16: "33" * 32}


class Key:
    """What a TPM would make of a template, and its private half. label: of another such key."""

    def __init__(self, name, label=None):
        self.name, self.template = name, TEMPLATES[name]
        template = rules.Public(self.template)
        if template.type == rules.RSA:
            p, q = (numbers_of.prime(f"{label or name}/{side}", template.size // 2) for side in "pq")
            self.modulus = p * q
            self.exponent = pow(65537, -1, (p - 1) * (q - 1))
            unique = [self.modulus]
        else:
            self.scalar = numbers_of.scalar(label or name, template.size)
            point = ec.derive_private_key(self.scalar, numbers_of.CURVES[template.size])
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
            parts = numbers_of.ecdsa(self.public.size, self.scalar, digest)
        return tag + b"".join(struct.pack(">H", size) + n.to_bytes(size, "big") for n in parts)

    def describe(self):
        name = self.public.name()
        return {"key": self.name, "template": self.template.hex(), "public": self.data.hex(),
                "tpm_name": name.hex(), "qualified_name": rules.primary_name(name).hex()}


def quote(key, nonce, signer=None):
    """TPMS_ATTEST of a quote over PCRS of SHA-256, and its signature. signer: the qualified name
    that it bears, where that is not a primary key's."""
    values = [bytes.fromhex(v) for _, v in sorted(PCRS.items())]
    mask = sum(1 << n for n in PCRS)
    digest = rules.HASHES[key.public.scheme[1]](b"".join(values)).digest()
    signer = signer or rules.primary_name(key.public.name())
    message = b"\xffTCG" + struct.pack(">HH", 0x8018, len(signer)) + signer + \
        struct.pack(">H", len(nonce)) + nonce + \
        struct.pack(">QIIBQ", 5_000, 1, 0, 1, 0x2016051100162800) + \
        struct.pack(">IHB", 1, 0x000B, 3) + mask.to_bytes(3, "little") + \
        struct.pack(">H", len(digest)) + digest
    return {"message": message.hex(), "signature": key.sign(message).hex(),
            "pcrs": {"sha256": {str(n): v for n, v in sorted(PCRS.items())}}}


# One for all: then REPORT_DATA differs by what was asked for and what was attested, or not at all.
NONCE = hashlib.sha512(b"socle test vectors/nonce").digest()


def selector(kind, rest=b""):
    return struct.pack("<Q", kind) + (rest if isinstance(rest, bytes) else struct.pack("<I", rest))
