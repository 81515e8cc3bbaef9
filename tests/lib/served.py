# SPDX-License-Identifier: MIT
"""`socle vtpm serve`, and how its clients speak to it."""

import contextlib
import os
import socket
import struct
import subprocess
import time
from pathlib import Path

# TpmTcpProtocol
POWER_ON, POWER_OFF, SEND, CANCEL_ON, NV_ON, HANDSHAKE, RESET, SESSION_END, STOP = (1, 2, 8, 9, 11, 15,
                                                                                  17, 20, 21)
# swtpm's control channel
CAPABILITY, INIT, SHUTDOWN, ESTABLISHED, SET_LOCALITY, SW_CANCEL, SW_STOP, CONFIG, BUFFER = (
    1, 2, 3, 4, 5, 9, 14, 15, 17)
GET_RANDOM = bytes.fromhex("80010000000c0000017b0008")
STARTUP = bytes.fromhex("80010000000c000001440000")
STARTUP_STATE = bytes.fromhex("80010000000c000001440001")
SHUTDOWN_STATE = bytes.fromhex("80010000000c000001450001")
FAILURE, INITIALIZE, LOCALITY, VALUE, BAD_AUTH = 0x101, 0x100, 0x907, 0x1C4, 0x9A2
PCR_EXTEND_17 = bytes.fromhex("80020000004100000182" "00000011" "00000009" "40000009" "0000" "00"
                              "0000" "00000001" "000b" + "11" * 32)
PCR_EXTEND_0 = PCR_EXTEND_17.replace(bytes.fromhex("00000011"), bytes(4), 1)
PCR_READ_0 = bytes.fromhex("8001000000140000017e" "00000001" "000b" "03" "010000")
CLEAR_BY_PLATFORM = bytes.fromhex("80020000001b00000126" "4000000c" "00000009" "40000009" "0000" "00"
                                  "0000")


# Of a process that runs beside a test. The first and the last are against a hang: long, for a computer that has far
# more to do, but less than the test's own limit (meson.build), which says nothing of what hung.
START_S, END_S, HANG_S = 60, 10, 60


class Served:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["listening"]:
            raise RuntimeError(self.process.stderr.read())
        self.port = int(line[1])

    @contextlib.contextmanager
    def client(self, offset=0):
        with socket.create_connection(("127.0.0.1", self.port + offset), timeout=20) as connection:
            yield connection

    def tool(self, shape, *command, **more):
        """One of tpm2-tools."""
        environment = dict(os.environ, TSS2_LOG="all+none",
                           TPM2TOOLS_TCTI=f"{shape}:host=127.0.0.1,port={self.port}")
        return subprocess.run(list(map(str, command)), env=environment, capture_output=True,
                              timeout=60, check=False, **more)

    def end(self):
        self.process.terminate()
        return self.process.wait(HANG_S)


class World:
    def __init__(self, socle, profiles, work):
        self.socle, self.profiles, self.work = socle, Path(profiles), work

    def command(self, *options, profile="tcg"):
        return [self.socle, "vtpm", "serve", "--port", "0", "--profile",
                str(self.profiles / f"{profile}.conf"), *map(str, options)]

    @contextlib.contextmanager
    def served(self, *options, **more):
        it = Served(self.command(*options, **more))
        try:
            yield it
        finally:
            it.end()


def take(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def number(connection):
    return struct.unpack(">I", take(connection, 4))[0]


def simulator(connection, command, locality=0):
    """A command in the simulator's protocol; its response."""
    connection.sendall(struct.pack(">IBI", SEND, locality, len(command)) + command)
    response = take(connection, number(connection))
    assert number(connection) == 0
    return response


def raw(connection, command):
    connection.sendall(command)
    head = take(connection, 10)
    return head + take(connection, struct.unpack(">I", head[2:6])[0] - 10)


def code(response):
    return struct.unpack(">I", response[6:10])[0]


def platform(connection, signal):
    connection.sendall(struct.pack(">I", signal))
    return number(connection)


def closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def open_platform(world, folder):
    """The same world, with a profile that leaves the platform hierarchy to the client."""
    profiles = world.work / folder
    profiles.mkdir()
    text = (world.profiles / "tcg.conf").read_text()
    (profiles / "tcg.conf").write_text(text.replace("platform-auth random", "platform-auth empty"))
    return World(world.socle, profiles, world.work)


# A session bus of its own, on which tpm2-abrmd has the TPM.
MANAGED = """
tpm2-abrmd --allow-root --session --tcti=$1 2>/dev/null & manager=$!
trap 'kill $manager; wait $manager || true' EXIT
shift
for _ in $(seq 100); do
	! tpm2_getrandom -T tabrmd:bus_type=session -o /dev/null 8 2>/dev/null || break
	sleep 0.1
done
"$@"
"""
MANAGER = "tabrmd:bus_type=session"


def managed(tcti, *command):
    """The command with a resource manager in front of the TPM behind tcti, which it finds as MANAGER."""
    return ["dbus-run-session", "--", "bash", "-c", MANAGED, "managed", tcti, *command]


@contextlib.contextmanager
def running(command, path=None, **more):
    """The process, from when its socket at path is there; it is gone afterwards, however the block ends. swtpm 0.10 may
    go on when its client has just left."""
    process = subprocess.Popen([str(word) for word in command], **more)
    try:
        until = time.monotonic() + START_S
        while path and not path.exists():
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode} before {path} was there")
            if time.monotonic() > until:
                raise RuntimeError(f"{command[0]} has not made {path} in {START_S} s")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    """One whose successor is free, too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def swtpm(work, *options):
    """swtpm in its own shape, with its state below work; the port of its commands."""
    port = free_port()
    folder = work / "swtpm"
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server",
                                f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}",
                                *options], stderr=subprocess.DEVNULL)
    try:
        wanted = {f"0100007F:{p:04X}" for p in (port, port + 1)}
        until = time.monotonic() + START_S
        while True:
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            if wanted <= {line[1] for line in lines if line[3] == "0A"}:
                break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"swtpm does not listen, status {process.poll()}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()
