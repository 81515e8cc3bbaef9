#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle vtpm serve` under load for a while: each answer is right, memory and descriptors stay flat, and after a
kill -9 the state has what was answered last.

    load_test.py SOCLE PROFILE_DIR [--seconds N] [--clients N] [--rate N]

--rate is how many commands all clients together send in a second. Some requests are nonsense, some end in the
middle, some connections say nothing, so that what these leave behind would be seen, too. Memory and
descriptors are compared between two quarters of the time: the second, when all has been used once, and the last.
"""

import argparse
import hashlib
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import SEND, Served, World, closed, code, simulator  # noqa: E402

results = Results("vtpm serve, load")
GROWTH_KB = 512  # what the C library may keep of blocks that were freed
SHA256, OWNER, NULL, ENDORSEMENT = 0x000B, 0x40000001, 0x40000007, 0x4000000B
PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
P256 = bytes.fromhex("0023000b00050472000000100018000b0003001000000000")
RSA = bytes.fromhex("0001000b00050472000000100014000b0800000000000000")
NV_SIZE = 64


def plain(number, body):
    return struct.pack(">HII", 0x8001, 10 + len(body), number) + body


def authorized(number, handles, body):
    inside = struct.pack(f">{len(handles)}I", *handles) + PASSWORD + body
    return struct.pack(">HII", 0x8002, 10 + len(inside), number) + inside


def sized(data):
    return struct.pack(">H", len(data)) + data


class Client(threading.Thread):
    """One with a connection that it makes anew now and then, and an NV index of its own."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.random = load, random.Random(number)
        self.index, self.written = 0x01500000 + number, b""
        self.counts, self.wrong = {}, []

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.load.port), timeout=60)

    def command(self, command):
        answer = simulator(self.connection, command)
        if code(answer):
            raise ValueError(f"{command[6:10].hex()}: response code {code(answer):#x}")
        return answer

    def get_random(self):
        size = self.random.randrange(1, 33)
        if self.command(plain(0x17B, struct.pack(">H", size)))[10:12] != struct.pack(">H", size):
            raise ValueError("TPM2_GetRandom gives another size")

    def hash(self):
        data = self.random.randbytes(self.random.randrange(1024))
        answer = self.command(plain(0x17D, sized(data) + struct.pack(">HI", SHA256, NULL)))
        if answer[10:44] != sized(hashlib.sha256(data).digest()):
            raise ValueError("TPM2_Hash is wrong")

    def define(self):
        public = struct.pack(">IHIHH", self.index, SHA256, 0x02060006, 0, NV_SIZE)
        self.command(authorized(0x12A, [OWNER], sized(b"") + sized(public)))

    def read(self):
        answer = self.command(authorized(0x14E, [self.index] * 2, struct.pack(">HH", NV_SIZE, 0)))
        return answer[16:16 + NV_SIZE]

    def write(self):
        data = self.random.randbytes(NV_SIZE)
        self.command(authorized(0x137, [self.index] * 2, sized(data) + b"\0\0"))
        self.written = data
        if self.read() != data:
            raise ValueError("TPM2_NV_Read gives what was not written")

    def create_and_quote(self):
        """By a key of either kind; the TPM has three slots for all clients."""
        template, nonce = self.random.choice((P256, RSA)), self.random.randbytes(16)
        with self.load.slot:
            made = self.command(authorized(0x131, [ENDORSEMENT], struct.pack(">HHH", 4, 0, 0) + sized(template) +
                                           struct.pack(">HI", 0, 0)))
            key, = struct.unpack(">I", made[10:14])
            quote = self.command(authorized(0x158, [key], sized(nonce) + struct.pack(">HIHBBBB", 0x10, 1, SHA256, 3,
                                                                                      255, 0, 1)))
            self.command(plain(0x165, struct.pack(">I", key)))
        if sized(nonce) not in quote:
            raise ValueError("TPM2_Quote is about something else")

    def extend(self):
        self.command(authorized(0x182, [16], struct.pack(">IH", 1, SHA256) + self.random.randbytes(32)))

    def spoil(self):
        """Nonsense, half a request or nothing, on a connection of its own."""
        with self.connect() as other:
            kind = self.random.randrange(3)
            if kind == 0:
                other.sendall(self.random.randbytes(8) + b"\xff" * 8)
                if not closed(other):
                    raise ValueError("nonsense leaves its connection open")
            elif kind == 1:
                other.sendall(struct.pack(">IBI", SEND, 0, 12) + b"\x80")

    def reconnect(self):
        self.connection.close()
        self.connection = self.connect()

    def run(self):
        steps = [(self.get_random, 40), (self.hash, 30), (self.extend, 10), (self.write, 4), (self.create_and_quote, 4),
                 (self.spoil, 4), (self.reconnect, 2)]
        names, weights = zip(*steps)
        self.connection = self.connect()
        self.define()
        while time.monotonic() < self.load.end:
            step = self.random.choices(names, weights)[0]
            try:
                step()
                self.counts[step.__name__] = self.counts.get(step.__name__, 0) + 1
            except (OSError, ValueError, AssertionError) as error:
                self.wrong.append(f"{step.__name__}: {error!r}")
                self.reconnect()
            time.sleep(self.random.random() * 2 / self.load.rate)
        self.connection.close()


class Load:
    def __init__(self, served, options):
        self.port, self.pid = served.port, served.process.pid
        self.end = time.monotonic() + options.seconds
        self.rate = options.rate / options.clients
        self.slot = threading.Semaphore(1)
        self.clients = [Client(self, number) for number in range(options.clients)]
        self.samples = []

    def sample(self):
        memory = int(next(line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
                          if line.startswith("VmRSS")).split()[1])
        return memory, len(os.listdir(f"/proc/{self.pid}/fd"))

    def run(self):
        for client in self.clients:
            client.start()
        while time.monotonic() < self.end:
            time.sleep(0.5)
            self.samples.append(self.sample())
        for client in self.clients:
            client.join(120)


def check_flat(samples):
    quarter = len(samples) // 4
    second, last = samples[quarter:2 * quarter], samples[-quarter:]
    for place, what, room in ((0, "kB of memory", GROWTH_KB), (1, "descriptors", 0)):
        least = [min(sample[place] for sample in part) for part in (second, last)]
        results(least[1] <= least[0] + room, f"{what} stay flat: {least[0]}, and {least[1]}")


def check_state(world, state, clients):
    with world.served("--flags", "startup-clear", "--state", state, profile="suite") as served:
        for client in clients:
            with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client.connection:
                kept = client.read()
            results(not client.written or kept == client.written, f"index {client.index:#x} has what was written last",
                    kept.hex())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("socle")
    parser.add_argument("profiles", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--rate", type=float, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        world = World(options.socle, options.profiles, Path(work))
        state = Path(work) / "state"
        served = Served(world.command("--flags", "startup-clear", "--state", state, profile="suite"))
        load = Load(served, options)
        load.run()
        served.process.kill()
        served.process.wait()
        counts = {}
        for client in load.clients:
            for step, count in client.counts.items():
                counts[step] = counts.get(step, 0) + count
        wrong = [line for client in load.clients for line in client.wrong]
        results(not wrong, f"no answer of {sum(counts.values())} is wrong", "\n".join(wrong[:10]))
        results(len(counts) == 7 and all(not client.is_alive() for client in load.clients),
                "each kind was tried, and each client ended: " +
                ", ".join(f"{n} {c}" for n, c in sorted(counts.items())))
        check_flat(load.samples)
        check_state(world, state, load.clients)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
