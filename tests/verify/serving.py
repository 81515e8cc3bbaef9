# SPDX-License-Identifier: MIT
"""`socle verify serve` for tests: its certificate, its start and end, clients, and evidence that answers a
nonce, by the keys of the test vectors."""

import base64
import contextlib
import datetime
import http.client
import ipaddress
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/spec"), str(ROOT / "tests/lib")]

import make_chain  # noqa: E402
import make_verdicts  # noqa: E402
from make_attestation import TEMPLATES, Key  # noqa: E402

NONCE, VERDICT, METRICS = "/v1/nonce", "/v1/verdict", "/metrics"
SECONDS = 120  # against a hang


class Guests:
    """Whoever answers nonces: an emulated machine and its vTPM."""

    def __init__(self):
        self.world = make_verdicts.World({name: Key(name) for name in TEMPLATES})

    def evidence(self, nonce, **changes):
        """The files of a guest's folder; changes: of the report."""
        w = self.world
        it = make_verdicts.Evidence(w, w.template, 0, [w.ak], nonce=nonce).quoted(w.ak, nonce)
        if changes:
            it.again(**changes)
        return {name: data for name, data in it.files.items() if name not in ("ark.pem", "nonce.bin")}

    def ark(self):
        return self.world.chain.ark


def policy(**more):
    return {"format": 1, "allow": {"emulated": True},
            "measurements": {"expected": make_chain.MEASUREMENT.hex()}, **more}


def request(nonce, files):
    return {"nonce": nonce.hex(), "evidence": {name: base64.b64encode(data).decode()
                                               for name, data in files.items()}}


def write_key(path, key):
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))


def make_tls(folder):
    """A certificate for 127.0.0.1, which is its own authority: tls.pem and tls.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.utcnow()
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(
        key.public_key()).serial_number(7).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
            now + datetime.timedelta(days=9)).add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False).add_extension(
                    x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    (folder / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    write_key(folder / "tls.key", key)


def prepare(folder, guests, **rules):
    """All that a service is started with, in a folder."""
    make_tls(folder)
    (folder / "policy.json").write_text(json.dumps(policy(**rules)))
    (folder / "ark.pem").write_bytes(guests.ark())
    write_key(folder / "ear.key", ec.generate_private_key(ec.SECP384R1()))


class Service:
    """A process of it; what it logs is kept."""

    def __init__(self, socle, folder, *options, environment=None):
        self.folder = folder
        command = [socle, "verify", "serve", "--policy", folder / "policy.json", "--ark", folder / "ark.pem",
                   "--ear-key", folder / "ear.key", "--tls-cert", folder / "tls.pem", "--tls-key",
                   folder / "tls.key", "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace",
                                        env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline().split()
        if line[:1] != ["listening"]:
            raise RuntimeError(self.process.stderr.read())
        self.port = int(line[1])
        self.log, self.asked, self.lock = [], 0, threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.context = ssl.create_default_context(cafile=str(folder / "tls.pem"))

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def end(self, seconds=SECONDS):
        """Status, after SIGTERM."""
        self.process.terminate()
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def connect(self, timeout=SECONDS):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.context)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Status and body of one request; a body that is JSON as what it says."""
        connection, mine = connection or self.connect(), not connection
        with self.lock:
            self.asked += 1
        try:
            if isinstance(body, dict):
                body = json.dumps(body).encode()
            if headers is None and body is not None:
                headers = {"Content-Type": "application/json"}
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            said = json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()
            return answer.status, said
        finally:
            if mine:
                connection.close()

    def nonce(self, connection=None):
        status, said = self.ask("POST", NONCE, connection=connection)
        if status != 200:
            raise RuntimeError(said)
        return bytes.fromhex(said["nonce"])

    def verdict(self, nonce, files, connection=None):
        return self.ask("POST", VERDICT, request(nonce, files), connection=connection)

    def metrics(self):
        """Name with labels -> value."""
        found = {}
        for line in self.ask("GET", METRICS)[1].splitlines():
            match = re.fullmatch(r"([a-z_]+(?:\{[^}]*\})?) ([-+0-9.e]+)", line)
            if match:
                found[match[1]] = float(match[2])
            elif not line.startswith("# "):
                raise ValueError(line)
        return found


@contextlib.contextmanager
def service(socle, folder, *options, **more):
    it = Service(socle, folder, *options, **more)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            it.kill()
