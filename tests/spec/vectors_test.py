#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The test vectors in the hands of both verifiers. They are what make_vectors.py makes; the second
verifier's rules agree with each; and evidence made from each attestation, with a report that the
emulated VCEK signs, is trusted by both, and by neither when it is spoiled.

    vectors_test.py SOCLE RESIGN KEY_DIR VECTOR_DIR"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import make_vectors
import rules
from make_verdicts import pcr_file
import verify as second

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import report  # noqa: E402
from results import Results  # noqa: E402

result = Results("vectors")


def outcome(function, *arguments):
    """(value, "ok"), or (None, the rule that refuses)."""
    try:
        return function(*arguments), "ok"
    except rules.Refused as error:
        return None, str(error)


def check_files(vectors):
    for name, content in make_vectors.make().items():
        result((vectors / name).read_text() == make_vectors.render(content), name,
               "not what make_vectors.py makes")


def check_rules(vectors):
    for vector in json.loads((vectors / "selectors.json").read_text())["selectors"]:
        value, found = outcome(rules.read_selector, bytes.fromhex(vector["selector"]))
        result(found == vector["expected"], f"selector, {vector['name']}", found)
        if value and found == "ok" and "id" in vector:
            result(value == (vector["kind"], vector["id"]), f"selector, {vector['name']}", value)
    for vector in json.loads((vectors / "manifests.json").read_text())["manifests"]:
        keys, found = outcome(rules.read_manifest, bytes.fromhex(vector["manifest"]))
        result((found == "ok") == (vector["expected"] == "accept") and
               len(keys or []) == vector["keys"], f"manifest, {vector['name']}", found)


def mine(folder):
    """The relying party's folder beside a guest's."""
    return Path(f"{folder}.mine")


def make_evidence(vector, folder, resign, keys):
    folder.mkdir()
    mine(folder).mkdir()
    (mine(folder) / "nonce.bin").write_bytes(bytes.fromhex(vector["nonce"]))
    files = {"manifest.bin": vector["manifest"]}
    if vector["call"] == 2:
        files.update({"selector.bin": vector["selector"], "context.bin": vector["context"]})
    if "quote" in vector:
        files.update({"quote.msg": vector["quote"]["message"],
                      "quote.sig": vector["quote"]["signature"]})
    for name, text in files.items():
        (folder / name).write_bytes(bytes.fromhex(text))
    if "quote" in vector:
        (folder / "quote.pcrs").write_bytes(pcr_file(
            {int(n): v for n, v in vector["quote"]["pcrs"]["sha256"].items()}))
    (folder / "report.bin").write_bytes(report.unsigned(
        3, (0x19, 1, 1), report_data=bytes.fromhex(vector["report_data"])))
    (mine(folder) / "measurement.hex").write_text("00" * 48 + "\n")
    subprocess.run([resign, keys, folder / "report.bin", folder], check=True)
    shutil.move(folder / "ark.pem", mine(folder))


def both(socle, name, arguments, by_chance=None):
    """The verdict of both verifiers, which must be the same; None when unreadable. by_chance is a check that
    the first may fail where the second does not."""
    run = subprocess.run([socle, "verify", "--json", *map(str, arguments)], capture_output=True,
                         text=True, check=False)
    first = json.loads(run.stdout) if run.stdout else None
    failing = first and [c["name"] for c in first["checks"] if c["result"] == "fail"]
    try:
        other = second.verify(arguments)
    except second.Unreadable:
        result(run.returncode == 1, name, f"{run.returncode} and unreadable")
        return None
    if by_chance and failing and by_chance not in other["failing"]:
        failing = [check for check in failing if check != by_chance]
    result(first is not None and
           (run.returncode, failing, first.get("binding"), first["bindings"]) ==
           tuple(other[n] for n in ("status", "failing", "binding", "bindings")), name,
           f"{run.returncode} {failing}, {other}: {run.stderr}")
    return other


# A bit of each file, and what must notice.
SPOILED = {"nonce.bin": "report-data", "manifest.bin": "report-data", "selector.bin": "context",
           "context.bin": "context", "report.bin": "signature", "quote.msg": "quote-signature",
           "quote.sig": "quote-signature"}


def spoil(data, round_number):
    data = bytearray(data)
    place = (round_number * 2654435761) % len(data)
    data[place] ^= 1 << round_number % 8
    return bytes(data)


def check_evidence(socle, resign, keys, vector, folder, number):
    make_evidence(vector, folder, resign, keys)
    quoted = "quote" in vector
    arguments = ["--trust-emulated", *([] if quoted else ["--keys-only"]), "--mine", mine(folder),
                 folder]
    name = vector["name"]
    verdict = both(socle, name, arguments)
    result(verdict and verdict["bindings"] == ["attested-ak" if quoted else "manifest"], name,
           verdict)
    for file, check in SPOILED.items():
        path = (mine(folder) if file == "nonce.bin" else folder) / file
        good = path.read_bytes() if path.exists() else b""
        if not good:
            continue
        path.write_bytes(spoil(good, number * len(SPOILED) + len(file)))
        # OpenSSL looks for a modulus's factors with numbers that it draws: above the first primes, which
        # both try, it finds one in some spoiled moduli and at some times.
        verdict = both(socle, f"{name}, a bit of {file}", arguments,
                       "manifest" if file == "manifest.bin" else None)
        failing = verdict["failing"] if verdict else None
        # The unsigned rest of a report is looked at by its form alone.
        result(failing and (check in failing or file == "report.bin"),
               f"{name}, a bit of {file}", f"fails {failing}, not {check}")
        path.write_bytes(good)


def check_verdict(socle, vector, files, folder):
    """Both folders, as they are in verdicts.json."""
    for of, made in (("files", folder), ("mine", mine(folder))):
        made.mkdir()
        for name, key in vector[of].items():
            (made / name).write_bytes(bytes.fromhex(files[key]))
    if "challenge" in vector:
        (mine(folder) / "challenge.json").write_text(json.dumps(vector["challenge"]))
    arguments = ["--measurement", vector["measurement"], "--mine", mine(folder)]
    arguments += ["--trust-emulated"] * vector["trust_emulated"]
    arguments += {"full": [], "keys": ["--keys-only"], "report": ["--report-only"]}[vector["depth"]]
    if "ek.crt" in vector["files"]:
        arguments += ["--ek-cert", folder / "ek.crt", "--ca", mine(folder) / "ca.crt"]
    verdict = both(socle, vector["name"], [*arguments, folder])
    result(verdict == vector["expected"], vector["name"], f"{verdict}, not {vector['expected']}")


def check_verdicts(socle, vectors, folder):
    content = json.loads((vectors / "verdicts.json").read_text())
    for number, vector in enumerate(content["verdicts"]):
        check_verdict(socle, vector, content["files"], folder / str(number))
    used = {key for vector in content["verdicts"] for of in ("files", "mine")
            for key in vector[of].values()}
    result(used == set(content["files"]), "files of verdicts.json", used ^ set(content["files"]))
    bindings = {b for vector in content["verdicts"] for b in vector["expected"]["bindings"]}
    result(bindings == {"challenge", "attested-ak", "ek-certificate", "manifest"},
           "a vector for each binding", bindings)


def main():
    socle, resign, keys = sys.argv[1:4]
    vectors = Path(sys.argv[4])
    check_files(vectors)
    check_rules(vectors)
    attestations = json.loads((vectors / "attestations.json").read_text())["attestations"]
    with tempfile.TemporaryDirectory() as top:
        for number, vector in enumerate(attestations):
            check_evidence(socle, resign, keys, vector, Path(top) / str(number), number)
        (Path(top) / "verdicts").mkdir()
        check_verdicts(socle, vectors, Path(top) / "verdicts")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
