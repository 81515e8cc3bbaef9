#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The monitor's APIC against others: the same random sequences on both, register by register.

    judge_test.py IMAGE MODEL [--qemu PATH | --suite NAME] [--seeds N] [--steps N]

IMAGE is a bare-metal program that does a sequence to the local APICs of four CPUs and prints their registers after each
step, MODEL does it to monitor/apic. Judges are the APICs of QEMU under TCG, as xAPIC and, since QEMU 9, as x2APIC, and
KVM's where there is a /dev/kvm that works. Compared: ID, TPR, PPR, ICR, ISR, TMR, IRR, of an x2APIC LDR as well, and
which interrupts and how many NMIs the CPUs took.
"""

import argparse
import dataclasses
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import suites  # noqa: E402  pylint: disable=wrong-import-position
from results import Results  # noqa: E402  pylint: disable=wrong-import-position

CPUS = 4
TIMEOUT_S = 30
PROBE_S = 10
LOG = 4 << 20  # bare.c
NAMES = ["ID", "TPR", "PPR", "ICR", "ICR 63:32", "LDR",
         *(f"{name}{n}" for name in ("ISR", "TMR", "IRR") for n in range(8)), "NMIs", "taken", "last"]
# Two from /dev/urandom, and two that anybody might take; none was chosen because it passes.
SEEDS = [2870177450, 907133923, 3735928559, 1]


def log_in(ram):
    """What the image wrote to memory: zeros follow it."""
    return ram.read_bytes()[LOG:].split(b"\0", 1)[0].decode(errors="replace").splitlines() if ram.exists() else []


def run_qemu(qemu, accel, image, words, seconds=TIMEOUT_S):
    """The lines of the image, and what QEMU said."""
    with tempfile.TemporaryDirectory() as folder:
        ram = Path(folder) / "ram"
        try:
            run = subprocess.run([qemu, "-machine", "pc,memory-backend=ram", "-accel", accel, "-cpu", "qemu64,+x2apic",
                                  "-smp", str(CPUS), "-m", "16",
                                  "-object", f"memory-backend-file,id=ram,size=16M,mem-path={ram},share=on",
                                  "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                                  "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                                  "-kernel", image, "-append", " ".join(words)], check=False, timeout=seconds,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        except subprocess.TimeoutExpired:
            return log_in(ram), f"no end within {seconds} s"
        return log_in(ram), run.stderr


# One thread: an NMI of another CPU has arrived when that CPU's next instruction runs.
TCG, KVM = "tcg,thread=single", "kvm"
NO_X2APIC = "this QEMU has no x2APIC under TCG"
# Reads as zero there (QEMU 10.0 and 11.1, in x2APIC mode).
TCG_UNKNOWN = ("ICR 63:32",)


def why_not(qemu, accel, image, x2apic):
    """
    Why this one cannot judge, None: it can. TCG always can, but that one before 9.0 knows no x2APIC; KVM's may
    be one within another hypervisor's, which does what it likes.
    """
    words = ["1", "1", *(["x2apic"] if x2apic else [])]
    lines, said = run_qemu(qemu, accel, image, words, TIMEOUT_S if accel == TCG else PROBE_S)
    if x2apic and "x2apic" in said:
        return NO_X2APIC
    if lines[:1] == ["no window"]:
        return "an interrupt that waits is not taken here when IF is set"
    if "end" not in lines:
        return " ".join(said.split()) or "the image does not come to its end"
    return None


def judges(qemu):
    """Name, accelerator, whether in x2APIC mode."""
    version = subprocess.run([qemu, "--version"], check=True, capture_output=True, text=True).stdout.split()[3]
    return [(f"{name} of QEMU {version}, {mode}", accel, mode == "x2APIC")
            for name, accel in (("TCG", TCG), ("KVM", KVM)) for mode in ("xAPIC", "x2APIC")]


def difference(ours, theirs, unknown=()):
    """What differs first, in words, but for registers that theirs has not; None: nothing."""
    step = "before the first step"
    cpu = 0
    for mine, other in itertools.zip_longest(ours, theirs, fillvalue="(no line)"):
        if mine.startswith("step"):
            step, cpu = mine, -1
        cpu += 1
        if mine == other:
            continue
        words = [f"{name} {a} and not {b}" for name, a, b in zip(NAMES, mine.split(), other.split())
                 if a != b and name not in unknown]
        if not words and len(mine.split()) == len(other.split()) == len(NAMES):
            continue
        if len(mine.split()) != len(NAMES) or len(other.split()) != len(NAMES):
            words = [f"{mine!r} and not {other!r}"]
        return f"{step}: CPU {cpu - 1}: {', '.join(words)}"
    return None


def tally(lines):
    """How much happened: a sequence in which nothing is taken shows nothing."""
    last = [line.split() for line in lines if not line.startswith(("step", "end"))][-CPUS:]
    return {name: sum(int(line[NAMES.index(name)], 16) for line in last) for name in ("NMIs", "taken")}


def judge(result, name, run, model):
    """Both over one sequence; the lines of the model."""
    ours = subprocess.run([*model, *run.words], check=True, capture_output=True, text=True).stdout.splitlines()
    theirs, said = run_qemu(run.qemu, run.accel, run.image, run.words)
    differs = difference(ours, theirs, () if run.accel == KVM else TCG_UNKNOWN)
    result(differs is None, name, f"{differs} {said if theirs[-1:] != ['end'] else ''}" if differs else "")
    happened = tally(ours)
    result(happened["taken"] > run.steps // 20 and happened["NMIs"] > 0, f"{name}: interrupts were taken", happened)
    return ours


@dataclasses.dataclass(frozen=True)
class Run:
    qemu: str
    accel: str
    image: Path
    seed: int
    steps: int
    x2apic: bool

    @property
    def words(self):
        return [str(self.seed), str(self.steps), *(["x2apic"] if self.x2apic else [])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--suite", help="the QEMU of that suite of Debian (scripts/fetch-qemu.sh)")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args()
    result = Results("apic judge")
    qemu = suites.qemu_of(args.suite) if args.suite else args.qemu
    ours = []

    for name, accel, x2apic in judges(qemu):
        reason = why_not(qemu, accel, args.image, x2apic)
        if reason == NO_X2APIC or reason is not None and accel == KVM:
            result.skip(name, reason)
            continue
        if not result(reason is None, f"{name} judges", reason):
            continue
        for seed in SEEDS[:args.seeds]:
            ours = judge(result, f"{name}: seed {seed}, {args.steps} steps",
                         Run(qemu, accel, args.image, seed, args.steps, x2apic), [args.model])
    # What the comparison is worth: one register that is wrong is seen.
    wrong = [line.replace(" 0 ", " 1 ", 1) if n == 7 else line for n, line in enumerate(ours)]
    result(difference(ours, wrong) is not None, "a wrong register is seen")
    result(difference(ours, ours[:-1]) is not None, "a missing line is seen")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
