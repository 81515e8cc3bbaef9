#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Socle costs a boot: OVMF 2026.08, the same kernel and first file system by fw_cfg, at VMPL2 under Socle, and at
VMPL0 without it, on one machine, in turns, each with a TPM and without. From the firmware's first instruction to the
first program's; ratios of medians of one run, for times alone say more about the computer than about Socle.

    boot_speed.py --programs BUILD [--rounds N] [--kinds N] [--check] [--json FILE]
    boot_speed.py --programs BUILD --only socle|tpm|tpmless|alone [--rounds N] [--kinds N] [--swtpm]

Where there is a TPM the firmware hashes what it starts, by its own code, for each bank. Under Socle the TPM is its
vTPM; on the machine without it (tpm) it is one of the host's with the same banks, `socle vtpm serve` or, with --swtpm,
swtpm, behind QEMU's registers. tpmless is Socle without its vTPM, and alone the machine without a TPM. It says for what
each side leaves the guest. With --check it fails when a ratio is above its limit.
"""

import argparse
import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import machine_speed
from machine_speed import ROOT, Start, listen, median

sys.path[:0] = [str(ROOT / "tests/guest")]
import booted  # noqa: E402
import channel  # noqa: E402 (machine_speed knows where it is)
import machine  # noqa: E402 (booted knows where it is)
import served  # noqa: E402

CPUS = 2
MEMORY = "512M"
HOST = "kvm-svsm"
TIMEOUT_S = 400
LOG_LINES = 12  # of the machine's, where a boot fails
APPEND = f"{machine_speed.CMDLINE} work=none"
SIDES = {"socle": 2, "tpm": 0, "tpmless": 2, "alone": 0}  # and the guest's VMPL
PARTS = ("boot", "boot-clock")
WHAT = {"boot": "the firmware's first instruction to the first program's, by the host's clock",
        "boot-clock": "the kernel's part of it, by the guest's clock"}
GOAL = 1.15
FASTER = 1.0  # it is 0.83: a limit against what makes it slower, of which the goal would let a third more pass
# Sides beside each other, with the goal and the limit of the boot's ratio. The last two only say what a TPM costs, and
# what Socle does with one beside a machine that has none.
PAIRS = {("socle", "tpm"): (GOAL, FASTER), ("tpmless", "alone"): (GOAL, GOAL), ("socle", "alone"): (None, 1.6),
         ("tpm", "alone"): (None, None)}
TPM = ("twin", "ahead", "vtpm")  # services


def without_tpm(text):
    """The services of a Socle without a vTPM."""
    return functools.reduce(machine.without_service, TPM, text)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.first = machine_speed.first_file_system(options.programs, folder)
        self.firmware, missing = booted.ovmf("forky")
        if missing:
            raise RuntimeError(f"OVMF: {missing}")
        alone = ["--firmware", self.firmware]
        self.start_words = {"alone": alone, "tpm": alone, "socle": [self.image("socle", booted.socle(options))]}
        conf = folder / "services.conf"
        conf.write_text(without_tpm((ROOT / "services/services.conf").read_text()))
        words = [f"services.conf={conf}" if str(word).startswith("services.conf=") else word
                 for word in booted.socle(options)]
        self.start_words["tpmless"] = [self.image("tpmless", words)]

    def tpm(self, work):
        """The command of a TPM with the banks of Socle's, whose platform hierarchy is the firmware's, as in a PC."""
        state, path = work / "tpm", work / "tpm.sock"
        state.mkdir()
        if self.options.swtpm:
            subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", state, "--pcr-banks", "sha256,sha384"], check=True,
                           stdout=subprocess.DEVNULL)
            return ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={path}"]
        profile = work / "tpm.conf"
        profile.write_text((ROOT / "profiles/tcg.conf").read_text()
                           .replace("platform-auth random", "platform-auth empty"))
        return [self.options.programs / "tools/socle", "vtpm", "serve", "--profile", profile, "--state", state,
                "--socket", path]

    @contextlib.contextmanager
    def with_tpm(self, work):
        """Options of a machine that has it, while it runs."""
        path = work / "tpm.sock"
        with served.running(self.tpm(work), path, stdout=subprocess.DEVNULL):
            yield ["--tpm", f"unix:{path}"]

    def image(self, name, socle):
        out = self.folder / f"{name}.igvm"
        subprocess.run([self.options.programs / "tools/socle", "igvm", "build", "-q", "-o", out, "--host", HOST, *socle,
                        "--firmware", self.firmware], check=True, stdout=subprocess.DEVNULL)
        return out

    def start(self, side, work):
        """One boot: its times, and its exits by kind and level."""
        with self.with_tpm(work) if side == "tpm" else contextlib.nullcontext([]) as tpm:
            return self.boot(side, work, [*tpm, *self.start_words[side]])

    def boot(self, side, work, words):
        start, path, logs = Start(), f"{work}/port", work / "logs"
        process = subprocess.Popen(
            [self.options.programs / "tools/socle", "run", "--quiet", "--host", HOST, "--cpus", str(CPUS), "--memory",
             MEMORY, "--log-dir", logs, "--report-key-dir", self.folder / "keys", "--channel", f"unix:{path}",
             "--timeout", str(TIMEOUT_S), "--kernel", booted.vmlinuz(self.options), "--initrd", self.first, "--append",
             APPEND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            with machine_speed.ends(process), listen(path, process) as port:
                port.settimeout(TIMEOUT_S)
                start.follow(port, process.pid)
        except (OSError, RuntimeError, channel.ChannelError):
            print("\n".join(machine.log_of(logs, "machine.log").splitlines()[-LOG_LINES:]), flush=True)
            raise
        timeline = json.loads((logs / "timeline.json").read_text())
        start.booted(timeline["events"][f"vmpl{SIDES[side]}_entry"]["monotonic_ns"] / 1e9)
        start.exits = {kind["kind"]: kind["by_vmpl"] for kind in timeline["exits"]}
        return start


def gather(options):
    """Starts of all sides, in turns."""
    starts = {side: [] for side in SIDES if options.only in (None, side)}
    with tempfile.TemporaryDirectory(prefix="socle-boot-") as name:
        bench = Bench(options, pathlib.Path(name))
        for number in range(options.rounds):
            for side in list(starts)[:: 1 if number % 2 else -1]:
                work = bench.folder / f"{side}-{number}"
                work.mkdir()
                starts[side].append(bench.start(side, work))
                took = ", ".join(f"{part} {median(starts[side][-1:], part):.2f} s" for part in PARTS)
                print(f"# {side}: {took}", flush=True)
    return starts


def show_exits(starts, kinds):
    """Of the last start of each side, by level, those with the most."""
    exits = {side: of[-1].exits for side, of in starts.items()}
    none = [0] * 4
    names = sorted({kind for of in exits.values() for kind in of},
                   key=lambda kind: -max(sum(of.get(kind, none)) for of in exits.values()))
    print(f"    {'exits at VMPL0 and VMPL2':28}{''.join(f'{side:>18}' for side in exits)}")
    for name in names[:kinds]:
        print(f"    {name:28}" +
              "".join(f"{of.get(name, none)[0]:9}{of.get(name, none)[2]:9}" for of in exits.values()))


def results_of(starts):
    """The ratios of PAIRS."""
    for (side, base), (goal, limit) in PAIRS.items():
        for part in PARTS:
            ours, other = median(starts[side], part), median(starts[base], part)
            yield {"name": f"{part}_{side}_{base}", "what": WHAT[part], "us": ours * 1e6, "base_us": other * 1e6,
                   "ratio": round(ours / other, 3), "goal": goal if part == "boot" else None,
                   "limit": limit if part == "boot" else None}


def show(results):
    """Whether all are within their limits."""
    fine = True
    for result in results:
        above = result["limit"] is not None and result["ratio"] > result["limit"]
        fine = fine and not above
        known = ", ".join(f"{word} {result[word]}" for word in ("goal", "limit") if result[word])
        print(f"{result['name']:24} {result['us'] / 1e6:8.2f} s / {result['base_us'] / 1e6:8.2f} s = "
              f"{result['ratio']:.2f}"
              f"{f'  ({known})' if known else ''}{'  above the limit' if above else ''}")
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=SIDES, help="one of them, without ratios")
    parser.add_argument("--swtpm", action="store_true", help="the TPM of the machine without Socle is swtpm")
    parser.add_argument("--kinds", type=int, default=12, help="how many kinds of exits are printed")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write what was measured there")
    options = parser.parse_args()
    machine_speed.refuse_together(parser, options)
    options.programs, options.kernel = options.programs.resolve(), options.kernel.resolve()
    starts = gather(options)
    show_exits(starts, options.kinds)
    if options.only:
        return 0
    results = list(results_of(starts))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if show(results) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
