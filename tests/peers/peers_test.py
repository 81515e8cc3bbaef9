#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Verifiers of other projects beside `socle verify`: over genuine evidence where it is at hand, over
reports that the emulated machine's key signs, and over all forgeries of tests/verify. A difference of
verdict that is not in DIFFERENCES, with its reason, fails, and so does one that is gone.

    peers_test.py --programs BUILD [--shared DIR] [--work build/peers]

The peers are go-sev-guest's `check` and snpguest's `verify`, of the versions below, which the go and cargo
commands fetch and build in the work folder, once; snpguest while the other judges. They judge reports and the
certificates above them, and nothing of what an SVSM adds.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("verify", "lib")]

import chains  # noqa: E402
import chains_test  # noqa: E402
import forgeries  # noqa: E402
import evidence  # noqa: E402
import verify_test as common  # noqa: E402
from evidence import mine, own  # noqa: E402
from results import Results  # noqa: E402

SNPGUEST = "0.11.0"
GO_SEV_GUEST = "github.com/google/go-sev-guest/tools/{}@v0.15.0"
# The most that a policy may allow, and nothing that it must demand: SMT (bit 16), the bit that is always
# set (17) and CXL (21), but neither migration (18) nor debugging (19).
POLICY = "0x230000"

# Which the peer wants to know beforehand, for its roots and for reports that do not say it.
STEPPINGS = {"Milan": "Milan-B0", "Genoa": "Genoa-B1", "Turin": "Turin-C1"}

result = Results("peers")


def install(work, tool):
    """A tool of go-sev-guest's, or None with the reason as a result."""
    if not shutil.which("go"):
        result.skip(tool, "there is no go command")
        return None
    program = (work / "bin" / tool).resolve()
    if not program.exists():
        environment = {**os.environ, "GOBIN": str(program.parent), "GOFLAGS": "-modcacherw",
                       "GOPATH": str((work / "gopath").resolve())}
        run = subprocess.run(["go", "install", GO_SEV_GUEST.format(tool)], env=environment, check=False,
                             capture_output=True, text=True)
        if run.returncode != 0:
            result.skip(tool, f"go install {GO_SEV_GUEST.format(tool)}: {run.stderr.strip().splitlines()[-1:]}")
            return None
    return program


def build(program, command, **options):
    """Why a program cannot be built with another language's tool, or None."""
    if program.exists():
        return None
    if not shutil.which(command[0]):
        return f"there is no {command[0]} command"
    run = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, **options)
    return None if run.returncode == 0 else run.stderr.strip().splitlines()[-1:] or ["it cannot be built"]


def build_others(work):
    """What judges or writes evidence besides go-sev-guest: name -> (program, why it could not be built or None)."""
    work = work.resolve()
    # Quickly built, not quick: it judges some hundred reports. With the OpenSSL that is there: it would build one of
    # its own for most of the time.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "target"), "CARGO_PROFILE_DEV_DEBUG": "0",
                   "CARGO_INCREMENTAL": "0", "OPENSSL_NO_VENDOR": "1"}
    go = {**os.environ, "GOPATH": str(work / "gopath"), "GOFLAGS": "-modcacherw"}
    snpguest, tpmtools = work / "bin/snpguest", work / "bin/tpmtools"
    return {"tpmtools": (tpmtools, build(tpmtools, ["go", "build", "-o", tpmtools, "."], env=go,
                                         cwd=ROOT / "tests/peers/tpmtools")),
            "snpguest": (snpguest, build(snpguest, ["cargo", "install", "--quiet", "--debug", "--locked", "--root",
                                                    work, "snpguest@" + SNPGUEST], env=environment))}


def those_built(others):
    """Name -> program, or None with the reason as a result."""
    for name, (_, reason) in others.items():
        if reason:
            result.skip(name, reason)
    return {name: None if reason else program for name, (program, reason) in others.items()}


def read_certificate(path):
    """DER of the one certificate in a file."""
    return common.second.read_certificates(path)[0].public_bytes(
        common.second.serialization.Encoding.DER)


class Case:
    """A report and its certificates, and what `socle verify` is told of them."""

    def __init__(self, name, folder, options=(), product="Milan", genuine=False):
        self.name, self.folder, self.options = name, Path(folder), [str(o) for o in options]
        self.product, self.genuine = product, genuine

    def option(self, name, otherwise=None):
        return self.options[self.options.index(name) + 1] if name in self.options else otherwise

    def chain(self):
        vlek = (self.folder / "report.bin").read_bytes()[0x48] >> 2 & 7 == 1
        return ("vlek", "asvk", "ark") if vlek else ("vcek", "ask", "ark")

    def file(self, name):
        own_file = mine(self.folder) / f"{name}.pem"
        return own_file if own_file.exists() else self.folder / f"{name}.pem"

    def attestation(self):
        """As the peer reads it: the report and the host's table."""
        report = (self.folder / "report.bin").read_bytes()
        if (self.folder / "certs.bin").exists():
            return report + (self.folder / "certs.bin").read_bytes()
        names = self.chain()
        if not all(self.file(name).exists() for name in names):
            return report
        places = ("vlek" if names[0] == "vlek" else "vcek", "ask", "ark")
        return report + common.make_table(
            {place: read_certificate(self.file(name)) for place, name in zip(places, names)}, places)

    def ours(self, socle):
        folder = own(self.folder) if mine(self.folder).is_dir() else [self.folder]
        trust = [] if self.genuine else ["--trust-emulated"]
        run = subprocess.run([str(word) for word in (socle, "verify", "--quiet", "--report-only", *trust,
                                                     *self.options, *folder)],
                             capture_output=True, check=False)
        return run.returncode == 0

    def failing(self, socle):
        """The checks that fail with us; None where there is no verdict."""
        folder = own(self.folder) if mine(self.folder).is_dir() else [self.folder]
        trust = [] if self.genuine else ["--trust-emulated"]
        run = subprocess.run([str(word) for word in (socle, "verify", "--json", "--report-only", *trust,
                                                     *self.options, *folder)],
                             capture_output=True, text=True, check=False)
        verdict = json.loads(run.stdout)
        return None if verdict["verdict"] == "error" else \
            {check["name"] for check in verdict["checks"] if check["result"] == "fail"}

    def snpguest(self, program, work):
        """Whether it takes the chain and the report; the words that it says. None without certificates."""
        names = self.chain()
        if not all(self.file(name).exists() for name in names):
            return None, ""
        folder = work / "snpguest-certs"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            shutil.copy(self.file(name), folder / f"{name}.pem")
        (work / "snpguest-report").write_bytes((self.folder / "report.bin").read_bytes()[:1184])
        # An old report does not say it.
        words = ["--processor-model", self.product.lower()] if (work / "snpguest-report").read_bytes()[0] < 3 else []
        said = ""
        for command in (["certs", folder], ["attestation", folder, work / "snpguest-report", *words]):
            run = subprocess.run([str(word) for word in (program, "verify", *command)], capture_output=True, text=True,
                                 check=False)
            said += run.stderr
            if run.returncode:
                return False, said.strip()
        return True, said.strip()

    def peers(self, check, work):
        words = [check, "-in", work / "attestation", "-inform", "bin", "-network=false",
                 "-provisional=true", "-guest_policy", POLICY, "-vmpl", self.option("--vmpl", "0"),
                 "-product_name", STEPPINGS.get(self.product, "Milan-B0")]
        (work / "attestation").write_bytes(self.attestation())
        if not self.genuine:
            issuer, root = (read_certificate(self.file(name)) for name in self.chain()[1:])
            (work / "roots.pem").write_bytes(chains_test.pem_of(issuer) + chains_test.pem_of(root))
            words += ["-product_key_path", work / "roots.pem"]
        if self.option("--measurement"):
            words += ["-measurement", self.option("--measurement")]
        run = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
        return run.returncode == 0, run.stderr.strip()


def chain_cases(top):
    for number, (name, chain, options, _, _) in enumerate(chains_test.CASES):
        yield Case(name, chain.write(top / f"chain-{number}"), options, chain.product)


def forged_cases(top):
    """Each in the same folder, one after the other."""
    for vlek in (False, True):
        chain = chains.Chain(vlek=vlek)
        folder = chain.write(top / f"forged-{vlek}")
        cases = [(name, report) for name, report, _ in forgeries.reports(chain)] if not vlek else []
        for name, report in [*cases, *forgeries.signatures(chain)]:
            (folder / "report.bin").write_bytes(report)
            yield Case(f"forged, VLEK {vlek}, {name}", folder)


def genuine_cases(shared):
    for name, options, _, _ in chains_test.GENUINE:
        if name.startswith("evidence/"):
            yield Case(f"{name} {' '.join(options)}".strip(), shared / name, options, genuine=True)


class Signed:
    """Reports by the emulated machine's own key, and the forgeries of verify_test on them."""

    def __init__(self, programs, top):
        self.resign, self.keys = programs / "tests/verify/resign", programs / "tests/keys"
        self.good, self.top = top / "machine", top
        self.good.mkdir()
        (self.good / "other").mkdir()
        mine(self.good).mkdir()
        (mine(self.good) / "nonce.bin").write_bytes(os.urandom(64))
        (self.good / "manifest.bin").write_bytes(os.urandom(64))
        evidence.sign(self.good, self.resign, self.keys)
        shutil.copy(self.good / "report.bin", self.good / "other")
        subprocess.run([self.resign, top / "other-keys", self.good / "other/report.bin",
                        self.good / "other"], check=True)

    def cases(self):
        yield Case("the machine's own report", self.good)
        yield Case("the machine's own report and measurement", self.good,
                   ["--measurement", self.measurement(self.good)])
        for number, (name, status, checks, sign, change) in enumerate(common.CORRUPTIONS):
            if status > 4 or checks == ["measurement"] and not sign:
                continue
            folder = self.top / f"machine-{number}"
            evidence.copy(self.good, folder)
            change(folder)
            if sign:
                subprocess.run([self.resign, self.keys, folder / "report.bin"], check=True)
            yield Case(f"machine: {name}", folder, ["--measurement", self.measurement(folder)])

    @staticmethod
    def measurement(folder):
        return (mine(folder) / "measurement.hex").read_text().strip()


NO_FMC = "go-sev-guest 0.15 knows no level of an FMC, and takes no extension that it does not know"
NO_OTHER_EXTENSION = "it takes no extension of a VCEK that it does not know, critical or not"
NO_TIME = "it judges at the present time alone"
NO_MARK = "it knows no emulated certificates, only roots that it is given"
NO_CLOUD = "it compares no CSP id"
NO_PRODUCT = "it takes a report's CPUID for the product, and not what the certificate says"
NO_MODEL = "it does not know models A0h to AFh (Bergamo, Siena)"
NO_LAUNCH_TCB = "it does not compare the TCB at launch unless it is told"
NO_CURRENT = "where it may take firmware that is not committed, it holds no TCB against the committed one"
NO_SIZE = "it takes an issuer's key of any size"
NO_MASK = "it does not look at masked chips and keys"

# Name -> why the verdicts differ.
DIFFERENCES = {
    **{f"{product} by its {kind}": NO_FMC for product in ("Turin", "Venice")
       for kind in ("VCEK", "VLEK")},
    "levels that the product does not have": NO_FMC,
    "a floor of Venice's, 3,0,2,9,0": NO_FMC,
    "evidence/turin-vcek": NO_FMC,
    "a signer with the extension": NO_OTHER_EXTENSION,
    "an unknown extension of the signer": NO_OTHER_EXTENSION,
    **{f"at {time}": NO_TIME for time in ("2024-12-31T23:59:59Z", "2050-01-01")},
    **{f"evidence/milan-vlek --at 2025-06-01{more}": NO_TIME for more in (
        "", " --csp-id CN=cc-eu-west-1.amazonaws.com")},
    **{f"{who} without the name": NO_MARK
       for who in ("ark", "issuer", "signer", "ark and issuer and signer")},
    "ark without the extension": NO_MARK,
    "issuer without the extension": NO_MARK,
    "ark and issuer and signer without the extension": NO_MARK,
    "no mark at all": NO_MARK,
    "another cloud": NO_CLOUD,
    "a demanded cloud and a VCEK": NO_CLOUD,
    "a CSP id with a line's end": NO_CLOUD,
    "a CSP id that is too long": NO_CLOUD,
    "an unknown product": NO_PRODUCT,
    "a product that starts like a known one": NO_PRODUCT,
    "no product's name": NO_PRODUCT,
    "Genoa by its VCEK": NO_MODEL,
    "Genoa by its VLEK": NO_MODEL,
    "a newer TCB at launch": NO_LAUNCH_TCB,
    "a TCB at launch below the floor": NO_LAUNCH_TCB,
    "forged, VLEK False, the first bit of the word at 0x1f0": NO_LAUNCH_TCB,
    "byte 2 of a Milan's launch TCB": NO_LAUNCH_TCB,
    "byte 5 of a Milan's launch TCB": NO_LAUNCH_TCB,
    "forged, VLEK False, the last bit of the word at 0x1e0": NO_CURRENT,
    "byte 2 of a Milan's current TCB": NO_CURRENT,
    "byte 5 of a Milan's current TCB": NO_CURRENT,
    "current firmware that is newer": "it compares the parts of firmware versions one by one",
    "machine: the ASK in the ARK's place": "it takes whatever it is given for a root",
    "machine: a mitigation vector before version 5": "it lets what version 5 has be in earlier ones",
    **{f"an issuer of {bits} bits": NO_SIZE for bits in (2048, 3072)},
    "a masked chip": NO_MASK,
    "a masked key": NO_MASK,
    "version 6, allowed": "it cannot be told to take a version that it does not know",
}


# Our check -> why snpguest takes what fails there. What it does check, chain, signature and TCB, is not here.
SNPGUEST_LACKS = {
    "root": "it takes any root that signed itself",
    "vcek": "it reads no more of a certificate's extensions than the levels of the TCB",
    "report-format": "it takes any version, and whatever stands behind the signature",
    "signing-key": "it does not look at the key that a report names",
    "product": "it does not hold a report's CPUID against the certificate",
    "chip-id": "it does not hold the chip's id against the certificate",
    "csp-id": "it compares no CSP id",
    "tcb-order": "it looks at the reported TCB alone",
    "tcb-minimum": "it knows no floor",
    "policy": "it looks at no guest policy",
    "vmpl": "it takes any VMPL",
    "measurement": "its --measurement of 0.11 wants 48 characters where there are 96, so it is not given",
}
SNPGUEST_CHAIN = "it looks at signatures alone: no time, name, size or critical extension"
SNPGUEST_VENICE = "it does not know the product"
SNPGUEST_DIFFERENCES = {
    **{f"a {one}": SNPGUEST_CHAIN for one in ("VCEK by an ASVK", "VLEK by an ASK", "VLEK that is called a VCEK",
                                              "VCEK that is called a VLEK")},
    **{f"at {time}": SNPGUEST_CHAIN for time in ("2024-12-31T23:59:59Z", "2050-01-01")},
    **{f"an unknown critical extension of the {who}": SNPGUEST_CHAIN for who in ("ark", "issuer", "signer")},
    "an issuer of another curve": SNPGUEST_CHAIN,
    **{f"an issuer of {bits} bits": SNPGUEST_CHAIN for bits in (2048, 3072)},
    **{f"evidence/milan-vlek --at {time}": SNPGUEST_CHAIN for time in ("2025-12-11", "2024-12-10")},
    **{name: "it takes any signature algorithm for ECDSA with P-384" for name in (
        "forged, VLEK False, the last bit of the word at 0x30", "machine: another signature algorithm")},
    **{name: SNPGUEST_VENICE for name in ("Venice by its VCEK", "Venice by its VLEK", "a floor of Venice's, 3,0,2,9,0",
                                          "levels that the product does not have")},
}


def judge_snpguest(case, socle, program, work):
    """Our check that explains a difference, or None."""
    theirs, said = case.snpguest(program, work)
    failing = case.failing(socle)
    if theirs is None:
        return None  # there is no chain that it could be given
    name, ours = f"snpguest: {case.name}", failing == set()
    if ours == theirs:
        result(case.name not in SNPGUEST_DIFFERENCES, name, "the listed difference is gone")
        return None
    # More may fail with what is wrong; one that it would have to see may not be among it.
    lacks = not ours and failing is not None and failing & SNPGUEST_LACKS.keys()
    explained = lacks and not failing - SNPGUEST_LACKS.keys() - ({"tcb"} if "vcek" in failing else set())
    result(explained or case.name in SNPGUEST_DIFFERENCES, name, f"ours {failing}, theirs {theirs}: {said}")
    return min(lacks) if explained else None


def check_snpguest(cases, socle, program, work):
    used = set()
    for case in cases:
        used.update(filter(None, [judge_snpguest(case, socle, program, work)]))
    result(used, "snpguest: there are differences that its lacks explain", used)


def check_certificates(work):
    """AMD's own, as the peer has them."""
    folder = next((work / "gopath/pkg/mod/github.com/google").glob("go-sev-guest@*/verify/trust"), None)
    theirs = {c for path in folder.glob("*.pem") for c in common.second.read_certificates(path)} \
        if folder else set()
    for ours in common.second.amd_certificates():
        result(ours in theirs, f"AMD's {ours.subject.rfc4514_string()}", "the peer has another")


def check_messages(cases, socle, show, work):
    """Reports as the peer writes them, which must not change our verdict."""
    for case in cases:
        (work / "attestation").write_bytes(case.attestation())
        (work / "message").unlink(missing_ok=True)  # the peer would leave the end of a longer one
        run = subprocess.run([show, "-in", work / "attestation", "-inform", "bin", "-outform", "proto",
                              "-out", work / "message"], capture_output=True, check=False)
        words = Case(case.name, case.folder, [*case.options, "--report", work / "message"], case.product,
                     case.genuine)
        result(run.returncode == 0 and words.ours(socle) == case.ours(socle),
               f"{case.name}, as the peer's message", run.stderr)


def written(writers, case, work):
    """The case's evidence in the forms of others, as they write it: name of the form -> file."""
    attestation, report = work / "attestation", work / "report"
    attestation.write_bytes(case.attestation())
    report.write_bytes(attestation.read_bytes()[:1184])
    if writers["snpguest"]:
        run = subprocess.run([writers["snpguest"], "display", "report", report, "-o", "json"], check=False,
                             capture_output=True)
        result(run.returncode == 0, f"{case.name}: snpguest.json is written", run.stderr)
        (work / "snpguest.json").write_bytes(run.stdout)
        yield "snpguest.json", work / "snpguest.json"
    for kind in ("attestation", "svsm") if writers["tpmtools"] else ():
        run = subprocess.run([writers["tpmtools"], kind, attestation, work / f"{kind}.pb"], check=False,
                             capture_output=True)
        result(run.returncode == 0, f"{case.name}: {kind}.pb is written", run.stderr)
        yield f"{kind}.pb", work / f"{kind}.pb"


def check_forms(writers, cases, socle, work):
    """What others write reads as the same report, with the same table, and has the same verdict."""
    def shown(path):
        run = subprocess.run([socle, "report", "show", path], capture_output=True, text=True, check=False)
        return [line for line in run.stdout.splitlines()[2:]], run.stderr

    for case in cases:
        for form, path in written(writers, case, work):
            lines, errors = shown(path)
            result(lines and lines == shown(work / "report")[0], f"{case.name}: {form}", errors)
            words = Case(case.name, case.folder, [*case.options, "--report", path], case.product,
                         case.genuine)
            result(words.ours(socle) == case.ours(socle), f"{case.name}: {form}: the verdict")


def judge(case, socle, check, work):
    ours = case.ours(socle)
    theirs, reason = case.peers(check, work)
    if ours == theirs:
        result(case.name not in DIFFERENCES, case.name, "the listed difference is gone")
        return
    result(case.name in DIFFERENCES, case.name, f"ours {ours}, theirs {theirs}: {reason}")


def all_cases(options, top):
    """One after the other: some use one folder."""
    yield from chain_cases(top)
    yield from Signed(options.programs.resolve(), top).cases()
    yield from forged_cases(top)
    if (options.shared / "evidence").is_dir():
        yield from genuine_cases(options.shared)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    check, show = (install(options.work, tool) for tool in ("check", "show"))
    if not check or not show:
        result.finish()
        return 0
    check_certificates(options.work)
    with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor() as pool:
        building = pool.submit(build_others, options.work)
        top = Path(top)
        (top / "first").mkdir()
        if not (options.shared / "evidence").is_dir():
            result.skip("genuine evidence", "the folder is not there")
        socle = options.programs / "tools/socle"
        for case in all_cases(options, top / "first"):
            judge(case, socle, check, top)
        others = those_built(building.result())
        if others["snpguest"]:
            (top / "second").mkdir()
            check_snpguest(all_cases(options, top / "second"), socle.resolve(), others["snpguest"], top)
        messages = [Case("the machine's own report", top / "first/machine")]
        if (options.shared / "evidence").is_dir():
            messages += genuine_cases(options.shared)
        check_messages(messages, socle, show, top)
        check_forms(others, messages, socle.resolve(), top)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
