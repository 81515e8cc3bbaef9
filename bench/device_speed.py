#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the machine costs a Linux that firmware starts, and its disk and network: OVMF 2026.08, the same kernel and
first file system on it as an ordinary SNP guest, without Socle, and on the plain QEMU that it runs on, in turns. Ratios
of medians of one run, for times alone say more about the computer than about the machine.

    device_speed.py --programs BUILD [--rounds N] [--check] [--json FILE]
    device_speed.py --programs BUILD --only machine|plain [--work NAME] [--rounds N]
    device_speed.py --programs BUILD --floor [--rounds N]

With --work the guest does that one alone, or none: the difference is its exits. With --check it fails when a ratio is
above its limit; whether an aim is met is only said. With --floor it tells what it costs that is not the machine's:
beside the two, a plain QEMU whose Linux sends all data through a shared buffer, as each SNP guest has to, and the same
as the guest of a hypervisor that does nothing (floor/floor.c).
"""

import argparse
import json
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import machine_speed
from machine_speed import ROOT, Start, ends, listen, median

sys.path[:0] = [str(ROOT / "guest/initramfs")]
import build as initramfs  # noqa: E402

CPUS = 1
MEMORY = "512M"
TIMEOUT_S = 900
DISK_SIZE = 64 << 20  # as device_work.c has it
CMDLINE = "console=ttyS0 panic=-1 quiet no_timer_check"
MODULES = ["virtio_pci", "virtio_blk", "virtio_net"]
# virtio as the machine has it.
VIRTIO = "disable-legacy=on,iommu_platform=on"

WHAT = {
    "boot": "the firmware's first instruction to the first program's, by the host's clock",
    "sequential": "32 MiB of a disk by virtio-blk, 1 MiB at a time",
    "random": "500 times 4 KiB of it, anywhere",
    "trips": "500 bytes to the host and back by virtio-net, one at a time",
}
# Time of the machine / of plain QEMU: of a disk's rates, a third and a fifth are wanted.
GOALS = {"boot": 4.0, "sequential": 3.0, "random": 5.0, "trips": 3.0}
# The aim, or, where that is less or the aim is not met, 1.2 times a ratio of three starts each, by the clock, on a
# computer of two processors: the first of boot (1.78) and sequential (4.16); of random (3.31) and trips (3.80), since
# an end in memory is offered also where another interrupt waits. Where the rest of sequential and trips goes: --floor,
# and docs/machine-limits.md, "Firmware, disks and networks".
LIMITS = {"boot": 2.14, "sequential": 4.99, "random": 3.97, "trips": 4.56}


# Sides of --floor: what is on the plain kernel's command line.
FLOORS = {
    "a shared buffer": "swiotlb=force",
    "and nested paging": "swiotlb=force floor=leaf=2",
    "and exits that do nothing": "swiotlb=force floor=leaf=2,exits=1",
}


class Echo:
    """Gives each byte back at a port of this computer, to whoever comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            guest, _ = self.listener.accept()
            guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(guest,), daemon=True).start()

    @staticmethod
    def serve(guest):
        with guest:
            while data := guest.recv(4096):
                guest.sendall(data)


def first_file_system(programs, kernel, folder, floor=None):
    stage = folder / "stage"
    for name in ("dev", "sys"):
        (stage / name).mkdir(parents=True)
    initramfs.add_program(stage, programs / "bench/device_work", "init")
    initramfs.add_modules(stage, kernel, None, MODULES)
    if floor:
        shutil.copy(floor, stage / "floor.ko")
    out = folder / "initramfs.cpio"
    out.write_bytes(initramfs.newc(stage))
    return out


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.echo = options, folder, Echo()
        release = (options.kernel / "version").read_text().strip()
        self.kernel = options.kernel / "root/boot" / f"vmlinuz-{release}"
        if options.floor:
            subprocess.run([ROOT / "guest/module/build.sh", options.kernel, folder / "module", ROOT / "bench/floor"],
                           check=True, stdout=subprocess.DEVNULL)
        self.first = first_file_system(options.programs, options.kernel, folder,
                                       folder / "module/socle_floor.ko" if options.floor else None)
        self.firmware = ROOT / "build/ovmf-forky"
        subprocess.run([ROOT / "scripts/fetch-ovmf.sh", "--suite", "forky", "--dir", self.firmware], check=True,
                       stdout=subprocess.DEVNULL)
        self.disk = folder / "disk.raw"
        self.disk.write_bytes(random.Random(4).randbytes(DISK_SIZE))
        self.append = f"{CMDLINE} port={self.echo.port}" + (f" work={options.work}" if options.work else "")

    def start(self, side, work):
        return self.machine(work) if side == "machine" else self.plain(work, FLOORS.get(side, ""))

    def machine(self, work):
        start, path, logs = Start(), f"{work}/port", work / "logs"
        process = subprocess.Popen(
            [self.options.programs / "tools/socle", "run", "--quiet", "--cpus", str(CPUS), "--memory", MEMORY,
             "--log-dir", logs, "--report-key-dir", self.folder / "keys", "--channel", f"unix:{path}", "--firmware",
             self.firmware / "OVMF.fd", "--kernel", self.kernel, "--initrd", self.first, "--append", self.append,
             "--disk", f"{self.disk},format=raw,snapshot=on", "--device", "virtio-net", "--timeout", str(TIMEOUT_S)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with ends(process), listen(path, process) as port:
            port.settimeout(TIMEOUT_S)
            start.follow(port, process.pid)
        timeline = json.loads((logs / "timeline.json").read_text())
        start.booted(timeline["events"]["vmpl0_entry"]["monotonic_ns"] / 1e9)
        start.exits = {exit["kind"]: sum(exit["by_vmpl"]) for exit in timeline["exits"]}
        return start

    def plain(self, work, more):
        start, path = Start(), f"{work}/port"
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine",
                 "q35", "-accel", "tcg,thread=multi", "-cpu", machine_speed.PLAIN_CPU[False], "-smp", str(CPUS), "-m",
                 MEMORY, "-bios", self.firmware / "OVMF.fd", "-kernel", self.kernel, "-initrd", self.first, "-append",
                 f"{self.append} {more}", "-serial", f"file:{work}/console", "-chardev",
                 f"socket,id=port,path={path},server=on,wait=on", "-device", "isa-serial,index=1,chardev=port",
                 "-drive", f"if=none,id=disk,driver=raw,snapshot=on,file.driver=file,file.filename={self.disk}",
                 "-device", f"virtio-blk-pci,drive=disk,addr=3,{VIRTIO}",
                 "-netdev", "user,id=net", "-device", f"virtio-net-pci,netdev=net,romfile=,addr=4,{VIRTIO}"]
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        with ends(process), listen(path, process) as port:  # the guest starts when somebody listens
            began = time.monotonic()
            port.settimeout(TIMEOUT_S)
            start.follow(port, process.pid)
        start.booted(began)
        return start


def tell(side, start):
    """What one start measured, and its exits, as it ends."""
    times = ", ".join(f"{name} {median([start], name):.2f} s ({median([start], name, 'used'):.2f})" for name in WHAT
                      if start.times[name])
    print(f"# {side}: {times}", flush=True)
    if hasattr(start, "exits"):
        kinds = sorted(start.exits.items(), key=lambda kind: -kind[1])
        print(f"# {sum(start.exits.values())} exits: {', '.join(f'{kind} {count}' for kind, count in kinds)}",
              flush=True)


def gather(options):
    """Starts of both, and of each floor where that is asked for, in turns."""
    sides = ["plain", *(FLOORS if options.floor else []), "machine"]
    starts = {side: [] for side in sides}
    with tempfile.TemporaryDirectory(prefix="socle-speed-") as name:
        bench = Bench(options, pathlib.Path(name))
        for number in range(options.rounds):
            for place, side in enumerate(sides if number % 2 == 0 else sides[::-1]):
                if options.only and side != options.only:
                    continue
                work = bench.folder / f"{number}-{place}"
                work.mkdir()
                starts[side].append(bench.start(side, work))
                tell(side, starts[side][-1])
    return starts


def results_of(starts):
    for name, what in WHAT.items():
        machine, plain = median(starts["machine"], name), median(starts["plain"], name)
        used, plain_used = (median(starts[side], name, "used") for side in ("machine", "plain"))
        yield {"name": f"device_{name}", "what": what, "us": machine * 1e6, "base_us": plain * 1e6,
               "ratio": round(machine / plain, 3), "processor_ratio": round(used / max(plain_used, 0.01), 3),
               "goal": GOALS[name], "limit": LIMITS[name]}


def show_floors(starts):
    """Ratios to plain QEMU, of medians and of the least times, and the goal."""
    for name in [name for name in WHAT if name != "boot"]:  # which is before the kernel becomes a guest
        for side in starts:
            least = [min(took for start in starts[of] for took in start.times[name]) for of in (side, "plain")]
            print(f"{name:10} {side:26} {median(starts[side], name) * 1000:8.1f} ms = "
                  f"{median(starts[side], name) / median(starts['plain'], name):.2f}, of the least "
                  f"{least[0] / least[1]:.2f}  (goal {GOALS[name]})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["machine", "plain"],
                        help="one of the two, without ratios; it says what each start takes")
    parser.add_argument("--work", choices=[*list(WHAT)[1:], "none"],
                        help="with --only: of what the guest does, that alone")
    parser.add_argument("--floor", action="store_true", help="what of it is not the machine's")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write what was measured there")
    options = parser.parse_args()
    if options.work and not options.only:
        parser.error("--work goes with --only alone")
    machine_speed.refuse_together(parser, options)
    options.programs, options.kernel = options.programs.resolve(), options.kernel.resolve()
    starts = gather(options)
    if options.floor:
        show_floors(starts)
    if options.floor or options.only:
        return 0
    results = list(results_of(starts))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    fine = machine_speed.show(results)
    for result in results:
        met = "is met" if result["ratio"] <= result["goal"] else "is not met"
        print(f"{result['name']:18} the aim of {result['goal']} {met}")
    return 0 if fine or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
