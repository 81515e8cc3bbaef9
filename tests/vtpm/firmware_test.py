#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A plain QEMU guest whose firmware finds the vTPM behind QEMU's own emulator back end: SeaBIOS starts
it, measures, and sets the platform's authorization, and PCRs 0 to 7 equal those with swtpm; saved to a
file and restored, guest and TPM go on. The same of PCRs with --ovmf and Debian's OVMF.

    firmware_test.py [--ovmf] SOCLE PROFILE_DIR
"""

import contextlib
import json
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
from served import BAD_AUTH, CLEAR_BY_PLATFORM, World, code, raw  # noqa: E402

result = Results("vtpm firmware")

READY_S = 60
TRIES = 3
OVMF = Path("/usr/share/OVMF")
OVMF_READY_S = 240
SAME_S = 3  # how long OVMF's PCRs stay what they are when it has nothing to boot


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
    """Stands between QEMU and a TPM, and asks it between the guest's commands: swtpm keeps no PCRs when its
    client goes."""

    def __init__(self, path, swtpm_path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.swtpm = socket.socket(socket.AF_UNIX)
        self.swtpm.connect(str(swtpm_path))
        self.tpm, self.given = socket.socketpair()
        self.turn = threading.Lock()
        threading.Thread(target=self.relay, daemon=True).start()

    def relay(self):
        qemu = self.listener.accept()[0]
        commands = None
        while True:
            watched = [each for each in (qemu, self.swtpm, commands) if each]
            for each in select.select(watched, [], [])[0]:
                if each is commands:
                    command = commands.recv(8192)
                    if not command:
                        return
                    commands.sendall(self.ask(command))
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
        with self.turn:
            self.tpm.sendall(command)
            return self.tpm.recv(8192)


def measured_by_swtpm(work):
    state, path, between = work / "swtpm-state", work / "swtpm-socket", work / "between"
    state.mkdir()
    with program(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl",
                  f"type=unixio,path={path}"], path):
        relay = Between(between, path)
        return boot(between, work / "swtpm-log", lambda: pcrs(relay.ask)),


def until_measured(work, name, run):
    """What run(folder) gives, whose first part are PCRs. SeaBIOS gives up a TPM that answers late and then
    measures nothing, which happens on a machine that has far too much to do: so it may be tried again."""
    for attempt in range(TRIES):
        folder = work / f"{name}-{attempt}"
        folder.mkdir()
        outcome = run(folder)
        if any(outcome[0][0]):
            break
    return outcome


def test_seabios(world):
    def ours(folder):
        state, path = folder / "state", folder / "socket"
        with serve_on(world, state, path) as it:
            boot(path, folder / "log")
            it.terminate()
            ended = it.wait(timeout=20)
        with world.served("--state", state, "--swtpm", "--flags", "startup-state",
                          profile="firmware") as it, it.client() as client:
            return pcrs(lambda command: raw(client, command)), ended, code(raw(client, CLEAR_BY_PLATFORM))

    mine, ended, cleared = until_measured(world.work, "ours", ours)
    result(ended == 0, "it ends in order", ended)
    result(cleared == BAD_AUTH, "SeaBIOS has locked the platform", hex(cleared))
    theirs, = until_measured(world.work, "swtpm", measured_by_swtpm)
    result(mine == theirs, "the PCRs are those with swtpm", [(a.hex(), b.hex()) for a, b in zip(mine, theirs)])
    result(all(any(value) for value in (mine[0], mine[4], mine[7])), "PCRs 0, 4 and 7 were extended",
           [value.hex() for value in mine])
    return mine


# ---- A guest that is saved and restored ----

class Monitor:
    """QEMU's QMP."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile()
        self.lines.readline()
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer or "error" in answer:
                return answer

    def wait(self, command, status):
        for _ in range(READY_S * 10):
            now = self.do(command)["return"].get("status")
            if now in (status, "failed"):
                return now
            time.sleep(0.1)
        return now


@contextlib.contextmanager
def guest(work, name, path, *more):
    """SeaBIOS with a monitor: (QMP, its log)."""
    log, qmp = work / f"{name}.log", work / f"{name}.qmp"
    with subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "q35", "-m", "64",
             "-chardev", f"file,id=log,path={log}", "-device", "isa-debugcon,iobase=0x402,chardev=log",
             "-chardev", f"socket,id=tpm,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device",
             "tpm-tis,tpmdev=tpm0", "-qmp", f"unix:{qmp},server=on,wait=off", *more]) as qemu:
        try:
            for _ in range(READY_S * 10):
                if qmp.exists():
                    break
                time.sleep(0.1)
            yield Monitor(qmp), log
        finally:
            qemu.terminate()


def serve_on(world, state, path):
    command = world.command("--state", state, "--terminate", profile="firmware")
    command[command.index("--port"):command.index("--port") + 2] = ["--socket", path]
    return program(command, path)


def save_and_restore(world, folder):
    """(PCRs at the end, whether it was saved, how the first program ended, whether it was restored)"""
    saved, sockets = folder / "saved", [folder / name for name in ("out", "in")]
    with serve_on(world, folder / "out-state", sockets[0]) as it:
        with guest(folder, "out", sockets[0]) as (monitor, log):
            for _ in range(READY_S * 10):
                if log.exists() and "No bootable device" in log.read_text(errors="replace"):
                    break
                time.sleep(0.1)
            answer = monitor.do("migrate", uri=f"exec:cat >{saved}")
            done = "return" in answer and monitor.wait("query-migrate", "completed")
        ended = it.wait(timeout=20)
    with serve_on(world, folder / "in-state", sockets[1]) as it:
        with guest(folder, "in", sockets[1], "-incoming", f"exec:cat {saved}") as (monitor, _):
            running = monitor.wait("query-status", "running")
        it.wait(timeout=20)
    with world.served("--state", folder / "in-state", "--swtpm", "--flags", "startup-state",
                      profile="firmware") as it, it.client() as client:
        return pcrs(lambda command: raw(client, command)), done, ended, running


def test_saved(world, measured):
    """QEMU refuses this for a TPM that does not give its state. The TPM that gave it is not shut down any more:
    that would be a state beside the one that has gone."""
    after, done, ended, running = until_measured(world.work, "saved", lambda folder: save_and_restore(world, folder))
    result(done == "completed", "QEMU saves the guest with its TPM", done)
    result(ended == 0, "the program of the guest that was saved ends", ended)
    result(running == "running", "and the guest is restored elsewhere", running)
    result(after == measured, "with its PCRs", [value.hex() for value in after])


# ---- OVMF ----

def ovmf_pcrs(work, name, command, path):
    """PCRs 0 to 7 when OVMF has measured all that it measures without anything to boot."""
    variables, between = work / f"{name}.vars", work / f"{name}.between"
    variables.write_bytes((OVMF / "OVMF_VARS_4M.fd").read_bytes())
    with program(command, path):
        relay = Between(between, path)
        with subprocess.Popen(
                ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "q35", "-m", "256", "-drive",
                 f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}", "-drive",
                 f"if=pflash,unit=1,format=raw,file={variables}", "-chardev", f"socket,id=tpm,path={between}",
                 "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"]) as qemu:
            try:
                return wait_until_same(relay)
            finally:
                qemu.terminate()


def wait_until_same(relay):
    """PCRs that were extended, and then left alone; an off TPM and one without a guest have none."""
    same, last = 0, None
    for _ in range(OVMF_READY_S):
        time.sleep(1)
        now = pcrs(relay.ask)
        done = all(len(value) == 32 and any(value) for value in now)
        same = same + 1 if done and now == last else 0
        last = now
        if same == SAME_S:
            break
    return last


def test_ovmf(world):
    swtpm, ours = world.work / "swtpm-socket", world.work / "socket"
    (world.work / "swtpm-state").mkdir()
    theirs = ovmf_pcrs(world.work, "swtpm", ["swtpm", "socket", "--tpm2", "--tpmstate",
                                             f"dir={world.work / 'swtpm-state'}", "--ctrl",
                                             f"type=unixio,path={swtpm}"],
                       swtpm)
    command = world.command("--state", world.work / "state", profile="firmware")
    command[command.index("--port"):command.index("--port") + 2] = ["--socket", ours]
    mine = ovmf_pcrs(world.work, "ours", command, ours)
    for index in (0, 4, 7):
        result(mine[index] == theirs[index] and any(mine[index]), f"PCR {index} is that with swtpm",
               (mine[index].hex(), theirs[index].hex()))
    result(mine == theirs, "and so are all from 0 to 7", [(a.hex(), b.hex()) for a, b in zip(mine, theirs)])


def main():
    ovmf = sys.argv[1] == "--ovmf"
    socle, profiles = sys.argv[1 + ovmf:3 + ovmf]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        if ovmf:
            test_ovmf(world)
        else:
            test_saved(world, test_seabios(world))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
