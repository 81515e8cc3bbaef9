#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle vtpm serve --swtpm` beside swtpm itself: the same requests, off, on and started, have the
same answers; and a plain QEMU takes it for its TPM.

    swtpm_test.py SOCLE PROFILE_DIR
"""

import array
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import (SEND, CAPABILITY, INIT, SHUTDOWN, ESTABLISHED, SET_LOCALITY, SW_CANCEL, SW_STOP,  # noqa: E402
                    CONFIG, BUFFER, GET_RANDOM, STARTUP, World, raw, code, swtpm, take)

result = Results("vtpm swtpm")

HASH_START, HASH_DATA, HASH_END, STORE_VOLATILE, RESET_ESTABLISHED = 6, 7, 8, 10, 11
GET_STATE, SET_STATE, SET_DATA_FD, INFO = 12, 13, 16, 18
PERMANENT, VOLATILE, SAVED = 1, 2, 3
BAD_ORDINAL = struct.pack(">I", 10)
QUIET_S = 0.15
LOCK_STORAGE = 1 << 16  # of the capabilities
PCR_READ_17 = bytes.fromhex("8001000000140000017e" "00000001" "000b" "03" "000002")


def control(code_, payload=b""):
    return struct.pack(">I", code_) + payload


def hash_data(data):
    return control(HASH_DATA, struct.pack(">I", len(data)) + data)


def get_state(kind, flags=0, offset=0):
    return control(GET_STATE, struct.pack(">III", flags, kind, offset))


def set_state(kind, data, flags=0):
    return control(SET_STATE, struct.pack(">III", flags, kind, len(data)) + data)


# In this order; those that change the TPM's state are where the rest can be asked again after them.
OFF = [("capabilities", control(CAPABILITY)), ("configuration", control(CONFIG)), ("established", control(ESTABLISHED)),
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
       ("a data channel without one", control(SET_DATA_FD)), ("no command", control(99)),
       ("storing the volatile state", control(STORE_VOLATILE)),
       *((f"state {kind} behind its end", get_state(kind, offset=1 << 30)) for kind in (PERMANENT, SAVED)),
       *((f"no state {kind}", set_state(kind, b"")) for kind in (0, SAVED, 4)),
       *((f"nonsense for state {kind}", set_state(kind, b"nonsense" * 9)) for kind in (PERMANENT, VOLATILE, 4))]
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


def without_random(data):
    """The random bytes of TPM2_GetRandom are each TPM's own."""
    at = data.find(b"\x80\1\0\0\0\x14\0\0\0\0\0\x08")
    return data if at < 0 else data[:at + 12] + bytes(8) + data[at + 20:]


def without_later(name, answers):
    """CMD_LOCK_STORAGE, which swtpm 0.8 and later can do, and we cannot (docs/vtpm-serve.md)."""
    if name != "capabilities":
        return answers
    result_code, capabilities = struct.unpack(">II", answers[0])
    return struct.pack(">II", result_code, capabilities & ~LOCK_STORAGE), answers[1]


def test_side_by_side(world):
    with swtpm(world.work) as port, world.served("--swtpm") as it:
        with it.client(1) as ours, socket.create_connection(("127.0.0.1", port + 1)) as theirs:
            for state, requests in (("off", OFF), ("on", ON)):
                for name, request in requests:
                    mine, other = answer(ours, request), without_later(name, answer(theirs, request))
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
                        mine, other = (raw(connection, PCR_READ_17)[20:] for connection in (data, swtpm_data))
                        result(mine == other, "hashing makes the same PCR 17", (mine.hex(), other.hex()))
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


# ---- States that are moved ----

PCR_EXTEND_16 = bytes.fromhex("80020000004100000182" "00000010" "00000009" "40000009" "0000" "00" "0000"
                              "00000001" "000b" + "22" * 32)
PCR_READ_16 = bytes.fromhex("8001000000140000017e" "00000001" "000b" "03" "000001")
START_SESSION = bytes.fromhex("80010000002b00000176" "40000007" "40000007" "0010" + "00" * 16 + "0000" "01" "0010"
                              "000b")
TRANSIENT = bytes.fromhex("8001000000160000017a" "00000001" "02000000" "000000fe")  # loaded sessions


@contextlib.contextmanager
def channels(it):
    with it.client(1) as channel, it.client() as data:
        yield channel, data


def state_of(channel, kind, flags=0):
    """(result, flags, the state), in as many pieces as it comes."""
    channel.sendall(get_state(kind, flags))
    result_, seal, total, length = struct.unpack(">IIII", take(channel, 16))
    assert total == length
    return result_, seal, take(channel, length)


def said(channel, request):
    channel.sendall(request)
    return struct.unpack(">I", take(channel, 4))[0]


def seen(data):
    """What a client would miss: PCR 16, the sessions, and no TPM2_Startup."""
    return raw(data, PCR_READ_16)[20:], raw(data, TRANSIENT)


def use(channel, data):
    """Switches a TPM on and leaves traces."""
    result(said(channel, control(INIT, bytes(4))) == 0 and code(raw(data, STARTUP)) == 0, "a TPM is on")
    result(code(raw(data, PCR_EXTEND_16)) == 0 and code(raw(data, START_SESSION)) == 0, "and used")
    return seen(data)


def test_moved(world):
    """All of a TPM goes from one of ours to another, between which nothing is shared but the key."""
    (world.work / "key").write_bytes(bytes(range(32)))
    (world.work / "other-key").write_bytes(bytes(32))
    key = ("--key", world.work / "key")
    with world.served("--swtpm", "--state", world.work / "from", *key, profile="suite") as it, \
            channels(it) as (channel, data):
        before = use(channel, data)
        sealed = [state_of(channel, kind) for kind in (PERMANENT, VOLATILE)]
        opened = [state_of(channel, kind, 1) for kind in (PERMANENT, VOLATILE)]
        result([each[:2] for each in sealed] == [(0, 2)] * 2 and [each[:2] for each in opened] == [(0, 0)] * 2,
               "state is sealed, unless it is asked for openly", [each[:2] for each in sealed + opened])
        part = answer(channel, get_state(PERMANENT, 1, len(opened[0][2]) - 7))[0]
        result(part[:16] == struct.pack(">IIII", 0, 0, 7, 7) and part[16:] == opened[0][2][-7:], "a part of it", part)
        result(said(channel, set_state(PERMANENT, opened[0][2])) == 10, "a TPM that is on takes none")
        result([state_of(channel, kind) for kind in (0, 4)] == [(9, 0, b"")] * 2, "there is no such part")
    states = [each[2] for each in sealed], [each[2] for each in opened]
    for name, pair, options in (("sealed", states[0], key), ("open", states[1], ()),
                                ("open, to a key", states[1], key)):
        folder = world.work / f"to {name}"
        with world.served("--swtpm", "--state", folder, *options, profile="suite") as it, \
                channels(it) as (channel, data):
            for kind, state in zip((PERMANENT, VOLATILE), pair):
                result(said(channel, set_state(kind, state)) == 0, f"{name}: state {kind} is taken")
            result(said(channel, control(INIT, bytes(4))) == 0 and seen(data) == before,
                   f"{name}: it goes on where it was")
            result(code(raw(data, STARTUP)) == 0x100, f"{name}: and is not started anew")
            bad_states(channel, data, pair)
            result(said(channel, control(SW_STOP)) == 0 and said(channel, control(INIT, bytes(4))) == 0,
                   f"{name}: what was taken is stored")
            result(code(raw(data, STARTUP)) == 0 and seen(data) != before, f"{name}: and is good for one start")
    for options in ((), ("--key", world.work / "other-key")):
        folder = ("--state", world.work / "wrong") if options else ()
        with world.served("--swtpm", *folder, *options, profile="suite") as it, it.client(1) as channel:
            result(said(channel, set_state(PERMANENT, states[0][0])) == 3, "a sealed state wants its key")
    with world.served("--swtpm", profile="tcg") as it, it.client(1) as channel:
        result(said(channel, set_state(PERMANENT, states[1][0])) == 3, "and its profile")


def bad_states(channel, data, pair):
    """Whatever is wrong, the TPM that is there stays what it is."""
    mine = seen(data)
    now = [state_of(channel, kind, 1)[2] for kind in (PERMANENT, VOLATILE)]
    result(said(channel, control(SW_STOP)) == 0, "off")
    permanent, volatile = pair
    for name, kind, state in (("the other part", PERMANENT, volatile), ("the other part", VOLATILE, permanent),
                              ("one that is cut off", PERMANENT, permanent[:-1]),
                              ("one with more behind", VOLATILE, volatile + b"\0"),
                              ("a changed one", PERMANENT,
                               permanent[:300] + bytes([permanent[300] ^ 1]) + permanent[301:]),
                              ("a changed header", VOLATILE,
                               volatile[:20] + bytes([volatile[20] ^ 1]) + volatile[21:])):
        result(said(channel, set_state(kind, state)) == 3, f"no state: {name}")
    # A volatile part of another TPM than the permanent one is found out when the TPM starts, or never.
    for kind, state in zip((PERMANENT, VOLATILE), now):
        result(said(channel, set_state(kind, state)) == 0, "its own state back")
    result(said(channel, control(INIT, bytes(4))) == 0 and seen(data) == mine, "it is what it was")


def test_stored_volatile(world):
    """CMD_STORE_VOLATILE outlives the process, once, and only as long as nothing is stored after it."""
    state = world.work / "volatile"
    stored = state / "vtpm.volatile"
    with world.served("--swtpm", "--state", state, profile="suite") as it, channels(it) as (channel, data):
        before = use(channel, data)
        result(said(channel, control(STORE_VOLATILE)) == 0 and stored.stat().st_mode & 0o777 == 0o600, "stored")
        it.process.kill()
        it.process.wait()
    kept = stored.read_bytes()
    with world.served("--swtpm", "--state", state, profile="suite") as it, channels(it) as (channel, data):
        result(said(channel, control(INIT, bytes(4))) == 0 and seen(data) == before, "it goes on after a kill")
        result(not stored.exists(), "which is good for once")
    stored.write_bytes(kept)
    with world.served("--swtpm", "--state", state, profile="suite") as it, channels(it) as (channel, data):
        result(said(channel, control(INIT, bytes(4))) == 0 and code(raw(data, STARTUP)) == 0, "not with a later state")
    stored.write_bytes(kept[:-1])
    with world.served("--swtpm", "--state", state, profile="suite") as it, channels(it) as (channel, data):
        result(said(channel, control(INIT, bytes(4))) == 9 and stored.exists(), "a damaged one is no start")


# ---- A stop without TPM2_Shutdown ----

@contextlib.contextmanager
def kept(world, kind):
    """One of the two, started with what it had before: (its port, what ends it as kill -9 does)"""
    flags = ("--flags", "not-need-init,startup-clear")
    if kind == "swtpm":
        folder, pid = world.work / "abrupt", world.work / "abrupt.pid"
        folder.mkdir(exist_ok=True)
        with swtpm(folder, *flags, "--pid", f"file={pid}") as port:
            yield port, lambda: os.kill(int(pid.read_text()), signal.SIGKILL)
    else:
        with world.served("--swtpm", *flags, "--state", world.work / "abrupt.ours", profile="suite") as it:
            yield it.port, it.process.kill


def lockouts(world, kind):
    """The dictionary attack counter at three starts: behind a use of an authorization and a kill -9, behind a kill -9
    alone, and behind a use, TPM2_Shutdown and a kill -9."""
    counters = []
    data = world.work / "eight"
    data.write_bytes(bytes(8))
    for used, shut in ((True, False), (False, False), (True, True), (False, False)):
        with kept(world, kind) as (port, kill):
            def tool(*words, where=f"swtpm:host=127.0.0.1,port={port}"):
                return subprocess.run([words[0], "-T", where, *words[1:]], capture_output=True, text=True, check=True,
                                      timeout=60).stdout

            if not counters:
                tool("tpm2_nvdefine", "0x1500001", "-C", "o", "-s", "8", "-p", "pass", "-a", "authread|authwrite")
                tool("tpm2_nvwrite", "0x1500001", "-C", "0x1500001", "-P", "pass", "-i", data)
            properties = tool("tpm2_getcap", "properties-variable")
            counters.append(int(re.search(r"LOCKOUT_COUNTER: (\S+)", properties).group(1), 0))
            if used:
                tool("tpm2_nvread", "0x1500001", "-C", "0x1500001", "-P", "pass")
            if shut:
                tool("tpm2_shutdown")
            kill()
    return counters[1:]


def test_abrupt(world):
    theirs, mine = (lockouts(world, kind) for kind in ("swtpm", "ours"))
    result(mine == theirs, "what a kill -9 costs of the dictionary attack lockout", (mine, theirs))
    result(any(theirs), "and that is something", theirs)


# ---- What a service manager asks of a program ----

def test_manager(world):
    path, pid, log = (world.work / name for name in ("managed", "pid", "log"))
    command = [world.socle, "vtpm", "serve", "--socket", path, "--profile", str(world.profiles / "suite.conf"),
               "--daemon", "--pid", pid, "--log", log]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    result(run.returncode == 0 and run.stdout == f"listening {path}\n" and run.stderr == "", "--daemon", run)
    number_ = int(pid.read_text())
    result("no certificates" in log.read_text(), "--log", log.read_text())
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(path))
        result(answer(channel, control(INIT, bytes(4)))[0] == bytes(4), "the daemon serves")
        result(Path(f"/proc/{number_}/stat").read_text().split()[5] == str(number_), "in a session of its own")
        result(answer(channel, control(SHUTDOWN))[0] == bytes(4), "and ends")
    for _ in range(100):
        if not pid.exists() and not path.exists():
            break
        time.sleep(0.05)
    result(not pid.exists() and not path.exists(), "which takes its files away")
    for option in ("--pid", "--log"):
        run = subprocess.run([*command[:7], option, "/nowhere/x"], capture_output=True, text=True, timeout=60,
                             check=False)
        result(run.returncode == 1 and "/nowhere/x: No such file" in run.stderr, f"{option} elsewhere", run.stderr)


def given(world, sockets, *options):
    """Starts it as systemd does, with sockets from descriptor 3 on."""
    words = [world.socle, "vtpm", "serve", "--profile", str(world.profiles / "suite.conf"), *options]
    script = 'export LISTEN_PID=$$ LISTEN_FDS=$1; shift; exec "$@"'
    held = [(socket_.fileno(), 3 + i) for i, socket_ in enumerate(sockets)]
    shift = " ".join(f"{to}<&{number_}" for number_, to in held)
    return subprocess.Popen(["bash", "-c", f"exec {shift}; {script}", "x", str(len(sockets)), *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            pass_fds=[number_ for number_, _ in held])


def test_sockets(world):
    """Socket activation: one socket for control; commands and control; and what is none."""
    path = world.work / "activated"
    with socket.socket(socket.AF_UNIX) as listener, given(world, [], "--port", "0") as none:
        result(none.stdout.readline().startswith("listening "), "no sockets")
        none.terminate()
        listener.bind(str(path))
        with given(world, [listener]) as it:
            result("descriptor 3 is no listening" in it.communicate(timeout=20)[1], "a socket that does not listen")
        listener.listen()
        with given(world, [listener], "--terminate") as it, socket.socket(socket.AF_UNIX) as channel:
            result(it.stdout.readline() == "listening\n", "a socket of a service manager's")
            channel.connect(str(path))
            result(answer(channel, control(INIT, bytes(4)))[0] == bytes(4), "serves control")
            channel.close()
            result(it.wait(timeout=20) == 0 and path.exists(), "and is the manager's afterwards")
    with socket.create_server(("127.0.0.1", 0)) as commands, socket.create_server(("127.0.0.1", 0)) as listener:
        with given(world, [commands, listener], "--swtpm", "--flags", "startup-clear") as it:
            it.stdout.readline()
            with socket.create_connection(commands.getsockname()) as data:
                result(code(raw(data, GET_RANDOM)) == 0, "commands on one of two")
            with socket.create_connection(listener.getsockname()) as channel:
                result(answer(channel, control(SHUTDOWN))[0] == bytes(4), "control on the other")
            result(it.wait(timeout=20) == 0, "two sockets")
        with given(world, [commands, listener, listener]) as it:
            result("more than 2" in it.communicate(timeout=20)[1], "three sockets")
        with given(world, [listener], "--port", "0") as it:
            result("one of" in it.communicate(timeout=20)[1], "a socket and a port")


def main():
    socle, profiles = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        test_side_by_side(world)
        test_socket(world)
        test_moved(world)
        test_stored_volatile(world)
        test_abrupt(world)
        test_manager(world)
        test_sockets(world)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
