#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether each script that starts a program of /usr/sbin looks there: an ordinary user's PATH on Debian does not lead
to it.

    sbin_test.py

A script for a guest is not looked at: its PATH is not the user's.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

FOLDERS = ("scripts", "guest/module", "guest/initramfs", "bench", "tests/peers", "tests/guest")
# Of kmod, e2fsprogs, fdisk, dosfstools, util-linux, libc-bin and coreutils on Debian 12.
PROGRAMS = r"(modinfo|modprobe|depmod|tune2fs|e2fsck|resize2fs|mke2fs|debugfs|sfdisk|mkfs\.\w+|losetup|ldconfig|chroot)"
# As the first word of a command.
SHELL = re.compile(rf"(?:^\s*|\$\(|\| *|&& *|\bexec ){PROGRAMS} ", re.MULTILINE)
PYTHON = re.compile(rf"\(\[?\"{PROGRAMS}\",")
PATHS = {".sh": re.compile(r"^PATH=\$PATH:/usr/sbin", re.MULTILINE), ".py": re.compile(r"PATH\b.*/usr/sbin")}
# The hook runs in make-debian.sh's environment.
ELSEWHERE = ("tests/guest/distro_hook.sh",)


def main():
    result = Results("programs of sbin")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).iterdir()):
            name = str(path.relative_to(ROOT))
            pattern = {".sh": SHELL, ".py": PYTHON}.get(path.suffix)
            if not pattern or name in ELSEWHERE:
                continue
            text = path.read_text()
            if found := pattern.search(text):
                result(PATHS[path.suffix].search(text), f"{name} looks for {found[1]} in /usr/sbin")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
