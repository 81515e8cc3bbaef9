#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the demo's image with one byte of its archive flipped, in a comment, so that everything runs
as ever: the guest attests, and `socle verify` refuses it for the measurement and nothing else.

    flipped_boot_test.py --programs BUILD --build-dir FOLDER [options of scripts/demo.py]
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts")]
import demo  # noqa: E402
import negatives_test as negatives  # noqa: E402


def problems_of(options, good, flipped, folder):
    """How the verdicts on the flipped image's evidence differ from what they must be."""
    problems = []
    for image, wanted in ((good, (4, {"measurement"})), (flipped, (0, set()))):
        status, failing, error = negatives.verify(options.socle, folder / "evidence",
                                                  "--trust-emulated", "--mine", folder / "mine",
                                                  "--image", image)
        if (status, failing) != wanted:
            problems.append(f"for the measurement of {image.name}: exit status {status}, failing "
                            f"{sorted(failing)} {error}")
    return problems


def main():
    options = demo.parse_arguments()
    folder = options.build_dir
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    progress = demo.Progress()
    try:
        good, _ = demo.build_image(options, folder)
        flipped = folder / "flipped.igvm"
        negatives.flip_archive_byte(good, flipped)
        demo.run_machine(options, flipped, folder, progress)
        problems = problems_of(options, good, flipped, folder)
    except demo.StepFailed as error:
        problems = [f"{error.step}: {error}"]
        demo.show_log(folder, error.log or "machine.log")
    for problem in problems:
        print(problem)
    print(f"flipped boot: {int(not problems)} passed, {int(bool(problems))} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
