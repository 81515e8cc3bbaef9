#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine treats Socle like any other image: the demo's kernel, the same file, boots at VMPL0
without Socle, knows where it is, and fetches its own report. With --secure-tsc, for a kernel of 6.14 or
later, it has Secure TSC: it asks the AMD-SP for the scale and offset of its other CPUs' TSC
(snp_secure_tsc_prepare()), takes the rate from GUEST_TSC_FREQ, and its clock from the TSC.

    plain_linux_test.py --programs BUILD [--cpus N] [--secure-tsc] [--kernel DIR] [--guest DIR] [--work DIR]
"""

import subprocess
import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 120
MEMORY = "256M"

# The kernel's words (arch/x86/mm/mem_encrypt.c, arch/x86/coco/sev/core.c).
KERNEL_SAYS = ("Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP", "SNP running at VMPL0")
SECURE_TSC_SAYS = ("SEV: Status: SEV SEV-ES SEV-SNP SecureTSC", "clocksource: Switched to clocksource tsc",
                   "tsc: Detected ")
REPORT_DATA = b"0123456789abcdef" * 4  # what plain_init asks for
REPORT_SIZE = 1184
# Offsets in the report (SEV-SNP firmware ABI specification, ATTESTATION_REPORT).
VMPL, DATA, MEASUREMENT, MEASUREMENT_SIZE = 0x30, 0x50, 0x90, 48


def build(options):
    """The image, and its launch measurement as hex."""
    image = booted.image(
        options, booted.initramfs(options, booted.HERE / "plain_init"), "--plain-linux",
        "--append", "console=ttyS0 panic=-1", "--cpus", options.cpus, "--memory", MEMORY,
        "--c-bit", 47, *(("--sev-features", "0x201") if options.secure_tsc else ()))
    measure = subprocess.run([options.programs / "tools/socle", "igvm", "measure", image],
                             check=True, stdout=subprocess.PIPE, text=True)
    return image, measure.stdout.strip()


def report_problems(hexadecimal, measurement):
    try:
        report = bytes.fromhex(hexadecimal)
    except ValueError:
        report = b""
    if len(report) != REPORT_SIZE:
        return ["the guest got no report"]
    problems = []
    if report[VMPL:VMPL + 4] != bytes(4):
        problems.append("the report is not of VMPL 0")
    if report[DATA:DATA + 64] != REPORT_DATA:
        problems.append("the report has other data than asked for")
    if report[MEASUREMENT:MEASUREMENT + MEASUREMENT_SIZE].hex() != measurement:
        problems.append("the report's measurement is not the image's")
    return problems


def main():
    parser = booted.parser(__doc__, "plain-linux")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--secure-tsc", action="store_true")
    options = parser.parse_args()
    booted.prepare(options)
    image, measurement = build(options)
    lines, problem = booted.boot(options, image, TIMEOUT_S, "--memory", MEMORY, cpus=options.cpus)
    problems = [problem] if problem else []
    log = booted.log_of(options)
    problems += [f"its log lacks {words!r}" for words in
                 (*KERNEL_SAYS, *(SECURE_TSC_SAYS if options.secure_tsc else ())) if words not in log]
    problems += [f"it does not say {line!r}" for line in
                 ("provider sev_guest", f"{options.cpus} processors") if line not in lines]
    report = next((line for line in lines if line.startswith("report ")), "report ")
    problems += report_problems(report.removeprefix("report "), measurement)
    result = Results("plain Linux")
    if not result(not problems, f"{options.cpus} vCPUs", "; ".join(problems)):
        print("\n".join([*lines, *booted.last_words(options)]))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
