#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Event logs of real machines, as `socle eventlog show` and tpm2_eventlog read them: the same events with the same
digests, and the same PCRs, and what `socle verify` and policies say of them. Then the same logs forged: each is refused
with its reason, or its PCRs are others. The logs are test data of Google's go-eventlog, which the go command fetches
into the work folder.

    eventlog_test.py --programs BUILD [--work build/peers]
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("lib", "verify", "spec")]
import boots  # noqa: E402
import verify as second  # noqa: E402
from results import Results  # noqa: E402

MODULE = "github.com/google/go-eventlog@v0.0.2"
LEGACY = {"debian-10.bin"}  # SHA-1 alone, in the older form
SEPARATOR, IPL, CONFIG, ACTION = 4, 0xd, 0x80000001, 0x80000007

# tpm2-tools 5.4 passes over the start-up locality of 3 that this log has, so that its PCR 0 is another.
WITHOUT_PCR_0 = {"glinux-alex.bin"}

results = Results("event logs of real machines")


def fetch(work):
    """The folder of the logs, or None with the reason as a result."""
    if not shutil.which("go"):
        results(False, "there is a go command")
        return None
    environment = {**os.environ, "GOPATH": str((work / "gopath").resolve()), "GOFLAGS": "-modcacherw"}
    run = subprocess.run(["go", "mod", "download", "-json", MODULE], env=environment, check=False,
                         capture_output=True, text=True)
    if run.returncode != 0:
        results(False, f"go mod download {MODULE}", run.stdout + run.stderr)
        return None
    return Path(json.loads(run.stdout)["Dir"]) / "testdata/eventlogs/tpm"


class Judge:
    def __init__(self, socle, work):
        self.socle, self.file = socle, work / "log"

    def read(self, data):
        """What socle says of a log: its object, or the line with which it refuses."""
        self.file.write_bytes(data)
        run = subprocess.run([self.socle, "eventlog", "show", "--json", self.file], check=False,
                             capture_output=True, text=True)
        return json.loads(run.stdout) if run.returncode == 0 else run.stderr.strip()

    def refuses(self, name, data, why, genuine):
        """why: words of the refusal, or the number of the PCR whose value is another."""
        said = self.read(data)
        if isinstance(why, int):
            ok = isinstance(said, dict) and any(
                said["pcrs"][bank].get(str(why)) != values.get(str(why))
                for bank, values in genuine["pcrs"].items())
            results(ok, f"{name}: PCR {why} is another", str(said)[:200])
        else:
            text = said if isinstance(said, str) else said.get("problem", "")
            results(why in text, f"{name}: {why}", text)


def of_tpm2_tools(path):
    """Events and PCRs by tpm2_eventlog, whose YAML is plain enough for this."""
    text = subprocess.run(["tpm2_eventlog", path], check=True, capture_output=True, text=True).stdout
    events, pcrs = text.split("\npcrs:\n")
    found = []
    for event in re.split(r"\n- EventNum: ", events)[1:]:
        name = re.search(r"EventType: (\S+)", event)[1]
        digests = dict(re.findall(r'AlgorithmId: (\w+)\n\s+Digest: "([0-9a-f]+)"', event))
        found.append((int(re.search(r"PCRIndex: (\d+)", event)[1]), name, digests))
    banks = {}
    for line in pcrs.splitlines():
        bank, value = re.match(r"\s+(\w+):$", line), re.match(r"\s+(\d+)\s*: 0x([0-9A-Fa-f]+)$", line)
        if bank:
            current = banks.setdefault(bank[1], {})
        elif value:
            current[value[1]] = value[2].lower()
    return found[1:], banks


class Log:
    """A log taken apart and put together again."""

    def __init__(self, data):
        size = 32 + struct.unpack_from("<I", data, 28)[0]
        self.head, self.events, at = data[:size], [], size
        banks = struct.unpack_from("<I", data, 32 + 24)[0]
        self.sizes = dict(struct.unpack_from("<HH", data, 60 + 4 * i) for i in range(banks))
        while at < len(data):
            start = at
            at += 12
            for _ in range(banks):
                at += 2 + self.sizes[struct.unpack_from("<H", data, at)[0]]
            at += 4 + struct.unpack_from("<I", data, at)[0]
            self.events.append(bytearray(data[start:at]))
        self.data_at = 12 + sum(2 + size for size in self.sizes.values()) + 4

    def bytes(self, events=None):
        return self.head + b"".join(self.events if events is None else events)

    def find(self, kind, pcr, number=0):
        """The place of the number-th event of that type in that PCR."""
        return [i for i, event in enumerate(self.events)
                if struct.unpack_from("<II", event) == (pcr, kind)][number]

    def changed(self, at, offset, value):
        """The log with one event's bytes overwritten."""
        event = bytearray(self.events[at])
        event[offset:offset + len(value)] = value
        return self.bytes(self.events[:at] + [event] + self.events[at + 1:])

    def swapped(self, first, second):
        events = list(self.events)
        events[first], events[second] = events[second], events[first]
        return self.bytes(events)


def forge_form(judge, log, genuine):
    whole, last = log.bytes(), len(log.events)
    for cut in (1, 7, 40):
        judge.refuses(f"cut by {cut} bytes", whole[:-cut], "the file ends within it", genuine)
    judge.refuses("a byte too many", whole + b"\0", "the file ends within it", genuine)
    judge.refuses("padded with ones", whole + b"\xff" * 64, f"event {last + 1} ", genuine)
    judge.refuses("padded with zeros", whole + bytes(64), "one digest for each bank", genuine)
    for name, at, value, why in (
            ("another signature", 32, b"spec", "no Spec ID Event03"), ("version 1.2", 32 + 20, b"\2\1", "version"),
            ("no bank", 56, bytes(4), "no bank"), ("a bank less", 56, b"\2", "more than they"),
            ("a bank more", 56, b"\4", "wrong|known|not all there"), ("an unknown hash", 60, b"\x12\0", "not known"),
            ("a short digest", 62, b"\x10\0", "wrong size"), ("a bank twice", 64, b"\x04\0\x14\0", "twice"),
            ("not the first PCR", 0, b"\1", "another event"), ("extended", 4, b"\4", "another event")):
        data = whole[:at] + value + whole[at + len(value):]
        said = judge.read(data)
        results(isinstance(said, str) and re.search(why, said), f"form: {name}: {why}", str(said)[:200])


def forge_events(judge, log, genuine):
    """One event or two, changed, moved, dropped or added."""
    boot, config = log.find(CONFIG, 7), log.find(CONFIG, 7, 1)
    ends = {pcr: log.find(SEPARATOR, pcr) for pcr in range(8)}
    command, action = log.find(IPL, 8), log.find(ACTION, 4)
    at, size = log.data_at, len(log.events)
    without = lambda i: log.bytes(log.events[:i] + log.events[i + 1:])  # noqa: E731
    again = lambda i: log.bytes(log.events + [log.events[i]])  # noqa: E731
    for name, data, why in (
            ("secure boot said to be on", log.changed(boot, len(log.events[boot]) - 1, b"\1"),
             "not what its digest is of"),
            ("another name of a variable", log.changed(config, at + 32, b"d"), "not what its digest is of"),
            ("another vendor of a variable", log.changed(config, at, b"\0"), "not what its digest is of"),
            ("another action", log.changed(action, at, b"X"), "not what its digest is of"),
            ("another version of the firmware", log.changed(0, at, b"X"), "not what its digest is of"),
            ("a digest changed", log.changed(command, 20, b"\xaa\xaa"), 8),
            ("a digest of zeros", log.changed(command, 14, bytes(20)), "digest of zeros"),
            ("an event that extends nothing", log.changed(command, 4, b"\3\0\0\0"), "it extends nothing"),
            ("an event in PCR 24", log.changed(command, 0, b"\x18"), "no such PCR"),
            ("a digest of another hash", log.changed(command, 12, b"\x0d"), "no bank of the log"),
            ("a digest missing", log.changed(command, 8, b"\2"), "one digest for each bank"),
            ("data of 4 GiB", log.changed(command, at - 4, b"\xff\xff\xff\xff"), "the file ends within it"),
            ("two variables swapped", log.swapped(boot, config), 7),
            ("two words of GRUB swapped", log.swapped(command, log.find(IPL, 8, 1)), 8),
            ("two files swapped", log.swapped(log.find(IPL, 9), log.find(IPL, 9, 2)), 9),
            ("a word of GRUB dropped", without(command), 8),
            ("secure boot dropped", without(boot), 7),
            ("a program dropped", without(log.find(0x80000003, 4)), 4),
            ("a separator dropped", without(ends[2]), "PCR 2 has no separator"),
            ("a word of GRUB again", again(command), 8),
            ("a variable after the boot", again(boot), "behind the PCR's separator"),
            ("a second separator", again(ends[0]), "behind the PCR's separator"),
            ("the firmware's version after the boot", again(0), "behind the PCR's separator"),
            ("a variable in GRUB's PCR", log.changed(boot, 0, b"\x08"), "never in this PCR"),
            ("GRUB's word in the firmware's PCR", log.changed(command, 0, b"\x05"), 5),
            ("GRUB's word called a variable", log.changed(command, 4, struct.pack("<I", CONFIG)), "never in this PCR"),
            ("a program called an action", log.changed(log.find(0x80000003, 4), 4, struct.pack("<I", ACTION)),
             "not what its digest is of"),
            ("a failed separator", log.changed(ends[3], at, b"\1"), "not what its digest is of"),
            ("the log of another boot's end", log.bytes(log.events[:size // 2]), 8),
            ("a late locality", log.bytes(log.events + [no_action(log, b"StartupLocality\0\3")]),
             "behind an event of PCR 0"),
            ("an early locality", log.bytes([no_action(log, b"StartupLocality\0\3")] + log.events), 0),
            ("a locality that there is not", log.bytes([no_action(log, b"StartupLocality\0\2")] + log.events),
             "that there is not"),
    ):
        judge.refuses(name, data, why, genuine)


class Verifier:
    """Both of them, on evidence whose quote is of the values that tpm2_eventlog has for a log."""

    def __init__(self, socle, work):
        self.socle, self.work, self.world = socle, work / "evidence", boots.World()

    def expect(self, name, path, pcrs, boot, status, failing):
        values = {0x000B: {int(n): bytes.fromhex(value) for n, value in pcrs.items()}}
        words = ["--trust-emulated", "--eventlog", path, *self.world.quoted(self.work, values)]
        if boot:
            words[:0] = ["--policy", boots.write_policy(self.work.parent / "policy.json", boot)]
        run = subprocess.run([str(word) for word in (self.socle, "verify", "--json", *words)], check=False,
                             capture_output=True, text=True)
        said = json.loads(run.stdout)
        fails = [check["name"] for check in said["checks"] if check["result"] == "fail"]
        verdict = second.verify(words)
        results((run.returncode, fails) == (status, failing) == (verdict["status"], verdict["failing"]),
                f"{path.name}, {name}: {failing or 'trusted'}, by both verifiers", (said["checks"], verdict))
        return said


def signers_of(data):
    """SHA-256 of the certificates that firmware and shim found something signed by, as the log has them."""
    log, found = second.event_log, {}
    for event in log.judge(data)[1]:
        if event.type != log.AUTHORITY:
            continue
        vendor, name, value, _ = log.variable(event.words())
        if not (vendor == log.SHIM and name in log.SETTINGS):
            # A certificate is a SEQUENCE, before which the owner stands where there is one.
            der = value if value[:2] == b"\x30\x82" else value[16:]
            found[f"signer {len(found)}"] = hashlib.sha256(der).hexdigest()
    return found


def check_verdicts(verifier, path, pcrs):
    """A real machine's log as evidence, and what a policy says of it."""
    said = verifier.expect("no rule", path, pcrs, None, 0, [])
    on = said["boot"].get("secure_boot")
    results(on is not None, f"{path.name}: it says whether secure boot is on", said["boot"])
    signers = signers_of(path.read_bytes())
    rules = {"secure_boot": on, **({"signers": signers} if on and signers else {})}
    verifier.expect(f"secure boot {on}, {len(signers)} signers", path, pcrs, rules, 0, [])
    verifier.expect("secure boot otherwise", path, pcrs, {"secure_boot": not on}, 7, ["secure-boot"])
    if on and signers:
        verifier.expect("other signers", path, pcrs, {"secure_boot": True, "signers": {"another": "00" * 32}}, 7,
                        ["boot-signers"])
    verifier.expect("another PCR 4", path, {**pcrs, "4": "00" * 32}, None, 7, ["event-log-quote"])
    return on, len(signers)


def no_action(log, data):
    digests = b"".join(struct.pack("<H", bank) + bytes(size) for bank, size in log.sizes.items())
    return struct.pack("<III", 0, 3, len(log.sizes)) + digests + struct.pack("<I", len(data)) + data


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    folder = fetch(options.work)
    judge = Judge(options.programs / "tools/socle", options.work)
    verifier, seen = Verifier(options.programs / "tools/socle", options.work), set()
    for path in sorted(folder.glob("*.bin")) if folder else []:
        said = judge.read(path.read_bytes())
        if path.name in LEGACY:
            results("not a crypto-agile log" in said, f"{path.name}: refused by name", said)
            continue
        if not results(isinstance(said, dict) and "problem" not in said, f"{path.name}: read, and well",
                       str(said)[:300]):
            continue
        events, pcrs = of_tpm2_tools(path)
        ours = [(event["pcr"], event["type"], event["digests"]) for event in said["events"]]
        results(ours == events and len(events) > 20, f"{path.name}: {len(events)} events as tpm2_eventlog",
                [pair for pair in zip(ours, events) if pair[0] != pair[1]][:1])
        if path.name in WITHOUT_PCR_0:
            for banks in (pcrs, said["pcrs"]):
                results(len({bank.pop("0") for bank in banks.values()}) == 2, f"{path.name}: PCR 0 is left out")
        results(said["pcrs"] == pcrs and pcrs, f"{path.name}: PCRs as tpm2_eventlog", "")
        if "sha256" in pcrs and path.name not in WITHOUT_PCR_0:
            seen.add(check_verdicts(verifier, path, pcrs["sha256"]))
    if folder:
        results(any(on and signers for on, signers in seen) and any(not on for on, _ in seen),
                "there are logs with secure boot and signers, and without", seen)
        genuine = (folder / "ubuntu-2404-amd-sevsnp.bin").read_bytes()
        log = Log(genuine)
        results(log.bytes() == genuine, "a log taken apart and put together is the same")
        forge_form(judge, log, judge.read(genuine))
        forge_events(judge, log, judge.read(genuine))
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
