#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the machine costs a Linux: the same kernel and first file system on it, at VMPL0 without Socle,
and on the plain QEMU that it runs on, in turns. Ratios of medians of one run, for times alone say more
about the computer than about the machine.

    machine_speed.py --programs BUILD [--rounds N] [--xsave] [--check] [--json FILE]
    machine_speed.py --programs BUILD --only machine|plain [--rounds N] [--xsave]
    machine_speed.py --programs BUILD --floor

With --check it fails when a ratio is above its limit. With --floor it tells what the least is that any hypervisor
costs on that QEMU: beside the two, plain ones whose kernel becomes the guest of one that does nothing (floor/floor.c).
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "guest/initramfs")]
import build as initramfs  # noqa: E402
import channel  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = 2
MEMORY = "256M"
HOST = ["--kvm-eoi", "yes"]  # as KVM and QEMU offer it to each guest
TIMEOUT_S = 120
LAST_WORDS_S = 10  # for a process to end
CMDLINE = "console=ttyS0 panic=-1 quiet no_timer_check"
# The machine's processor, as far as it shows it to a guest (docs/machine-limits.md).
PLAIN_CPU = {False: "EPYC-Milan,-cx16,phys-bits=48,-xsave", True: "EPYC-Milan,-cx16,phys-bits=48"}
ESCAPES = re.compile("\x1b\\[[0-9;=]*[A-Za-z]")  # OVMF clears the screen of each serial port
FIRMWARE_ENDS = b"Booting from ROM"  # SeaBIOS, before it starts the kernel

WHAT = {
    "boot": "the kernel's first instruction to the first program's, by the host's clock",
    "boot-clock": "the same as the guest's clock has it, from where the kernel starts it",
    "forks": "200 times fork, exec and wait",
    "loop": "20000 rounds of a loop of the shell",
    "exchange": "2000 bytes there and back between two processes on one processor, all x87 and vector "
                "registers in use",
}
# Without --xsave; with it the ratios are only reported. A goal is what is wanted, a limit what fails: what was
# measured and a little more, where QEMU leaves the goal out of reach: --floor, and docs/machine-limits.md, "Speed".
GOALS = {"boot": 1.4, "forks": 1.5, "loop": 1.05, "exchange": 1.2}
LIMITS = {"boot": 1.4, "forks": 2.5, "loop": 1.25, "exchange": 2.05}


# Sides of --floor, with options of floor/floor.c; one of the machine beside them.
FLOORS = {
    "nested paging, pages of 1 GiB": "leaf=1",
    "nested paging, pages of 4 KiB": "leaf=3",
    "and exits that do nothing": "leaf=1,exits=1",
}


def first_file_system(programs, folder, floor=None):
    stage = folder / "stage"
    for name in ("dev", "sys", "bin"):
        (stage / name).mkdir(parents=True)
    shutil.copy(programs / "bench/guest_work", stage / "init")
    shutil.copy("/bin/busybox", stage / "bin/busybox")
    if floor:
        shutil.copy(floor, stage / "floor.ko")
    out = folder / "initramfs.cpio"
    out.write_bytes(initramfs.newc(stage))
    return out


def lines_of(port):
    """Each line that comes, and when."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := port.recv(4096):
            data += more
            *lines, data = data.split(b"\n")
            for line in lines:
                yield time.monotonic(), ESCAPES.sub("", line.decode(errors="replace")).strip()


def listen(path, process):
    port = channel.connect(path, lambda: process.poll() is None, time.monotonic() + TIMEOUT_S)
    port.settimeout(TIMEOUT_S)
    return port


def processor_time(pid):
    """Of a process and its children, in seconds."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total = (int(fields[11]) + int(fields[12])) / TICKS
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += processor_time(child)
    return total


class Start:
    """One start of the guest: what its lines say, in seconds."""

    def __init__(self):
        self.times = collections.defaultdict(list)
        self.used = collections.defaultdict(list)  # time of the host's processors
        self.words = {}
        self.first = None

    def follow(self, port, pid):
        before = processor_time(pid)
        for when, line in lines_of(port):
            word, *rest = line.split()
            if word == "took":
                self.first = self.first or when
                self.times[rest[0]].append(int(rest[1]) / 1e6)
                used = processor_time(pid)
                self.used[rest[0]].append(used - before)
                before = used
            elif word == "failed":
                raise RuntimeError(f"{rest[0]} failed in the guest")
            else:
                self.words[word] = " ".join(rest)

    def booted(self, began):
        if "end" not in self.words:
            raise RuntimeError("the guest did not come to its end")
        self.times["boot"] = [self.first - began]
        self.used["boot"] = self.used["boot-clock"]


def ended(process):
    try:
        _, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"{process.args[0]}: {(errors or '').strip() or process.returncode}")


@contextlib.contextmanager
def ends(process):
    """It ends well behind what is done with it, or, where that fails, at once, and the error has its own words."""
    try:
        yield
        ended(process)
    except Exception as error:
        process.terminate()
        if said := last_words(process):
            raise RuntimeError(f"{error}; {process.args[0]}: {said}") from error
        raise
    finally:
        process.terminate()  # `socle run` takes its QEMU with it
        process.wait()


def last_words(process):
    """What an ended process has written to its standard error, where nobody has read it."""
    if process.stderr.closed:
        return ""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return (process.communicate(timeout=LAST_WORDS_S)[1] or "").strip()
    return ""


def start_machine(programs, image, folder, xsave):
    logs, path, start = folder / "logs", f"{folder}/port", Start()
    process = subprocess.Popen(
        [programs / "tools/socle", "run", *HOST, "--quiet", "--cpus", str(CPUS), "--memory", MEMORY,
         "--log-dir", logs, "--report-key-dir", folder / "keys", "--channel", f"unix:{path}",
         *(["--xsave"] if xsave else []), image],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with ends(process), listen(path, process) as port:
        start.follow(port, process.pid)
    timeline = json.loads((pathlib.Path(logs) / "timeline.json").read_text())
    start.booted(timeline["events"]["vmpl0_entry"]["monotonic_ns"] / 1e9)
    start.exits = {exit["kind"]: sum(exit["by_vmpl"]) for exit in timeline["exits"]}
    return start


def firmware_end(port):
    data = b""
    while FIRMWARE_ENDS not in data:
        more = port.recv(4096)
        if not more:
            raise RuntimeError("the firmware of plain QEMU did not start the kernel")
        data += more
    return time.monotonic()


def start_plain(kernel, first, folder, xsave, floor=None):
    start = Start()
    command_line = f"{CMDLINE} floor={floor}" if floor else CMDLINE
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
             "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", PLAIN_CPU[xsave], "-smp", str(CPUS),
             "-m", MEMORY, "-kernel", str(kernel), "-initrd", str(first), "-append", command_line,
             "-serial", f"file:{folder}/console"]
    for name, device in (("port", "isa-serial,index=1"), ("log", "isa-debugcon,iobase=0x402")):
        words += ["-chardev", f"socket,id={name},path={folder}/{name},server=on,wait=on",
                  "-device", f"{device},chardev={name}"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    with ends(process), listen(f"{folder}/port", process) as port, listen(f"{folder}/log", process) as log:
        began = firmware_end(log)
        start.follow(port, process.pid)
    start.booted(began)
    return start


def build_image(programs, kernel, first, folder):
    image = folder / "guest.igvm"
    subprocess.run([programs / "tools/socle", "igvm", "build", "-q", "-o", image, "--plain-linux",
                    "--kernel", kernel, "--initrd", first, "--append", CMDLINE, "--cpus", str(CPUS),
                    "--memory", MEMORY, "--c-bit", "47"], check=True, stdout=subprocess.DEVNULL)
    return image


def gather(options, xsave):
    """Starts of both, in turns."""
    release = (options.kernel / "version").read_text().strip()
    kernel = options.kernel / "root/boot" / f"vmlinuz-{release}"
    starts = {"machine": [], "plain": []}
    with tempfile.TemporaryDirectory(prefix="socle-speed-") as name:
        folder = pathlib.Path(name)
        first = first_file_system(options.programs, folder)
        image = build_image(options.programs, kernel, first, folder)
        for number in range(options.rounds):
            for side in ("plain", "machine") if number % 2 == 0 else ("machine", "plain"):
                if options.only and side != options.only:
                    continue
                work = folder / f"{side}-{number}"
                work.mkdir()
                starts[side].append(start_machine(options.programs, image, work, xsave)
                                    if side == "machine" else start_plain(kernel, first, work, xsave))
    return starts


def gather_floors(options):
    """Starts of the machine, of plain QEMU and of each floor on it, in turns."""
    release = (options.kernel / "version").read_text().strip()
    kernel = options.kernel / "root/boot" / f"vmlinuz-{release}"
    sides = ["plain", *FLOORS, "machine"]
    starts = {side: [] for side in sides}
    with tempfile.TemporaryDirectory(prefix="socle-speed-") as name:
        folder = pathlib.Path(name)
        subprocess.run([ROOT / "guest/module/build.sh", options.kernel, folder / "module", ROOT / "bench/floor"],
                       check=True, stdout=subprocess.DEVNULL)
        first = first_file_system(options.programs, folder, folder / "module/socle_floor.ko")
        image = build_image(options.programs, kernel, first, folder)
        for number in range(options.rounds):
            for place, side in enumerate(sides if number % 2 == 0 else sides[::-1]):
                work = folder / f"{number}-{place}"
                work.mkdir()
                starts[side].append(start_machine(options.programs, image, work, False) if side == "machine"
                                    else start_plain(kernel, first, work, False, FLOORS.get(side)))
    return starts


def show_floors(starts):
    """Ratios to plain QEMU, of medians and of the least times."""
    for name in GOALS:
        if name == "boot":  # before the kernel becomes a guest
            continue
        for side in starts:
            least = [min(took for start in starts[of] for took in start.times[name]) for of in (side, "plain")]
            print(f"{name:10} {side:30} {median(starts[side], name) * 1000:8.1f} ms = "
                  f"{median(starts[side], name) / median(starts['plain'], name):.2f}, of the least "
                  f"{least[0] / least[1]:.2f}  (goal {GOALS[name]})")


def refuse_together(parser, options):
    """Ends where of --only, --floor and the ratios more than one is asked for: what is judged or written is the
    ratios."""
    partial = [f"--{name}" for name in ("only", "floor") if getattr(options, name, None)]
    whole = [f"--{name}" for name in ("check", "json") if getattr(options, name, None)]
    if len(partial) > 1 or (partial and whole):
        parser.error(f"{' and '.join(partial + whole)} exclude each other")


def median(starts, name, of="times"):
    return statistics.median([took for start in starts for took in getattr(start, of)[name]])


def results_of(starts, xsave):
    if len({start.words.get("avx") for side in starts.values() for start in side}) != 1:
        raise RuntimeError("one of the two guests has AVX")
    clocks = {start.words.get("clock") for start in starts["machine"]}
    if clocks != {"kvm-clock"}:
        raise RuntimeError(f"the machine's guest tells the time by {clocks}")
    for name, what in WHAT.items():
        machine, plain = median(starts["machine"], name), median(starts["plain"], name)
        used, plain_used = median(starts["machine"], name, "used"), median(starts["plain"], name, "used")
        yield {"name": name + ("_xsave" if xsave else ""), "what": what, "us": machine * 1e6,
               "base_us": plain * 1e6, "ratio": round(machine / plain, 3),
               "processor_ratio": round(used / max(plain_used, 1 / TICKS), 3),
               "goal": None if xsave else GOALS.get(name), "limit": None if xsave else LIMITS.get(name)}


def show(results):
    """Whether all are within their limits."""
    fine = True
    for result in results:
        above = result["limit"] is not None and result["ratio"] > result["limit"]
        fine = fine and not above
        limit = f"goal {result['goal']}, limit {result['limit']}" if result["limit"] else "no limit"
        print(f"{result['name']:18} {result['us'] / 1000:8.1f} ms / {result['base_us'] / 1000:8.1f} ms = "
              f"{result['ratio']:.2f}, processor time {result['processor_ratio']:.2f}  ({limit})"
              f"{'  above the limit' if above else ''}")
    return fine


def show_side(starts):
    for name in WHAT:
        print(f"{name:18} {median(starts, name) * 1000:8.1f} ms, processor "
              f"{median(starts, name, 'used') * 1000:8.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--xsave", action="store_true", help="with XSAVE on both sides")
    parser.add_argument("--only", choices=["machine", "plain"], help="one of the two, without ratios")
    parser.add_argument("--floor", action="store_true", help="what the least is that a hypervisor costs on this QEMU")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write what was measured there")
    options = parser.parse_args()
    refuse_together(parser, options)
    options.programs, options.kernel = options.programs.resolve(), options.kernel.resolve()
    if options.floor:
        show_floors(gather_floors(options))
        return 0
    starts = gather(options, options.xsave)
    if options.only:
        show_side(starts[options.only])
        for start in starts[options.only]:
            print(start.words, getattr(start, "exits", ""))
        return 0
    results = list(results_of(starts, options.xsave))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if show(results) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
