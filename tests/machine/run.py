#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machine tests: tiny guests at VMPL0 of the emulated SNP machine, each of which proves one rule.

    run.py --programs BUILD [--qemu PATH | --suite NAME] [--keep DIR] [NAME]...

A guest of tests/machine/guest writes `ok RULE` or `not ok RULE: ...` to the debug console. Here
stands how many rules each must have proved, how its run must end, and the specification it is about;
the values that a rule wants are literals in the guest's source. The portable guests of
tests/machine/rules have their part in rules.py. The last line is `machine: N passed, N failed`.
"""

import argparse
import base64
import json
import shlex
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
import rules  # noqa: E402
import suites  # noqa: E402
from results import Results  # noqa: E402

TIMEOUT_S = 90  # for one guest, against a hang; far less than scripts/check.py has for all, or their counts are lost
VMSA, CPUID_PAGE, SECRETS_PAGE = "0x700000", "0x701000", "0x702000"

# The guest ends itself with reason set 0xa; code 0 says that no rule failed.
PASSED = {"reason": "guest_terminated", "vmpl": 0, "set": 10, "code": 0}

TESTS = [
    # name, CPUs, rules, SEV_FEATURES, how the run ends
    ("separation", 1, 13, 1, PASSED),  # APM volume 2, 15.34 and 15.36.6
    ("double-validation", 1, 11, 1, PASSED),  # APM volume 3, PVALIDATE
    ("rmpadjust-denied", 1, 15, 1, PASSED),  # APM volume 3, RMPADJUST
    ("rmpquery", 1, 16, 1, PASSED),  # APM volume 3, RMPQUERY
    # The write of VMPL2 is a nested page fault at that address (APM volume 2, 15.36.10).
    ("vmpl-permission", 1, 8, 1, {"reason": "rmp_violation", "vmpl": 2, "gpa": "0x1000008"}),
    ("size-mismatch", 1, 14, 1, PASSED),  # APM volume 3, PVALIDATE and RMPADJUST
    ("vc-exception", 1, 31, 1, PASSED),  # APM volume 2, 15.35.5
    ("run-vmpl", 1, 19, 1, PASSED),  # GHCB specification, 2.3.1; APM volume 2, appendix B
    # APM volume 2, 11.5 and table B-4; volume 4, XSAVEC, XSAVES, XRSTOR and XRSTORS
    ("xsave", 1, 42, 1, PASSED),
    ("xsave-hidden", 1, 4, 1, PASSED),
    ("fpu-state", 1, 16, 1, PASSED),  # APM volume 2, table B-4
    ("ghcb-errors", 1, 18, 1, PASSED),  # GHCB specification, section 4
    # Nothing in the specifications; QEMU's first CPU fails it (docs/machine-limits.md).
    ("x87-other-cpu", 2, 4, 1, PASSED),
    # APM volume 2, 7.6.1; QEMU alone fails it (docs/machine-limits.md).
    ("code-patching", 2, 19, 1, PASSED),
    # Feature 3: restricted injection.
    ("hv-doorbell", 1, 20, 9, PASSED),  # GHCB specification, 5; APM volume 2, 15.36.16
    # GHCB specification, extended interrupts; APM volume 2, 15.36.16
    ("alternate", 1, 40, 9, PASSED),
    ("alternate-cut", 1, 29, 9, PASSED),
    ("vmrun-vmpl", 1, 34, 1, PASSED),  # APM volume 2, 15.36.7 and table B-4
    ("vmsa-in-use", 2, 19, 1, PASSED),  # APM volume 2, 15.36.12
    # Rights that were taken away: APM volume 2, 5.5.3, and volume 3, INVLPGB and TLBSYNC
    ("stale", 1, 35, 1, PASSED),
    ("stale-attack", 1, 25, 1, {"reason": "rmp_violation", "vmpl": 2, "gpa": "0x10000ca"}),
    ("stale-flushed", 1, 5, 1, PASSED),
    ("stale-modes", 1, 13, 1, PASSED),
    ("stale-stack", 1, 11, 1, {"reason": "rmp_violation", "vmpl": 2, "gpa": "0x1000fd0"}),
    ("stale-two-cpus", 2, 15, 1, PASSED),
    ("stale-vmsa", 1, 14, 1, {"reason": "rmp_violation", "vmpl": 2, "gpa": "0x1000000"}),
    # APM volume 3, INVLPGB and TLBSYNC
    ("invlpgb-on", 1, 19, 1, PASSED),
    ("invlpgb-hidden", 1, 19, 1, PASSED),
    ("invlpgb-undefined", 1, 19, 1, PASSED),
    ("invlpgb-intercepted", 1, 19, 1, PASSED),
    # What the host does at an access to the other side of a page (APM volume 2, 15.36.10).
    ("converting", 1, 40, 1, PASSED),
    ("private-refused", 1, 1, 1, {"reason": "rmp_violation", "vmpl": 0, "gpa": "0x1000008"}),
    ("shared-refused", 1, 2, 1, {"reason": "rmp_violation", "vmpl": 0, "gpa": "0x1000008"}),
    ("plane-stops", 1, 15, 1, PASSED),  # APM volume 2, 15.36.12
    ("halt-timer", 1, 12, 1, PASSED),  # APM volume 3, HLT
    ("pic-start", 1, 4, 1, PASSED),  # 8259A data sheet
    ("pic-vectors", 1, 14, 1, PASSED),  # 8259A data sheet, ICW2; APM volume 2, 8.2
    # VMPL2 ends the guest: VMPL0 has lost its VMSA (APM volume 2, 15.36.12).
    ("vmsa-lost", 1, 13, 1, {"reason": "guest_terminated", "vmpl": 2, "set": 10, "code": 0}),
    ("host-faults", 1, 17, 9, PASSED),
    ("planes-at-once", 1, 54, 1, PASSED),  # APM volume 2, 15.36.7 and 15.36.12
    # QEMU's and any PC's reset ports: the 8042's pulse of its output port, and the ICH9's RST_CNT.
    ("reboot-keyboard", 1, 1, 1, {"reason": "reboot", "status": 9, "vmpl": 0, "port": "0x64"}),
    ("reboot-chipset", 1, 2, 1, {"reason": "reboot", "status": 9, "vmpl": 0, "port": "0xcf9"}),
    # APM volume 3, appendix E: what the hypervisor cannot do without. The guest does not start.
    ("no-svm", 1, 0, 1, {"reason": "cpu_lacks", "status": 1, "name": "SVM"}),
    ("no-npt", 1, 0, 1, {"reason": "cpu_lacks", "status": 1, "name": "NPT"}),
    # And what it would not miss itself, but this version of QEMU has.
    ("no-rdrand", 1, 0, 1, {"reason": "cpu_lacks", "status": 1, "name": "RDRAND"}),
    # QEMU, docs/specs/pvpanic
    ("panic", 1, 2, 1, {"reason": "panic", "status": 12, "vmpl": 0}),
    # APM volume 3, HLT: nothing is left that ends it.
    ("hang", 2, 10, 1, {"reason": "hang", "status": 11, "vmpl": 2}),
    ("ram-layout", 1, 19, 1, PASSED),  # APM volume 2, 15.35.5; GHCB specification, 4
    ("fw-cfg", 2, 46, 1, PASSED),  # QEMU, docs/specs/fw_cfg
    ("bars", 1, 16, 1, PASSED),  # PCI Local Bus specification, 6.2.5
    ("ecam", 1, 27, 1, PASSED),  # PCI Firmware specification, MCFG; QEMU's q35
    # APM volume 2, 14.1.3: VMPL2 from a PC's reset vector, in memory that the launch put there.
    ("reset-vector", 1, 13, 1, PASSED),
    # Rows of docs/hosts.md, on each model of a host.
    *((f"owners{host}", 1, 16, 1, PASSED) for host in ("", "-kvm", "-kvm-svsm", "-hyperv")),
    ("request-race", 3, 8, 1, PASSED),  # GHCB specification, SNP Guest Request
    ("planes-at-once-interrupt", 1, 14, 1, PASSED),  # the same
    # SEV-SNP Firmware ABI, SNP_LAUNCH_START, SNP_LAUNCH_FINISH, MSG_REPORT_REQ
    ("launch-properties", 1, 11, 1, PASSED),
    ("vcek-disabled", 1, 11, 1, PASSED),
    # A script of the machine, not of the specifications (docs/machine-limits.md).
    ("ap-creation", 1, 26, 1, PASSED),  # GHCB specification, SNP AP Creation
    ("cr8", 1, 14, 1, PASSED),  # APM volume 2, 15.21.2 and 16.6.4; volume 3, MOV CRn
    ("kvm-eoi", 1, 34, 1, PASSED),  # Linux, virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN
    # 82093AA, redirection entries; APM volume 2, 16.14; PCI, command register
    ("device-interrupts", 2, 13, 1, PASSED),
    # 82093AA, redirection entries; PC16550D
    ("channel-interrupt", 1, 13, 1, PASSED),
    ("alarm", 1, 18, 1, PASSED),  # ACPI specification, 4.8.2.4; Intel ICH9 data sheet, PM1_STS
    ("device-plane", 1, 24, 1, PASSED),  # KVM's planes (docs/planes.md)
    # No specification says so: a choice of the host's (docs/hosts.md).
    ("preempt", 1, 13, 1, PASSED),
    ("preempt-not", 1, 13, 1, PASSED),
    ("preempt-between", 1, 16, 1, PASSED),
    ("preempt-at-exits", 1, 16, 1, PASSED),
    ("secure-tsc", 1, 21, 0x201, PASSED),  # APM volume 2, 15.36.18
    ("hold", 2, 27, 1, PASSED),
    ("hold-absent", 1, 2, 1, PASSED),
    # QEMU's pc-testdev and isa-debug-exit
    ("test-devices", 1, 17, 1, {"reason": "test_exit", "status": 10, "vmpl": 0, "value": 0xcafe1234}),
    ("test-devices-absent", 1, 5, 1, PASSED),
]

# As tests/machine/guest/launch_properties.c wants them.
PROPERTIES = ["--host-data", base64.b64encode(bytes(range(0x40, 0x60))).decode(),
              "--guest-visible-workarounds", base64.b64encode(bytes(range(0xa0, 0xb0))).decode()]

# What the host does differently: options of `socle run`.
HOST_OPTIONS = {
    "alternate-cut": ["--fault", "cut-delivery=/2"],
    "stale-flushed": ["--fault", "tlb-control"],
    "invlpgb-hidden": ["--invlpgb", "hidden"],
    "invlpgb-undefined": ["--invlpgb", "undefined"],
    "invlpgb-intercepted": ["--invlpgb", "intercepted"],
    "converting": ["--convert", "yes"],
    "preempt-not": ["--preempt", "no"],
    "preempt-between": ["--preempt", "between"],
    "preempt-at-exits": ["--preempt", "at-exits"],
    "ram-layout": ["--memory", "3G"],
    "xsave": ["--xsave"],
    "test-devices": ["--test-devices"],
    "device-plane": ["--device-plane", "2", "--device-plane", "4=0", "--device-plane", "10=3"],
    "hold": ["--hold", "3"],
    "planes-at-once-interrupt": ["--fault", "planes-at-once-interrupt"],
    "planes-at-once": ["--fault", "planes-at-once=/2"],
    "no-svm": ["--cpu-without", "svm"],
    "no-npt": ["--cpu-without", "npt"],
    "launch-properties": PROPERTIES,
    "vcek-disabled": [*PROPERTIES, "--vcek-disabled"],
    "host-faults": ["--fault", "timer-lose=2", "--fault", "timer-delay=3",
                    "--fault", "timer-repeat=4", "--fault", "refuse-ap-creation=1",
                    "--fault", "refuse-run-vmpl=2"],
}

# What a QEMU that is built otherwise might lack; `socle run` knows nothing of it.
QEMU_WITHOUT = {"no-rdrand": "rdrand"}
QEMU_WRAPPER = """#!/bin/sh
for word; do
	shift
	case $word in EPYC-*) word=$word,-{feature} ;; esac
	set -- "$@" "$word"
done
exec {qemu} "$@"
"""

# Guests that are for another host than the default; KVM's hold the VMSA themselves.
HOSTS = {"kvm-eoi": "kvm", "owners-kvm": "kvm", "owners-kvm-svsm": "kvm-svsm", "owners-hyperv": "hyperv"}
KVM = ("kvm", "kvm-svsm")

# What machine.log has to say: refusals by name. Names of SEV_FEATURES: APM volume 2, table B-4.
LOG_SAYS = {
    "alternate": [f"VMPL2 cannot run: {why}" for why in (
        "it has restricted and alternate injection", "BUSY is set",
        "EVENTINJ has no event that can be injected")],
    "vmrun-vmpl": [f"VMPL2 cannot run: {why}" for why in (
        "its VMPL is above 3", "EFER.SVME is clear", "SEV_FEATURES does not have SNP active",
        *(f"SEV_FEATURES has what this host has not: {name}" for name in (
            "virtual TOM", "reflect #VC", "VMPL supervisor shadow stack",
            "VMGEXIT parameter", "PMC virtualization", "IBS virtualization",
            "guest intercept control", "VMSA register protection", "Secure AVIC",
            "IBPB on entry", "reserved bit")))],
}


# The most exits of a kind that timeline.json may count: of some 8000 interrupts of the RTC in a second, to nobody, only
# the first may cost one. It has 3 otherwise; 194 were seen on a busy computer where each did.
EXITS = {"alarm": ("intr", 40)}


# Tests of the serial port of VMPL0, which there is where somebody may be at its other end.
WITH_CHANNEL = ("channel-interrupt",)


def qemu_without(qemu, feature, folder):
    path = folder / f"qemu-without-{feature}"
    path.write_text(QEMU_WRAPPER.format(qemu=shlex.quote(str(qemu)), feature=feature))
    path.chmod(0o755)
    return path


def run_guest(programs, qemu, name, cpus, features, folder):
    """What stopped the machine, and what the guest wrote; None when it did not start."""
    socle = programs / "tools" / "socle"
    image = folder / f"{name}.igvm"
    logs = folder / f"{name}.logs"
    logs.mkdir()
    host = ("--host", HOSTS[name]) if name in HOSTS else ()
    output = machine.build(
        socle, image, "--memory", "64M", "--bare",
        programs / "tests" / "machine" / "guest" / f"guest-{name}", *host,
        *(() if HOSTS.get(name) in KVM else ("--vmsa", VMSA)), "--cpuid-page", CPUID_PAGE, "--secrets-page",
        SECRETS_PAGE, "--sev-features", features)
    if output:
        return None, [output]
    if name in QEMU_WITHOUT:
        qemu = qemu_without(qemu, QEMU_WITHOUT[name], folder)
    stop, output = machine.run(
        socle, image, logs, folder / "keys", "--cpus", cpus, "--hv",
        programs / "machine" / "hv" / "hv.bin",
        *(() if "--memory" in HOST_OPTIONS.get(name, []) else ("--memory", "64M")),
        *(("--vmpl0-channel", f"unix:{folder}/channel") if name in WITH_CHANNEL else ()),
        "--qemu", qemu, *host, *HOST_OPTIONS.get(name, []), seconds=TIMEOUT_S)
    if not stop:
        return None, [output]
    log = machine.log_of(logs, "machine.log")
    unsaid = [f"not ok machine.log: {line}" for line in LOG_SAYS.get(name, []) if line not in log]
    return stop, machine.log_of(logs).splitlines() + unsaid + too_many_exits(name, logs)


def too_many_exits(name, logs):
    if name not in EXITS:
        return []
    wanted, most = EXITS[name]
    kinds = json.loads((logs / "timeline.json").read_text())["exits"]
    count = sum(sum(kind["by_vmpl"]) for kind in kinds if kind["kind"] == wanted)
    return [f"not ok {count} exits {wanted}, {most} at most"] if count > most else []


def wrong(stop, lines, wanted, ending):
    """What is not as it must be, as lines of text."""
    if stop is None:
        return ["did not start: " + lines[0]]
    problems = [line for line in lines if line.startswith("not ok")]
    proved = sum(line.startswith("ok ") for line in lines)
    if proved != wanted:
        problems.append(f"{proved} rules proved, {wanted} wanted")
    for key, value in ending.items():
        if stop.get(key) != value:
            problems.append(f"the run ended with {key} = {stop.get(key)}, {value} wanted: "
                            f"{stop.get('message')}")
    return problems


def run_guests(result, qemu, programs, folder, names):
    for name, cpus, wanted, features, ending in TESTS:
        if name not in names:
            continue
        stop, lines = run_guest(programs, qemu, name, cpus, features, folder)
        problems = wrong(stop, lines, wanted, ending)
        result(not problems, name)
        for problem in problems:
            print(f"# {problem}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="another QEMU")
    parser.add_argument("--suite", help="the QEMU of that suite of Debian (scripts/fetch-qemu.sh)")
    parser.add_argument("--keep", type=Path, help="keep images and logs there")
    parser.add_argument("names", nargs="*", help="tests of these names, and no others")
    options = parser.parse_args()
    unknown = set(options.names) - {test[0] for test in TESTS} - set(rules.NAMES)
    if unknown:
        parser.error(f"no such test: {', '.join(sorted(unknown))}")
    if options.keep:
        options.keep.mkdir(parents=True)
    if options.suite:
        options.qemu = suites.qemu_of(options.suite)
    result = Results("machine")
    with tempfile.TemporaryDirectory(prefix="socle-machine-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        names = options.names or [*(test[0] for test in TESTS), *rules.NAMES]
        programs = options.programs.resolve()
        run_guests(result, options.qemu, programs, folder, names)
        rules.run(result, programs, options.qemu, folder, [name for name in rules.NAMES if name in names])
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
