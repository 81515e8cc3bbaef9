#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What libsocle-verify promises to those who link it: the symbols of socle-verify.map, declared in the
header, with their versions, and no others; nothing of libc that reads, writes, ends or asks; one name
in whatever names it; values of enums that stay; and a program that is compiled by pkg-config against what
was installed.

    library_test.py BUILD
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

FOLDER = ROOT / "tools/libverify"
results = Results("libsocle-verify")
# The interface's number. Another one is a package and a name of its own, for the values below may have changed.
SONAME, PACKAGE = "libsocle-verify.so.1", "libsocle-verify1"

# All that it may have of libc: memory, text in memory, and the clock.
LIBC = {"__cxa_finalize", "calloc", "free", "malloc", "memchr", "memcmp", "bcmp", "memcpy", "memmove", "memset",
        "realloc", "snprintf", "strchr", "strcmp", "strcspn", "strlen", "strncmp", "strnlen", "strtol",
        "__isoc23_strtol",  # what newer headers call it
        "time", "timegm", "vsnprintf", "__stack_chk_fail", "__snprintf_chk", "__vsnprintf_chk",
        "__memcpy_chk"}

# Of the interface 1, for ever.
VALUES = {"SOCLE_REPORT": 1, "SOCLE_CERT_TABLE": 2, "SOCLE_CERT_ARK": 3, "SOCLE_CERT_ISSUER": 4,
          "SOCLE_CERT_SIGNER": 5, "SOCLE_MANIFEST": 6, "SOCLE_SELECTOR": 7, "SOCLE_CONTEXT": 8,
          "SOCLE_EK": 9, "SOCLE_AK": 10, "SOCLE_ANSWER": 11, "SOCLE_QUOTE": 12,
          "SOCLE_QUOTE_SIGNATURE": 13, "SOCLE_QUOTE_PCRS": 14, "SOCLE_EK_CERTIFICATE": 15, "SOCLE_EVENT_LOG": 16,
          "SOCLE_OWN_NONCE": 64, "SOCLE_OWN_CHALLENGE": 65, "SOCLE_OWN_ROOT": 66, "SOCLE_OWN_CA": 67,
          "SOCLE_TRUSTED": 0, "SOCLE_REFUSED_CHAIN": 2, "SOCLE_REFUSED_REPORT": 3,
          "SOCLE_REFUSED_MEASUREMENT": 4, "SOCLE_REFUSED_BINDING": 5, "SOCLE_REFUSED_QUOTE": 6,
          "SOCLE_REFUSED_BOOT": 7, "SOCLE_PROVED": 1, "SOCLE_NAMED": 2, "SOCLE_CLAIMED": 3,
          "SOCLE_ERROR_SIZE": 512}

PROGRAM = r"""
#include <socle-verify.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	static const char json[] = "{\"format\": 1, \"look_at\": \"report\", \"vmlp\": 0}";
	char error[SOCLE_ERROR_SIZE] = "";
	struct socle_policy *policy = socle_policy_read(json, strlen(json), error);

	printf("%s %s\n", socle_verify_version(), policy ? "read" : error);
	socle_policy_free(policy);
	return 0;
}
"""


def text_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def check_symbols(library):
    stated = set(re.findall(r"^\s(socle_\w+);$", (FOLDER / "socle-verify.map").read_text(), re.M))
    code = re.sub(r"/\*.*?\*/", "", (FOLDER / "socle-verify.h").read_text(), flags=re.S)
    declared = set(re.findall(r"\b(socle_\w+)\(", code))
    results(stated and stated == declared, "the header declares what the map states", stated ^ declared)
    defined = {line.split()[-1] for line in text_of("nm", "-D", "--defined-only", library).splitlines()}
    wanted = {f"{name}@@SOCLE_VERIFY_0.1" for name in stated} | {"SOCLE_VERIFY_0.1"}
    results(defined == wanted, "the library has these, with their versions", defined ^ wanted)
    used = [line.split()[-1] for line in text_of("nm", "-D", "--undefined-only", library).splitlines()]
    libc = {name.split("@")[0] for name in used if "@GLIBC" in name}
    results(libc and libc <= LIBC, "it asks libc for memory, text and the time alone", libc - LIBC)
    results("TEXTREL" not in text_of("readelf", "-d", library), "it can stand anywhere")
    results("NODELETE" in text_of("readelf", "-d", library), "it stays, since OpenSSL has a function of it to call")


def check_name(library):
    """Debian's policy, 8.1: the package has the library's name, with the number of its SONAME."""
    said = text_of("readelf", "-d", library)
    results(f"[{SONAME}]" in said and library.resolve().name == SONAME, f"it is {SONAME}", said)
    control = (ROOT / "debian/control").read_text()
    named = set(re.findall(r"\blibsocle-verify\d+", control))
    results(f"\nPackage: {PACKAGE}\n" in control and named == {PACKAGE}, f"its package is {PACKAGE}", named)
    symbols = (ROOT / f"debian/{PACKAGE}.symbols").read_text()
    results(symbols.startswith(f"{SONAME} {PACKAGE} "), "whose symbols are the library's", symbols)
    for path in (FOLDER / "socle-verify.h", ROOT / "bindings/python/socle_verify.py"):
        named = set(re.findall(r"libsocle-verify\.so\.\d+", path.read_text()))
        results(named == {SONAME}, f"{path.name} names no other", named)


def check_values(work):
    lines = [f'_Static_assert({name} == {value}, "{name}");' for name, value in VALUES.items()]
    source = work / "values.c"
    source.write_text('#include <socle-verify.h>\n' + "\n".join(lines) + "\n")
    run = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", FOLDER,
                          "-fsyntax-only", source], capture_output=True, text=True, check=False)
    results(run.returncode == 0, "the numbers of the interface stay", run.stderr)


def check_installed(build, work):
    root = work / "root"
    subprocess.run([ROOT / "scripts/install.sh", "install", build], check=True, capture_output=True,
                   env=dict(os.environ, DESTDIR=str(root), PREFIX="/opt/so"))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "socle-verify"], capture_output=True,
                           text=True, check=False, env=dict(
                               os.environ, PKG_CONFIG_PATH=str(root / "opt/so/lib/pkgconfig"),
                               PKG_CONFIG_SYSROOT_DIR=str(root)))
    results(flags.returncode == 0, "pkg-config knows it", flags.stderr)
    (work / "user.c").write_text(PROGRAM)
    made = subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o",
                           work / "user", work / "user.c", *flags.stdout.split()],
                          capture_output=True, text=True, check=False)
    results(made.returncode == 0, "a program is compiled against what was installed", made.stderr)
    run = subprocess.run([work / "user"], capture_output=True, text=True, check=False, env=dict(
        os.environ, LD_LIBRARY_PATH=str(root / "opt/so/lib")))
    results((run.returncode, run.stdout, run.stderr) == (0, "0.1.0 vmlp: there is no such field\n", ""),
            "and runs with it", f"{run.stdout}{run.stderr}")


def main():
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        check_symbols(build / "tools/libsocle-verify.so")
        check_name(build / "tools/libsocle-verify.so")
        check_values(work)
        check_installed(build, work)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
