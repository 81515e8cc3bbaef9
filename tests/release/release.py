#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is tried before a release, for which CI has no time; by hand, as root.

    release.py [--folder build/release] [--table docs/release.md] [PART]...

Each part has its log in the folder. A run of all parts writes the table anew: the day, the commit, and how each
part ended.
"""

import argparse
import datetime
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

# Name, what it shows, and the command; FOLDER is the part's own.
PARTS = (
    ("debian-12", "packages built, installed, used and purged in clean systems of Debian 12",
     ("tests/release/in_chroot.py", "--suite", "bookworm", "FOLDER")),
    ("debian-13", "the same of Debian 13, with a guest of its own kernel, initramfs and DKMS under Socle",
     ("tests/release/in_chroot.py", "--suite", "trixie", "FOLDER")),
    ("reproduce", "sources, packages and an image built twice are the same bytes",
     ("tests/release/reproduce.sh", "FOLDER")),
    ("applications", "applications with swtpm and with socle vtpm serve", ("make", "check-tpm-applications")),
)


def run_part(folder, name, command):
    """Whether it passed, and its seconds."""
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
        run = subprocess.run([str(own / "work") if word == "FOLDER" else word for word in command], cwd=ROOT,
                             stdout=log, stderr=subprocess.STDOUT, check=False)
    return run.returncode == 0, round(time.monotonic() - start)


def write_table(path, rows):
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=True).stdout.strip()
    lines = ["# The last run of make check-release", "",
             f"On {datetime.date.today()}, commit {commit}.", "", "| part | what it shows | result | seconds |",
             "|---|---|---|---|"]
    lines += [f"| {name} | {shows} | {'passed' if ok else 'failed'} | {seconds} |"
              for name, shows, ok, seconds in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build/release")
    parser.add_argument("--table", type=Path, default=ROOT / "docs/release.md")
    parser.add_argument("parts", nargs="*", help="these and no others; then no table is written")
    options = parser.parse_args()
    names = [name for name, _, _ in PARTS]
    if unknown := set(options.parts) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    result, rows = Results("release"), []
    for name, shows, command in PARTS:
        if options.parts and name not in options.parts:
            continue
        ok, seconds = run_part(options.folder.resolve(), name, command)
        result(ok, f"{name}: {shows}", f"see {options.folder / name}.log")
        rows.append((name, shows, ok, seconds))
    if not options.parts:
        write_table(options.table, rows)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
