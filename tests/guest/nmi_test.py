#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""socle_tpm's call of the SVSM survives NMIs between its WRMSR and its VMGEXIT: boots a guest that
sends them to itself while it uses the TPM.

    nmi_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work build/nmi-test]
"""

import sys

import booted

TIMEOUT_S = 480


def main():
    options = booted.parser(__doc__, "nmi-test").parse_args()
    booted.prepare(options)
    booted.run("guest/module/build.sh", options.kernel, options.work / "module",
               booted.HERE / "nmi_storm")
    image = booted.build(options, booted.HERE / "nmi_init",
                         [options.work / "module/nmi_storm.ko"])
    lines, problem = booted.boot(options, image, TIMEOUT_S)
    ok = not problem and bool(lines) and lines[-1].startswith("ok")
    if not ok:
        lines = [*booted.last_words(options), *lines, problem or "no verdict"]
    print("\n".join(lines))
    print(f"nmi: {int(ok)} passed, {int(not ok)} failed")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
