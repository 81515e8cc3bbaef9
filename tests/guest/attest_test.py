#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svsm/attest of the guest's kernel module, with Socle behind it: boots a guest that tries all of
its manners (tests/guest/attest_init), new RSA keys in many turns, two at once and a killed one
among them.

    attest_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work build/attest-test]
"""

import re
import sys

import booted

TIMEOUT_S = 280
COUNT = re.compile(r"attest: \d+ passed, (\d+) failed")


def main():
    options = booted.parser(__doc__, "attest-test").parse_args()
    booted.prepare(options)
    image = booted.build(options, booted.HERE / "attest_init")
    lines, problem = booted.boot(options, image, TIMEOUT_S)
    for line in lines:
        print(line)
    counts = [match for match in map(COUNT.fullmatch, lines) if match]
    if problem or not counts:
        print(problem or "the guest says no count")
        print("attest: 0 passed, 1 failed")
        return 1
    return 0 if counts[-1].group(1) == "0" else 1


if __name__ == "__main__":
    sys.exit(main())
