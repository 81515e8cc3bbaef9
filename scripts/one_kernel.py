# SPDX-License-Identifier: MIT
"""A Debian that make-debian.sh made, and the kernel with headers that fetch-kernel.sh --suite left: of one kernel."""


class Differ(Exception):
    """They are of two kernels, also when made anew."""


def version_of(folder):
    return (folder / "version").read_text().strip()


def agree(headers, system, fetch_headers, make_system):
    """Both folders are there; the one that was made on an earlier day is of an older kernel, and is made anew."""
    for older, again in ((headers, fetch_headers), (system, make_system)):
        if version_of(system) != version_of(headers):
            (older / "version").unlink()
            again()
    if version_of(system) != version_of(headers):
        raise Differ(f"its kernel is {version_of(system)}, and the headers are of {version_of(headers)}")
