#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's OVMF and Debian's Linux under Socle, at VMPL2: one image with the firmware boots on machines of
several sizes, with one measurement. Linux finds its kernel's choice by fw_cfg, comes to its first program
with all memory and processors, and has the SVSM's TPM and a report, which `socle verify` accepts for that
image. What the firmware measured, by OVMF 2026.08 and newer, replays to the TPM's PCRs, as `tpm2_eventlog`
of tpm2-tools computes them; before that OVMF has no driver for this TPM, and its PCRs are as they start.

    svsm_firmware_test.py --programs BUILD [--suite trixie|forky] [--sizes CPUS:MEMORY,...]
                          [--kernel DIR] [--guest DIR] [--work DIR]

Where the firmware cannot be had, that is a failure.
"""

import hashlib
import re
import subprocess
import sys

import booted
from firmware_test import memory_problems, sizes
from results import Results  # booted knows where it is

TIMEOUT_S = 600  # as a busy computer needs; a quiet one takes some 30 s
HOST = "kvm-svsm"  # the hosts that change a page when firmware reads its flash
APPEND = "console=ttyS0 panic=-1 socle.test=by-fw-cfg"
MEASURING = {"trixie": False, "forky": True}
# What OVMF measures into: its code, variables and their end, boot attempts, the table of partitions, the keys
# of secure boot (TCG PC Client Platform Firmware Profile 1.06, 3.3.4); and Linux's EFI stub, its initrd (9).
MEASURED = (0, 1, 2, 3, 4, 5, 6, 7, 9)
# OVMF 2026.08 reads its memory map from Socle, which is reserved there.
SOCLE = "memory 0xfd000000 0xfdffffff Reserved"
GIB = 1 << 30
ZEROS = "0" * 64


def build(options, firmware):
    programs, out = options.programs, options.work / "socle.igvm"
    booted.run(programs / "tools/socle", "igvm", "build", "-q", "-o", out, "--host", HOST,
               "--monitor", programs / "monitor/monitor.elf",
               "--file", f"services/services={programs / 'services/services'}",
               "--file", f"services.conf={booted.ROOT / 'services/services.conf'}",
               "--file", f"profile/tcg.conf={booted.ROOT / 'profiles/tcg.conf'}", "--firmware", firmware)
    return out


def of(lines, name):
    """The bytes that the guest sent under a name; none where it had none."""
    return bytes.fromhex(next((line for line in lines if line.startswith(f"{name} ")), f"{name} ")
                         .removeprefix(f"{name} "))


def verify(options, image, report):
    """What `socle verify` has against the SVSM's report, for this very image; and it names the firmware."""
    said, problems = booted.verify_report(options, report, "--image", image, "--explain")
    named = f"with firmware of SHA-256 {hashlib.sha256(options.firmware.read_bytes()).hexdigest()}"
    return problems or ([] if named in said else [f"socle verify does not name the firmware: {said}"])


def replay(options, log):
    """PCR -> value of the SHA-256 bank, by a foreign tool."""
    path = options.work / "eventlog"
    path.write_bytes(log)
    text = subprocess.run(["tpm2_eventlog", path], check=True, capture_output=True, text=True).stdout
    bank = text[text.index("\npcrs:"):]
    bank = bank[bank.index("sha256:"):].split("\n  sha", 1)[0]
    return {int(pcr): value for pcr, value in re.findall(r"^ +(\d+) *: 0x([0-9a-f]{64})$", bank, re.MULTILINE)}


def measured_problems(options, lines, measuring):
    pcrs = {int(line.split()[1]): line.split()[2].lower() for line in lines if line.startswith("pcr ")}
    log = of(lines, "log")
    if not measuring:
        return [*(["there is an event log of firmware that measures nothing"] if log else []),
                *(f"PCR {pcr} is {pcrs.get(pcr)}" for pcr in range(8) if pcrs.get(pcr) != ZEROS)]
    if not log:
        return ["there is no event log"]
    replayed = replay(options, log)
    return [*(f"PCR {pcr} is {pcrs.get(pcr)}, and the log replays to {value}" for pcr, value in replayed.items()
              if pcrs.get(pcr, value) != value),
            *(f"PCR {pcr} was not measured" for pcr in MEASURED
              if pcr not in replayed or pcrs.get(pcr) in (None, ZEROS))]


def problems_of(options, image, lines, cpus, memory):
    problems = [f"it does not say {line!r}" for line in ("by EFI", "there is a TPM", f"{cpus} processors")
                if line not in lines]
    if not any(line.startswith("cmdline ") and APPEND in line for line in lines):
        problems.append("its command line is not the one that was given")
    # docs/budget.md: of more than 16 GiB, the end is Socle's.
    taken = max(sizes(memory) // GIB - 16, 0) * (96 << 10)
    problems += memory_problems([line for line in lines if line.startswith("memory ")], sizes(memory) - taken)
    if MEASURING[options.suite] and SOCLE not in lines:
        problems.append("Socle is not reserved in its memory map")
    end = sizes(memory) + 2 * GIB
    if taken and f"memory {end - taken:#x} {end - 1:#x} Reserved" not in lines:
        problems.append("what Socle took of the RAM is not reserved")
    problems += measured_problems(options, lines, MEASURING[options.suite])
    if not of(lines, "manifest"):
        problems.append("its report comes without a manifest")
    return problems + verify(options, image, of(lines, "report"))


def boot(options, result, image, first, cpus, memory):
    name = f"OVMF of {options.suite} under Socle, {cpus} vCPUs, {memory}"
    lines, problem = booted.boot(
        options, image, TIMEOUT_S, "--host", HOST, "--kernel", booted.vmlinuz(options), "--initrd", first, "--append",
        APPEND, "--memory", memory, "--certs-out", options.work / "evidence", cpus=cpus)
    problems = [problem] if problem else problems_of(options, image, lines, cpus, memory)
    if not result(not problems, name, "; ".join(problems)):
        print("\n".join([*lines, *booted.last_words(options)]))


def main():
    parser = booted.parser(__doc__, "svsm-firmware")
    parser.add_argument("--suite", choices=MEASURING, default="forky", help="whose OVMF")
    parser.add_argument("--sizes", default="2:512M", help="machines: vCPUs and memory")
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("firmware under Socle")
    options.firmware, missing = booted.ovmf(options.suite)
    if missing:
        result(False, f"OVMF of {options.suite}", missing)
        return result.finish()
    first = booted.initramfs(options, booted.HERE / "svsm_firmware_init")
    image = build(options, options.firmware)
    for size in options.sizes.split(","):
        cpus, memory = size.split(":")
        boot(options, result, image, first, int(cpus), memory)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
