#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A kernel whose own driver (CONFIG_TCG_SVSM) has Socle's vTPM: long commands by it, socle_tpm.ko beside it, which leaves
its TPM part out, evidence that `socle verify` trusts, and, with --ima, PCR 10, to which IMA's list replays. Debian builds no
such kernel, so this is for one that was built by hand, as docs/guest.md says, laid out as scripts/fetch-kernel.sh does.

    own_driver_test.py --programs BUILD --kernel DIR --guest DIR [--driver tpm_svsm.ko] [--ima] [--cpus N] [--work DIR]

--driver is the module, where the kernel does not have the driver built in. For IMA it is then loaded by the kernel's own call
of /sbin/modprobe, before IMA looks for a TPM.
"""

import hashlib
import importlib.util
import pathlib
import re
import sys

import booted
from results import Results  # booted knows where it is
from svsm_firmware_test import of, receive, socle

TIMEOUT_S = 900  # as a busy computer needs; a quiet one takes some 40 s
LEFT_OUT = "socle_tpm: the kernel's own driver has the vTPM"
BYPASS = "No TPM chip found, activating TPM-bypass!"  # security/integrity/ima/ima_init.c
VIOLATION = bytes(32)  # as the list has it; the PCR is extended by ones (ima_queue.c)
TCB = "ima_policy=tcb"
# A hash that IMA knows and the kernel has as a module: IMA asks for it, does not get it, and starts anew with its default
# (init_ima() of ima_main.c); what the kernel runs to have it loads the driver, before IMA looks for a TPM.
TWICE = "ima_hash=wp512"
MODPROBE = "#!/bin/sh\n[ -e /sys/class/tpm/tpm0 ] || /bin/insmod /lib/socle/tpm_svsm.ko\n"


def replays(text):
    """PCR 10 after each line of the list, the first of all none."""
    values = [bytes(32)]
    for line in text.decode().splitlines():
        digest = bytes.fromhex(line.split()[1])
        values.append(hashlib.sha256(values[-1] + (b"\xff" * 32 if digest == VIOLATION else digest)).digest())
    return values


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


def judge_ima(result, options, lines, evidence, said):
    before, after = (of(lines, name) for name in ("measured-before", "measured"))
    values = [value.hex() for value in replays(after)]
    first = len(before.splitlines())
    pcr = next((line.split()[1].lower() for line in lines if line.startswith("pcr10 ")), "")
    result(BYPASS not in said, "IMA finds the vTPM", said)
    result(first > 1 and after.startswith(before) and pcr in values[first:], "its list replays to PCR 10",
           f"{first} lines, PCR 10 is {pcr}, and the list replays to {values[-1]}")
    quoted = (evidence / "quote.pcrs").read_bytes()
    result(any(bytes.fromhex(value) in quoted for value in values[first:]), "  and to the quoted one", str(values[-3:]))
    (options.work / "ima").write_bytes(after)
    print(f"# {first} measurements before the quote, {len(values) - 1} in all; boot aggregate: {before.splitlines()[0].decode()}")


def main():
    parser = booted.parser(__doc__, "own-driver")
    parser.add_argument("--driver", type=pathlib.Path, help="the driver, as a module")
    parser.add_argument("--ima", action="store_true", help="the kernel has IMA")
    parser.add_argument("--cpus", type=int, default=booted.CPUS)
    options = parser.parse_args()
    booted.prepare(options)
    result = Results("the kernel's own driver")
    first = booted.initramfs(options, booted.HERE / "own_driver_init", [options.driver] if options.driver else [])
    append = ["console=ttyS0", "panic=-1", *([TCB] if options.ima else [])]
    if options.ima and options.driver:
        add_modprobe(first)
        append.append(TWICE)
    image = booted.with_socle(options, first, " ".join(append), options.cpus)
    lines, problem = booted.boot(options, image, TIMEOUT_S, "--memory", "512M", "--certs-out", options.work / "evidence",
                                 cpus=options.cpus)
    failed = [line[:600] for line in lines if line.startswith("failed")]
    if not result(not problem and not failed and lines, "it boots, and says all", f"{problem} {failed}"):
        print("\n".join(booted.last_words(options)))
        return result.finish()
    said = of(lines, "kernel").decode(errors="replace")
    drivers = [line.split()[1] for line in lines if line.startswith("driver ")]
    result(drivers == ["tpm-svsm"] * 2, "the kernel's own driver has the vTPM", f"{drivers}: {said}")
    result(LEFT_OUT in said and "tpms /sys/class/tpm/tpm0" in lines, "socle_tpm.ko leaves its TPM part out", said)
    result("there is svsm/attest" in lines, "  and has attestations")
    took = {words[1]: float(words[3]) - float(words[2]) for words in map(str.split, lines) if words[:1] == ["took"]}
    result(len(took) == 3, "long commands by it", str(took))
    result(*beside(lines))
    print("# " + ", ".join(f"{name}: {seconds:.1f} s" for name, seconds in took.items()))
    evidence, mine = receive(options, lines)
    run = socle(options, "verify", "--trust-emulated", "--image", image, "--mine", mine, evidence)
    result(run.returncode == 0, "socle verify trusts its evidence", run.stdout + run.stderr)
    result(not re.search("soft lockup|rcu.*stall|Call Trace|BUG:", booted.log_of(options)), "the kernel complains of nothing")
    if options.ima:
        judge_ima(result, options, lines, evidence, said)
    for line in said.splitlines():
        print(f"# {line}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
