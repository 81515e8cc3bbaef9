#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle verify` on good evidence, on evidence with one thing wrong at a time, and on files that
are none. What is wrong inside the report is signed again by the emulated VCEK, so that only the
check that is named can refuse it. Genuine AMD evidence is used where it is at hand.

    verify_test.py SOCLE RESIGN VTPM_FRONT VTPM PROFILE KEY_DIR [EVIDENCE_DIR]
"""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import evidence

passed = failed = skipped = 0


def result(ok, name, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL verify: {name}: {detail}")


def socle_verify(socle, *arguments):
    run = subprocess.run([socle, "verify", "--json", *map(str, arguments)], capture_output=True,
                         text=True, check=False)
    return run.returncode, run.stdout, run.stderr


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


def swap(directory, name, other):
    shutil.copy(directory / other, directory / name)


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
    ("signed by a VLEK", 3, ["signing-key"], True, lambda d: put(d / "report.bin", "<I", 0x48, 4)),
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
     lambda d: (d / "measurement.hex").write_text("00" * 48)),
    # Binding.
    ("a stale nonce", 5, ["report-data", "quote-nonce"], False,
     lambda d: flip(d / "nonce.bin", 63)),
    ("other report_data", 5, ["report-data"], True, lambda d: flip(d / "report.bin", 0x8F)),
    ("a longer manifest", 5, ["report-data", "manifest", "ek", "challenge-ek"], False,
     lambda d: (d / "manifest.bin").write_bytes((d / "manifest.bin").read_bytes() + b"\0")),
    ("an empty manifest", 5, ["report-data", "manifest", "ek", "challenge-ek"], False,
     lambda d: (d / "manifest.bin").write_bytes(b"")),
    ("another EK", 5, ["ek"], False, lambda d: swap(d, "ek.pub", "second/ek.pub")),
    ("a challenge for another EK", 5, ["challenge-ek", "quote-signer"], False,
     lambda d: edit_json(d / "challenge.json", ek_name=other_hex)),
    ("a challenge for another AK", 5, ["challenge-ak", "quote-signer"], False,
     lambda d: edit_json(d / "challenge.json", ak_name=other_hex)),
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


def check_corruption(socle, resign, keys, good, case):
    name, status, checks, sign, corrupt = case
    with tempfile.TemporaryDirectory() as work:
        work = Path(work) / "evidence"
        shutil.copytree(good, work)
        corrupt(work)
        if sign:
            subprocess.run([resign, keys, work / "report.bin"], check=True)
        code, out, err = socle_verify(socle, "--trust-emulated", work)
        if code != status:
            result(False, name, f"exit status {code}, not {status}: {err}")
            return
        verdict = json.loads(out)
        failing = [c["name"] for c in verdict["checks"] if c["result"] == "fail"]
        first = min(c["class"] for c in verdict["checks"] if c["result"] == "fail")
        ok = first == status and verdict["verdict"] == "refused" and \
            verdict["failed"] == failing[0] and (checks is None or failing == checks)
        result(ok, name, f"failing checks are {failing}")


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
        shutil.copytree(good, work)
        spoil(work / name)
        code, out, err = socle_verify(socle, "--trust-emulated", work)
        ok = code == 1 and out == "" and err.startswith("socle: ") and name in err and \
            err.count("\n") == 1
        result(ok, f"unreadable {name}", f"exit status {code}: {err}")


def check_misuse(socle, good):
    for arguments in ([], [good, good], ["--no-such-option", good], ["--measurement", "00", good],
                      ["--pcr", "sha256:24=" + "00" * 32, good], ["--pcr", "md5:1=00", good],
                      ["--minimum-tcb", "1,2,3", good], ["--minimum-tcb", "0,0,0,0,256", good],
                      ["--image", good / "nonce.bin", good]):
        code, out, err = socle_verify(socle, *arguments)
        result(code == 1 and out == "" and err.count("\n") == 1, f"misuse {arguments}", err)


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
        code, out, err = socle_verify(socle, *arguments, good)
        found = [c["name"] for c in json.loads(out)["checks"] if c["result"] == "fail"] \
            if out else err
        result(code == status and found == failing, name, f"exit status {code}, {found}")


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


def main():
    global skipped
    socle, resign, front, vtpm, profile, keys = sys.argv[1:7]
    genuine = Path(sys.argv[7]) if len(sys.argv) > 7 else None
    with tempfile.TemporaryDirectory() as top:
        good, other_keys = Path(top) / "good", Path(top) / "other-keys"
        (good / "second").mkdir(parents=True)
        (good / "other").mkdir()
        with evidence.tpm(front, vtpm, profile, good) as tpm:
            evidence.make(tpm, good, resign, keys)
            nonce = os.urandom(64)
            evidence.quote(tpm, nonce, prefix="late")
            tpm.run("tpm2_createak", "-C", "ek.ctx", "-c", "ak2.ctx", "-G", "ecc", "-g", "sha256",
                    "-s", "ecdsa")
            evidence.quote(tpm, (good / "nonce.bin").read_bytes(), "ak2.ctx", "foreign")
        with evidence.tpm(front, vtpm, profile, good / "second") as tpm:
            evidence.make_keys(tpm)
            evidence.quote(tpm, (good / "nonce.bin").read_bytes())
        shutil.copy(good / "report.bin", good / "other" / "report.bin")
        subprocess.run([resign, other_keys, good / "other" / "report.bin", good / "other"],
                       check=True)

        check_policy(socle, good)
        for case in CORRUPTIONS:
            check_corruption(socle, resign, keys, good, case)
        for name, spoil in UNREADABLE:
            check_unreadable(socle, good, name, spoil)
        check_misuse(socle, good)
        work = Path(top) / "genuine"
        work.mkdir()
        if genuine and genuine.is_dir():
            check_genuine(socle, genuine, work)
        else:
            skipped += 1
            print("skipped verify: genuine evidence: the folder is not there")
    print(f"verify: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
