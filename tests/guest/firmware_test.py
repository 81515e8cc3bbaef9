#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's OVMF and Debian's Linux as an ordinary SNP guest, at VMPL0 without an SVSM: the firmware finds the
kernel by fw_cfg, or GRUB or systemd-boot on a disk, which have it; Linux comes to its first program, sees the machine's
truth, fetches its report, which `socle verify` accepts with the digest of the launch, its ID block and the host's data,
and powers off by ACPI.

    firmware_test.py --programs BUILD [--suite trixie|forky] [--build OVMF|OVMF.amdsev] [--way fw_cfg|grub|systemd-boot]
                     [--cpus N] [--memory SIZE] [--qemu FILE] [--kernel DIR] [--guest DIR] [--work DIR]

It says how far the boot came, its time and its exits. Where firmware or loaders cannot be had, that is a failure.
"""

import base64
import json
import re
import subprocess
import sys

import booted
import id_block  # booted knows where it is, and the next
from plain_linux_test import KERNEL_SAYS, report_problems
from results import Results

TIMEOUT_S = 280  # as a busy computer needs; a quiet one takes some 30 s
POLICY = 0x130000  # SMT, the bit that is always one, a single socket: not the default
POLICY_AT = 8  # in the report (SEV-SNP firmware ABI specification, ATTESTATION_REPORT)
APPEND = "console=ttyS0 panic=-1 socle.test=by-"
WAYS = ("fw_cfg", "grub", "systemd-boot")
# Where a boot has come to, by lines of the kernel's (init/main.c); the first and the last are the machine's.
STEPS = ("vmpl0_entry", "kernel", "userspace", "end")
MARKS = ("--mark-guest", "kernel=Linux version ", "--mark-guest", "userspace=Run /init as init process")
MEASUREMENT = re.compile(r"measurement ([0-9a-f]{96})$", re.MULTILINE)
# EFI's memory that an operating system has for itself, sooner or later, by the kernel's words (e820.c).
RAM = ("System RAM", "ACPI Tables", "ACPI Non-volatile Storage", "Reserved")
GIB = 1 << 30


def verify(options, report):
    """What `socle verify` has against the report, which is of VMPL 0."""
    measurement = MEASUREMENT.search((options.work / "machine.log").read_text())[1]
    evidence, mine = booted.part_evidence(options)
    (evidence / "report.bin").write_bytes(report)
    done = subprocess.run([options.programs / "tools/socle", "verify", "--report-only", "--trust-emulated", "--vmpl",
                           "0", "--measurement", measurement, *options.demands, "--mine", mine, evidence], check=False,
                          capture_output=True, text=True)
    return [f"socle verify: {done.stdout} {done.stderr}"] if done.returncode else []


def memory_problems(lines, size):
    """RAM is the guest's, in the pieces that a q35 has, and nothing lies where the hypervisor is."""
    low, end = min(size, 2 * GIB), 0
    for line in lines:
        _, first, last, kind = line.split(" ", 3)
        first, last = int(first, 16), int(last, 16) + 1
        if kind in RAM[:3] and not (last <= low or 4 * GIB <= first and last <= 4 * GIB + size - low):
            return [f"no RAM is there: {line}"]
        if kind == RAM[0]:
            end = max(end, last)
    # The last pages of RAM below 4 GiB are the firmware's.
    wanted = 4 * GIB + size - low if size > low else low - (1 << 20)
    return [] if end >= wanted else [f"RAM ends at {end:#x}, {wanted:#x} wanted"]


def sizes(text):
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]


def problems_of(options, lines):
    log = booted.log_of(options)
    problems = [f"its log lacks {words!r}" for words in KERNEL_SAYS if words not in log]
    wanted = ("provider sev_guest", "by EFI", f"{options.cpus} processors",
              f"possible 0-{options.cpus - 1}" if options.cpus > 1 else "possible 0")
    problems += [f"it does not say {line!r}" for line in wanted if line not in lines]
    if not any(line.startswith("cmdline ") and APPEND + options.way in line for line in lines):
        problems.append("its command line is not the one that was given")
    problems += memory_problems([line for line in lines if line.startswith("memory ")], sizes(options.memory))
    report = next((line for line in lines if line.startswith("report ")), "report ").removeprefix("report ")
    found = MEASUREMENT.search((options.work / "machine.log").read_text())
    wrong = report_problems(report, found[1] if found else "")
    if not wrong and int.from_bytes(bytes.fromhex(report)[POLICY_AT:POLICY_AT + 8], "little") != POLICY:
        problems.append("the report's policy is not the one that was given")
    return problems + wrong + ([] if wrong else verify(options, bytes.fromhex(report)))


def launch_properties(options, words):
    """An ID block for the launch that these words ask for, as options of `socle run`, and what `socle verify`
    then demands. The digest is known from a start that ends at once."""
    output = subprocess.run([options.programs / "tools/socle", "run", *words, "--cpus", str(options.cpus), "--timeout",
                             "1", "--log-dir", options.work / "digest", "--report-key-dir",
                             booted.ROOT / "build/report-keys"], check=False, capture_output=True, text=True).stdout
    digest = bytes.fromhex(re.search(r"measurement ([0-9a-f]{96})$", output, re.MULTILINE)[1])
    key, author, data = id_block.new_key(), id_block.new_key(), bytes(range(32))
    block, auth = id_block.properties(key, author, digest, POLICY, b"family".ljust(16), b"image".ljust(16), 7)
    given = {"--id-block": block, "--id-auth": auth, "--host-data": data}
    demands = {"--host-data": data, "--id-key-digest": id_block.key_digest(key),
               "--author-key-digest": id_block.key_digest(author), "--family-id": b"family".ljust(16),
               "--image-id": b"image".ljust(16)}
    return (["--author-key-enabled",
             *(word for name, value in given.items() for word in (name, base64.b64encode(value).decode()))],
            ["--minimum-svn", "7", *(word for name, value in demands.items() for word in (name, value.hex()))])


def progress(options):
    """How far the boot came and when, and what it exited for."""
    path = options.work / "timeline.json"
    if not path.exists():
        return "it did not start"
    timeline = json.loads(path.read_text())
    steps = [f"{name} {timeline['events'][name]['ns'] / 1e9:.1f} s" for name in STEPS if name in timeline["events"]]
    exits = sorted(((sum(kind["by_vmpl"]), kind["kind"]) for kind in timeline["exits"]), reverse=True)
    kinds = ", ".join(f"{kind} {count}" for count, kind in exits[:8])
    return f"{', '.join(steps)}; {sum(count for count, _ in exits)} exits: {kinds}"


def kernel_words(options, first, append):
    """The kernel, its first file system and its command line, as options of `socle run` and others have them."""
    return ["--kernel", booted.vmlinuz(options), "--initrd", first, "--append", append]


def make_disk(options, first, append, disk):
    """One that boots them; a unified kernel image that is on it lies beside it, too."""
    unified = ["--keep-uki", disk.with_suffix(".efi")] if options.way == "systemd-boot" else []
    booted.run("scripts/make-disk.py", "--loader", options.way, *kernel_words(options, first, append), *unified, disk)


def start_words(options, first):
    """Options of `socle run` by which the firmware comes to the kernel and its first file system."""
    if options.way == "fw_cfg":
        return kernel_words(options, first, APPEND + options.way)
    disk = options.work / "disk.img"
    make_disk(options, first, APPEND + options.way, disk)
    return ["--disk", disk]


def main():
    parser = booted.parser(__doc__, "firmware-boot")
    parser.add_argument("--suite", choices=("trixie", "forky"), default="trixie", help="whose OVMF")
    parser.add_argument("--build", choices=("OVMF", "OVMF.amdsev"), default="OVMF", help="of its builds, which one; "
                        "OVMF.amdsev is launched with kernel hashes")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--way", choices=WAYS, default="fw_cfg", help="by which the firmware comes to the kernel")
    parser.add_argument("--qemu", default="qemu-system-x86_64")
    parser.add_argument("--seconds", type=int, default=TIMEOUT_S, help="after which it is given up")
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("firmware")
    name = f"{options.build} of {options.suite}, by {options.way}, {options.cpus} vCPUs, {options.memory}"
    firmware, missing = booted.ovmf(options.suite, options.build)
    missing = missing or (booted.fetch("fetch-loaders.sh") if options.way != "fw_cfg" else "")
    if missing:
        result(False, name, missing)
        return result.finish()
    first = booted.initramfs(options, booted.HERE / "firmware_init")
    words = ["--firmware", firmware, "--policy", f"{POLICY:#x}",
             *(["--kernel-hashes"] if options.build == "OVMF.amdsev" else []), *start_words(options, first),
             "--memory", options.memory, "--qemu", options.qemu]
    properties, options.demands = launch_properties(options, words)
    lines, problem = booted.boot(options, None, options.seconds, *words, *properties, *MARKS, "--certs-out",
                                 options.work / "evidence", cpus=options.cpus)
    problems = [problem] if problem else problems_of(options, lines)
    if not result(not problems, name, "; ".join(problems)):
        print("\n".join([*lines, *booted.last_words(options)]))
    print(f"# {progress(options)}", flush=True)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
