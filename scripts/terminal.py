# SPDX-License-Identifier: MIT
"""A program on a terminal of its own: what it prints is waited for, and keys are typed."""

import os
import pty
import select
import subprocess
import termios
import time


class Terminal:
    """words: the command. show: takes bytes as they are printed; None: nobody does. all: whatever was printed."""

    def __init__(self, words, folder=None, show=None):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([str(word) for word in words], cwd=folder, stdin=self.slave, stdout=self.slave,
                                        stderr=subprocess.PIPE)
        self.show, self.all, self.text = show, b"", b""

    def read(self, seconds):
        """Whether something was printed within so long."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        data = os.read(self.master, 65536)
        if self.show:
            self.show(data)
        self.all += data
        self.text += data
        return bool(data)

    def wait_for(self, words, seconds):
        """What was printed before these words, behind those that were waited for before; None: they did not come."""
        end = time.monotonic() + seconds
        while words not in self.text and time.monotonic() < end:
            if not self.read(0.2) and self.process.poll() is not None:
                break
        if words not in self.text:
            return None
        found, _, self.text = self.text.partition(words)
        return found

    def type(self, keys):
        os.write(self.master, keys)

    def end(self, seconds):
        """The exit status, what standard error has, and whether the terminal is as it was. A program that is still
        there after so long is killed."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < limit:
            self.read(0.2)
        if self.process.poll() is None:
            self.process.kill()
        while self.read(0):
            pass
        _, errors = self.process.communicate()
        same = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode, errors.decode(errors="replace"), same
