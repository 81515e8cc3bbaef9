#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Follows the README's three ways in, line by line, in a clean system of Debian's that has git and make; root's work.

    readme_test.py --suite bookworm|trixie [--evidence DIR] FOLDER

--evidence has report.bin and vcek.pem of a genuine guest at VMPL 0, for whom the second way is. The system is made anew
below FOLDER from the distribution's packages, with mmdebstrap.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from in_chroot import ROOT, SUITES, inside, install, system  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

result = Results("ways in")
LINES_MOST = 5


def ways():
    """The blocks of commands in the README's section, by their words in bold."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Three ways in\n(.*?)^## ", text, re.MULTILINE | re.DOTALL).group(1)
    return re.findall(r"\*\*(To [^*]*)\*\*.*?```\n(.*?)```", section, re.DOTALL)


def follow(root, block, log):
    """As a person would type it: one shell, each line in its turn. Its exit status and what it said."""
    script = root / "way.sh"
    script.write_text(f"cd /socle\n{block}")
    run = inside(root, "bash", "/way.sh", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                 stderr=subprocess.STDOUT, text=True, errors="replace")
    log.write_text(run.stdout)
    return run.returncode, run.stdout


def check_try(status, said):
    result("\nverdict: trusted (emulated); with the command line changed: not trusted\n" in said,
           "the demo ends with its verdict", said[-2000:])
    result(status == 2 and "\nverdict: refused" in said, "one bit changed is seen", said[-2000:])


def check_verify(status, said):
    result(status == 0 and said.count("\nverdict: trusted") == 2,
           "a genuine report, and the policy that was made of it", said[-2000:])


def check_use(status, said):
    result(status == 0 and re.search(r"^ *0 ?: 0x0{64}$", said, re.MULTILINE), "a key by tpm2-tools, and a PCR",
           said[-2000:])


CHECKS = {"To try it": check_try, "To verify evidence": check_verify, "To use the TPM": check_use}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--suite", choices=sorted(SUITES), required=True)
    parser.add_argument("--evidence", type=Path, default=ROOT.parent / "shared/evidence/genoa-vcek")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = ways()
    result([name for name, _ in found] == list(CHECKS), "three ways", found)
    with system(options.suite, folder, "readme") as root:
        install(root, "git", "make", "ca-certificates")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / "socle"], check=True)
        # The last way first: it builds what the others need, and has nothing of what they install.
        for name, block in reversed(found):
            result(len(block.strip().splitlines()) <= LINES_MOST, f"{name}: at most {LINES_MOST} lines")
            if name == "To verify evidence":
                if not (options.evidence / "report.bin").exists():
                    result.skip(name, "no genuine report is given")
                    continue
                for file in ("report.bin", "vcek.pem"):
                    shutil.copy(options.evidence / file, root / "socle")
            CHECKS[name](*follow(root, block, folder / f"{name.split()[1]}.log"))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
