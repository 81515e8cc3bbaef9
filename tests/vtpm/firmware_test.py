#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A plain QEMU guest whose firmware finds the vTPM behind QEMU's own emulator back end: SeaBIOS starts
it, measures, and sets the platform's authorization, and PCRs 0 to 7 equal those with swtpm.

    firmware_test.py SOCLE PROFILE_DIR
"""

import contextlib
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import BAD_AUTH, CLEAR_BY_PLATFORM, World, code, open_platform, raw  # noqa: E402

result = Results("vtpm firmware")

READY_S = 60


def pcrs(read):
    """PCRs 0 to 7 of the SHA-256 bank."""
    return [read(bytes.fromhex("8001000000140000017e" "00000001" "000b" "03") +
                 (1 << index).to_bytes(3, "little"))[-32:] for index in range(8)]


def boot(path, log, then=lambda: None):
    """SeaBIOS, until it has found nothing to boot; what then() gives while the guest is there."""
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "q35", "-m", "64",
         "-chardev", f"file,id=log,path={log}", "-device", "isa-debugcon,iobase=0x402,chardev=log",
         "-chardev", f"socket,id=tpm,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device",
         "tpm-tis,tpmdev=tpm0"], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(READY_S * 10):
            if log.exists() and "No bootable device" in log.read_text(errors="replace"):
                return then()
            if qemu.poll() is not None:
                raise RuntimeError(qemu.stderr.read())
            time.sleep(0.1)
        raise RuntimeError(log.read_text(errors="replace")[-2000:])
    finally:
        qemu.terminate()
        qemu.wait(timeout=20)


@contextlib.contextmanager
def program(command, path):
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL) as it:
        for _ in range(200):
            if path.exists():
                break
            time.sleep(0.05)
        yield it
        it.terminate()


class Between:
    """Stands between QEMU and swtpm, which keeps no PCRs when its client goes, and asks it before."""

    def __init__(self, path, swtpm_path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.swtpm = socket.socket(socket.AF_UNIX)
        self.swtpm.connect(str(swtpm_path))
        self.tpm, self.given = socket.socketpair()
        threading.Thread(target=self.relay, daemon=True).start()

    def relay(self):
        qemu = self.listener.accept()[0]
        commands = None
        while True:
            watched = [each for each in (qemu, self.swtpm, commands) if each]
            for each in select.select(watched, [], [])[0]:
                if each is commands:
                    command = commands.recv(8192)
                    self.tpm.sendall(command)
                    commands.sendall(self.tpm.recv(8192))
                    continue
                data, passed = socket.recv_fds(each, 8192, 1)[:2]
                if not data:
                    return
                if passed:
                    commands = socket.socket(fileno=passed[0])
                    socket.send_fds(self.swtpm, [data], [self.given.fileno()])
                else:
                    (self.swtpm if each is qemu else qemu).sendall(data)

    def ask(self, command):
        """While the guest leaves its TPM alone."""
        self.tpm.sendall(command)
        return self.tpm.recv(8192)


def measured_by_swtpm(work):
    state, path, between = work / "swtpm-state", work / "swtpm-socket", work / "between"
    state.mkdir()
    with program(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl",
                  f"type=unixio,path={path}"], path):
        relay = Between(between, path)
        return boot(between, work / "swtpm-log", lambda: pcrs(relay.ask))


def test_seabios(world):
    profile = open_platform(world, "firmware")
    state, path = world.work / "state", world.work / "socket"
    command = profile.command("--state", state)
    command[command.index("--port"):command.index("--port") + 2] = ["--socket", path]
    with program(command, path) as it:
        boot(path, world.work / "log")
        it.terminate()
        result(it.wait(timeout=20) == 0, "it ends in order")
    with profile.served("--state", state, "--swtpm", "--flags", "startup-state") as it, it.client() as client:
        ours = pcrs(lambda command: raw(client, command))
        result(code(raw(client, CLEAR_BY_PLATFORM)) == BAD_AUTH, "SeaBIOS has locked the platform")
    theirs = measured_by_swtpm(world.work)
    result(ours == theirs, "the PCRs are those with swtpm", [(a.hex(), b.hex()) for a, b in zip(ours, theirs)])
    result(all(any(value) for value in (ours[0], ours[4], ours[7])), "PCRs 0, 4 and 7 were extended",
           [value.hex() for value in ours])


def main():
    socle, profiles = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        test_seabios(World(socle, profiles, Path(work)))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
