#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""socle_tpm's call of the SVSM survives NMIs between its WRMSR and its VMGEXIT: boots a guest that
sends them to itself while it uses the TPM.

    nmi_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work build/nmi-test]
"""

import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 480


def main():
    options = booted.parser(__doc__, "nmi-test").parse_args()
    booted.prepare(options)
    booted.run("guest/module/build.sh", options.kernel, options.work / "module",
               booted.HERE / "nmi_storm")
    image = booted.build(options, booted.HERE / "nmi_init",
                         [options.work / "module/nmi_storm.ko"])
    lines, problem = booted.boot(options, image, TIMEOUT_S)
    result = Results("nmi")
    if not problem and not (lines and lines[-1].startswith("ok")):
        problem = "no verdict"
    if not result(not problem, "the TPM is used while NMIs come", problem):
        lines = [*booted.last_words(options), *lines]
    print("\n".join(lines))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
