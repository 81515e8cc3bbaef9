#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots guests whose vTPM asks an authority that is silent, or that certifies other keys. The
profile says what comes of it: the vTPM starts without certificates, or the VM ends before its guest
runs, with one line that says why. No guest ever finds a certificate of another key.

    authority_test.py --programs BUILD --build-dir FOLDER [options of scripts/demo.py]
"""

import json
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/lib")]
import channel  # noqa: E402
import demo  # noqa: E402
from results import Results  # noqa: E402

MAGIC = 0x31414353
HELLO, NONCE, REQUEST, CERTIFICATES = 1, 2, 3, 4
HEADER = struct.Struct("<IIII")

SILENT = "vtpm: no certificates: the CA did not answer in time"
LYING = "vtpm: no certificates: a certificate is for another key"
REQUIRED = "service vtpm is required: the guest is not started"
TERMINATED = 2  # exit status of `socle run`
WHY = "VMPL 0, reason set 2, code 0xa: socle: the monitor ends: a required service is not ready"
EXTENSIONS = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyEncipherment\n"


def certificate_of_another_key(work):
    """DER of a certificate that is right in all but its key."""
    key, request, extensions = work / "key.pem", work / "request.pem", work / "extensions"
    extensions.write_text(EXTENSIONS)
    demo.run("openssl", ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                         request, "-subj", "/CN=liar"])
    return demo.run("openssl", ["openssl", "x509", "-req", "-in", request, "-signkey", key,
                                "-extfile", extensions, "-outform", "DER"])


class Authority:
    """Plays an authority: reads all that it is told, and gives this certificate, if any."""

    def __init__(self, path, alive, certificate):
        self.path, self.alive, self.certificate = path, alive, certificate
        self.heard = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _connect(self):
        while self.alive():
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(self.path)
                return line
            except OSError:
                line.close()
                time.sleep(0.02)
        return None

    def _answer(self, line, kind, payload):
        if not self.certificate:
            return
        if kind == HELLO:
            self._send(line, NONCE, secrets.token_bytes(64))
        elif kind == REQUEST:
            # abi/ca.h: the manifest is behind the header and the report; its count is at 4.
            (report_size,) = struct.unpack_from("<I", payload)
            (count,) = struct.unpack_from(">I", payload, 16 + report_size + 4)
            one = struct.pack("<I", len(self.certificate)) + self.certificate
            self._send(line, CERTIFICATES, struct.pack("<I", count) + count * one)

    @staticmethod
    def _send(line, kind, payload):
        line.sendall(HEADER.pack(MAGIC, kind, len(payload), zlib.crc32(payload)) + payload)

    def _serve(self):
        line, data = self._connect(), b""
        while line:
            try:
                piece = line.recv(65536)
            except OSError:
                return
            if not piece:
                return
            data += piece
            while len(data) >= HEADER.size:
                _, kind, length, _ = HEADER.unpack_from(data)
                if len(data) < HEADER.size + length:
                    break
                payload, data = data[HEADER.size:HEADER.size + length], data[HEADER.size + length:]
                self.heard.append(kind)
                self._answer(line, kind, payload)


def build(options, folder, rule, timeout):
    """The demo's image with another rule for certificates in its profile."""
    text = (ROOT / "profiles/tcg.conf").read_text()
    usual = "certificates optional\ncertificate-timeout 5s\n"
    if text.count(usual) != 1:
        raise demo.StepFailed("image", "the profile does not say what this test replaces")
    profile = folder / "profile.conf"
    profile.write_text(text.replace(usual, f"certificates {rule}\n"
                                           f"certificate-timeout {timeout}\n"))
    return demo.build_image(options, folder, profile)[0]


def look_at_guest(machine, options):
    """What the guest's TPM is like: it quotes, and has no certificate. A problem, or None."""
    line = channel.Channel(machine.socket, machine.alive, time.monotonic() + 30)
    try:
        end = time.monotonic() + options.timeout
        demo.check_hello(line.expect(channel.HELLO, end), options)
        line.send(channel.NONCE, secrets.token_bytes(demo.NONCE_SIZE))
        files = line.files(end)
        line.send(channel.BYE)
        machine.wait(60)
    finally:
        line.close()
    found = sorted(name for name in files if name.endswith(".der"))
    if found:
        return f"the guest has {found}"
    return None if files.get("quote.sig") else "the guest has no quote"


def no_guest(machine, options):
    """The VM ends and says why, before the first instruction of the guest. A problem, or None."""
    status = machine.wait(options.timeout)
    if status != TERMINATED or not machine.errors or not machine.errors[-1].endswith(WHY):
        return f"socle run exits with {status} and says {machine.errors}"
    events = json.loads((machine.folder / "timeline.json").read_text())["events"]
    if "vmpl0_entry" not in events or "vmpl2_entry" in events:
        return f"the guest has run: {sorted(events)}"
    return "the guest has written" if (machine.folder / "guest.log").stat().st_size else None


def problem_of_log(folder, reason, available):
    lines = (folder / "svsm.log").read_text(errors="replace").splitlines()
    said = [line for line in lines if "no certificates" in line]
    if len(said) != 1 or reason not in said[0]:
        return f"the log does not say '{reason}' once: {said}"
    ready = any("vtpm: ready" in line for line in lines)
    if ready != available:
        return f"the vTPM is {'' if ready else 'not '}ready"
    if any(REQUIRED in line for line in lines) == available:
        return f"the log does {'' if available else 'not '}say that the guest is not started"
    return None


def run_case(options, folder, rule, certificate):
    """One machine; a problem, or None."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "evidence").mkdir(parents=True)
    # A lie is long: on a busy computer it needs its time to get through. Silence need not last.
    image = build(options, folder, rule, "30s" if certificate else "2s")
    machine = demo.Machine(options, image, folder, folder / "evidence", demo.Progress())
    try:
        authority = Authority(machine.vmpl0_socket, machine.alive, certificate)
        look = look_at_guest if rule == "optional" else no_guest
        problem = look(machine, options)
    finally:
        machine.stop()
    authority.thread.join(10)
    wanted = [HELLO, REQUEST] if certificate else [HELLO]
    if not problem and authority.heard != wanted:
        problem = f"the authority heard {authority.heard}"
    return problem or problem_of_log(folder, LYING if certificate else SILENT, rule == "optional")


def main():
    options = demo.parse_arguments()
    result, folder = Results("authority"), options.build_dir
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    certificate = certificate_of_another_key(folder)
    cases = [(kind, rule) for kind in ("silent", "lying") for rule in ("optional", "required")]
    for kind, rule in cases:
        name = f"{kind} authority, certificates {rule}"
        try:
            problem = run_case(options, folder / f"{kind}-{rule}", rule,
                               certificate if kind == "lying" else None)
        except (demo.StepFailed, channel.ChannelError, channel.GuestError, OSError,
                subprocess.SubprocessError) as error:
            problem = str(error)
        if not result(not problem, name, problem):
            demo.show_log(folder / f"{kind}-{rule}", "svsm.log")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
