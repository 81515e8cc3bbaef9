#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Manufactures a vTPM by each of Socle's profiles and reads it back with unmodified tpm2-tools.

usage: profiles_test.py PROFILE_FRONT VTPM PROFILE_FOLDER
"""
import base64
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

MANIFEST, SELECT = 2, 3
KEY_IDS = {"ek-rsa2048": 0x01, "ek-ecc-p256": 0x02, "ek-h1-rsa2048": 0x11, "ek-h2-ecc-p256": 0x12,
           "ek-h3-ecc-p384": 0x13, "ak-rsa2048": 0x81, "ak-ecc-p256": 0x82}
# 0x42072001 of the profiles, and WRITTEN and WRITELOCKED, which the TPM has set.
LOCKED = 0x62072801


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Vtpm:
    """One vTPM, manufactured by a profile, with an honest host."""

    def __init__(self, front, vtpm, folder, name):
        self.front, self.name = front, name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="profiles."))
        self.socket = self.folder / "s"
        self.process = subprocess.Popen([front, vtpm, folder / f"{name}.conf", name, self.socket],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        expect(self.process.stdout.readline() == b"ready\n", "the vTPM did not start")
        self.environment = dict(os.environ, TSS2_LOG="all+none",
                                TPM2TOOLS_TCTI=f"cmd:{front} --tcti {self.socket}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def call(self, op, payload):
        return subprocess.run([self.front, "--call", self.socket, str(op), payload.hex()],
                              stdout=subprocess.PIPE, check=True).stdout

    def manifest(self, version):
        return self.call(MANIFEST, struct.pack("<I", version))

    def select(self, kind, number):
        reply = self.call(SELECT, struct.pack("<IQI", 0, kind, number))
        expect(reply[:8] == bytes(8), f"selecting {kind}, {number:#x}: {reply[:8].hex()}")
        return reply[16:]

    def key(self, name):
        """The public area that is attested for a key of the profile."""
        return self.select(2, KEY_IDS[name])

    def tool(self, *arguments, refused=False):
        """Runs a tool in the folder, and frees the object slots: there is no resource manager."""
        done = subprocess.run(arguments, cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        expect((done.returncode != 0) == refused,
               f"{' '.join(map(str, arguments))}: {done.stdout.decode(errors='replace')}")
        subprocess.run(["tpm2_flushcontext", "-t"], cwd=self.folder, env=self.environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return done.stdout.decode(errors="replace")

    def file(self, name):
        return (self.folder / name).read_bytes()

    def nv(self, index):
        self.tool("tpm2_nvread", hex(index), "-C", "o", "-o", "nv")
        return self.file("nv")

    def persistent(self, handle):
        self.tool("tpm2_readpublic", "-c", hex(handle), "-f", "tpmt", "-o", "tpmt")
        return self.file("tpmt")

    def nv_indices(self):
        lines = self.tool("tpm2_getcap", "handles-nv-index").split()
        return {int(word, 16) for word in lines if word.startswith("0x")}

    def handles(self):
        lines = self.tool("tpm2_getcap", "handles-persistent").split()
        return {int(word, 16) for word in lines if word.startswith("0x")}


def sized(data, at):
    size = struct.unpack_from(">H", data, at)[0]
    return data[at + 2:at + 2 + size], at + 2 + size


def key_numbers(public):
    """Modulus, or x and y: the last members of a TPMT_PUBLIC."""
    kind = struct.unpack_from(">H", public)[0]
    _, at = sized(public, 8)
    symmetric = struct.unpack_from(">H", public, at)[0]
    at += 2 if symmetric == 0x10 else 6
    scheme = struct.unpack_from(">H", public, at)[0]
    at += 2 if scheme == 0x10 else 4
    if kind == 1:
        modulus, end = sized(public, at + 6)
        expect(end == len(public), "a public area is longer than its key")
        return (int.from_bytes(modulus, "big"),)
    x, at = sized(public, at + 4)
    y, end = sized(public, at)
    expect(end == len(public), "a public area is longer than its key")
    return int.from_bytes(x, "big"), int.from_bytes(y, "big")


def certificate_numbers(der):
    key = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"], input=der,
                         stdout=subprocess.PIPE, check=True).stdout
    text = subprocess.run(["openssl", "pkey", "-pubin", "-noout", "-text"], input=key,
                          stdout=subprocess.PIPE, check=True).stdout.decode()
    numbers = {}
    name = None
    for line in text.splitlines():
        if line.rstrip() in ("Modulus:", "pub:"):
            name = line.rstrip()
            numbers[name] = ""
        elif line.startswith("    ") and name:
            numbers[name] += line.strip().replace(":", "")
        else:
            name = None
    if "Modulus:" in numbers:
        return (int(numbers["Modulus:"], 16),)
    point = bytes.fromhex(numbers["pub:"])
    half = (len(point) - 1) // 2
    return (int.from_bytes(point[1:1 + half], "big"), int.from_bytes(point[1 + half:], "big"))


def check_certificate(vtpm, index, key):
    expect(certificate_numbers(vtpm.nv(index)) == key_numbers(vtpm.key(key)),
           f"the certificate at {index:#x} is not for {key}")


def check_template(vtpm, index, key):
    """The index holds the template that makes the key, and it may be selected by the index."""
    template, public = vtpm.nv(index), vtpm.key(key)
    expect(template[:8] == public[:8] and vtpm.select(3, index) == public,
           f"the template at {index:#x} does not make {key}")
    return template


def check_locked(vtpm, indices, others=()):
    expect(vtpm.nv_indices() == {*indices, *others}, f"NV indices {vtpm.nv_indices()}")
    for index in indices:
        text = vtpm.tool("tpm2_nvreadpublic", hex(index))
        expect(f"value: 0x{LOCKED:X}" in text, f"attributes of {index:#x}: {text}")
    some = hex(sorted(indices)[0])
    (vtpm.folder / "other").write_bytes(b"other")
    vtpm.tool("tpm2_nvwrite", some, "-C", "o", "-i", "other", refused=True)
    vtpm.tool("tpm2_nvwrite", some, "-C", "p", "-i", "other", refused=True)
    vtpm.tool("tpm2_nvundefine", some, "-C", "o", refused=True)
    vtpm.tool("tpm2_nvundefine", some, "-C", "p", refused=True)


def check_manifests(vtpm, keys):
    """The list comes first: it makes the keys that were left for later, which a selector has the twin make."""
    listed = vtpm.manifest(1)
    expect(vtpm.manifest(0) == vtpm.key("ek-rsa2048"), "manifest version 0 is not the EK")
    whole = struct.pack(">II", 1, len(keys))
    for key in keys:
        public = vtpm.key(key)
        whole += struct.pack(">H", len(public)) + public
    expect(listed == whole, "manifest version 1 is not the list of the keys")


def check_banks(vtpm, banks):
    text = vtpm.tool("tpm2_getcap", "pcrs")
    found = [line.split()[1].rstrip(":") for line in text.splitlines() if "[ 0," in line]
    expect(found == banks, f"PCR banks {found}")


def check_created_ek(vtpm, algorithm, key):
    """The EK that the guest's own tool makes is the one that is attested."""
    vtpm.tool("tpm2_createek", "-c", "ek.ctx", "-G", algorithm, "-u", "ek", "-f", "tpmt")
    expect(vtpm.file("ek") == vtpm.key(key), f"tpm2_createek {algorithm} is not {key}")


def test_tcg(vtpm):
    persistent = {"ek-rsa2048": 0x81010001, "ek-ecc-p256": 0x8101000a, "ek-h1-rsa2048": 0x81010012,
                  "ek-h2-ecc-p256": 0x81010014, "ek-h3-ecc-p384": 0x81010016}
    places = {"ek-rsa2048": (0x01c00002, 0x01c00004), "ek-ecc-p256": (0x01c0000a, 0x01c0000c),
              "ek-h1-rsa2048": (0x01c00012, 0x01c00013),
              "ek-h2-ecc-p256": (0x01c00014, 0x01c00015),
              "ek-h3-ecc-p384": (0x01c00016, 0x01c00017)}
    check_banks(vtpm, ["sha256", "sha384"])
    check_manifests(vtpm, list(persistent) + ["ak-ecc-p256", "ak-rsa2048"])
    expect(vtpm.handles() == set(persistent.values()), "persistent handles")
    for key, handle in persistent.items():
        expect(vtpm.persistent(handle) == vtpm.key(key), f"{handle:#x} is not {key}")
        check_certificate(vtpm, places[key][0], key)
        check_template(vtpm, places[key][1], key)
    check_locked(vtpm, [index for pair in places.values() for index in pair])
    check_created_ek(vtpm, "rsa", "ek-rsa2048")
    check_created_ek(vtpm, "ecc", "ek-ecc-p256")
    check_created_ek(vtpm, "ecc384", "ek-h3-ecc-p384")
    # Of several, tpm2-tools 5.8 gives them in another order than those before.
    vtpm.tool("tpm2_getekcertificate", "-o", "rsa.der")
    expect(certificate_numbers(vtpm.file("rsa.der")) == key_numbers(vtpm.key("ek-rsa2048")),
           "tpm2_getekcertificate")
    # A primary key with the tool's own words for the same template is the attested AK.
    vtpm.tool("tpm2_createprimary", "-C", "e", "-G", "ecc256:ecdsa-sha256:null", "-g", "sha256",
              "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign",
              "-c", "ak.ctx")
    vtpm.tool("tpm2_readpublic", "-c", "ak.ctx", "-f", "tpmt", "-o", "ak")
    expect(vtpm.file("ak") == vtpm.key("ak-ecc-p256"), "the tool's AK is not ak-ecc-p256")


def test_google(vtpm):
    places = {"ek-rsa2048": (0x01c00002, 0x01c00004), "ek-ecc-p256": (0x01c0000a, 0x01c0000c),
              "ak-rsa2048": (0x01c10000, 0x01c10001), "ak-ecc-p256": (0x01c10002, 0x01c10003)}
    check_banks(vtpm, ["sha1", "sha256", "sha384"])
    check_manifests(vtpm, list(places))
    expect(not vtpm.handles(), "persistent handles")
    for key, (certificate, template) in places.items():
        check_certificate(vtpm, certificate, key)
        check_template(vtpm, template, key)
    check_locked(vtpm, [index for pair in places.values() for index in pair])
    check_created_ek(vtpm, "rsa", "ek-rsa2048")
    check_created_ek(vtpm, "ecc", "ek-ecc-p256")
    # The unique fields of the signing keys are random, so their keys are this vTPM's alone.
    rsa, ecc = vtpm.nv(0x01c10001), vtpm.nv(0x01c10003)
    expect(len(rsa) == 24 + 256 and len(set(rsa[24:])) > 64, "the RSA unique field")
    expect(len(ecc) == 88 and len(set(ecc[22:54])) > 16, "the ECC unique field")


def check_evidence(vtpm, ak, user_data):
    """The report: header of 32 bytes, SNP report of 1184, header of 20, runtime data."""
    blob = vtpm.nv(0x01400001)
    expect(blob[:4] == b"HCLA", "the report's signature")
    size, _, kind, digest, length = struct.unpack_from("<5I", blob, 32 + 1184)
    runtime = blob[1236:]
    expect((size, kind, digest, length) == (20 + len(runtime), 2, 1, len(runtime)),
           "the header of the runtime data")
    expect(blob[32 + 0x50:32 + 0x90] == hashlib.sha256(runtime).digest() + bytes(32),
           "REPORT_DATA does not bind the runtime data")
    claims = json.loads(runtime)
    key, = [key for key in claims["keys"] if key["kid"] == "HCLAkPub"]
    modulus = base64.urlsafe_b64decode(key["n"] + "==")
    expect((int.from_bytes(modulus, "big"),) == key_numbers(ak), "HCLAkPub is not the AK")
    expect(key["e"] == "AQAB" and claims["user-data"] == user_data.hex(), "the runtime data")


def check_renewal(vtpm, ak):
    """As on Azure (openvmm, vm/devices/tpm): the guest makes the index for its 64 bytes and writes it by
    the owner; the next report has them."""
    vtpm.tool("tpm2_nvdefine", "0x01400002", "-C", "o", "-s", "64")
    expect(vtpm.nv_indices() == {0x01400001, 0x01400002, 0x01c101d0}, "the guest's index")
    report = vtpm.nv(0x01400001)
    for data in (bytes(range(64)), bytes([0xfe] * 64)):
        write(vtpm, "-C", "o", data=data)
        check_evidence(vtpm, ak, data)
        expect(vtpm.nv(0x01400001)[32:1216] != report[32:1216], "the report is the old one")
        report = vtpm.nv(0x01400001)
    # Through a session that encrypts what is written, and as far as it is written.
    vtpm.tool("tpm2_startauthsession", "--hmac-session", "-c", "0x81010001", "-S", "session")
    vtpm.tool("tpm2_sessionconfig", "session", "--enable-decrypt")
    write(vtpm, "-C", "o", "-P", "session:session", data=b"secret" + bytes(58))
    vtpm.tool("tpm2_flushcontext", "session")
    check_evidence(vtpm, ak, b"secret" + bytes(58))
    write(vtpm, "-C", "o", "--offset", "60", data=b"abcd")
    check_evidence(vtpm, ak, b"secret" + bytes(54) + b"abcd")
    check_refusals(vtpm, ak, b"secret" + bytes(54) + b"abcd")


def write(vtpm, *how, data, **more):
    (vtpm.folder / "data").write_bytes(data)
    vtpm.tool("tpm2_nvwrite", "0x01400002", *how, "-i", "data", **more)


def check_refusals(vtpm, ak, data):
    """Nobody but the vtpm writes the report, and what cannot be read makes no other one."""
    (vtpm.folder / "other").write_bytes(b"other")
    for by in (("-C", "0x01400001"), ("-C", "o"), ("-C", "p")):
        vtpm.tool("tpm2_nvwrite", "0x01400001", *by, "-i", "other", refused=True)
    for by in "op":
        vtpm.tool("tpm2_nvundefine", "0x01400001", "-C", by, refused=True)
    vtpm.tool("tpm2_nvread", "0x01400001", "-C", "0x01400001", refused=True)
    before = vtpm.nv(0x01400001)
    write(vtpm, "-C", "p", data=b"not", refused=True)
    expect(vtpm.nv(0x01400001) == before, "a write that failed has made a report")
    vtpm.tool("tpm2_nvdefine", "0x01400003", "-C", "o", "-s", "64")
    vtpm.tool("tpm2_nvwrite", "0x01400003", "-C", "o", "-i", "other")
    expect(vtpm.nv(0x01400001) == before, "another index has made a report")
    # Shorter ones have zeros behind them; of a longer one 64 bytes count; one with a password is not read.
    for size, attributes, wanted in ((5, "ownerread|ownerwrite", b"other" + bytes(59)),
                                     (200, "ownerread|ownerwrite", bytes([7]) * 64),
                                     (64, "authread|ownerwrite|ownerread", bytes([8]) * 64)):
        vtpm.tool("tpm2_nvundefine", "0x01400002", "-C", "o")
        vtpm.tool("tpm2_nvdefine", "0x01400002", "-C", "o", "-s", str(size), "-a", attributes)
        write(vtpm, "-C", "o", data=wanted[:size] if size < 64 else wanted[:1] * size)
        check_evidence(vtpm, ak, wanted)
    vtpm.tool("tpm2_nvundefine", "0x01400002", "-C", "o")
    vtpm.tool("tpm2_nvdefine", "0x01400002", "-C", "o", "-s", "64", "-p", "pass", "-a", "authread|ownerwrite")
    write(vtpm, "-C", "o", data=bytes(64))
    check_evidence(vtpm, ak, bytes([8]) * 64)
    lockout = vtpm.tool("tpm2_getcap", "properties-variable")
    expect("TPM2_PT_LOCKOUT_COUNTER: 0x0" in lockout, "reading has counted as a failed authorization")


def test_azure(vtpm):
    check_banks(vtpm, ["sha1", "sha256", "sha384"])
    check_manifests(vtpm, ["ek-rsa2048", "ak-rsa2048"])
    expect(vtpm.handles() == {0x81010001, 0x81000003}, "persistent handles")
    ak = vtpm.key("ak-rsa2048")
    expect(vtpm.persistent(0x81000003) == ak, "0x81000003 is not the AK")
    expect(ak[4:8].hex() == "00050472", "attributes of the AK")
    check_certificate(vtpm, 0x01c101d0, "ak-rsa2048")
    check_locked(vtpm, [0x01c101d0], others=[0x01400001])
    check_evidence(vtpm, ak, bytes(64))
    check_renewal(vtpm, ak)
    vtpm.tool("tpm2_readpublic", "-c", "0x81000003", "-f", "pem", "-o", "ak.pem")
    vtpm.tool("tpm2_quote", "-c", "0x81000003", "-l", "sha256:0,7", "-q", "11223344", "-m", "msg",
              "-s", "sig", "-o", "pcrs")
    vtpm.tool("tpm2_checkquote", "-u", "ak.pem", "-m", "msg", "-s", "sig", "-f", "pcrs", "-g",
              "sha256", "-q", "11223344")


def test_aws(vtpm):
    check_banks(vtpm, ["sha1", "sha256", "sha384", "sha512"])
    check_manifests(vtpm, ["ek-rsa2048", "ek-h3-ecc-p384"])
    expect(not vtpm.handles() and not vtpm.nv_indices(), "handles or NV indices")
    check_created_ek(vtpm, "rsa", "ek-rsa2048")
    check_created_ek(vtpm, "ecc384", "ek-h3-ecc-p384")


def test_one_bank(vtpm):
    """A bank that the profile does not name is off, whatever a new TPM has on."""
    check_banks(vtpm, ["sha1"])


def write_one_bank(profiles, folder):
    text = (profiles / "aws.conf").read_text()
    text = text.replace("profile aws", "profile one-bank")
    text = text.replace("pcr-banks sha1 sha256 sha384 sha512", "pcr-banks sha1")
    (folder / "one-bank.conf").write_text(text)


def main():
    front, program, profiles = map(pathlib.Path, sys.argv[1:])
    made = tempfile.TemporaryDirectory(prefix="profiles.")
    write_one_bank(profiles, pathlib.Path(made.name))
    for folder, name, test in ((profiles, "tcg", test_tcg), (profiles, "google", test_google),
                               (profiles, "azure", test_azure), (profiles, "aws", test_aws),
                               (pathlib.Path(made.name), "one-bank", test_one_bank)):
        vtpm = Vtpm(front.resolve(), program.absolute(), folder, name)
        try:
            test(vtpm)
            print(f"{name}: passed")
        except Failed as failure:
            sys.exit(f"{name}: {failure}")
        finally:
            vtpm.close()


main()
