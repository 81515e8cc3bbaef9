#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is linked into the services' executable, by the linker's map (ld's -Map and --cref): archives of libcrypto,
libtpms, the C library and the compiler alone, and functions that stand in for zlib, zstd and brotli for libcrypto's
calls alone; no code for AVX-512.

    linked_test.py MAP
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

ARCHIVES = {"libcrypto", "libtpms", "libc", "libgcc", "libgcc_eh"}
STAND_IN = "no_compression.c.o"
COMPRESSION = re.compile(r"/libcrypto\.a\([^)]*\bc_(zlib|zstd|brotli)\.o\)$")


def foreign_archives(text):
    """Names of archives of which a member was included, apart from those that belong there."""
    return set(re.findall(r"^/\S*?([^/\s]+)\.a\(", text, re.MULTILINE)) - ARCHIVES


def avx512(text):
    """Members of libcrypto's that have code for AVX-512."""
    return re.findall(r"^/\S*/libcrypto\.a\((\S*(?:avx512|avxifma)\S*)\)", text, re.MULTILINE)


def references(text):
    """Each symbol of the map with its file, and the files that refer to it."""
    found = {}
    for line in text[text.index("\nCross Reference Table\n"):].splitlines():
        match = re.fullmatch(r"(\S+)?\s+(\S+)", line)
        if match and match[1]:
            users = found[match[1]] = (match[2], [])
        elif match and found:
            users[1].append(match[2])
    return found


def foreign_users(text):
    """(symbol, file) for each user of a stand-in that is no member of libcrypto's for compression."""
    return [(symbol, user) for symbol, (file, users) in references(text).items() if file.endswith(STAND_IN)
            for user in users if not COMPRESSION.search(user)]


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    result = Results("services linked")
    result(re.search(r"^/\S*/libcrypto\.a\(", text, re.MULTILINE), "libcrypto's archive is linked in")
    result(not foreign_archives(text), "no other archive is", " ".join(sorted(foreign_archives(text))))
    result(any(file.endswith(STAND_IN) for file, _ in references(text).values()), "stand-ins are in the map")
    result(not foreign_users(text), "libcrypto's compression alone uses them", str(foreign_users(text)))
    result(not avx512(text), "none of its code for AVX-512 is", " ".join(avx512(text)))

    result(foreign_archives(f"/usr/lib/libzstd.a(zstd_common.o)\n{text}") == {"libzstd"}, "one of zstd would be seen")
    result(avx512(f"/usr/lib/libcrypto.a(rsaz-2k-avx512.o)\n{text}") == ["rsaz-2k-avx512.o"], "that would be seen")
    user = "/usr/lib/libtpms.a(NVMarshal.o)"
    result(foreign_users(re.sub(rf"^(deflate +\S*{STAND_IN})$", rf"\1\n {user}", text, flags=re.MULTILINE)) ==
           [("deflate", user)], "another user would be seen")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
