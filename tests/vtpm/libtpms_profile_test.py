#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Profiles of libtpms, which it has from 0.10 on: taken by name and as JSON, kept with the state, and told by
CMD_GET_INFO as swtpm tells them. An older libtpms takes none, and says so.

    libtpms_profile_test.py SOCLE PROFILE_DIR
"""

import json
import re
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import World, code, number, raw, swtpm, take  # noqa: E402

result = Results("libtpms's profiles")
GET_INFO, ACTIVE_PROFILE, AVAILABLE_PROFILES = 18, 32, 64
GET_ALGORITHMS = bytes.fromhex("8001000000160000017a" "00000000" "00000000" "00000100")
SHA1 = 0x0004
# All that can be left out of libtpms 0.10 and that a profile of ours can do without: SHA-1, DES, Camellia.
CUSTOM = json.dumps({"Name": "custom:no-sha1", "Algorithms": ",".join((
    "rsa,rsa-min-size=2048,hmac,aes,aes-min-size=128,mgf1,keyedhash,xor,sha256,sha384,sha512,null,rsassa,rsaes",
    "rsapss,oaep,ecdsa,ecdh,ecdaa,sm2,ecschnorr,ecmqv,kdf1-sp800-56a,kdf2,kdf1-sp800-108,ecc,ecc-min-size=192",
    "ecc-nist,ecc-bn,ecc-sm2-p256,symcipher,cmac,ctr,ofb,cbc,cfb,ecb")), "Description": "SHA-1 is not there"})


def version():
    return tuple(map(int, subprocess.run(["pkg-config", "--modversion", "libtpms"], capture_output=True, text=True,
                                         check=True).stdout.split(".")))


def profiles_with(world, folder, line):
    """The same world, whose profile has this line, too, and a bank that every profile of libtpms has."""
    profiles = world.work / folder
    profiles.mkdir()
    text = re.sub(r"^pcr-banks .*$", f"pcr-banks sha256\n{line}", (world.profiles / "tcg.conf").read_text(),
                  flags=re.MULTILINE)
    (profiles / "tcg.conf").write_text(text)
    return World(world.socle, profiles, world.work)


def info(connection, what):
    connection.sendall(struct.pack(">IQII", GET_INFO, what, 0, 0))
    if number(connection):
        return None
    number(connection)
    return json.loads(take(connection, number(connection)).rstrip(b"\0"))


def algorithms(connection):
    answer = raw(connection, GET_ALGORITHMS)
    assert code(answer) == 0, answer
    count, = struct.unpack(">I", answer[15:19])
    return {struct.unpack(">H", answer[19 + 6 * i:21 + 6 * i])[0] for i in range(count)}


def ask(served):
    """The active profile, those that there are, and the algorithms."""
    with served.client() as data, served.client(1) as control:
        return info(control, ACTIVE_PROFILE), info(control, AVAILABLE_PROFILES), algorithms(data)


def serve(world, state):
    return world.served("--swtpm", "--flags", "startup-clear", "--state", state)


def start_and_fail(world, state):
    return subprocess.run(world.command("--state", state), capture_output=True, text=True, check=False, timeout=60)


def check_refused(world, label, line, pattern):
    state = world.work / f"{label}-state"
    run = start_and_fail(profiles_with(world, label, line), state)
    result(run.returncode == 1 and re.search(pattern, run.stderr), f"{label}: refused by name", run.stderr)
    result(not (state / "vtpm.state").exists(), f"{label}: and no TPM is left")


def ask_swtpm(world, profile):
    """The same of swtpm, started by that profile."""
    folder = world.work / ("swtpm-" + re.sub(r"\W+", "-", profile)[:40])
    folder.mkdir()
    with swtpm(folder, "--profile", f"profile={profile}", "--flags", "not-need-init,startup-clear") as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as data, \
                socket.create_connection(("127.0.0.1", port + 1), timeout=20) as control:
            return info(control, ACTIVE_PROFILE), info(control, AVAILABLE_PROFILES), algorithms(data)


def check_taken(world, label, line, profile):
    """What swtpm says of it, after a restart, too; another one is refused then."""
    state = world.work / f"{label}-state"
    chosen = profiles_with(world, label, line)
    theirs = ask_swtpm(world, profile)
    for when in ("new", "started again"):
        with serve(chosen, state) as served:
            ours = ask(served)
        for what, mine, its in zip(("the active profile", "profiles that there are", "algorithms"), ours, theirs):
            result(mine == its, f"{label}, {when}: {what} as with swtpm", f"{mine}\n{its}")
    run = start_and_fail(world, state)
    result(run.returncode == 1 and "was made by another profile" in run.stderr,
           f"{label}: no other profile has its state", run.stderr)
    return ours


def check_new_library(world):
    check_taken(world, "default-v1", "tpm-profile default-v1", '{"Name":"default-v1"}')
    _, _, with_sha1 = check_taken(world, "null", "tpm-profile null", '{"Name":"null"}')
    _, _, without = check_taken(world, "custom", f"tpm-profile {CUSTOM}", CUSTOM)
    result(SHA1 in with_sha1 and SHA1 not in without, "custom: SHA-1 is not there", without)
    state = world.work / "no-bank-state"
    lacking = profiles_with(world, "no-bank", f"tpm-profile {CUSTOM}")
    conf = lacking.profiles / "tcg.conf"
    conf.write_text(conf.read_text().replace("pcr-banks sha256", "pcr-banks sha1 sha256"))
    run = start_and_fail(lacking, state)
    result(run.returncode == 1 and "PCR banks: TPM response code 0x" in run.stderr
           and not (state / "vtpm.state").exists(), "custom: a bank of SHA-1 is refused", run.stderr)
    for label, line in (("unknown", "tpm-profile nobody"), ("no-json", "tpm-profile {nothing}"),
                        ("unknown-algorithm", 'tpm-profile {"Name":"custom","Algorithms":"rot13"}'),
                        ("not-modified", 'tpm-profile {"Name":"null","Algorithms":"rsa"}')):
        name = re.escape(line.split(None, 1)[1]) if "{" not in line else re.escape("{...}")
        check_refused(world, label, line, rf"tpm-profile {name} needs .*this is libtpms [0-9.]+")


def check_old_library(world):
    result.skip("profiles that are taken", "libtpms is older than 0.10")
    check_refused(world, "default-v1", "tpm-profile default-v1",
                  r"tpm-profile default-v1 needs a libtpms, from 0\.10 on, .*this is libtpms 0\.9\.")
    check_refused(world, "custom", f"tpm-profile {CUSTOM}",
                  r"tpm-profile \{\.\.\.\} needs a libtpms, from 0\.10 on, .*this is libtpms 0\.9\.")


def main():
    socle, profiles = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        check_refused(world, "cut", "tpm-profile {", r"tcg\.conf:\d+: a tpm-profile in braces ends with one")
        (check_old_library if version() < (0, 10) else check_new_library)(world)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
