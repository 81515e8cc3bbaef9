#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is linked into the services' executable, by the linker's map (ld's -Map and --cref): archives of libcrypto,
libtpms, the C library and the compiler alone, and functions that stand in for zlib, zstd and brotli for libcrypto's
calls alone; no member that is for AVX-512 alone, no resolver, and no loader of libraries for libcrypto or libtpms.

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
CLOSED = "closed.c.o"
LOADER = re.compile(r"/lib(c|dl)\.a\(dlopen\.o\)$")
COMPRESSION = re.compile(r"/libcrypto\.a\([^)]*\bc_(zlib|zstd|brotli)\.o\)$")


def foreign_archives(text):
    """Names of archives of which a member was included, apart from those that belong there."""
    return set(re.findall(r"^/\S*?([^/\s]+)\.a\(", text, re.MULTILINE)) - ARCHIVES


def avx512(text):
    """Members of libcrypto's that are for AVX-512 alone. Others, as ChaCha20's, have a path for it."""
    return re.findall(r"^/\S*/libcrypto\.a\((\S*(?:avx512|avxifma)\S*)\)", text, re.MULTILINE)


def resolver(text):
    """Members of the C library's that look for hosts by name."""
    return re.findall(r"^/\S*/libc\.a\(((?:getaddrinfo|getnameinfo|gethstby\w*)\.o)\)", text, re.MULTILINE)


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


def loads(text):
    """(symbol, file) for each use of dlopen() outside the C library, which has it for its own."""
    return [(symbol, user) for symbol, (file, users) in references(text).items() if LOADER.search(file)
            for user in users if "/libc.a(" not in user]


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    result = Results("services linked")
    result(re.search(r"^/\S*/libcrypto\.a\(", text, re.MULTILINE), "libcrypto's archive is linked in")
    result(not foreign_archives(text), "no other archive is", " ".join(sorted(foreign_archives(text))))
    result(any(file.endswith(STAND_IN) for file, _ in references(text).values()), "stand-ins are in the map")
    result(not foreign_users(text), "libcrypto's compression alone uses them", str(foreign_users(text)))
    result(not avx512(text), "no member of it is that is for AVX-512 alone", " ".join(avx512(text)))
    result(any(file.endswith(CLOSED) for file, _ in references(text).values()), "refusals are in the map")
    result(not resolver(text), "no resolver is linked in", " ".join(resolver(text)))
    result(not loads(text), "nothing but the C library loads libraries", str(loads(text)))

    result(foreign_archives(f"/usr/lib/libzstd.a(zstd_common.o)\n{text}") == {"libzstd"}, "one of zstd would be seen")
    result(avx512(f"/usr/lib/libcrypto.a(rsaz-2k-avx512.o)\n{text}") == ["rsaz-2k-avx512.o"], "that would be seen")
    result(resolver(f"/usr/lib/libc.a(gethstbynm.o)\n{text}") == ["gethstbynm.o"], "a resolver would be seen")
    user = "/usr/lib/libcrypto.a(libcrypto-lib-dso_dlfcn.o)"
    result(loads(f"{text}\ndlopen   /usr/lib/libc.a(dlopen.o)\n         {user}\n") == [("dlopen", user)],
           "a user of dlopen() would be seen")
    user = "/usr/lib/libtpms.a(NVMarshal.o)"
    result(foreign_users(re.sub(rf"^(deflate +\S*{STAND_IN})$", rf"\1\n {user}", text, flags=re.MULTILINE)) ==
           [("deflate", user)], "another user would be seen")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
