#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two instances of `socle verify serve` with their nonces in etcd: what one gave out is good at the other,
once; one is killed under load, and no nonce is used twice; etcd that is gone, or full, is said.

    serve_etcd_test.py SOCLE [--clients N] [--seconds N]

Without etcd everything is skipped.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from base64 import b64encode
from pathlib import Path

import serving
from serving import NONCE, VERDICT
from results import Results  # serving knows where it is

PREFIX, LIFE_S, NONCES = "socle/test", 120, 200
results = Results("verify serve, etcd")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Etcd:
    def __init__(self, folder, *options, context=None):
        self.url = f"http{'s' * bool(context)}://127.0.0.1:{free_port()}"
        self.context = context
        peer = f"http://127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", folder / "etcd", "--listen-client-urls", self.url, "--advertise-client-urls",
             self.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"default={peer}", "--log-level", "error", *map(str, options)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url + "/health", timeout=1, context=context).close()
                return
            time.sleep(0.1)
        raise RuntimeError("etcd does not answer")

    def ask(self, path, **question):
        with urllib.request.urlopen(urllib.request.Request(
                self.url + path, json.dumps(question).encode()), timeout=10, context=self.context) as answer:
            return json.load(answer)

    def keys(self):
        return self.ask("/v3/kv/range", key=b64encode(f"{PREFIX}/".encode()).decode(),
                        range_end=b64encode(f"{PREFIX}0".encode()).decode()).get("kvs", [])

    def end(self):
        self.process.kill()
        self.process.wait()


def check_shared(etcd, guests, one, other):
    nonce = one.nonce()
    files = guests.evidence(nonce)
    keys = etcd.keys()
    life = etcd.ask("/v3/lease/timetolive", ID=keys[0]["lease"])
    results(len(keys) == 1 and int(life["grantedTTL"]) == LIFE_S, "a nonce is a key under a lease of its life", life)
    results(other.verdict(nonce, files)[0] == 200, "what one gave out is good at the other")
    results(one.verdict(nonce, files)[0] == 409 and other.verdict(nonce, files)[0] == 409, "and once")
    results(not etcd.keys(), "then its key is gone")
    nonce = one.nonce()
    lease = etcd.keys()[0]["lease"]
    etcd.ask("/v3/lease/revoke", ID=lease)
    results(one.verdict(nonce, guests.evidence(nonce))[0] == 409, "with its lease a nonce ends")
    nonce = one.nonce()
    key = etcd.keys()[0]
    etcd.ask("/v3/kv/put", key=key["key"], value=b64encode(b"%d" % (time.time() - LIFE_S - 2)).decode())
    results(one.verdict(nonce, guests.evidence(nonce))[0] == 409, "a lease that was prolonged does not help it")
    for value in (b"", b"soon", bytes(600)):
        nonce = one.nonce()
        etcd.ask("/v3/kv/put", key=etcd.keys()[0]["key"], value=b64encode(value).decode())
        code = one.verdict(nonce, guests.evidence(nonce))[0]
        results(code == 409, f"a value that is no time: {value[:10]!r}", code)


class Load:
    """Clients that ask one instance for a nonce, and bring it to all, several times at once."""

    def __init__(self, guests, services, clients):
        self.guests, self.services, self.clients = guests, services, clients
        self.lock, self.until = threading.Lock(), None
        self.good, self.codes, self.lost, self.late = {}, {}, 0, 0

    def bring(self, service, nonce, files):
        try:
            code = service.verdict(nonce, files)[0]
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.lost += 1
            return
        with self.lock:
            self.codes[code] = self.codes.get(code, 0) + 1
            if code == 200:
                self.good[nonce] = self.good.get(nonce, 0) + 1
                self.late += service is self.services[1] and self.services[0].process.poll() is not None

    def client(self, index):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            while time.monotonic() < self.until:
                try:
                    nonce = self.services[index % 2].nonce()
                except (OSError, http.client.HTTPException, RuntimeError):
                    index += 1
                    continue
                files = self.guests.evidence(nonce)
                list(pool.map(lambda s, n=nonce, f=files: self.bring(s, n, f), self.services * 2))

    def run(self, seconds):
        self.until = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(self.clients) as pool:
            running = [pool.submit(self.client, index) for index in range(self.clients)]
            time.sleep(seconds / 2)
            given = [self.services[0].nonce() for _ in range(5)]
            self.services[0].kill()
            for nonce in given:
                self.bring(self.services[1], nonce, self.guests.evidence(nonce))
            for one in running:
                one.result()
        return given


def check_killed(guests, one, other, clients, seconds):
    load = Load(guests, [one, other], clients)
    given = load.run(seconds)
    said = f"{len(load.good)} nonces, answers {load.codes}, {load.lost} connections lost"
    results(max(load.good.values(), default=0) == 1, "one instance is killed under load, no nonce is used twice", said)
    results(load.lost > 0 and load.late > 5 and len(load.good) > 20 and set(load.codes) <= {200, 409, 503},
            "the other goes on", said)
    results(all(load.good.get(nonce) == 1 for nonce in given), "and takes what the killed one gave out", said)
    print(f"# {said}, {load.late} good ones after one was killed")


def check_bound(etcd, guests, service):
    held = len(etcd.keys())
    answers = [service.ask("POST", NONCE) for _ in range(NONCES - held + 10)]
    codes = [code for code, _ in answers]
    results(codes == [200] * (NONCES - held) + [503] * 10 and "is full" in answers[-1][1]["error"],
            "a flood of nonces ends at the bound", (held, codes.count(200)))
    results(len(etcd.keys()) == NONCES, "and leaves no key behind it", len(etcd.keys()))
    nonce = bytes.fromhex(answers[0][1]["nonce"])
    results(service.verdict(nonce, guests.evidence(nonce))[0] == 200 and service.ask("POST", NONCE)[0] == 200,
            "one that came back makes room for one")


def check_gone(etcd, guests, service):
    etcd.ask("/v3/kv/deleterange", key=etcd.keys()[0]["key"])  # which makes room for one
    nonce = service.nonce()
    etcd.end()
    for name, answer in (("no nonce", service.ask("POST", NONCE)),
                         ("no verdict", service.verdict(nonce, guests.evidence(nonce)))):
        results(answer[0] == 503 and answer[1]["error"] == "the store of nonces cannot be reached",
                f"without etcd: {name}, and a word why", answer)
    results(service.ask("GET", "/metrics")[0] == 200 and service.ask("POST", VERDICT, b"[]")[0] == 400,
            "what needs no etcd goes on")


def check_silent(socle, folder, etcd, guests):
    """An address that takes no connection, as of a computer that is off: passed over, and asked last from then on."""
    with socket.socket() as deaf, contextlib.ExitStack() as stack:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # until no more are let in
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        urls = ("--etcd", "http://127.0.0.1:%u" % deaf.getsockname()[1], "--etcd", etcd.url)
        with serving.service(socle, folder, *urls, "--etcd-prefix", PREFIX + "/silent") as service:
            code, said = service.ask("POST", NONCE)
            results(code == 200, "an address that does not answer is passed over", said)
            start = time.monotonic()
            nonce = service.nonce()
            took = time.monotonic() - start
            results(service.verdict(nonce, guests.evidence(nonce))[0] == 200 and took < 0.9,
                    "and asked last from then on", took)


def check_hung(socle, folder):
    """An etcd that takes each question and answers none holds up only who needs it, and not for long."""
    with socket.socket() as hung, contextlib.ExitStack() as stack:
        hung.bind(("127.0.0.1", 0))
        hung.listen(64)
        url = "http://127.0.0.1:%u" % hung.getsockname()[1]
        with serving.service(socle, folder, "--etcd", url, "--etcd-prefix", PREFIX + "/hung") as service:
            start = time.monotonic()
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(60))
            asked = [pool.submit(service.ask, "POST", NONCE) for _ in range(60)]
            answers = [one.result() for one in asked]
            took = time.monotonic() - start
            results(all(answer[0] == 503 and answer[1]["error"] == "the store of nonces cannot be reached"
                        for answer in answers) and took < 12, "60 clients are told that an etcd does not answer",
                    (took, answers[:1]))
            start = time.monotonic()
            results(service.ask("GET", "/metrics")[0] == 200 and time.monotonic() - start < 4,
                    "and what needs no etcd goes on", time.monotonic() - start)


def check_tls(socle, folder, guests):
    """etcd that shows a certificate, and wants one."""
    (folder / "tls").mkdir()
    pem, key = folder / "tls.pem", folder / "tls.key"
    context = ssl.create_default_context(cafile=str(pem))
    context.load_cert_chain(pem, key)
    etcd = Etcd(folder / "tls", "--cert-file", pem, "--key-file", key, "--trusted-ca-file", pem,
                "--client-cert-auth", context=context)
    ca, own = ("--etcd-ca", pem), ("--etcd-cert", pem, "--etcd-key", key)
    try:
        for name, options, wanted in (("both certificates", (*ca, *own), 200), ("none of the client's", ca, 503),
                                      ("an authority that is not known", own, 503)):
            with serving.service(socle, folder, "--etcd", etcd.url, "--etcd-prefix", PREFIX, *options) as service:
                code, said = service.ask("POST", NONCE)
                results(code == wanted, f"etcd by TLS, with {name}", said)
                if code == 200:
                    nonce = bytes.fromhex(said["nonce"])
                    results(service.verdict(nonce, guests.evidence(nonce))[0] == 200, "and a verdict")
    finally:
        etcd.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socle")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    if not shutil.which("etcd"):
        results.skip("two instances", "etcd is not installed")
        results.finish()
        return 0
    guests = serving.Guests()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serving.prepare(folder, guests)
        etcd = Etcd(folder)
        words = ("--etcd", f"http://127.0.0.1:{free_port()}", "--etcd", etcd.url + "/", "--etcd-prefix", PREFIX,
                 "--nonces", NONCES)
        try:
            with serving.service(options.socle, folder, *words) as one, \
                    serving.service(options.socle, folder, *words) as other:
                check_shared(etcd, guests, one, other)
                check_killed(guests, one, other, options.clients, options.seconds)
                check_silent(options.socle, folder, etcd, guests)
                check_bound(etcd, guests, other)
                check_gone(etcd, guests, other)
                results(other.end() == 0, "SIGTERM ends it with status 0", other.log[-3:])
        finally:
            etcd.end()
        check_hung(options.socle, folder)
        check_tls(options.socle, folder, guests)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
