#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the fuzzers of the verifier's readers begin with, out of the test vectors and of this test's makers.

    fuzz_corpus.py report|selector|log|policy|evidence|request|chain|quote|parts|folder|fetched FOLDER
"""

import base64
import datetime
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import boots
import chains
import verify_test as common
from chains import crl
from make_attestation import TEMPLATES, Key

# In the order of tools/verify/tests/fuzz_folder.c; with the highest bit it is the relying party's.
NAMES = ("outblob", "auxblob", "manifestblob", "report.bin", "certs.bin", "manifest.bin", "ark.pem", "ask.pem",
         "vcek.pem", "asvk.pem", "vlek.pem", "selector.bin", "context.bin", "ek.pub", "ak.pub", "answer.bin",
         "quote.msg", "quote.sig", "quote.pcrs", "eventlog.bin", "nonce.bin", "challenge.json", "measurement.hex")
MINE = 0x80
KERNELS = {"report.bin": "outblob", "certs.bin": "auxblob", "manifest.bin": "manifestblob"}
ROOT = Path(__file__).resolve().parents[2]
# tools/libverify/socle-verify.h; the report comes first.
PARTS = {"report.bin": 1, "certs.bin": 2, "ark.pem": 66, "ask.pem": 4, "vcek.pem": 5, "manifest.bin": 6,
         "selector.bin": 7, "context.bin": 8, "ek.pub": 9, "ak.pub": 10, "answer.bin": 11, "quote.msg": 12,
         "quote.sig": 13, "quote.pcrs": 14, "ek.crt": 15, "eventlog.bin": 16, "nonce.bin": 64, "challenge.json": 65,
         "ca.crt": 67}


def vectors():
    """Name, files of the guest, files of the relying party."""
    everything = json.loads((ROOT / "docs/spec/vectors/verdicts.json").read_text())
    for vector in everything["verdicts"]:
        files, own = ({name: bytes.fromhex(everything["files"][key]) for name, key in vector[part].items()}
                      for part in ("files", "mine"))
        if "challenge" in vector:
            own["challenge.json"] = json.dumps(vector["challenge"]).encode()
        yield vector["name"], files, own


def as_json(report):
    """In snpguest's form, of version 3 and later."""
    def number(at, size):
        return int.from_bytes(report[at:at + size], "little")

    def tcb(at):
        return {"fmc": None, "bootloader": report[at], "tee": report[at + 1], "snp": report[at + 6],
                "microcode": report[at + 7]}

    def version(at):
        return {"build": report[at], "minor": report[at + 1], "major": report[at + 2]}

    def array(at, size):
        return list(report[at:at + size])

    return {"version": number(0, 4), "guest_svn": number(4, 4), "policy": number(8, 8), "family_id": array(16, 16),
            "image_id": array(32, 16), "vmpl": number(48, 4), "sig_algo": number(52, 4), "current_tcb": tcb(0x38),
            "plat_info": number(0x40, 8), "key_info": number(0x48, 4), "report_data": array(0x50, 64),
            "measurement": array(0x90, 48), "host_data": array(0xC0, 32), "id_key_digest": array(0xE0, 48),
            "author_key_digest": array(0x110, 48), "report_id": array(0x140, 32), "report_id_ma": array(0x160, 32),
            "reported_tcb": tcb(0x180), "cpuid_fam_id": report[0x188], "cpuid_mod_id": report[0x189],
            "cpuid_step": report[0x18A], "chip_id": array(0x1A0, 64), "committed_tcb": tcb(0x1E0),
            "current": version(0x1E8), "committed": version(0x1EC), "launch_tcb": tcb(0x1F0),
            "signature": {"r": array(0x2A0, 72), "s": array(0x2E8, 72)}}


def field(number, data):
    """Of a protocol buffer, with a length."""
    length, text = len(data), b""
    while length >= 128:
        text, length = text + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + text + bytes([length]) + data


def pem_of_list(der):
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(der) + b"-----END X509 CRL-----\n"


def reports():
    """Forms of a report, tables and revocation lists."""
    chain = chains.Chain()
    report = chains.report.sign(chain.report, chain.key.pair)
    der = dict(zip(("ark", "ask", "vcek"), chain.certificates()))
    table = common.make_table(der)
    snp, azure = as_json(report), b"HCLA" + bytes(28) + report + bytes(200)
    yield from ((f"raw{i}", data) for i, data in enumerate((
        report, report + table, report.hex().encode(), base64.b64encode(report + table), table,
        json.dumps(snp).encode(), json.dumps({"attestation_report": snp, "cert_chain": [
            {"cert_type": "VCEK", "data": list(der["vcek"][:40])}]}).encode(),
        json.dumps({"tee-evidence": {"attestation_report": snp, "cert_chain": None}}).encode(),
        azure, base64.urlsafe_b64encode(azure).rstrip(b"="), json.dumps({
            "hcl_report": base64.urlsafe_b64encode(azure).decode(),
            "vcek": base64.urlsafe_b64encode(der["vcek"]).decode()}).encode(),
        json.dumps({"report": list(azure[:1300]), "vcek": "-----BEGIN"}).encode(),
        field(1, report) + field(2, field(3, der["vcek"])),
        field(8, field(1, report) + field(2, field(1, der["ark"]))), crl(), pem_of_list(crl()),
        common.message_of(report), common.message_of(report, der), field(8, common.message_of(report, der)),
        common.message_of(report, der) + b"\xa2\x06\x02hi\xa1\x06" + bytes(8) + b"\xa5\x06" + bytes(4))))


def policies():
    """Every rule once."""
    full = {"format": 1, "name": "all", "look_at": "quote", "at": "2027-01-02T03:04:05Z",
            "allow": {"emulated": True, "masked_chip": False, "unknown_version": True}, "vmpl": 0, "minimum_svn": 7,
            "minimum_tcb": {"any": {"fmc": 0}, "Milan": {"bootloader": 4, "tee": 0, "snp": 24, "microcode": 219},
                            "Genoa": {"snp": 1}, "Turin": {"fmc": 255}, "Venice": {"fmc": 3}},
            "policy_bits": {"required": ["reserved-one", "smt"], "forbidden": ["debug", "cxl-allow"]},
            **{name: {"a": "01" * size, "b": "02" * size} for name, size in (
                ("measurements", 48), ("id_key_digests", 48), ("author_key_digests", 48), ("host_data", 32),
                ("family_ids", 16), ("image_ids", 16), ("chip_ids", 64))},
            "boot": {"secure_boot": True, "signers": {"a": "09" * 32}, "programs": {"p": "0a" * 48},
                     "firmware": {"v": "0e" * 32}, "files": {"f": "0b" * 32, "g": "0c" * 64},
                     "words": {"w": "set root=hd0"}, "command_lines": {"c": "root=/dev/vda ro"}},
            "keys": {"ak": "000b" + "03" * 32}, "csp_ids": {"cloud": "CN=cc.example"},
            "pcrs": {"sha256": {"0": "04" * 32, "7": ["05" * 32, "06" * 32]}, "sha384": {"1": "07" * 48},
                     "sha512": {"23": "08" * 64}}}
    yield "all", json.dumps(full).encode()
    yield "report", json.dumps({"format": 1, "look_at": "report", "vmpl": 3}).encode()
    yield "keys", json.dumps({"format": 1, "look_at": "keys", "measurements": full["measurements"]}).encode()
    for name, value in full.items():
        yield f"just-{name}", json.dumps({"format": 1, "look_at": "report", name: value}).encode()


def evidence():
    for number, (_, files, own) in enumerate(vectors()):
        every = {**files, **own}
        data = b"".join(bytes([part]) + len(every[name]).to_bytes(2, "big") + every[name]
                        for name, part in PARTS.items() if name in every)
        yield f"vector{number}", bytes([3]) + data  # not judged
        if number < 8:
            yield f"judged{number}", bytes([number % 3]) + data
    yield from boot_evidence()


def boot_evidence():
    """What a log is judged with: the quote is of its values."""
    world = boots.World()
    for number, make in enumerate((boots.direct, boots.grub, boots.unified)):
        log = make()
        every = world.attested().files
        every.update(boots.quote_files(world.ak, boots.make_attestation.NONCE, {0x000B: log.quoted()}))
        every["eventlog.bin"] = log.bytes()
        data = b"".join(bytes([part]) + len(every[name]).to_bytes(2, "big") + every[name]
                        for name, part in PARTS.items() if name in every)
        yield f"boot{number}", bytes([2]) + data
        yield f"ruled{number}", bytes([0x82]) + data


def logs():
    """Of each way to boot, in one bank and in two."""
    for make in (boots.direct, boots.grub, boots.unified):
        yield f"{make.__name__}-two", make().bytes()
        yield f"{make.__name__}-one", make(banks=(0x000B,)).bytes()


def requests():
    """With the root as a client's, so that all checks run, and refuse it."""
    for number, (_, files, own) in enumerate(vectors()):
        sent = {**files, "ark.pem": own["ark.pem"]}
        yield f"vector{number}", json.dumps({"nonce": own["nonce.bin"].hex(), "evidence": {
            name: base64.b64encode(data).decode() for name, data in sent.items()
            if name in PARTS}}).encode()


def as_der(data):
    """PEM or DER."""
    if not data.startswith(b"-----"):
        return data
    return base64.b64decode(b"".join(line for line in data.splitlines() if not line.startswith(b"-----")))


def pieces(*parts):
    """As fuzz_pem.h has them."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def selectors():
    """The test vectors', good and bad: selectors, and manifests."""
    for file, name in (("selectors", "selector"), ("manifests", "manifest")):
        for number, vector in enumerate(json.loads((ROOT / f"docs/spec/vectors/{file}.json").read_text())[file]):
            yield f"{name}{number}", bytes.fromhex(vector[name])


def every_chain():
    """Of each product and kind of key, and with what no certificate of theirs has."""
    for product in chains.PRODUCTS:
        for vlek in (False, True):
            yield f"{product}-{'vlek' if vlek else 'vcek'}", chains.Chain(product, vlek)
    unknown = chains.extension("1.2.3.4", b"\5\0", True)
    yield "critical", chains.Chain(more={"signer": [unknown]})
    yield "unmarked", chains.Chain(unmarked=("ark", "issuer", "signer"), unnamed=("ark", "issuer", "signer"))


def bad_keys():
    """Certificates of keys that nobody should trust, by a key that nobody knows."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a key")])
    key, start = ec.generate_private_key(ec.SECP256R1()), datetime.datetime(2025, 1, 1)
    keys = {name: rsa.RSAPublicNumbers(65537, n) for name, n in common.weak_moduli().items() if n & 1}
    keys["exponent"] = rsa.RSAPublicNumbers(3, keys["ROCA"].n)
    for what, public in [*((what, numbers.public_key()) for what, numbers in keys.items()),
                         *((curve.name, ec.generate_private_key(curve).public_key())
                           for curve in (ec.SECP224R1(), ec.SECP521R1(), ec.BrainpoolP256R1()))]:
        yield what, x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(
            1).not_valid_before(start).not_valid_after(start + datetime.timedelta(9999)).sign(
                key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def certificates():
    """One by one, and a whole chain in another order; the endorsement keys' as well."""
    for name, data in bad_keys():
        yield f"key-{name}", b"\2" + data
    for name, chain in every_chain():
        ark, issuer, signer = chain.certificates()
        yield f"{name}-signer", b"\0" + signer
        yield f"{name}-all", b"\1" + pieces(signer, ark, issuer)
        if not chain.vlek:
            yield f"{name}-judged", b"\3" + pieces(signer, ark, issuer)
    yield "authority-pem", b"\0-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(ark) + b"-----END CERTIFICATE-----\n"
    for name, files, own in vectors():
        if "ek.crt" in files:
            endorsed, authority = as_der(files["ek.crt"]), as_der(own["ca.crt"])
            yield f"{name}-endorsed", b"\1" + pieces(endorsed, authority)
            yield f"{name}-authority", b"\0" + authority


def quotes():
    """What a TPM says of keys and PCRs."""
    for name, files, _ in vectors():
        for file in ("quote.msg", "quote.sig", "quote.pcrs", "ak.pub", "manifest.bin"):
            if file in files:
                yield f"{name}-{file}", files[file]
                # The area alone, of a TPM2B_PUBLIC or a manifest of one key.
                yield f"{name}-{file}-inner", files[file][2:]
        if "quote.pcrs" in files:
            yield f"{name}-pair", pieces(files["quote.msg"]) + files["quote.pcrs"]
    for name in TEMPLATES:
        key = Key(name)
        yield f"key-{name}", key.data
        if name.startswith("ak"):
            yield f"signature-{name}", key.sign(b"a message")


def parts():
    """Each alone, under either kind of key."""
    for name, files, own in vectors():
        for file, part in PARTS.items():
            data = {**files, **own}.get(file)
            if data is not None:
                yield f"{name}-{file}", bytes([part, 0]) + data
    for vlek in (False, True):
        for part, data in zip((66, 4, 5), chains.Chain(vlek=vlek).certificates()):
            yield f"chain-{vlek}-{part}", bytes([part, vlek]) + data
    yield "record", bytes([65, 0]) + json.dumps({"ek_name": "000b" + "11" * 32, "ak_name": "000b" + "22" * 32,
                                                 "secret": "33" * 32}).encode()


def folders():
    """The verdicts' evidence, by either set of names, and below a VLEK."""
    def packed(files, own):
        return b"".join(bytes([NAMES.index(name) | mark]) + len(data).to_bytes(2, "big") + data
                        for mark, those in ((0, files), (MINE, own)) for name, data in those.items() if name in NAMES)

    for number, (name, files, own) in enumerate(vectors()):
        kernels = {KERNELS.get(file, file): data for file, data in files.items()}
        for depth in range(4):
            yield f"{number}-{depth}", bytes([depth]) + packed(kernels if number % 2 else files, {
                **own, "measurement.hex": b"01" * 48 + b"\n"})
    table = common.make_table(dict(zip(("ark", "ask", "vcek"), chains.Chain().certificates())))
    yield "table", b"\1" + packed({"outblob": files["report.bin"], "auxblob": table, "manifestblob": b"\0" * 80}, own)
    chain = chains.Chain(vlek=True)
    report = chains.report.sign(chain.report, chain.key.pair)
    ark, asvk, vlek = chain.certificates()
    yield "vlek", b"\0" + packed({"outblob": report, "asvk.pem": asvk, "vlek.pem": vlek}, {"ark.pem": ark})


def fetched():
    """A chain, and what its issuer or its root signed, in the order of report_product."""
    for number, product in enumerate(chains.PRODUCTS):
        for vlek in (False, True):
            made = chains.Chain(product, vlek, levels={level: 0 for level in chains.PRODUCTS[product][4]},
                                unnamed=(), **({} if vlek else {"hwid": bytes(chains.PRODUCTS[product][2])}))
            ark, issuer, signer = made.certificates()
            kind, both = bytes([number | vlek << 2 | 8]), pieces(issuer, ark)
            yield f"{product}-{vlek}-signer", kind + len(both).to_bytes(2, "big") + both + signer
            yield f"{product}-{vlek}-list", kind + len(both).to_bytes(2, "big") + both + crl(issuer=f"ARK-{product}")


MAKERS = {"report": reports, "log": logs, "policy": policies, "evidence": evidence, "request": requests,
          "selector": selectors, "chain": certificates, "quote": quotes, "parts": parts, "folder": folders,
          "fetched": fetched}


def main():
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in MAKERS[sys.argv[1]]():
        (folder / name.replace(" ", "-").replace("/", "-")).write_bytes(data)


if __name__ == "__main__":
    main()
