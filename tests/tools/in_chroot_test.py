#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A clean system's folder (tests/release/in_chroot.py) is not removed through a mount: what is behind it stays.

    in_chroot_test.py

The mount is the kernel's, in a name space of its own; without the right to one the test is skipped.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "tests/release")]
import in_chroot  # noqa: E402
from results import Results  # noqa: E402

ALONE = ["unshare", "--mount"]


def check(result, folder):
    root, behind = folder / "a system", folder / "behind"
    for path in (root / "dev", behind, folder / "a system that is another"):
        path.mkdir(parents=True)
    (behind / "null").touch()
    subprocess.run(["mount", "--bind", behind, root / "dev"], check=True)
    try:
        in_chroot.remove(root, ignore_errors=True)
        said = ""
    except RuntimeError as error:
        said = str(error)
    result(str(root / "dev") in said and "\n" not in said, "a folder with a mount is refused, by one line", said)
    result((behind / "null").exists() and (root / "dev/null").exists(), "and what is behind it stays")
    result(not in_chroot.mounts_below(folder / "a system that is another"), "a folder of a longer name has none")
    subprocess.run(["umount", root / "dev"], check=True)
    in_chroot.remove(root)
    result(not root.exists() and (behind / "null").exists(), "without the mount it goes, and it alone")


def main():
    if sys.argv[1:] == ["alone"]:
        result = Results("in chroot, with a mount")
        with tempfile.TemporaryDirectory(prefix="socle-in-chroot-") as name:
            check(result, Path(name))
        return result.finish()
    result = Results("in chroot")
    result(Path("/proc") in in_chroot.mounts_below(Path("/proc")), "the kernel says what is mounted")
    if subprocess.run([*ALONE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        result.skip("mounts", "this user has no name space for them")
    elif subprocess.run([*ALONE, sys.executable, __file__, "alone"], check=False).returncode:
        result(False, "with a mount")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
