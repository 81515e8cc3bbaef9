#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds everything by each compiler of Debian forky and by the next clang, and runs `make check` with forky's own gcc,
in a clean system; root's work.

    compilers_test.py [--only COMPILER]... FOLDER

The system is made anew below FOLDER from the distribution's packages, with mmdebstrap; each build has its log in
FOLDER. A compiler that forky does not have yet comes from sid, with no more than it needs. With --only the others are
left out, and make check with the default one.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from in_chroot import ROOT, inside, install, system  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

result = Results("compilers")
SUITE = "forky"
DEFAULT = "gcc-16"
# A compiler, what its sanitizers need beside it, and the suite that has it.
COMPILERS = {"gcc-15": ([], SUITE), DEFAULT: ([], SUITE), "clang-22": (["libclang-rt-22-dev"], SUITE),
             "clang-23": (["libclang-rt-23-dev"], "sid")}
# -Werror makes errors of the compiler's; a linker's, an assembler's and Meson's own may be words only.
WARNING = re.compile(r"\bwarning:", re.IGNORECASE)
# As few of another suite's packages as there can be: it is asked only for what this one lacks.
PIN = "Package: *\nPin: release n={}\nPin-Priority: 100\n"


def mirror_of(root):
    """Where the system's packages come from, by its list in either of apt's shapes."""
    apt = root / "etc/apt"
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        text = path.read_text() if path.is_file() else ""
        if found := re.search(r"^(?:deb (?:\[.*?\] )?|URIs: *)(\S+)", text, re.MULTILINE):
            return found[1]
    raise RuntimeError(f"no mirror is named below {apt}")


def add_suite(root, suite):
    """Beside the system's own, of the same mirror."""
    mirror = mirror_of(root)
    (root / "etc/apt/sources.list.d" / f"{suite}.list").write_text(f"deb {mirror} {suite} main\n")
    (root / "etc/apt/preferences.d" / suite).write_text(PIN.format(suite))
    inside(root, "apt-get", "update", "-q")


def say(root, log, command, **variables):
    """The exit status of a line of shell in the sources' folder, and what it said, which is in the log."""
    words = [f"{name}={value}" for name, value in variables.items()]
    run = inside(root, "env", *words, "sh", "-c", f"cd /socle && {command}", check=False, stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    log.write_text(run.stdout)
    return run.returncode, run.stdout


def programs(compiler):
    """make's own folder is the default compiler's."""
    return "build/out" if compiler == DEFAULT else f"build/{compiler}"


def build(root, folder, compiler):
    packages, suite = COMPILERS[compiler]
    if suite != SUITE:
        add_suite(root, suite)
    install(root, compiler, *packages)
    out = programs(compiler)
    status, said = say(root, folder / f"{compiler}.log",
                       f"meson setup {out} && ninja -k 0 -C {out} -j 2 all meson-test-prereq", CC=compiler)
    result(status == 0, f"{compiler} builds everything", said[-2000:])
    warnings = [line for line in said.splitlines() if WARNING.search(line)]
    result(not warnings, f"{compiler}: no warning", warnings[:20])


def check(root, folder):
    status, said = say(root, folder / "check.log", "make check")
    last = said.rstrip().rpartition("\n")[2]
    result(status == 0 and re.match(r"[1-9]\d* passed, 0 failed", last), f"make check by {DEFAULT}", last)
    print(f"make check: {last}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", action="append", choices=sorted(COMPILERS), help="this compiler, and no other")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = options.only or list(COMPILERS)
    try:
        with system(SUITE, folder, "compilers") as root:
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / "socle"], check=True)
            install(root, "git", "make")
            inside(root, "/socle/scripts/setup-packages.sh", "build", "demo", "check", "disks")
            for compiler in wanted:
                build(root, folder, compiler)
            if DEFAULT in wanted:
                check(root, folder)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        result(False, "the system is made, and has what is wanted", error)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
