#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle challenge make` and `open`. The judge from outside is a TPM: libtpms, in `socle vtpm serve` and driven by
tpm2-tools, opens what was made (TPM2_ActivateCredential checks its integrity, Name and seed), for endorsement
keys of RSA, P-256 and P-384; and one that lacks either key does not.

    challenge_test.py SOCLE RESIGN PROFILE KEY_DIR
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("verify", "spec", "lib")]
import evidence  # noqa: E402
import rules  # noqa: E402
from evidence import mine, own  # noqa: E402
from results import Results  # noqa: E402

results = Results("challenge")

# Name, handle and template number of the EK, and the AK: a name of evidence.OTHER_AKS, or one below the EK.
CASES = (("rsa", "0x81010012", 0x11, "azure"), ("ecc256", "0x8101000A", 0x02, None),
         ("ecc384", "0x81010016", 0x13, "owner"))


class Case:
    """Good evidence with a challenge by tpm2-tools, from which that and its answer are taken away."""

    def __init__(self, socle, tpm, folder, ek, key_id):
        self.socle, self.tpm, self.folder, self.ek = socle, tpm, folder, ek
        self.policy = key_id < 0x10
        self.record, self.credential = mine(folder) / "challenge.json", folder / "credential"
        for path in (self.record, folder / "answer.bin"):
            path.unlink()
        shutil.copy(folder / ("ak.tss" if (folder / "ak.tss").exists() else "ak.tpmt"), folder / "ak.pub")

    def run(self, what, *words):
        return subprocess.run([str(w) for w in (self.socle, "challenge", what, *words)], capture_output=True,
                              text=True, check=False)

    def make(self, *words, trust=("--trust-emulated",)):
        return self.run("make", *trust, "-o", self.credential, *words, *own(self.folder))

    def refused(self, name, wanted, *words, **more):
        run = self.make(*words, **more)
        results(run.returncode == 1 and wanted in run.stderr and run.stderr.count("\n") == 1 and
                not self.record.exists() and not self.credential.exists(), name, run.stderr)

    def activate(self, ak, ek=None):
        """Whether the TPM gives an answer."""
        (self.folder / "answer.bin").unlink(missing_ok=True)
        words = []
        try:
            if self.policy:
                self.tpm.run("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
                self.tpm.run("tpm2_policysecret", "-S", "session.ctx", "-c", "e")
                words = ["-P", "session:session.ctx"]
            self.tpm.run("tpm2_activatecredential", "-c", ak, "-C", ek or self.ek, "-i", self.credential, "-o",
                         self.folder / "answer.bin", *words)
            return True
        except subprocess.CalledProcessError:
            self.tpm.tool("mssim", "tpm2_flushcontext", "-t", cwd=self.tpm.work)
            return False
        finally:
            if self.policy:
                self.tpm.run("tpm2_flushcontext", "session.ctx")

    def open(self, *words):
        return self.run("open", *words, *own(self.folder))

    def verify(self, *words):
        return subprocess.run([str(w) for w in (self.socle, "verify", "--json", "--trust-emulated", *words,
                                                *own(self.folder))], capture_output=True, text=True, check=False)


def check_made(case, name):
    run = case.make()
    results(run.returncode == 0 and not run.stderr, f"{name}: it is made", run.stderr)
    record = json.loads(case.record.read_text())
    results(len(record["secret"]) == 64 and case.record.stat().st_mode & 0o777 == 0o600 and
            record["secret"] not in run.stdout and
            bytes.fromhex(record["secret"]) not in case.credential.read_bytes() and
            record["ak_name"] == (case.folder / "ak.name").read_bytes().hex() and
            record["ek_name"] == (case.folder / "ek.name").read_bytes().hex(), f"{name}: its record", record)
    results(case.activate(case.folder / "ak.ctx"), f"{name}: a TPM opens it")
    answer = case.folder / "answer.bin"
    run = case.open()
    results(run.returncode == 0 and "right" in run.stdout, f"{name}: its answer is right", run)
    run = case.verify()
    results(run.returncode == 0 and json.loads(run.stdout)["bindings"] == ["challenge"], f"{name}: and verified",
            run.stdout)
    good = answer.read_bytes()
    for what, spoiled in (("flipped", good[:-1] + bytes([good[-1] ^ 1])), ("cut", good[:-1]),
                          ("longer", good + b"\0"), ("empty", b""), ("text", good.hex().encode())):
        answer.write_bytes(spoiled)
        run = case.open()
        results(run.returncode == 5 and "wrong" in run.stdout and not run.stderr, f"{name}: {what} answer", run)
        results(case.open("--quiet").stdout == "", f"{name}: {what}, quiet")
        results(case.verify().returncode == 5, f"{name}: {what} answer, verified")
    answer.write_bytes(good)


def check_again(case, name):
    """A record is not overwritten, and what could not be written leaves none."""
    before = case.record.read_bytes()
    run = case.make()
    results(run.returncode == 1 and "challenge.json" in run.stderr and case.record.read_bytes() == before,
            f"{name}: one that is there stays", run.stderr)
    case.record.rename(case.folder / "kept")
    run = case.run("make", "--trust-emulated", "-o", case.folder / "none/credential", *own(case.folder))
    results(run.returncode == 1 and not case.record.exists(), f"{name}: half of it is nothing", run.stderr)
    (case.folder / "kept").rename(case.record)


def check_refused(case, other):
    """Evidence that is not trusted, and keys that cannot be challenged."""
    folder = case.folder
    for path in (case.record, case.credential, folder / "answer.bin"):
        path.unlink(missing_ok=True)
    case.refused("an emulated root that nobody allowed", "root", trust=())
    case.refused("another image", "measurement", "--measurement", "00" * 48)
    policy = folder / "policy.json"
    measured = {"m": (mine(folder) / "measurement.hex").read_text().strip()}

    def with_policy(**more):
        policy.write_text(json.dumps({"format": 1, "measurements": measured, **more}))
        return "--policy", policy

    case.refused("the report alone", "look_at is report", *with_policy(look_at="report"))
    case.refused("a floor that it does not meet", "tcb-minimum",
                 *with_policy(minimum_tcb={"any": {"snp": 255}}))
    case.refused("an AK that is not known", "none of the known keys", *with_policy(keys={"k": "000b" + "00" * 32}))
    known = {"ak": (folder / "ak.name").read_bytes().hex()}
    pcrs = {"sha256": {"0": "11" * 32}}
    run = case.make(*with_policy(keys=known, pcrs=pcrs))
    results(run.returncode == 0, "a known AK, and PCRs that come later", run.stderr)
    case.record.unlink()
    case.credential.unlink()
    for name, data, wanted in (
            ("ak.pub", (folder / "ak.tpmt").read_bytes()[:-1], "ak.pub"), ("ak.pub", b"", "ak.pub"),
            ("ak.pub", None, "ak.pub"),
            ("ak.pub", (other.folder / "ek.pub").read_bytes(), "a PEM has no Name"),
            ("ak.pub", (folder / "manifest.bin").read_bytes(), "no signing key"),
            ("ak.pub", changed(folder / "ak.tpmt", 7, 0x02), ""),
            ("ek.pub", (other.folder / "ek.pub").read_bytes(), "the EK is no endorsement key"),
            ("manifest.bin", (other.folder / "manifest.bin").read_bytes(), "report-data"),
            ("report.bin", changed(folder / "report.bin", 0x50, 1), "signature")):
        path = folder / name
        good = path.read_bytes()
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        case.refused(f"{name}, {len(data) if data else 'not there'}", wanted)
        path.write_bytes(good)
    (mine(folder) / "nonce.bin").rename(folder / "nonce.bin")
    case.refused("no nonce of one's own", "nonce.bin")
    (folder / "nonce.bin").rename(mine(folder) / "nonce.bin")
    run = case.run("make", "--trust-emulated", "-o", case.credential, "--mine", folder, folder)
    results(run.returncode == 1 and "guest's" in run.stderr, "the guest's folder as one's own", run.stderr)


def changed(path, at, mask):
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    return bytes(data)


def check_others(case, other):
    """Neither another AK nor another EK opens it."""
    run = case.make()
    results(run.returncode == 0, "made once more", run.stderr)
    results(not case.activate(other.folder / "ak.ctx"), "another AK")
    results(not case.activate(case.folder / "ak.ctx", other.ek), "another EK")
    good = case.credential.read_bytes()
    for at in (9, 30, 60, len(good) - 1):
        case.credential.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        results(not case.activate(case.folder / "ak.ctx"), f"byte {at} of it")
    case.credential.write_bytes(good)
    results(case.activate(case.folder / "ak.ctx") and case.open().returncode == 0, "and then it does")
    # Of somebody else's challenge.
    shutil.copy(case.record, other.record)
    run = other.open()
    results(run.returncode == 5, "the answer to another challenge", run)


def check_records(case):
    good = json.loads(case.record.read_text())
    for name, text in (("no JSON", "{"), ("nothing", ""), ("no secret", json.dumps({**good, "secret": None})),
                       ("an empty secret", json.dumps({**good, "secret": ""})),
                       ("a secret of 15 bytes", json.dumps({**good, "secret": "5a" * 15})),
                       ("a secret of 65 bytes", json.dumps({**good, "secret": "5a" * 65})),
                       ("an odd secret", json.dumps({**good, "secret": "5a" * 16 + "5"})),
                       ("a field twice", '{"secret": "00", "secret": "00"}'), ("too much", " " * (65 << 10))):
        case.record.write_text(text)
        run = case.open()
        results(run.returncode == 1 and run.stderr.count("\n") == 1 and "challenge.json" in run.stderr,
                f"a record, {name}", run)
    case.record.unlink()
    run = case.open()
    results(run.returncode == 1 and "challenge.json" in run.stderr, "no record", run)


def check_list(case, others, resign, keys):
    """Of several EKs the one that ek.pub is; without it the first."""
    folder = case.folder
    areas = [(d / "manifest.bin").read_bytes() for d in (others[0].folder, folder, others[1].folder)]
    for name in ("selector.bin", "context.bin"):
        (folder / name).write_bytes(b"")
    (folder / "manifest.bin").write_bytes(rules.make_manifest(1, areas))
    (folder / "context.bin").write_bytes(b"")
    evidence.make_report(folder, bytes.fromhex((mine(folder) / "measurement.hex").read_text()))
    subprocess.run([resign, keys, folder / "report.bin"], check=True)
    for name, wanted in (("with ek.pub", folder), ("without", others[0].folder)):
        run = case.make()
        results(run.returncode == 0 and json.loads(case.record.read_text())["ek_name"] ==
                (wanted / "ek.name").read_bytes().hex(), f"an EK of three, {name}", run.stderr)
        case.record.unlink()
        (folder / "ek.pub").unlink(missing_ok=True)


def main():
    socle, resign, profile, keys = sys.argv[1:5]
    with tempfile.TemporaryDirectory() as top:
        top = Path(top)
        (top / "tpm").mkdir()
        with evidence.tpm(socle, profile, top / "tpm") as tpm:
            cases = []
            for name, ek, key_id, *ak in CASES:
                evidence.make_challenged(tpm, top / name, resign, keys, ek, key_id, *ak)
                if not (top / name / "ak.tpmt").exists():
                    for form in ("tpmt", "tss"):
                        tpm.run("tpm2_readpublic", "-c", top / name / "ak.ctx", "-f", form, "-o",
                                top / name / f"ak.{form}")
                cases.append(Case(socle, tpm, top / name, ek, key_id))
            for case in cases:
                check_made(case, case.folder.name)
                check_again(case, case.folder.name)
            check_refused(cases[0], cases[2])
            check_others(cases[0], cases[2])
            check_records(cases[0])
            check_list(cases[0], (cases[1], cases[2]), resign, keys)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
