# SPDX-License-Identifier: MIT
"""Reports and the certificates above them as AMD makes them or never would: by a VCEK or a VLEK, of any
product, with one thing wrong. The keys are those of the test vectors, so every signature holds."""

import hashlib
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("spec", "lib")]

import make_chain  # noqa: E402
import report  # noqa: E402
from evidence import mine  # noqa: E402
from make_chain import amd_name, der, extension, integer  # noqa: E402

OID = "1.3.6.1.4.1.3704.1."
ARK, ASK, ASVK = "ARK-Milan", "SEV-Milan", "SEV-VLEK-Milan"
CSP = "CN=cc-test.cloud.example"
# By product: CPUID family and model, bytes of a chip's id, a TCB_VERSION, and its levels by extension.
# The layouts are AMD's (SNP firmware ABI, TCB_VERSION); genuine reports of Milan, Genoa and Turin confirm
# them. Nothing from outside confirms Venice's yet.
PRODUCTS = {
    "Milan": (0x19, 0x01, 64, bytes([4, 1, 0, 0, 0, 0, 24, 219]),
              {"3.1": 4, "3.2": 1, "3.3": 24, "3.8": 219}),
    "Genoa": (0x19, 0xA0, 64, bytes([10, 0, 0, 0, 0, 0, 23, 84]),
              {"3.1": 10, "3.2": 0, "3.3": 23, "3.8": 84}),
    "Turin": (0x1A, 0x02, 8, bytes([1, 4, 2, 24, 0, 0, 0, 81]),
              {"3.9": 1, "3.1": 4, "3.2": 2, "3.3": 24, "3.8": 81}),
    "Venice": (0x1A, 0x50, 8, bytes([3, 2, 9, 0, 0, 0, 0, 0]), {"3.9": 3, "3.2": 2, "3.3": 9}),
}


class OtherRsaKey(make_chain.RsaKey):
    """Signs as AMD's authorities do, with a key of another size."""

    def __init__(self, size):  # without that of the vectors
        self.key = rsa.generate_private_key(65537, size)
        modulus = self.key.public_key().public_numbers().n
        self.spki = make_chain.sequence(
            make_chain.sequence(make_chain.oid("1.2.840.113549.1.1.1"), make_chain.NULL),
            make_chain.bits(make_chain.sequence(integer(modulus), integer(65537))))

    def sign(self, message):
        pss = padding.PSS(padding.MGF1(hashes.SHA384()), make_chain.SALT)
        return self.key.sign(message, pss, hashes.SHA384())


class Chain:
    """Files of one report and its certificates. more: extensions that a certificate has besides."""

    keys = None
    signatures = {}  # of what was signed already: most certificates are the same as another chain's

    def __init__(self, product="Milan", vlek=False, **changes):
        if not Chain.keys:
            Chain.keys = (make_chain.RsaKey("ark"), make_chain.RsaKey("ask"),
                          make_chain.EccKey("vcek", 4))
        self.ark, self.ask, self.key = Chain.keys
        self.ask = changes.pop("issuer_key", self.ask)
        self.product, self.vlek = product, vlek
        family, model, size, self.tcb, levels = PRODUCTS[product]
        self.chip = hashlib.sha512(b"a chip").digest()[:size]
        self.options = {"issuer": f"SEV-VLEK-{product}" if vlek else f"SEV-{product}", "more": {}, "levels": levels,
                        "signer": "SEV-VLEK" if vlek else "SEV-VCEK", "unnamed": (), "unmarked": ("signer",),
                        "name": f"{product}-B0", "cpu": (family, model),
                        "csp": CSP if vlek else None, "hwid": None if vlek else self.chip, **changes}
        self.report = report.unsigned(5, self.options["cpu"], vlek=self.vlek, tcb=self.tcb, chip=self.chip)

    def extensions(self):
        o = self.options
        found = [extension(OID + "1", integer(0)),
                 extension(OID + "2", der(0x16, o["name"].encode())),
                 *(extension(OID + n, integer(v))
                   for n, v in {**make_chain.RESERVED, **o["levels"]}.items())]
        if o["hwid"] is not None:
            found.append(extension(OID + "4", o["hwid"]))
        if o["csp"] is not None:
            found.append(extension(OID + "5", der(0x16, o["csp"].encode(errors="surrogateescape"))))
        return found

    def certificates(self):
        o = self.options
        names = {who: amd_name(common_name, who not in o["unnamed"]) for who, common_name in (
            ("ark", f"ARK-{self.product}"), ("issuer", o["issuer"]), ("signer", o["signer"]))}

        def make(who, by, extensions, spki, key, serial):
            def sign(message):
                if (key, message) not in Chain.signatures:
                    Chain.signatures[key, message] = key.sign(message)
                return Chain.signatures[key, message]

            return make_chain.certificate(names[by], names[who], spki,
                                          [*extensions, *o["more"].get(who, []),
                                           *[make_chain.MARK] * (who not in o["unmarked"])],
                                          make_chain.PSS if isinstance(key, make_chain.RsaKey)
                                          else make_chain.ECDSA_SHA256, sign, serial)

        authority = make_chain.ca_extensions(True)
        return (make("ark", "ark", authority, self.ark.spki, self.ark, 1),
                make("issuer", "ark", authority, self.ask.spki, self.ark, 2),
                make("signer", "issuer", self.extensions(), self.key.spki, self.ask, 3))

    def write(self, folder):
        """Signed, with the certificates beside it."""
        report.sign(self.report, self.key.pair)
        folder = Path(folder)
        folder.mkdir()
        mine(folder).mkdir()
        (folder / "report.bin").write_bytes(self.report)
        files = ("ark", "asvk", "vlek") if self.vlek else ("ark", "ask", "vcek")
        for file, data in zip(files, self.certificates()):
            (mine(folder) if file == "ark" else folder).joinpath(f"{file}.pem").write_bytes(data)
        return folder


def crl(entries=(), by="ark", issuer=ARK, this=b"250101000000Z", following=b"491231235959Z",
        extensions=(), algorithm=make_chain.PSS):
    """A revocation list in DER (RFC 5280, 5.1). entries: a serial number, and extensions of the entry."""
    if not Chain.keys:
        Chain()
    key = dict(zip(("ark", "issuer"), Chain.keys))[by]
    revoked = [make_chain.sequence(integer(serial), der(0x17, b"250201000000Z"),
                                   *[make_chain.sequence(*more)] * bool(more))
               for serial, *more in entries]
    body = make_chain.sequence(
        integer(1), algorithm, amd_name(issuer), der(0x17, this),
        *[der(0x17, following or b"")] * bool(following), *[make_chain.sequence(*revoked)] * bool(revoked),
        *[der(0xA0, make_chain.sequence(*extensions))] * bool(extensions))
    return make_chain.sequence(body, algorithm, make_chain.bits(key.sign(body)))


def certificate_issuer(common_name):
    """The entry is about a certificate of somebody else than the list's issuer (5.3.3)."""
    return extension("2.5.29.29", make_chain.sequence(der(0xA4, amd_name(common_name))), True)


# Of a list that has entries for other issuers, and of one that has only some certificates (5.2.5).
INDIRECT = extension("2.5.29.28", make_chain.sequence(der(0x84, b"\xff")), True)
ONLY_USERS = extension("2.5.29.28", make_chain.sequence(der(0x81, b"\xff")), True)
ONLY_SOME_REASONS = extension("2.5.29.28", make_chain.sequence(der(0x83, b"\6\x40")), True)
REASON = extension("2.5.29.21", der(0x0A, b"\1"))
