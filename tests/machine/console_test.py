#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle run` on a terminal and off one: marks, colour, keys, Ctrl-A X, the line of progress, and the terminal as it
was afterwards. The machine is a stand-in (machine/host/tests/fake_qemu.c), the terminal one of the kernel's.

    console_test.py SOCLE FAKE_QEMU KEYS
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "scripts")]
from firmware_input_test import firmware  # noqa: E402
from results import Results  # noqa: E402
from terminal import Terminal  # noqa: E402

LIMIT_S = 30
LEFT, POWEROFF = 8, 0


class Screen(Terminal):
    def sees(self, words):
        return self.wait_for(words, LIMIT_S) is not None


def on_terminal(result, words, folder):
    t = Screen(words, folder)
    result(t.sees(b"\x1b[36msvsm| \x1b[0mready\r\n"), "the SVSM's line is marked, in a colour", t.text)
    result(t.sees(b"\r\x1b[Knothing printed for 2 s, 5 exits of the guest"), "a line of progress", t.text)
    t.type(b"a\x03\x01\x01b")
    result(t.sees(b"\r\x1b[KA"), "it goes away for the guest's answer to a key", t.text)
    result(t.sees(b"\x03\x01B"), "  also to Ctrl-C and Ctrl-A", t.text)
    t.type(b"\x01x")
    status, errors, same = t.end(LIMIT_S)
    result(status == LEFT and errors == "socle: left by Ctrl-A X\n", "Ctrl-A X leaves", (status, errors))
    result(same, "  and the terminal is as it was")
    t = Screen(words, folder)
    t.sees(b"ready")
    t.type(b"q")
    status, errors, same = t.end(LIMIT_S)
    result(status == POWEROFF and not errors and same, "so it is when the guest ends it", (status, errors, same))


def off_terminal(result, words, folder):
    run = subprocess.run([*words, "--timeout", "4"], cwd=folder, input="q\x01x", capture_output=True, text=True,
                         check=False)
    result("svsm| ready\n" in run.stdout, "the SVSM's line is marked in a file, too", run.stdout)
    result("\x1b" not in run.stdout and "nothing printed" not in run.stdout, "  without colour and progress",
           run.stdout)
    result(run.returncode == 6, "  and standard input is left alone", (run.returncode, run.stderr))
    run = subprocess.run([*words, "--timeout", "1", "--quiet"], cwd=folder, capture_output=True, text=True, check=False)
    result(not run.stdout, "nothing with --quiet", run.stdout)


def main():
    socle, fake, keys = (str(pathlib.Path(word).resolve()) for word in sys.argv[1:4])
    result = Results("console")
    with tempfile.TemporaryDirectory(prefix="socle-console-") as name:
        folder = pathlib.Path(name)
        (folder / "good.fd").write_bytes(firmware())
        (folder / "keys").write_bytes(b"")  # the stand-in plays what the hypervisor is called
        words = [socle, "run", "--firmware", "good.fd", "--memory", "64M", "--qemu", fake, "--hv", "keys",
                 "--report-key-dir", keys]
        on_terminal(result, words, folder)
        off_terminal(result, words, folder)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
