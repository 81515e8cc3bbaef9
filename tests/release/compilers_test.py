#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds everything by one compiler in a clean Debian forky, without a warning, and runs `make check` there with what
was built; root's work.

    compilers_test.py COMPILER FOLDER

The system is made anew below FOLDER from the distribution's packages, with mmdebstrap; build and check have their logs
in FOLDER. A compiler that forky does not have yet comes from sid, with no more than it needs. A run that was
interrupted leaves its system, and the next goes on with it. SLOWER=N in the environment is make check's (Makefile).
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from in_chroot import ROOT, inside, install, system  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

result = Results("compilers")
SUITE = "forky"
OUT = "build/out"
# A compiler, what its sanitizers need beside it, and the suite that has it.
COMPILERS = {"gcc-15": ([], SUITE), "gcc-16": ([], SUITE), "clang-22": (["libclang-rt-22-dev"], SUITE),
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


def sources(root, log):
    """What is committed here, below /socle. A build of another commit is not gone on with: its log misses warnings."""
    there = root / "socle"
    git = ["git", "-C", there]
    subprocess.run(["git", "init", "--quiet", there], check=True)
    subprocess.run([*git, "fetch", "--quiet", "--tags", ROOT, "HEAD"], check=True)
    head, wanted = (subprocess.run([*git, "rev-parse", "--quiet", "--verify", name], capture_output=True, text=True,
                                   check=False).stdout for name in ("HEAD", "FETCH_HEAD"))
    if head != wanted:
        shutil.rmtree(there / OUT, ignore_errors=True)
        log.unlink(missing_ok=True)
        subprocess.run([*git, "checkout", "--quiet", "--force", "-B", "main", "FETCH_HEAD"], check=True)


def say(root, log, mode, command, **variables):
    """The exit status of a line of shell in the sources' folder; what it says is in the log, as it says it."""
    words = [f"{name}={value}" for name, value in variables.items()]
    with open(log, mode, encoding="utf-8") as out:
        return inside(root, "env", *words, "sh", "-c", f"cd /socle && {command}", check=False, stdin=subprocess.DEVNULL,
                      stdout=out, stderr=subprocess.STDOUT).returncode


def build(root, compiler, log):
    """The log is appended to: it has each step of the build once, whatever interrupted it."""
    packages, suite = COMPILERS[compiler]
    if suite != SUITE:
        add_suite(root, suite)
    install(root, compiler, *packages)
    status = say(root, log, "a", f"{{ test -f {OUT}/build.ninja || meson setup {OUT}; }} && "
                                 f"ninja -k 0 -C {OUT} -j 2 all meson-test-prereq", CC=compiler)
    said = log.read_text(errors="replace")
    result(status == 0, f"{compiler} builds everything", said[-2000:])
    # A step that failed and is done again says so twice.
    warnings = list(dict.fromkeys(line for line in said.splitlines() if WARNING.search(line)))
    result(not warnings, f"{compiler}: no warning", warnings[:20])


def check(root, compiler, log):
    status = say(root, log, "w", "make check", SLOWER=os.environ.get("SLOWER", ""))
    last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
    result(status == 0 and re.match(r"[1-9]\d* passed, 0 failed", last), f"make check by {compiler}", last)
    print(f"make check: {last}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("compiler", choices=sorted(COMPILERS))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    built, checked = folder / "build.log", folder / "check.log"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compilers: told to end"))
    try:
        with system(SUITE, folder, options.compiler, keep=True) as root:
            sources(root, built)
            install(root, "git", "make")
            inside(root, "/socle/scripts/setup-packages.sh", "build", "demo", "check", "disks")
            build(root, options.compiler, built)
            check(root, options.compiler, checked)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        result(False, "the system is made, and has what is wanted", error)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
