#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle verify serve`: its verdicts are those of `socle verify` in the same words, a nonce is good once, and
no client stops it: slow ones, half requests, what is too long, garbage, wrong TLS, floods, replays.

    serve_test.py SOCLE COMMAND

SOCLE serves, with sanitizers or without; COMMAND is the `socle` whose `verify` it is compared with.
"""

import base64
import concurrent.futures
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from unittest import mock

import serving
from serving import METRICS, NONCE, ROOT, VERDICT
from ear_test import Key
from results import Results  # serving knows where it is

try:
    import jsonschema
except ImportError:
    jsonschema = None
try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

SCHEMA = json.loads((ROOT / "docs/verdict.schema.json").read_text())
CLIENTS, LIMIT_S, KEEP_S, NONCES, BODY = 100, 2, 10, 150, 64 << 10
STEP_S, STEP_MOST_S, HANG_S, END_S, UNREAD_S, BESIDE_S = 0.01, 0.05, 120, 15, 5, 10
UNKNOWN = "nonce: it is not one of this service's, was used, or is older than 120 seconds"

results = Results("verify serve")


def is_error(answer, status, words):
    code, said = answer
    if jsonschema and isinstance(said, dict):
        jsonschema.validate(said, SCHEMA)
    return code == status and said.get("verdict") == "error" and words in said["error"]


class Command:
    """`socle verify` on the same evidence."""

    def __init__(self, socle, folder):
        self.socle, self.folder = socle, folder

    def verify(self, nonce, files):
        work = self.folder / "command"
        shutil.rmtree(work, ignore_errors=True)
        for name in ("evidence", "mine"):
            (work / name).mkdir(parents=True)
        for name, data in files.items():
            (work / "evidence" / name).write_bytes(data)
        (work / "mine/nonce.bin").write_bytes(nonce)
        shutil.copy(self.folder / "ark.pem", work / "mine")
        run = subprocess.run([self.socle, "verify", "--json", "--policy", self.folder / "policy.json",
                              "--mine", work / "mine", work / "evidence"], capture_output=True, text=True,
                             check=False)
        return json.loads(run.stdout), str(work / "evidence") + "/"


def flipped(data, at):
    data = bytearray(data)
    data[at] ^= 1
    return bytes(data)


def spoiled(files):
    """Name, files: each with one thing wrong."""
    yield "nothing", files
    for name, at in (("report.bin", 0x90), ("manifest.bin", 20), ("quote.msg", 40), ("quote.sig", 10),
                     ("quote.pcrs", 150), ("vcek.pem", 400), ("context.bin", 3), ("selector.bin", 9)):
        yield f"a bit of {name}", {**files, name: flipped(files[name], at)}
    for name in files:
        yield f"{name} of zeros", {**files, name: bytes(40)}
        yield f"{name} cut", {**files, name: files[name][:len(files[name]) // 2]}
    yield "a table that is none", {**files, "certs.bin": bytes(23)}
    yield "an empty table", {**files, "certs.bin": b""}
    yield "a quote as a report", {**files, "report.bin": files["quote.msg"]}


def check_verdicts(service, guests, command):
    """The same object as the command's, or the same line; the status says which it is."""
    for name, change in (("good", {}), ("VMPL 2", {"vmpl": 2}), ("debugging", {"policy": 0xB0000})):
        nonce = service.nonce()
        files = guests.evidence(nonce, **change)
        check_same(service, command, name, nonce, files)
    nonce = service.nonce()
    for name, files in list(spoiled(guests.evidence(nonce))):
        nonce = service.nonce()
        good = guests.evidence(nonce)
        check_same(service, command, name, nonce, dict(spoiled(good))[name])
    other, nonce = service.nonce(), service.nonce()
    code, said = service.verdict(nonce, guests.evidence(other))
    results(code == 403 and said["failed"] == "report-data", "the evidence of another nonce", (code, said))


def check_same(service, command, name, nonce, files):
    code, said = service.verdict(nonce, files)
    wanted, folder = command.verify(nonce, files)
    if jsonschema:
        jsonschema.validate(said, SCHEMA)
    token = said.pop("ear", None)
    if wanted["verdict"] == "error":
        wanted["error"] = wanted["error"].replace(folder, "")
    status = {"trusted": 200, "refused": 403, "error": 422}[wanted["verdict"]]
    results(code == status and said == wanted and bool(token) == (status != 422),
            f"{name}: as the command has it", f"{code} {said}, not {wanted}")


def check_tokens(service, guests, folder):
    key = Key(folder, "ES384")
    key.key = serving.serialization.load_pem_private_key((folder / "ear.key").read_bytes(), None)
    key.id = hashlib.sha256(key.key.public_key().public_bytes(
        serving.serialization.Encoding.DER,
        serving.serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    for change, tier in (({}, "warning"), ({"vmpl": 2}, "contraindicated")):
        nonce = service.nonce()
        _, said = service.verdict(nonce, guests.evidence(nonce, **change))
        claims = key.read(said["ear"])
        policy = claims["submods"]["snp"]["ear.appraisal-policy-id"]
        digest = hashlib.sha256((folder / "policy.json").read_bytes()).hexdigest()
        results(claims["eat_nonce"] == base64.urlsafe_b64encode(nonce).decode().rstrip("=") and
                {s["ear.status"] for s in claims["submods"].values()} == {tier} and
                policy == f"sha256:{digest}", f"its attestation result, {change}", claims)


def check_requests(service, guests):
    nonce = service.nonce()
    good = serving.request(nonce, guests.evidence(nonce))
    deep = b'{"nonce": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    for name, body, status, words in (
            ("no JSON", b"report", 400, "line 1, column"),
            ("no body", b"", 400, "line 1, column"),
            ("half an object", b'{"nonce": "', 400, "line 1, column"),
            ("a list", b"[]", 400, "an object is wanted"),
            ("a field twice", b'{"nonce": "00", "nonce": "00"}', 400, "duplicate object key"),
            ("a file twice", b'{"evidence": {"report.bin": "", "report.bin": ""}}', 400, "duplicate object key"),
            ("no end of arrays", deep, 400, "maximum parsing depth reached"),
            ("bytes that are no text", b'{"nonce": "\xff\xfe"}', 400, "line 1, column"),
            ("a NUL", b'{"nonce": "\\u0000"}', 400, "line 1, column"),
            ("something behind it", json.dumps(good).encode() + b"x", 400, "end of file expected"),
            ("a huge number", b'{"nonce": 1e999999}', 400, "line 1, column"),
            ("an unknown field", {**good, "policy": {}}, 400, "policy: there is no such field"),
            ("no nonce", {"evidence": good["evidence"]}, 400, "nonce: 128 hexadecimal digits"),
            ("a short nonce", {**good, "nonce": "00" * 63}, 400, "nonce: 128 hexadecimal digits"),
            ("a nonce that is a number", {**good, "nonce": 7}, 400, "nonce: 128 hexadecimal digits"),
            ("no evidence", {"nonce": good["nonce"]}, 400, "evidence: an object of files"),
            ("evidence that is a list", {**good, "evidence": []}, 400, "evidence: an object of files"),
            ("another file", {**good, "evidence": {"nonce.bin": ""}}, 400, 'there is no file "nonce.bin"'),
            ("a challenge of the guest's", {**good, "evidence": {"challenge.json": ""}}, 400, "there is no file"),
            ("a path", {**good, "evidence": {"../report.bin": ""}}, 400, "there is no file"),
            ("a file that is a number", {**good, "evidence": {"report.bin": 1}}, 400,
             "evidence.report.bin: base64"),
            *((f"no base64: {text!r}", {**good, "evidence": {"report.bin": text}}, 400,
               "evidence.report.bin: base64") for text in ("A", "A===", "AA=A", "A A=", "AAA", "=", "AA==AA==",
                                                          "AA-_", "AAAA\n")),
            ("no files", {**good, "evidence": {}}, 422, "missing: the report")):
        answer = service.ask("POST", VERDICT, body)
        results(is_error(answer, status, words), f"refused: {name}", answer)
        if status == 422:
            nonce = service.nonce()  # a request that can be read takes its nonce
            good = serving.request(nonce, guests.evidence(nonce))
    code, _ = service.ask("POST", VERDICT, good)
    results(code == 200, "what could not be read took no nonce", code)
    results(is_error(service.ask("POST", VERDICT, good), 409, UNKNOWN), "a nonce is good once")
    good["nonce"] = "00" * 64
    results(is_error(service.ask("POST", VERDICT, good), 409, UNKNOWN), "a nonce that nobody gave out")
    nonce = service.nonce()
    code, _ = service.verdict(nonce, {"report.bin": b""})
    results(code == 422 and service.verdict(nonce, guests.evidence(nonce))[0] == 409,
            "evidence that cannot be read takes its nonce, too", code)


def check_http(service):
    for method, path, body, headers, status, words in (
            ("GET", NONCE, None, None, 405, "POST is wanted"), ("PUT", VERDICT, b"{}", None, 405, "POST is wanted"),
            ("DELETE", VERDICT, None, None, 405, "POST is wanted"),
            ("OPTIONS", VERDICT, None, None, 405, "POST is wanted"),
            ("BREW", NONCE, None, None, 405, "POST is wanted"),
            ("POST", METRICS, b"", None, 405, "GET is wanted"),
            ("POST", "/", b"", None, 404, "no such place"), ("GET", "/v1", None, None, 404, "no such place"),
            ("POST", NONCE + "/", b"", None, 404, "no such place"),
            ("POST", "/" + "a" * 3000, b"", None, 404, "no such place"),
            ("POST", "/%0a%0dGET=\"status=200", b"", None, 404, "no such place"),
            ("POST", NONCE, b"{}", None, 400, "no body is wanted"),
            ("POST", VERDICT, b"{}", {"Content-Type": "text/plain"}, 415, "application/json is wanted"),
            ("POST", VERDICT, b"{}", {"Content-Type": "application/jsonp"}, 415, "application/json is wanted"),
            ("POST", VERDICT, b"{}", {}, 415, "application/json is wanted"),
            ("POST", VERDICT, b"{}", {"Content-Type": "Application/JSON; charset=utf-8"}, 400, "nonce"),
            ("POST", VERDICT, b" " * (BODY + 1), None, 413, f"more than {BODY} bytes")):
        answer = service.ask(method, path, body, headers)
        results(is_error(answer, status, words), f"{method} {path[:40]} {headers}: {status}", answer)
    code, said = service.ask("POST", VERDICT, b" " * BODY)
    results(code == 400, "a body of the full length is read", (code, said))


def tls(service, timeout=10):
    raw = socket.create_connection(("127.0.0.1", service.port), timeout=timeout)
    return service.context.wrap_socket(raw, server_hostname="127.0.0.1")


def everything(connection):
    """What comes until the other end closes."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except OSError:
        pass
    return data


def sends(service, data, then=b""):
    with tls(service) as connection:
        try:
            connection.sendall(data)
            if then:
                time.sleep(0.05)
                connection.sendall(then)
        except OSError:
            pass
        return everything(connection)


HEAD = b"POST /v1/verdict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"


def chunks(size, count):
    return (b"%x\r\n" % size + b" " * size + b"\r\n") * count + b"0\r\n\r\n"


def check_wire(service):
    """By the byte: HTTP that is none, or more of it than is taken."""
    for name, data, then, wanted in (
            ("garbage", bytes(range(256)) * 4, b"\r\n\r\n", (b"HTTP/1.1 4", b"")),
            ("another protocol", b"HELO there\r\n\r\n", b"", (b"HTTP/1.1 4", b"")),
            ("a head without end", b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"a" * 40000, b"",
             (b"HTTP/1.1 4", b"")),
            ("many fields", b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 9000 + b"\r\n", b"",
             (b"HTTP/1.1 4", b"")),
            ("a length that is none", HEAD + b"Content-Length: -1\r\n\r\n", b"{}", (b"HTTP/1.1 4", b"")),
            ("a length of 2^64", HEAD + b"Content-Length: 18446744073709551616\r\n\r\n", b"{}",
             (b"HTTP/1.1 4", b"")),
            ("a length of a gigabyte", HEAD + b"Content-Length: 1073741824\r\n\r\n", b"{}", (b"HTTP/1.1 413",)),
            ("chunks that are too many", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunks(4096, 20),
             (b"HTTP/1.1 413",)),
            ("chunks without end", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunks(65536, 200),
             (b"HTTP/1.1 413", b"")),
            ("a chunk of no size", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n", (b"HTTP/1.1 4", b"")),
            ("two requests in a row", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
             b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (b"HTTP/1.1 200",))):
        answer = sends(service, data, then)
        results(any(answer.startswith(start) and (start or not answer) for start in wanted), f"on the wire: {name}",
                answer[:200])
    results(sends(service, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                  b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").count(b"HTTP/1.1 200") == 2,
            "two requests in a row have two answers")


def check_tls(service):
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as plain:
        plain.sendall(b"POST /v1/nonce HTTP/1.1\r\nHost: x\r\n\r\n")
        results(b"nonce" not in everything(plain), "no answer without TLS")
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as plain:
        plain.sendall(bytes.fromhex("16030100ff010000fb0303") + bytes(300))
        results(b"nonce" not in everything(plain), "a hello of zeros")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    warnings.simplefilter("ignore", DeprecationWarning)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    for name, context in (("TLS 1.1", old), ("an authority that is none of its", ssl.create_default_context())):
        try:
            with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw, \
                    context.wrap_socket(raw, server_hostname="127.0.0.1"):
                results(False, f"{name} is refused")
        except ssl.SSLError:
            results(True, f"{name} is refused")


class Steps(threading.Thread):
    """The time in which this process runs: what passes between two steps counts as STEP_MOST_S at most. On a computer
    that has other work a second of the clock's may be one in which nobody here did anything."""

    def __init__(self):
        super().__init__(daemon=True)
        self.now, self.over = 0, threading.Event()

    def run(self):
        seen = time.monotonic()
        while not self.over.wait(STEP_S):
            seen, before = time.monotonic(), seen
            self.now += min(seen - before, STEP_MOST_S)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def slow(service, data, pause):
    """Sends a byte at a time, until it is cut."""
    with tls(service, timeout=HANG_S) as connection:
        connection.settimeout(pause)
        for byte in data:
            try:
                connection.sendall(bytes([byte]))
                connection.settimeout(pause)
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
            break


def idle(service, secure):
    with (tls(service, HANG_S) if secure else
          socket.create_connection(("127.0.0.1", service.port), timeout=HANG_S)) as c:
        everything(c)


def cut(steps, call, *words):
    """How long a client was let: by the clock, and in steps."""
    clock, begun = time.monotonic(), steps.now
    call(*words)
    return time.monotonic() - clock, steps.now - begun


def lazy_clients(pool, service, steps):
    """Each sends a byte at a time, of a head or of a body."""
    heads = b"POST /v1/nonce HTTP/1.1\r\n" + b"X-Lazy: a\r\n" * 99
    body = HEAD + b"Content-Length: 5000\r\n\r\n" + b" " * 5000
    return [pool.submit(cut, steps, slow, service, data, 0.1) for _ in range(20) for data in (heads, body)]


def check_slow(socle, folder, guests):
    """Others are served meanwhile, and soon in steps; slow ones are cut when their time is over: not before by the
    clock, and not long after in steps."""
    def served():
        nonce = service.nonce()
        codes.append(service.verdict(nonce, guests.evidence(nonce))[0])

    codes = []
    with Steps() as steps, concurrent.futures.ThreadPoolExecutor(48) as pool, \
            serving.service(socle, folder, "--time", HANG_S) as service:
        lazy = lazy_clients(pool, service, steps)
        time.sleep(0.5)
        _, took = cut(steps, served)
        results(codes == [200] and took < BESIDE_S and not any(one.done() for one in lazy),
                "another client is served beside slow ones", (codes, took))
        service.kill()
    with Steps() as steps, concurrent.futures.ThreadPoolExecutor(48) as pool, \
            serving.service(socle, folder, "--time", LIMIT_S) as service:
        lazy = lazy_clients(pool, service, steps)
        lazy += [pool.submit(cut, steps, idle, service, secure) for secure in (True, False) for _ in range(4)]
        times = [one.result() for one in lazy]
        results(min(clock for clock, _ in times) > LIMIT_S * 0.4 and max(step for _, step in times) < LIMIT_S + 4,
                "slow clients are cut in time", sorted(times))
        results(service.end() == 0, "it ends in order after slow clients, too", service.log[-20:])


def stall(socle, folder):
    """A service that does not run for a while, as on a busy computer, is no client's fault: what waits for it then is
    answered. The statuses, and what it says of how long it keeps a connection."""
    with serving.service(socle, folder) as service:
        connections = [service.connect() for _ in range(10)]
        for connection in connections:
            service.nonce(connection)
        service.process.send_signal(signal.SIGSTOP)
        for connection in connections:
            connection.request("POST", NONCE)
        time.sleep(KEEP_S + 2)
        service.process.send_signal(signal.SIGCONT)
        answers, kept = [], set()
        for connection in connections:
            try:
                answer = connection.getresponse()
                answers.append(answer.status)
                kept.add(answer.headers["Keep-Alive"])
            except (OSError, http.client.HTTPException) as wrong:
                answers.append(repr(wrong))
            connection.close()
        return answers, kept


def check_unread(socle, folder):
    """Nobody reads the log: it holds up no request, and what is lost of it is counted."""
    with mock.patch.object(serving.Service, "_read", lambda self: None), \
            serving.service(socle, folder) as service, Steps() as steps:
        fcntl.fcntl(service.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        connection, codes = service.connect(HANG_S), []
        times = [cut(steps, lambda: codes.append(service.ask("GET", "/nowhere", connection=connection)[0]))[1]
                 for _ in range(100)]
        lost = service.metrics()["socle_verify_log_lines_lost_total"]
        results(codes == [404] * 100 and lost > 0 and max(times) < UNREAD_S,
                "a log that nobody reads holds up no request", (codes, lost, max(times)))
        first = os.read(service.process.stderr.fileno(), 1 << 16).decode()
        results(first.endswith("\n") and first.count("\n") + lost == 100, "and of it no line is half",
                (first[-80:], lost))
        results(service.ask("GET", METRICS, connection=connection)[0] == 200 and
                b"path=/metrics" in os.read(service.process.stderr.fileno(), 1 << 16), "once it is read it goes on")
        connection.close()
        results(service.end() == 0, "and it ends in order")


def check_half(service):
    """Clients that go in the middle of a request."""
    for data in (b"", b"POST", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
        for _ in range(5):
            with tls(service) as connection:
                connection.sendall(data or b"G")
    results(service.ask("GET", METRICS)[0] == 200, "it lives on after half requests")


def all_at_once(count, call):
    """What so many threads get that start together."""
    barrier = threading.Barrier(count)

    def one(index):
        barrier.wait()
        return call(index)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def check_many(service, guests):
    def client(_):
        connection = service.connect(60)
        try:
            nonce = service.nonce(connection)
            return service.verdict(nonce, guests.evidence(nonce), connection)[0]
        finally:
            connection.close()

    codes = all_at_once(CLIENTS, client)
    results(codes == [200] * CLIENTS, f"{CLIENTS} clients at once", sorted(set(codes)))
    for _ in range(3):
        nonce = service.nonce()
        files = guests.evidence(nonce)
        codes = all_at_once(20, lambda _, n=nonce, f=files: service.verdict(n, f)[0])
        results(sorted(codes) == [200] + [409] * 19, "of 20 that bring a nonce at once one is first", codes)


def check_flood(service, guests):
    """The store is bounded, says so, and has room again when a nonce comes back."""
    held = int(service.metrics()["socle_verify_nonces_held"])
    kept = [service.nonce() for _ in range(NONCES - held)]
    answers = [service.ask("POST", NONCE) for _ in range(20)]
    results(all(is_error(answer, 503, "the store of nonces is full") for answer in answers),
            "a flood of nonces ends at the bound", answers[:1])
    metrics = service.metrics()
    results(metrics["socle_verify_nonces_held"] == NONCES and
            metrics['socle_verify_nonces_total{what="full"}'] == 20, "and is counted", metrics)
    code, _ = service.verdict(kept[0], guests.evidence(kept[0]))
    again = service.ask("POST", NONCE)[0], service.ask("POST", NONCE)[0]
    results(code == 200 and again == (200, 503), "one that came back makes room for one", (code, again))


def check_log(service):
    """A line a request, and nothing of a client's makes more of it."""
    fields = [dict(part.split("=", 1) for part in line.split(' why="')[0].split()[1:]) for line in service.log]
    wanted = {"client", "method", "path", "status", "read", "written", "ms"}
    wrong = [line for line, f in zip(service.log, fields) if not wanted <= set(f) <= wanted | {"verdict"}]
    results(not wrong, "each line of the log has its fields", wrong[:2])
    results(len(fields) == service.asked, "a line for each request", (len(fields), service.asked))


def check_metrics(service):
    """What was counted agrees, and is in the form that it is said to be."""
    _, text = service.ask("GET", METRICS)
    metrics = service.metrics()
    asked = int(sum(value for name, value in metrics.items() if name.startswith("socle_verify_requests_total")))
    results(metrics["socle_verify_request_seconds_count"] == asked and
            metrics['socle_verify_request_seconds_bucket{le="+Inf"}'] == asked, "metrics agree with each other",
            metrics)
    results(metrics['socle_verify_nonces_total{what="taken"}'] >=
            metrics['socle_verify_verdicts_total{verdict="trusted"}'] > CLIENTS, "verdicts are counted", metrics)
    if text_string_to_metric_families:
        families = {family.name: family for family in text_string_to_metric_families(text)}
        names = {sample.name for family in families.values() for sample in family.samples}
        results(families["socle_verify_request_seconds"].type == "histogram" and
                "socle_verify_requests_total" in names and
                {name.split("{")[0] for name in metrics} == names, "Prometheus' own parser reads them", names)
    else:
        results.skip("Prometheus' own parser", "python3-prometheus-client is not installed")


def check_stop(socle, folder, guests):
    """In the midst of a request: it is answered, and nobody else is let in."""
    with serving.service(socle, folder) as service:
        nonce = service.nonce()
        body = json.dumps(serving.request(nonce, guests.evidence(nonce))).encode()
        with tls(service, 20) as connection:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:100])
            for _ in range(100):  # until its head was read
                if service.metrics()["socle_verify_requests_in_flight"] == 2:
                    break
                time.sleep(0.05)
            service.process.terminate()
            time.sleep(0.3)
            try:
                socket.create_connection(("127.0.0.1", service.port), timeout=5).close()
                results(False, "nobody is let in after SIGTERM")
            except OSError:
                results(True, "nobody is let in after SIGTERM")
            connection.sendall(body[100:])
            answer = everything(connection)
        results(answer.startswith(b"HTTP/1.1 200") and b'"verdict": "trusted"' in answer,
                "a request that had begun is answered", answer[:300])
        results(service.process.wait(HANG_S) == 0, "then it ends, with status 0", service.log[-3:])
    with serving.service(socle, folder) as service, Steps() as steps:
        with tls(service) as connection:
            connection.sendall(HEAD)
            took = cut(steps, service.end, HANG_S)
        results(service.process.returncode == 0 and took[1] < END_S, "half a head keeps it from nothing", took)


def check_start(socle, folder):
    """What it does not start with."""
    (folder / "report.json").write_text(json.dumps(serving.policy(look_at="report")))
    (folder / "unknown.json").write_text('{"format": 1, "vmlp": 0}')
    (folder / "other").mkdir()
    serving.make_tls(folder / "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        good = {"--policy": folder / "policy.json", "--tls-cert": folder / "tls.pem", "--tls-key": folder / "tls.key",
                "--listen": "127.0.0.1:0"}
        for name, change, words in (
                ("a policy for the report alone", {"--policy": folder / "report.json"}, "report.json: look_at: "),
                ("an unknown rule", {"--policy": folder / "unknown.json"}, "unknown.json: vmlp: there is no such"),
                ("no policy", {"--policy": "/nowhere"}, "/nowhere: "),
                ("a key that is none", {"--tls-key": folder / "tls.pem"}, "cannot be started"),
                ("another certificate's key", {"--tls-key": folder / "other/tls.key"}, "cannot be started"),
                ("a certificate that is none", {"--tls-cert": folder / "policy.json"}, "cannot be started"),
                ("a port in use", {"--listen": f"127.0.0.1:{port}"}, "Address already in use"),
                ("an address of nobody", {"--listen": "host.example:0"}, "host.example:0: "),
                ("authorities that are none", {"--ca": folder / "policy.json"}, "policy.json: "),
                ("no key for tokens", {"--ear-key": folder / "tls.pem"}, "tls.pem: no private key"),
                ("fewer clients than threads", {"--threads": "9", "--clients": "8"}, "--clients wants"),
                ("half a certificate for etcd", {"--etcd-cert": folder / "tls.pem"}, "belong together")):
            words_of = [str(word) for pair in {**good, **change}.items() for word in pair]
            run = subprocess.run([socle, "verify", "serve", *words_of], capture_output=True, text=True,
                                 timeout=30, check=False)
            results(run.returncode == 1 and words in run.stderr and run.stderr.count("\n") == 1 and not run.stdout,
                    f"not started: {name}", f"{run.returncode} {run.stderr}")


def check_all(socle, command, folder, guests):
    with serving.service(socle, folder) as service:
        check_verdicts(service, guests, Command(command, folder))
        check_tokens(service, guests, folder)
        check_many(service, guests)
        check_metrics(service)
        results(service.end() == 0, "SIGTERM ends it with status 0", service.log[-20:])
        check_log(service)
    with serving.service(socle, folder, "--nonces", NONCES, "--body", BODY) as service:
        check_requests(service, guests)
        check_http(service)
        check_wire(service)
        check_tls(service)
        check_half(service)
        check_flood(service, guests)
        results(service.end() == 0, "and it ends in order after all that", service.log[-20:])
        wrong = [line for line in service.log if not line[:2].isdigit()]
        results(not wrong, "nothing but requests is in the log", wrong[:20])
    check_slow(socle, folder, guests)
    check_stop(socle, folder, guests)
    check_start(socle, folder)


def main():
    socle, command = sys.argv[1:3]
    guests = serving.Guests()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serving.prepare(folder, guests)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stalled = pool.submit(stall, socle, folder)
            check_all(socle, command, folder, guests)
            answers, kept = stalled.result()
        results(answers == [200] * 10, "requests that came while it did not run", answers)
        results(kept == {f"timeout={KEEP_S}"}, "it says how long a connection is kept", kept)
        check_unread(socle, folder)
    if not jsonschema:
        results.skip("the JSON schemas", "python3-jsonschema is not installed")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
