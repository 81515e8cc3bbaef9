# SPDX-License-Identifier: MIT
"""Results of checks by name, as TAP (https://testanything.org), and the line that scripts/check.py
counts."""


class Results:
    """Called with each result: results(ok, name, detail). what is the name of the whole test."""

    def __init__(self, what):
        self.what = what
        self.passed = self.failed = self.skipped = 0

    def __call__(self, ok, name, detail=""):
        if not isinstance(name, str):
            raise TypeError(f"the name of a result is {name!r}")
        self.passed += bool(ok)
        self.failed += not ok
        self._print(ok, name if ok or detail == "" else f"{name}: {detail}")
        return bool(ok)

    def skip(self, name, reason):
        self.skipped += 1
        self._print(True, f"{name} # SKIP {reason}")
        print(f"skipped {self.what}: {name}: {reason}")

    def _print(self, ok, text):
        number = self.passed + self.failed + self.skipped
        print(f"{'ok' if ok else 'not ok'} {number} - {' '.join(str(text).split())}", flush=True)

    def finish(self):
        """The exit status; no result at all is a failure."""
        print(f"1..{self.passed + self.failed + self.skipped}")
        print(f"{self.what}: {self.passed} passed, {self.failed} failed" +
              (f", {self.skipped} skipped" if self.skipped else ""))
        return 0 if self.passed and not self.failed else 1
