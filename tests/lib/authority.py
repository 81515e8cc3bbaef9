# SPDX-License-Identifier: MIT
"""`socle ca` and who talks to it: reports as the emulated AMD-SP signs them, the vTPM's side of a
conversation, and an authority with the policy that trusts both."""

import contextlib
import hashlib
import os
import socket
import struct
import subprocess
import zlib

import report

MAGIC = 0x31414353
HELLO, NONCE, REQUEST, CERTIFICATES, REFUSED = 1, 2, 3, 4, 5
VTPM_GUID = bytes.fromhex("ebf176c42301a5459641b4e7dde5bfe3")
TAG_CA, TAG_SELECTOR = 0x52414353, 0x324D5353
TABLE_GUIDS = {"vcek": "63da758de6644564adc5f4b93be8accd",
               "ask": "4ab7b379bbac4fe4a02f05aef327c782",
               "ark": "c0b406a4a803495297433fb6014cd0ae"}

# Templates up to the key: TCG EK Credential Profile L-1, L-2, H-3, H-4, and attestation keys.
POLICY_A = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
EK_RSA = "0001000b000300b20020" + POLICY_A + "00060080004300100800" + "00000000"
EK_P256 = "0023000b000300b20020" + POLICY_A + "00060080004300100003" + "0010"
EK_P384 = ("0023000c000300f20030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47"
           "ba09699646150f9fc000f3f80e12" "00060100004300100004" "0010")
EK_P521 = ("0023000d000300f20040b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429"
           "c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea"
           "00060100004300100005" "0010")
AK_RSA = "0001000b00050072000000100014000b0800" "00000000"
AK_P256 = "0023000b00050072000000100018000b0003" "0010"
CURVES = {"P-256": 32, "P-384": 48, "P-521": 66}

def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def sized(data):
    return struct.pack(">H", len(data)) + data


def rsa_public(template, bits=2048):
    pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")
    text = openssl("rsa", "-noout", "-modulus", data=pem).decode()
    return bytes.fromhex(template) + sized(bytes.fromhex(text.split("=")[1]))


def ec_public(template, curve):
    pem = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    size = CURVES[curve]
    point = openssl("pkey", "-pubout", "-outform", "DER", data=pem)[-2 * size:]
    return bytes.fromhex(template) + sized(point[:size]) + sized(point[size:])


def manifest_of(*publics, version=1, count=None):
    head = struct.pack(">II", version, len(publics) if count is None else count)
    return head + b"".join(map(sized, publics))


def context_of(profile, tag=TAG_CA, version=1):
    name = profile.encode()
    return struct.pack("<I", tag) + VTPM_GUID + struct.pack("<II", version, len(name)) + name


class Signer:
    """Makes reports as the AMD-SP of the emulated machine would."""

    def __init__(self, resign, keys, work):
        self.resign, self.keys, self.work = resign, keys, work
        (work / "chain").mkdir()
        self.report(bytes(64))
        self.chain = {name: openssl("x509", "-in", str(work / "chain" / f"{name}.pem"), "-outform",
                                    "DER") for name in TABLE_GUIDS}

    def report(self, report_data, measurement=bytes(48), vmpl=0, policy=0x30000, version=3):
        path = self.work / "report.bin"
        path.write_bytes(report.unsigned(version, (0x19, 1, 1), report_data=report_data,
                                         measurement=measurement, vmpl=vmpl, policy=policy))
        subprocess.run([self.resign, self.keys, path, self.work / "chain"], check=True)
        return path.read_bytes()

    def table(self, names=("vcek", "ask", "ark")):
        at = (len(names) + 1) * 24
        entries, blobs = b"", b""
        for name in names:
            der = self.chain[name]
            entries += bytes.fromhex(TABLE_GUIDS[name]) + struct.pack("<II", at + len(blobs), len(der))
            blobs += der
        return entries + bytes(24) + blobs


class Vtpm:
    """The vTPM's side of a conversation."""

    def __init__(self, connection, signer, measurement, profile="tcg"):
        self.socket, self.signer, self.profile = connection, signer, profile
        self.measurement = measurement
        self.socket.settimeout(20)

    def send(self, kind, payload, magic=MAGIC, length=None, crc=None):
        head = struct.pack("<IIII", magic, kind, len(payload) if length is None else length,
                           zlib.crc32(payload) if crc is None else crc)
        self.socket.sendall(head + payload)

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def receive(self):
        magic, kind, length, crc = struct.unpack("<IIII", self.take(16))
        payload = self.take(length)
        assert magic == MAGIC and crc == zlib.crc32(payload)
        return kind, payload

    def hello(self, profile=None):
        self.send(HELLO, self.profile.encode() if profile is None else profile)
        return self.receive()

    def nonce(self):
        kind, nonce = self.hello()
        assert kind == NONCE and len(nonce) == 64, (kind, nonce)
        return nonce

    def parts(self, manifest, nonce, context=None, **report):
        context = context_of(self.profile) if context is None else context
        data = hashlib.sha512(nonce + context + manifest).digest()
        report.setdefault("measurement", self.measurement)
        return self.signer.report(data, **report), manifest, self.signer.table()

    @staticmethod
    def payload(report, manifest, table, reserved=0):
        return struct.pack("<IIII", len(report), len(manifest), len(table),
                           reserved) + report + manifest + table

    def request(self, report, manifest, table, **more):
        self.send(REQUEST, self.payload(report, manifest, table, **more))
        return self.receive()


def certificates_of(payload):
    count, at, ders = struct.unpack_from("<I", payload)[0], 4, []
    for _ in range(count):
        size = struct.unpack_from("<I", payload, at)[0]
        ders.append(payload[at + 4:at + 4 + size])
        at += 4 + size
    assert at == len(payload)
    return ders


class World:
    def __init__(self, socle, resign, keys, work):
        self.socle, self.work = socle, work
        self.signer = Signer(resign, keys, work)
        self.measurement = os.urandom(48)
        self.ca = work / "ca"
        self.publics = [rsa_public(EK_RSA), ec_public(EK_P256, "P-256"), ec_public(EK_P384, "P-384"),
                        ec_public(EK_P521, "P-521"), rsa_public(AK_RSA), ec_public(AK_P256, "P-256")]
        self.manifest = manifest_of(*self.publics)

    def run(self, *arguments):
        return subprocess.run([self.socle, "ca", *map(str, arguments)], capture_output=True, text=True,
                              check=False)

    def policy(self, measurement=True, trust=True, root=True):
        options = ["--measurement", self.measurement.hex()] if measurement else []
        if root:
            options += ["--ark", self.work / "chain/ark.pem"]
        return options + (["--trust-emulated"] if trust else [])

    @contextlib.contextmanager
    def served(self, *options, policy=None):
        """A CA process; its Vtpm and, afterwards, its exit status and messages."""
        path = self.work / "ca.sock"
        process = subprocess.Popen([self.socle, "ca", "serve", "--listen", f"unix:{path}", "--once",
                                    *(self.policy() if policy is None else policy), *options, self.ca],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "listening\n", process.stderr.read()
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                vtpm = Vtpm(connection, self.signer, self.measurement)
                yield vtpm
            vtpm.out, vtpm.err = process.communicate(timeout=20)
            vtpm.status = process.returncode
        finally:
            process.kill()
            process.wait()
