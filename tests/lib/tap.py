# SPDX-License-Identifier: MIT
"""TAP (https://testanything.org) as portable guests of tests/machine/rules write it."""

import re
from dataclasses import dataclass

RESULT = re.compile(r"^(?P<not>not )?ok (?P<number>\d+) - (?P<name>.*?) \(VMPL (?P<vmpl>\d)"
                    r"(?P<two>, two vCPUs)?; (?P<tag>cpu|host|firmware); (?P<section>[^()]+)\)"
                    r"(?: # SKIP (?P<skip>.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)$")
ENDING = re.compile(r"^# by this the VM ends: (?P<name>.*) \((?P<tag>cpu|host|firmware); "
                    r"(?P<section>[^()]+)\)$")
GOT = re.compile(r"^# (got .*|it goes on.*)$")
OUTCOME = re.compile(r"^# outcome (0x[0-9a-f]+)$")


@dataclass
class Rule:
    """One line of results. key tells rules of one image apart."""
    name: str
    vmpl: int
    two_vcpus: bool
    tag: str
    section: str
    ok: bool
    skip: str
    detail: str = ""
    outcome: str = ""

    @property
    def key(self):
        return f"{self.name} (VMPL {self.vmpl}{', two vCPUs' if self.two_vcpus else ''})"


class Malformed(Exception):
    """What is wrong with the lines, in one."""


def read(lines, cut=False):
    """The rules that the lines of one image tell of, and its ending rule, a match of ENDING or None.
    Raises Malformed where a line, a number or a name is wrong, or the plan is not kept; cut: the guest
    was ended before its plan was."""
    rules, keys, planned, ending = [], set(), None, None
    lines = [line.rstrip("\r\n") for line in lines]
    for line in lines:
        found = RESULT.match(line)
        if found:
            if int(found["number"]) != len(rules) + 1:
                raise Malformed(f"result {found['number']} follows result {len(rules)}")
            rules.append(Rule(found["name"], int(found["vmpl"]), bool(found["two"]), found["tag"],
                              found["section"], not found["not"], found["skip"] or ""))
            if rules[-1].key in keys:
                raise Malformed(f"two rules of one name: {rules[-1].key}")
            keys.add(rules[-1].key)
        elif PLAN.match(line):
            planned = int(PLAN.match(line)[1])
        elif ENDING.match(line):
            ending = ENDING.match(line)
        elif GOT.match(line) and rules:
            rules[-1].detail = GOT.match(line)[1]
        elif OUTCOME.match(line) and rules:
            rules[-1].outcome = OUTCOME.match(line)[1]
        elif re.match(r"(not )?ok\b|Bail out!", line) and not (cut and line == lines[-1]):
            raise Malformed(line)
    if planned is None:
        raise Malformed("no plan")
    if ending is None and planned != len(rules) and not (cut and planned > len(rules)):
        raise Malformed(f"{len(rules)} results, {planned} planned")
    return rules, ending
