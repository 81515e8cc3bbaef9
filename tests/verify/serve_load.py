#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle verify serve` under load for a while: every nonce is good once, and memory stays flat.

    serve_load.py SOCLE [--seconds N] [--clients N] [--rate N] [--burst N] [--every SECONDS]

--rate is how many verdicts are asked for in a second, by all clients together; 0: as many as go. --burst is how many
more come all at once now and then, for a verdict each. Some requests
are spoiled, some connections end in the middle, so that what these leave behind would be seen, too. Memory is
compared between two quarters of the time: the second, when all has been used once, and the last.
"""

import argparse
import http.client
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import serving
from serving import VERDICT
from results import Results  # serving knows where it is

ANSWER_S = 20
KEEP_S = 7  # the service says for how long it keeps a connection, in Keep-Alive: 10 s
GROWTH = 1 << 20  # bytes that are no growth: threads that have not all been busy yet
results = Results("verify serve, load")


class Connection(http.client.HTTPSConnection):
    """One that can say what it was at when it was lost."""

    doing, requests, quiet, begun, idle = "nothing", 0, 0.0, 0.0, 0.0

    def connect(self):
        self.doing, self.requests, self.begun = "connecting", 0, time.monotonic()
        super().connect()
        self.quiet = time.monotonic()

    def request(self, method, url, *words, **more):
        if self.sock and time.monotonic() - self.quiet > KEEP_S:
            self.close()  # the service may be about to
        if not self.sock:
            self.connect()
        self.doing, self.begun, self.idle = f"{method} {url}", time.monotonic(), time.monotonic() - self.quiet
        self.requests += 1
        super().request(method, url, *words, **more)

    def getresponse(self):
        answer = super().getresponse()
        self.quiet = time.monotonic()
        return answer

    def story(self):
        return f"{self.doing}, request {self.requests}, begun {time.monotonic() - self.begun:.1f} s ago, after " \
            f"{self.idle:.1f} s without one"


class Load:
    def __init__(self, service, guests, rate, clients):
        self.service, self.guests = service, guests
        self.pause = clients / rate if rate else 0
        self.lock, self.codes, self.wrong, self.lost = threading.Lock(), {}, [], []
        self.start = time.monotonic()

    def lose(self, story, wrong):
        """At once, with how much the service has run until then: one that gets no processor has not hung."""
        spent = Path(f"/proc/{self.service.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        text = f"{time.monotonic() - self.start:.1f} s, {sum(map(int, spent))} ticks: {story}: {wrong!r}"
        with self.lock:
            self.lost.append(text)
        print(f"# lost after {text}", flush=True)

    def resident(self):
        """Of its own; None where it does not answer."""
        try:
            return self.service.metrics()["socle_verify_resident_bytes"]
        except (OSError, http.client.HTTPException) as wrong:
            self.lose("GET /metrics", wrong)
            return None

    def connect(self):
        return Connection("127.0.0.1", self.service.port, timeout=ANSWER_S, context=self.service.context)

    def count(self, what, code, wanted):
        with self.lock:
            self.codes[what, code] = self.codes.get((what, code), 0) + 1
            if code != wanted:
                self.wrong.append((what, code))

    def turn(self, connection, number):
        """A verdict, and now and then something that gets none."""
        service, kind = self.service, number % 10
        nonce = service.nonce(connection)
        files = self.guests.evidence(nonce, vmpl=2) if kind == 1 else self.guests.evidence(nonce)
        if kind == 2:
            files["report.bin"] = files["report.bin"][:random.randrange(1000)]
        self.count("verdict", service.verdict(nonce, files, connection)[0], {1: 403, 2: 422}.get(kind, 200))
        if kind == 3:
            self.count("replay", service.verdict(nonce, files, connection)[0], 409)
        if kind == 4:
            self.count("garbage", service.ask("POST", VERDICT, b'{"evidence": {' * 50, connection=connection)[0], 400)
        if kind == 5:
            self.half()
        if kind == 6:
            service.nonce(connection)  # which nobody brings back

    def half(self):
        connection = self.connect()
        connection.connect()
        connection.sock.sendall(b"POST " + VERDICT.encode() + b" HTTP/1.1\r\nContent-Length: 9999\r\n\r\n{")
        connection.close()

    def client(self, index, until):
        number, connection = index, self.connect()
        while (start := time.monotonic()) < until:
            try:
                self.turn(connection, number)
            except (OSError, http.client.HTTPException) as wrong:
                self.lose(connection.story(), wrong)
                connection.close()
            number += 1
            if number % 20 == 0:  # connections come and go
                connection.close()
            time.sleep(max(0.0, self.pause - (time.monotonic() - start)) * random.uniform(0.8, 1.2))
        connection.close()

    def once(self, number):
        connection = self.connect()
        try:
            self.turn(connection, number)
        except (OSError, http.client.HTTPException) as wrong:
            self.lose(connection.story(), wrong)
        connection.close()

    def bursts(self, size, every, until):
        while time.monotonic() + every < until:
            time.sleep(every)
            # Of those that get what they ask for.
            many = [threading.Thread(target=self.once, args=(0,)) for _ in range(size)]
            for one in many:
                one.start()
            for one in many:
                one.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socle")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--burst", type=int, default=0)
    parser.add_argument("--every", type=float, default=60)
    options = parser.parse_args()
    guests = serving.Guests()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serving.prepare(folder, guests)
        # As many nonces as are left over in the time: the store is full, or has turned over, at the end.
        with serving.service(options.socle, folder, "--nonces", 20000) as service:
            load, start = Load(service, guests, options.rate, options.clients), time.monotonic()
            clients = [threading.Thread(target=load.client, args=(index, start + options.seconds))
                       for index in range(options.clients)]
            if options.burst:
                clients.append(threading.Thread(target=load.bursts, args=(
                    options.burst, options.every, start + options.seconds)))
            for one in clients:
                one.start()
            resident = []
            while any(one.is_alive() for one in clients):
                time.sleep(min(10.0, options.seconds / 40))
                if size := load.resident():
                    resident.append((time.monotonic() - start, size))
            for one in clients:
                one.join()
            metrics = service.metrics()
            lines = len(service.log)
            del service.log[:]
            results(service.end() == 0, "it ends in order")
    quarter = [[size for at, size in resident if options.seconds * n / 4 <= at < options.seconds * (n + 1) / 4]
               for n in range(4)]
    early, late = (max(part, default=0) for part in (quarter[1], quarter[3]))
    sizes = [f"{resident[int((len(resident) - 1) * n / 4)][1] / 1048576:.2f}" for n in range(5)]
    codes = dict(sorted((" ".join(map(str, key)), n) for key, n in load.codes.items()))
    said = f"{sum(load.codes.values())} requests for a verdict in {options.seconds} s by {options.clients} clients " \
        f"and {options.burst} now and then: {codes}, {lines} lines, " \
        f"{len(load.lost)} lost, {metrics['socle_verify_connections_cut_total']:.0f} cut, memory at each quarter " \
        f"{' '.join(sizes)} MiB, at most {early / 1048576:.2f} in the second, {late / 1048576:.2f} in the last"
    print(f"# {said}")
    results(not load.wrong and not load.lost and load.codes.get(("verdict", 200), 0) > 0,
            "each answer is the right one", (load.wrong[:5], load.lost))
    results(early and late <= early + GROWTH, "memory is flat", said)
    results(metrics["socle_verify_requests_in_flight"] == 1, "nothing is left in flight", metrics)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
