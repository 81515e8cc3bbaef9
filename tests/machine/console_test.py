#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`socle run` on a terminal and off one: marks, colour, keys, Ctrl-A X, the line of progress, and the terminal as it was
afterwards. The machine is a stand-in (machine/host/tests/fake_qemu.c), the terminal one of the kernel's.

    console_test.py SOCLE FAKE_QEMU KEYS
"""

import os
import pathlib
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from firmware_input_test import firmware  # noqa: E402
from results import Results  # noqa: E402

LIMIT_S = 30
LEFT, POWEROFF = 8, 0


class Terminal:
    def __init__(self, words, folder):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(words, cwd=folder, stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE)
        self.text = b""

    def wait_for(self, words):
        """Whether the screen has these words within the limit, behind those that were waited for before."""
        end = time.monotonic() + LIMIT_S
        while words not in self.text and time.monotonic() < end:
            if select.select([self.master], [], [], 0.2)[0]:
                self.text += os.read(self.master, 4096)
        found, _, rest = self.text.partition(words)
        ok = len(found) < len(self.text)
        self.text = rest if ok else self.text
        return ok

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        """The exit status, what standard error has, and whether the terminal is as it was."""
        _, errors = self.process.communicate(timeout=LIMIT_S)
        same = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode, errors.decode(), same


def on_terminal(result, words, folder):
    t = Terminal(words, folder)
    result(t.wait_for(b"\x1b[36msvsm| \x1b[0mready\r\n"), "the SVSM's line is marked, in a colour", t.text)
    result(t.wait_for(b"\r\x1b[Knothing printed for 2 s, 5 exits of the guest"), "a line of progress", t.text)
    t.type(b"a\x03\x01\x01b")
    result(t.wait_for(b"\r\x1b[KA"), "it goes away for the guest's answer to a key", t.text)
    result(t.wait_for(b"\x03\x01B"), "  also to Ctrl-C and Ctrl-A", t.text)
    t.type(b"\x01x")
    status, errors, same = t.end()
    result(status == LEFT and errors == "socle: left by Ctrl-A X\n", "Ctrl-A X leaves", (status, errors))
    result(same, "  and the terminal is as it was")
    t = Terminal(words, folder)
    t.wait_for(b"ready")
    t.type(b"q")
    status, errors, same = t.end()
    result(status == POWEROFF and not errors and same, "so it is when the guest ends it", (status, errors, same))


def off_terminal(result, words, folder):
    run = subprocess.run([*words, "--timeout", "4"], cwd=folder, input="q\x01x", capture_output=True, text=True,
                         check=False)
    result("svsm| ready\n" in run.stdout, "the SVSM's line is marked in a file, too", run.stdout)
    result("\x1b" not in run.stdout and "nothing printed" not in run.stdout, "  without colour and progress", run.stdout)
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
