#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A CPU that Linux takes offline comes back under Socle as often as the same kernel manages it at
VMPL0 without Socle, with the first program on either CPU; and on a host that withholds INVLPGB
Linux goes on with one CPU.

Debian's 6.12 and 7.x manage it once: a CPU keeps its GHCB when it is taken offline, and a backup the
second time, and then the kernel panics ("GHCB and Backup GHCB are already in use").

    cpus_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work DIR] [--hosts all|on]
"""

import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 120
MEMORY = "256M"
ROUNDS = 3
PANIC = "GHCB and Backup GHCB are already in use"
REFUSED = "set VMSA page failed"  # wakeup_cpu_via_vmgexit()
HOSTS = ("hidden", "undefined", "intercepted")  # `socle run --invlpgb`
WITHHELD = "warning: the host withholds INVLPGB: the guest gets one vCPU only"


def build(options, mask, plain):
    words = options.work / "cpus"
    words.write_text(f"{mask} {ROUNDS} {'socle_tpm.ko' if plain else ''}\n")
    init = booted.HERE / "cpus_init"
    if not plain:
        return booted.build(options, init, [words])
    return booted.image(
        options, booted.initramfs(options, init, [words]), "--plain-linux", "--append",
        "console=ttyS0 panic=-1", "--cpus", booted.CPUS, "--memory", MEMORY, "--c-bit", 47)


def rounds(options, mask, plain):
    """How often the CPU came back, and the words with which it was over."""
    more = ("--memory", MEMORY) if plain else ()
    lines, problem = booted.boot(options, build(options, mask, plain), TIMEOUT_S, *more)
    if PANIC in booted.log_of(options):
        problem = PANIC
    elif lines and lines[-1].startswith("failed"):
        problem = lines[-1]
    return sum(line.startswith("round ") for line in lines), problem or "ok"


def withheld(options, how):
    """What is wrong with a guest of two vCPUs on a host that withholds INVLPGB in that way."""
    lines, problem = booted.boot(options, build(options, 1, False), TIMEOUT_S, "--invlpgb", how)
    svsm = (options.work / "svsm.log").read_text(errors="replace")
    found = [problem] if problem else []
    if lines != ["failed: online after 0 rounds"]:
        found.append(f"the guest says {lines}")
    if REFUSED not in booted.log_of(options):
        found.append(f"its kernel does not say {REFUSED!r}")
    if svsm.count(WITHHELD) != 1:
        found.append(f"Socle's log says {svsm.count(WITHHELD)} times that INVLPGB is withheld")
    return found


def main():
    parser = booted.parser(__doc__, "cpus-test")
    parser.add_argument("--hosts", choices=("all", "on"), default="all",
                        help="also hosts that withhold INVLPGB (all)")
    options = parser.parse_args()
    booted.prepare(options)
    plain = rounds(options, 1, True)
    print(f"without Socle: {plain[0]} rounds, {plain[1]}")
    result = Results("CPUs")
    result(plain[0] > 0, "a CPU comes back without Socle", plain)
    for mask in (1, 2):
        socle = rounds(options, mask, False)
        print(f"under Socle, first program on CPU {mask - 1}: {socle[0]} rounds, {socle[1]}")
        result(socle == plain, f"as without Socle, with the first program on CPU {mask - 1}", socle)
    for how in HOSTS if options.hosts == "all" else ():
        wrong = withheld(options, how)
        result(not wrong, f"INVLPGB {how}", "; ".join(wrong))
    if result.failed:
        print("\n".join(booted.last_words(options)))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
