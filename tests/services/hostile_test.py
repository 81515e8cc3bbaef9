#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Services that break rules, in ring 3 of the monitor, on the machine.

	hostile_test.py [--storm US] [--pause] [--fault NAME[=WHEN]]... SOCLE MONITOR HOSTILE [MODES]

Each boot packs up to six of them (MODES, see hostile.c) and a caller that calls each twice and logs
what came back. The expected statuses and log lines are those of docs/services.md and abi/service.h.

With --storm, the host is an enemy too: it raises #HV about every US microseconds (machine/hv/event/storm.h).
All of it must come out the same, and #HV must have hit ring 3, ring 0, and the handler of #HV.

With --pause the host stands still, for longer than the budget of the service, whenever one says that it
waits. Nobody may pay for that.

With --fault the host loses, delays or repeats events of the timer (socle run --help). A budget ends all the
same.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

OK, FAILED = "00", "44"  # statuses of two calls
FIRST_FD = 8
AT_ONCE = 6  # a service has eight grants, two of them are the log and its mode
SERVICES_MAX = 8  # of one services.conf
STORM_STATES = ("user", "kernel", "nested", "timer")
BUDGET_SECONDS = {"B": 3}  # of the others: 1
PAUSE_SECONDS = 3.5

# Mode of hostile.c: statuses, and the lines that must follow "service NAME" in the log.
EXCEPTION = "exception {}, .*", "ended: an exception"


def exception(vector):
    return [part.format(vector) for part in EXCEPTION]


CASES = {
    "e": (OK, []),
    "c": (FAILED, exception(14)),
    "x": (FAILED, exception(14)),
    "w": (FAILED, exception(14)),
    "k": (FAILED, exception(14)),
    "m": (FAILED, exception(14)),
    "h": (FAILED, exception(13)),
    "i": (FAILED, exception(6)),
    "d": (FAILED, exception(0)),
    "o": (FAILED, exception(13)),
    "v": (OK, []),  # it reaches the host, which finds no valid field in the GHCB
    "t": (FAILED, exception("(6|13)")),
    "n": (FAILED, exception("(12|13)")),
    "u": (FAILED, exception(13)),
    "j": (OK, []),  # no trap behind an instruction that faults, and the way back does not set the flag
    "s": (FAILED, exception(14)),
    "l": (FAILED, ["ended: it ran past its budget"]),
    "y": (FAILED, ["ended: it ran past its budget"]),
    "2": (FAILED, ["ended: it answered without a request"]),
    "r": (FAILED, ["ended: it asked for a request before it answered the last one"]),
    "z": (FAILED, ["ended: its reply contradicts itself"]),
    "q": (FAILED, ["ended: it left with an error"]),
    "p": (OK, []),
    "f": (OK, []),
    # Nothing is left for its reply: write() gives ENOMEM, and it reads again all the same.
    "a": (FAILED, ["ended: it asked for a request before it answered the last one"]),
    "A": (OK, []),
    "W": (FAILED, ["ended: it answered without a request"]),
    "b": (FAILED, ["ended: it ran past its budget"]),
    "T": (FAILED, exception(1)),
    "R": (OK, []),
    "D": (OK, []),
    "K": (OK, []),
    "B": (OK, []),
    "M": (FAILED, exception(14)),
    "O": (FAILED, exception(14)),
    "F": (None, []),  # any
    "P": (FAILED, [exception("(6|13)")[0]]),
}

# Of mode P, in its order: the vectors that each may earn in ring 3 (APM volume 3, each instruction's table).
GP, UD, PF = 13, 6, 14
NONE = None  # or no exception at all
# From version 11 on QEMU looks at no ring there (target/i386/tcg/decode-new.c.inc), and has no cache either.
RINGLESS_QEMU, RINGLESS = 11, {"INVD", "WBINVD"}
FORBIDDEN = [
    *[(name, {GP}) for name in (
        "CLI", "STI", "IN", "RDMSR", "WRMSR", "MOV from CR0", "MOV from CR3", "MOV to CR4",
        "MOV from CR8", "MOV from DR7", "MOV to DR0", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "CLTS",
        "INVLPG")],
    *[(name, {GP}) for name in ("INVD", "WBINVD", "SWAPGS")],
    ("SYSRET", {UD, GP}),  # undefined like SYSCALL, and of ring 0
    *[(name, {GP}) for name in (
        "RDPMC", "RMPADJUST", "INVLPGB", "TLBSYNC", "SGDT", "SIDT", "SLDT", "STR", "SMSW")],
    *[(name, {UD}) for name in ("WRFSBASE", "WRGSBASE", "XGETBV")],
    ("XSETBV", {UD, GP}),  # QEMU looks at the ring first
    *[(name, {UD}) for name in ("VZEROUPPER", "RDPKRU", "REX.W SYSCALL", "66 SYSCALL", "REP SYSCALL",
                                "LOCK SYSCALL", "SYSENTER")],
    *[(name, {GP}) for name in ("INT 2", "INT3", "INT 8", "INT 28", "INT 29", "INT 80h", "far CALL",
                                "far JMP")],
    # QEMU reads the frame as ring 0 does, which SMAP forbids.
    *[(name, {GP, PF}) for name in ("far RET", "IRET")],
    *[(name, {GP}) for name in ("SS of ring 0", "DS of ring 0", "DS of the TSS",
                                "address that is none")],
]


def service(name, mode, calls):
    # A caller's includes those of the services it calls.
    budget = 30 if calls else BUDGET_SECONDS.get(mode, 1)
    grants = "".join(f"\tgrant {FIRST_FD + i} service {other}\n" for i, other in enumerate(calls))
    grants += "\tgrant 4 amd-sp\n" if mode == "A" else ""
    grants += "\tparked\n" if mode in "FP" else ""
    grants += "\tgrant 7 log\n" if mode != "F" else ""  # which it would fill
    return (f"service {name}\n\texec hostile\n\tmemory 512K\n\tbudget {budget}s\n"
            f"\tgrant 6 file mode-{mode}\n{grants}")


def names(modes):
    return [f"s{ord(mode)}" for mode in modes]


def callers(modes):
    """Services beside those of the modes: the caller, and one for each parked mode."""
    return 1 + ("P" in modes) + ("F" in modes)


def groups(modes):
    """The modes in pieces that one image has room for."""
    group = ""
    for mode in modes:
        grown = group + mode
        if len(grown) > AT_ONCE or len(grown) + callers(grown) > SERVICES_MAX:
            yield group
            grown = mode
        group = grown
    yield group


def build(socle, monitor, hostile, modes, folder):
    conf = "".join(service(name, mode, []) for name, mode in zip(names(modes), modes))
    conf += service("caller", "C", names(modes))
    conf += service("sweeper", "S", names("P")) if "P" in modes else ""
    conf += service("seeder", "G", names("F")) if "F" in modes else ""
    (folder / "services.conf").write_text(conf)
    files = {"services.conf": folder / "services.conf", "hostile": hostile}
    for mode in modes + "CGS":
        files[f"mode-{mode}"] = folder / f"mode-{mode}"
        files[f"mode-{mode}"].write_text(mode + "\n")
    return machine.must_build(socle, folder / "image", "--monitor", monitor, files=files)


def children(pid):
    return [int(word) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
            for word in path.read_text().split()]


def pause(process):
    """QEMU, which is the host's CPUs, stands still."""
    machines = children(process.pid)
    for pid in machines:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE_SECONDS)
    for pid in machines:
        os.kill(pid, signal.SIGCONT)


def boot(socle, image, keys, folder, options):
    """The monitor's log up to the end of its start. Making keys takes long, so they stay."""
    paused = 0

    def watch(process, text):
        nonlocal paused
        if options.pause and text.count("] waiting") > paused:
            paused += 1
            pause(process)

    return machine.run_until_ready(
        socle, image, folder, keys, *(["--event-storm", options.storm] if options.storm else []),
        *(f"--fault={fault}" for fault in options.fault), watch=watch)


def check(mode, statuses, fd, text):
    name = names(mode)[0]
    wanted, lines = CASES[mode]
    problems = []
    if wanted and statuses.get(str(fd)) != wanted:
        problems.append(f"the caller saw {statuses.get(str(fd))}, not {wanted}")
    for line in lines:
        if not re.search(f"^socle: error: service {name}:? {line}$", text, re.MULTILINE):
            problems.append(f"no log line {line!r}")
    if not lines and f"service {name} ended" in text:
        problems.append("it ended")
    return problems


def qemu_major():
    """Of the QEMU that socle run starts."""
    said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"version (\d+)\.", said)[1])


def check_forbidden(text, qemu):
    """What the sweeper saw, behind the two calls of the first one that every service gets. It makes more calls than
    there are instructions. QEMU is of that major version."""
    found = re.findall(f"^socle: error: service {names('P')[0]}: exception ([0-9]+),", text,
                       re.MULTILINE)
    seen = re.search(r"^socle: \[sweeper\] 8=(\w+)$", text, re.MULTILINE)
    statuses = seen[1] if seen else ""
    tried, after = statuses[:len(FORBIDDEN)], statuses[len(FORBIDDEN):]
    if set(after) != {OK[0]} or not set(tried) <= {OK[0], FAILED[0]}:
        return [f"{statuses} for {len(FORBIDDEN)} instructions"]
    vectors = [int(vector) for vector in found[2:]]
    if len(vectors) != tried.count(FAILED[0]):
        return [f"{len(vectors)} exceptions for {tried.count(FAILED[0])} instructions that failed"]
    ringless = RINGLESS if qemu >= RINGLESS_QEMU else set()
    left = iter(vectors)
    raised = [next(left) if status == FAILED[0] else NONE for status in tried]
    return [f"{name} gives {'no exception' if vector is NONE else f'exception {vector}'}"
            for (name, wanted), vector in zip(FORBIDDEN, raised)
            if vector not in wanted | ({NONE} if name in ringless else set())]


def run(options, modes, hits, result):
    with tempfile.TemporaryDirectory(prefix="socle-hostile-") as path:
        folder = pathlib.Path(path)
        image = build(options.socle, options.monitor, options.hostile, modes, folder)
        keys = pathlib.Path(options.hostile).parent / "keys"
        text = boot(options.socle, image, keys, folder, options)
        if options.storm:
            hits.update(json.loads((folder / "timeline.json").read_text())["storm"])
    found = re.search(r"^socle: \[caller\] (.*)$", text, re.MULTILINE)
    statuses = dict(part.split("=") for part in found[1].split()) if found else {}
    goes_on = "service caller is ready" in text and "services ready" in text
    ok = True
    for index, mode in enumerate(modes):
        problems = check(mode, statuses, FIRST_FD + index, text)
        if mode == "P":
            problems += check_forbidden(text, qemu_major())
        if mode == "F" and "[seeder] 8=0\n" not in text:
            problems.append("it is not what it was")
        if not goes_on:
            problems.append("the monitor or the caller did not go on")
        ok &= result(not problems, f"mode {mode}", "; ".join(problems))
    if not ok:
        print(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--storm", type=int, default=0, metavar="US")
    parser.add_argument("--pause", action="store_true")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[=WHEN]")
    parser.add_argument("socle")
    parser.add_argument("monitor")
    parser.add_argument("hostile")
    parser.add_argument("modes", nargs="?", default="".join(CASES).replace("B", ""))
    options = parser.parse_args()
    hits = collections.Counter()
    result = Results("hostile services")
    for modes in groups(options.modes):
        run(options, modes, hits, result)
    if options.storm:  # it has hit what it is for, all boots together
        states = {state: hits[state] for state in STORM_STATES}
        result(all(states.values()), f"storm {states}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
