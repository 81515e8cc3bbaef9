#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Attacks of a guest on Socle: tiny guests, each with a table of rules, on the SNP machine.

    run.py --programs BUILD [--slow | --races [STEP]] [--keep DIR] [NAME[:CPUS]]...

A guest says on COM1, in TAP, which rules hold, and ends itself. Here stands how many rules each has
at 1, 2 and 4 vCPUs, how its run must end, and what Socle may log. Then the machine's memory is held
against what it must be (memory.py). With --races all races are run, one boot for each step of VMPL0 at
which one vCPU is held, until no call has that many steps. The last line is `attacks: N passed, N failed`.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import re
import sys
import tempfile
from pathlib import Path

from memory import Memory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 100
PROBLEMS_SHOWN = 8
MEMORY = "64M"

# The guest ends itself with reason set 0xa; code 0 says that every rule holds.
PASSED = {"reason": "guest_terminated", "vmpl": 2, "set": 10, "code": 0}

# One service that nobody calls is the least that Socle starts with.
LEAST = """
service attest
	exec services/services
	role attest
	memory 2M
	budget 60s
	grant 7 log
	grant 4 amd-sp
"""

# These run with all of them.
ALL_SERVICES = ("busy", "levels-granted", "services", "rewritten", "turns", "turns-3072", "twin", "twin-ahead",
                "twin-both")
# All, where the twin has not the memory to begin.
NO_TWIN = machine.with_memory((ROOT / "services" / "services.conf").read_text(), "twin", "1M")

# And a vtpm that says what the guest tells it to (tests/services/taken_over.c).
TAKEN_OVER = """
service vtpm
	exec services/taken-over
	role vtpm
	memory 512K
	budget 60s
	grant 6 file profile/tcg.conf
"""


@dataclasses.dataclass(frozen=True)
class Run:
    name: str  # of the guest
    cpus: int
    rules: int  # that it must have; 0: it must not start
    options: tuple = ()  # of `socle run`
    ending: dict = dataclasses.field(default_factory=lambda: PASSED)
    ends_at: int = 0  # the rule that ends the VM when it holds; 0: none
    held: int = 0  # races that there must have been at least
    errors: tuple = ()  # regular expressions: what Socle may log as an error
    image: tuple = ()  # options of `socle igvm build`
    vmpl: int = 2  # of the guest
    features: int = 1  # SEV_FEATURES of the guest's first VMSA at the end
    conf: str = ""  # services.conf with a vtpm, where it is not the one that goes with the name

    @property
    def title(self):
        return " ".join((f"{self.name}:{self.cpus}", *(() if self.vmpl == 2 else (f"VMPL {self.vmpl}",)),
                         *self.options))


# The write of a CPU whose translation was ended: a nested page fault at VMPL 2.
WRITE_FAULTS = {"reason": "rmp_violation", "vmpl": 2}
# The host of all runs but those that say otherwise: as real ones, it converts a page at an access to
# its other side, and what is shared reads zero at first (docs/hosts.md).
HOST = ("--host", "kvm-svsm")
# There the VM ends at such an access, and that is what is wanted: VMPL0 touched what was taken away.
STRICT = ("--host", "strict")
TOUCHED = {"reason": "rmp_violation", "vmpl": 0}
AT_ONCE = ("--fault", "planes-at-once=/3")
# VMPL0 of a vCPU may then look at its VMSA at any moment, and DELETE_VCPU of another vCPU says rightly
# that it is in use. So this is for rules that delete no other vCPU.
AT_ONCE_INTERRUPT = ("--fault", "planes-at-once-interrupt")
# A host that does not run VMPL0 for its timer while the guest's level runs: the VM ends before the guest's first
# instruction, by reason set 2, code 7 (docs/debugging.md); an image that was built for it starts.
NO_PREEMPT = ("--preempt", "no")
NO_TIMER = {"reason": "guest_terminated", "vmpl": 0, "set": 2, "code": 7, "message":
            "the guest asked to be terminated: VMPL 0, reason set 2, code 0x7: socle: the monitor ends: "
            "VMPL0's timer does not reach it while the guest's level runs, and the image says that it does"}
# Events of VMPL0 while the guest's level runs: about 2,000 a second.
EVENTS = ("--event-storm", "500")


def race(step, held):
    """All calls, held before this step of VMPL0."""
    return Run("races", 4, 9, ("--hold", str(step)), held=held)


def rewritten(step, held):
    """Socle's exits before this step, each rewritten in every way."""
    return Run("rewritten", 4, 4, ("--hold", str(step)), held=held)


GUEST_APIC = ("--guest-apic",)
ALTERNATE = 0x11  # the APIC is not handed over to the host
RUNS = [
    Run("apic", 1, 20, STRICT, image=GUEST_APIC),
    Run("apic", 2, 26, STRICT, image=GUEST_APIC),
    Run("apic", 4, 26, STRICT, image=GUEST_APIC),
    Run("apic", 2, 26, (*STRICT, "--fault", "cut-delivery=/3"), image=GUEST_APIC),
    Run("apic-input", 1, 25, STRICT, image=GUEST_APIC),
    Run("apic-input", 2, 31, STRICT, image=GUEST_APIC),
    Run("apic-input", 4, 31, STRICT, image=GUEST_APIC),
    Run("apic-input", 2, 31, (*STRICT, "--fault", "cut-delivery=/3"), image=GUEST_APIC),
    Run("apic-storm", 2, 6, STRICT, image=GUEST_APIC, features=ALTERNATE),
    Run("apic-storm", 4, 6, (*STRICT, "--fault", "cut-delivery=/3"), image=GUEST_APIC, features=ALTERNATE),
    *(Run("apic-system", cpus, 5, STRICT, image=GUEST_APIC, features=ALTERNATE) for cpus in (1, 2, 4)),
    Run("calls", 1, 18),
    Run("calls", 2, 18),
    Run("calls", 4, 18),
    Run("calls", 1, 18, NO_PREEMPT, image=NO_PREEMPT),
    Run("calls", 1, 0, NO_PREEMPT, NO_TIMER),
    Run("calls", 1, 0, ("--fault", "timer-lose"), NO_TIMER),
    # A host that resets one plane parts nobody from anything (docs/reset.md).
    Run("calls", 2, 18, ("--fault", "reset-plane=/3")),
    Run("services", 1, 10, ("--fault", "reset-plane=/5")),
    Run("half-made", 1, 1, EVENTS),
    Run("half-made", 2, 2, EVENTS),
    Run("half-made", 2, 2, (*EVENTS, *STRICT)),
    Run("half-made-registers", 2, 2, (*EVENTS, *STRICT)),
    Run("levels", 1, 15),
    Run("levels", 2, 16),
    Run("levels", 2, 16, vmpl=1),
    Run("levels", 1, 15, (*EVENTS, *STRICT)),
    Run("levels", 1, 15, EVENTS),
    Run("levels", 2, 16, STRICT, image=GUEST_APIC, features=ALTERNATE),
    Run("levels-granted", 1, 4, image=("--lower-calls", "attest", "--lower-calls", "vtpm")),
    Run("levels-interrupts", 1, 5),
    Run("levels-interrupts", 1, 5, STRICT),
    Run("levels-read", 1, 1, (), {"reason": "rmp_violation", "vmpl": 3}, 1),
    Run("levels-write", 1, 1, (), {"reason": "rmp_violation", "vmpl": 3}, 1),
    Run("turns", 1, 4),
    Run("turns", 2, 5),
    Run("twin", 2, 3),
    Run("twin-both", 2, 3),
    Run("twin-none", 2, 3, conf=NO_TWIN, errors=("service twin ended: .*",)),
    Run("unchanged", 1, 3, EVENTS),
    Run("unchanged", 1, 3, (*EVENTS, *STRICT)),
    Run("manifests", 1, 6),
    Run("pvalidate", 1, 16),
    Run("pvalidate", 2, 16),
    Run("pvalidate", 4, 16),
    Run("states", 1, 8),
    Run("states", 2, 15),
    Run("states", 4, 15),
    Run("states", 1, 8, STRICT, TOUCHED, 1),
    Run("states", 4, 15, STRICT, TOUCHED, 1),
    Run("busy", 3, 2, ("--fault", "amd-sp-busy")),
    Run("services", 1, 10),
    Run("services", 2, 11),
    Run("services", 2, 11, ("--fault", "amd-sp-busy=/2")),
    Run("shared", 1, 2),
    Run("shared", 2, 5),
    Run("shared", 4, 6),
    Run("storms", 1, 2),
    Run("storms", 2, 7),
    Run("storms", 4, 7),
    Run("vcpus", 1, 2),
    Run("vcpus", 2, 19),
    Run("vcpus", 4, 20),
    Run("cycles", 4, 4),
    Run("noflush", 1, 2, ("--invlpgb", "hidden")),
    Run("noflush", 2, 4, ("--invlpgb", "hidden")),
    Run("noflush", 2, 4, ("--invlpgb", "undefined")),
    Run("noflush", 4, 4, ("--invlpgb", "intercepted")),
    Run("stale-started", 2, 1, (), WRITE_FAULTS, 1),
    Run("stale-started", 4, 1, (), WRITE_FAULTS, 1),
    Run("stale-refused", 2, 1, ("--hold", "2"), WRITE_FAULTS, 1),
    Run("stale-refused", 4, 1, ("--hold", "2"), WRITE_FAULTS, 1),
    Run("stale-older", 2, 1, (), WRITE_FAULTS, 1),
    Run("stale-older", 4, 1, (), WRITE_FAULTS, 1),
    Run("calls", 2, 18, vmpl=3),
    Run("pvalidate", 2, 16, vmpl=1),
    Run("services", 2, 11, vmpl=1),
    Run("vcpus", 2, 19, vmpl=3),
    race(1, 100),
    race(2, 100),
    race(4, 50),
    race(7, 10),
    rewritten(2, 31),
    Run("pvalidate", 1, 16, AT_ONCE),
    Run("states", 1, 8, AT_ONCE_INTERRUPT),
    Run("pvalidate", 2, 16, AT_ONCE_INTERRUPT),
]
SLOW_RUNS = [
    Run("apic-storm-long", 4, 6, STRICT, image=GUEST_APIC, features=ALTERNATE),
    Run("cycles", 2, 4),
    *(Run("apic", 2, 26, STRICT, image=GUEST_APIC, vmpl=vmpl) for vmpl in (1, 3)),
    *(Run(name, 2, rules, vmpl=vmpl) for name, rules, vmpl in (
        ("calls", 18, 1), ("pvalidate", 16, 3), ("services", 11, 3), ("vcpus", 19, 1), ("states", 15, 1),
        ("states", 15, 3))),
    *(race(step, held) for step, held in ((3, 80), (5, 15), (6, 15), (8, 15), (10, 10))),
    rewritten(1, 3),
    rewritten(6, 15),
    Run("calls", 4, 18, AT_ONCE_INTERRUPT),
    Run("pvalidate", 4, 16, AT_ONCE),
    Run("states", 4, 15, AT_ONCE),
    Run("vcpus", 4, 20, AT_ONCE),
]


class Guest:
    """One boot of one guest, in a folder of its own."""

    def __init__(self, run, programs, folder, keys):
        self.run = run
        self.programs = programs
        self.folder = folder
        self.keys = keys
        self.image = folder / "guest.igvm"
        self.monitor = programs / "monitor" / "monitor.elf"
        self.socle = programs / "tools" / "socle"

    def archive(self):
        """Files of Socle's archive: all services, or the least, or beside that a false vtpm."""
        files = {"services/services": self.programs / "services" / "services",
                 "services.conf": self.folder / "services.conf"}
        if self.run.conf:
            files["services.conf"].write_text(self.run.conf)
        elif self.run.name in ALL_SERVICES:
            files["services.conf"] = ROOT / "services" / "services.conf"
        elif self.run.name == "manifests":
            files["services/taken-over"] = self.programs / "tests" / "services" / "taken-over"
            files["services.conf"].write_text(LEAST + TAKEN_OVER)
        else:
            files["services.conf"].write_text(LEAST)
        if self.run.conf or self.run.name in (*ALL_SERVICES, "manifests"):
            files["profile/tcg.conf"] = ROOT / "profiles" / "tcg.conf"
        return files

    def build(self):
        return machine.build(
            self.socle, self.image, "--monitor", self.monitor, "--memory", MEMORY, "--cpus",
            self.run.cpus, *self.host(), *self.run.image, "--guest-vmpl", self.run.vmpl, "--guest-bare",
            self.programs / "tests/attacks/guest" / f"attack-{self.run.name}", files=self.archive())

    def host(self):
        return STRICT if STRICT[0] in self.run.options else HOST

    def boot(self):
        return machine.run(
            self.socle, self.image, self.folder, self.keys, "--cpus", self.run.cpus, "--memory", MEMORY,
            "--hv", self.programs / "machine" / "hv" / "hv.bin", "--dump", self.folder,
            *(() if STRICT[0] in self.run.options else HOST), *self.run.options, seconds=TIMEOUT_S)

    def results(self):
        """(passed, problems)"""
        output = self.build()
        if output:
            return 0, [f"no image: {output}"]
        stop, output = self.boot()
        if stop is None:
            return 0, [f"did not start: {output}"]
        lines = machine.log_of(self.folder, "guest.log").splitlines()
        passed, problems = judge_tap(lines, self.run)
        ending = judge_ending(stop, self.run.ending | ({"vmpl": self.run.vmpl} if self.run.ending is PASSED else {}))
        problems += ending + judge_log(machine.log_of(self.folder).splitlines(), self.run.errors)
        if races_held(lines) < self.run.held:
            problems.append(f"{races_held(lines)} races were held, {self.run.held} wanted")
        if not ending and self.run.rules and not self.run.ends_at:
            memory = Memory(self.folder, self.image, self.monitor, self.run.cpus, self.run.vmpl, self.run.features)
            problems += memory.wrong(kept_pages(lines))
        return passed, problems


def judge_tap(lines, run):
    """How many rules hold, and what is wrong with the rest."""
    if run.rules == 0:
        return 0 if lines else 1, ["the guest has run"] if lines else []
    results = [line for line in lines if re.match(r"(not )?ok \d+ ", line)]
    passed = sum(line.startswith("ok") for line in results)
    problems = []
    for at, line in enumerate(lines):
        if line.startswith("not ok"):
            reason = lines[at + 1] if at + 1 < len(lines) else ""
            problems.append(f"{line} {reason}")
        if line.startswith("Bail out!"):
            problems.append(line)
    if not lines or lines[0] != f"1..{run.rules}":
        problems.append(f"the plan is {lines[0] if lines else 'not there'}, 1..{run.rules} wanted")
    elif len(results) != (run.ends_at - 1 if run.ends_at else run.rules):
        problems.append(f"it ended after {len(results)} of {run.rules} rules")
    return passed + (run.ends_at == len(results) + 1), problems


def judge_ending(stop, ending):
    return [f"the run ended with {key} = {stop.get(key)}, {value} wanted: {stop.get('message')}"
            for key, value in ending.items() if stop.get(key) != value]


def judge_log(lines, allowed):
    """No guest makes Socle log an error that is not said here."""
    errors = [line for line in lines if line.startswith("socle: error: ")]
    return [f"Socle's log: {line}" for line in errors
            if not any(re.fullmatch(f"socle: error: {text}", line) for text in allowed)]


def races_held(lines):
    """How often a vCPU was held before the step."""
    return sum(int(match[1]) for line in lines if (match := re.match(r"# held (\d+) ", line)))


def kept_pages(lines):
    """Pages that the guest leaves otherwise than valid: gPA and state."""
    kept = {}
    for line in lines:
        if match := re.fullmatch(r"# pages 0x([0-9a-f]+) (\d+) (\w+)", line):
            for i in range(int(match[2])):
                kept[int(match[1], 16) + i * 4096] = match[3]
    return kept


def run_one(run, programs, folder, keys):
    folder.mkdir()
    passed, problems = Guest(run, programs, folder, keys).results()
    (folder / "ram.bin").unlink(missing_ok=True)
    return run, passed, problems


def show(run, passed, problems):
    print(f"{'FAIL' if problems else 'ok':4}  {run.title:40} {passed} of {run.rules} rules",
          flush=True)
    for problem in problems[:PROBLEMS_SHOWN]:
        print(f"      {problem}", flush=True)
    if len(problems) > PROBLEMS_SHOWN:
        print(f"      and {len(problems) - PROBLEMS_SHOWN} more", flush=True)


def count(passed, problems):
    """A run whose rules all hold, and that is wrong otherwise, has one failure more."""
    failed = sum(problem.startswith("not ok") for problem in problems)
    return passed, failed if failed or not problems else 1


def run_all(runs, programs, folder, jobs):
    folder.mkdir(exist_ok=True)
    keys = folder / "keys"
    total = [0, 0]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run_one, run, programs, folder / f"{i:02}-{run.name}-{run.cpus}",
                               keys) for i, run in enumerate(runs)]
        for result in waiting:
            run, passed, problems = result.result()
            show(run, passed, problems)
            total = [a + b for a, b in zip(total, count(passed, problems))]
    return total


def run_races(first, programs, folder, jobs):
    """Every race there is from this step on: until no call has that many steps."""
    total, races, step = [0, 0], 0, first
    while True:
        runs = [race(n, 0) for n in range(step, step + jobs)]
        counts = run_all(runs, programs, folder / f"from-{step:02}", jobs)
        total = [a + b for a, b in zip(total, counts)]
        held = [races_held(log.read_text(errors="replace").splitlines())
                for log in (folder / f"from-{step:02}").glob("*/guest.log")]
        races += sum(held)
        if 0 in held or counts[1]:
            print(f"{races} races, steps {first} to {step + jobs - 1}")
            return total
        step += jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--slow", action="store_true", help="what does not fit `make check`")
    parser.add_argument("--races", type=int, nargs="?", const=1, metavar="STEP",
                        help="all races, from this step on, which takes minutes")
    parser.add_argument("--keep", type=Path, help="keep images and logs there; it must be empty")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("names", nargs="*", help="these guests, or NAME:CPUS, and no others")
    options = parser.parse_args()
    runs = [run for run in (SLOW_RUNS if options.slow else RUNS)
            if not options.names or {run.name, f"{run.name}:{run.cpus}"} & set(options.names)]
    if not runs:
        parser.error("there is no such guest")
    with tempfile.TemporaryDirectory(prefix="socle-attacks-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        programs = options.programs.resolve()
        passed, failed = (run_races(options.races, programs, folder, options.jobs) if options.races else
                          run_all(runs, programs, folder, options.jobs))
    print(f"attacks: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
