#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svsm/attest of the guest's kernel module, with Socle behind it: boots a guest that tries all of
its manners (tests/guest/attest_init), new RSA keys in many turns, two at once and a killed one
among them. What the agent attests without it is judged by `socle verify`.

    attest_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work build/attest-test]
"""

import re
import subprocess
import sys

import booted
from results import Results

TIMEOUT_S = 200  # less than check.py has for all of it
RESULT = re.compile(r"(ok|not ok) (.*?)(?:: ('.*))?")
LAST = "all checks"
OWN = ("nonce.bin",)  # the guest took it for the relying party
FILE = re.compile(r"file ([a-z.]+) ([0-9a-f]*)")


def verified(options, image, certificates, lines):
    """What is wrong with the folder that the guest filled without svsm/attest; empty: nothing."""
    folder, mine = options.work / "stock", options.work / "mine"
    folder.mkdir()
    mine.mkdir()
    for name, content in (match.groups() for match in map(FILE.fullmatch, lines) if match):
        ((mine if name in OWN else folder) / name).write_bytes(bytes.fromhex(content))
    verdict = subprocess.run(
        [options.programs / "tools/socle", "verify", "--trust-emulated", "--mine", mine, "--ark",
         certificates / "ark.pem", "--image", image, "--certs", certificates, folder], check=False,
        capture_output=True, text=True)
    return f"{verdict.stdout.strip()} {verdict.stderr.strip()}" if verdict.returncode else ""


def main():
    options = booted.parser(__doc__, "attest-test").parse_args()
    booted.prepare(options)
    booted.run("guest/module/build.sh", options.kernel, options.work / "module",
               booted.HERE / "stock_tpm")
    image = booted.build(options, booted.HERE / "attest_init",
                         [options.work / "module/stock_tpm.ko"])
    certificates = options.work / "certificates"
    lines, problem = booted.boot(options, image, TIMEOUT_S, "--certs-out", certificates)
    result = Results("attest")
    for line in lines:
        if match := RESULT.fullmatch(line):
            result(match[1] == "ok", match[2], match[3] or "")
        elif not FILE.fullmatch(line) and line != LAST:
            print(line)
    if not result(not problem and LAST in lines, "the guest's checks end", problem or "they do not"):
        print("\n".join(booted.last_words(options)))
        return result.finish()
    wrong = verified(options, image, certificates, lines)
    result(not wrong, "socle verify", wrong)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
