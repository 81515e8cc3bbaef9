#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle vtpm serve`: the simulator's protocol and swtpm's, what survives a reset and a restart,
clients that send nonsense, and EK certificates by `socle ca` under standard tools.

    serve_test.py SOCLE PROFILE_DIR RESIGN KEY_DIR
"""

import hashlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import authority  # noqa: E402
from results import Results  # noqa: E402
from served import (POWER_ON, POWER_OFF, SEND, CANCEL_ON, NV_ON, HANDSHAKE, RESET, SESSION_END, STOP,  # noqa: E402
                    CAPABILITY, INIT, SHUTDOWN, ESTABLISHED, SET_LOCALITY, SW_CANCEL, SW_STOP, CONFIG,
                    GET_RANDOM, STARTUP, STARTUP_STATE, SHUTDOWN_STATE, FAILURE, INITIALIZE, LOCALITY,
                    VALUE, BAD_AUTH, PCR_EXTEND_17, PCR_EXTEND_0, PCR_READ_0, CLEAR_BY_PLATFORM, World,
                    take, number, simulator, raw, code, platform, closed, open_platform)

result = Results("vtpm serve")


def started(commands, what):
    """The TPM waits for its client's TPM2_Startup, and takes one."""
    for name, command, wanted in (("waits", GET_RANDOM, INITIALIZE), ("is started", STARTUP, 0),
                                  ("works", GET_RANDOM, 0), ("is started once", STARTUP, INITIALIZE)):
        got = code(simulator(commands, command))
        result(got == wanted, f"after a {what} the TPM {name}", hex(got))


def test_mssim(world):
    with world.served() as it, it.client() as commands, it.client(1) as control:
        commands.sendall(struct.pack(">II", HANDSHAKE, 1))
        result((number(commands), number(commands), number(commands)) == (1, 1, 0), "handshake")
        random = simulator(commands, GET_RANDOM)
        result(code(random) == 0 and len(random) == 20, "a command", random.hex())
        result(code(simulator(commands, STARTUP)) == INITIALIZE, "it has been started")
        for signal in (POWER_ON, NV_ON, CANCEL_ON):
            result(platform(control, signal) == 0, f"signal {signal}")
        result(code(simulator(commands, PCR_EXTEND_17)) == LOCALITY, "locality 0")
        result(code(simulator(commands, PCR_EXTEND_17, 2)) == 0, "locality 2")
        result(code(simulator(commands, GET_RANDOM, 5)) == FAILURE, "no locality 5")
        result(platform(control, POWER_OFF) == 0 and simulator(commands, GET_RANDOM) == b"", "off")
        result(platform(control, POWER_ON) == 0, "on")
        started(commands, "power cycle")
        result(platform(control, 99) == 1 and closed(control), "an unknown signal")
        commands.sendall(struct.pack(">I", SESSION_END))
        result(closed(commands), "the end of a session")
        with it.client(1) as control2:
            result(platform(control2, STOP) == 0, "stop")
        result(it.process.wait(timeout=20) == 0, "the exit status of a stop")


def control_of(connection, command, payload=b"", size=4):
    connection.sendall(struct.pack(">I", command) + payload)
    return take(connection, size)


def test_swtpm(world):
    with world.served("--swtpm", "--flags", "startup-clear") as it, it.client() as data, \
            it.client(1) as control:
        result(code(raw(data, GET_RANDOM)) == 0, "swtpm: a command")
        capabilities = struct.unpack(">Q", control_of(control, CAPABILITY, size=8))[0]
        result(capabilities == 0xFFFF, "swtpm: capabilities", hex(capabilities))
        result(code(raw(data, PCR_EXTEND_17)) == LOCALITY, "swtpm: locality 0")
        result(control_of(control, SET_LOCALITY, b"\2") == bytes(4), "swtpm: set locality")
        result(code(raw(data, PCR_EXTEND_17)) == 0, "swtpm: locality 2")
        result(control_of(control, SET_LOCALITY, b"\5") == struct.pack(">I", 61), "swtpm: bad locality")
        result(control_of(control, ESTABLISHED, size=8) == bytes(8), "swtpm: established")
        result(control_of(control, CONFIG, size=8) == bytes(8), "swtpm: configuration")
        result(control_of(control, SW_CANCEL) == bytes(4), "swtpm: cancel")
        result(control_of(control, 99) == struct.pack(">I", 10), "swtpm: an unknown request")
        result(control_of(control, SW_STOP) == bytes(4) and code(raw(data, GET_RANDOM)) == FAILURE,
               "swtpm: stop")
        result(control_of(control, INIT, bytes(4)) == bytes(4) and
               code(raw(data, GET_RANDOM)) == INITIALIZE, "swtpm: init starts nothing")
        result(code(raw(data, STARTUP)) == LOCALITY and control_of(control, SET_LOCALITY, b"\0") == bytes(4),
               "swtpm: a reset leaves the locality")
        result(code(raw(data, STARTUP)) == 0 and code(raw(data, GET_RANDOM)) == 0,
               "swtpm: the client starts the TPM")
        data.sendall(struct.pack(">IBI", SEND, 2, len(PCR_EXTEND_17)) + PCR_EXTEND_17)
        answer = take(data, number(data))
        result(code(answer) == 0 and number(data) == 0, "swtpm: the simulator's frame", answer)
        # In pieces, as TCP may deliver it.
        for byte in struct.pack(">IB", SET_LOCALITY, 3):
            control.sendall(bytes([byte]))
        result(take(control, 4) == bytes(4), "swtpm: a request in pieces")
        random = it.tool("swtpm", "tpm2_getrandom", "--hex", "8")
        result(random.returncode == 0 and len(random.stdout) == 16, "swtpm: tpm2_getrandom", random)
        result(control_of(control, SHUTDOWN) == bytes(4) and it.process.wait(timeout=20) == 0,
               "swtpm: shutdown")


def test_nonsense(world):
    """Each client is dropped, or gets an error, and the next one is served."""
    sent = [b"", b"\0", struct.pack(">IBI", SEND, 0, 0xFFFFFFFF), struct.pack(">IBI", SEND, 0, 4097),
            struct.pack(">I", 0xFFFFFFFF), os.urandom(100)]
    raws = [b"\x80\1\0\0\0\x09" + bytes(4), b"\x80\1\xff\xff\xff\xff" + bytes(4), os.urandom(50)]
    with world.served() as it:
        for data in sent:
            for offset in (0, 1):
                with it.client(offset) as connection:
                    connection.sendall(data)
        with it.client() as connection:
            result(code(simulator(connection, GET_RANDOM)) == 0, "service after nonsense")
            for size in (0, 1, 9, 10, 4096):
                response = simulator(connection, os.urandom(size))
                result(code(response) != 0, f"a command of {size} random bytes", response.hex())
            result(code(simulator(connection, GET_RANDOM)) == 0, "service after malformed commands")
        with it.client() as half, it.client(1) as half_control, it.client() as connection:
            half.sendall(struct.pack(">IBI", SEND, 0, 100) + bytes(50))
            half_control.sendall(b"\0\0")
            began = time.monotonic()
            result(code(simulator(connection, GET_RANDOM)) == 0 and time.monotonic() - began < 10,
                   "half a request holds up nobody")
        idle = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(200)]
        with it.client() as connection:
            result(code(simulator(connection, GET_RANDOM)) == 0, "service beside many idle clients")
        for connection in idle:
            connection.close()
        result(it.end() == 0, "the exit status of SIGTERM")
    with world.served(profile="azure") as it, it.client() as connection:
        result(code(simulator(connection, GET_RANDOM)) == 0, "a profile with evidence, without it")
    with world.served("--swtpm", "--flags", "startup-clear") as it:
        for data in raws:
            with it.client() as connection:
                connection.sendall(data)
            with it.client(1) as connection:
                connection.sendall(data)
        with it.client() as connection:
            result(code(raw(connection, GET_RANDOM)) == 0, "swtpm: service after nonsense")


def public_of(it, shape, handle, path):
    done = it.tool(shape, "tpm2_readpublic", "-c", handle, "-f", "tpmt", "-o", path)
    return path.read_bytes() if done.returncode == 0 else done.stderr


def write_nv(it, data, path):
    path.write_bytes(data)
    return all(it.tool("mssim", *command).returncode == 0 for command in (
        ("tpm2_nvdefine", "0x1500016", "-C", "o", "-s", len(data), "-a", "ownerread|ownerwrite"),
        ("tpm2_nvwrite", "0x1500016", "-C", "o", "-i", path)))


def test_state(world):
    state, file = world.work / "state", world.work / "file"
    with world.served("--state", state) as it:
        ek = public_of(it, "mssim", "0x81010001", file)
        result(len(ek) == 314, "the EK is there", ek)
        result(write_nv(it, b"kept", file), "NV is written")
        taken = subprocess.run(world.command("--state", state), capture_output=True, text=True,
                               timeout=20, check=False)
        result(taken.returncode == 1 and "another process" in taken.stderr, "the state is locked",
               taken.stderr)
        with it.client() as commands, it.client(1) as control:
            result(platform(control, RESET) == 0, "reset")
            started(commands, "reset")
        result(public_of(it, "mssim", "0x81010001", file) == ek, "a reset keeps the EK")
    result(state.stat().st_mode & 0o777 == 0o700 and
           (state / "vtpm.state").stat().st_mode & 0o777 == 0o600, "the state is private")
    with world.served("--state", state, "--swtpm", "--flags", "startup-clear") as it:
        result(public_of(it, "swtpm", "0x81010001", file) == ek, "a restart keeps the EK")
        read = it.tool("swtpm", "tpm2_nvread", "0x1500016", "-C", "o")
        result(read.stdout == b"kept", "and what the guest wrote", read)
        # The guest changes the endorsement hierarchy's authorization; resuming needs none.
        it.tool("swtpm", "tpm2_changeauth", "-c", "e", "secret")
    with world.served("--state", state) as it:
        result(public_of(it, "mssim", "0x81010001", file) == ek, "with an authorization set, too")
    with world.served() as it:
        result(public_of(it, "mssim", "0x81010001", file) != ek, "without a state the TPM is new")


def test_startup(world):
    """What a client decides by its own TPM2_Startup, and that it opens no platform by it."""
    with world.served() as it, it.client() as commands, it.client(1) as control:
        def run(command):
            return code(simulator(commands, command))

        def cycle():
            return [platform(control, signal) for signal in (POWER_OFF, POWER_ON)] == [0, 0]

        result(run(PCR_EXTEND_0) == 0 and run(PCR_EXTEND_0) == 0, "a measurement")
        pcr = simulator(commands, PCR_READ_0)[-32:]
        result(pcr != bytes(32) and run(SHUTDOWN_STATE) == 0, "TPM2_Shutdown(STATE)")
        result(cycle() and run(STARTUP_STATE) == 0, "TPM2_Startup(STATE)")
        result(simulator(commands, PCR_READ_0)[-32:] == pcr, "it resumes")
        result(run(CLEAR_BY_PLATFORM) == BAD_AUTH, "a resumed platform is locked")
        result(cycle() and run(STARTUP_STATE) == VALUE, "no state, no TPM2_Startup(STATE)")
        result(run(STARTUP) == 0 and simulator(commands, PCR_READ_0)[-32:] == bytes(32), "or CLEAR")
        result(run(CLEAR_BY_PLATFORM) == BAD_AUTH, "the platform is locked")
    with open_platform(world, "tcg-open").served() as it, it.client() as commands, \
            it.client(1) as control:
        result(platform(control, RESET) == 0, "a reset of an open platform")
        started(commands, "reset of an open platform")
        result(code(simulator(commands, CLEAR_BY_PLATFORM)) == 0, "an open platform")


def test_change_of_seed(world):
    """What is stored within TPM2_ChangeEPS has the new seed, and no key of the old one."""
    state, file = world.work / "changed", world.work / "file"
    other = open_platform(world, "profiles")
    with other.served("--state", state) as it:
        ek = public_of(it, "mssim", "0x81010001", file)
        modulus = ek[-256:]
        result(modulus in (state / "vtpm.state").read_bytes(), "the keys are in the state")
        changed = it.tool("mssim", "tpm2_changeeps")
        result(changed.returncode == 0, "tpm2_changeeps", changed.stderr)
        result(modulus not in (state / "vtpm.state").read_bytes(), "they go with the seed")
    with other.served("--state", state) as it:
        made = it.tool("mssim", "tpm2_createek", "-c", world.work / "ek.ctx", "-G", "rsa", "-u", file)
        result(made.returncode == 0, "the state is a state", made.stderr)


def test_misuse(world):
    base = [world.socle, "vtpm", "serve"]
    profile = str(world.profiles / "tcg.conf")
    cases = [("no profile", ["--port", "0"], "--profile"), ("no port", ["--profile", profile], "--port"),
             ("a port out of range", ["--profile", profile, "--port", "65535"], "0 to 65534"),
             ("no such profile", ["--profile", "/nowhere", "--port", "0"],
              "/nowhere"),
             ("a socket and a port", ["--profile", profile, "--port", "0", "--socket", "s"], "--socket"),
             ("a flag that is none", ["--profile", profile, "--port", "0", "--flags", "on"], "--flags"),
             ("a key for nothing", ["--profile", profile, "--port", "0", "--key", __file__], "--key"),
             ("a profile that is none", ["--profile", __file__, "--port", "0"], "serve_test.py:")]
    for name, options, pattern in cases:
        run = subprocess.run(base + options, capture_output=True, text=True, timeout=30, check=False)
        result(run.returncode == 1 and pattern in run.stderr, f"misuse: {name}", run.stderr)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_nothing_changes(world):
    """What is wrong is said in one line, and whatever is on the disk stays as it was."""
    folder = world.work / "untouched"
    (folder / "folder").mkdir(parents=True)
    for name, data in (("file", b"of somebody"), ("short", bytes(31)), ("long", bytes(33)), ("empty", b""),
                       ("big", b"#" * 40000), ("random", os.urandom(2000))):
        (folder / name).write_bytes(data)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "left"))
    left.close()
    before = contents(folder)
    good = ["--profile", world.profiles / "tcg.conf"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = [*(("profile " + name, ["--profile", name, "--port", 0], name)
                   for name in ("none", "folder", "empty", "big", "random")),
                 *(("key " + name, [*good, "--port", 0, "--key", name], name)
                   for name in ("none", "folder", "empty", "short", "long")),
                 *(("state " + name, [*good, "--port", 0, "--state", name], name) for name in ("file", "none/state")),
                 ("a port that is taken", [*good, "--port", taken.getsockname()[1]], "Address already in use"),
                 *(("socket " + name[:9], [*good, "--socket", name], name)
                   for name in ("file", "folder", "none/s", "s" * 120)),
                 ("log folder", [*good, "--port", 0, "--log", "folder"], "folder")]
        for name, options, pattern in cases:
            state = [] if "--state" in options else ["--state", "state"]
            run = subprocess.run([world.socle, "vtpm", "serve", *map(str, options), *state], capture_output=True,
                                 text=True, timeout=30, check=False, cwd=folder)
            result(run.returncode == 1 and pattern in run.stderr and run.stderr.count("\n") == 1, f"one line: {name}",
                   run.stderr)
            result(contents(folder) == before, f"nothing changes: {name}", contents(folder).keys() ^ before.keys())
    it = subprocess.Popen([world.socle, "vtpm", "serve", *map(str, good), "--socket", "left"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, cwd=folder)
    result(it.stdout.readline() == "listening left\n", "a socket that was left is taken over")
    it.terminate()
    result(it.wait(timeout=20) == 0 and not (folder / "left").exists(), "and removed at the end")


def issue(world, resign, keys, manifest):
    """The authority's certificates for the keys of a manifest."""
    work = world.work / "issue"
    work.mkdir()
    signer = authority.Signer(resign, keys, work)
    nonce, measurement = os.urandom(64), os.urandom(48)
    data = hashlib.sha512(nonce + authority.context_of("tcg") + manifest).digest()
    for name, content in (("profile", b"tcg"), ("nonce.bin", nonce), ("manifest.bin", manifest),
                          ("certs.bin", signer.table())):
        (work / name).write_bytes(content)
    (work / "report.bin").write_bytes(signer.report(data, measurement))
    for command in (["init", work / "ca"],
                    ["issue", "--measurement", measurement.hex(), "--trust-emulated", "--ark",
                     work / "chain/ark.pem", "--nonce", work / "nonce.bin", "-o", work / "out", work / "ca", work]):
        subprocess.run([world.socle, "ca", *map(str, command)], check=True, capture_output=True)
    return work


def test_certificates(world, resign, keys):
    """Certificates at the indices of the TCG EK Credential Profile: tpm2_getekcertificate reads the first. Of several,
    version 5.8 gives them in another order than those before."""
    with world.served() as it:
        publics = [public_of(it, "mssim", handle, world.work / "public")
                   for handle in ("0x81010001", "0x8101000a")]
        work = issue(world, resign, keys, authority.manifest_of(*publics))
        for i, index in enumerate(("0x1c00002", "0x1c0000a")):
            der = work / "out" / f"key-{i}.der"
            for command in (("tpm2_nvdefine", index, "-C", "o", "-s", der.stat().st_size, "-a",
                             "ownerread|ownerwrite|authread|no_da"),
                            ("tpm2_nvwrite", index, "-C", "o", "-i", der)):
                done = it.tool("mssim", *command)
                result(done.returncode == 0, command[0], done.stderr)
        for command in (("tpm2_getekcertificate", "-o", work / "rsa.der"),
                        ("tpm2_nvread", "-C", "o", "0x1c0000a", "-o", work / "ecc.der")):
            done = it.tool("mssim", *command)
            result(done.returncode == 0, command[0], done.stderr)
    for i, name in enumerate(("rsa", "ecc")):
        der = (work / f"{name}.der").read_bytes()
        result(der == (work / "out" / f"key-{i}.der").read_bytes(), f"the {name} certificate", len(der))
        pem = work / f"{name}.pem"
        pem.write_bytes(authority.openssl("x509", "-inform", "DER", data=der))
        verified = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", work / "ca/ca.pem",
                                   pem], capture_output=True, text=True, check=False)
        result(verified.returncode == 0, f"openssl verify of the {name} certificate", verified.stderr)


def main():
    socle, profiles, resign, keys = sys.argv[1:5]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        for test in (test_mssim, test_startup, test_swtpm, test_nonsense, test_state,
                     test_change_of_seed, test_misuse):
            test(world)
        test_certificates(world, resign, keys)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
