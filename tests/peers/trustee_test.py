#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Evidence that Trustee has for its own tests, of genuine processors: in its form of SNP evidence, and as the blob of
Azure's paravisor. Read, and judged down to AMD's root; and with one thing changed, refused.

    trustee_test.py --programs BUILD [--trustee DIR]

DIR is a checkout of confidential-containers/trustee, or its files of the names below. Without it everything is
skipped: the project has none of it, and docs/peers.md has what was seen.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("lib", "spec")]
import verify as second  # noqa: E402
from results import Results  # noqa: E402

EVIDENCE = "attestation-service/tests/e2e/evidence.json"
AZURE = "deps/verifier/test_data/az-snp-vtpm"
result = Results("trustee")


def verify(socle, folder, report, *options):
    """Status, and the checks that failed."""
    run = subprocess.run([str(word) for word in (socle, "verify", "--json", "--report-only", "--report", report,
                                                 *options, folder)], capture_output=True, text=True, check=False)
    return run.returncode, [c["name"] for c in json.loads(run.stdout)["checks"] if c["result"] == "fail"]


def shown(socle, report):
    return subprocess.run([str(word) for word in (socle, "report", "show", report)], capture_output=True,
                          text=True, check=False).stdout


def check_evidence(socle, folder, path):
    """The report, and its VCEK, which is in the chain of the same file."""
    evidence = json.loads(path.read_text())
    result("JSON of Trustee" in shown(socle, path), "its evidence is read as such")
    result(verify(socle, folder, path) == (0, []), "and is trusted", verify(socle, folder, path))
    result(bytes(evidence["attestation_report"]["measurement"]).hex() in shown(socle, path),
           "with the measurement that stands there")
    changed = folder / "changed.json"
    for name, change, wanted in (
            ("a byte of the measurement", lambda e: e["attestation_report"]["measurement"].__setitem__(0, 1),
             (2, ["signature"])),
            ("a level of the reported TCB", lambda e: e["attestation_report"]["reported_tcb"].update(snp=24),
             (2, None)),
            ("another kind of certificate", lambda e: e["cert_chain"][0].update(cert_type="VLEK"), (1, [])),
            ("no chain", lambda e: e.update(cert_chain=None), (1, [])),
            ("a byte of the VCEK", lambda e: e["cert_chain"][0]["data"].__setitem__(
                700, e["cert_chain"][0]["data"][700] ^ 1), (2, None))):
        other = json.loads(path.read_text())
        change(other)
        changed.write_text(json.dumps(other))
        found = verify(socle, folder, changed)
        result(found[0] == wanted[0] and wanted[1] in (None, found[1]), f"not with {name}", found)
    changed.write_text(json.dumps({"tee-evidence": evidence}))
    result(verify(socle, folder, changed) == (0, []), "within what its key broker is sent, too")


def check_azure(socle, folder, path):
    blob, vcek = path / "hcl-report.bin", path / "vcek.pem"
    result("Azure" in shown(socle, blob), "the paravisor's blob is read as such")
    result(verify(socle, folder, blob, "--vcek", vcek) == (0, []), "and is trusted",
           verify(socle, folder, blob, "--vcek", vcek))
    spoiled = bytearray(blob.read_bytes())
    spoiled[32 + 0x90] ^= 1
    (folder / "spoiled.bin").write_bytes(spoiled)
    found = verify(socle, folder, folder / "spoiled.bin", "--vcek", vcek)
    result(found == (2, ["signature"]), "not with another measurement", found)


def check_azure_evidence(socle, folder, path):
    """What its attester sends, by each version: the blob, as a list or in base64url, and the VCEK."""
    evidence, name = json.loads(path.read_text()), path.stem
    result("Azure" in shown(socle, path), f"{name} is read as such")
    result(verify(socle, folder, path) == (0, []), f"{name} is trusted", verify(socle, folder, path))
    if isinstance(evidence.get("hcl_report"), str):
        blob, vcek = folder / "blob.txt", folder / "vcek.der"
        blob.write_text(evidence["hcl_report"])
        vcek.write_bytes(base64.urlsafe_b64decode(evidence["vcek"]))
        found = verify(socle, folder, blob, "--vcek", vcek)
        result(found == (0, []), f"{name}: the blob alone, as it stands there", found)
        found = second.read_report(blob)[0]
        result(found == base64.urlsafe_b64decode(evidence["hcl_report"])[32:32 + 0x4A0],
               f"{name}: the second verifier reads it, too")
        text = evidence["hcl_report"]
        changed = dict(evidence, hcl_report=text[:240] + ("A" if text[240] != "A" else "B") + text[241:])
    else:
        changed = dict(evidence, report=[*evidence["report"][:176], evidence["report"][176] ^ 1,
                                         *evidence["report"][177:]])
    (folder / "changed.json").write_text(json.dumps(changed))
    found = verify(socle, folder, folder / "changed.json")
    result(found == (2, ["signature"]), f"{name}: not with another measurement", found)
    (folder / "changed.json").write_text(json.dumps(dict(evidence, vcek=None)))
    result(verify(socle, folder, folder / "changed.json") == (1, []), f"{name}: not without its VCEK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--trustee", type=Path)
    options = parser.parse_args()
    socle = options.programs.resolve() / "tools/socle"
    if not options.trustee:
        result.skip("Trustee's evidence", "no folder was given")
        result.finish()
        return 0
    with tempfile.TemporaryDirectory() as name:
        check_evidence(socle, Path(name), options.trustee / EVIDENCE)
        check_azure(socle, Path(name), options.trustee / AZURE)
        for path in sorted((options.trustee / AZURE).glob("evidence-*.json")):
            check_azure_evidence(socle, Path(name), path)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
