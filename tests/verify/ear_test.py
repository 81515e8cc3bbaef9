#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Attestation results (EAR) of `socle verify --ear`: signed as RFC 7515 has it, judged by
python3-cryptography; claims as docs/evidence.md has them, over the test vectors, and over genuine evidence
where it is at hand; never "affirming" for what an emulated machine said.

    ear_test.py SOCLE VECTORS [SHARED] [--peer PROGRAM]

PROGRAM is tests/peers/ear, by which the crate `ear` reads each token, too (tests/peers/ear_test.py).
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402

results = Results("attestation results")

VERAISON = ("tag:github.com,2023:veraison/ear", "ear.", "-")
IETF = ("tag:ietf.org,2026:rats/ear#04", "ear_", "_")
NAMES = ("verifier-id", "status", "trustworthiness-vector")
EMULATED = -33

# What a check that failed makes of its claim: submodule, claim, value (docs/evidence.md).
FAILED = {"root": ("snp", "hardware", 97), "chain": ("snp", "hardware", 99),
          "signature": ("snp", "hardware", 99), "policy": ("snp", "configuration", 96),
          "vmpl": ("snp", "configuration", 96), "measurement": ("snp", "executables", 33),
          "csp-id": ("snp", "instance-identity", 97), "known-chip": ("snp", "instance-identity", 97),
          "tcb-minimum": ("snp", "hardware", 32),
          **{name: ("vtpm", "instance-identity", 99) for name in (
              "context", "report-data", "manifest", "attested-ak", "challenge-ek", "challenge-ak",
              "challenge-answer", "quote-signature", "quote-signer", "quote-nonce", "quote-pcrs")},
          **{name: ("vtpm", "instance-identity", 97) for name in (
              "ek-certificate", "ek-certificate-key")}}

# Genuine reports: folder, options, and the claims of the submodule snp, which is all that they have.
AFFIRMING = {"configuration": 2, "executables": 3, "hardware": 2, "runtime-opaque": 2}
GENOA_ID_KEY = ("942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7"
                "555b92f7f3d32d0e006767648cba5b102af3d65756af4177")
GENUINE = [
    ("genoa-vcek", ["--measurement"], "affirming", AFFIRMING),
    ("genoa-vcek", [], "affirming", {k: v for k, v in AFFIRMING.items() if k != "executables"}),
    ("genoa-vcek", ["--measurement", "00" * 48], "contraindicated", {**AFFIRMING, "executables": 33}),
    ("genoa-vcek", ["--minimum-tcb", "0,255,0,0,0"], "contraindicated",
     {"configuration": 2, "hardware": 32}),
    ("genoa-vcek", ["--minimum-svn", "4294967295", "--id-key-digest", GENOA_ID_KEY], "contraindicated",
     {"configuration": 2, "hardware": 2, "runtime-opaque": 2, "executables": 32}),
    ("genoa-vcek", ["--minimum-svn", "1", "--id-key-digest", GENOA_ID_KEY], "affirming", AFFIRMING),
    ("turin-vcek", ["--measurement"], "affirming", AFFIRMING),
    ("milan-v5-vmpl1", [], "contraindicated", {"configuration": 96, "hardware": 2}),
    ("milan-vlek", ["--at", "2025-06-01", "--csp-id", "CN=cc-eu-west-1.amazonaws.com"], "affirming",
     {"configuration": 2, "hardware": 2, "runtime-opaque": 2, "instance-identity": 2}),
    ("milan-vlek", ["--at", "2025-06-01", "--csp-id", "CN=other"], "contraindicated",
     {"configuration": 2, "hardware": 2, "runtime-opaque": 2, "instance-identity": 97}),
    ("milan-vlek", ["--at", "2025-12-11"], "contraindicated", {"configuration": 2, "hardware": 99}),
]


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """A key, its file, and its public half as a JSON Web Key."""

    def __init__(self, folder, algorithm):
        self.algorithm = algorithm
        self.key = {"ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
                    "EdDSA": ed25519.Ed25519PrivateKey.generate}[algorithm]()
        self.file, self.jwk = folder / f"{algorithm}.pem", folder / f"{algorithm}.jwk"
        self.file.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        public = self.key.public_key()
        if algorithm == "EdDSA":
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(public.public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw))}
        else:
            size, numbers = public.curve.key_size // 8, public.public_numbers()
            jwk = {"kty": "EC", "crv": f"P-{8 * size}", "x": encode(numbers.x.to_bytes(size, "big")),
                   "y": encode(numbers.y.to_bytes(size, "big"))}
        self.jwk.write_text(json.dumps({**jwk, "alg": algorithm}))
        self.id = hashlib.sha256(public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def read(self, token):
        """The claims, once the signature is good."""
        text, _, signature = token.rpartition(".")
        header, claims = text.split(".")
        signature, public = decode(signature), self.key.public_key()
        if json.loads(decode(header)) != {"alg": self.algorithm, "typ": "JWT", "kid": self.id}:
            raise InvalidSignature(decode(header))
        if self.algorithm == "EdDSA":
            public.verify(signature, text.encode())
        else:
            half = public.curve.key_size // 8
            if len(signature) != 2 * half:
                raise InvalidSignature(len(signature))
            public.verify(encode_dss_signature(*(int.from_bytes(part, "big") for part in (
                signature[:half], signature[half:]))), text.encode(), ec.ECDSA(
                    hashes.SHA256() if half == 32 else hashes.SHA384()))
        return json.loads(decode(claims))


class World:
    def __init__(self, socle, work, peer):
        self.socle, self.work, self.peer = socle, work, peer
        self.keys = {name: Key(work, name) for name in ("ES256", "ES384", "EdDSA")}

    def verify(self, *words, key="ES384", profile=VERAISON):
        """Status, verdict, claims; None where no token was written."""
        token, key = self.work / "token", self.keys[key]
        token.unlink(missing_ok=True)
        run = subprocess.run([str(word) for word in (
            self.socle, "verify", "--json", "--ear", token, "--ear-key", key.file, "--ear-profile",
            "veraison" if profile is VERAISON else "ietf-04", *words)], capture_output=True, text=True,
            check=False)
        if not token.exists():
            return run.returncode, run.stderr, None
        claims = key.read(token.read_text())
        self.ask_peer(claims, key, profile, token, words)
        return run.returncode, json.loads(run.stdout), claims

    def ask_peer(self, claims, key, profile, token, words):
        """The crate has read the same."""
        if not self.peer:
            return
        run = subprocess.run([self.peer, "veraison" if profile is VERAISON else "ietf", key.algorithm,
                              key.jwk, token], capture_output=True, text=True, check=False)
        try:
            found = json.loads(run.stdout)
        except ValueError:
            results(False, f"the crate reads it, {words}", run.stderr)
            return
        _, status, vector = names_of(profile)
        said = {name: (submod[status], submod.get(vector)) for name, submod in claims["submods"].items()}
        read = {name: (submod["status"], submod["vector"]) for name, submod in found["submods"].items()}
        tiers = ["none", "affirming", "warning", "contraindicated"]
        worse = [name for name, submod in found["submods"].items()
                 if tiers.index(submod["status"]) < tiers.index(submod["of vector"])]
        emulated = [submod["claims"]["socle.emulated"] for submod in found["submods"].values()]
        results(read == said and not worse and found["iat"] == claims["iat"] and
                found["nonce"] == claims.get("eat_nonce") and found["profile"] == profile[0] and
                set(emulated) == {next(iter(claims_of(claims, profile)))["socle.emulated"]},
                f"the crate reads the same, {words}", f"{found} {claims}")


def names_of(profile):
    return [profile[1] + name.replace("-", profile[2]) for name in NAMES]


def claims_of(claims, profile):
    name = "ear.veraison.policy-claims" if profile is VERAISON else "ear_verifier_claims"
    return [submod[name] for submod in claims["submods"].values()]


def check_common(name, verdict, claims, profile, nonce):
    verifier, status, vector = names_of(profile)
    want = {"eat_profile", "iat", verifier, "submods"} | ({"eat_nonce"} if nonce else set())
    results(set(claims) == want and claims["eat_profile"] == profile[0] and
            abs(claims["iat"] - time.time()) < 60 and
            set(claims[verifier]) == {"build", "developer"}, f"{name}: the outer claims", claims)
    results(claims.get("eat_nonce") == (encode(nonce) if nonce else None), f"{name}: the nonce")
    said = [(c["socle.verdict"], c["socle.emulated"], c.get("socle.failed"), c["socle.bindings"])
            for c in claims_of(claims, profile)]
    results(set(map(str, said)) == {str((verdict["verdict"], verdict["emulated"], verdict.get("failed"),
                                         verdict["bindings"]))}, f"{name}: what the verifier says", said)
    evidence = claims["submods"]["snp"]["ear.veraison.annotated-evidence" if profile is VERAISON
                                        else "ear_attester_claims"]
    results(evidence["socle.report"] == verdict["report"], f"{name}: the report", evidence)
    tiers = {submod[status] for submod in claims["submods"].values()}
    results(verdict["verdict"] == "trusted" or tiers == {"contraindicated"}, f"{name}: no tier is better", tiers)
    results(not verdict["emulated"] or "affirming" not in tiers and not any(
        value in range(2, 32) for submod in claims["submods"].values() for value in submod[vector].values()),
        f"{name}: nothing emulated is affirmed", claims)


def write_vector(vector, files, folder):
    """The words of `socle verify` for a test vector."""
    for name, keys in (("evidence", vector["files"]), ("mine", vector["mine"])):
        (folder / name).mkdir(parents=True)
        for file, key in keys.items():
            (folder / name / file).write_bytes(bytes.fromhex(files[key]))
    if "challenge" in vector:
        (folder / "mine/challenge.json").write_text(json.dumps(vector["challenge"]))
    words = [f"--{vector['depth']}-only"] if vector["depth"] != "full" else []
    words += ["--trust-emulated"] if vector["trust_emulated"] else []
    for option, file in (("--ek-cert", "evidence/ek.crt"), ("--ca", "mine/ca.crt")):
        if (folder / "mine/ca.crt").exists() and vector["depth"] != "report":
            words += [option, folder / file]
    return [*words, "--measurement", vector["measurement"], "--mine", folder / "mine", folder / "evidence"]


def check_vectors(world, vectors):
    everything = json.loads((Path(vectors) / "verdicts.json").read_text())
    keys = list(world.keys)
    for number, vector in enumerate(everything["verdicts"]):
        name, profile = vector["name"], (VERAISON, IETF)[number % 2]
        words = write_vector(vector, everything["files"], world.work / str(number))
        code, verdict, claims = world.verify(*words, key=keys[number % 3], profile=profile)
        results(claims and code == vector["expected"]["status"], f"{name}: status", (code, verdict))
        if not claims:
            continue
        nonce = (world.work / str(number) / "mine/nonce.bin").read_bytes()
        check_common(name, verdict, claims, profile, nonce if vector["depth"] != "report" else None)
        _, status, of = names_of(profile)
        wanted = {"snp": {"configuration": EMULATED, "executables": EMULATED, "hardware": EMULATED}}
        if vector["depth"] != "report":
            wanted["vtpm"] = {"instance-identity": EMULATED}
        for check in vector["expected"]["failing"]:
            submod, claim, value = FAILED[check]
            wanted[submod][claim] = max(value, wanted[submod][claim])
        found = {submod: appraisal[of] for submod, appraisal in claims["submods"].items()}
        results(found == wanted, f"{name}: the vectors", f"{found}, not {wanted}")
        if vector["expected"]["status"] == 0:
            tiers = {appraisal[status] for appraisal in claims["submods"].values()}
            results(tiers == {"warning"}, f"{name}: emulated is a warning", tiers)


def measurement(folder):
    report = folder / "report.bin"
    return report.read_bytes()[0x90:0xC0].hex()


def check_genuine(world, shared):
    for number, (name, options, status, vector) in enumerate(GENUINE):
        folder, profile = shared / "evidence" / name if shared else Path("/nowhere"), (VERAISON, IETF)[number % 2]
        if not folder.is_dir():
            results.skip(name, "the folder is not there")
            continue
        if options == ["--measurement"]:
            options = ["--measurement", measurement(folder)]
        code, verdict, claims = world.verify("--report-only", *options, folder, profile=profile)
        if not results(claims, f"{name} {options}: a token", (code, verdict)):
            continue
        check_common(f"{name} {options}", verdict, claims, profile, None)
        _, of_status, of = names_of(profile)
        found = {n: (a[of_status], a[of]) for n, a in claims["submods"].items()}
        results(found == {"snp": (status, vector)}, f"{name} {options}: the vector", found)


def check_pcrs(world, vectors):
    """What is demanded of PCRs makes a claim; what was only quoted makes none."""
    everything = json.loads((Path(vectors) / "verdicts.json").read_text())
    words = write_vector(everything["verdicts"][0], everything["files"], world.work / "pcrs")
    values = (world.work / "pcrs/evidence/quote.pcrs").read_bytes()
    first = values[140:].index(b"\x20\x00")  # the first value of SHA-256's size
    value = values[142 + first:174 + first].hex()
    for name, demanded, wanted in (("the quoted value", value, EMULATED), ("another", "5a" * 32, 33)):
        _, verdict, claims = world.verify("--pcr", f"sha256:0={demanded}", *words)
        vector = claims["submods"]["vtpm"]["ear.trustworthiness-vector"] if claims else verdict
        results(vector == {"instance-identity": EMULATED, "executables": wanted}, f"PCR 0, {name}", vector)


def check_refusals(world, vectors):
    everything = json.loads((Path(vectors) / "verdicts.json").read_text())
    words = write_vector(everything["verdicts"][0], everything["files"], world.work / "refusals")
    code, said, claims = world.verify("--measurement", "00", *words)
    results(code == 1 and not claims, "no verdict, no token", said)
    folder, good = world.work, str(world.keys["ES256"].file)
    (folder / "rsa.pem").write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "p521.pem").write_bytes(ec.generate_private_key(ec.SECP521R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "locked.pem").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x")))
    (folder / "public.pem").write_bytes(world.keys["ES256"].key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    (folder / "long.pem").write_bytes(b"x" * 20000)
    (folder / "empty.pem").write_bytes(b"")
    token = folder / "token"
    for name, options, line in (
            ("another kind of key", ["--ear", token, "--ear-key", folder / "rsa.pem"], "rsa.pem: a key on P-256"),
            ("another curve", ["--ear", token, "--ear-key", folder / "p521.pem"], "p521.pem: a key on P-256"),
            ("a passphrase", ["--ear", token, "--ear-key", folder / "locked.pem"], "locked.pem: no private key"),
            ("a public key", ["--ear", token, "--ear-key", folder / "public.pem"], "public.pem: no private key"),
            ("a long file", ["--ear", token, "--ear-key", folder / "long.pem"], "long.pem: 20000 bytes"),
            ("an empty file", ["--ear", token, "--ear-key", folder / "empty.pem"], "empty.pem: no private key"),
            ("no key", ["--ear", token], "--ear and --ear-key belong together"),
            ("no file", ["--ear-key", good], "--ear and --ear-key belong together"),
            ("a place that is none", ["--ear", "/nowhere/token", "--ear-key", good], "/nowhere/token: ")):
        token.unlink(missing_ok=True)
        run = subprocess.run([str(word) for word in (world.socle, "verify", *options, *words)],
                             capture_output=True, text=True, check=False)
        results(run.returncode == 1 and run.stderr.startswith("socle: ") and line in run.stderr and
                run.stderr.count("\n") == 1 and not token.exists() and not run.stdout, name,
                f"{run.returncode} {run.stdout} {run.stderr}")


def check_signature(world, vectors):
    """That our reading of a signature sees one that is none."""
    everything = json.loads((Path(vectors) / "verdicts.json").read_text())
    words = write_vector(everything["verdicts"][0], everything["files"], world.work / "signed")
    for name, key in world.keys.items():
        world.verify(*words, key=name)
        text = (world.work / "token").read_text()
        head, claims, signature = text.split(".")
        said = json.loads(decode(claims))
        said["submods"]["snp"]["ear.status"] = "affirming"
        forged = ".".join((head, encode(json.dumps(said).encode()), signature))
        try:
            key.read(forged)
            results(False, f"{name}: a forged claim is seen")
        except InvalidSignature:
            results(True, f"{name}: a forged claim is seen")
        if world.peer:
            (world.work / "token").write_text(forged)
            run = subprocess.run([world.peer, "veraison", name, key.jwk, world.work / "token"],
                                 capture_output=True, text=True, check=False)
            results(run.returncode != 0, f"{name}: the crate sees it, too", run.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socle")
    parser.add_argument("vectors")
    parser.add_argument("shared", nargs="?", type=Path)
    parser.add_argument("--peer", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world = World(options.socle, Path(name), options.peer)
        check_vectors(world, options.vectors)
        check_genuine(world, options.shared)
        check_pcrs(world, options.vectors)
        check_refusals(world, options.vectors)
        check_signature(world, options.vectors)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
