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
from results import Results  # noqa: E402


def judge(result, options, good, flipped, folder):
    """The verdicts on the flipped image's evidence."""
    for image, wanted in ((good, (4, {"measurement"})), (flipped, (0, set()))):
        status, failing, error = negatives.verify(options.socle, folder / "evidence",
                                                  "--trust-emulated", "--mine", folder / "mine",
                                                  "--image", image)
        result((status, failing) == wanted, f"for the measurement of {image.name}",
               f"exit status {status}, failing {sorted(failing)} {error}")


def main():
    options = demo.parse_arguments()
    folder = options.build_dir
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    progress = demo.Progress()
    result = Results("flipped boot")
    try:
        good, _ = demo.build_image(options, folder)
        flipped = folder / "flipped.igvm"
        negatives.flip_archive_byte(good, flipped)
        demo.run_machine(options, flipped, folder, progress)
        judge(result, options, good, flipped, folder)
    except demo.StepFailed as error:
        result(False, error.step, error)
        demo.show_log(folder, error.log or "machine.log")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
