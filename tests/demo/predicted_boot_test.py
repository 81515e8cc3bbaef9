#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A boot by OVMF under Socle is what `socle policy make` said of its files beforehand: image, firmware, kernel, first
file system and command line. `socle verify` trusts it by that policy alone, and does not when one of them is another: a
command line, a kernel's file system, a firmware in the policy, and a firmware in the image, patched by one byte,
whatever the log says.

    predicted_boot_test.py --programs BUILD --firmware build/ovmf-forky/OVMF.fd --build-dir FOLDER [--made]
                           [of scripts/demo.py]

With --made FOLDER is what scripts/demo.py --firmware left, with the same options.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts")]
import demo  # noqa: E402
import negatives_test as negatives  # noqa: E402
from results import Results  # noqa: E402

UNUSED = 0x40000  # of the flash: behind the variables that a real machine keeps there, far before what is compressed


def make_policy(options, folder, name, **changes):
    words = demo.kernel_options(options)
    files = {"image": folder / "socle.igvm", "firmware": options.firmware,
             **{option.removeprefix("--"): value for option, value in zip(words[::2], words[1::2])}, **changes}
    path = folder / f"{name}.json"
    words = [word for option, value in files.items() if value for word in (f"--{option}", value)]
    run = subprocess.run([str(w) for w in (options.socle, "policy", "make", "--no-secure-boot", *words, "-o", path)],
                         capture_output=True, text=True, check=False)
    return path if run.returncode == 0 else run.stderr


def judge(options, folder, policy, *more):
    own = folder / "mine/ak"
    shutil.copy(folder / "mine/ark.pem", own)
    return negatives.verify(options.socle, folder / "evidence/ak", "--trust-emulated", "--policy", policy, "--mine",
                            own, "--certs", folder / "evidence", *more)


def build_patched(options, folder):
    """The same image, but for a firmware with one byte that is another."""
    data = bytearray(options.firmware.read_bytes())
    data[UNUSED] ^= 1
    patched = folder / "patched"
    shutil.rmtree(patched, ignore_errors=True)
    patched.mkdir()
    flash = patched / "OVMF.fd"
    flash.write_bytes(data)
    good, options.firmware = options.firmware, flash
    image, _ = demo.build_image(options, patched)
    options.firmware = good
    return flash, image


def check(result, options, folder):
    policy = make_policy(options, folder, "predicted")
    if not result(isinstance(policy, Path), "a policy is made of the files", policy):
        return
    status, failing, error = judge(options, folder, policy)
    result((status, failing) == (0, set()), "the boot is what was predicted", (status, failing, error))
    for name, changes, wanted in (
            ("another command line", {"append": f"{options.append} init=/bin/sh"}, {"pcr-values", "boot-files",
                                                                                   "boot-command-line"}),
            ("another first file system", {"initrd": options.firmware}, {"pcr-values", "boot-files"}),
            ("no first file system", {"initrd": None}, {"pcr-values", "boot-files", "boot-command-line"})):
        other = make_policy(options, folder, "other", **changes)
        status, failing, error = judge(options, folder, other)
        result((status, failing) == (6, wanted), f"not trusted: {name}", (status, sorted(failing), error))
    flash, image = build_patched(options, folder)
    errors = make_policy(options, folder, "other", firmware=flash)
    result("its firmware is not that of --firmware" in str(errors),
           "an image with another firmware is none to predict by", errors)
    # The evidence is the good firmware's, with its log; to who wants the patched one it is another image, and the
    # reverse.
    other = make_policy(options, folder, "patched", firmware=flash, image=image)
    status, failing, error = judge(options, folder, other)
    result((status, failing) == (4, {"measurement"}),
           "not trusted: firmware with one byte patched, and the other's log", (status, sorted(failing), error))
    rules = json.loads(policy.read_text())
    rules["boot"]["firmware"]["volume of the second phase"] = "11" * 32
    (folder / "other.json").write_text(json.dumps(rules))
    status, failing, error = judge(options, folder, folder / "other.json")
    result((status, failing) == (7, {"boot-firmware"}), "not trusted: a firmware that PCR 0 is not of",
           (status, sorted(failing), error))


def main():
    made = "--made" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--made"]
    options = demo.parse_arguments()
    result, folder = Results("predicted boot"), options.build_dir
    try:
        if not made:
            demo.demo(options, demo.Progress())
        check(result, options, folder)
    except demo.StepFailed as error:
        result(False, error.step, error)
        demo.show_log(folder, error.log or "machine.log")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
