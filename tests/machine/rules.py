# SPDX-License-Identifier: MIT
"""The portable guests of tests/machine/rules on the machine, for run.py: what each must prove, or how
it must end. What a rule wants is in its table in the guest's source."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
import tap  # noqa: E402

TIMEOUT_S = 90  # for one guest, as in run.py
VMSA, CPUID_PAGE, SECRETS_PAGE = "0x700000", "0x701000", "0x702000"

PASSED = {"reason": "guest_terminated", "vmpl": 0, "set": 10, "code": 0}

IMAGES = {  # SEV_FEATURES, rules
    "rules-plain": (1, 1031),
    "rules-restricted": (9, 130),  # feature 3
}

# On hosts that exist (docs/hosts.md): rules that are skipped. KVM upstream has neither levels nor
# INVLPGB nor restricted injection.
HOSTS = {
    ("rules-plain", "kvm-svsm"): 0,
    ("rules-restricted", "kvm-svsm"): 111,  # no alternate injection
    ("rules-plain", "kvm"): 635,
}

# Where the specifications let a host choose: what the rule of that name comes to on each.
FEATURES_RULE = "AP creation: other SEV_FEATURES than the level had: refused, or taken (VMPL 0, two vCPUs)"
OUTCOMES = {
    ("rules-plain", "strict"): {FEATURES_RULE: "0x0"},
    ("rules-plain", "kvm-svsm"): {FEATURES_RULE: "0x200000005"},  # docs/hosts.md
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


def features_of(name):
    return IMAGES[name][0] if name in IMAGES else 1


def build(programs, name, image, host):
    """For the loader of that host; KVM's hold the VMSA themselves. What is wrong, or nothing."""
    return machine.build(
        programs / "tools" / "socle", image, "--host", host, "--memory", "64M", "--bare",
        programs / "tests" / "machine" / "rules" / name,
        *(() if host.startswith("kvm") else ("--vmsa", VMSA)), "--cpuid-page", CPUID_PAGE,
        "--secrets-page", SECRETS_PAGE, "--sev-features", features_of(name))


def run_image(programs, qemu, name, host, folder):
    """Why the machine stopped, None when it did not start, and the lines of the guest's console."""
    image, logs = folder / f"{name}-{host}.igvm", folder / f"{name}-{host}.logs"
    logs.mkdir()
    output = build(programs, name, image, host)
    if output:
        return None, [output]
    stop, output = machine.run(programs / "tools" / "socle", image, logs, folder / "keys", "--host", host,
                               "--cpus", 2, "--memory", "64M", "--hv",
                               programs / "machine" / "hv" / "hv.bin", "--qemu", qemu, seconds=TIMEOUT_S)
    return stop, machine.log_of(logs, "guest.log").splitlines() if stop else [output]


def status_of(name, stop, lines):
    """How a run came to its end, in the words of a trial's result."""
    if stop is None:
        return "not started: " + " ".join(lines)
    if stop["reason"] == "timeout":
        return "hung"
    return "went on" if any(line.startswith("not ok 1 - end:") for line in lines) else "ended"


def ended_otherwise(stop, wanted):
    return [f"the run ended with {key} = {stop.get(key)}, {value} wanted: {stop.get('message')}"
            for key, value in wanted.items() if stop.get(key) != value]


def judge_rules(result, name, host, skipped, stop, lines):
    """Each rule is a result. The rules that it had."""
    where = f"{name} on {host}"
    try:
        rules, _ = tap.read(lines)
    except tap.Malformed as error:
        result(False, where, str(error))
        return []
    for rule in rules:
        result(rule.ok and not (rule.skip and skipped == 0), f"{where}: {rule.key}",
               f"skipped: {rule.skip}" if rule.skip else rule.detail)
    wrong = ended_otherwise(stop, PASSED)
    outcomes = {rule.key: rule.outcome for rule in rules}
    for key, outcome in OUTCOMES.get((name, host), {}).items():
        result(outcomes.get(key) == outcome, f"{where}: outcome of {key}",
               f"{outcomes.get(key)}, {outcome} wanted")
    if len(rules) != IMAGES[name][1]:
        wrong.append(f"{len(rules)} rules, {IMAGES[name][1]} wanted")
    if sum(bool(rule.skip) for rule in rules) != skipped:
        wrong.append(f"{sum(bool(rule.skip) for rule in rules)} skipped, {skipped} wanted")
    result(not wrong, f"{where}: end", "; ".join(wrong))
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


def run_rules(result, programs, qemu, folder, name, host, skipped):
    stop, lines = run_image(programs, qemu, name, host, folder)
    if stop is None:
        result(False, f"{name} on {host}", "did not start: " + " ".join(lines))
        return []
    return judge_rules(result, name, host, skipped, stop, lines)


def run(result, programs, qemu, folder, names):
    rules = []
    for name in names:
        if name in IMAGES:
            rules += run_rules(result, programs, qemu, folder, name, "strict", 0)
            for (image, host), skipped in HOSTS.items():
                if image == name:
                    run_rules(result, programs, qemu, folder, name, host, skipped)
            continue
        stop, lines = run_image(programs, qemu, name, "strict", folder)
        if stop is None:
            result(False, name, "did not start: " + " ".join(lines))
        else:
            judge_ending(result, name, stop, lines)
    if rules:
        print(f"# {summary(rules)}", flush=True)
