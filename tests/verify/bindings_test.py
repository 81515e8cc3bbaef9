#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library in Python and in Go, on the test vectors and, where it is at hand, on genuine evidence. Python's
package is judged by mypy, too, where that is installed.

    bindings_test.py BUILD VECTORS [EVIDENCE]
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("bindings/python", "tests/lib", "tests/spec")]
from results import Results  # noqa: E402

results = Results("bindings")
ASK_GUID = bytes.fromhex("4ab7b379bbac4fe4a02f05aef327c782")  # in the order of the text


def python_on_vectors(build, vectors):
    """In a process of its own, which is told where the library is."""
    run = subprocess.run([sys.executable, __file__, "--vectors", vectors], capture_output=True, text=True,
                         check=False, env=dict(os.environ, LD_LIBRARY_PATH=str(build / "tools")))
    lines = run.stdout.splitlines()
    for line in lines:
        ok, _, name = line.partition(" ")
        results(ok == "ok", f"Python: {name}")
    results(run.returncode == 0 and len(lines) > 30 and not run.stderr, "Python on the vectors", run.stderr)


def judge_vectors(folder):
    """Prints a line for each vector."""
    import socle_verify as sv  # pylint: disable=import-outside-toplevel
    parts = {"report.bin": sv.Part.REPORT, "ask.pem": sv.Part.CERT_ISSUER, "vcek.pem": sv.Part.CERT_SIGNER,
             "ark.pem": sv.Part.CERT_ARK, "manifest.bin": sv.Part.MANIFEST,
             "selector.bin": sv.Part.SELECTOR, "context.bin": sv.Part.CONTEXT, "ek.pub": sv.Part.EK,
             "ak.pub": sv.Part.AK, "answer.bin": sv.Part.ANSWER, "quote.msg": sv.Part.QUOTE,
             "quote.sig": sv.Part.QUOTE_SIGNATURE, "quote.pcrs": sv.Part.QUOTE_PCRS,
             "ek.crt": sv.Part.EK_CERTIFICATE}
    own = {"ark.pem": sv.Part.OWN_ROOT, "nonce.bin": sv.Part.OWN_NONCE, "ca.crt": sv.Part.OWN_CA}
    everything = json.loads((Path(folder) / "verdicts.json").read_text())
    for vector in everything["verdicts"]:
        evidence = sv.Evidence()
        for names, known in ((vector["files"], parts), (vector["mine"], own)):
            for name, part in known.items():
                if name in names:
                    evidence.add(part, bytes.fromhex(everything["files"][names[name]]))
        if "challenge" in vector:
            evidence.add(sv.Part.OWN_CHALLENGE, json.dumps(vector["challenge"]).encode())
        verdict = sv.verify(evidence, sv.Policy({
            "format": 1, "look_at": {"full": "quote"}.get(vector["depth"], vector["depth"]),
            "allow": {"emulated": vector.get("trust_emulated", False)},
            "measurements": {"expected": vector["measurement"]}}))
        wanted = vector["expected"]
        ok = [c.name for c in verdict.checks if c.error] == wanted["failing"] and \
            verdict.status == wanted["status"] and verdict.bindings == wanted["bindings"] and \
            verdict.emulated and verdict.json()["status"] == wanted["status"]
        print("ok" if ok else "no", vector["name"])
    judge_challenge(sv, everything, parts, own)
    for what, words in ((lambda: sv.Policy({"format": 2}), "format"),
                        (lambda: sv.Challenge(sv.Evidence(), sv.Policy({"format": 1, "look_at": "report"})), "look_at"),
                        (lambda: sv.Chain(sv.Evidence()), "missing"),
                        (lambda: sv.answers(b"{}", b""), "ek_name"), (lambda: sv.Policy("{"), "line 1"),
                        (lambda: sv.verify(sv.Evidence(), sv.Policy({"format": 1, "look_at": "report"})),
                         "missing: the report"),
                        (lambda: sv.Evidence().add(sv.Part.QUOTE, b""), "report has to come"),
                        (lambda: sv.Policy({"format": 1, "look_at": "report"}).add_crls(b"x"), "list"),
                        (lambda: sv.Evidence().make_policy("report"), "report is missing")):
        try:
            what()
            print("no", f"an error: {words}")
        except sv.Error as error:
            print("ok" if words in str(error) else "no", f"an error: {error}")


def judge_challenge(sv, everything, parts, own):
    """One for the AK that a manifest attests; that a TPM opens such is challenge_test.py's."""
    import rules  # pylint: disable=import-outside-toplevel
    vector = next(v for v in everything["verdicts"] if v["name"] == "attested-ak in a list")
    manifest = bytes.fromhex(everything["files"][vector["files"]["manifest.bin"]])
    area = next(key.data for key in rules.read_manifest(manifest) if key.attributes & 1 << 18)
    evidence = sv.Evidence()
    for names, known in ((vector["files"], parts), (vector["mine"], own)):
        for name, part in known.items():
            if name in names and part not in (sv.Part.AK, sv.Part.EK):
                evidence.add(part, bytes.fromhex(everything["files"][names[name]]))
    evidence.add(sv.Part.AK, area)
    made = sv.Challenge(evidence, sv.Policy({"format": 1, "allow": {"emulated": True}, "measurements": {
        "expected": vector["measurement"]}}))
    secret = bytes.fromhex(json.loads(made.record)["secret"])
    ok = made.credential.startswith(bytes.fromhex("badcc0de00000001")) and secret not in made.credential and \
        sv.answers(made.record, secret) and not sv.answers(made.record, secret[:-1]) and \
        not sv.answers(made.record, bytes(32))
    print("ok" if ok else "no", "a challenge")
    chain, report = sv.Chain(evidence), sv.Evidence()
    del evidence
    report.add(sv.Part.REPORT, bytes.fromhex(everything["files"][vector["files"]["report.bin"]]))
    report.add_chain(chain)
    verdict = sv.verify(report, sv.Policy({"format": 1, "look_at": "report", "allow": {"emulated": True}}))
    print("ok" if verdict.trusted and verdict.emulated else "no", "a chain")
    try:
        report.add_chain(chain)
        print("no", "a chain twice")
    except sv.Error:
        print("ok", "a chain twice")


def check_parts():
    """Python's numbers are the header's."""
    header = (ROOT / "tools/libverify/socle-verify.h").read_text()
    source = (ROOT / "bindings/python/socle_verify.py").read_text()
    ours = dict(re.findall(r"^    ([A-Z_]+) = (\d+)$", source, re.M))
    theirs = dict(re.findall(r"^\tSOCLE_([A-Z_]+) = (\d+),", header, re.M))
    results(len(ours) > 20 and ours == theirs, "Python has the header's numbers", ours.items() ^ theirs.items())
    functions = set(re.findall(r'"(socle_\w+)", ', source))
    stated = set(re.findall(r"^\s(socle_\w+);$", (ROOT / "tools/libverify/socle-verify.map").read_text(), re.M))
    results(functions | {"socle_verify_version"} == stated, "and all its functions", functions ^ stated)
    if shutil.which("mypy"):
        run = subprocess.run(["mypy", "--strict", ROOT / "bindings/python/socle_verify.py"],
                             capture_output=True, text=True, check=False)
        results(run.returncode == 0, "mypy --strict", run.stdout)
    else:
        results.skip("mypy", "it is not installed")


def go_on_vector(work, vectors, environment):
    """Emulated evidence says so on the last line."""
    everything = json.loads((Path(vectors) / "verdicts.json").read_text())
    vector = next(v for v in everything["verdicts"] if v["name"] == "attested-ak in a list")
    for name, key in {**vector["files"], **vector["mine"]}.items():
        (work / name).write_bytes(bytes.fromhex(everything["files"][key]))
    # The issuer comes in a table behind the report, as a host hands it out.
    issuer = (work / "ask.pem").read_bytes()
    report = work / "attestation.bin"
    report.write_bytes((work / "report.bin").read_bytes() + ASK_GUID + struct.pack("<II", 48, len(issuer)) +
                       bytes(24) + issuer)
    for allowed, status, last in ((True, 0, "verdict: trusted (emulated)"), (False, 2, "verdict: refused (emulated)")):
        policy = work / "vector.json"
        policy.write_text(json.dumps({"format": 1, "look_at": "report", "allow": {"emulated": allowed}}))
        run = subprocess.run([work / "example", policy, report, work / "vcek.pem", work / "ark.pem"],
                             capture_output=True, text=True, check=False, env=environment)
        results(run.returncode == status and run.stdout.endswith(last + "\n"), f"Go says so, {last}",
                f"{run.returncode} {run.stdout} {run.stderr}")


def check_go(build, vectors, evidence, work):
    if not shutil.which("go"):
        results.skip("Go", "there is no go command")
        return
    environment = dict(os.environ, GOFLAGS="-mod=mod", CGO_ENABLED="1", GOPATH=str(build / "go"),
                       CGO_CFLAGS=f"-I{ROOT / 'tools/libverify'}", LD_LIBRARY_PATH=str(build / "tools"),
                       CGO_LDFLAGS=f"-L{build / 'tools'}", PKG_CONFIG_PATH=str(work))
    (work / "socle-verify.pc").write_text("Name: socle-verify\nDescription: x\nVersion: 0\n"
                                          "Libs: -lsocle-verify\n")
    made = subprocess.run(["go", "build", "-o", work / "example", "."], capture_output=True, text=True,
                          check=False, cwd=ROOT / "bindings/go", env=environment)
    results(made.returncode == 0, "the Go example is built", made.stderr)
    policy = work / "policy.json"
    policy.write_text('{"format": 1, "look_at": "report", "vmpl": 1}')
    run = subprocess.run([work / "example", policy, ROOT / "none", "x"], capture_output=True, text=True,
                         check=False, env=environment)
    results(run.returncode == 1 and "none" in run.stderr, "Go says what is not there", run.stderr)
    for words in ((), ("a", "b"), ("a", "b", "c", "d", "e")):
        run = subprocess.run([work / "example", *words], capture_output=True, text=True, check=False, env=environment)
        results(run.returncode == 1 and run.stderr.startswith("usage: "), f"Go wants 3 or 4 words, not {len(words)}",
                run.stderr)
    go_on_vector(work, vectors, environment)
    if not evidence or not evidence.is_dir():
        results.skip("Go on genuine evidence", "the folder is not there")
        return
    for vmpl, status, last in ((1, 0, "verdict: trusted"), (0, 3, "verdict: refused")):
        policy.write_text(json.dumps({"format": 1, "look_at": "report", "vmpl": vmpl}))
        folder = evidence / "milan-v5-vmpl1"
        run = subprocess.run([work / "example", policy, folder / "report.bin", folder / "vcek.pem"],
                             capture_output=True, text=True, check=False, env=environment)
        results(run.returncode == status and "signature" in run.stdout and run.stdout.splitlines()[-1] == last,
                f"Go judges, VMPL {vmpl}",
                f"{run.returncode} {run.stdout} {run.stderr}")


def main():
    if sys.argv[1] == "--vectors":
        judge_vectors(sys.argv[2])
        return 0
    build = Path(sys.argv[1]).resolve()
    python_on_vectors(build, sys.argv[2])
    check_parts()
    with tempfile.TemporaryDirectory() as work:
        check_go(build, sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else None, Path(work))
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
