#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the start of Socle costs, from VMPL0's first instruction to VMPL2's, with an authority that certifies the
vTPM's keys: exits by kind, which hardly depend on the computer, and the time, which does.

    start.py --programs BUILD [--cpus N] [--memory SIZE] [--host NAME] [--rounds N] [--check]

The guest is firmware of a few instructions that ends the VM, so nearly all that was counted is the start's. With
--check it fails when there are more exits than the limit.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "tests/machine")]
import machine  # noqa: E402
import svsm_firmware_test  # noqa: E402

LIMIT = 3000
GOAL_SECONDS = 0.7  # without the making of keys, on two idle processors
SECONDS = 120
# What a processor leaves VMPL0 for: its VMGEXITs and HLT. RMP instructions, the services' system calls and the GHCB's
# MSR leave it on the machine alone, and interrupts of the host's are not for Socle.
EXITS = ("hlt", "nae.", "msr.")
# Of Socle's log -> what it has done by then. Behind the attest service the vtpm begins, which makes its keys until the
# report on them. The twin and work ahead are not there before the guest (tests/attacks/twin_test.py).
MARKS = {"attest": "service attest is ready", "vtpm": "service vtpm is ready", "ready": "services ready"}
PHASES = (("vmpl0_entry", "attest", "memory, vCPUs, host, the attest service"), ("attest", "report", "keys"),
          ("report", "vtpm", "report and certificates"), ("vtpm", "ready", "services ready"),
          ("ready", "vmpl2_entry", "the guest's start"))


def build(programs, folder, host):
    firmware = folder / "firmware.fd"
    firmware.write_bytes(svsm_firmware_test.firmware())
    return machine.must_build(
        programs / "tools/socle", folder / "socle.igvm", "--host", host, "--monitor", programs / "monitor/monitor.elf",
        "--firmware", firmware,
        files={"services/services": programs / "services/services", "services.conf": ROOT / "services/services.conf",
               "profile/tcg.conf": ROOT / "profiles/tcg.conf"})


def authority(socle, folder, image):
    """`socle ca serve`, which waits for the machine. What its certificates are worth does not matter here."""
    subprocess.run([socle, "ca", "init", "--name", "bench", folder / "ca"], check=True, stdout=subprocess.DEVNULL)
    return subprocess.Popen([socle, "ca", "serve", "--connect", f"unix:{folder}/channel", "--image", image,
                             "--trust-emulated", "--ark", folder / "certs/ark.pem", folder / "ca"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(programs, folder, options):
    """One start: its timeline and Socle's log."""
    socle, logs, keys = programs / "tools/socle", folder / "logs", folder / "keys"
    image = build(programs, folder, options.host)
    # The chain has to be there before the authority is: a first, short run makes it.
    machine.run(socle, image, folder / "first", keys, "--certs-out", folder / "certs", "--host", options.host,
                "--memory", "64M", seconds=1)
    certifier = authority(socle, folder, image)
    try:
        stop, output = machine.run(
            socle, image, logs, keys, "--host", options.host, "--cpus", options.cpus, "--memory", options.memory,
            "--vmpl0-channel", f"unix:{folder}/channel",
            *(word for name, text in MARKS.items() for word in ("--mark", f"{name}={text}")), seconds=SECONDS)
        said, complaint = certifier.communicate(timeout=20)
    finally:
        certifier.kill()
        certifier.wait()
    if certifier.returncode or not stop or stop["reason"] != "guest_terminated" or stop["vmpl"] != 2:
        raise RuntimeError(f"no start with certificates: {stop} {output} {said} {complaint}")
    if "no certificates" in machine.log_of(logs):
        raise RuntimeError(f"it has none: {machine.log_of(logs)}")
    return json.loads((logs / "timeline.json").read_text()), machine.log_of(logs, "machine.log")


def exits_of(timeline):
    """By kind, of all levels: VMPL2's own are its start and its end."""
    return {kind["kind"]: sum(kind["by_vmpl"]) for kind in timeline["exits"] if kind["kind"].startswith(EXITS)}


def times_of(timeline, log):
    """Seconds at which each phase begins or ends."""
    at = {name: event["ns"] / 1e9 for name, event in timeline["events"].items()}
    at["report"] = float(re.search(r"^\[ *([0-9.]+)\] psp: guest request from VMPL 0", log, re.MULTILINE)[1])
    return at


def show_times(runs):
    """All of the time, what is left without the making of keys, and each phase: medians."""
    every = [times_of(*run) for run in runs]

    def took(first, last):
        return statistics.median(at[last] - at[first] for at in every)

    rest = statistics.median(at["vmpl2_entry"] - at["vmpl0_entry"] - (at["report"] - at["attest"]) for at in every)
    print(f"seconds from VMPL0's first instruction to VMPL2's: {took('vmpl0_entry', 'vmpl2_entry'):.2f}, "
          "without the making of "
          f"keys {rest:.2f} (goal {GOAL_SECONDS})")
    for first, last, what in PHASES:
        print(f"    {what:42} {took(first, last):6.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--host", default="kvm-svsm")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    runs = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="socle-start-") as folder:
            runs.append(start(options.programs.resolve(), Path(folder), options))
    counts = [exits_of(timeline) for timeline, _ in runs]
    for kind, count in sorted(counts[-1].items(), key=lambda item: -item[1]):
        print(f"    {kind:24} {count:8}")
    total = statistics.median(sum(count.values()) for count in counts)
    machines = statistics.median(sum(sum(kind["by_vmpl"]) for kind in timeline["exits"]) for timeline, _ in runs)
    print(f"exits of a start with an authority {total:8g} (limit {LIMIT})"
          f"{'' if total <= LIMIT else '  above the limit'}")
    print(f"    what the machine counts, one VMGEXIT in three ways and its own instructions: {machines:g}")
    show_times(runs)
    return 1 if options.check and total > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
