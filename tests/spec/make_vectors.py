#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the test vectors of docs/spec/vectors: the same bytes every time, from keys that follow
from their names. What each selector and each broken manifest has to give is written down here by
hand; everything else is computed as docs/spec/create-and-attest.md says.

    make_vectors.py DIRECTORY

docs/spec/vectors/README.md explains the files."""

import json
import struct
import sys
from pathlib import Path

import make_verdicts
import rules
from make_attestation import AK_NV, KEY_IDS, NONCE, TEMPLATES, Key, quote, selector

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
            if name in KEY_IDS:
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


# Section 4: RAX by its name there. Of the TPM's response codes one stands for all.
RESULTS = {"SVSM_SUCCESS": 0, "SVSM_ERR_INCOMPLETE": 0x80000000,
           "SVSM_ERR_INVALID_ADDRESS": 0x80000003, "SVSM_ERR_INVALID_PARAMETER": 0x80000005,
           "SVSM_ERR_SERVICE_FAILED": 0x80001001, "SVSM_ERR_SERVICE_BUSY": 0x80001002,
           "SVSM_ERR_ATTEST_SELECTOR": 0x80001100, "SVSM_ERR_ATTEST_TPM": 0x80002000}
REFUSED = "SVSM_ERR_ATTEST_SELECTOR"
TPM_CODES = {"TPM_RC_HIERARCHY, handle 1": 0x185, "TPM_RC_NV_LOCKED": 0x148,
             "TPM_RC_INITIALIZE": 0x100, "the highest": 0xFFF}


def make_results():
    results = [{"name": name, "rax": f"{rax:#010x}"} for name, rax in RESULTS.items()
               if name != "SVSM_ERR_ATTEST_TPM"]
    return results + [{"name": "SVSM_ERR_ATTEST_TPM", "tpm": name, "tpm_rc": code,
                       "rax": f"{RESULTS['SVSM_ERR_ATTEST_TPM'] + code:#010x}"}
                      for name, code in TPM_CODES.items()]


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
        vector = {"name": name, "selector": data.hex(), "expected": expected,
                  "result": f"{RESULTS['SVSM_SUCCESS' if expected == 'ok' else REFUSED]:#010x}"}
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
        "results.json": {**head, "results": make_results()},
        "verdicts.json": {**head, **make_verdicts.make(keys)},
    }


def render(content):
    return json.dumps(content, indent=1) + "\n"


def main():
    for name, content in make().items():
        (Path(sys.argv[1]) / name).write_text(render(content))


if __name__ == "__main__":
    main()
