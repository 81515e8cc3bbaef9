#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What primes found ahead save: TPM2_CreatePrimary of tpm2-tools' storage key by the vtpm service, as a process of
Linux, by a search and with the primes that the ahead service has found for it. New seeds for each. And what its start
is spared of by keys of the profile that are left for later.

    ahead.py --programs BUILD [--keys N] [--check]

With --check it fails when the median with primes is above LIMIT of that without.
"""

import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 0.5
REQUESTS, PROFILE = 3, 6  # descriptors (abi/service.h)
COMMAND, NEXT, FOUND, KEYS, FIND = 1, 8, 9, 10, 1
GET_RANDOM = bytes.fromhex("0004")
TEMPLATE = bytes.fromhex("0001000b00030072000000060080004300100800000000000000")
PASSWORD = bytes.fromhex("400000090000000000")


class Service:
    """A service, which ends with its channel."""

    def __init__(self, programs, name, profile=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = {REQUESTS: theirs.fileno()}
        if profile:
            given[PROFILE] = os.open(profile, os.O_RDONLY)

        def descriptors():
            high = {as_: os.dup(fd) for as_, fd in given.items()}
            for as_, fd in high.items():
                os.dup2(fd, as_)
        try:
            self.process = subprocess.Popen([programs / "services/vtpm", name], close_fds=False,
                                            preexec_fn=descriptors)
        finally:
            if profile:
                os.close(given[PROFILE])
        self.channel = ours
        self.channel.settimeout(60)
        theirs.close()

    def ask(self, op, payload=b""):
        self.channel.send(struct.pack("<II", op, len(payload)) + payload)
        reply = self.channel.recv(1 << 18)
        if status := struct.unpack_from("<I", reply)[0]:
            raise RuntimeError(f"operation {op} gives status {status}")
        return reply[8:]

    def cpu_ms(self):
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e6

    def end(self):
        self.process.kill()
        self.process.wait()
        self.channel.close()


def command(tag, code, body):
    return bytes(4) + struct.pack(">HII", tag, 10 + len(body), code) + body


def create_primary(vtpm):
    """Seconds that it takes, and the key's public area."""
    body = (struct.pack(">I", 0x40000001) + struct.pack(">I", len(PASSWORD)) + PASSWORD +
            bytes.fromhex("000400000000") +
            struct.pack(">H", len(TEMPLATE)) + TEMPLATE + bytes(6))
    before = time.perf_counter()
    response = vtpm.ask(COMMAND, command(0x8002, 0x131, body))[4:]
    took = time.perf_counter() - before
    if code := struct.unpack_from(">I", response, 6)[0]:
        raise RuntimeError(f"TPM2_CreatePrimary gives 0x{code:x}")
    vtpm.ask(COMMAND, command(0x8001, 0x165, response[10:14]))
    size = struct.unpack_from(">H", response, 18)[0]
    return took, response[20:20 + size]


def measure(programs, finder):
    vtpm = Service(programs, "vtpm", ROOT / "profiles/aws.conf")
    try:
        without, key = create_primary(vtpm)
        while order := vtpm.ask(NEXT):
            vtpm.ask(FOUND, finder.ask(FIND, order))
        with_primes, again = create_primary(vtpm)
    finally:
        vtpm.end()
    if key != again:
        raise RuntimeError("primes found ahead make another key")
    return without, with_primes


def measure_start(programs, profile):
    """Milliseconds of processor time until the vtpm is ready, and what the keys take that it has left for later."""
    vtpm = Service(programs, "vtpm", ROOT / f"profiles/{profile}.conf")
    try:
        vtpm.ask(COMMAND, command(0x8001, 0x17b, GET_RANDOM))
        ready = vtpm.cpu_ms()
        vtpm.ask(KEYS)
        return ready, vtpm.cpu_ms() - ready
    finally:
        vtpm.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--keys", type=int, default=25)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    finder = Service(options.programs.resolve(), "ahead")
    try:
        times = [measure(options.programs.resolve(), finder) for _ in range(options.keys)]
    finally:
        finder.end()
    without, with_primes = (statistics.median(kind) * 1000 for kind in zip(*times))
    ratio = with_primes / without
    print(f"a storage key with primes found ahead, ms            {with_primes:12.4g} of {without:.4g} "
          f"(longest {max(t[1] for t in times) * 1000:.4g} of {max(t[0] for t in times) * 1000:.4g})")
    print(f"{'the same, as a part of that by a search':52} {ratio:12.4g} (limit {LIMIT:g})")
    for profile in ("aws", "tcg"):
        ready, later = (statistics.median(kind) for kind in
                        zip(*(measure_start(options.programs.resolve(), profile) for _ in range(options.keys))))
        print(f"{profile}: processor time of the vtpm's start, ms             {ready:12.4g}, "
              f"keys left for later {later:.4g}")
    return 1 if options.check and ratio > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
