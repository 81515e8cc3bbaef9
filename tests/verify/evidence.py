# SPDX-License-Identifier: MIT
"""Evidence as a guest and its relying party would gather it, made from a real TPM (`socle vtpm
serve`, driven by tpm2-tools) and a report that the emulated VCEK signs."""

import contextlib
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("spec", "lib")]

import report  # noqa: E402
import rules  # noqa: E402
from served import Served  # noqa: E402

PCRS = "sha256:0,1,2,3,4,5,6,7,16"

# A restricted signing key of P-256 under the endorsement hierarchy, and tpm2-tools' words for it.
AK_TEMPLATE = bytes.fromhex("0023000b00050072000000100018000b0003001000000000")
AK_WORDS = ("ecc256:ecdsa-sha256:null",
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")


def mine(folder):
    """The relying party's own folder beside a guest's."""
    return Path(f"{folder}.mine")


def own(folder):
    """The words of `socle verify` for both."""
    return ["--mine", mine(folder), folder]


def copy(folder, to, **options):
    shutil.copytree(folder, to, **options)
    shutil.copytree(mine(folder), mine(to))


class Tpm(Served):
    """tpm2-tools on one vTPM."""

    def __init__(self, socle, profile, work):
        super().__init__([socle, "vtpm", "serve", "--profile", profile, "--port", "0"])
        self.work = work

    def run(self, *command):
        for argv in (command, ("tpm2_flushcontext", "-t")):
            self.tool("mssim", *argv, cwd=self.work).check_returncode()


@contextlib.contextmanager
def tpm(socle, profile, work):
    it = Tpm(socle, profile, work)
    try:
        yield it
    finally:
        it.end()


def make_keys(tpm):
    tpm.run("tpm2_createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub", "-f", "pem")
    tpm.run("tpm2_readpublic", "-c", "ek.ctx", "-f", "tpmt", "-o", "manifest.bin", "-n", "ek.name")
    tpm.run("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", "ecc", "-g", "sha256",
            "-s", "ecdsa", "-u", "ak.pub", "-f", "pem", "-n", "ak.name")


def quote(tpm, nonce, key="ak.ctx", prefix="quote", digest="sha256"):
    tpm.run("tpm2_quote", "-c", key, "-l", PCRS, "-q", nonce.hex(), "-g", digest,
            "-m", f"{prefix}.msg", "-s", f"{prefix}.sig", "-f", "plain", "-o", f"{prefix}.pcrs")


def challenge(tpm, work):
    secret = os.urandom(32)
    (work / "secret").write_bytes(secret)
    names = {who: (work / f"{who}.name").read_bytes().hex() for who in ("ek", "ak")}
    subprocess.run(["tpm2_makecredential", "-T", "none", "-G", "rsa", "-u", "ek.pub",
                    "-s", "secret", "-n", names["ak"], "-o", "cred"], cwd=work, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tpm.run("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
    tpm.run("tpm2_policysecret", "-S", "session.ctx", "-c", "e")
    tpm.run("tpm2_activatecredential", "-c", "ak.ctx", "-C", "ek.ctx", "-i", "cred",
            "-o", "answer.bin", "-P", "session:session.ctx")
    tpm.run("tpm2_flushcontext", "session.ctx")
    record = {"ek_name": names["ek"], "ak_name": names["ak"], "secret": secret.hex()}
    (mine(work) / "challenge.json").write_text(json.dumps(record))


def make_report(work, measurement):
    """A version 3 report at VMPL 0, not signed yet."""
    nonce = (mine(work) / "nonce.bin").read_bytes()
    manifest = (work / "manifest.bin").read_bytes()
    context = work / "context.bin"
    context = context.read_bytes() if context.exists() else b""
    (work / "report.bin").write_bytes(report.unsigned(
        3, (0x19, 1, 1), measurement=measurement,
        report_data=hashlib.sha512(nonce + context + manifest).digest()))
    (mine(work) / "measurement.hex").write_text(measurement.hex() + "\n")


def make(tpm, work, resign, keys):
    """Everything that `socle verify` wants, in the folder work and the one of the relying party."""
    work = Path(work)
    nonce = ask(work)
    make_keys(tpm)
    tpm.run("tpm2_pcrextend", "16:sha256=" + "5a" * 32)
    quote(tpm, nonce)
    challenge(tpm, work)
    sign(work, resign, keys)


def ask(work):
    """A new nonce, in the relying party's folder."""
    mine(work).mkdir()
    nonce = os.urandom(64)
    (mine(work) / "nonce.bin").write_bytes(nonce)
    return nonce


def sign(work, resign, keys):
    make_report(work, os.urandom(48))
    subprocess.run([resign, keys, work / "report.bin", work], check=True)
    shutil.move(work / "ark.pem", mine(work))


def make_attested(tpm, work, resign, keys, version, selector):
    """Evidence without a round trip: a key made from AK_TEMPLATE, attested, and its quote."""
    work = Path(work)
    work.mkdir()
    nonce = ask(work)
    tpm.run("tpm2_createprimary", "-C", "e", "-g", "sha256", "-G", AK_WORDS[0], "-a", AK_WORDS[1],
            "-c", work / "primary.ctx")
    tpm.run("tpm2_readpublic", "-c", work / "primary.ctx", "-f", "tpmt", "-o", work / "ak.tpmt")
    quote(tpm, nonce, work / "primary.ctx", work / "quote")
    keys_attested = [(work / "ak.tpmt").read_bytes()]
    if not selector:
        keys_attested.insert(0, (tpm.work / "manifest.bin").read_bytes())
    for name, data in (("selector.bin", selector),
                       ("context.bin", rules.make_context(rules.VTPM, version, selector)),
                       ("manifest.bin", rules.make_manifest(version, keys_attested))):
        (work / name).write_bytes(data)
    sign(work, resign, keys)


# Signing keys that a guest may have besides, for tpm2_createprimary: hierarchy, type and scheme,
# Name algorithm, attributes, and the hash of a quote. The first is Azure's, which has noDA.
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|restricted|sign"
OTHER_AKS = {
    "azure": ("e", "rsa2048:rsassa-sha256:null", "sha256", ATTRIBUTES + "|userwithauth|noda",
              "sha256"),
    "owner": ("o", "ecc384:ecdsa-sha384:null", "sha384", ATTRIBUTES + "|userwithauth|stclear",
              "sha384"),
    "unrestricted": ("e", "ecc256:ecdsa-sha256:null", "sha256",
                     ATTRIBUTES.replace("restricted|", "") + "|userwithauth", "sha256"),
}


def make_other_ak(tpm, work, name, *more):
    """An AK of OTHER_AKS in ak.ctx, ak.pub, ak.name and, as public areas, ak.tpmt and ak.tss."""
    hierarchy, words, digest, attributes, _ = OTHER_AKS[name]
    tpm.run("tpm2_createprimary", "-C", hierarchy, "-G", words, "-g", digest, "-a", attributes,
            "-c", work / "ak.ctx", *more)
    for form, file in (("pem", "ak.pub"), ("tpmt", "ak.tpmt"), ("tss", "ak.tss")):
        tpm.run("tpm2_readpublic", "-c", work / "ak.ctx", "-f", form, "-o", work / file, "-n",
                work / "ak.name")


def activate_credential(tpm, work, ek, policy):
    """A challenge for the EK at a persistent handle and the AK in work, and the TPM's answer."""
    secret = os.urandom(32)
    (work / "secret").write_bytes(secret)
    names = {who: (work / f"{who}.name").read_bytes().hex() for who in ("ek", "ak")}
    subprocess.run(["tpm2_makecredential", "-T", "none", "-u", "ek.tss", "-s", "secret",
                    "-n", names["ak"], "-o", "cred"], cwd=work, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    authorization = []
    if policy:
        tpm.run("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
        tpm.run("tpm2_policysecret", "-S", "session.ctx", "-c", "e")
        authorization = ["-P", "session:session.ctx"]
    tpm.run("tpm2_activatecredential", "-c", work / "ak.ctx", "-C", ek, "-i", work / "cred",
            "-o", work / "answer.bin", *authorization)
    if policy:
        tpm.run("tpm2_flushcontext", "session.ctx")
    (mine(work) / "challenge.json").write_text(json.dumps(
        {"ek_name": names["ek"], "ak_name": names["ak"], "secret": secret.hex()}))


def make_challenged(tpm, work, resign, keys, ek, key_id, ak=None, more=()):
    """Evidence with a challenge for a selected EK, at its persistent handle. ak: a name of
    OTHER_AKS, with more words for the tool; without, one that tpm2_createak makes below the EK."""
    work = Path(work)
    work.mkdir()
    nonce = ask(work)
    for form, file in (("pem", "ek.pub"), ("tpmt", "manifest.bin"), ("tss", "ek.tss")):
        tpm.run("tpm2_readpublic", "-c", ek, "-f", form, "-o", work / file, "-n",
                work / "ek.name")
    if ak:
        make_other_ak(tpm, work, ak, *more)
    else:
        tpm.run("tpm2_createak", "-C", ek, "-c", work / "ak.ctx", "-G", "ecc", "-g", "sha256",
                "-s", "ecdsa", "-u", work / "ak.pub", "-f", "pem", "-n", work / "ak.name")
    quote(tpm, nonce, work / "ak.ctx", work / "quote", OTHER_AKS[ak][4] if ak else "sha256")
    # The low range takes a policy, the high range the empty authorization value too.
    activate_credential(tpm, work, ek, policy=key_id < 0x10)
    selector = struct.pack("<QI", rules.KEY, key_id)
    for name, data in (("selector.bin", selector),
                       ("context.bin", rules.make_context(rules.VTPM, 0, selector))):
        (work / name).write_bytes(data)
    sign(work, resign, keys)


def make_authority(work, ek):
    """An authority and its certificate for the EK, as a host's CA would issue them: ek.crt, ca.crt,
    and what to be wary of: stranger.crt for another key, other-ca.crt."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=work, check=True, capture_output=True)

    work.mkdir()
    (work / "ek.conf").write_text("extendedKeyUsage=2.23.133.8.1\n"
                                  "keyUsage=critical,keyEncipherment\n"
                                  "basicConstraints=critical,CA:FALSE\n"
                                  "subjectAltName=critical,dirName:tpm\n"
                                  "[tpm]\n1.2.23.133.2.1=id:534F4C45\n")
    (work / "web.conf").write_text("extendedKeyUsage=serverAuth\n")
    for name in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}", "-days", 9)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/")
    for name, extensions, forced in (("ek", "ek", ["-force_pubkey", ek]),
                                     ("stranger", "ek", []),
                                     ("web", "web", ["-force_pubkey", ek])):
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-set_serial", 7, "-days", 9, "-extfile", f"{extensions}.conf", "-out",
                f"{name}.crt", *forced)
