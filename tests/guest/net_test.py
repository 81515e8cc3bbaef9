#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's Linux as an SNP guest at VMPL0 with a network and a source of entropy of QEMU's, by its own drivers: some
MiB come from the host and go back, a port of the host's leads into the guest, /dev/hwrng gives what the host has; and a
PC's clock and serial ports are there.

    net_test.py --programs BUILD [--device virtio-net|e1000] [--by firmware|image|socle] [--cpus N] [--qemu PATH]
                [--kernel DIR] [--guest DIR] [--work DIR] [--seconds N]

The cloud kernel has no e1000: --device e1000 takes Debian's generic one (scripts/fetch-kernel.sh).
"""

import hashlib
import itertools
import random
import re
import socket
import sys
import threading
import time

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 280  # as a busy computer needs; a quiet one takes some 30 s
SIZE = 4 << 20
WORD, ANSWER = b"a word from outside\n", b"answer\n"
MODULES = {"virtio-net": ["virtio_net"], "e1000": ["e1000"]}
DRIVERS = {"virtio-net": "virtio_net", "e1000": "e1000"}


def free_port():
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        return port.getsockname()[1]


class Host:
    """The guest's other side, on this computer: gives bytes at one port, takes some at another one, and speaks to a
    third, which QEMU leads into the guest."""

    def __init__(self):
        self.data = random.Random(12).randbytes(SIZE)
        self.taken, self.answer, self.ended = b"", b"", threading.Event()
        self.down, self.up = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.forward = free_port()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.give, self.take, self.speak)]
        for thread in self.threads:
            thread.start()

    def give(self):
        with self.down.accept()[0] as guest:
            guest.sendall(self.data)

    def take(self):
        with self.up.accept()[0] as guest:
            while more := guest.recv(65536):
                self.taken += more

    def speak(self):
        """QEMU takes the connection whether the guest does or not: until it answers."""
        while not self.answer and not self.ended.is_set():
            time.sleep(0.2)
            try:
                with socket.create_connection(("127.0.0.1", self.forward), timeout=20) as guest:
                    guest.sendall(WORD)
                    guest.shutdown(socket.SHUT_WR)
                    while more := guest.recv(4096):
                        self.answer += more
            except OSError:
                pass

    def end(self):
        self.ended.set()
        for listener in (self.down, self.up):
            listener.close()


def words(lines, first):
    """What follows that word, of each line that begins with it."""
    return [line[len(first) + 1:] for line in lines if line.startswith(f"{first} ")]


def interrupts(lines, name):
    """How many there were of what /proc/interrupts calls so, on all processors."""
    counts = (line.partition(":")[2].split() for line in words(lines, "interrupts") if re.search(name, line))
    return sum(int(word) for row in counts for word in itertools.takewhile(str.isdigit, row))


def network_problems(options, lines, host):
    if words(lines, "driver") != [DRIVERS[options.device]]:
        yield f"it is driven by {words(lines, 'driver')}"
    if words(lines, "address") != ["10.0.2.15 router 10.0.2.2"]:
        yield "it has not QEMU's address by DHCP"
    if words(lines, "got") != [f"{SIZE} {hashlib.sha256(host.data).hexdigest()}"]:
        yield "it got something else than the host gave"
    if host.taken != host.data:
        yield f"the host got {len(host.taken)} bytes back, and not what it gave"
    if words(lines, "heard") != [WORD.decode().strip()] or host.answer != ANSWER:
        yield f"the port of the host's does not lead to the guest: {words(lines, 'heard')}, {host.answer}"
    if not interrupts(lines, r"virtio\d+-input\.0$" if options.device == "virtio-net" else "eth0$"):
        yield "the network has raised no interrupt"


def other_problems(options, lines, began):
    if words(lines, "rng") != ["virtio_rng.0"]:
        yield f"its entropy is of {words(lines, 'rng')}"
    random_ones = words(lines, "random")
    if len(set(random_ones)) != 2 or any(not line.startswith("1024 ") for line in random_ones):
        yield f"/dev/hwrng gives {random_ones}"
    rtc = [int(word) for word in words(lines, "rtc") if word.isdigit()]
    if len(rtc) != 1 or not began - 2 <= rtc[0] <= time.time() + 2:
        yield f"hwclock says {words(lines, 'rtc')}, and here it is {time.time():.0f}"
    if words(lines, "clock") != ["acpi_pm"]:
        yield "it does not take the PM timer for its clock"
    passed = [int(number) for line in words(lines, "passed") for number in line.split()]
    if len(passed) != 2 or passed[0] < 3 or abs(passed[0] - passed[1]) > 2:
        yield f"by the PM timer and the RTC {passed} seconds pass"
    if not interrupts(lines, "ttyS1$"):
        yield "the serial port has raised no interrupt"
    if "done" not in lines:
        yield "it did not come to its end"
    if "SEV-SNP" not in booted.log_of(options):
        yield "it is no SNP guest"
    if "AMD-Vi" in booted.log_of(options) or "IVRS" in booted.log_of(options):
        yield "it has found an IOMMU"
    if "DMA by" in (options.work / "machine.log").read_text():
        yield "a device met a page that is not shared"


def main():
    parser = booted.parser(__doc__, "net-boot")
    parser.add_argument("--device", choices=MODULES, default="virtio-net")
    parser.add_argument("--by", choices=booted.STARTS, default="firmware", help="what starts the kernel")
    parser.add_argument("--seconds", type=int, default=TIMEOUT_S, help="after which it is given up")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    options = parser.parse_args()
    booted.prepare(options)
    if options.device == "e1000":
        options.kernel, options.guest = booted.ROOT / "build/kernel-generic", None
        booted.run("scripts/fetch-kernel.sh", "--flavour", "generic", "--dir", options.kernel)
    result = Results("network")
    first = booted.initramfs(options, booted.HERE / "net_init", [booted.HERE / "net_address"],
                             ["virtio_pci", "virtio_rng", *MODULES[options.device]])
    host, began = Host(), time.time()
    ports = f"down={host.down.getsockname()[1]} up={host.up.getsockname()[1]}"
    file, more = booted.started(options, first, f"console=ttyS0 panic=-1 {ports}")
    lines, problem = booted.boot(
        options, file, options.seconds, *more, "--qemu", options.qemu, "--netdev",
        f"user,id=net,hostfwd=tcp:127.0.0.1:{host.forward}-:7", "--device", f"{options.device},netdev=net", "--device",
        "virtio-rng", cpus=options.cpus)
    host.end()
    problems = [problem] if problem else [*network_problems(options, lines, host),
                                          *other_problems(options, lines, began)]
    if not result(not problems, f"{options.device} and virtio-rng, started by {options.by}, {options.cpus} vCPUs",
                  "; ".join(problems)):
        print("\n".join([*lines, *booted.last_words(options)]))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
