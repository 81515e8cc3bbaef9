# SPDX-License-Identifier: MIT
"""The portable guests of tests/machine/rules on the machine, for run.py: what each must prove, or how
it must end. What a rule wants is in its table in the guest's source."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
import tap  # noqa: E402

TIMEOUT_S = 60
VMSA, CPUID_PAGE, SECRETS_PAGE = "0x700000", "0x701000", "0x702000"

PASSED = {"reason": "guest_terminated", "vmpl": 0, "set": 10, "code": 0}

IMAGES = {  # SEV_FEATURES, rules
    "rules-plain": (1, 546),
    "rules-restricted": (9, 18),  # feature 3
}

# Images of one rule that ends the VM: how. APM volume 2, 15.36.10; GHCB specification, 2.3.1.
ENDINGS = {
    "rules-end-write": {"reason": "rmp_violation", "vmpl": 3, "gpa": "0x1000000"},
    "rules-end-read": {"reason": "rmp_violation", "vmpl": 1, "gpa": "0x1000000"},
    "rules-end-fetch": {"reason": "rmp_violation", "vmpl": 2, "gpa": "0x1000000"},
    "rules-end-vmsa-write": {"reason": "rmp_violation", "vmpl": 1, "gpa": "0x1000000"},
    "rules-end-terminate-msr": {"reason": "guest_terminated", "vmpl": 0, "set": 3, "code": 7},
    "rules-end-terminate-exit": {"reason": "guest_terminated", "vmpl": 0, "set": 4, "code": 5},
    "rules-end-triple-fault": {"reason": "triple_fault", "vmpl": 0},
    "rules-end-refused-state": {"reason": "triple_fault", "vmpl": 1},
    "rules-end-real-mode": {"reason": "triple_fault", "vmpl": 1},
}

NAMES = [*IMAGES, *ENDINGS]


def run_image(programs, name, folder):
    """Why the machine stopped, None when it did not start, and the lines of the guest's console."""
    socle = programs / "tools" / "socle"
    image, logs = folder / f"{name}.igvm", folder / f"{name}.logs"
    logs.mkdir()
    features = IMAGES[name][0] if name in IMAGES else 1
    output = machine.build(
        socle, image, "--memory", "64M", "--bare",
        programs / "tests" / "machine" / "rules" / name, "--vmsa", VMSA, "--cpuid-page",
        CPUID_PAGE, "--secrets-page", SECRETS_PAGE, "--sev-features", features)
    if output:
        return None, [output]
    stop, output = machine.run(socle, image, logs, folder / "keys", "--cpus", 2, "--memory", "64M",
                               "--hv", programs / "machine" / "hv" / "hv.bin", seconds=TIMEOUT_S)
    return stop, machine.log_of(logs, "guest.log").splitlines() if stop else [output]


def ended_otherwise(stop, wanted):
    return [f"the run ended with {key} = {stop.get(key)}, {value} wanted: {stop.get('message')}"
            for key, value in wanted.items() if stop.get(key) != value]


def judge_rules(result, name, stop, lines):
    """Each rule is a result. The rules that it had."""
    try:
        rules, _ = tap.read(lines)
    except tap.Malformed as error:
        result(False, name, str(error))
        return []
    for rule in rules:
        result(rule.ok and not rule.skip, f"{name}: {rule.key}",
               f"skipped: {rule.skip}" if rule.skip else rule.detail)
    wrong = ended_otherwise(stop, PASSED)
    if len(rules) != IMAGES[name][1]:
        wrong.append(f"{len(rules)} rules, {IMAGES[name][1]} wanted")
    result(not wrong, f"{name}: end", "; ".join(wrong))
    return rules


def judge_ending(result, name, stop, lines):
    wrong = ended_otherwise(stop, ENDINGS[name])
    try:
        rules, ending = tap.read(lines)
        if rules or ending is None:
            wrong.append("the rule ended nothing" if rules else "the rule was not tried")
    except tap.Malformed as error:
        wrong.append(str(error))
    result(not wrong, name, "; ".join(wrong))


def summary(rules):
    lower = sum(rule.vmpl > 0 for rule in rules)
    two = sum(rule.two_vcpus for rule in rules)
    return f"{len(rules)} rules, {lower} of them at VMPL 1 to 3, {two} by two vCPUs"


def run(result, programs, folder, names):
    rules = []
    for name in names:
        stop, lines = run_image(programs, name, folder)
        if stop is None:
            result(False, name, "did not start: " + " ".join(lines))
        elif name in IMAGES:
            rules += judge_rules(result, name, stop, lines)
        else:
            judge_ending(result, name, stop, lines)
    if rules:
        print(f"# {summary(rules)}", flush=True)
