#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The state that `socle vtpm serve` keeps: damaged, sealed, of another profile, on a full disk, and
killed at any system call while it is written.

    state_test.py SOCLE PROFILE_DIR [--all]

--all: 400 corruptions instead of 60, and every system call of a store instead of a sample.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import GET_RANDOM, World, code, simulator  # noqa: E402

result = Results("vtpm state")

COPIES = ("vtpm.state", "vtpm.state.copy")
BEFORE_STATE = 128 + 56  # header, and what the body has before the state: state_file.c
NV_UNAVAILABLE = 0x923
DEFINED = 0x14C  # TPM_RC_NV_DEFINED
NV_INDEX = 0x01500020
# TPM_NT_COUNTER; NO_DA, and read and written with its own, empty authorization or the owner's
COUNT_ATTRIBUTES = 0x02060016


def password(command, handles, parameters=b""):
    """A TPM command with one empty password."""
    auth = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
    body = b"".join(struct.pack(">I", handle) for handle in handles) + auth + parameters
    return struct.pack(">HII", 0x8002, 10 + len(body), command) + body


DEFINE = password(0x12A, [0x40000001], struct.pack(">HHIHIHH", 0, 14, NV_INDEX, 0xB, COUNT_ATTRIBUTES, 0, 8))
# A larger one at each handle: what makes the state grow.
GROW = [password(0x12A, [0x40000001], struct.pack(">HHIHIHH", 0, 14, NV_INDEX + 1 + i, 0xB, 0x00040004, 0, 2048))
        for i in range(24)]
INCREMENT = password(0x134, [NV_INDEX, NV_INDEX])
READ = password(0x14E, [NV_INDEX, NV_INDEX], struct.pack(">HH", 8, 0))


def counter(it):
    with it.client() as client:
        answer = simulator(client, READ)
    return struct.unpack(">Q", answer[16:24])[0] if code(answer) == 0 else None


def make(world, state, *options):
    """A state with a counter that was incremented once; its value."""
    with world.served("--state", state, *options) as it:
        with it.client() as client:
            done = [code(simulator(client, command)) for command in (DEFINE, INCREMENT)]
        result(done == [0, 0], "a counter is made", done)
        return counter(it)


def refusal(world, state, *options, profile="tcg"):
    """What it says when it does not start; None when it does."""
    run = subprocess.Popen(world.command("--state", state, *options, profile=profile),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.stdout.readline().startswith("listening"):
        run.terminate()
        run.communicate(timeout=20)
        return None
    said = run.communicate(timeout=20)[1]
    return said if run.returncode == 1 and said.count("\n") == 1 else f"status {run.returncode}: {said}"


def damage(data, dice):
    """A change that a disk or a hand could make."""
    kind = dice.randrange(4)
    at = dice.randrange(len(data))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data + os.urandom(1 + dice.randrange(64))
    end = min(len(data), at + 1 + dice.randrange(512))
    changed = data[:at] + bytes(end - at) + data[end:]
    return changed if changed != data else data[:-1]


def test_corruption(world, count):
    """Of two damaged copies none is used; of one, the other serves, and both are good again."""
    dice = random.Random(5)
    state = world.work / "corrupt"
    value = make(world, state)
    good = (state / COPIES[0]).read_bytes()
    unseen = []
    for number in range(count):
        for name in COPIES:
            (state / name).write_bytes(damage(good, dice))
        said = refusal(world, state)
        if said is None or "no other copy is good" not in said:
            unseen.append((number, said))
    result(not unseen, f"{count} corruptions of both copies are refused", unseen[:3])
    for name in COPIES:
        for other in COPIES:
            (state / other).write_bytes(good)
        (state / name).write_bytes(damage(good, dice))
        with world.served("--state", state) as it:
            result(counter(it) == value, f"a damaged {name} costs nothing")
        result(refusal(world, state) is None, f"{name} is good again")
        (state / name).unlink()
        with world.served("--state", state) as it:
            result(counter(it) == value, f"a lost {name} costs nothing")


def test_every_byte(world):
    """Each byte before the state itself counts, also those that are not in use."""
    key = world.work / "every-key"
    key.write_bytes(bytes(32))
    for name, options in (("with a checksum", ()), ("sealed", ("--key", key))):
        state = world.work / f"every byte {name}"
        make(world, state, *options)
        good = (state / COPIES[0]).read_bytes()
        taken = []
        for at in range(BEFORE_STATE):
            for copy in COPIES:
                (state / copy).write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:])
            if "no other copy is good" not in (refusal(world, state, *options) or ""):
                taken.append(at)
        result(not taken, f"each byte before the state counts, {name}", taken)


def test_no_state(world):
    """Nothing that is there is taken for a state that is not."""
    for name, spoil, words in (
            ("empty", lambda path: path.write_bytes(b""), "empty"),
            ("a dangling link", lambda path: path.symlink_to("nowhere"), "link"),
            ("a folder", lambda path: path.mkdir(), "regular"),
            ("of the old format", lambda path: path.write_bytes(b"SVS1" + bytes(400)), "older format"),
            ("a text", lambda path: path.write_bytes(b"x" * 500), "no state of a vTPM")):
        state = world.work / f"no {name}"
        state.mkdir()
        for copy in COPIES:
            spoil(state / copy)
        before = sorted(path.name for path in state.iterdir())
        said = refusal(world, state)
        result(said is not None and words in said, f"a state that is {name}", said)
        result(sorted(path.name for path in state.iterdir()) == before, f"and nothing is changed: {name}")


def test_sealed(world):
    """What a key is for."""
    state, key, hexkey, other = (world.work / name for name in ("sealed", "key", "hexkey", "other"))
    key.write_bytes(bytes(range(32)))
    hexkey.write_text(bytes(range(32)).hex() + "\n")
    other.write_bytes(os.urandom(32))
    value = make(world, state, "--key", key)
    sealed = (state / COPIES[0]).read_bytes()
    with world.served("--state", state, "--key", hexkey) as it:
        result(counter(it) == value, "the same key in hexadecimal")
    result("another key" in (refusal(world, state, "--key", other) or ""), "another key")
    result("no key was given" in (refusal(world, state) or ""), "no key")
    newer = (state / COPIES[0]).read_bytes()
    result(sealed != newer, "each store is another")
    for copy in COPIES:
        (state / copy).write_bytes(sealed[:128] + newer[128:])
    result("different states" in (refusal(world, state, "--key", key) or ""), "swapped halves")
    for copy in COPIES:
        (state / copy).write_bytes(newer[:-1] + bytes([newer[-1] ^ 1]))
    result("body is damaged" in (refusal(world, state, "--key", key) or ""), "a damaged body")
    open_state = world.work / "open"
    make(world, open_state)
    result("not sealed" in (refusal(world, open_state, "--key", key) or ""), "a state without a seal")
    wrong = world.work / "wrong"
    wrong.write_bytes(b"short")
    result("64 hexadecimal digits" in (refusal(world, state, "--key", wrong) or ""), "no key at all")
    # Names and seeds are told by a state without a seal, and by no sealed one.
    profile = (world.profiles / "tcg.conf").read_bytes()
    result(profile in (open_state / COPIES[0]).read_bytes() and profile not in newer, "it is sealed")


def test_profile(world):
    """A state belongs to its profile, whose comments and spaces do not count."""
    state, profiles = world.work / "profile", world.work / "edited"
    profiles.mkdir()
    text = (world.profiles / "tcg.conf").read_text()
    edited = World(world.socle, profiles, world.work)
    make(world, state)
    (profiles / "tcg.conf").write_text("# Another comment.\n\n" + text.replace("\trole ek", "  role   ek"))
    result(refusal(edited, state) is None, "a comment is no change")
    for name, change, words in (
            ("a word", ("pcr-banks sha256 sha384", "pcr-banks sha256"), 'was "pcr-banks sha256 sha384"'),
            ("a new line", ("manifests 0 1\n", "manifests 0 1\ncertificate-timeout 4s\n"), None),
            ("a key", ("handle 0x81010012", "handle none"), 'is "handle none"')):
        (profiles / "tcg.conf").write_text(text.replace(*change, 1))
        said = refusal(edited, state)
        result(said is not None and "tcg.conf" in said and (not words or words in said),
               f"a changed profile: {name}", said)
    said = refusal(world, state, profile="google")
    result(said is not None and "another profile" in said, "another profile", said)


class SmallDisk:
    """A file system of a mebibyte, and the server in its own view of the files."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path],
                                      capture_output=True, check=False).returncode == 0

    def __enter__(self):
        return self

    def fill(self):
        try:
            with open(self.path / "filler", "wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))
        except OSError:
            pass

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", self.path], check=True)


def test_full_disk(world):
    """A state that does not grow has its room; one that would is not begun, until there is room again."""
    with SmallDisk(world.work / "disk") as disk:
        if not disk.mounted:
            result.skip("a full disk", "mounting one needs root")
            return
        with world.served("--state", disk.path / "state") as it, it.client() as client:
            def run(command):
                return code(simulator(client, command))

            result([run(DEFINE), run(INCREMENT)] == [0, 0], "on a small disk")
            value = counter(it)
            result(run(INCREMENT) == 0, "it counts")
            disk.fill()
            result([run(INCREMENT) for _ in range(5)] == [0] * 5, "on a full disk it goes on in the room it has")
            codes = [run(command) for command in GROW]
            begun = codes.count(0)
            result(codes == [0] * begun + [NV_UNAVAILABLE] * (len(GROW) - begun) and begun < len(GROW),
                   "and does not begin what needs more", codes)
            result(run(GET_RANDOM) == 0, "what needs no disk goes on")
            result(run(GROW[begun]) == NV_UNAVAILABLE, "it is still full")
            (disk.path / "filler").unlink()
            result(run(GROW[begun]) == 0 and run(INCREMENT) == 0 and counter(it) == value + 7, "room again is enough",
                   counter(it))
        with world.served("--state", disk.path / "state") as it, it.client() as client:
            result(counter(it) == value + 7, "and nothing is lost")
            again = [code(simulator(client, command)) for command in GROW[:begun + 2]]
            result(again == [DEFINED] * (begun + 1) + [0], "of what was answered, and nothing else is there", again)


def test_links(world):
    """A backup made by links stays what it was, and a link in the place of the next copy is not followed."""
    state = world.work / "links"
    value = make(world, state)
    with world.served("--state", state) as it, it.client() as client:
        def count(times):
            return [code(simulator(client, INCREMENT)) for _ in range(times)]

        result(count(3) == [0] * 3, "three stores")
        os.link(state / COPIES[0], world.work / "backup")
        kept = (world.work / "backup").read_bytes()
        result(count(4) == [0] * 4 and (world.work / "backup").read_bytes() == kept, "a backup by a link is left alone")
        victim = world.work / "victim"
        victim.write_text("mine")
        (state / "vtpm.state.next").unlink()
        (state / "vtpm.state.next").symlink_to(victim)
        result(count(2) == [0] * 2 and victim.read_text() == "mine", "a link in the next copy's place is not followed")
    result(sorted(path.name for path in state.iterdir()) == sorted(COPIES), "room is given back at the end",
           list(state.iterdir()))
    with world.served("--state", state) as it:
        result(counter(it) == value + 9, "nothing is lost by it")


def traced(world, state, *options):
    """The server under strace, and its port, or None when it ended before it listened."""
    it = subprocess.Popen(["strace", *options, *world.command("--state", state)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    line = it.stdout.readline().split()
    return it, int(line[1]) if line[:1] == ["listening"] else None


def end(it):
    """Both strace and what it traces; what they said."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(it.pid, signal.SIGTERM)
    return it.communicate(timeout=20)[1]


def increments(port, count):
    """How many were answered."""
    answered = 0
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            while answered < count and code(simulator(client, INCREMENT)) == 0:
                answered += 1
    except (OSError, EOFError):
        pass
    return answered


def calls_of(world, state):
    """Every system call from the first store on: its name, and which of that name it is."""
    trace = world.work / "trace"
    it, port = traced(world, state, "-o", trace)
    increments(port, 3)
    end(it)
    calls, seen, store = [], {}, False
    for line in trace.read_text().splitlines():
        name = line.split("(")[0]
        if not name.isidentifier():
            continue
        seen[name] = seen.get(name, 0) + 1
        store = store or "vtpm.state.next" in line
        if store:
            calls.append((name, seen[name]))
    return calls


def killed_at(world, state, name, which):
    """How many increments were answered before it was killed at that call, or 3."""
    it, port = traced(world, state, "-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={which}")
    answered = increments(port, 3) if port else 0
    end(it)
    return answered


def test_kill(world, every):
    """Whenever it is killed, it starts again, and all that was answered is there."""
    if not shutil.which("strace"):
        result.skip("killed at any system call", "no strace")
        return
    state = world.work / "kill"
    value = make(world, state)
    good = {name: (state / name).read_bytes() for name in COPIES}
    calls = calls_of(world, state)
    chosen = calls if every else random.Random(7).sample(calls, 25)
    lost = []
    for call in chosen:
        for name in COPIES:
            (state / name).write_bytes(good[name])
        answered = killed_at(world, state, *call)
        with world.served("--state", state) as it:
            now = counter(it)
        if now is None or not value + answered <= now <= value + answered + 1:
            lost.append((call, answered, now))
    result(not lost, f"killed at {len(chosen)} of {len(calls)} system calls", lost[:5])


def test_retry(world):
    """A disk that fails is tried again, and the answer waits for it."""
    if not shutil.which("strace"):
        result.skip("a disk that fails", "no strace")
        return
    state = world.work / "retry"
    value = make(world, state)
    it, port = traced(world, state, "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=10..14")
    done = increments(port, 8)
    said = end(it)
    result(done == 8 and "trying again" in said, "a disk that fails for a while", (done, said))
    with world.served("--state", state) as it:
        result(counter(it) == value + 8, "and nothing is lost after it")


def main():
    socle, profiles = sys.argv[1:3]
    every = "--all" in sys.argv[3:]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        test_no_state(world)
        test_corruption(world, 400 if every else 60)
        test_every_byte(world)
        test_sealed(world)
        test_profile(world)
        test_full_disk(world)
        test_links(world)
        test_retry(world)
        test_kill(world, every)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
