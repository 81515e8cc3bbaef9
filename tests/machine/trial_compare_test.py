#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/trial-compare over results of two hosts: same, different, skipped, cut, and files that somebody
wrote in bad faith; and the kit's run-trial with a program that stands in for QEMU. Sections and names here
are invented; the real ones come from tests/machine/rules."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import trial  # noqa: E402
from results import Results  # noqa: E402

PLAIN = """socle trial 1
host: somewhere
image: rules-plain
| 1..3
| ok 1 - a: first (VMPL 0; cpu; APM 1)
| ok 2 - a: second (VMPL 2, two vCPUs; host; GHCB 2)
| # outcome 0x0
| ok 3 - a: third (VMPL 3; firmware; ABI 3) # SKIP multiple VMPLs
status: ended
image: rules-end-write
| 1..1
| # by this the VM ends: a write (cpu; APM 4)
status: ended
"""


def changed(*changes):
    text = PLAIN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


BROKEN = ("| ok 1 - a: first (VMPL 0; cpu; APM 1)", "| not ok 1 - a: first (VMPL 0; cpu; APM 1)\n| # got 0x2, want 0x0")
NOT_SKIPPED = (" # SKIP multiple VMPLs", "")
WENT_ON = ("ends: a write (cpu; APM 4)\nstatus: ended", "ends: a write (cpu; APM 4)\nstatus: went on")
HUNG = ("| ok 3 - a: third (VMPL 3; firmware; ABI 3) # SKIP multiple VMPLs\nstatus: ended",
        "| ok 3 - a: th\nstatus: hung")

CASES = [  # what, theirs, exit status, words of the output
    ("the same", PLAIN, 0, ["3 rules compared, 0 differ, 1 not compared"]),
    ("skipped by one", changed(NOT_SKIPPED), 0, ["3 rules compared, 0 differ, 1 not compared"]),
    ("broken by one", changed(BROKEN), 1, ["a: first (VMPL 0) [cpu; APM 1]",
                                           "ours: kept; theirs: broken (got 0x2, want 0x0)", "1 differ"]),
    ("another outcome", changed(("outcome 0x0", "outcome 0x8000001d0000006e")), 1,
     ["ours: kept, outcome 0x0; theirs: kept, outcome 0x8000001d0000006e"]),
    ("an ending that ended nothing", changed(WENT_ON), 1, ["ours: ended; theirs: went on"]),
    ("a guest that hung", changed(HUNG), 0, ["3 rules compared, 0 differ, 1 not compared"]),
    ("an image that did not start", "socle trial 1\nimage: rules-plain\nstatus: not started: no SNP\n", 2,
     ["0 rules compared"]),
    ("another file", "hello\n", 2, ["its first line is not"]),
    ("empty", "", 2, ["its first line is not"]),
    ("an image twice", PLAIN + PLAIN[PLAIN.index("image: rules-plain"):], 2, ["rules-plain is there twice"]),
    ("a line of nothing", changed(("| 1..3", "1..3")), 2, ["line 4: it does not belong there"]),
    ("results left out", changed(("| ok 1 - a: first (VMPL 0; cpu; APM 1)\n", "")), 2,
     ["result 2 follows result 0"]),
    ("fewer than planned", changed(("| 1..3", "| 1..4")), 2, ["3 results, 4 planned"]),
    ("one rule twice", changed(("a: second (VMPL 2, two vCPUs; host; GHCB 2)", "a: first (VMPL 0; cpu; APM 1)")),
     2, ["two rules of one name"]),
    ("escapes of a terminal", changed(("host: somewhere", "host: \x1b]0;gone\x07")), 0, ["theirs  ?]0;gone?"]),
    ("no status", PLAIN.rsplit("status", 1)[0], 2, ["rules-end-write: no status"]),
    ("too large", PLAIN + "| x\n" * 2000000, 2, ["more than 4194304 bytes"]),
    ("no such file", None, 2, ["No such file"]),
]

# Writes what a guest would to the file of -serial, by the name of the image; one fails, one hangs.
FAKE_QEMU = r"""#!/bin/sh
[ "$1" = --version ] && { echo "QEMU emulator version 0"; exit; }
while [ $# -gt 0 ]; do
	case $1 in
	-serial) serial=${2#file:} ;;
	igvm-cfg,*) image=${1##*file=} ;;
	esac
	shift
done
case $image in
*plain*) sed -n '/^image: rules-plain/,/^status/s/^| //p' "$FAKE_TEXT" | sed 's/$/\r/' > "$serial" ;;
*write*) sed -n '/^image: rules-end/,/^status/s/^| //p' "$FAKE_TEXT" > "$serial" ;;
*hangs*) echo 1..1 > "$serial"; exec sleep 60 ;;
*) printf 'no \033[1mSNP\n' >&2; exit 1 ;;
esac
"""


def run_trial(folder):
    """The result file of a kit of four images, with the fake QEMU, and how run-trial ended."""
    kit = folder / "kit"
    kit.mkdir()
    shutil.copy(ROOT / "tests" / "machine" / "trial" / "run-trial", kit)
    for name in ("rules-plain", "rules-end-write", "rules-hangs", "rules-fails"):
        (kit / f"{name}.igvm").touch()
    (folder / "text").write_text(PLAIN)
    (folder / "qemu").write_text(FAKE_QEMU)
    (folder / "qemu").chmod(0o755)
    run = subprocess.run([kit / "run-trial", "-q", folder / "qemu", "-t", "1", folder / "result.txt"],
                         check=False, capture_output=True, text=True, timeout=60,
                         env={**os.environ, "FAKE_TEXT": str(folder / "text")})
    return folder / "result.txt", run


def check_run_trial(result, folder):
    path, run = run_trial(folder)
    try:
        _, images = trial.read(path)
    except (OSError, trial.Malformed) as error:
        result(False, "run-trial", f"{error}: {run.stderr[-300:]!r}")
        return
    wanted = {"rules-plain": "ended", "rules-end-write": "ended", "rules-hangs": "hung",
              "rules-fails": "not started: no ?[1mSNP "}
    found = {name: image.status for name, image in images.items()}
    result(found == wanted, "run-trial: how each image ended", found)
    result(len(images["rules-plain"].rules) == 3, "run-trial: rules of an image")
    result(images["rules-end-write"].ending == "a write", "run-trial: a rule that ends the VM")


def main():
    result = Results("trial-compare")
    with tempfile.TemporaryDirectory(prefix="socle-trial-compare-") as folder:
        ours, theirs = Path(folder) / "ours.txt", Path(folder) / "theirs.txt"
        ours.write_text(PLAIN)
        for what, text, status, words in CASES:
            theirs.unlink(missing_ok=True)
            if text is not None:
                theirs.write_text(text)
            run = subprocess.run([ROOT / "scripts" / "trial-compare", ours, theirs], check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            missing = [word for word in words if word not in run.stdout]
            result(run.returncode == status and not missing and "\x1b" not in run.stdout
                   and "Traceback" not in run.stdout, what, f"status {run.returncode}: {run.stdout[-300:]!r}")
        check_run_trial(result, Path(folder))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
