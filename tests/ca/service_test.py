#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The vtpm service and `socle ca` with each other, as processes: the service gets certificates while
it is manufactured, and keeps them in locked NV memory. This program plays the attest service and the
AMD-SP, and in the end the guest that reads.

    service_test.py SOCLE VTPM PROFILE_DIR RESIGN KEY_DIR
"""

import fcntl
import hashlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import authority  # noqa: E402
from results import Results  # noqa: E402

REPORT_TO_CA, COMMAND = 1, 1
REQUESTS_FD, HOST_FD, ATTEST_FD, PROFILE_FD, LOG_FD = 3, 4, 5, 6, 7
# By profile: NV index, and which key of the manifest its certificate is for.
CERTIFICATES = {
    "tcg": {0x01C00002: 0, 0x01C0000A: 1, 0x01C00012: 2, 0x01C00014: 3, 0x01C00016: 4},
    "google": {0x01C00002: 0, 0x01C0000A: 1, 0x01C10000: 2, 0x01C10002: 3},
}
LOCKED = 1 << 11
result = Results("ca and vtpm")


def start_service(vtpm, profile, grants):
    """The service with its descriptors; they are moved out of each other's way first."""
    def place():
        high = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for number, fd in grants.items()}
        for number, fd in high.items():
            os.dup2(fd, number)

    grants = dict(grants)
    grants[PROFILE_FD] = os.open(profile, os.O_RDONLY)
    return subprocess.Popen([vtpm], preexec_fn=place, close_fds=False, env={})


class Service:
    def __init__(self, world, vtpm, profile, ca_socket):
        def pair(kind):
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            ours.settimeout(30)
            return ours, theirs

        self.world = world
        self.requests, requests = pair(socket.SOCK_SEQPACKET)
        self.attest, attest = pair(socket.SOCK_SEQPACKET)
        host = socket.socket(socket.AF_UNIX)
        host.connect(ca_socket)
        host.setblocking(False)
        self.log = open(world.work / "log", "w+b")
        self.process = start_service(vtpm, profile, {
            REQUESTS_FD: requests.fileno(), HOST_FD: host.fileno(), ATTEST_FD: attest.fileno(),
            LOG_FD: self.log.fileno()})
        for theirs in (requests, attest, host):
            theirs.close()

    def attest_once(self, **report):
        """One request to the attest service, answered with a report that says what it should."""
        message = self.attest.recv(1 << 18)
        op, size = struct.unpack_from("<II", message)
        nonce, version, name_size, manifest_size, _ = struct.unpack_from("<64sIIII", message, 8)
        body = message[8 + 80:]
        assert op == REPORT_TO_CA and size == len(message) - 8
        assert version == 1 and len(body) == name_size + manifest_size
        context = authority.context_of(body[:name_size].decode())
        data = hashlib.sha512(nonce + context + body[name_size:]).digest()
        report.setdefault("measurement", self.world.measurement)
        made, table = self.world.signer.report(data, **report), self.world.signer.table()
        payload = struct.pack("<II", len(made), len(table)) + made + table
        self.attest.send(struct.pack("<II", 0, len(payload)) + payload)

    def command(self, code, body, sessions=False):
        tag = 0x8002 if sessions else 0x8001
        command = struct.pack(">HII", tag, 10 + len(body), code) + body
        self.requests.send(struct.pack("<II", COMMAND, 4 + len(command)) + bytes(4) + command)
        reply = self.requests.recv(1 << 18)
        assert struct.unpack_from("<I", reply)[0] == 0
        return struct.unpack_from(">I", reply, 18)[0], reply[22:]  # behind struct vtpm_response

    def nv_public(self, index):
        """Attributes and size, or None."""
        rc, answer = self.command(0x169, struct.pack(">I", index))
        if rc:
            return None
        _, _, _, attributes, policy = struct.unpack_from(">HIHIH", answer)
        return attributes, struct.unpack_from(">H", answer, 14 + policy)[0]

    def nv_read(self, index, size):
        data = b""
        while len(data) < size:
            piece = min(size - len(data), 1024)
            auth = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
            rc, answer = self.command(0x14E, struct.pack(">II", index, index) + auth +
                                      struct.pack(">HH", piece, len(data)), True)
            assert rc == 0, hex(rc)
            data += answer[6:6 + piece]
        return data

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.seek(0)
        return self.log.read().decode()


def run(world, vtpm, profiles, name, ask, **report):
    path = world.work / f"{name}.sock"
    ca = subprocess.Popen([world.socle, "ca", "serve", "--listen", f"unix:{path}", "--once",
                           *world.policy(), world.ca], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    assert ca.stdout.readline() == "listening\n"
    service = Service(world, vtpm, profiles / f"{name}.conf", str(path))
    try:
        service.attest_once(**report)
        ask(service)
    finally:
        log = service.end()
    out, err = ca.communicate(timeout=20)
    return out, err, log


def certified(world, name, issued):
    def ask(service):
        for index, key in CERTIFICATES[name].items():
            public = service.nv_public(index)
            result(public is not None, f"{name}: index {index:#x} is there")
            if not public:
                continue
            result(public[0] & LOCKED, f"{name}: index {index:#x} is locked", hex(public[0]))
            der = service.nv_read(index, public[1])
            kept = world.ca / "issued" / f"{issued + key + 1}.pem"
            result(der == authority.openssl("x509", "-in", str(kept), "-outform", "DER"),
                   f"{name}: index {index:#x} has the certificate", len(der))
    return ask


def without(service):
    result(service.nv_public(0x01C00002) is None, "a refused vTPM has no certificate")


def main():
    socle, vtpm, profiles, resign, keys = sys.argv[1:6]
    with tempfile.TemporaryDirectory() as work:
        world = authority.World(socle, resign, keys, Path(work))
        assert world.run("init", world.ca).returncode == 0
        for name in CERTIFICATES:
            issued = int((world.ca / "serial").read_text()) - 1
            out, err, log = run(world, vtpm, Path(profiles), name, certified(world, name, issued))
            result(out.startswith(f"issued for profile {name}:") and err == "", f"{name}: issued", err)
            result("ready" in log and "no certificates" not in log, f"{name}: ready", log)
        _, err, log = run(world, vtpm, Path(profiles), "tcg", without, vmpl=2)
        result("vmpl:" in err, "a report of another level is refused", err)
        result("the CA says: vmpl:" in log and "ready" in log, "and the vTPM is told", log)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
