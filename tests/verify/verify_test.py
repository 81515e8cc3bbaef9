#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle verify` on good evidence, on evidence with one thing wrong at a time, and on files that
are none. What is wrong inside the report is signed again by the emulated VCEK, so that only the
check that is named can refuse it. Genuine AMD evidence is used where it is at hand. The second
verifier, ../spec/verify.py, has to come to the same verdict by the same checks every time.

    verify_test.py SOCLE RESIGN PROFILE KEY_DIR [EVIDENCE_DIR]
"""

import base64
import hashlib
import json
import os
import random as randomness
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import evidence
import rules  # evidence knows where it is
from evidence import mine, own
import verify as second
from results import Results  # evidence knows where that is, too

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/verdict.schema.json").read_text())

result = Results("verify")


def socle_verify(socle, *arguments):
    run = subprocess.run([socle, "verify", "--json", *map(str, arguments)], capture_output=True,
                         text=True, check=False)
    check_schema(arguments, run.stdout)
    return run.returncode, run.stdout, run.stderr


def check_schema(arguments, out):
    if not jsonschema:
        return
    try:
        jsonschema.validate(json.loads(out), SCHEMA)
    except (ValueError, jsonschema.ValidationError) as error:
        result(False, f"one object as its schema has it, {arguments}", error)


def is_error(out, err):
    """No verdict: one object that repeats the one line of the standard error."""
    return json.loads(out).get("verdict") == "error" and \
        err == f"socle: {json.loads(out)['error']}\n"


def agree(name, arguments, code, out):
    """The second verifier on what `socle verify` was given."""
    try:
        verdict = second.verify(arguments)
    except second.Unreadable as error:
        result(code == 1, f"second verifier, {name}", error)
        return
    found = json.loads(out)
    failing = [c["name"] for c in found["checks"] if c["result"] == "fail"]
    expected = (code, failing, found.get("binding"), found["bindings"])
    result(tuple(verdict[n] for n in ("status", "failing", "binding", "bindings")) == expected,
           f"second verifier, {name}", f"{verdict}, and not {expected}")


def flip(path, offset, bit=0):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def put(path, fmt, offset, *values):
    data = bytearray(path.read_bytes())
    struct.pack_into(fmt, data, offset, *values)
    path.write_bytes(data)


def edit_json(path, **changes):
    record = json.loads(path.read_text())
    for name, change in changes.items():
        record[name] = change(record[name])
    path.write_text(json.dumps(record))


def other_hex(text):
    return text[:-2] + f"{int(text[-2:], 16) ^ 1:02x}"


def cut_elsewhere(path):
    """The same bytes in the same order, so the same digest: PCR 0's value becomes PCR 1's."""
    data = bytearray(path.read_bytes())
    first, step = 140, 66  # past selection, number of lists, count; u16 size and 64 bytes each
    values = b"".join(data[first + i * step + 2:first + i * step + 34] for i in range(3))
    for i, (start, end) in enumerate(((0, 0), (0, 32), (32, 96))):
        struct.pack_into("<H64s", data, first + i * step, end - start, values[start:end])
    path.write_bytes(data)


OWN = ("nonce.bin", "challenge.json", "measurement.hex", "ark.pem")


def place(directory, name):
    """Where a file of this name is: in the guest's folder, or the relying party's."""
    return (mine(directory) if name in OWN else directory) / name


def swap(directory, name, other):
    shutil.copy(place(directory, other), place(directory, name))


# Name, exit status, the checks that must fail and no other, sign again?, what to do.
CORRUPTIONS = [
    # Signature and chain: one bit of what is signed, of the signature, of a certificate.
    ("a bit of report_data", 2, ["signature", "report-data"], False,
     lambda d: flip(d / "report.bin", 0x50)),
    ("a bit of the measurement", 2, ["signature", "measurement"], False,
     lambda d: flip(d / "report.bin", 0x90)),
    ("a bit of the signature", 2, ["signature"], False, lambda d: flip(d / "report.bin", 0x2A0)),
    ("another signature algorithm", 2, ["signature"], True,
     lambda d: put(d / "report.bin", "<I", 0x34, 2)),
    ("the ASK in the ARK's place", 2, ["chain"], False,
     lambda d: swap(d, "ark.pem", "ask.pem")),
    ("the ARK in the ASK's place", 2, ["chain"], False, lambda d: swap(d, "ask.pem", "ark.pem")),
    ("the ASK in the VCEK's place", 2, None, False, lambda d: swap(d, "vcek.pem", "ask.pem")),
    ("another machine's VCEK", 2, ["chain", "signature", "chip-id"], False,
     lambda d: swap(d, "vcek.pem", "other/vcek.pem")),
    ("another machine's chain", 2, ["signature", "chip-id"], False,
     lambda d: [swap(d, f"{c}.pem", f"other/{c}.pem") for c in ("ark", "ask", "vcek")]),
    # Report content.
    ("an unknown version", 3, ["report-format"], True,
     lambda d: put(d / "report.bin", "<I", 0, 6)),
    ("a version from before SNP's first", 3, ["report-format"], True,
     lambda d: put(d / "report.bin", "<I", 0, 1)),
    ("a reserved byte", 3, ["report-format"], True, lambda d: flip(d / "report.bin", 0x4C)),
    ("the last reserved byte", 3, ["report-format"], True,
     lambda d: flip(d / "report.bin", 0x29F, 7)),
    ("a mitigation vector before version 5", 3, ["report-format"], True,
     lambda d: flip(d / "report.bin", 0x1F8)),
    ("signed by no key", 3, ["signing-key"], True,
     lambda d: put(d / "report.bin", "<I", 0x48, 7 << 2)),
    ("another chip", 3, ["chip-id"], True, lambda d: flip(d / "report.bin", 0x1A0)),
    ("a lower reported TCB", 3, ["tcb"], True,
     lambda d: put(d / "report.bin", "<B", 0x187, 1)),
    ("a higher reported TCB", 3, ["tcb", "tcb-order"], True,
     lambda d: put(d / "report.bin", "<B", 0x187, 255)),
    ("a committed TCB above the current", 3, ["tcb-order"], True,
     lambda d: put(d / "report.bin", "<B", 0x1E7, 255)),
    ("debugging allowed", 3, ["policy"], True,
     lambda d: put(d / "report.bin", "<Q", 8, 0x30000 | 1 << 19)),
    ("a migration agent allowed", 3, ["policy"], True,
     lambda d: put(d / "report.bin", "<Q", 8, 0x30000 | 1 << 18)),
    ("policy bit 17 clear", 3, ["policy"], True,
     lambda d: put(d / "report.bin", "<Q", 8, 0x10000)),
    ("VMPL 1", 3, ["vmpl"], True, lambda d: put(d / "report.bin", "<I", 0x30, 1)),
    ("VMPL 2", 3, ["vmpl"], True, lambda d: put(d / "report.bin", "<I", 0x30, 2)),
    # Measurement.
    ("another image", 4, ["measurement"], True, lambda d: flip(d / "report.bin", 0xBF)),
    ("another expectation", 4, ["measurement"], False,
     lambda d: (mine(d) / "measurement.hex").write_text("00" * 48)),
    # Binding.
    ("a stale nonce", 5, ["report-data", "quote-nonce"], False,
     lambda d: flip(mine(d) / "nonce.bin", 63)),
    ("other report_data", 5, ["report-data"], True, lambda d: flip(d / "report.bin", 0x8F)),
    ("a longer manifest", 5, ["report-data", "manifest", "ek", "challenge-ek"], False,
     lambda d: (d / "manifest.bin").write_bytes((d / "manifest.bin").read_bytes() + b"\0")),
    ("an empty manifest", 5, ["report-data", "manifest", "ek", "challenge-ek"], False,
     lambda d: (d / "manifest.bin").write_bytes(b"")),
    ("another EK", 5, ["ek"], False, lambda d: swap(d, "ek.pub", "second/ek.pub")),
    ("a challenge for another EK", 5, ["challenge-ek", "quote-signer"], False,
     lambda d: edit_json(mine(d) / "challenge.json", ek_name=other_hex)),
    ("a challenge for another AK", 5, ["challenge-ak", "quote-signer"], False,
     lambda d: edit_json(mine(d) / "challenge.json", ak_name=other_hex)),
    ("the AK of another TPM", 5, ["challenge-ak", "quote-signature"], False,
     lambda d: swap(d, "ak.pub", "second/ak.pub")),
    ("another TPM's AK and quote", 5, ["challenge-ak", "quote-signer"], False,
     lambda d: [swap(d, n, f"second/{n}") for n in ("ak.pub", "quote.msg", "quote.sig",
                                                    "quote.pcrs")]),
    ("another answer", 5, ["challenge-answer"], False, lambda d: flip(d / "answer.bin", 0)),
    ("a shorter answer", 5, ["challenge-answer"], False,
     lambda d: (d / "answer.bin").write_bytes((d / "answer.bin").read_bytes()[:-1])),
    ("no answer", 5, ["challenge-answer"], False, lambda d: (d / "answer.bin").write_bytes(b"")),
    # Quote.
    ("a bit of the quote's signature", 6, ["quote-signature"], False,
     lambda d: flip(d / "quote.sig", 20)),
    ("a bit of the quote's clock", 6, ["quote-signature"], False,
     lambda d: flip(d / "quote.msg", 112)),
    ("a quote over another nonce", 6, ["quote-nonce"], False,
     lambda d: [swap(d, f"quote.{e}", f"late.{e}") for e in ("msg", "sig", "pcrs")]),
    ("a quote by another key of the same TPM", 6, ["quote-signature", "quote-signer"], False,
     lambda d: [swap(d, f"quote.{e}", f"foreign.{e}") for e in ("msg", "sig", "pcrs")]),
    ("another PCR value", 6, ["quote-pcrs"], False, lambda d: flip(d / "quote.pcrs", 0x90)),
    ("another PCR selection", 6, ["quote-pcrs", "pcr-values"], False,
     lambda d: flip(d / "quote.pcrs", 7, 6)),
    ("truncated PCR values", 6, ["quote-pcrs", "pcr-values"], False,
     lambda d: (d / "quote.pcrs").write_bytes((d / "quote.pcrs").read_bytes()[:-1])),
    ("PCR values cut elsewhere", 6, ["quote-pcrs", "pcr-values"], False,
     lambda d: cut_elsewhere(d / "quote.pcrs")),
    ("no quote", 6, ["quote-signature", "quote-format", "quote-signer", "quote-nonce",
                     "quote-pcrs"], False, lambda d: (d / "quote.msg").write_bytes(b"")),
]


def check_corruption(socle, resign, keys, good, case, *options):
    name, status, checks, sign, corrupt = case
    with tempfile.TemporaryDirectory() as work:
        work = Path(work) / "evidence"
        evidence.copy(good, work)
        corrupt(work)
        if sign:
            subprocess.run([resign, keys, work / "report.bin"], check=True)
        arguments = ["--trust-emulated", *options, *own(work)]
        code, out, err = socle_verify(socle, *arguments)
        if code != status:
            result(False, name, f"exit status {code}, not {status}: {err}")
            return
        verdict = json.loads(out)
        failing = [c["name"] for c in verdict["checks"] if c["result"] == "fail"]
        first = min(c["class"] for c in verdict["checks"] if c["result"] == "fail")
        ok = first == status and verdict["verdict"] == "refused" and \
            verdict["failed"] == failing[0] and (checks is None or failing == checks) and \
            verdict["bindings"] == [] and "binding" not in verdict
        result(ok, name, f"failing checks are {failing}")
        agree(name, arguments, code, out)


def encrypt_pem(path):
    """Says that it is encrypted, so that a reader would like to ask somebody for a passphrase."""
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{first}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{'00' * 16}\n\n{rest}")


# Files that are none: exit status 1, one line that names the file, nothing on stdout.
UNREADABLE = [
    ("report.bin", lambda p: p.write_bytes(p.read_bytes()[:-1])),
    ("report.bin", lambda p: p.write_bytes(p.read_bytes() + b"\0")),
    ("report.bin", lambda p: p.unlink()),
    ("ark.pem", lambda p: p.write_bytes(b"")),
    ("ask.pem", lambda p: p.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")),
    ("vcek.pem", lambda p: p.write_bytes(os.urandom(1000))),
    ("nonce.bin", lambda p: p.write_bytes(b"\0" * 63)),
    ("ek.pub", lambda p: p.write_text("no key")),
    ("ak.pub", lambda p: p.write_bytes(b"\0" * (1 << 17))),
    ("ak.pub", encrypt_pem),
    ("ak.pub", lambda p: p.write_bytes(b"")),
    ("ak.pub", lambda p: p.write_bytes(evidence.AK_TEMPLATE + bytes(5))),
    ("ak.pub", lambda p: p.write_bytes(struct.pack(">H", 23) + evidence.AK_TEMPLATE)),
    ("ak.pub", lambda p: p.write_bytes(evidence.AK_TEMPLATE[:20] + b"\4\0" + bytes(1026))),
    ("vcek.pem", encrypt_pem),
    ("challenge.json", lambda p: p.write_text("{")),
    ("challenge.json", lambda p: p.write_text('{"ek_name": 1}')),
    ("challenge.json", lambda p: p.write_text("[]")),
    ("measurement.hex", lambda p: p.write_text("00" * 47)),
    ("measurement.hex", lambda p: p.write_text("zz" * 48)),
    ("quote.msg", lambda p: (p.unlink(), p.mkdir())),
]


def check_unreadable(socle, good, name, spoil):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work) / "evidence"
        evidence.copy(good, work)
        spoil(place(work, name))
        code, out, err = socle_verify(socle, "--trust-emulated", *own(work))
        ok = code == 1 and is_error(out, err) and name in err
        result(ok, f"unreadable {name}", f"exit status {code}: {err}")
        agree(f"unreadable {name}", ["--trust-emulated", *own(work)], code, out)


def check_misuse(socle, good):
    for arguments in ([], [good, good], ["--no-such-option", good], ["--measurement", "00", good],
                      ["--pcr", "sha256:24=" + "00" * 32, good], ["--pcr", "md5:1=00", good],
                      ["--pcr", "sha256:+1=" + "00" * 32, good],
                      ["--pcr", "sha256:001=" + "00" * 32, good], ["--pcr", "sha256:1", good],
                      ["--minimum-tcb", "1,2,3", good], ["--minimum-tcb", "0,0,0,0,256", good],
                      ["--minimum-tcb", "0,0,0,0,+1", good], ["--minimum-tcb", "0,0,0,0,0,", good],
                      ["--image", mine(good) / "nonce.bin", good], ["--ek-cert", "x", good],
                      ["--ca", "x", good],
                      ["--ek-cert", "x", "--ca", "x", "--report-only", good],
                      ["--pcr", "sha256:1=" + "00" * 32, "--keys-only", good],
                      ["--pcr", "sha256:1=" + "00" * 32, "--report-only", good]):
        code, out, err = socle_verify(socle, *arguments)
        result(code == 1 and is_error(out, err), f"misuse {arguments}", err)
    # Wherever --json stands, and whatever bytes a name has; without it there is nothing to read.
    for words, wanted in ((["--no-such-option", "--json"], True), (["--json", "--nonsense"], True),
                          ([os.fsencode(good) + b"\xff", "--json"], True), (["--nonsense"], False)):
        run = subprocess.run([socle, "verify", *words], capture_output=True, check=False)
        result(run.returncode == 1 and bool(run.stdout) == wanted and
               (not wanted or json.loads(run.stdout)["verdict"] == "error"), f"misuse {words}",
               run.stdout)


def check_own(socle, good, top):
    """What decides is the relying party's: nothing in the guest's folder can take its place, and what
    is missing is said by its name."""
    guests, mine_alone = top / "own-evidence", top / "own-folder"
    shutil.copytree(good, guests)
    shutil.copytree(mine(good), mine_alone)
    expect(socle, "a folder of one's own", 0, [],
           ["--trust-emulated", "--mine", mine_alone, guests])
    for name in OWN:  # as it is, in the guest's folder
        shutil.copy(mine_alone / name, guests)
    for name, words in (("nonce.bin", "--nonce"), ("measurement.hex", "--image")):
        options = [] if name == "measurement.hex" else ["--measurement", "00" * 48]
        expect(socle, f"the guest's {name}", 1, None, ["--trust-emulated", *options, guests], name)
        expect(socle, f"the option for {name}", 1, None, ["--trust-emulated", *options, guests], words)
        (mine_alone / name).rename(top / name)
        expect(socle, f"no {name} of one's own", 1, None,
               ["--trust-emulated", "--mine", mine_alone, guests], name)
        (top / name).rename(mine_alone / name)
    for name, status, failing in (("ark.pem", 2, ["root"]), ("challenge.json", 5, [
            "attested-ak", "quote-signature", "quote-signer"])):
        (mine_alone / name).rename(top / name)
        expect(socle, f"the guest's {name}", status, failing,
               ["--trust-emulated", "--mine", mine_alone, guests])
        expect(socle, f"{name} by its option", 0, [],
               ["--trust-emulated", "--mine", mine_alone,
                "--ark" if name == "ark.pem" else "--challenge", top / name, guests])
        (top / name).rename(mine_alone / name)
    expect(socle, "each by its option", 0, [], [
        "--trust-emulated", "--nonce", mine_alone / "nonce.bin", "--ark", mine_alone / "ark.pem",
        "--challenge", mine_alone / "challenge.json", "--measurement",
        (mine_alone / "measurement.hex").read_text().strip(), guests])
    # What a guest puts beside its evidence is not looked at.
    for name in OWN:
        (guests / name).write_bytes(b"the guest's")
    expect(socle, "with files of the guest's", 0, [],
           ["--trust-emulated", "--mine", mine_alone, guests])
    # The guest's folder is never the relying party's, under whatever name.
    shutil.copytree(mine_alone, guests / "mine")
    (top / "link").symlink_to(guests / "mine")
    for folder in (guests, guests / "mine", top / "link", guests / "mine/.."):
        expect(socle, f"the guest's {folder.name} as one's own", 1, None,
               ["--trust-emulated", "--mine", folder, guests], "the guest's")
    shutil.copytree(guests, mine_alone / "evidence")
    expect(socle, "evidence below one's own folder", 0, [],
           ["--trust-emulated", "--mine", mine_alone, mine_alone / "evidence"])
    expect(socle, "no folder of one's own", 1, None,
           ["--trust-emulated", "--mine", top / "nowhere", guests], "nowhere")


def check_unwritable(socle, good):
    """Nobody gets the verdict: that is not trust."""
    for form in ([], ["--json"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            run = subprocess.run([socle, "verify", "--trust-emulated", *form,
                                  *map(str, own(good))],
                                 stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        result(run.returncode == 1 and "cannot write" in run.stderr, f"unwritable {form}",
               f"exit status {run.returncode}: {run.stderr}")


def check_policy(socle, good):
    pcr16 = "5a" * 32
    value = hashlib.sha256(bytes(32) + bytes.fromhex(pcr16)).hexdigest()
    for name, arguments, status, failing in (
            ("trusted", ["--trust-emulated"], 0, []),
            ("real roots only", [], 2, ["root"]),
            ("a demanded PCR value", ["--trust-emulated", "--pcr", f"sha256:16={value}"], 0, []),
            ("another PCR value demanded", ["--trust-emulated", "--pcr", f"sha256:16={pcr16}"],
             6, ["pcr-values"]),
            ("a PCR demanded that was not quoted",
             ["--trust-emulated", "--pcr", f"sha384:16={'00' * 48}"], 6, ["pcr-values"]),
            ("a TCB floor", ["--trust-emulated", "--minimum-tcb", "0,0,0,0,255"], 3,
             ["tcb-minimum"]),
            ("another measurement demanded", ["--trust-emulated", "--measurement", "11" * 48], 4,
             ["measurement"])):
        arguments = [*arguments, *own(good)]
        code, out, err = socle_verify(socle, *arguments)
        found = [c["name"] for c in json.loads(out)["checks"] if c["result"] == "fail"] \
            if code != 1 else err
        result(code == status and found == failing, name, f"exit status {code}, {found}")
        agree(name, arguments, code, out)


def report_again(d):
    """REPORT_DATA of what is in the directory now."""
    nonce, context, manifest = (place(d, f"{n}.bin").read_bytes()
                                for n in ("nonce", "context", "manifest"))
    data = bytearray((d / "report.bin").read_bytes())
    data[0x50:0x90] = rules.report_data(nonce, context, manifest)
    (d / "report.bin").write_bytes(data)


def bind(d, selector=None, version=None, manifest=None):
    """Another selector or manifest, with the context and REPORT_DATA that follow."""
    if selector is not None:
        (d / "selector.bin").write_bytes(selector)
    if manifest is not None:
        (d / "manifest.bin").write_bytes(manifest)
    if version is None:
        version = rules.manifest_version((d / "manifest.bin").read_bytes())
    (d / "context.bin").write_bytes(
        rules.make_context(rules.VTPM, version, (d / "selector.bin").read_bytes()))
    report_again(d)


def template_selector(**changes):
    template = bytearray(evidence.AK_TEMPLATE)
    for offset, value in changes.get("at", {}).items():
        template[offset] = value
    return struct.pack("<Q", 1) + template


def key_selector(number):
    return struct.pack("<QI", 2, number)


def public_of(d):
    return (d / "ak.tpmt").read_bytes()


# What fails when the manifest has no key that may be trusted.
NO_KEY = ["manifest", "attested-ak", "quote-signature", "quote-signer"]

# An attested AK by its template: the same columns.
ATTESTED_CORRUPTIONS = [
    ("attested: a stale nonce", 5, ["report-data", "quote-nonce"], False,
     lambda d: flip(mine(d) / "nonce.bin", 0)),
    ("attested: a bit of the context", 5, ["context"], False,
     lambda d: flip(d / "context.bin", 30)),
    ("attested: no context", 5, ["context"], False, lambda d: (d / "context.bin").unlink()),
    ("attested: another manifest version in the context", 5, ["context", "report-data"], True,
     lambda d: bind(d, version=1)),
    ("attested: no selector", 5, ["context", "report-data", "manifest"], False,
     lambda d: (d / "selector.bin").unlink()),
    ("attested: the selector bound as none", 5, ["context", "report-data"], True,
     lambda d: [(d / "context.bin").write_bytes(b""), report_again(d)]),
    ("attested: another template than the key's", 5, ["manifest"], True,
     lambda d: bind(d, template_selector(at={7: 0xF2}))),
    ("attested: a template with another curve", 5, ["manifest"], True,
     lambda d: bind(d, template_selector(at={17: 4}))),
    ("attested: a refused template", 5, ["context", *NO_KEY], True,
     lambda d: bind(d, template_selector(at={5: 4}), manifest=turn(public_of(d), 5, 4))),
    ("attested: a template that the guest could know", 5, ["context", *NO_KEY], True,
     lambda d: bind(d, template_selector(at={7: 0x52}), manifest=turn(public_of(d), 7, 0x52))),
    ("attested: another kind of selector", 5, ["context", "manifest"], True,
     lambda d: bind(d, struct.pack("<QI", 4, 1))),
    ("attested: an EK by its id", 5, ["manifest"], True, lambda d: bind(d, key_selector(2))),
    ("attested: another AK by its id", 5, ["manifest"], True,
     lambda d: bind(d, key_selector(0x83))),
    ("attested: an unknown id", 5, ["manifest"], True, lambda d: bind(d, key_selector(0x99))),
    ("attested: two keys where one was selected", 5, ["manifest"], True,
     lambda d: bind(d, manifest=rules.make_manifest(1, 2 * [public_of(d)]))),
    ("attested: a template as the key", 5, NO_KEY, True,
     lambda d: bind(d, manifest=evidence.AK_TEMPLATE)),
    ("attested: a manifest of version 2", 5, NO_KEY, True,
     lambda d: bind(d, manifest=struct.pack(">II", 2, 1))),
    ("attested: a manifest without keys", 5, NO_KEY, True,
     lambda d: bind(d, manifest=struct.pack(">II", 1, 0))),
    ("attested: a manifest with a count of its own", 5, NO_KEY, True,
     lambda d: bind(d, manifest=struct.pack(">II", 1, 1 << 31))),
    ("attested: a byte after the last key", 5, NO_KEY, True,
     lambda d: bind(d, manifest=rules.make_manifest(1, [public_of(d)]) + b"\0")),
    ("attested: another TPM's AK", 6, ["quote-signature", "quote-signer"], True,
     lambda d: bind(d, manifest=(d / "stranger.tpmt").read_bytes())),
    ("attested: another AK in the directory", 5, ["attested-ak"], False,
     lambda d: swap(d, "ak.pub", "stranger.pub")),
    ("attested: another public area in the directory", 5, ["attested-ak"], False,
     lambda d: swap(d, "ak.pub", "stranger.tpmt")),
    ("attested: a bit of the quote's signature", 6, ["quote-signature"], False,
     lambda d: flip(d / "quote.sig", 20)),
    ("attested: no signature", 6, ["quote-signature"], False,
     lambda d: (d / "quote.sig").write_bytes(b"")),
    ("attested: another hash in the signature", 6, ["quote-signature"], False,
     lambda d: (d / "quote.sig").write_bytes(turn(tagged(d), 3, 0x0C))),
    ("attested: another scheme in the signature", 6, ["quote-signature"], False,
     lambda d: (d / "quote.sig").write_bytes(turn(tagged(d), 1, 0x14))),
    ("attested: another PCR value", 6, ["quote-pcrs"], False,
     lambda d: flip(d / "quote.pcrs", 0x90)),
]

# What must be trusted still.
ATTESTED_VARIANTS = [
    ("as it was gathered", lambda d: None),
    ("without PCR values", lambda d: (d / "quote.pcrs").unlink()),
    ("with the AK once more", lambda d: swap(d, "ak.pub", "mine.pub")),
    ("with the AK's public area", lambda d: swap(d, "ak.pub", "ak.tpmt")),
    ("with a TPMT_SIGNATURE", lambda d: (d / "quote.sig").write_bytes(tagged(d))),
    ("by its id", lambda d: bind(d, key_selector(0x82))),
    ("by an NV index", lambda d: bind(d, struct.pack("<QI", 3, 0x01C10003))),
    ("as a list of one", lambda d: bind(d, manifest=rules.make_manifest(1, [public_of(d)]))),
]


def turn(data, offset, value):
    data = bytearray(data)
    data[offset] = value
    return bytes(data)


def tagged(d):
    """The directory's DER signature as a TPMT_SIGNATURE."""
    pair = second.utils.decode_dss_signature((d / "quote.sig").read_bytes())
    return struct.pack(">HH", 0x18, 0x0B) + b"".join(
        struct.pack(">H", 32) + number.to_bytes(32, "big") for number in pair)


def check_trusted(socle, name, bindings, arguments):
    code, out, err = socle_verify(socle, "--trust-emulated", *arguments)
    verdict = json.loads(out) if out else {}
    failing = [c["name"] for c in verdict.get("checks", []) if c["result"] == "fail"]
    result(code == 0 and verdict["bindings"] == bindings and verdict["binding"] == bindings[0],
           name, f"exit status {code}, {failing}, {verdict.get('bindings')}: {err}")
    agree(name, ["--trust-emulated", *arguments], code, out)


def check_attested(socle, resign, keys, ak):
    for name, change in ATTESTED_VARIANTS:
        with tempfile.TemporaryDirectory() as work:
            work = Path(work) / "ak"
            evidence.copy(ak, work)
            change(work)
            subprocess.run([resign, keys, work / "report.bin"], check=True)
            check_trusted(socle, f"attested AK, {name}", ["attested-ak"], own(work))
    for case in ATTESTED_CORRUPTIONS:
        check_corruption(socle, resign, keys, ak, case)
    check_corruption(socle, resign, keys, ak,
                     ("attested: a PCR without values", 6, ["pcr-values"], False,
                      lambda d: (d / "quote.pcrs").unlink()), "--pcr", "sha256:0=" + "00" * 32)
    with tempfile.TemporaryDirectory() as certs:
        for name in ("ask.pem", "vcek.pem"):
            shutil.copy(ak / name, certs)
        bare = Path(certs) / "bare"
        evidence.copy(ak, bare, ignore=shutil.ignore_patterns("*.pem"))
        check_trusted(socle, "certificates of another folder", ["attested-ak"],
                      ["--certs", certs, *own(bare)])
        code, _, err = socle_verify(socle, "--trust-emulated", *own(bare))
        result(code == 1 and "ask.pem" in err, "no certificates", err)
        for name in ("quote.msg", "quote.sig", "quote.pcrs"):
            (bare / name).unlink()
        check_trusted(socle, "keys alone", ["manifest"], ["--keys-only", "--certs", certs,
                                                                 *own(bare)])
        code, _, err = socle_verify(socle, "--trust-emulated", "--certs", certs, *own(bare))
        result(code == 1 and "quote.msg" in err, "no quote", err)


# In the order of the text, not as UEFI stores GUIDs: genuine tables have them so (check_genuine).
TABLE_GUIDS = {name: uuid.UUID(text).bytes for name, text in (
    ("vcek", "63da758d-e664-4564-adc5-f4b93be8accd"),
    ("ask", "4ab7b379-bbac-4fe4-a02f-05aef327c782"),
    ("ark", "c0b406a4-a803-4952-9743-3fb6014cd0ae"),
    ("vlek", "a8074bc2-a25a-483e-aae6-39c045a0b8a1"))}


def make_table(certificates, names=("vcek", "ask", "ark"), at=None):
    """A host's table of DER certificates by name; at: entry -> its (offset, length) instead."""
    head, entries, blobs = 24 * (len(names) + 1), b"", b""
    for i, name in enumerate(names):
        place = (at or {}).get(i, (head + len(blobs), len(certificates[name])))
        entries += TABLE_GUIDS[name] + struct.pack("<II", *place)
        blobs += certificates[name]
    return entries + bytes(24) + blobs


def bad_tables(der):
    """Tables that are none: a name, and words of the error."""
    good = make_table(der)
    four = {**der, "vlek": b"of no use"}
    names = ("vcek", "ask", "ark", "vlek")
    vcek, end = (96, len(der["vcek"])), len(make_table(four, names))
    return [("nothing", b"", "ask.pem"), ("half an entry", good[:12], "no end"),
            ("one entry", good[:24], "no end"), ("no end", good[:72], "no end"),
            ("17 entries", make_table({"vlek": b"?"}, 17 * ("vlek",)), "too long"),
            ("cut by a byte", good[:-1], "no bytes of its own"),
            ("an offset past the end", make_table(der, at={0: (len(good), 1)}),
             "no bytes of its own"),
            ("a length past the end", make_table(four, names, {3: (end - 9, 10)}),
             "no bytes of its own"),
            ("an offset that wraps", make_table(der, at={0: (0xFFFFFFF0, 0x20)}),
             "no bytes of its own"),
            ("a length that wraps", make_table(der, at={0: (96, 0xFFFFFFFF)}),
             "no bytes of its own"),
            ("no bytes", make_table(der, at={0: (96, 0)}), "no bytes of its own"),
            ("the entries as a certificate", make_table(der, at={0: (0, 96)}),
             "no bytes of its own"),
            ("the end as a certificate", make_table(der, at={0: (95, 10)}), "no bytes of its own"),
            ("one certificate for two", make_table(der, at={1: vcek}), "overlap"),
            ("an overlap by a byte", make_table(der, at={0: (96, vcek[1] + 1)}), "overlap"),
            ("an entry of no use over another", make_table(four, names, {3: (120, vcek[1])}), "overlap"),
            ("a certificate twice", make_table(der, ("vcek", "ask", "ark", "ark")), "twice"),
            ("a certificate cut short", make_table(der, at={0: (96, vcek[1] - 1)}),
             "cannot be read"),
            ("a certificate of zeros", make_table({**der, "ask": bytes(1000)}), "cannot be read")]


def forge_chain(work, resign, top):
    """A chain of the guest's own, which calls itself emulated, and a report by it that is right in
    every other way."""
    put(work / "report.bin", "64x", 0x1A0)  # of the chain's own chip and TCB
    put(work / "report.bin", "8x", 0x180)
    subprocess.run([resign, top / "guest-keys", work / "report.bin", work], check=True)
    shutil.move(work / "ark.pem", mine(work))
    return read_der(work)


def read_der(folder):
    return {name: second.read_certificates(place(folder, f"{name}.pem"))[0].public_bytes(
        second.serialization.Encoding.DER) for name in ("ark", "ask", "vcek")}


def expect(socle, name, status, failing, arguments, words=""):
    """Which checks fail, and at status 1 what the one line of the error says."""
    code, out, err = socle_verify(socle, *arguments)
    found = None if code == 1 else \
        [c["name"] for c in json.loads(out)["checks"] if c["result"] == "fail"]
    result(code == status and found == failing and words in err and
           (status != 1 or is_error(out, err)), name, f"exit status {code}, {found}: {err}")
    agree(name, arguments, code, out)


def expect_verdict(socle, name, trusted, arguments):
    """Trusted or not, and by the second verifier for the same reasons."""
    code, out, err = socle_verify(socle, *arguments)
    result((code == 0) == trusted, name, f"exit status {code}, not trusted: {trusted} {err}")
    agree(name, arguments, code, out)


def check_table(socle, resign, ak, top):
    """A folder as `socle-guest attest` and `quote` leave it: the certificates are in certs.bin."""
    work, root = top / "guest-folder", top / "root.pem"
    evidence.copy(ak, work)
    der = read_der(work)
    pem = {name: place(work, f"{name}.pem").read_bytes() for name in der}
    shutil.move(mine(work) / "ark.pem", root)
    for name in ("ask.pem", "vcek.pem"):
        (work / name).unlink()
    table = work / "certs.bin"
    trust = ["--trust-emulated", "--ark", root]
    table.write_bytes(make_table(der))
    check_trusted(socle, "certs.bin", ["attested-ak"], ["--ark", root, *own(work)])
    expect(socle, "certs.bin, real roots only", 2, ["root"], own(work))
    expect(socle, "certs.bin, the guest's emulated root", 2, ["root"], ["--trust-emulated", *own(work)])
    for name, data in (("in another order", make_table(der, ("ark", "vcek", "ask"))),
                       ("without the ARK", make_table(der, ("ask", "vcek"))),
                       ("with an entry of no use",
                        make_table({**der, "vlek": b"?"}, ("vlek", "ask", "vcek"))),
                       ("of PEM", make_table(pem)),
                       ("of PEM and DER", make_table({**der, "ask": pem["ask"]})),
                       ("of a whole page", make_table(der).ljust(8192, b"\0"))):
        table.write_bytes(data)
        check_trusted(socle, f"certs.bin {name}", ["attested-ak"], ["--ark", root, *own(work)])
    for name, data, words in bad_tables(der):
        table.write_bytes(data)
        expect(socle, f"certs.bin: {name}", 1, None, [*trust, *own(work)], words)
    for names, missing in ((("vcek", "ark"), "ask.pem"), (("ask", "ark"), "vcek.pem"),
                           ((), "ask.pem")):
        table.write_bytes(make_table(der, names))
        expect(socle, f"certs.bin without {missing}", 1, None, [*trust, *own(work)], missing)
    # Certificates in each other's place, and those of somebody else.
    for name, failing, data in (
            ("the ASK as VCEK", ["chain", "vcek", "signature", "product", "chip-id", "tcb"],
             make_table({**der, "vcek": der["ask"]})),
            ("the VCEK as ASK", ["root", "chain"], make_table({**der, "ask": der["vcek"]}))):
        table.write_bytes(data)
        expect(socle, f"certs.bin with {name}", 2, failing, [*trust, *own(work)])
    # A PEM file wins, and with all of them nobody looks at the table.
    table.write_bytes(make_table({**der, "vcek": der["ask"]}))
    shutil.copy(ak / "vcek.pem", work)
    check_trusted(socle, "vcek.pem before certs.bin", ["attested-ak"], ["--ark", root, *own(work)])
    shutil.copy(ak / "ask.pem", work)
    table.write_bytes(b"none")
    check_trusted(socle, "PEM files before certs.bin", ["attested-ak"], ["--ark", root, *own(work)])
    (work / "vcek.pem").write_bytes(b"none")
    expect(socle, "a bad vcek.pem before certs.bin", 1, None, [*trust, *own(work)], "vcek.pem")
    (work / "vcek.pem").unlink()
    # --certs names another folder for both.
    certs = top / "certs-folder"
    certs.mkdir()
    (certs / "certs.bin").write_bytes(make_table(der))
    check_trusted(socle, "certs.bin of another folder", ["attested-ak"],
                  ["--certs", certs, "--ark", root, *own(work)])
    table.write_bytes(make_table(der))
    (certs / "certs.bin").unlink()
    expect(socle, "no certs.bin in the other folder", 1, None, [*trust, "--certs", certs, *own(work)],
           "ask.pem")
    # What the guest signs with a chain of its own.
    forged = forge_chain(work, resign, top)
    for name in ("ark.pem", "ask.pem", "vcek.pem"):
        place(work, name).unlink()
    table.write_bytes(make_table(forged))
    expect(socle, "a forged chain in certs.bin", 2, ["root"], ["--trust-emulated", *own(work)])
    expect(socle, "a forged chain below the true root", 2, ["chain"], [*trust, *own(work)])


def message_of(report, certificates=None, fields=None):
    """A report as go-sev-guest's protocol buffers have it; fields: number -> another value, or None."""
    def varint(value):
        data = b""
        while value > 0x7F:
            data, value = data + bytes([value & 0x7F | 0x80]), value >> 7
        return data + bytes([value])

    def field(number, value):
        if isinstance(value, int):
            return varint(number << 3) + varint(value)
        return varint(number << 3 | 2) + varint(len(value)) + value

    found = {number: report[at:at + size] if size > 8 else
             int.from_bytes(report[at:at + size], "little")
             for number, (at, size) in second.MESSAGE.items()}
    family, model, stepping = report[0x188:0x18B]
    found[29] = (max(family, 15) - 15) << 20 | model >> 4 << 16 | min(family, 15) << 8 | \
        (model & 15) << 4 | stepping
    found.update(fields or {})
    body = b"".join(field(n, v) for n, v in found.items() if v is not None and v != 0)
    if certificates is None:
        return body
    chain = b"".join(field(number, certificates[name]) for number, name in (
        (1, "vcek"), (2, "ask"), (3, "ark"), (6, "vlek")) if name in certificates)
    return field(1, body) + field(2, chain) + field(3, field(1, 1))


def check_messages(socle, work, report, der, trust):
    """Protocol buffers: `make check-peers` has go-sev-guest write them."""
    good = message_of(report, der)
    for name, data in (("an attestation", good), ("an attestation of DER alone", message_of(report, {})),
                       ("a report alone", message_of(report)),
                       ("in base64", base64.b64encode(good)),
                       ("with a field that is not known", good + b"\xa2\x06\x02hi" + b"\xa1\x06" +
                        bytes(8) + b"\xa5\x06" + bytes(4))):
        (work / "report.bin").write_bytes(data)
        expect(socle, f"a message: {name}", 0, [], trust)
    (work / "report.bin").write_bytes(message_of(report, der, {12: bytes(48)}))
    expect(socle, "a message: another measurement", 2, ["signature", "measurement"], trust)
    for name, data in (("cut", good[:-1]), ("a byte more", good + b"\0"), ("twice", good + good),
                       ("a short measurement", message_of(report, der, {12: bytes(47)})),
                       ("a measurement that is a number", message_of(report, der, {12: 7})),
                       ("a version that is text", message_of(report, der, {1: b"3"})),
                       ("a build above 255", message_of(report, der, {21: 256})),
                       ("a VMPL above 32 bits", message_of(report, der, {6: 1 << 32})),
                       ("an impossible CPUID", message_of(report, der, {29: 1 << 28})),
                       ("a length past the end", b"\x0a\xff\xff\x03" + good[3:]),
                       ("a number of 11 bytes", b"\x08" + b"\xff" * 10 + b"\1" + message_of(report)),
                       ("a group", message_of(report) + b"\xa3\x06"),
                       ("a VCEK that is a number", b"\x0a\x02\x08\x03\x12\x02\x08\x01")):
        (work / "report.bin").write_bytes(data)
        expect(socle, f"a message: {name}", 1, None, trust, "report.bin")


def check_forms(socle, ak, top):
    """A report in the forms in which others write it: by base64, xxd and dd, and as the kernel names its
    files. What is none is refused, and no form changes the verdict."""
    work = top / "forms"
    evidence.copy(ak, work)
    report, der = (work / "report.bin").read_bytes(), read_der(work)
    table = report + make_table(der)
    trust = ["--trust-emulated", *own(work)]

    def tool(*words, data):
        return subprocess.run(words, input=data, capture_output=True, check=True).stdout

    hcl = b"HCLA" + struct.pack("<IIII", 2, 2600, 2, 0) + bytes(12) + report + bytes(1384)
    forms = {"base64": tool("base64", data=report), "base64 in one line": tool("base64", "-w0", data=report),
             "hexadecimal digits": tool("xxd", "-p", data=report),
             "upper hexadecimal digits": tool("xxd", "-p", "-u", "-c", "33", data=report),
             "with a line's end of another system": tool("base64", data=report).replace(b"\n", b"\r\n"),
             "a table behind it": table, "a table behind it, in base64": tool("base64", data=table),
             "Azure's blob": hcl, "Azure's blob in hexadecimal digits": tool("xxd", "-p", data=hcl),
             "Azure's blob in base64url": tool("basenc", "--base64url", data=hcl),
             "Azure's blob in base64url without padding": tool("basenc", "--base64url", "-w0", data=hcl).rstrip(b"=")}
    for name, data in forms.items():
        (work / "report.bin").write_bytes(data)
        expect(socle, f"a report as {name}", 0, [], trust)
        spoiled = bytearray(data)
        spoiled[32 + 0x90 if data is hcl else 0x90 if data is table else -1] ^= 0x80
        (work / "report.bin").write_bytes(spoiled)
        code, _, err = socle_verify(socle, *trust)
        result(code != 0, f"a report as {name}, spoiled", err)
    for name, data in (("half of base64", forms["base64 in one line"][:-3]),
                       ("base64 with bits left over", tool("base64", "-w0", data=report + b"\0")[:-3] + b"B=="),
                       ("base64 without padding", tool("base64", "-w0", data=report).rstrip(b"=")),
                       ("base64url with bits left over",
                        forms["Azure's blob in base64url without padding"][:-1] + b"_"),
                       ("two alphabets",
                        forms["Azure's blob in base64url"].replace(b"-", b"+", 1).replace(b"_", b"/", 1)),
                       ("a digit less", forms["hexadecimal digits"].strip()[:-1]),
                       ("half of Azure's blob", hcl[:1200]), ("a letter", b"x"), ("nothing", b""),
                       ("too much", report + bytes(1 << 17)),
                       ("half a table behind it", table[:1184 + 50])):
        (work / "report.bin").write_bytes(data)
        expect(socle, f"a report of {name}", 1, None, trust)
    check_messages(socle, work, report, der, trust)
    # From standard input; and only then.
    (work / "report.bin").write_bytes(b"none")
    for name, data, status in (("raw", report, 0), ("base64", forms["base64"], 0), ("nothing", b"", 1),
                               ("too much", bytes(1 << 18), 1)):
        run = subprocess.run([str(w) for w in (socle, "verify", "--report", "-", *trust)], input=data,
                             capture_output=True, check=False)
        result(run.returncode == status, f"standard input, {name}", run.stderr)
    # The names that configfs has.
    for name, kernels, data in (("report.bin", "outblob", report), ("certs.bin", "auxblob", make_table(der)),
                                ("manifest.bin", "manifestblob", (work / "manifest.bin").read_bytes())):
        (work / name).unlink(missing_ok=True)
        (work / kernels).write_bytes(data)
    for name in ("ask.pem", "vcek.pem"):
        (work / name).unlink()
    expect(socle, "the kernel's names", 0, [], trust)
    (work / "auxblob").write_bytes(b"")
    expect(socle, "the kernel's names, no certificates", 1, None, trust, "ask.pem")
    for name in ("ask.pem", "vcek.pem"):
        shutil.copy(ak / name, work)
    expect(socle, "the kernel's names, certificates beside them", 0, [], trust)
    # A name that is too long is nobody's, and not that of the file whose name it starts with.
    (work / "outblob").rename(work / "report")
    long = f"{work}{'/' * (4095 - len('/report') - len(str(work)))}"
    expect(socle, "a path that is cut to that of another file", 1, None, [*trust[:-1], long], "socle: ")


def check_list(socle, resign, keys, good, listed):
    """Manifest version 1 in call 1: every key of the profile, with and without a challenge."""
    check_trusted(socle, "a list, attested AK", ["attested-ak"], own(listed))
    manifest = (listed / "manifest.bin").read_bytes()
    only_ak = rules.make_manifest(1, [k.data for k in rules.read_manifest(manifest) if k.signing])
    only_ek = rules.make_manifest(1, [k.data for k in rules.read_manifest(manifest)
                                      if not k.signing])
    with tempfile.TemporaryDirectory() as work:
        work = Path(work) / "challenged"
        evidence.copy(good, work)
        for name in ("selector.bin", "context.bin"):
            (work / name).write_bytes(b"")
        bind(work, manifest=manifest)
        subprocess.run([resign, keys, work / "report.bin"], check=True)
        check_trusted(socle, "a list, challenge", ["challenge"], own(work))
        check_corruption(socle, resign, keys, work,
                         ("a list without the EK", 5, ["ek", "challenge-ek"], True,
                          lambda d: bind(d, manifest=only_ak)))
    check_corruption(socle, resign, keys, listed,
                     ("a list without an AK", 5, ["attested-ak", "quote-signature",
                                                  "quote-signer"], True,
                      lambda d: bind(d, manifest=only_ek)))
    check_corruption(socle, resign, keys, listed,
                     ("a list with a key that the guest knows", 5, None, True,
                      lambda d: bind(d, manifest=turn(manifest, 8 + 2 + 7, 0x92))))


def some_prime(random, bits, start=None):
    n = start or random.getrandbits(bits) | 3 << bits - 2 | 1
    while any(n % p == 0 for p in second.SMALL_PRIMES) or not second.is_prime(n):
        n += 2
    return n


def roca_prime(random):
    """As CVE-2017-15361 has them: k M + (65537^a mod M), M the product of the first 126 primes."""
    product = 2 * second.math.prod(p for p in second.SMALL_PRIMES if p <= 701)
    while True:
        k = random.getrandbits(1024 - product.bit_length()) | 1 << 1023 - product.bit_length()
        n = k * product + pow(65537, random.getrandbits(200), product)
        if n >> 1022 == 3 and second.is_prime(n):
            return n


def weak_moduli():
    random = randomness.Random(14)
    p = some_prime(random, 1024)
    close = some_prime(random, 1024, p + 2)
    return {"even": p * some_prime(random, 1024) - 1, "a small factor": 3 * ((1 << 2047) // 3 + 2 | 1),
            "a prime": some_prime(random, 2048), "a square": p * p, "close primes": p * close,
            "ROCA": roca_prime(random) * roca_prime(random), "2047 bits": (p >> 1) * p | 1}


def check_numbers(socle, resign, keys, listed):
    """Keys by the rules that nobody should trust for their numbers, where no quote looks at them: the
    keys alone. The first key is an RSA 2048, and there is one of P-256."""
    publics = [k.data for k in rules.read_manifest((listed / "manifest.bin").read_bytes())]
    point = next(i for i, k in enumerate(publics) if k[:2] == b"\0\x23")
    lists = {f"a modulus, {name}": [publics[0][:-256] + n.to_bytes(256, "big"), *publics[1:]]
             for name, n in weak_moduli().items()}
    lists["a point off its curve"] = [*publics[:point], turn(
        publics[point], len(publics[point]) - 1, publics[point][-1] ^ 1), *publics[point + 1:]]
    lists["a key twice"] = [*publics, publics[0]]
    for name, keys_of in lists.items():
        check_corruption(socle, resign, keys, listed, (
            f"keys alone: {name}", 5, ["manifest"], True,
            lambda d, k=keys_of: bind(d, manifest=rules.make_manifest(1, k))), "--keys-only")


def make_challenged(tpm, top, resign, keys):
    """Challenges for endorsement keys of both ranges, by tpm2-tools, with AKs of all sorts."""
    (top / "policy").write_bytes(hashlib.sha256(b"a policy").digest())
    with_policy = ("-L", top / "policy")
    for name, ek, key_id, *ak in (
            ("ecc", 0x8101000A, 0x02), ("h1", 0x81010012, 0x11, "azure"),
            ("h2", 0x81010014, 0x12, "azure", with_policy), ("h3", 0x81010016, 0x13, "owner"),
            ("unrestricted", 0x8101000A, 0x02, "unrestricted")):
        evidence.make_challenged(tpm, top / f"challenged-{name}", resign, keys, hex(ek), key_id,
                                 *ak)


def area_with(offset, value):
    """Another public area as the AK's, with its Name in the challenge."""
    return lambda d: put_area(d, turn(public_of(d), offset, value))


def put_area(d, area):
    (d / "ak.pub").write_bytes(area)
    name = area[2:4] + hashlib.sha256(area).digest()
    edit_json(mine(d) / "challenge.json", ak_name=lambda _: name.hex())


def other_modulus():
    random = randomness.Random(15)
    return some_prime(random, 1024) * some_prime(random, 1024)


# A challenge for the P-256 endorsement key, selected by its id: the columns of CORRUPTIONS.
CHALLENGED_ECC_CORRUPTIONS = [
    ("challenged P-256: another EK in the challenge", 5, ["challenge-ek", "quote-signer"], False,
     lambda d: edit_json(mine(d) / "challenge.json", ek_name=other_hex)),
    ("challenged P-256: another EK in the directory", 5, ["ek"], False,
     lambda d: swap(d, "ek.pub", "h2.pub")),
    ("challenged P-256: no selector", 5, ["manifest"], True, lambda d: bind(d, b"")),
    ("challenged P-256: another EK selected", 5, ["manifest"], True,
     lambda d: bind(d, key_selector(0x13))),
    ("challenged P-256: another EK attested", 5, ["ek", "challenge-ek"], True,
     lambda d: bind(d, key_selector(0x12), manifest=(d / "h2.tpmt").read_bytes())),
    ("challenged P-256: no EK attested", 5, ["ek", "challenge-ek"], True,
     lambda d: bind(d, key_selector(0x82), manifest=(d / "signing.tpmt").read_bytes())),
    ("challenged P-256: another answer", 5, ["challenge-answer"], False,
     lambda d: flip(d / "answer.bin", 7)),
]

# A noDA key of RSA as the AK: with a public area, which says more than a key in PEM.
AREA_CORRUPTIONS = [
    ("challenged AK: another Name", 5, ["challenge-ak", "quote-signer"], False,
     lambda d: [swap(d, "ak.pub", "ak.tpmt"), edit_json(mine(d) / "challenge.json", ak_name=other_hex)]),
    ("challenged AK: one that can move", 5, ["challenge-ak", "quote-signature", "quote-signer"],
     False, area_with(7, 0x70)),
    ("challenged AK: one that somebody may know", 5,
     ["challenge-ak", "quote-signature", "quote-signer"], False, area_with(7, 0x52)),
    ("challenged AK: one that is not restricted", 5,
     ["challenge-ak", "quote-signature", "quote-signer"], False, area_with(5, 0x04)),
    ("challenged AK: one to decrypt", 5, ["challenge-ak", "quote-signature", "quote-signer"],
     False, area_with(5, 0x03)),
    ("challenged AK: Names with SHA-1", 5, ["challenge-ak", "quote-signature", "quote-signer"],
     False, area_with(3, 0x04)),
    ("challenged AK: another key", 6, ["quote-signature", "quote-signer"], False,
     lambda d: put_area(d, public_of(d)[:-256] + other_modulus().to_bytes(256, "big"))),
    ("challenged AK: an even modulus", 5, ["challenge-ak", "quote-signature", "quote-signer"], False,
     lambda d: put_area(d, public_of(d)[:-1] + b"\2")),
]


def check_challenged(socle, resign, keys, good, top):
    for name in ("ecc", "h1", "h3"):
        check_trusted(socle, f"challenge, {name}", ["challenge"],
                      own(top / f"challenged-{name}"))
    for name, form in (("h1", "tpmt"), ("h1", "tss"), ("h2", "tpmt"), ("h3", "tss")):
        with tempfile.TemporaryDirectory() as work:
            work = Path(work) / "evidence"
            evidence.copy(top / f"challenged-{name}", work)
            swap(work, "ak.pub", f"ak.{form}")
            check_trusted(socle, f"challenge, {name}, AK as {form}", ["challenge"], own(work))
    ecc, h1, h2 = (top / f"challenged-{n}" for n in ("ecc", "h1", "h2"))
    shutil.copy(h2 / "ek.pub", ecc / "h2.pub")
    shutil.copy(h2 / "manifest.bin", ecc / "h2.tpmt")
    shutil.copy(top / "ak/ak.tpmt", ecc / "signing.tpmt")
    for case in CHALLENGED_ECC_CORRUPTIONS:
        check_corruption(socle, resign, keys, ecc, case)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work) / "evidence"
        evidence.copy(ecc, work)
        bind(work, b"", manifest=rules.make_manifest(1, [
            (d / "manifest.bin").read_bytes() for d in (good, h1, ecc, h2)]))
        subprocess.run([resign, keys, work / "report.bin"], check=True)
        check_trusted(socle, "challenge for one EK of a list", ["challenge"], own(work))
    for case in AREA_CORRUPTIONS:
        check_corruption(socle, resign, keys, h1, case)
    # The key alone does not tell its policy, and no Name makes up for a missing attribute.
    for name, directory in (("a policy", h2), ("no restriction", top / "challenged-unrestricted")):
        check_corruption(socle, resign, keys, directory, (
            f"challenged AK: {name}, in PEM", 5, ["challenge-ak"], False, lambda d: None))
    check_corruption(socle, resign, keys, top / "challenged-unrestricted", (
        "challenged AK: no restriction, as a public area", 5,
        ["challenge-ak", "quote-signature"], False, lambda d: swap(d, "ak.pub", "ak.tpmt")))


def check_ek_certificate(socle, resign, keys, good, listed, authority):
    ca, ek = ["--ca", authority / "ca.crt"], ["--ek-cert", authority / "ek.crt"]
    check_trusted(socle, "EK certificate and challenge", ["challenge", "ek-certificate"],
                  [*ek, *ca, *own(good)])
    check_trusted(socle, "EK certificate and attested AK", ["attested-ak", "ek-certificate"],
                  [*ek, *ca, *own(listed)])
    check_trusted(socle, "EK certificate alone", ["ek-certificate"],
                  ["--keys-only", *ek, *ca, *own(good)])
    for name, arguments, checks in (
            ("EK certificate of another authority", [*ek, "--ca", authority / "other-ca.crt"],
             ["ek-certificate"]),
            ("certificate of another key", ["--ek-cert", authority / "stranger.crt", *ca],
             ["ek-certificate-key"]),
            ("certificate for another use", ["--ek-cert", authority / "web.crt", *ca],
             ["ek-certificate"]),
            ("an authority's certificate", ["--ek-cert", authority / "ca.crt", *ca],
             ["ek-certificate", "ek-certificate-key"])):
        check_corruption(socle, resign, keys, good, (name, 5, checks, False, lambda d: None),
                         *arguments)


def check_genuine(socle, directory, work):
    """AMD's own chip, chain and signature: see the README beside the files."""
    pem = (directory / "milan_ask_ark_asvk.pem").read_text()
    certificates = [c + "-----END CERTIFICATE-----\n"
                    for c in pem.split("-----END CERTIFICATE-----\n")[:2]]
    for name, text in zip(("ask.pem", "ark.pem"), certificates):
        (work / name).write_text(text)
    shutil.copy(directory / "test-vcek.der", work / "vcek.pem")
    shutil.copy(directory / "test-report.bin", work / "report.bin")
    code, out, err = socle_verify(socle, "--report-only", work)
    verdict = json.loads(out) if out else {}
    result(code == 0 and verdict.get("emulated") is False, "genuine report", f"{code} {out} {err}")
    code, _, err = socle_verify(socle, work)
    result(code == 1 and "measurement.hex" in err, "genuine report, full", err)
    code, _, err = socle_verify(socle, "--measurement", "00" * 48, work)
    result(code == 1 and "nonce.bin" in err or "manifest" in err, "genuine, no manifest", err)
    for offset in range(0, 0x2A0, 7):
        shutil.copy(directory / "test-report.bin", work / "report.bin")
        flip(work / "report.bin", offset, offset % 8)
        code, out, err = socle_verify(socle, "--report-only", work)
        named = [c["name"] for c in json.loads(out)["checks"] if c["result"] == "fail"]
        result(code == 2 and "signature" in named, f"genuine report, bit at {offset:#x}", named)


def measurement_of(report):
    return report.read_bytes()[0x90:0xC0].hex()


def check_genuine_table(socle, directory, work):
    """A table as a Genoa host gave it, which judges our reading of tables: GUIDs in the order of their
    text, certificates in PEM."""
    shutil.copy(directory / "report.bin", work)
    table = (directory / "certs.bin").read_bytes()
    only_report = ["--report-only", "--measurement", measurement_of(work / "report.bin"), work]
    (work / "certs.bin").write_bytes(table)
    expect(socle, "genuine table", 0, [], only_report)
    for at in range(0, 72, 24):  # as UEFI would have stored it
        guid = uuid.UUID(bytes=table[at:at + 16]).bytes_le
        (work / "certs.bin").write_bytes(table[:at] + guid + table[at + 16:])
        # Of the ASK and the ARK, which are not read then, AMD's own take the place.
        expect(socle, f"genuine table, GUID {at // 24} in UEFI's order", *(
            (1, None, only_report, "vcek.pem") if table[at:at + 16] == TABLE_GUIDS["vcek"]
            else (0, [], only_report)))


def main():
    socle, resign, profile, keys = sys.argv[1:5]
    genuine = Path(sys.argv[5]) if len(sys.argv) > 5 else None
    with tempfile.TemporaryDirectory() as top:
        good, other_keys = Path(top) / "good", Path(top) / "other-keys"
        (good / "second").mkdir(parents=True)
        (good / "other").mkdir()
        with evidence.tpm(socle, profile, good) as tpm:
            evidence.make(tpm, good, resign, keys)
            nonce = os.urandom(64)
            evidence.quote(tpm, nonce, prefix="late")
            tpm.run("tpm2_createak", "-C", "ek.ctx", "-c", "ak2.ctx", "-G", "ecc", "-g", "sha256",
                    "-s", "ecdsa")
            evidence.quote(tpm, (mine(good) / "nonce.bin").read_bytes(), "ak2.ctx", "foreign")
            ak, listed, authority = (Path(top) / name for name in ("ak", "listed", "authority"))
            evidence.make_attested(tpm, ak, resign, keys, 0, template_selector())
            evidence.make_attested(tpm, listed, resign, keys, 1, b"")
            tpm.run("tpm2_readpublic", "-c", ak / "primary.ctx", "-f", "pem", "-o", ak / "mine.pub")
            evidence.make_authority(authority, good / "ek.pub")
            make_challenged(tpm, Path(top), resign, keys)
        with evidence.tpm(socle, profile, good / "second") as tpm:
            evidence.make_keys(tpm)
            evidence.quote(tpm, (mine(good) / "nonce.bin").read_bytes())
            evidence.make_attested(tpm, Path(top) / "stranger", resign, keys, 0,
                                   template_selector())
            tpm.run("tpm2_readpublic", "-c", Path(top) / "stranger" / "primary.ctx", "-f", "pem",
                    "-o", ak / "stranger.pub")
            shutil.copy(Path(top) / "stranger" / "ak.tpmt", ak / "stranger.tpmt")
        shutil.copy(good / "report.bin", good / "other" / "report.bin")
        subprocess.run([resign, other_keys, good / "other" / "report.bin", good / "other"],
                       check=True)

        check_policy(socle, good)
        for case in CORRUPTIONS:
            check_corruption(socle, resign, keys, good, case)
        for name, spoil in UNREADABLE:
            check_unreadable(socle, good, name, spoil)
        check_misuse(socle, good)
        check_unwritable(socle, good)
        check_own(socle, good, Path(top))
        check_attested(socle, resign, keys, ak)
        check_table(socle, resign, ak, Path(top))
        check_forms(socle, ak, Path(top))
        check_challenged(socle, resign, keys, good, Path(top))
        check_list(socle, resign, keys, good, listed)
        check_numbers(socle, resign, keys, listed)
        check_ek_certificate(socle, resign, keys, good, listed, authority)
        if genuine and genuine.is_dir():
            for name, check in (("milan-vcek", check_genuine), ("genoa-table", check_genuine_table)):
                work = Path(top) / name
                work.mkdir()
                check(socle, genuine / name, work)
        else:
            result.skip("genuine evidence", "the folder is not there")
    if not jsonschema:
        result.skip("the JSON schema", "python3-jsonschema is not installed")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
