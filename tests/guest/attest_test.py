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

TIMEOUT_S = 280
COUNT = re.compile(r"attest: (\d+) passed, (\d+) failed")
OWN = ("nonce.bin",)  # the guest took it for the relying party
FILE = re.compile(r"file ([a-z.]+) ([0-9a-f]*)")


def verified(options, image, certificates, lines):
    """Whether the folder that the guest filled without svsm/attest is trusted."""
    folder, mine = options.work / "stock", options.work / "mine"
    folder.mkdir()
    mine.mkdir()
    for name, content in (match.groups() for match in map(FILE.fullmatch, lines) if match):
        ((mine if name in OWN else folder) / name).write_bytes(bytes.fromhex(content))
    verdict = subprocess.run(
        [options.programs / "tools/socle", "verify", "--trust-emulated", "--mine", mine, "--ark",
         certificates / "ark.pem", "--image", image, "--certs", certificates, folder], check=False,
        capture_output=True, text=True)
    if verdict.returncode != 0:
        print(f"FAIL socle verify: {verdict.stdout.strip()} {verdict.stderr.strip()}")
    return verdict.returncode == 0


def main():
    options = booted.parser(__doc__, "attest-test").parse_args()
    booted.prepare(options)
    booted.run("guest/module/build.sh", options.kernel, options.work / "module",
               booted.HERE / "stock_tpm")
    image = booted.build(options, booted.HERE / "attest_init",
                         [options.work / "module/stock_tpm.ko"])
    certificates = options.work / "certificates"
    lines, problem = booted.boot(options, image, TIMEOUT_S, "--certs-out", certificates)
    for line in lines:
        if not FILE.fullmatch(line) and not COUNT.fullmatch(line):
            print(line)
    counts = [match for match in map(COUNT.fullmatch, lines) if match]
    if problem or not counts:
        print("\n".join([*booted.last_words(options), problem or "the guest says no count"]))
        print("attest: 0 passed, 1 failed")
        return 1
    passed, failed = map(int, counts[-1].groups())
    ok = verified(options, image, certificates, lines)
    print(f"attest: {passed + ok} passed, {failed + (not ok)} failed")
    return 0 if ok and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
