#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle certs fetch` against an HTTPS server of this test, which has certificates of the tests' own chains where
AMD's service would have them, and which also lies: nothing that is wrong, too large, too slow or from elsewhere is
kept or written. The addresses are literals, as AMD 57230 (chapter 4), go-sev-guest's kds.go and snpguest's fetch.rs
have them. What was fetched is used by `socle verify`, and the list judged by openssl.

    certs_test.py SOCLE [SHARED]
"""

import http.server
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("verify", "spec", "lib")]
import chains  # noqa: E402
from chains import Chain, crl  # noqa: E402
from chains_test import pem_of  # noqa: E402
from evidence import mine  # noqa: E402
from results import Results  # noqa: E402

results = Results("certs")


class Server:
    """answers: path with query -> bytes, or a function of the handler. asked: the paths that were."""

    def __init__(self, folder):
        self.answers, self.asked = {}, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                server.asked.append(self.path)
                answer = server.answers.get(self.path)
                if callable(answer):
                    answer(self)
                elif answer is None:
                    self.give(b"none such", 404)
                else:
                    self.give(answer)

            def give(self, data, status=200, announced=None, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data) if announced is None else announced))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", folder / "tls.key", "-out", folder / "tls.pem", "-subj", "/CN=kds", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


class Case:
    """A chain, the server's answers for it, and folders that are new each time."""

    def __init__(self, socle, server, top, chain, tls):
        self.socle, self.server, self.chain, self.tls = socle, server, chain, tls
        self.top = Path(tempfile.mkdtemp(dir=top))
        self.folder = chain.write(self.top / "evidence")
        kind = "vlek" if chain.vlek else "vcek"
        base = f"/{kind}/v1/{chain.product}/"
        ark, issuer, signer = chain.certificates()
        self.chain_path, self.crl_path = base + "cert_chain", base + "crl"
        self.signer_path = base + chain.chip.hex() + "?" + self.levels()
        self.good = {self.chain_path: pem_of(issuer) + pem_of(ark), self.crl_path: crl(issuer=f"ARK-{chain.product}"),
                     self.signer_path: signer}
        self.reset()

    def levels(self):
        levels = self.chain.options["levels"]
        parts = (("fmcSPL", "3.9"), ("blSPL", "3.1"), ("teeSPL", "3.2"), ("snpSPL", "3.3"), ("ucodeSPL", "3.8"))
        return "&".join(f"{name}={levels.get(number, 0)}" for name, number in parts
                        if name != "fmcSPL" or number in levels)

    def reset(self):
        for name in ("cache", "out"):
            shutil.rmtree(self.top / name, ignore_errors=True)
        self.server.answers, self.server.asked = dict(self.good), []

    def run(self, *words, root=True, report=None, env=None, cache=True):
        own = ["--ark", mine(self.folder) / "ark.pem"] if root else []
        return subprocess.run([str(w) for w in (
            self.socle, "certs", "fetch", "--server", self.server.url, "--tls-ca", self.tls, "-o", self.top / "out",
            *(["--cache", self.top / "cache"] if cache else []), *own, *words,
            report or self.folder / "report.bin")], capture_output=True, text=True, check=False,
            env={**os.environ, **(env or {})}, timeout=60)

    def files(self, name):
        folder = self.top / name
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}

    def refused(self, name, wanted, *words, kept=None, **more):
        """One line; nothing is written, and nothing kept but what was right before."""
        run = self.run("--quiet", *words, **more)
        results(run.returncode == 1 and wanted in run.stderr and run.stderr.count("\n") == 1 and
                not self.files("out") and len(self.files("cache")) == (kept or 0), name,
                f"{run.returncode} {run.stderr} {self.files('cache').keys()}")


def check_good(case):
    name = f"{case.chain.product}, VLEK {case.chain.vlek}"
    files = {"ark.pem", "asvk.pem", "crl.pem"} if case.chain.vlek else {"ark.pem", "ask.pem", "vcek.pem", "crl.pem"}
    wanted = [case.chain_path, *([] if case.chain.vlek else [case.signer_path]), case.crl_path]
    run = case.run("--crl")
    results(run.returncode == 0 and case.server.asked == wanted and case.files("out").keys() == files, name,
            f"{run.stderr} {case.server.asked} {case.files('out').keys()}")
    results(("clouds alone" in run.stderr) == case.chain.vlek, f"{name}: whether it says that a VLEK is none of AMD's",
            run.stderr)
    run = case.run("--crl", "--offline")
    results(run.returncode == 0 and case.server.asked == wanted and run.stderr.count("from the cache") == len(wanted),
            f"{name}: from the cache", run.stderr)
    run = case.run("--crl")
    results(run.returncode == 0 and case.server.asked == wanted, f"{name}: the cache comes first", case.server.asked)
    results((case.top / "cache").stat().st_mode & 0o777 == 0o700, f"{name}: the cache's rights")
    if not case.chain.vlek:
        run = subprocess.run([str(w) for w in (
            case.socle, "verify", "--report-only", "--trust-emulated", "--certs", case.top / "out", "--crl",
            case.top / "out/crl.pem", "--mine", mine(case.folder), case.folder)], capture_output=True, text=True,
            check=False)
        results(run.returncode == 0 and "revocation" in run.stdout, f"{name}: verified by them",
                run.stdout + run.stderr)
    run = subprocess.run(["openssl", "crl", "-in", case.top / "out/crl.pem", "-CAfile", case.top / "out/ark.pem",
                          "-noout"], capture_output=True, text=True, check=False)
    results(run.returncode == 0 and "verify OK" in run.stderr, f"{name}: openssl judges the list", run.stderr)
    before = len(case.server.asked)
    run = case.run("--crl", "--refresh")
    results(run.returncode == 0 and case.server.asked[before:] == wanted, f"{name}: --refresh")


def raw(status=200, announced=None, data=b"", wait=0.0, **headers):
    def answer(handler):
        time.sleep(wait)
        handler.give(data, status, announced, **headers)
    return answer


def endless(handler):
    """Without a length, and without an end."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(65536))
    except OSError:
        pass


def dripping(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b"\x30")
            handler.wfile.flush()
            time.sleep(0.2)
    except OSError:
        pass


def check_hostile(case, others):
    """Answers for the VCEK; the chain is right, and kept."""
    signer = case.good[case.signer_path]
    ark = chains.Chain().certificates()[0]
    for name, answer, wanted, words in (
            ("nothing", b"", "empty", ()),
            ("a web page", raw(data=b"<html>" + b"x" * 2000, Content_Type="text/html"), "no certificate", ()),
            ("half of it", signer[:len(signer) // 2], "no certificate", ()),
            ("more behind it", signer + b"\0", "no certificate", ()),
            ("too much", bytes(65 << 10), "more than 65536 bytes", ()),
            ("too much without an end", endless, "more than 65536 bytes", ()),
            ("less than was announced", raw(data=signer[:-9], announced=len(signer)), "", ()),
            ("more than could be, announced", raw(announced=1 << 40), "", ("--timeout", "2")),
            ("an encrypted one", b"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC," +
             b"0" * 32 + b"\n\nAAAA\n-----END CERTIFICATE-----\n", "no certificate", ()),
            ("the root in its place", ark, "", ()),
            ("elsewhere", raw(302, Location=case.server.url + case.signer_path), "sends us elsewhere", ()),
            ("elsewhere, for ever", raw(308, Location="http://127.0.0.1:1/"), "sends us elsewhere", ()),
            ("none such", raw(404), "has none such (status 404)", ()),
            ("an error", raw(500), "(status 500)", ()),
            ("too often, without a time", raw(429), "asked too often (status 429)", ()),
            ("too often, for hours", raw(429, Retry_After="7200"), "7200 s", ("--timeout", "5")),
            ("too often, at no time", raw(429, Retry_After="soon"), "asked too often", ()),
            ("too often, for ever", raw(429, Retry_After="1"), "", ("--timeout", "2")),
            ("slow", raw(wait=5), "imed out", ("--timeout", "1")),
            ("drop by drop", dripping, "imed out", ("--timeout", "1")),
            *((f"that of {name}", other.certificates()[2], wanted, ()) for name, other, wanted in others)):
        case.reset()
        case.server.answers[case.signer_path] = answer
        start = time.monotonic()
        case.refused(f"a VCEK: {name}", wanted, *words, kept=1)
        results(time.monotonic() - start < 8, f"a VCEK: {name}: in time")


def check_chain_and_list(case):
    """Answers for the chain and for the list."""
    ark, issuer = case.chain.certificates()[:2]
    other = Chain("Genoa").certificates()
    vlek = Chain(vlek=True).certificates()
    for name, answer, wanted in (
            ("empty", b"", "empty"), ("no PEM", b"x" * 99, "no chain"),
            ("one certificate", pem_of(ark), "in its ASK's place"),
            ("without a root", pem_of(issuer), "root is not yours"),
            ("of another product", pem_of(other[1]) + pem_of(other[0]),
                                                             "root is not yours"),
            ("of VLEKs", pem_of(vlek[1]) + pem_of(vlek[0]), ""),
            ("with a third", pem_of(issuer) + pem_of(ark) + pem_of(other[0]), "no chain")):
        case.reset()
        case.server.answers[case.chain_path] = answer
        case.refused(f"a chain: {name}", wanted)
    case.reset()
    case.server.answers[case.chain_path] = pem_of(ark) + pem_of(issuer)
    results(case.run().returncode == 0, "a chain: in the other order")
    good = case.good[case.crl_path]
    for name, answer, wanted in (
            ("empty", b"", "empty"), ("no list", b"x", "no revocation list"), ("cut", good[:-1], "no revocation list"),
            ("too large", bytes((1 << 20) + 1), "more than 1048576 bytes"),
            ("by the issuer", crl(by="issuer"), "signature"),
            ("by another name", crl(issuer="ARK-Genoa"), "not by the chain's root"),
            ("out of date", crl(following=b"260101000000Z"), "out of date"),
            ("without an end", crl(following=None), "next one"),
            ("for some", crl(extensions=[chains.ONLY_USERS]), "only for"),
            ("not yet in force", crl(this=b"490101000000Z"), "not in force yet")):
        case.reset()
        case.server.answers[case.crl_path] = answer
        case.refused(f"a list: {name}", wanted, "--crl", kept=2)
    # One that names the issuer is a good list; what follows from it is the verifier's.
    case.reset()
    case.server.answers[case.crl_path] = crl([(2,)])
    run = case.run("--crl")
    results(run.returncode == 0, "a list that has the issuer is kept", run.stderr)
    run = subprocess.run([str(w) for w in (
        case.socle, "verify", "--report-only", "--trust-emulated", "--certs", case.top / "out", "--crl",
        case.top / "out/crl.pem", "--mine", mine(case.folder), case.folder)], capture_output=True, text=True,
                         check=False)
    results(run.returncode == 2 and "revoked" in run.stdout, "and revokes it", run.stdout)


def check_patience(case):
    """A server that wants to be left alone for a second is."""
    for status in (429, 503):
        case.reset()
        left = [raw(status, Retry_After="1"), raw(status, Retry_After="1")]

        def answer(handler, left=left):
            if left:
                left.pop()(handler)
            else:
                handler.give(case.good[case.signer_path])
        case.server.answers[case.signer_path] = answer
        start = time.monotonic()
        run = case.run()
        results(run.returncode == 0 and 2 <= time.monotonic() - start < 8 and len(case.server.asked) == 4,
                f"status {status}, twice", f"{run.stderr} {case.server.asked}")


def check_cache(case):
    """What is wrong there is fetched anew, and offline is an error; where it is."""
    case.reset()
    case.refused("offline with nothing", "not in the cache", "--offline")
    results(not case.server.asked and not (case.top / "cache").exists(), "and nobody was asked", case.server.asked)
    case.run("--crl")
    names = sorted(case.files("cache"))
    tcb = "0.4.1.24.219"
    results(names == [f"Milan-vcek-{case.chain.chip.hex()}-{tcb}.der", "Milan-vcek.chain.pem", "Milan-vcek.crl"],
            "the cache's files", names)
    good = case.files("cache")
    for name in names:
        path = case.top / "cache" / name
        path.write_bytes(good[name][:-7])
        shutil.rmtree(case.top / "out", ignore_errors=True)
        run = case.run("--crl", "--offline", "--quiet")
        results(run.returncode == 1 and name in run.stderr and run.stderr.count("\n") == 1 and not case.files("out"),
                f"a spoiled {name}, offline", run.stderr)
        run = case.run("--crl")
        results(run.returncode == 0 and path.read_bytes() == good[name], f"a spoiled {name} is fetched anew",
                run.stderr)
    case.reset()
    for name, env, wanted in (("XDG_CACHE_HOME", {"XDG_CACHE_HOME": str(case.top / "xdg")}, "xdg/socle/kds"),
                              ("HOME", {"XDG_CACHE_HOME": "relative", "HOME": str(case.top / "home")},
                               "home/.cache/socle/kds")):
        run = case.run(env=env, cache=False)
        results(run.returncode == 0 and len(case.files(wanted)) == 2, f"the cache of {name}", run.stderr)
    run = case.run(env={"XDG_CACHE_HOME": "", "HOME": ""}, cache=False)
    results(run.returncode == 1 and "--cache DIR" in run.stderr, "no cache at all", run.stderr)
    (case.top / "file").write_bytes(b"")
    run = case.run("--cache", case.top / "file/cache", cache=False)
    results(run.returncode == 1 and run.stderr.count("\n") == 1, "a cache that cannot be made", run.stderr)


def check_misuse(case, top):
    case.reset()
    # The chain is AMD's own then, which is built in, and the server's VCEK is none of its.
    case.refused("no emulated root", "a certificate", root=False)
    report = (case.folder / "report.bin").read_bytes()
    path = top / "changed.bin"
    for name, changes, words, wanted in (
            ("a masked chip", {at: 0 for at in range(0x1A0, 0x1E0)}, (), "masks the chip"),
            ("a masked key", {0x48: 0x1C}, (), "neither a VCEK nor a VLEK"),
            ("an old report", {0: 2}, (), "give --product"),
            ("another product", {}, ("--product", "Genoa"), "another product than --product")):
        changed = bytearray(report)
        for at, value in changes.items():
            changed[at] = value
        if changes.get(0) == 2:
            changed[0x188:0x18B] = bytes(3)
        path.write_bytes(changed)
        case.reset()
        case.refused(name, wanted, *words, report=path)
        results(not case.server.asked, f"{name}: nobody is asked")
    path.write_bytes(report[:100])
    case.refused("no report", "changed.bin", report=path)
    for url, wanted in (("http://127.0.0.1", "https://"), ("file:///etc", "https://"), ("https://127.0.0.1:1", ""),
                        ("https://" + "a" * 1200, "too long")):
        run = case.run("--server", url)
        results(run.returncode == 1, f"--server twice, {url[:30]}")
        run = subprocess.run([case.socle, "certs", "fetch", "--server", url, "-o", case.top / "out", "--cache",
                              case.top / "cache", "--ark", mine(case.folder) / "ark.pem", case.folder / "report.bin"],
                             capture_output=True, text=True, check=False)
        results(run.returncode == 1 and wanted in run.stderr and run.stderr.count("\n") == 1, f"--server {url[:30]}",
                run.stderr)
    case.tls, good = top / "other.pem", case.tls
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", top / "other.key", "-out", case.tls, "-subj", "/CN=kds", "-days", "2"],
                   check=True, capture_output=True)
    case.refused("another server's certificate", "ertificate")
    results(not case.server.asked, "another server's certificate: nothing is sent to it")
    case.tls = good


def check_genuine(socle, shared, top):
    """AMD's chains are built in: with a VCEK in the cache, nothing has to be fetched."""
    for name, product, words in (("milan-vcek", "Milan", ["--product", "Milan"]), ("genoa-vcek", "Genoa", []),
                                 ("turin-vcek", "Turin", [])):
        prefix, vcek = ("test-", "test-vcek.der") if product == "Milan" else ("", "vcek.pem")
        source = shared / name / f"{prefix}report.bin"
        report = source.read_bytes()
        size = 8 if product == "Turin" else 64
        tcb = report[0x180:0x188]
        levels = (tcb[0], *tcb[1:4], tcb[7]) if product == "Turin" else (0, tcb[0], tcb[1], tcb[6], tcb[7])
        cache, out = top / f"cache-{name}", top / f"out-{name}"
        cache.mkdir()
        der = subprocess.run(["openssl", "x509", "-in", shared / name / vcek, "-outform", "DER"],
                             capture_output=True, check=True).stdout
        text = ".".join(map(str, levels))
        (cache / f"{product}-vcek-{report[0x1A0:0x1A0 + size].hex()}-{text}.der").write_bytes(der)
        run = subprocess.run([str(w) for w in (socle, "certs", "fetch", "--offline", "--cache", cache, "-o", out,
                                               *words, source)], capture_output=True, text=True, check=False)
        results(run.returncode == 0 and "built in" in run.stderr and "from the cache" in run.stderr,
                f"genuine {name}", run.stderr)
        if run.returncode == 0:
            run = subprocess.run(["openssl", "verify", "-CAfile", out / "ark.pem", "-untrusted", out / "ask.pem",
                                  out / "vcek.pem"], capture_output=True, text=True, check=False)
            results(run.returncode == 0, f"genuine {name}: openssl verify", run.stderr)


def main():
    socle, shared = sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as top:
        top = Path(top)
        server = Server(top)
        tls = top / "tls.pem"
        for product, vlek in (("Milan", False), ("Genoa", False), ("Turin", False), ("Venice", False), ("Milan", True)):
            check_good(Case(socle, server, top, Chain(product, vlek), tls))
        case = Case(socle, server, top, Chain(), tls)
        levels = chains.PRODUCTS["Milan"][4]
        check_hostile(case, (
            ("another chip", Chain(hwid=bytes(64)), "another chip"),
            ("a newer TCB", Chain(levels={**levels, "3.8": 220}), "another TCB"),
            ("an older TCB", Chain(levels={**levels, "3.3": 23}), "another TCB"),
            ("a cloud", Chain(vlek=True), ""),
            ("another product", Chain("Genoa"), "")))
        check_chain_and_list(case)
        check_patience(case)
        check_cache(case)
        check_misuse(case, top)
        if shared and (shared / "evidence").is_dir():
            check_genuine(socle, shared / "evidence", top)
        else:
            results.skip("genuine VCEKs", "the folder is not there")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
