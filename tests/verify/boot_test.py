#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measured boots: logs of three ways to boot, quoted as a TPM would hold them, by both verifiers; each rule of a
policy's `boot`; and forged logs, each refused by the check that is about it.

    boot_test.py SOCLE
"""

import hashlib
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/spec"), str(ROOT / "tests/lib")]
import boots  # noqa: E402
import verify as second  # noqa: E402
from results import Results  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

results = Results("measured boots")
SCHEMAS = {name: json.loads((ROOT / f"docs/{name}.schema.json").read_text()) for name in ("policy", "verdict")}


def sha(data, name="sha256"):
    return hashlib.new(name, data).hexdigest()


def digests(*contents):
    return {f"the {i}th": sha(content) for i, content in enumerate(contents)}


PROGRAMS = {"direct": digests(b"a kernel"), "grub": digests(b"shim", b"grub", b"a kernel"),
            "unified": digests(b"systemd-boot", b"a unified kernel", b"a kernel")}
LINES = {"direct": "console=ttyS0 root=/dev/vda", "grub": "/vmlinuz root=/dev/vda quiet", "unified": "root=/dev/vda ro"}
POLICIES = {
    "direct": {"secure_boot": False, "files": digests(b"an initrd")},
    "grub": {"secure_boot": True, "files": digests(b"a kernel", b"an initrd"),
             "signers": digests(b"a certificate", b"a distribution's certificate"),
             "words": {"1": "set root=hd0", "2": "linux /vmlinuz root=/dev/vda quiet"}},
    "unified": {"secure_boot": False, "files": digests(b"a kernel", b"an initrd", b"ID=debian\n")},
}
for way, policy in POLICIES.items():
    policy.update(programs=PROGRAMS[way], command_lines={"ours": LINES[way]})
MAKERS = {"direct": boots.direct, "grub": boots.grub, "unified": boots.unified}


class Judge:
    def __init__(self, socle, work):
        self.socle, self.work, self.world, self.count = socle, work, boots.World(), 0

    def words(self, log, boot=None, quoted=None, **more):
        """Of the evidence with this log, which may be bytes; what was quoted follows from it unless it is given."""
        self.count += 1
        folder = self.work / str(self.count)
        words = self.world.quoted(folder, quoted or {0x000B: log.quoted()})
        if log:
            (folder / "eventlog.bin").write_bytes(log if isinstance(log, bytes) else log.bytes())
        if boot:
            words = ["--policy", boots.write_policy(f"{folder}.json", boot, **more), *words]
            if jsonschema:
                jsonschema.validate(json.loads(Path(words[1]).read_text()), SCHEMAS["policy"])
            return words
        return ["--trust-emulated", *words]

    def run(self, words):
        run = subprocess.run([self.socle, "verify", "--json", *map(str, words)], capture_output=True, text=True,
                             check=False)
        said = json.loads(run.stdout)
        if jsonschema:
            jsonschema.validate(said, SCHEMAS["verdict"])
        return run.returncode, said, run.stderr

    def expect(self, name, status, failing, words, why=""):
        """By both verifiers. why: what our word about the first that fails has."""
        code, said, errors = self.run(words)
        fails = {c["name"]: c["error"] for c in said["checks"] if c["result"] == "fail"}
        results((code, list(fails)) == (status, failing) and why in "".join(list(fails.values())[:1] or [errors]),
                f"{name}: {why or failing or 'trusted'}", (code, fails, errors))
        try:
            verdict = second.verify(words)
            results((verdict["status"], verdict["failing"]) == (status, failing), f"second verifier, {name}",
                    (verdict["status"], verdict["failing"]))
        except second.Unreadable as error:
            results(status == 1, f"second verifier, {name}", error)
        return said


def changed(policy, **changes):
    policy = {**policy, **changes}
    return {name: value for name, value in policy.items() if value is not None}


def check_ways(judge):
    for way, make in MAKERS.items():
        log, policy = make(), POLICIES[way]
        said = judge.expect(f"{way}, as it should be", 0, [], judge.words(log, policy))
        lines = [e for e in said["boot"]["events"] if e["words"] == f"command line \"ours\": {LINES[way]}"]
        results(len(lines) == 1 and lines[0]["standing"] == "named", f"{way}: the command line is named", said["boot"])
        results(said["boot"]["secure_boot"] == (way == "grub"), f"{way}: secure boot in words", said["boot"])
        said = judge.expect(f"{way}, without a rule", 0, [], judge.words(log))
        standing = {e["standing"] for e in said["boot"]["events"]}
        results(standing == {"proved", "claimed"}, f"{way}: without a policy nothing is named", standing)
        evil = make(LINES[way] + " init=/bin/sh")
        judge.expect(f"{way}, another command line", 7, ["boot-files", "boot-command-line"],
                     judge.words(evil, changed(policy, words=None) if way != "grub" else policy), "in PCR")
        judge.expect(f"{way}, SHA-384 alone quoted", 7,
                     ["boot-programs", "boot-files"],
                     judge.words(log, policy, {0x000C: log.quoted(0x000C)}), "a program that is none")
        both = {bank: log.quoted(bank) for bank in (0x000B, 0x000C)}
        judge.expect(f"{way}, two banks quoted", 0, [], judge.words(log, policy, both))
    judge.expect("no log, and no rule", 0, [], judge.words(None, None, {0x000B: boots.direct().quoted()}))
    judge.expect("no log, and a rule", 1, [], judge.words(None, POLICIES["direct"], {0x000B: boots.direct().quoted()}),
                 "missing: the event log")


def check_rules(judge):
    """Each rule, and what it must not pass over."""
    direct, grub, unified = (make() for make in MAKERS.values())
    good = POLICIES["direct"]
    other = {"another": sha(b"another")}
    for name, log, boot, failing, why in (
            ("secure boot demanded", direct, {"secure_boot": True}, ["secure-boot"], "secure boot is off"),
            ("its absence demanded", grub, {"secure_boot": False}, ["secure-boot"], "secure boot is on"),
            ("another signer", grub, {"secure_boot": True, "signers": digests(b"a certificate")}, ["boot-signers"],
             "none of the policy's"),
            ("another program", direct, {"programs": other}, ["boot-programs"], "a program that is none"),
            ("one program less", grub, {"programs": digests(b"shim", b"grub")}, ["boot-programs"], "a program"),
            ("another initrd", direct, changed(good, files=other), ["boot-files"], "it is none of"),
            ("no words for GRUB's", grub, changed(POLICIES["grub"], words=None), ["boot-files"], "in PCR 8"),
            ("a section less", unified, changed(POLICIES["unified"], files=digests(b"a kernel", b"an initrd")),
             ["boot-files"], "in PCR 11"),
            ("files, and no command line", direct, {"programs": PROGRAMS["direct"], "files": digests(b"an initrd")},
             ["boot-files"], "in PCR 9"),
            ("a command line that is not there", direct,
             {"programs": PROGRAMS["direct"], "files": digests(b"an initrd", boots.wide(LINES["direct"])),
              "command_lines": {"c": "quiet"}},
             ["boot-command-line"], "no command line"),
    ):
        judge.expect(name, 7, failing, judge.words(log, boot), why)
    for name, log, boot in (
            ("SHA-256 in one rule, SHA-384 in another", direct,
             changed(good, files={"i": sha(b"an initrd", "sha384")})),
            ("a command line as a digest", direct,
             {"programs": PROGRAMS["direct"], "files": digests(b"an initrd", boots.wide(LINES["direct"]))}),
    ):
        judge.expect(name, 0, [], judge.words(log, boot, {b: log.quoted(b) for b in (0x000B, 0x000C)}))


def by_firmware(version=b"edk2 by hand", first=b"first phase", second=b"second phase", *later):
    """A boot by OVMF, which measures two volumes; another name of one is other bytes in it."""
    log = boots.direct()
    at = next(i for i, event in enumerate(log.events) if event[:2] == (0, boots.VERSION))
    wide = boots.wide(version.decode())
    log.events[at:at + 2] = [(0, boots.VERSION, wide, wide),
                             *((0, boots.BLOB, volume, bytes(16)) for volume in (first, second)), *later]
    return log


def retyped(log, kind, old=boots.VERSION):
    log.events = [(pcr, kind if (pcr, name) == (0, old) else name, *rest) for pcr, name, *rest in log.events]
    return log


def without_volumes(log):
    log.events = [event for event in log.events if event[:2] != (0, boots.BLOB)]
    return log


def late_firmware():
    """Another second phase, whose separator is called its contents, so that the system can extend the good one."""
    log = retyped(by_firmware(second=b"patched"), boots.CONTENTS, boots.SEPARATOR)
    return appended(log, (0, boots.BLOB, b"second phase", bytes(16)), (0, boots.SEPARATOR, bytes(4)))


def check_firmware(judge):
    """What OVMF measures of itself: its first phase writes into its own volume, and nothing else may be another."""
    listed = digests(boots.wide("edk2 by hand"), b"first phase", b"second phase")
    rule, other = {"firmware": listed}, {"measurements": {"another": "00" * 48}}
    said = judge.expect("the firmware", 0, [], judge.words(by_firmware(), rule))
    named = [e["words"] for e in said["boot"]["events"] if e["standing"] == "named"]
    results(named == [f'firmware "the {i}th"' for i in range(3)], "the firmware is named", named)
    judge.expect("a first phase that wrote into its volume", 0, [],
                 judge.words(by_firmware(first=b"first phase, and what it wrote"), rule))
    later = (0, boots.BLOB, b"a third", bytes(16))
    for name, log, why in (
            ("another version", by_firmware(b"another"), "event 1, in PCR 0: the firmware measured of itself"),
            ("another second phase", by_firmware(second=b"patched"), "did not measure itself to its end"),
            ("both phases others", by_firmware(first=b"patched", second=b"patched"), "event 3, in PCR 0"),
            ("a third volume", by_firmware(b"edk2 by hand", b"first phase", b"second phase", later), "to its end"),
            ("a third volume behind another first", by_firmware(b"edk2 by hand", b"patched", b"second phase", later),
             "event 4"),
            ("a volume by another name",
             by_firmware(b"edk2 by hand", b"first phase", b"second phase", (0, boots.TAG, b"x", b"x")),
             "event 4, in PCR 0: the firmware measured"),
            ("the good second phase, late", late_firmware(), "in PCR 0: a separator under another name"),
            ("a version that is called a volume", retyped(by_firmware(b"another"), boots.BLOB), "event 1, in PCR 0"),
            ("its version, called a volume", retyped(by_firmware(), boots.BLOB), "to its end"),
            ("nothing but its version", without_volumes(by_firmware()), "to its end"),
            ("nothing but its version, called a volume", retyped(without_volumes(by_firmware()), boots.BLOB),
             "to its end")):
        judge.expect(f"firmware: {name}", 7, ["boot-firmware"], judge.words(log, rule), why)
    # Patched firmware can extend what the good one would, and have its log: the launch measurement is another.
    words = judge.words(by_firmware(), rule, **other)
    (Path(f"{words[-1]}.mine") / "measurement.hex").unlink()
    judge.expect("patched firmware with the log of the good one", 4, ["measurement"], words, "not the expected one")
    words = judge.words(by_firmware(), rule, id_key_digests={"a key": "11" * 48})
    (Path(f"{words[-1]}.mine") / "measurement.hex").unlink()
    judge.expect("policy: firmware, and no measurement", 1, [], words,
                 "boot.firmware: it means nothing without measurements")


def check_explained(judge):
    """The digests that --explain shows are of a bank that was quoted."""
    log, rule = by_firmware(), {"firmware": {"v": sha(boots.wide("edk2 by hand"), "sha384"),
                                             "1": sha(b"first phase", "sha384"), "2": sha(b"second phase", "sha384")},
                                "programs": {"k": sha(b"a kernel", "sha384")}}
    words = judge.words(log, rule, {0x000C: log.quoted(0x000C)})
    code, said, errors = judge.run(["--explain", *words])
    found = {c["name"]: c.get("found", "") for c in said["checks"]}
    for name, parts in (("boot-firmware", (b"first phase", b"second phase")), ("boot-programs", (b"a kernel",))):
        results(code == 0 and all(sha(part, "sha384") in found[name] for part in parts) and
                found[name].count(", ") == len(re.findall("event", found[name])) - 1, f"explained: {name}",
                (found, errors))


def appended(log, *events):
    """What the system extends later, and writes into its log."""
    for event in events:
        log.add(*event)
    return log


def check_late(judge):
    """A system that was booted otherwise makes all that it should have been, later, by itself."""
    evil = "console=ttyS0 init=/bin/sh"
    late = (9, boots.TAG, boots.wide(LINES["direct"]), b"LOADED_IMAGE::LoadOptions\0")
    judge.expect("the good command line, late", 7, ["boot-files"],
                 judge.words(appended(boots.direct(evil), late), POLICIES["direct"]), "in PCR 9")
    log = boots.program(boots.firmware(boots.Log()), b"another kernel")
    judge.expect("the good kernel, late", 7, ["boot-programs"],
                 judge.words(boots.program(log, b"a kernel"), {"programs": PROGRAMS["direct"]}), "a program")
    # Types are hashed by nothing: a program that is called an action, or another digest's name.
    log = boots.firmware(boots.Log())
    log.add(4, boots.EFI_ACTION, b"MZ\0 another kernel").add(4, boots.APPLICATION, b"a kernel", b"a path")
    judge.expect("a program that is called an action", 7, ["boot-programs"],
                 judge.words(log, {"programs": PROGRAMS["direct"]}), "a program")
    log = boots.grub()
    log.add(7, boots.EFI_ACTION, boots.variable(boots.DATABASE, "db", boots.signature(b"another certificate")))
    judge.expect("a signer that is called an action", 7, ["boot-signers"],
                 judge.words(log, {"secure_boot": True, "signers": POLICIES["grub"]["signers"]}), "it does not say who")
    # The firmware's separator by another name, and behind it a firmware of one's own.
    log = boots.direct()
    at = next(i for i, event in enumerate(log.events) if event[:2] == (7, boots.SEPARATOR))
    log.events[at] = (7, boots.EFI_ACTION, bytes(4), bytes(4))
    log.add(7, boots.CONFIG, boots.variable(boots.GLOBAL, "SecureBoot", b"\1")).add(7, boots.SEPARATOR, bytes(4))
    judge.expect("secure boot by one's own hand", 7, ["event-log", "event-log-quote", "secure-boot"],
                 judge.words(log, {"secure_boot": True}), "a separator under another name")
    # The variable that says it is off, called a tag.
    log = boots.direct()
    at = next(i for i, event in enumerate(log.events) if event[:2] == (7, boots.CONFIG))
    log.events[at] = (7, boots.TAG, *log.events[at][2:])
    judge.expect("secure boot passed over", 7, ["event-log", "event-log-quote", "secure-boot"],
                 judge.words(log, {"secure_boot": True}), "such an event is never in this PCR")


def renamed(log, name, kind):
    """The same boot, whose log calls its PCR 7 events of that variable otherwise."""
    log.events = [(pcr, kind if pcr == 7 and name in hashed else old, hashed, data)
                  for pcr, old, hashed, data in log.events]
    return log


def check_other_boots(judge):
    """A TPM that holds what another boot measured, and logs about it."""
    evil = boots.direct("console=ttyS0 init=/bin/sh")
    quoted = appended(evil, (12, boots.IPL, boots.wide(LINES["direct"]), b"x")).quoted()
    left_out = evil.bytes([event for event in evil.events if event[0] != 9])
    judge.expect("a PCR that the log leaves out", 7,
                 ["event-log-quote", "boot-programs", "boot-files", "boot-command-line"],
                 judge.words(left_out, changed(POLICIES["direct"], secure_boot=None), {0x000B: quoted}),
                 "PCR 9 the quoted")
    judge.expect("a PCR that quote and log leave out", 7, ["boot-files", "boot-command-line"],
                 judge.words(left_out, POLICIES["direct"], {0x000B: {n: v for n, v in quoted.items() if n != 9}}),
                 "PCR 9, where loaders and kernels measure, was not quoted")
    off = boots.grub()
    off.add(7, boots.AUTHORITY, boots.variable(boots.SHIM, "MokSBState", b"\1"))
    rule = {"secure_boot": True, "signers": POLICIES["grub"]["signers"]}
    judge.expect("shim that verifies no more", 7, ["boot-signers"], judge.words(off, rule), "none of the policy's")
    still = boots.grub()
    still.add(7, boots.AUTHORITY, boots.variable(boots.SHIM, "MokSBState", b"\0"))
    judge.expect("shim that goes on verifying", 0, [], judge.words(still, rule))
    # Set up anew: secure boot on and then off, before the separator.
    twice = boots.grub()
    at = next(i for i, event in enumerate(twice.events) if event[:2] == (7, boots.SEPARATOR))
    twice.events.insert(at, (7, boots.EFI_ACTION, boots.variable(boots.GLOBAL, "SecureBoot", b"\0"),
                             boots.variable(boots.GLOBAL, "SecureBoot", b"\0")))
    judge.expect("secure boot that is turned off under another name", 7, ["secure-boot"],
                 judge.words(twice, {"secure_boot": True}), "or not once")
    driver = boots.variable(boots.DATABASE, "db", boots.signature(b"another certificate"))
    for kind in (boots.AUTHORITY, boots.CONFIG, boots.EFI_ACTION):
        early = boots.grub()
        early.events.insert(at, (7, kind, driver, driver))
        judge.expect(f"a driver's signer, called {kind:#x}", 7, ["boot-signers"], judge.words(early, rule))
    judge.expect("no name but the firmware's own for secure boot", 7, ["secure-boot"],
                 judge.words(renamed(boots.grub(), boots.wide("SecureBoot", False), boots.EFI_ACTION),
                             {"secure_boot": True}),
                 "or not once")
    # What is no separator in a bank that nobody quoted.
    junk = boots.direct()
    at = next(i for i, event in enumerate(junk.events) if event[:2] == (5, boots.SEPARATOR))
    zeros = {0x000B: hashlib.sha256(bytes(4)).digest(), 0x000C: b"junk" * 12}
    junk.events[at] = (5, boots.TAG, zeros, b"x")
    junk.add(5, boots.CONFIG, boots.variable(boots.GLOBAL, "SecureBoot", b"\1")).add(5, boots.SEPARATOR, bytes(4))
    judge.expect("a separator hidden by another bank", 7, BAD, judge.words(junk), "a separator under another name")
    # A system extends the firmware's words where they may stand.
    for pcr, kind in ((1, boots.BOOT), (7, boots.AUTHORITY)):
        late = appended(boots.direct(), (pcr, kind, boots.variable(boots.GLOBAL, "SecureBoot", b"\1")))
        said = judge.expect(f"secure boot by the system, in PCR {pcr}", 0, [], judge.words(late))
        results(not any(e["words"] == "secure boot is on" for e in said["boot"]["events"]),
                f"nothing proves it, in PCR {pcr}", said["boot"])
    # An event that extends nothing may be of any PCR.
    for pcr in (24, 0x7FFFFFFF, 0xFFFFFFFF):
        odd = boots.direct()
        odd.add(pcr, boots.NO_ACTION, b"", b"SP800-155 Event\0")
        judge.expect(f"an event that extends nothing, of PCR {pcr:#x}", 0, [],
                     judge.words(odd.bytes(), POLICIES["direct"], {0x000B: boots.direct().quoted()}))
    words = judge.words(boots.direct(), POLICIES["direct"])
    path = Path(words[-1]) / "quote.sig"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    said = judge.expect("a quote that nobody signed", 6, ["quote-signature"], words)
    results("boot" not in said, "it says nothing of what was booted", said.get("boot"))


BAD = ["event-log", "event-log-quote"]


def forgeries(log):
    """(name, log, whether its form is bad, our word): of the direct boot's log, whose PCRs stay what they were."""
    whole, events = log.bytes(), log.events
    find = lambda pcr, kind, nth=0: [i for i, e in enumerate(events) if e[:2] == (pcr, kind)][nth]  # noqa: E731

    def with_event(at, pcr=None, kind=None, hashed=None, data=None):
        old = events[at]
        new = tuple(o if n is None else n for o, n in zip(old, (pcr, kind, hashed, data)))
        return log.bytes(events[:at] + [new] + events[at + 1:])

    def without(at):
        return log.bytes(events[:at] + events[at + 1:])

    def swapped(a, b):
        moved = list(events)
        moved[a], moved[b] = moved[b], moved[a]
        return log.bytes(moved)

    def overwritten(at, value):
        return whole[:at] + value + whole[at + len(value):]

    boot, db = find(7, boots.CONFIG), find(7, boots.CONFIG, 3)
    line, initrd, kernel = find(9, boots.TAG), find(9, boots.TAG, 1), find(4, boots.APPLICATION)
    on = boots.variable(boots.GLOBAL, "SecureBoot", b"\1")
    for cut in (1, 5, 30, len(whole) - 100):
        yield f"cut by {cut} bytes", whole[:-cut], True, "the file ends within it"
    yield "nothing but a byte", b"\0", True, "the file ends within it"
    yield "a byte too many", whole + b"\0", True, "the file ends within it"
    yield "padding of ones", whole + b"\xff" * 32, True, "one digest for each bank"
    for name, at, value, why in (
            ("another signature", 32, b"spec", "no Spec ID"), ("version 1.2", 52, b"\2\1", "version"),
            ("class 7", 48, b"\7", "class"), ("no bank", 56, bytes(4), "no bank"),
            ("five banks", 56, b"\5", "more than four"), ("one bank", 56, b"\1", "more than they"),
            ("an unknown bank", 60, b"\x12", "not known"), ("a bank twice", 64, b"\x0b\0\x20\0", "twice"),
            ("digests of 16 bytes", 62, b"\x10", "wrong size"), ("a first event in PCR 1", 0, b"\1", "another event"),
            ("a first event of a digest", 8, b"\1", "another event")):
        yield f"form: {name}", overwritten(at, value), True, why
    yield "secure boot said to be on", with_event(boot, data=on), True, "not what its digest is of"
    yield "another variable's name", with_event(db, data=boots.variable(boots.DATABASE, "dx", b"")), True, "not what"
    yield "another version of the firmware", with_event(0, data=b"edk3"), True, "not what its digest is of"
    yield "an action with other words", with_event(find(4, boots.EFI_ACTION), data=b"Returning"), True, "not what"
    yield "the version, elsewhere", with_event(0, pcr=1), True, "never in this PCR"
    yield "a variable in PCR 2", with_event(boot, pcr=2), True, "never in this PCR"
    yield "a boot entry in PCR 3", with_event(find(1, boots.BOOT), pcr=3), True, "never in this PCR"
    yield "a tag in PCR 7", with_event(line, pcr=7), True, "never in this PCR"
    yield "an event in PCR 24", with_event(line, pcr=24), True, "no such PCR"
    yield "an event that extends nothing and has a digest", \
        overwritten(whole.rfind(struct.pack("<II", 9, 6)) + 4, b"\3"), \
        True, "it extends nothing"
    zeros = whole.rfind(struct.pack("<II", 9, 6)) + 14
    yield "a digest of zeros", overwritten(zeros, bytes(32)), True, "a digest of zeros"
    yield "a separator that failed", with_event(find(3, boots.SEPARATOR), hashed=b"\1\0\0\0", data=b"\1\0\0\0"), True, \
        "the firmware failed"
    yield "a long separator", with_event(find(3, boots.SEPARATOR), hashed=bytes(5), data=bytes(5)), True, "another size"
    yield "a separator of three bytes", with_event(find(3, boots.SEPARATOR),
                                                   hashed=bytes(3)), True, "not what its digest"
    yield "an action of a byte less", with_event(find(4, boots.EFI_ACTION), hashed=b"Calling",
                                                 data=b"Calling\0"), True, \
        "not what its digest"
    yield "no separator", without(find(2, boots.SEPARATOR)), True, "PCR 2 has no separator"
    yield "two separators", log.bytes(events + [events[find(6, boots.SEPARATOR)]]), True, "behind the PCR's separator"
    yield "a variable behind the separator", log.bytes(events + [events[boot]]), True, "behind the PCR's separator"
    yield "the firmware again", log.bytes(events + [events[1]]), True, "behind the PCR's separator"
    late = (0, boots.NO_ACTION, b"", b"StartupLocality\0\3")
    yield "a late locality", log.bytes(events + [late]), True, "behind an event of PCR 0"
    yield "a locality that there is not", log.bytes([(*late[:3], b"StartupLocality\0\2"),
                                                     *events]), True, "that there is not"
    yield "another locality", log.bytes([late, *events]), False, "PCR 0 the quoted value"
    yield "a program less", without(kernel), False, "PCR 4 the quoted value"
    yield "a program more", log.bytes(events + [(4, boots.APPLICATION, b"more", b"a path")]), False, "PCR 4 the quoted"
    yield "another program's digest", with_event(kernel, hashed=b"other"), False, "PCR 4 the quoted value"
    yield "a command line less", without(line), False, "PCR 9 the quoted value"
    yield "two variables swapped", swapped(boot, db), False, "PCR 7 the quoted value"
    yield "command line and initrd swapped", swapped(line, initrd), False, "PCR 9 the quoted value"
    yield "an event in another PCR", with_event(initrd, pcr=8), False, "PCR 8 the quoted value"
    yield "another boot's end", log.bytes(events[:-3] + boots.direct("quiet").events[-3:]), False, "PCR 9 the quoted"
    yield "a PCR that was not quoted", log.bytes(events + [(15, boots.IPL, b"x", b"x")]), False, \
        "PCR 15, which the log extends, was not quoted"
    one = boots.Log((0x0004,))
    one.events = events
    yield "SHA-1 alone", one.bytes(), False, "no bank of SHA-256 or better"


def check_forged(judge):
    log = boots.direct()
    quoted = {0x000B: log.quoted()}
    count = 0
    for name, forged, form, why in forgeries(log):
        judge.expect(f"forged: {name}", 7, BAD if form else BAD[1:], judge.words(forged, None, quoted), why)
        count += 1
    results(count >= 40, f"{count} logs were forged")
    judge.expect("a log that is no part of the quote's values", 6, ["quote-pcrs", "event-log-quote"],
                 spoiled_values(judge, log))


def spoiled_values(judge, log):
    words = judge.words(log)
    path = Path(words[-1]) / "quote.pcrs"
    data = bytearray(path.read_bytes())
    data[0x90] ^= 1
    path.write_bytes(data)
    return words


def check_refused_policies(judge):
    for name, boot, why in (
            ("nothing", {}, "boot: nothing is in it"), ("an unknown rule", {"kernel": {}}, "boot.kernel: there is no"),
            ("a word for true", {"secure_boot": "yes"}, "boot.secure_boot: true or false"),
            ("a short digest", {"programs": {"p": "00" * 20}}, "boot.programs.p: 64, 96 or 128"),
            ("a SHA-384 signer", {"secure_boot": True, "signers": {"s": "00" * 48}}, "boot.signers.s: 64 hex"),
            ("signers without secure boot", {"signers": {"s": "00" * 32}}, "boot.signers: nobody asks"),
            ("a command line and no program", {"command_lines": {"c": "quiet"}},
             "boot: files, words and command_lines mean"),
            ("files and no program", {"files": {"f": "00" * 32}}, "boot: files, words and command_lines mean"),
            ("no file", {"files": {}}, "boot.files: it can never hold"),
            ("no command line", {"command_lines": {}}, "boot.command_lines: it can never hold"),
            ("an empty command line", {"command_lines": {"c": ""}}, "boot.command_lines.c: a text of 1 to 4096"),
            ("a command line of two lines", {"command_lines": {"c": "a\nb"}}, "boot.command_lines.c: a text"),
            ("a long name", {"words": {"n" * 128: "x"}}, "a name of 1 to 127"),
            ("257 words", {"words": {str(i): "x" for i in range(257)}}, "more than 256")):
        words = judge.words(boots.direct())
        words = ["--policy", boots.write_policy(f"{words[-1]}.json", boot), *words[1:]]
        code, _, errors = judge.run(words)
        results(code == 1 and why in errors, f"policy: {name}: {why}", errors)
        if " and no program" in name:
            judge.expect(f"policy: {name}, by both verifiers", 1, [], words)
        if jsonschema and "signers without" not in name:
            try:
                jsonschema.validate(json.loads(Path(words[1]).read_text()), SCHEMAS["policy"])
                results(False, f"policy: {name}: its schema")
            except jsonschema.ValidationError:
                pass
    words = judge.words(boots.direct(), POLICIES["direct"], look_at="keys")
    code, _, errors = judge.run(words)
    results(code == 1 and "boot: it can never hold unless look_at is quote" in errors, "policy: boot, and no quote",
            errors)


def main():
    with tempfile.TemporaryDirectory() as work:
        judge = Judge(sys.argv[1], Path(work))
        check_ways(judge)
        check_rules(judge)
        check_firmware(judge)
        check_explained(judge)
        check_late(judge)
        check_other_boots(judge)
        check_forged(judge)
        check_refused_policies(judge)
    if not jsonschema:
        results.skip("the JSON schemas", "python3-jsonschema is not installed")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
