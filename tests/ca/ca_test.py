#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle ca`: a vTPM that tells the truth gets certificates that stand up to `openssl verify
-x509_strict`; one that lies in any one thing is refused, with the reason. Reports are signed by the
emulated VCEK after each change, so that only the check that is named can refuse them.

    ca_test.py SOCLE RESIGN KEY_DIR
"""

import contextlib
import hashlib
import os
import pty
import re
import select
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("verify", "lib")]
from authority import (  # noqa: E402
    AK_P256, CERTIFICATES, EK_RSA, HELLO, MAGIC, NONCE, REFUSED, REQUEST,
    TAG_SELECTOR, Vtpm, World, certificates_of, context_of, manifest_of, openssl, rsa_public)
import chains  # noqa: E402
import report  # noqa: E402
from results import Results  # noqa: E402

CLIENTS_MAX = 16  # docs/ca.md

result = Results("ca")


def check_certificate(world, der, public, serial, name):
    path = world.work / "key.pem"
    path.write_bytes(openssl("x509", "-inform", "DER", data=der))
    verify = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", world.ca / "ca.pem", path],
                            capture_output=True, text=True, check=False)
    result(verify.returncode == 0, f"{name}: openssl verify", verify.stderr)
    text = openssl("x509", "-in", str(path), "-noout", "-text", "-serial").decode()
    spki = openssl("x509", "-in", str(path), "-noout", "-pubkey").decode()
    rsa = public[:2] == b"\0\1"
    key = openssl("pkey", "-pubin", "-outform", "DER", data=spki.encode())
    unique = public[-256:] if rsa else public[-8:]
    result(unique in key, f"{name}: it is for another key")
    ek = bool(struct.unpack_from(">I", public, 4)[0] & 1 << 17)
    usage = ("Key Encipherment" if rsa else "Key Agreement") if ek else "Digital Signature"
    # TCG EK Credential Profile 2.5, 3.2.9: not critical where there is a subject. What Go's crypto/x509
    # and go-attestation say of these certificates: by hand, go_x509.go.
    # Newer versions of OpenSSL have names for the TCG's attributes.
    wanted = [r"X509v3 Subject Alternative Name: *\n\s+"
              r"DirName:/?(2\.23\.133\.2\.1|tcg-at-tpmManufacturer) ?= ?id:49424D00",
              r"(2\.23\.133\.2\.2|tcg-at-tpmModel) ?= ?Socle vTPM",
              r"(2\.23\.133\.2\.3|tcg-at-tpmVersion) ?= ?id:20191023",
              r"X509v3 Basic Constraints: critical\n\s+CA:FALSE",
              r"X509v3 Key Usage: critical\n\s+" + usage + r"\n",
              r"(Endorsement Key Certificate|2\.23\.133\.8\.1)\n" if ek else
              r"(Attestation Identity Key Certificate|2\.23\.133\.8\.3)\n",
              r"X509v3 Subject Directory Attributes:", r"X509v3 Authority Key Identifier:",
              rf"Subject: CN ?= ?Socle vTPM {'EK' if ek else 'AK'}, serialNumber ?= ?{serial:x}\n",
              "serial=" + serial.to_bytes((serial.bit_length() + 7) // 8, "big").hex().upper()]
    for pattern in wanted:
        result(re.search(pattern, text), f"{name}: {pattern}", text)


def test_truth(world):
    made = world.run("init", "--name", "Test CA", world.ca)
    result(made.returncode == 0, "init", made.stderr)
    first = int((world.ca / "serial").read_text())
    result((world.ca / "ca.key").stat().st_mode & 0o777 == 0o600, "the key is readable")
    again = world.run("init", world.ca)
    result(again.returncode == 1 and "there already" in again.stderr, "init twice", again.stderr)
    root = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", world.ca / "ca.pem",
                           world.ca / "ca.pem"], capture_output=True, text=True, check=False)
    result(root.returncode == 0, "the root verifies", root.stderr)
    with world.served("--profile", "tcg") as vtpm:
        kind, answer = vtpm.request(*vtpm.parts(world.manifest, vtpm.nonce()))
    result(kind == CERTIFICATES and vtpm.status == 0, "a true request", (kind, answer, vtpm.err))
    if kind != CERTIFICATES:
        return
    ders = certificates_of(answer)
    result(len(ders) == len(world.publics), "as many certificates as keys", len(ders))
    for i, (der, public) in enumerate(zip(ders, world.publics)):
        check_certificate(world, der, public, first + i, f"certificate {i}")
        kept = openssl("x509", "-in", str(world.ca / "issued" / f"{first + i}.pem"), "-outform", "DER")
        result(kept == der, f"certificate {i} is recorded")
    told = " ".join(f"{kind} {first + i}" for i, kind in enumerate(["EK"] * 4 + ["AK"] * 2))
    result(vtpm.out == f"issued for profile tcg: {told}\n", "told", vtpm.out)
    check_serial_file(world)


def check_serial_file(world):
    """Another authority of the same name starts elsewhere; the file is its owner's with any umask."""
    other = world.work / "other-ca"
    made = subprocess.run([world.socle, "ca", "init", "--name", "Test CA", other], umask=0, check=False)
    result(made.returncode == 0 and stat.S_IMODE((other / "serial").stat().st_mode) == 0o600,
           "the serial file of a new authority is 0600")
    result(stat.S_IMODE((world.ca / "serial").stat().st_mode) == 0o600, "and when it was used")
    far = abs(int((other / "serial").read_text()) - int((world.ca / "serial").read_text()))
    result(far > 1 << 30, "two authorities of one name number apart", far)


def refusal(world, name, pattern, ask, options=(), policy=None):
    """ask(vtpm) says something that must be refused with a line that has the pattern."""
    before = (world.ca / "serial").read_text()
    with world.served(*options, policy=policy) as vtpm:
        kind, answer = ask(vtpm)
    line = answer.decode(errors="replace") if kind == REFUSED else repr((kind, answer[:80]))
    result(kind == REFUSED and re.search(pattern, line), f"{name}: refused", line)
    result(vtpm.status == 2 and line in vtpm.err and vtpm.err.count("\n") == 1,
           f"{name}: said on stderr", (vtpm.status, vtpm.err))
    result((world.ca / "serial").read_text() == before, f"{name}: no certificate was made")


def asks(world, change=lambda parts: parts, manifest=None, **more):
    """A request that is true but for change, which gets and gives (report, manifest, table)."""
    chosen = world.manifest if manifest is None else manifest
    return lambda vtpm: vtpm.request(*change(vtpm.parts(chosen, vtpm.nonce(), **more)))


def flip(data, offset):
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1:]


def test_report_lies(world):
    lies = [
        ("level 1", r"^vmpl:", asks(world, vmpl=1)),
        ("a debug policy", r"^policy:", asks(world, policy=0xB0000)),
        ("another image", r"^measurement:", asks(world, measurement=bytes(48))),
        ("an unknown report version", r"^report-format:", asks(world, version=9)),
        ("a changed report", r"^signature:", asks(world, lambda p: (flip(p[0], 0x50), *p[1:]))),
        ("a changed signature", r"^signature:", asks(world, lambda p: (flip(p[0], 0x2A1), *p[1:]))),
        ("a short report", r"^report:", asks(world, lambda p: (p[0][:-1], *p[1:]))),
        ("no report", r"^report:", asks(world, lambda p: (b"", *p[1:]))),
        ("no context", r"^report-data:", asks(world, context=b"")),
        ("a selector's context", r"^report-data:", asks(world, context=context_of("tcg", TAG_SELECTOR))),
        ("another profile's context", r"^report-data:", asks(world, context=context_of("azure"))),
        ("another manifest version's", r"^report-data:", asks(world, context=context_of("tcg",
                                                                                       version=0))),
        ("another nonce", r"^report-data:", lambda v: v.request(*v.parts(world.manifest,
                                                                         flip(v.nonce(), 3)))),
        ("another manifest", r"^report-data:", asks(
            world, lambda p: (p[0], manifest_of(*world.publics[:-1]), p[2]))),
    ]
    for name, pattern, ask in lies:
        refusal(world, name, pattern, ask)
    refusal(world, "the emulated root, not trusted", r"^root:", asks(world),
            policy=world.policy(trust=False))
    refusal(world, "an emulated root that only the request has", r"^root: .*came with", asks(world),
            policy=world.policy(root=False))
    refusal(world, "a TCB below the minimum", r"^tcb-minimum:", asks(world),
            options=("--minimum-tcb", "0,255,255,255,255"))


def test_chain_lies(world):
    signer = world.signer
    far = bytearray(signer.table())
    struct.pack_into("<I", far, 16, 0xFFFFFFF0)
    near = bytearray(signer.table())
    near[16:24] = near[40:48]
    tables = [
        ("no table", b"", "no certificates"),
        ("a table without an end", bytes.fromhex("11" * 24) * 3, "no end"),
        ("a table of nothing but its end", bytes(24), "lacks"),
        ("a cut table", signer.table()[:24], "no end"),
        ("a long table", (bytes.fromhex("11" * 24)) * 40, "too long"),
        ("no VCEK", signer.table(("ask", "ark")), "lacks"),
        ("no ASK", signer.table(("vcek", "ark")), "lacks"),
        ("two VCEKs", signer.table(("vcek", "vcek", "ask", "ark")), "twice"),
        ("an offset that is far away", bytes(far), "no bytes of its own"),
        ("a cut certificate", signer.table()[:-5], "no bytes of its own"),
        ("one certificate for two", bytes(near), "overlap"),
    ]
    for name, table, pattern in tables:
        refusal(world, name, r"^certificates: .*" + pattern,
                asks(world, lambda p, table=table: (*p[:2], table)))
    signer.chain["vcek"], own = signer.chain["ask"], signer.chain["vcek"]
    swapped = signer.table()
    signer.chain["vcek"] = own
    refusal(world, "the ASK as VCEK", r"^(chain|vcek|signature):", asks(world, lambda p: (*p[:2], swapped)))
    with world.served() as vtpm:
        report, manifest, _ = vtpm.parts(world.manifest, vtpm.nonce())
        kind, _ = vtpm.request(report, manifest, signer.table(("vcek", "ask")))
    result(kind == CERTIFICATES, "the authority's own root", vtpm.err)
    with world.served("--certs", world.work / "chain") as vtpm:
        report, manifest, _ = vtpm.parts(world.manifest, vtpm.nonce())
        kind, _ = vtpm.request(report, manifest, b"rubbish that nobody reads")
    result(kind == CERTIFICATES, "the authority's own chain", vtpm.err)


def with_attributes(public, clear=0, put=0):
    value = struct.unpack_from(">I", public, 4)[0] & ~clear | put
    return public[:4] + struct.pack(">I", value) + public[8:]


def test_manifest_lies(world):
    ek, ak = world.publics[0], world.publics[5]
    off_curve = ak[:-1] + bytes([ak[-1] ^ 1])
    even = ek[:-1] + bytes([ek[-1] & 0xFE])
    manifests = [
        ("version 0", ek, "version"),
        ("version 2", manifest_of(ek, version=2), "version"),
        ("no key", manifest_of(), "no key"),
        ("too many keys", manifest_of(*[ak] * 33), "too many"),
        ("fewer keys than it says", manifest_of(ek, count=2), "(cut short|empty)"),
        ("more keys than it says", manifest_of(ek, ak, count=1), "follow"),
        ("an empty manifest", b"", "empty"),
        ("a key that can move", manifest_of(with_attributes(ek, clear=1 << 1)), "manifest:"),
        ("a key that the guest knows", manifest_of(ek, with_attributes(ak, clear=1 << 5)), "manifest:"),
        ("a key that signs anything", manifest_of(with_attributes(ak, clear=1 << 16)), "manifest:"),
        ("a key that signs and decrypts", manifest_of(with_attributes(ak, put=1 << 17)), "manifest:"),
        ("a template in place of a key", manifest_of(bytes.fromhex(AK_P256) + bytes(4)), "manifest:"),
        ("a short modulus", manifest_of(rsa_public(EK_RSA, 1024)), "manifest:"),
        ("a point that is not on the curve", manifest_of(ek, off_curve), "key 1 is no valid"),
        ("an even modulus", manifest_of(even), "key 0 is no valid"),
    ]
    for name, manifest, pattern in manifests:
        refusal(world, name, r"^manifest: " if pattern == "manifest:" else r"^manifest: .*" + pattern,
                asks(world, manifest=manifest))


def replayed(world):
    def ask(vtpm):
        parts = vtpm.parts(world.manifest, vtpm.nonce())
        first, _ = vtpm.request(parts[0], b"", parts[2])
        assert first == REFUSED
        return vtpm.request(*parts)
    return ask


def test_order_and_framing(world):
    request = Vtpm.payload(bytes(report.SIZE), world.manifest, b"")
    refusals = [
        ("a request without a nonce", "no nonce", lambda v: (v.send(REQUEST, request), v.receive())[1]),
        ("no profile", "profile's name", lambda v: v.hello(b"")),
        ("a long profile", "profile's name", lambda v: v.hello(b"a" * 32)),
        ("a profile with a line end", "profile's name", lambda v: v.hello(b"tcg\nissued")),
        ("a damaged message", "damaged", lambda v: (v.send(HELLO, b"tcg", crc=1), v.receive())[1]),
        ("a message without an end", "too long",
         lambda v: (v.send(HELLO, b"tcg", length=1 << 31), v.receive())[1]),
        ("an answer", "unexpected", lambda v: (v.send(NONCE, bytes(64)), v.receive())[1]),
        ("an unknown type", "unexpected", lambda v: (v.send(77, b""), v.receive())[1]),
        ("sizes that exceed the message", "sizes", lambda v: (v.nonce(), v.send(
            REQUEST, struct.pack("<IIII", 0xFFFFFFFF, 1, 0, 0) + bytes(64)), v.receive())[2]),
        ("sizes that leave bytes over", "sizes", lambda v: (v.nonce(), v.send(
            REQUEST, Vtpm.payload(b"a", b"b", b"c") + b"d"), v.receive())[2]),
        ("a reserved word that is not zero", "sizes", lambda v: v.request(
            *v.parts(world.manifest, v.nonce()), reserved=1)),
        ("an empty request", "sizes", lambda v: (v.nonce(), v.send(REQUEST, b""), v.receive())[2]),
    ]
    for name, pattern, ask in refusals:
        refusal(world, name, pattern, ask)
    refusal(world, "another profile than the served one", r"^profile:", asks(world),
            options=("--profile", "azure"))
    with world.served() as vtpm:
        kind, answer = replayed(world)(vtpm)
    result(kind == REFUSED and b"no nonce" in answer, "a nonce is for one request", answer)


def test_line_noise(world):
    with world.served() as vtpm:
        vtpm.socket.sendall(b"boot\r\nSCA\0SC" + struct.pack("<I", MAGIC)[:3])
        first, second = vtpm.nonce(), vtpm.nonce()
        result(first == second, "a repeated HELLO has the same nonce")
        payload = vtpm.payload(*vtpm.parts(world.manifest, second))
        message = struct.pack("<IIII", MAGIC, REQUEST, len(payload), zlib.crc32(payload)) + payload
        for byte in message[:40]:
            vtpm.socket.sendall(bytes([byte]))
        vtpm.socket.sendall(message[40:])
        kind, _ = vtpm.receive()
        result(kind == CERTIFICATES, "a request in pieces, after noise", kind)
        result(vtpm.nonce() != second, "the next nonce is another")


def test_connect(world):
    """The authority as client, as at `socle run --vmpl0-channel`, which appears later."""
    path = world.work / "machine.sock"
    process = subprocess.Popen([world.socle, "ca", "serve", "--connect", f"unix:{path}",
                                *world.policy(), world.ca], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            vtpm = Vtpm(connection, world.signer, world.measurement)
            kind, _ = vtpm.request(*vtpm.parts(world.manifest, vtpm.nonce()))
    _, errors = process.communicate(timeout=20)
    result(kind == CERTIFICATES and process.returncode == 0, "--connect", errors)


def test_many(world):
    """Clients at the same time: nobody waits for a silent one, no serial number comes twice."""
    path = world.work / "many.sock"
    process = subprocess.Popen([world.socle, "ca", "serve", "--listen", f"unix:{path}",
                                *world.policy(), world.ca], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "listening\n"
    serials, manifest = [], manifest_of(world.publics[1])
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(path))
    silent.sendall(struct.pack("<I", MAGIC))
    lock = threading.Lock()

    def one():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            vtpm = Vtpm(connection, world.signer, world.measurement)
            nonce = vtpm.nonce()
            with lock:  # the signer has one working file
                parts = vtpm.parts(manifest, nonce)
            kind, answer = vtpm.request(*parts)
            assert kind == CERTIFICATES, answer
            der = certificates_of(answer)[0]
            serials.append(openssl("x509", "-inform", "DER", "-noout", "-serial", data=der))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    silent.close()
    process.terminate()
    process.wait()
    result(len(serials) == 6 == len(set(serials)), "six clients, six serial numbers", serials)


def idle_clients(path, count):
    """As many clients who only stay: silent, in the middle of a header or of a payload, or asking."""
    header = struct.pack("<IIII", MAGIC, HELLO, 3, zlib.crc32(b"tcg"))
    clients = []
    for i in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.settimeout(20)
        client.sendall((b"", header[:9], header + b"t", header + b"tcg")[i % 4])
        clients.append(client)
    return clients


def keep_busy(clients, stop):
    """Each sends a byte now and then, which is noise to some and a part of a message to others."""
    while not stop.wait(0.2):
        for client in clients:
            with contextlib.suppress(OSError):
                client.send(b"x")


def test_stay(world):
    """Idle clients in all places that there are: the next one is served when their time is over."""
    path = world.work / "stay.sock"
    process = subprocess.Popen([world.socle, "ca", "serve", "--listen", f"unix:{path}", "--stay", "4",
                                *world.policy(), world.ca], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "listening\n"
    clients, stop = idle_clients(path, CLIENTS_MAX), threading.Event()
    busy = threading.Thread(target=keep_busy, args=(clients[CLIENTS_MAX // 2:], stop))
    busy.start()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            vtpm = Vtpm(connection, world.signer, world.measurement)
            start = time.monotonic()
            nonce = vtpm.nonce()
            waited = time.monotonic() - start
            kind, _ = vtpm.request(*vtpm.parts(world.manifest, nonce))
        result(kind == CERTIFICATES, "served after idle clients", kind)
        result(waited > 1, "as many clients at a time as there are places", waited)
        for client in clients:
            with contextlib.suppress(ConnectionError):
                while client.recv(4096):
                    pass
    except OSError as error:
        result(False, "idle clients leave a place", error)
    finally:
        stop.set()
        busy.join()
        for client in clients:
            client.close()
        process.terminate()
    _, errors = process.communicate()
    gone = errors.count("a client's time is over")
    result(gone == CLIENTS_MAX, "idle clients are hung up on", errors)


def test_issue(world):
    request, output = world.work / "request", world.work / "output"
    own_nonce = world.work / "issue-nonce.bin"
    request.mkdir()
    nonce = os.urandom(64)
    data = hashlib.sha512(nonce + context_of("tcg") + world.manifest).digest()
    files = {"profile": b"tcg\n", "manifest.bin": world.manifest,
             "report.bin": world.signer.report(data, world.measurement),
             "certs.bin": world.signer.table()}
    for name, content in files.items():
        (request / name).write_bytes(content)
    own_nonce.write_bytes(nonce)
    def issue(*policy):
        return world.run("issue", *policy, "--nonce", own_nonce, "-o", output, world.ca, request)

    # A nonce that comes with the request is the requester's: it decides nothing.
    (request / "nonce.bin").write_bytes(nonce)
    theirs = world.run("issue", *world.policy(), "-o", output, world.ca, request)
    result(theirs.returncode == 1 and "--nonce" in theirs.stderr, "issue: the request's nonce",
           theirs.stderr)
    own_nonce.write_bytes(os.urandom(64))
    other = issue(*world.policy())
    result(other.returncode == 2 and "report-data" in other.stderr and not output.exists(),
           "issue: another nonce than the request's", other.stderr)
    own_nonce.write_bytes(nonce)
    (request / "nonce.bin").unlink()
    bad = issue(*world.policy(measurement=False), "--measurement", "00" * 48)
    result(bad.returncode == 2 and "measurement:" in bad.stderr and not output.exists(),
           "issue: another image", bad.stderr)
    # A list by another root of the same name says nothing of this one's, and is none of its.
    crl = world.work / "crl"
    crl.write_bytes(chains.crl())
    revoked = issue(*world.policy(), "--crl", crl)
    result(revoked.returncode == 2 and "revocation:" in revoked.stderr and not output.exists(),
           "issue: a revocation list of another root", revoked.stderr)
    crl.write_bytes(b"none")
    result(issue(*world.policy(), "--crl", crl).returncode == 1, "issue: no revocation list")
    good = issue(*world.policy())
    result(good.returncode == 0, "issue", good.stderr)
    names = sorted(path.name for path in output.iterdir())
    result(names == [f"key-{i}.der" for i in range(6)], "issue: files", names)
    again = issue(*world.policy())
    result(again.returncode == 2 and "used before" in again.stderr, "issue: a used nonce", again.stderr)
    own_nonce.write_bytes(nonce[:-1])
    short = issue(*world.policy())
    result(short.returncode == 2 and "64 bytes" in short.stderr, "issue: a short nonce", short.stderr)
    (request / "report.bin").unlink()
    result(issue(*world.policy()).returncode == 1, "issue: a missing file")


def test_misuse(world):
    cases = [
        ("no policy", ("serve", "--listen", "unix:/x", world.ca), "an image or a measurement"),
        ("two policies", ("serve", "--listen", "unix:/x", "--image", "/x", *world.policy(), world.ca),
         "one of them"),
        ("no address", ("serve", *world.policy(), world.ca), "--listen or --connect"),
        ("a bad address", ("serve", "--listen", "/x", *world.policy(), world.ca), "--listen"),
        ("a bad time", ("serve", "--stay", "0", world.ca), "--stay"),
        ("a bad measurement", ("serve", "--measurement", "12", world.ca), "--measurement"),
        ("a bad manufacturer", ("serve", "--tpm-manufacturer", "IBM", world.ca), "--tpm-manufacturer"),
        ("a bad name", ("init", "--name", "a\nb", world.work / "none"), "--name"),
        ("no authority", ("serve", "--listen", "unix:/x", *world.policy(), world.work / "none"),
         "ca.key"),
        ("an unknown option", ("serve", "--force"), "unknown option"),
        ("an unknown command", ("revoke",), "unknown command"),
    ]
    for name, arguments, pattern in cases:
        run = world.run(*arguments)
        result(run.returncode == 1 and pattern in run.stderr, f"misuse: {name}", run.stderr)


def test_no_questions(world):
    """Files in encrypted PEM are refused, and nobody is asked for a passphrase: not on a terminal either."""
    folder = world.work / "encrypted"
    for name in ("ca.key", "ca.pem"):
        shutil.copytree(world.ca, folder)
        kind = "EC PRIVATE KEY" if name == "ca.key" else "CERTIFICATE"
        (folder / name).write_text(f"-----BEGIN {kind}-----\nProc-Type: 4,ENCRYPTED\n"
                                   f"DEK-Info: AES-256-CBC,{'00' * 16}\n\n{'A' * 64}\n-----END {kind}-----\n")
        child, terminal = pty.fork()
        if child == 0:
            os.execv(world.socle, [world.socle, "ca", "serve", "--listen", f"unix:{world.work}/never",
                                   *world.policy(), str(folder)])
        said = b""
        with contextlib.suppress(OSError):  # EIO is its end
            while select.select([terminal], [], [], 10)[0] and (data := os.read(terminal, 4096)):
                said += data
                if b"phrase" in said:
                    break
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        result(status == 1 and said.count(b"\n") == 1 and name.encode() in said and b"phrase" not in said,
               f"encrypted {name}", (status, said))
        shutil.rmtree(folder)


def main():
    socle, resign, keys = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, resign, keys, Path(work))
        for test in (test_truth, test_report_lies, test_chain_lies, test_manifest_lies,
                     test_order_and_framing, test_line_noise, test_connect, test_many, test_stay,
                     test_issue, test_misuse, test_no_questions):
            test(world)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
