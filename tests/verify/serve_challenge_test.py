#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle verify serve` with challenges, for keys that no manifest attests. The judge from outside is a TPM: libtpms, in
`socle vtpm serve` and driven by tpm2-tools, opens what the service made. A challenge belongs to its nonce, is good
once, and for no other key; with etcd one instance makes it and another hears the answer.

    serve_challenge_test.py SERVICE SOCLE RESIGN PROFILE KEY_DIR
"""

import base64
import concurrent.futures
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import serving
from serving import NONCE
import evidence
import rules
import serve_etcd_test
from evidence import mine
from results import Results  # serving knows where it is

CHALLENGE, VERDICT = "/v1/challenge", serving.VERDICT
# An EK of the profile, at its handle, and the number of its template; and signing keys of evidence.OTHER_AKS.
EK, KEY_ID = "0x81010012", 0x11
AKS = {"ak": "azure", "other": "unrestricted"}
MEASUREMENT = bytes(range(48))
FILES = ("report.bin", "ask.pem", "vcek.pem", "manifest.bin", "selector.bin", "context.bin", "ek.pub", "ak.pub")
QUOTE = ("quote.msg", "quote.sig", "quote.pcrs")
results = Results("verify serve, challenges")


class Guest:
    """A machine with a TPM, whose AKs its manifest does not have."""

    def __init__(self, tpm, top, resign, keys):
        self.tpm, self.top, self.resign, self.keys, self.count = tpm, top, resign, keys, 0
        self.made = top / "keys"
        self.made.mkdir()
        tpm.run("tpm2_readpublic", "-c", EK, "-f", "tpmt", "-o", self.made / "manifest.bin")
        tpm.run("tpm2_readpublic", "-c", EK, "-f", "pem", "-o", self.made / "ek.pub")
        selector = struct.pack("<QI", rules.KEY, KEY_ID)
        (self.made / "selector.bin").write_bytes(selector)
        (self.made / "context.bin").write_bytes(rules.make_context(rules.VTPM, 0, selector))
        for name, kind in AKS.items():
            (top / name).mkdir()
            evidence.make_other_ak(tpm, top / name, kind)
            for form, file in (("tss", "ak.tss"), ("pem", "ak.pub"), ("ctx", "ak.ctx")):
                shutil.copy(top / name / file, self.made / f"{name}.{form}")

    def attest(self, nonce, ak="ak", measurement=MEASUREMENT, quoted=True):
        """What the guest sends for a challenge, and for a verdict but the answer."""
        self.count += 1
        work = self.top / f"evidence-{self.count}"
        shutil.copytree(self.made, work)
        shutil.copy(work / f"{ak}.tss", work / "ak.pub")
        mine(work).mkdir()
        (mine(work) / "nonce.bin").write_bytes(nonce)
        evidence.make_report(work, measurement)
        subprocess.run([self.resign, self.keys, work / "report.bin", work], check=True)
        if quoted:
            evidence.quote(self.tpm, nonce, work / f"{ak}.ctx", work / "quote")
        return {name: (work / name).read_bytes() for name in (*FILES, *(QUOTE if quoted else ()))}

    def activate(self, credential, ak="ak"):
        """The TPM's answer."""
        (self.top / "credential").write_bytes(credential)
        self.tpm.run("tpm2_activatecredential", "-c", self.made / f"{ak}.ctx", "-C", EK, "-i", self.top / "credential",
                     "-o", self.top / "answer.bin")
        return (self.top / "answer.bin").read_bytes()


def without(files, *names):
    return {name: data for name, data in files.items() if name not in names}


def challenge(service, nonce, files):
    return service.ask("POST", CHALLENGE, serving.request(nonce, without(files, *QUOTE)))


def challenged(service, guest, **options):
    """A nonce, evidence, and the answer to its challenge."""
    nonce = service.nonce()
    files = guest.attest(nonce, **options)
    code, said = challenge(service, nonce, files)
    if code != 200:
        raise RuntimeError(said)
    return nonce, files, guest.activate(base64.b64decode(said["credential"], validate=True), options.get("ak", "ak"))


def check_good(service, guest):
    nonce = service.nonce()
    files = guest.attest(nonce)
    code, said = challenge(service, nonce, files)
    results(code == 200 and set(said) == {"credential", "expires_in"} and said["expires_in"] == 120,
            "one is made", said)
    answer = guest.activate(base64.b64decode(said["credential"]))
    results(len(answer) == 32, "a TPM opens it", answer)
    code, said = service.verdict(nonce, {**files, "answer.bin": answer})
    results(code == 200 and said["bindings"] == ["challenge"] and "ear" in said, "and its verdict rests on it", said)
    results(service.verdict(nonce, {**files, "answer.bin": answer})[0] == 409, "the nonce is good once")
    results(challenge(service, nonce, files)[0] == 409, "and for no other challenge, either")
    nonce = service.nonce()
    code, said = service.verdict(nonce, guest.attest(nonce))
    results(code == 403 and said["failed"] == "attested-ak", "without a challenge the key is nobody's", said)


def check_answers(service, guest):
    """What is wrong with the second half."""
    def verdict(name, change, code, words):
        nonce, files, answer = challenged(service, guest)
        change(files, answer)
        said = service.verdict(nonce, files)
        results(said[0] == code and words in (said[1].get("failed") or said[1].get("error") or ""), name, said)
        results(service.verdict(nonce, {**files, "answer.bin": answer})[0] == 409,
                f"{name}: and there is no second try")

    other, _, earlier = challenged(service, guest)
    foreign = guest.attest(other, ak="other")
    for name, change, code, words in (
            ("no answer", lambda f, a: None, 422, "missing: the answer to the challenge"),
            ("a bit of the answer", lambda f, a: f.update({"answer.bin": bytes([a[0] ^ 1]) + a[1:]}), 403,
             "challenge-answer"),
            ("an empty answer", lambda f, a: f.update({"answer.bin": b""}), 403, "challenge-answer"),
            ("half an answer", lambda f, a: f.update({"answer.bin": a[:16]}), 403, "challenge-answer"),
            ("the answer to another challenge", lambda f, a: f.update({"answer.bin": earlier}), 403,
             "challenge-answer"),
            ("another key of the same TPM", lambda f, a: f.update(
                {"answer.bin": a, **{name: foreign[name] for name in ("ak.pub", "quote.msg", "quote.sig")}}), 403,
             "challenge-ak"),
            ("a quote for another nonce", lambda f, a: f.update(
                {"answer.bin": a, "quote.msg": b"", "quote.sig": b""}), 403, "quote-signature"),
            ("evidence for another nonce", lambda f, a: f.update(
                {"answer.bin": a, "report.bin": foreign["report.bin"]}), 403, "report-data"),
            ("no key", lambda f, a: (f.update({"answer.bin": a}), f.pop("ak.pub")), 422, "missing: the challenged AK")):
        verdict(name, change, code, words)


def check_requests(service, guest):
    """What is wrong with the first half; each takes its nonce, but for those that cannot be read."""
    key = guest.made / "other.tss"
    for name, change, words in (
            ("no AK", lambda f: f.pop("ak.pub"), "missing: the AK"),
            ("an AK in PEM", lambda f: f.update({"ak.pub": (guest.made / "ak.pem").read_bytes()}), "a PEM has no Name"),
            ("an AK that is no key", lambda f: f.update({"ak.pub": b"x" * 90}), "ak.pub"),
            ("an AK that decrypts", lambda f: f.update({"ak.pub": f["manifest.bin"]}), "no signing key"),
            ("an EK that is none of the manifest's",
             lambda f: f.update({"ek.pub": (guest.made / "ak.pem").read_bytes()}), "the EK is no endorsement key"),
            ("an answer beforehand", lambda f: f.update({"answer.bin": bytes(32)}), "it answers no challenge yet"),
            ("no report", lambda f: f.pop("report.bin"), "missing: the report"),
            ("another manifest", lambda f: f.update({"manifest.bin": key.read_bytes()[2:]}),
             "not trusted: report-data"),
            ("a bit of the report", lambda f: f.update({"report.bin": f["report.bin"][:0x90] + b"x" +
                                                        f["report.bin"][0x91:]}), "not trusted: ")):
        nonce = service.nonce()
        files = guest.attest(nonce, quoted=False)
        good = dict(files)
        change(files)
        code, said = challenge(service, nonce, files)
        results(code == 422 and said["verdict"] == "error" and words in said["error"], f"no challenge: {name}", said)
        results(challenge(service, nonce, good)[0] == 409, f"{name}: its nonce is taken")
    nonce = service.nonce()
    code, said = challenge(service, nonce, guest.attest(nonce, measurement=bytes(48), quoted=False))
    results(code == 422 and "not trusted: measurement" in said["error"], "no challenge: another image", said)
    nonce = service.nonce()
    files = guest.attest(nonce)
    code, said = service.verdict(nonce, {**files, "answer.bin": bytes(32)})
    results(code == 422 and "no challenge was made for this nonce" in said["error"], "an answer to nothing", said)
    for name, method, body, headers, code in (
            ("GET", "GET", None, None, 405), ("no JSON", "POST", b"{", None, 400),
            ("an unknown file", "POST", {"nonce": "00" * 64, "evidence": {"challenge.json": ""}}, None, 400),
            ("text", "POST", b"{}", {"Content-Type": "text/plain"}, 415),
            ("a nonce of nobody", "POST", serving.request(bytes(64), files), None, 409)):
        said = service.ask(method, CHALLENGE, body, headers)
        results(said[0] == code, f"no challenge: {name}", said)


def check_void(service, guest):
    """A second challenge ends the first: whoever asked for it cannot say which of two answers is meant."""
    nonce, files, answer = challenged(service, guest)
    code, said = challenge(service, nonce, files)
    results(code == 409 and "is void now" in said["error"], "a second challenge for a nonce", said)
    results(service.verdict(nonce, {**files, "answer.bin": answer})[0] == 409, "and the first is void")
    nonce = service.nonce()
    files = guest.attest(nonce, quoted=False)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: challenge(service, nonce, files)[0], range(20)))
    results(codes.count(200) == 1 and set(codes) == {200, 409}, "twenty with one nonce at once: one is made", codes)
    nonce, files, answer = challenged(service, guest)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: service.verdict(nonce, {**files, "answer.bin": answer})[0], range(20)))
    results(sorted(codes) == [200] + [409] * 19, "twenty with one answer at once: one verdict", codes)


def check_said(service):
    """Counters and the log."""
    found = service.metrics()
    made = sum(value for name, value in found.items() if name.startswith("socle_verify_requests_total") and
               'endpoint="challenge",status="200"' in name)
    results(found["socle_verify_challenges_total"] == made > 10, "challenges are counted", found)
    results(service.end() == 0, "it ends in order", service.log[-3:])
    lines = [line for line in service.log if " path=/v1/challenge " in line]
    results(len([line for line in lines if " status=200 " in line and " verdict=challenged" in line]) == made,
            "and are lines of the log", lines[:5])
    results(not any("secret" in line or "credential" in line for line in service.log), "which tells no secret")


def check_store(socle, folder, guest):
    with serving.service(socle, folder, "--nonces", 1) as service:
        nonce, files, answer = challenged(service, guest)
        results(service.ask("POST", NONCE)[0] == 503, "a challenge is a nonce in the store")
        results(service.verdict(nonce, {**files, "answer.bin": answer})[0] == 200 and
                service.ask("POST", NONCE)[0] == 200, "whose answer makes room")
    with serving.service(socle, folder) as service:
        results(service.verdict(nonce, {**files, "answer.bin": answer})[0] == 409, "another process does not know it")
    keys = {**json.loads((folder / "policy.json").read_text()), "look_at": "keys"}
    (folder / "policy.json").write_text(json.dumps(keys))
    with serving.service(socle, folder) as service:
        nonce = service.nonce()
        code, said = challenge(service, nonce, guest.attest(nonce, quoted=False))
        results(code == 404 and "look_at is keys" in said["error"], "no challenges where no quote is looked at", said)


def check_etcd(socle, folder, guest):
    """One instance makes it, the other hears the answer, also when the first is gone."""
    if not shutil.which("etcd"):
        results.skip("two instances", "etcd is not installed")
        return
    etcd = serve_etcd_test.Etcd(folder)
    words = ("--etcd", etcd.url, "--etcd-prefix", serve_etcd_test.PREFIX)
    try:
        with serving.service(socle, folder, *words) as one, serving.service(socle, folder, *words) as other:
            nonce, files, answer = challenged(one, guest)
            results(len(etcd.keys()) == 1, "it is the nonce's key in etcd", etcd.keys())
            code, said = other.verdict(nonce, {**files, "answer.bin": answer})
            results(code == 200 and said["bindings"] == ["challenge"], "one made it, the other hears the answer", said)
            results(one.verdict(nonce, {**files, "answer.bin": answer})[0] == 409, "once")
            nonce, files, answer = challenged(one, guest)
            etcd.ask("/v3/lease/revoke", ID=etcd.keys()[0]["lease"])
            results(one.verdict(nonce, {**files, "answer.bin": answer})[0] == 409, "with its lease it ends")
            for name, change in (("cut", lambda v: v[:-40]), ("nothing", lambda v: v.split()[0] + b" "),
                                 ("longer than any", lambda v: v + b" " * 600)):
                nonce, files, answer = challenged(one, guest)
                key = etcd.keys()[0]
                value = base64.b64decode(key["value"])
                etcd.ask("/v3/kv/put", key=key["key"], value=base64.b64encode(change(value)).decode())
                code, said = one.verdict(nonce, {**files, "answer.bin": answer})
                results(code in (409, 422), f"a record that somebody spoiled: {name}", said)
            nonce, files, answer = challenged(one, guest)
            one.kill()
            results(other.verdict(nonce, {**files, "answer.bin": answer})[0] == 200, "the first is killed meanwhile")
    finally:
        etcd.end()


def main():
    service_program, socle, resign, profile, keys = sys.argv[1:6]
    with tempfile.TemporaryDirectory() as top, evidence.tpm(socle, profile, Path(top)) as tpm:
        guest, folder = Guest(tpm, Path(top), resign, keys), Path(top) / "service"
        folder.mkdir()
        serving.prepare(folder, serving.Guests(), measurements={"expected": MEASUREMENT.hex()})
        guest.attest(bytes(64), quoted=False)
        shutil.copy(Path(top) / "evidence-1/ark.pem", folder / "ark.pem")
        with serving.service(service_program, folder) as service:
            check_good(service, guest)
            check_answers(service, guest)
            check_requests(service, guest)
            check_void(service, guest)
            check_said(service)
        check_etcd(service_program, folder, guest)
        check_store(service_program, folder, guest)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
