#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fuzzes the reader of IGVM files from a corpus of every header, and says how much of it that reaches.

    fuzz-igvm.py [SECONDS]

Runs scripts/fuzz.sh igvm (60 seconds), then the corpus once more through a build by gcc that counts lines:
LEAST per cent of the reader's must have run.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

LEAST = 90
READER = ["igvm", "igvm_pages", "igvm_types", "host_check"]
OTHERS = ["core/image/host_model.c", "core/snp/sev_features.c", "core/base/bytes.c", "core/base/crc32.c",
          "core/base/printf.c", "core/image/tests/fuzz_igvm.c", "core/image/tests/fuzz_files.c"]


def coverage(corpus):
    """Lines of each file of the reader: all, and those that ran."""
    with tempfile.TemporaryDirectory(prefix="socle-coverage-") as name:
        program = pathlib.Path(name) / "reader"
        sources = [ROOT / f"core/image/{part}.c" for part in READER] + [ROOT / path for path in OTHERS]
        subprocess.run(["gcc", "-std=gnu17", "-O0", "--coverage", "-I", ROOT, "-o", program, *sources],
                       cwd=name, check=True)
        subprocess.run([program, corpus], cwd=name, check=True)
        run = subprocess.run(["gcov", "-n", *(f"reader-{part}.gcda" for part in READER)], cwd=name,
                             check=True, capture_output=True, text=True)
    found = re.findall(r"File '.*/core/image/(\w+)\.c'\nLines executed:([\d.]+)% of (\d+)", run.stdout)
    return {part: (int(lines), round(int(lines) * float(share) / 100))
            for part, share, lines in found if part in READER}


def main():
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    result = Results("igvm fuzz")
    run = subprocess.run([ROOT / "scripts/fuzz.sh", "igvm", seconds], capture_output=True, text=True,
                         check=False)
    done = re.search(r"stat::number_of_executed_units: (\d+)", run.stderr)
    print(f"# {done.group(1) if done else 'no'} inputs in {seconds} s")
    result(run.returncode == 0 and done, "the fuzzer finds nothing", run.stderr[-2000:])
    parts = coverage(ROOT / "build/fuzz/igvm")
    for part, (lines, ran) in sorted(parts.items()):
        print(f"# {part}.c: {ran} of {lines} lines")
    lines, ran = (sum(counts) for counts in zip(*parts.values()))
    result(len(parts) == len(READER) and 100 * ran >= LEAST * lines,
           f"{100 * ran / lines:.1f} % of the reader's {lines} lines have run, {LEAST} are wanted")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
