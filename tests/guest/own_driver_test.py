#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A kernel whose own driver (CONFIG_TCG_SVSM) has Socle's vTPM: long commands by it, socle_tpm.ko beside it, which
leaves its TPM part out, evidence that `socle verify` trusts, and, with --ima, PCR 10, to which IMA's list replays, with
the digest of PCRs 0 to 9 as its first entry. Debian builds no such kernel, so this is for one that was built by hand,
as docs/guest.md says, laid out as scripts/fetch-kernel.sh does.

    own_driver_test.py --programs BUILD --kernel DIR [--guest DIR | --without-module] [--driver tpm_svsm.ko] [--ima]
                       [--firmware] [--cpus N] [--work DIR]

--driver is the module, where the kernel does not have the driver built in. For IMA it is then loaded by the kernel's
own call of /sbin/modprobe, before IMA looks for a TPM. --firmware boots behind OVMF 2026.08, whose log replays to the
PCRs and tells `socle verify` what was booted.
"""

import hashlib
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys

import booted
from firmware_test import kernel_words
from results import Results  # booted knows where it is
from svsm_firmware_test import (HOST, NONCE, OTHER, OTHERWISE, build, judge, make_policy, measured_problems, of,
                                receive, socle)

TIMEOUT_S = 900  # as a busy computer needs; a quiet one takes some 40 s
LEFT_OUT = "socle_tpm: the kernel's own driver has the vTPM"
BYPASS = "No TPM chip found, activating TPM-bypass!"  # security/integrity/ima/ima_init.c
AGGREGATE = "boot_aggregate"
VIOLATION = bytes(32)  # as the list has it; the PCR is extended by ones (ima_queue.c)
REPORT_DATA = 0x50  # in the report (SEV-SNP firmware ABI specification, ATTESTATION_REPORT)
TCB = "ima_policy=tcb"
# A hash that IMA knows and the kernel has as a module: IMA asks for it, does not get it, and starts anew with its
# default (init_ima() of ima_main.c); what the kernel runs to have it loads the driver, before IMA looks for a TPM.
TWICE = "ima_hash=wp512"
MODPROBE = "#!/bin/sh\n[ -e /sys/class/tpm/tpm0 ] || /bin/insmod /lib/socle/tpm_svsm.ko\n"


def replays(text):
    """PCR 10 after each line of the list, the first of all none."""
    values = [bytes(32)]
    for line in text.decode().splitlines():
        digest = bytes.fromhex(line.split()[1])
        values.append(hashlib.sha256(values[-1] + (b"\xff" * 32 if digest == VIOLATION else digest)).digest())
    return values


def aggregate_of(pcrs):
    """What IMA's list begins with, and the template's digest, which PCR 10 is extended by: SHA-256 over PCRs 0 to 9 of
    that bank (ima_calc_boot_aggregate_tfm() of ima_crypto.c), in the template ima-sig, d-ng|n-ng|sig, each with its
    length."""
    digest = hashlib.sha256(b"".join(bytes.fromhex(pcrs.get(pcr, "")) for pcr in range(10))).digest()
    fields = (b"sha256:\0" + digest, AGGREGATE.encode() + b"\0", b"")
    entry = b"".join(len(field).to_bytes(4, "little") + field for field in fields)
    return f"10 {hashlib.sha256(entry).hexdigest()} ima-sig sha256:{digest.hex()} {AGGREGATE}"


def beside(lines):
    """Whether a command was done while a key was made in turns, which had begun before it: it ended first. What a
    Results is called with."""
    ends = {words[1]: float(words[3]) for words in map(str.split, lines) if words[:1] == ["took"] and len(words) == 4}
    attested = [float(words[1]) for words in map(str.split, lines) if words[:1] == ["attested"] and len(words) == 2]
    told = f"it ended at {ends.get('between')}, and the key was attested at {attested}"
    return ("between" in ends and len(attested) == 1 and ends["between"] < attested[0],
            "  also beside a key that is made in turns", told)


def add_modprobe(first):
    """Puts /sbin/modprobe behind what there is: archives follow each other."""
    spec = importlib.util.spec_from_file_location("initramfs", booted.ROOT / "guest/initramfs/build.py")
    initramfs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(initramfs)
    members = [initramfs.newc_member(1, "sbin", 0o040755),
               initramfs.newc_member(2, "sbin/modprobe", 0o100755, MODPROBE.encode()),
               initramfs.newc_member(0, "TRAILER!!!", 0)]
    first.write_bytes(first.read_bytes() + b"".join(members))


def judge_by_evmctl(options, result, lines, pcrs, aggregate):
    """IMA's own tool (ima-evm-utils), of the list as the kernel has it in binary."""
    if not shutil.which("evmctl"):
        result.skip("evmctl finds the same", "it is not installed")
        return
    files = {"ima.bin": of(lines, "measured-binary"),
             "pcrs": "".join(f"PCR-{pcr:02}:{value}\n" for pcr, value in pcrs.items()).encode()}
    for name, content in files.items():
        (options.work / name).write_bytes(content)
    for command, file, said in (("ima_measurement", [options.work / "ima.bin"],
                                 "Matched per TPM bank calculated digest(s)"),
                                ("ima_boot_aggregate", [], aggregate.split()[3])):
        run = subprocess.run(["evmctl", command, "--pcrs", f"sha256,{options.work / 'pcrs'}", *file], check=False,
                             capture_output=True, text=True)
        result(run.returncode == 0 and said in run.stdout + run.stderr, f"  and so says evmctl {command}",
               f"{run.returncode}: {run.stdout} {run.stderr}, not {said}")


def judge_ima(result, options, lines, evidence, said):
    before, after = (of(lines, name) for name in ("measured-before", "measured"))
    values = [value.hex() for value in replays(after)]
    first = len(before.splitlines())
    pcrs = {int(words[1]): words[2].lower() for words in map(str.split, lines) if words[:1] == ["pcr"]
            and len(words) == 3}
    pcr, aggregate = pcrs.get(10, ""), aggregate_of(pcrs)
    result(BYPASS not in said, "IMA finds the vTPM", said)
    result(first > 1 and after.startswith(before) and pcr in values[first:], "its list replays to PCR 10",
           f"{first} lines, PCR 10 is {pcr}, and the list replays to {values[-1]}")
    result(before.decode().startswith(f"{aggregate} \n"), "  and begins with PCRs 0 to 9",
           f"{before[:400]}, and of {pcrs} it were {aggregate}")
    judge_by_evmctl(options, result, lines, pcrs, aggregate)
    quoted = (evidence / "quote.pcrs").read_bytes()
    result(any(bytes.fromhex(value) in quoted for value in values[first:]), "  and to the quoted one", str(values[-3:]))
    (options.work / "ima").write_bytes(after)
    print(f"# {first} measurements before the quote, {len(values) - 1} in all; "
          f"boot aggregate: {before.splitlines()[0].decode()}")


def judge_module(result, lines, said):
    result(LEFT_OUT in said, "socle_tpm.ko leaves its TPM part out", said)
    result("there is svsm/attest" in lines, "  and has attestations")
    result(*beside(lines))


def judge_booted(options, result, image, folders, lines, first, append):
    """What OVMF and the kernel's EFI stub measured, and by the files alone, what was booted."""
    problems = measured_problems(options, lines, True)
    result("by EFI" in lines and not problems, "what was measured replays to the PCRs", "; ".join(problems))
    for words, right in ((append, True), (append + OTHER, False)):
        policy = make_policy(options, *kernel_words(options, first, words))
        status, failing, _ = judge(options, image, folders, policy)
        if right:
            result(status == 0, "socle verify knows what was booted", f"{status}: {failing}")
        else:
            result(status in OTHERWISE and "boot-command-line" in failing, "  and that it was no other command line",
                   f"{status}: {failing}")


def judge_evidence(options, result, image, lines, first, append):
    """The folder with the evidence."""
    report = of(lines, "report")
    result("provider sev_guest" in lines and report[REPORT_DATA:REPORT_DATA + len(NONCE)] == NONCE,
           "there is a report by the kernel's own configfs", report.hex())
    folders = evidence, mine = receive(options, lines)
    run = socle(options, "verify", "--trust-emulated", "--image", image, "--mine", mine, evidence)
    result(run.returncode == 0, "socle verify trusts its evidence", run.stdout + run.stderr)
    if options.firmware:
        judge_booted(options, result, image, folders, lines, first, append)
    return evidence


def start(options, first, append):
    """The image, and more options of `socle run`."""
    if not options.firmware:
        return booted.with_socle(options, first, append, options.cpus), []
    options.firmware, missing = booted.ovmf("forky")
    if missing:
        sys.exit(f"OVMF: {missing}")
    return build(options, first), ["--host", HOST, *kernel_words(options, first, append)]


def arguments():
    parser = booted.parser(__doc__, "own-driver")
    parser.add_argument("--without-module", action="store_true", help="the guest has no socle_tpm.ko")
    parser.add_argument("--driver", type=pathlib.Path, help="the driver, as a module")
    parser.add_argument("--ima", action="store_true", help="the kernel has IMA")
    parser.add_argument("--firmware", action="store_true", help="OVMF 2026.08 boots it")
    parser.add_argument("--cpus", type=int, default=booted.CPUS)
    options = parser.parse_args()
    options.build, options.way = "OVMF", "fw_cfg"
    if options.without_module:
        options.guest = None
    return options


def main():
    options = arguments()
    booted.prepare(options)
    result = Results("the kernel's own driver")
    first = booted.initramfs(options, booted.HERE / "own_driver_init", [options.driver] if options.driver else [])
    words = ["console=ttyS0", "panic=-1", *([TCB] if options.ima else [])]
    if options.ima and options.driver:
        add_modprobe(first)
        words.append(TWICE)
    append = " ".join(words)
    image, more = start(options, first, append)
    lines, problem = booted.boot(options, image, TIMEOUT_S, *more, "--memory", "512M", "--certs-out",
                                 options.work / "evidence", cpus=options.cpus)
    failed = [line[:600] for line in lines if line.startswith("failed")]
    if not result(not problem and not failed and lines, "it boots, and says all", f"{problem} {failed}"):
        print("\n".join(booted.last_words(options)))
        return result.finish()
    said = of(lines, "kernel").decode(errors="replace")
    drivers = [line.split()[1] for line in lines if line.startswith("driver ")]
    result(drivers == ["tpm-svsm"] * 2 and "tpms /sys/class/tpm/tpm0" in lines, "the kernel's own driver has the vTPM",
           f"{drivers}: {said}")
    took = {words[1]: float(words[3]) - float(words[2]) for words in map(str.split, lines) if words[:1] == ["took"]}
    result(len(took) == (3 if options.guest else 2), "long commands by it", str(took))
    print("# " + ", ".join(f"{name}: {seconds:.1f} s" for name, seconds in took.items()))
    if options.guest:
        judge_module(result, lines, said)
    evidence = judge_evidence(options, result, image, lines, first, append)
    result(not re.search("soft lockup|rcu.*stall|Call Trace|BUG:", booted.log_of(options)),
           "the kernel complains of nothing")
    if options.ima:
        judge_ima(result, options, lines, evidence, said)
    for line in said.splitlines():
        print(f"# {line}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
