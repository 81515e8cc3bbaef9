#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One guest under Socle and under COCONUT-SVSM: what each core call answers, to good and to bad inputs.

    core_calls_test.py SOCLE MONITOR SERVICES GUEST PAGE KEYS [--coconut FILE] [--firmware FILE]

GUEST is tests/peers/guest/core_calls.c. Under Socle every answer is the one below, which is what AMD's
specification (58019) wants. FILE is an image of COCONUT-SVSM with that guest as its firmware, made by its own
builder from what --firmware writes; without it that half is skipped. Where COCONUT answers otherwise, its
answer stands beside Socle's, with a word for the reason, which docs/peers.md explains. Another difference is a
failure, and so is one that is not there any more.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import firmware

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

CPUS = (1, 2, 4)
ENDED = "the SVSM ends"
PANIC = "assertion failed: error_code != SVM_EXIT_PAGE_NOT_VALIDATED"

# Name, what 58019 wants, what COCONUT answers instead, and why.
TABLE = """
no such protocol | 80000001
a reserved protocol | 80000001
core call 8 | 80000002
core call 0x80000000 | 80000002
attestation call 0x99 | 80000002 | 80000001 | call
vTPM call 0x99 | 80000002
query core 1 | 0 RCX=100000001
query core 0 | 0 RCX=0
query core 2 | 0 RCX=0
query attestation 1 | 0 RCX=200000001 | 0 RCX=100000001 | version
query attestation 3 | 0 RCX=0
query vTPM 1 | 0 RCX=100000001
query vTPM 2 | 0 RCX=0
query APIC 1 | 0 RCX=0
query protocol 0xffffffff | 0 RCX=0
vTOM query | 0 RCX=0
vTOM query, reserved bit | 80000005 | 0 RCX=0 | vTOM
vTOM set | 80000006
vTOM set, reserved bit | 80000005 | 80000006 | vTOM
deposit a page | 80000006 | 80000002 | memory
deposit none | 80000005 | 80000002 | memory
deposit, list misaligned | 80000005 | 80000002 | memory
withdraw | 0, an empty list | 80000002 | memory
withdraw, list misaligned | 80000005 | 80000002 | memory
PVALIDATE, list misaligned | 80000005
PVALIDATE, list beyond RAM | 80000003 | 80000005 | address
PVALIDATE, list of the SVSM | 80000003 | 80000005 | address
PVALIDATE, no entry | 80000005
PVALIDATE, next beyond entries | 80000005
PVALIDATE, list beyond its page | 80000005
PVALIDATE, 511 unchanged, ignored | 0, next 511
PVALIDATE, the last of three | 0, next 3
PVALIDATE, the first of two is unchanged | 80001010
validate a valid page | 80001010
validate a valid page, ignored | 0, next 1
invalidate | 0, next 1
validate | 0, next 1
validate, still valid, ignored | 0, next 1
a valid page that is validated again | cleared
page size 2 | 80000005
page size 3 | 80000005
reserved bit 4 | 80000005
reserved bit 11 | 80000005
2 MiB, misaligned | 80000005
2 MiB, of 4 KiB pages | 80001010 | 80001006 | size
beyond RAM | 80000003
above all addresses | 80000003
a page of the SVSM, validate | 80000003
a page of the SVSM, invalidate | 80000003
the caller's area, invalidate | 80000003
query after pages | 0 RCX=100000001
REMAP_CA, misaligned by 4 | 80000005
REMAP_CA, beyond RAM | 80000003 | 80000005 | address
REMAP_CA, the SVSM's page | 80000003 | 80000005 | address
REMAP_CA, where it is | 0 | 80000005 | same
REMAP_CA, misaligned by 8 | 80000005 | 0 | area
REMAP_CA, back from there | - | 0 | area
REMAP_CA | 0
query by the new area | 0 RCX=100000001
REMAP_CA, back | 0
CREATE_VCPU, VMSA misaligned | 80000005 | 80000003 | alignment
CREATE_VCPU, area misaligned by 4 | 80000005 | 80000003 | alignment
CREATE_VCPU, VMSA beyond RAM | 80000003
CREATE_VCPU, area beyond RAM | 80000003
CREATE_VCPU, VMSA of the SVSM | 80000003
CREATE_VCPU, one page as both | 80000003
CREATE_VCPU, APIC id that is not there | 80000005
DELETE_VCPU, no VMSA | 80000005
DELETE_VCPU, misaligned | 80000005
DELETE_VCPU, beyond RAM | 80000005
the VMSA is still a page | 80001010
vTPM query | 0, sends commands
vTPM command beyond RAM | 80000003 | 80000005 | address
vTPM command of the SVSM's page | 80000003 | 80000005 | address
vTPM platform command 7 | 80000006 | 80000005 | service
attestation, block beyond RAM | 80000003 | 80000005 | address
attestation, block of the SVSM | 80000003 | 80000005 | address
attestation, block of zeros | 80000005 | 80000006 | service
single attestation, block of zeros | 80000005 | 80000001 | service
query in the end | 0 RCX=100000001
CREATE_VCPU, VMPL 0 | 80000005
CREATE_VCPU, VMPL 1 | 80000005
CREATE_VCPU, EFER without SVME | 80000005
CREATE_VCPU, no SEV_FEATURES | 80000005
CREATE_VCPU, other SEV_FEATURES | 80000005
the page is the guest's again | 80001010
CREATE_VCPU, area misaligned by 8 | 80000005 | 0 | area
DELETE_VCPU of that | - | 0 | area
CREATE_VCPU | 0
CREATE_VCPU, a VMSA once more | 80000003
CREATE_VCPU, a VMSA as area | 80000003
invalidate a VMSA | 80000003
REMAP_CA, a VMSA | 80000003 | 80000005 | address
REMAP_CA, an area of another vCPU | 80000003 | 80000005 | address
DELETE_VCPU | 0
DELETE_VCPU, once more | 80000005
it is a page of the guest again | 80001010
invalidate another page | 0, next 1
invalidate again | 80001010 | the SVSM ends | ends
invalidate again, ignored | 0, next 1 | - | ends
and validate | 0, next 1 | - | ends
"""
# These need two vCPUs, and all between the last two.
FOR_TWO = ("CREATE_VCPU, area beyond RAM", "CREATE_VCPU, VMPL 0", "it is a page of the guest again")
result = Results("core calls")


def rows():
    return [(line.split(" | ") + [None, None])[:4] for line in TABLE.strip().splitlines()]


def table_of(log):
    """The answers by name; what a name has on further lines comes behind a comma."""
    answers = {}
    for name, answer in re.findall(r"^# ([^\n]*): ([^\n:]*)$", log, re.M):
        answers[name] = f"{answers[name]}, {answer}" if name in answers else answer
    return answers


def wanted(cpus, coconut):
    names = [row[0] for row in rows()]
    missing = [FOR_TWO[0], *names[names.index(FOR_TWO[1]):names.index(FOR_TWO[2]) + 1]] if cpus == 1 else []
    columns = {name: answer if not coconut or other is None else other for name, answer, other, _ in rows()}
    return {name: answer for name, answer in columns.items() if answer != "-" and name not in missing}


def compare(title, got, want):
    for name, answer in want.items():
        result(got.get(name) == answer, f"{title}: {name}", f"{got.get(name)}, want {answer}")
    more = {name: answer for name, answer in got.items() if name not in want and not name.startswith("pages ")}
    result(not more, f"{title}: nothing else", more)


def archive(services):
    return {"services/services": services, "services.conf": ROOT / "services/services.conf",
            "profile/tcg.conf": ROOT / "profiles/tcg.conf"}


def try_socle(options, folder, cpus):
    image, logs = folder / "socle.igvm", folder / f"socle-{cpus}"
    machine.must_build(options.socle, image, "--monitor", options.monitor, "--host", "kvm-svsm", "--memory", "64M",
                       "--cpus", cpus, "--guest-bare", options.guest, files=archive(options.services))
    stop, output = machine.run(options.socle, image, logs, options.keys, "--host", "kvm-svsm", "--cpus", cpus,
                               "--memory", "64M")
    result(stop and stop["reason"] == "guest_terminated" and stop["code"] == 0, f"under Socle, {cpus} vCPUs", output)
    compare(f"Socle, {cpus} vCPUs", table_of(machine.log_of(logs, "guest.log")), wanted(cpus, False))


def try_coconut(options, folder, cpus):
    logs = folder / f"coconut-{cpus}"
    _, output = machine.run(options.socle, options.coconut, logs, options.keys, "--host", "kvm-svsm", "--cpus", cpus,
                            "--memory", "1G")
    log = machine.log_of(logs, "guest.log").replace("\r", "")
    got = table_of(log)
    if PANIC in log:
        got["invalidate again"] = ENDED
    result("1..1" in log, f"under COCONUT, {cpus} vCPUs", f"{output} {log[-200:]}")
    compare(f"COCONUT, {cpus} vCPUs", got, wanted(cpus, True))


def judge_document():
    """docs/peers.md has a line for each reason."""
    text = (ROOT / "docs/peers.md").read_text()
    reasons = sorted({row[3] for row in rows() if row[3]})
    missing = [reason for reason in reasons if not re.search(rf"^\| {reason} \|", text, re.M)]
    result(not missing, "docs/peers.md explains each difference", missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name in ("socle", "monitor", "services", "guest", "page", "keys"):
        parser.add_argument(name, type=lambda word: Path(word).resolve())
    parser.add_argument("--coconut", type=Path)
    parser.add_argument("--firmware", type=Path)
    options = parser.parse_args()
    packed = firmware.pack(options.guest.read_bytes(), options.page.read_bytes())
    result(len(packed) % 4096 == 0 and packed[-16] == 0xe9, "firmware has whole pages, and jumps at its reset vector",
           packed[-16:].hex())
    if options.firmware:
        options.firmware.write_bytes(packed)
    judge_document()
    with tempfile.TemporaryDirectory(prefix="socle-core-calls-") as name:
        for cpus in (1, 2):
            try_socle(options, Path(name), cpus)
        if not options.coconut:
            result.skip("under COCONUT-SVSM", "no image was given")
        for cpus in CPUS if options.coconut else ():
            try_coconut(options, Path(name), cpus)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
