#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle vtpm serve --swtpm` beside swtpm itself: the same requests, off, on and started, have the
same answers; and a plain QEMU takes it for its TPM.

    swtpm_test.py SOCLE PROFILE_DIR
"""

import array
import contextlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import (SEND, INIT, SHUTDOWN, ESTABLISHED, SET_LOCALITY, SW_CANCEL, SW_STOP, CONFIG, BUFFER,  # noqa: E402
                    GET_RANDOM, STARTUP, World, raw, code)

result = Results("vtpm swtpm")

HASH_START, HASH_DATA, HASH_END, RESET_ESTABLISHED, SET_DATA_FD, INFO = 6, 7, 8, 11, 16, 18
QUIET_S = 0.15
PCR_READ_17 = bytes.fromhex("8001000000140000017e" "00000001" "000b" "03" "000002")


def control(code_, payload=b""):
    return struct.pack(">I", code_) + payload


def hash_data(data):
    return control(HASH_DATA, struct.pack(">I", len(data)) + data)


# In this order; those that change the TPM's state are where the rest can be asked again after them.
OFF = [("configuration", control(CONFIG)), ("established", control(ESTABLISHED)),
       ("reset of established", control(RESET_ESTABLISHED, b"\3")), ("cancel", control(SW_CANCEL)),
       ("hash start", control(HASH_START)), ("hash data", hash_data(b"abc")), ("hash end", control(HASH_END)),
       ("locality 5", control(SET_LOCALITY, b"\5")), ("locality 0", control(SET_LOCALITY, b"\0")),
       ("buffer size", control(BUFFER, bytes(4))), ("a buffer", control(BUFFER, struct.pack(">I", 3000))),
       ("a small buffer", control(BUFFER, struct.pack(">I", 3))),
       ("a large buffer", control(BUFFER, struct.pack(">I", 1 << 20))),
       ("info", control(INFO, struct.pack(">QII", 1, 0, 0))),
       ("info of nothing", control(INFO, struct.pack(">QII", 1 << 40, 0, 0))),
       ("the rest of info", control(INFO, struct.pack(">QII", 1, 20, 0))),
       ("info past its end", control(INFO, struct.pack(">QII", 1, 9000, 0))),
       ("a data channel without one", control(SET_DATA_FD)), ("no command", control(99))]
ON = OFF + [("stop", control(SW_STOP)), ("init", control(INIT, bytes(4))),
            ("init and no old state", control(INIT, struct.pack(">I", 1)))]
COMMANDS = [("random", GET_RANDOM), ("startup", STARTUP), ("random again", GET_RANDOM),
            ("startup again", STARTUP),
            ("no such command", bytes.fromhex("80010000000a00009999")),
            ("the simulator's frame", struct.pack(">IBI", SEND, 3, len(GET_RANDOM)) + GET_RANDOM)]


def answer(connection, request):
    """All that comes back at once. A control reply in pieces would be one too few."""
    connection.sendall(request)
    connection.settimeout(20)
    data = connection.recv(65536)
    connection.settimeout(QUIET_S)
    with contextlib.suppress(TimeoutError):
        more = connection.recv(65536)
        return data, more
    return data, b""


def free_port():
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def swtpm(work):
    port = free_port()
    folder = work / "swtpm"
    folder.mkdir()
    process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server",
                                f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}"],
                               stderr=subprocess.DEVNULL)
    try:
        wanted = {f"0100007F:{p:04X}" for p in (port, port + 1)}
        for _ in range(200):
            lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            if wanted <= {line[1] for line in lines if line[3] == "0A"}:
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def without_random(data):
    """The random bytes of TPM2_GetRandom are each TPM's own."""
    at = data.find(b"\x80\1\0\0\0\x14\0\0\0\0\0\x08")
    return data if at < 0 else data[:at + 12] + bytes(8) + data[at + 20:]


def test_side_by_side(world):
    with swtpm(world.work) as port, world.served("--swtpm") as it:
        with it.client(1) as ours, socket.create_connection(("127.0.0.1", port + 1)) as theirs:
            for state, requests in (("off", OFF), ("on", ON)):
                for name, request in requests:
                    mine, other = answer(ours, request), answer(theirs, request)
                    result(mine == other, f"{state}: {name}", (mine, other))
                if state == "off":
                    with it.client() as data, socket.create_connection(("127.0.0.1", port)) as swtpm_data:
                        result(raw(data, GET_RANDOM) == raw(swtpm_data, GET_RANDOM), "a command to a TPM that is off")
                        for connection in (ours, theirs):
                            result(answer(connection, control(INIT, bytes(4)))[0] == bytes(4), "init")
                        for name, command in COMMANDS:
                            mine, other = (without_random(b"".join(answer(connection, command)))
                                           for connection in (data, swtpm_data))
                            result(mine == other, f"data: {name}", (mine.hex(), other.hex()))
                        for request in (control(SET_LOCALITY, b"\4"), control(HASH_START), hash_data(b"abc"),
                                        control(HASH_END), control(ESTABLISHED)):
                            mine, other = answer(ours, request), answer(theirs, request)
                            result(mine == other, f"hashing: {request.hex()}", (mine, other))
                        result(raw(data, PCR_READ_17)[20:] == raw(swtpm_data, PCR_READ_17)[20:],
                               "hashing makes the same PCR 17")
            for connection in (ours, theirs):
                result(answer(connection, control(SHUTDOWN))[0] == bytes(4), "shutdown")


def test_socket(world):
    """The control channel on a Unix socket, and a command channel passed over it, as QEMU does."""
    path = world.work / "control"
    command = [world.socle, "vtpm", "serve", "--socket", path, "--profile",
               str(world.profiles / "tcg.conf"), "--terminate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        result(it.stdout.readline() == f"listening {path}\n", "a socket")
        again = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        result(again.returncode == 1 and "in use" in again.stderr, "a socket in use", again.stderr)
        ours, theirs = socket.socketpair()
        with socket.socket(socket.AF_UNIX) as channel, ours, theirs:
            channel.connect(str(path))
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
            result(answer(channel, control(SET_DATA_FD))[0] == struct.pack(">I", 3), "no channel was passed")
            for expected in (0, 31):
                channel.sendmsg([control(SET_DATA_FD)], rights)
                got = struct.unpack(">I", channel.recv(4))[0]
                result(got == expected, "a command channel, and no second one", got)
            def descriptors():
                return len(list(Path(f"/proc/{it.pid}/fd").iterdir()))

            before, two = descriptors(), array.array("i", [theirs.fileno(), theirs.fileno()])
            for _ in range(20):
                channel.sendmsg([control(SET_DATA_FD)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, two)])
                channel.recv(4)
            result(descriptors() == before, "channels that are refused are not kept", descriptors() - before)
            theirs.close()
            result(answer(channel, control(INIT, bytes(4)))[0] == bytes(4), "init over the socket")
            result(code(raw(ours, STARTUP)) == 0 and code(raw(ours, GET_RANDOM)) == 0, "commands over it")
        result(it.wait(timeout=20) == 0, "it ends with its client")
        result(not path.exists(), "and takes the socket away")


def main():
    socle, profiles = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        test_side_by_side(world)
        test_socket(world)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
