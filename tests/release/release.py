#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is tried before a release, for which CI has no time; by hand, as root.

    release.py [--folder build/release] [--table docs/release.md] [--source DIR] [PART]...

Each part has its log in the folder, and adds a row to the table when it ends: the day, the commit that it began
with, and how it ended. Without a name all parts run. --source is for the suites (docs/vtpm-serve.md).
"""

import argparse
import datetime
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

# Name, what it shows, and the command; FOLDER is the part's own, SOURCE the folder of sources.
PARTS = (
    ("debian-12", "packages built, installed, used and purged in clean systems of Debian 12",
     ("tests/release/in_chroot.py", "--suite", "bookworm", "FOLDER")),
    ("debian-13", "the same of Debian 13, with a guest of its own kernel, initramfs and DKMS under Socle",
     ("tests/release/in_chroot.py", "--suite", "trixie", "FOLDER")),
    *((f"readme-{number}", f"the README's three ways in, in a clean system of Debian {number}",
       ("tests/release/readme_test.py", "--suite", suite, "FOLDER"))
      for number, suite in ((12, "bookworm"), (13, "trixie"))),
    *((f"forky-{compiler}", f"{compiler} builds everything on Debian forky without a warning, and make check passes",
       ("tests/release/compilers_test.py", compiler, "FOLDER"))
      for compiler in ("gcc-15", "gcc-16", "clang-22", "clang-23")),
    ("reproduce", "sources, packages and an image built twice are the same bytes",
     ("tests/release/reproduce.sh", "FOLDER")),
    ("sbom", "the SPDX document is valid and complete", ("tests/release/sbom_test.py", "FOLDER")),
    ("static", "socle as one static file, used where nothing else is", ("tests/release/static_test.py", "FOLDER")),
    ("applications", "applications with swtpm and with socle vtpm serve", ("make", "check-tpm-applications")),
    *((f"suite-{name}", f"{name}'s tests with both", ("make", "check-tpm-suites", "SOURCES=SOURCE", f"ONLY={name}"))
      for name in ("ibmtss", "tpm2-tools", "wolfTPM", "tpm2-pytss", "tss-esapi", "go-tpm")),
    ("kill", "socle vtpm serve killed at every system call", ("tests/vtpm/state_test.py", "build/out/tools/socle",
                                                             "profiles", "--all")),
    ("load", "socle vtpm serve under load for an hour: each answer right, memory flat, all of it there after kill -9",
     ("tests/vtpm/load_test.py", "build/out/tools/socle", "profiles", "--seconds", "3600")),
    # Less than it could do: on a computer with other work as many as go would be late by that, not by its fault.
    ("load-verify", "socle verify serve under load for an hour, 8 a second and 100 at once each minute: each verdict "
     "right, memory flat",
     ("tests/verify/serve_load.py", "build/out/tools/socle", "--seconds", "3600", "--rate", "8", "--burst", "100")),
    ("libvirt", "a guest of libvirt's with a TPM of ours", ("tests/vtpm/libvirt_test.py", "build/out/tools/socle",
                                                          "profiles")),
    ("firmware", "SeaBIOS and OVMF measure as with swtpm",
     ("tests/vtpm/firmware_test.py", "--ovmf", "build/out/tools/socle", "profiles")),
)
HEAD = """# Runs of make check-release

The newest is the last. Each part adds its row when it ends (`tests/release/release.py`); a commit with `-dirty` had
changes that were not committed. A commit is named as it stands in the main branch. Seconds are of a
computer that may have had other work.

| day | commit | part | what it shows | result | counted | seconds |
|---|---|---|---|---|---|---|
"""


def run_part(folder, source, command):
    """Whether it passed, its seconds, and what its log's last line of counts says."""
    own = folder / "work"
    own.mkdir(parents=True, exist_ok=True)
    words = [word.replace("=SOURCE", f"={source or ''}") for word in command]
    start = time.monotonic()
    path = folder / "log"
    with open(path, "w", encoding="utf-8") as log:
        run = subprocess.run([str(own) if word == "FOLDER" else word for word in words], cwd=ROOT,
                             stdout=log, stderr=subprocess.STDOUT, check=False)
    counts = re.findall(r"^.*: (\d+ passed, \d+ failed.*)$", path.read_text(errors="replace"), re.MULTILINE)
    return run.returncode == 0, round(time.monotonic() - start), counts[-1] if counts else ""


def commit_here():
    return subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True,
                          text=True, check=True).stdout.strip()


def add_row(table, commit, name, shows, ok, counts, seconds):
    if not table.exists():
        table.write_text(HEAD, encoding="utf-8")
    with open(table, "a", encoding="utf-8") as out:
        out.write(f"| {datetime.date.today()} | {commit} | {name} | {shows} | {'passed' if ok else 'failed'} | "
                  f"{counts} | {seconds} |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build/release")
    parser.add_argument("--table", type=Path, default=ROOT / "docs/release.md")
    parser.add_argument("--source", type=Path)
    parser.add_argument("parts", nargs="*", help="these and no others")
    options = parser.parse_args()
    names = [name for name, _, _ in PARTS]
    if unknown := set(options.parts) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    result = Results("release")
    for name, shows, command in PARTS:
        if options.parts and name not in options.parts:
            continue
        folder = options.folder.resolve() / name
        # What is tried is what is there when the part begins.
        commit = commit_here()
        ok, seconds, counts = run_part(folder, options.source and options.source.resolve(), command)
        result(ok, f"{name}: {shows}", f"see {folder / 'log'}")
        add_row(options.table, commit, name, shows, ok, counts, seconds)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
