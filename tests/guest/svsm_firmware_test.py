#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's OVMF and Debian's Linux under Socle, at VMPL2: one image with the firmware boots on machines of several
sizes, with one measurement. The firmware finds the kernel by fw_cfg, or on a disk systemd-boot or GRUB, which have it;
Linux comes to its first program with all memory and processors, has the SVSM's TPM, and sends evidence, which `socle
verify` trusts for that image and by a policy that was made from the files alone. By a policy for another command line
it does not. What was measured, by OVMF 2026.08 and newer, replays to the TPM's PCRs, as `tpm2_eventlog` of tpm2-tools
computes them; before that OVMF has no driver for this TPM, and its PCRs are as they start.

    svsm_firmware_test.py --programs BUILD [--suite trixie|forky] [--build OVMF|OVMF.amdsev]
                          [--way fw_cfg|grub|systemd-boot] [--sizes CPUS:MEMORY,...] [--kernel DIR] [--guest DIR]
                          [--work DIR]

Where firmware or loaders cannot be had, that is a failure.
"""

import hashlib
import json
import re
import subprocess
import sys

import booted

sys.path.insert(0, str(booted.ROOT / "tests/spec"))
import event_log  # noqa: E402
from firmware_test import APPEND, WAYS, kernel_words, make_disk, memory_problems, sizes, start_words  # noqa: E402
from results import Results  # noqa: E402 booted knows where it is

TIMEOUT_S = 400  # of one boot, of which check.py grants two and more
HOST = "kvm-svsm"  # the hosts that change a page when firmware reads its flash
OTHER = " init=/bin/sh"  # what makes another command line
MEASURING = {"trixie": False, "forky": True}
# What OVMF measures into: its code, variables and their end, boot attempts, the table of partitions, the keys
# of secure boot (TCG PC Client Platform Firmware Profile 1.06, 3.3.4); and Linux's EFI stub, its initrd (9).
MEASURED = {"fw_cfg": (0, 1, 2, 3, 4, 5, 6, 7, 9)}
# GRUB's commands and files (its manual, "Measuring boot components"), and systemd's stub, its sections.
MEASURED |= {"grub": (*MEASURED["fw_cfg"], 8), "systemd-boot": (*MEASURED["fw_cfg"], 11)}
# OVMF 2026.08 reads its memory map from Socle, which is reserved there.
SOCLE = "memory 0xfd000000 0xfdffffff Reserved"
GIB = 1 << 30
ZEROS = "0" * 64
NONCE = b"\x5a" * 64  # as svsm_firmware_init has it
READ = 4 << 20  # as much of a disk as svsm_firmware_init reads
# The exit statuses for other values of PCRs, where the policy has some, and for what was booted.
OTHERWISE = (6, 7)
SHA256 = 0x000B
LOAD_OPTIONS = b"LOADED_IMAGE::LoadOptions\0"  # the kernel's event of its command line


def build(options, first):
    programs, out = options.programs, options.work / "socle.igvm"
    hashes = ["--kernel-hashes", *kernel_words(options, first, APPEND + options.way)]
    booted.run(programs / "tools/socle", "igvm", "build", "-q", "-o", out, "--host", HOST,
               *booted.socle(options), "--firmware", options.firmware,
               *(hashes if options.build == "OVMF.amdsev" else []))
    return out


def of(lines, name):
    """The bytes that the guest sent under a name; none where it had none."""
    return bytes.fromhex(next((line for line in lines if line.startswith(f"{name} ")), f"{name} ")
                         .removeprefix(f"{name} "))


def socle(options, *words):
    return subprocess.run([str(word) for word in (options.programs / "tools/socle", *words)], check=False,
                          capture_output=True, text=True)


def make_policy(options, *words):
    """By the files alone; not a word of the boot is in it."""
    made = socle(options, "policy", "make", "--no-secure-boot", *words)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def grub_policy(options, first, append, log):
    """Nobody predicts GRUB: from the files are the programs, the kernel, the initrd and the command line; the commands
    and files of GRUB's own are as the log has them."""
    kernel = kernel_words(options, first, append)[1]
    programs = {path.name: make_policy(options, "--kernel", path)["boot"]["programs"]["kernel"]
                for path in (booted.ROOT / "build/loaders/grubx64.efi", kernel)}
    events = event_log.judge(log)[1]
    booted_with = APPEND + options.way
    words = {(event.words() or b"").decode() for event in events if event.pcr == 8}
    words = {text.replace(booted_with, append) for text in words}
    lines = {name: f"{start}/vmlinuz {append}" for name, start in (("GRUB's", ""), ("the kernel's", "BOOT_IMAGE="))}
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (kernel, first)}
    measured = {event.digests[SHA256].hex() for event in events if event.pcr == 9}
    assert f"linux /vmlinuz {append}" in words and set(files.values()) <= measured, (words, files, measured)
    files |= {f"read {n}": event.digests[SHA256].hex() for n, event in enumerate(events)
              if event.pcr == 9 and not event.data.endswith(LOAD_OPTIONS)}
    return {"format": 1, "boot": {"secure_boot": False, "programs": programs, "files": files, "command_lines": lines,
                                  "words": {str(n): text
                                            for n, text in enumerate(sorted(words - set(lines.values())))}}}


def policy_for(options, first, append, log):
    """The policy for a boot of this command line."""
    if options.way == "grub":
        return grub_policy(options, first, append, log)
    if options.way == "fw_cfg":
        return make_policy(options, *kernel_words(options, first, append))
    disk = options.work / "predicted.img"
    make_disk(options, first, append, disk)
    return make_policy(options, "--uki", disk.with_suffix(".efi"), "--loader",
                       booted.ROOT / "build/loaders/systemd-bootx64.efi")


def receive(options, lines):
    """The evidence as a folder, and the relying party's own."""
    evidence, mine = booted.part_evidence(options)
    (mine / "nonce.bin").write_bytes(NONCE)
    for line in lines:
        if line.startswith("evidence "):
            _, name, content = f"{line} ".split(" ", 2)
            (evidence / name).write_bytes(bytes.fromhex(content))
    return evidence, mine


def judge(options, image, folders, policy):
    """The exit status, and for each check that failed why; and what is said of the measurement."""
    evidence, mine = folders
    words = []
    if policy:
        (options.work / "policy.json").write_text(json.dumps(policy))
        words = ["--policy", options.work / "policy.json"]
    run = socle(options, "verify", "--json", "--explain", "--trust-emulated", "--image", image, *words, "--mine", mine,
                evidence)
    verdict = json.loads(run.stdout)
    failing = {check["name"]: check["error"] for check in verdict["checks"] if check["result"] == "fail"}
    found = next((check.get("found", "") for check in verdict["checks"] if check["name"] == "measurement"), "")
    return run.returncode, failing or verdict.get("error", ""), found


def verify(options, image, lines, first):
    """What is wrong with how `socle verify` judges: it trusts this image, whose firmware it names, and a boot by the
    policy for it, and none by the policy for another command line."""
    folders, measuring = receive(options, lines), MEASURING[options.suite]
    append, log = APPEND + options.way, of(lines, "evidence eventlog.bin")
    status, failing, found = judge(options, image, folders,
                                   policy_for(options, first, append, log) if measuring else None)
    problems = [f"socle verify: {failing}"] if status else []
    named = f"with firmware of SHA-256 {hashlib.sha256(options.firmware.read_bytes()).hexdigest()}"
    problems += [] if named in found else [f"socle verify does not name the firmware: {found}"]
    if measuring:
        status, failing, _ = judge(options, image, folders, policy_for(options, first, append + OTHER, log))
        if status not in OTHERWISE or "boot-command-line" not in failing:
            problems.append(f"by the policy for another command line: {status}, {failing}")
    return problems


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
    log = of(lines, "evidence eventlog.bin")
    if not measuring:
        return [*(["there is an event log of firmware that measures nothing"] if log else []),
                *(f"PCR {pcr} is {pcrs.get(pcr)}" for pcr in range(16) if pcrs.get(pcr) != ZEROS)]
    if not log:
        return ["there is no event log"]
    replayed = replay(options, log)
    return [*(f"PCR {pcr} is {pcrs.get(pcr)}, and the log replays to {value}" for pcr, value in replayed.items()
              if pcrs.get(pcr, value) != value),
            *(f"PCR {pcr} was not measured" for pcr in MEASURED[options.way]
              if pcr not in replayed or pcrs.get(pcr) in (None, ZEROS))]


def problems_of(options, image, lines, first, cpus, memory):
    problems = [f"it does not say {line!r}" for line in ("by EFI", "there is a TPM", f"{cpus} processors")
                if line not in lines]
    disk = options.work / "disk.img"
    if disk.exists() and f"disk {hashlib.sha256(disk.read_bytes()[:READ]).hexdigest()}" not in lines:
        problems.append("it does not read from the disk what is there")
    if not any(line.startswith("cmdline ") and APPEND + options.way in line for line in lines):
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
    return problems + [line for line in lines if line.startswith("failed")] + verify(options, image, lines, first)


def boot(options, result, image, first, cpus, memory):
    name = f"{options.build} of {options.suite} under Socle, by {options.way}, {cpus} vCPUs, {memory}"
    lines, problem = booted.boot(options, image, options.seconds, "--host", HOST, *start_words(options, first),
                                 "--memory", memory, "--certs-out", options.work / "evidence", cpus=cpus)
    problems = [problem] if problem else problems_of(options, image, lines, first, cpus, memory)
    if not result(not problems, name, "; ".join(problems)):
        print("\n".join([*(line[:200] for line in lines), *booted.last_words(options)]))


def main():
    parser = booted.parser(__doc__, "svsm-firmware")
    parser.add_argument("--suite", choices=MEASURING, default="forky", help="whose OVMF")
    parser.add_argument("--build", choices=("OVMF", "OVMF.amdsev"), default="OVMF", help="of its builds, which one; "
                        "the image with OVMF.amdsev has the hashes of its kernel")
    parser.add_argument("--way", choices=WAYS, default="fw_cfg", help="by which the firmware comes to the kernel")
    parser.add_argument("--sizes", default="2:512M", help="machines: vCPUs and memory")
    parser.add_argument("--seconds", type=int, default=TIMEOUT_S, help="after which a boot is given up")
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("firmware under Socle")
    options.firmware, missing = booted.ovmf(options.suite, options.build)
    if options.way != "fw_cfg":
        missing = missing or booted.fetch("fetch-loaders.sh")
    if missing:
        result(False, f"OVMF of {options.suite}, by {options.way}", missing)
        return result.finish()
    modules = ["virtio_blk"] if options.way != "fw_cfg" else []
    first = booted.initramfs(options, booted.HERE / "svsm_firmware_init", modules=modules)
    image = build(options, first)
    for size in options.sizes.split(","):
        cpus, memory = size.split(":")
        boot(options, result, image, first, int(cpus), memory)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
