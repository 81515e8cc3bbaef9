#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks whether each part of the monitor uses only those that stand before it.

    check_order.py MONITOR.ELF

The order is the table in docs/architecture.md, and nowhere else. Includes are read in the sources,
symbols by nm in the objects that MONITOR.ELF was linked from. Exempt are

    tests       what lies in a folder of that name may include and replace what it likes
    arch.h      what it declares counts as its own, wherever it is defined
    die_hooks   the one table of calls to parts above, which base/die.h declares
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = "## The order of the monitor\n"
ROW = re.compile(r"^\| `([\w/.]+)` \|.*\| ([^|]*) \|$", re.MULTILINE)
INCLUDE = re.compile(r'^#include "monitor/([^"]+)"', re.MULTILINE)
INTERFACE = "arch/arch.h"
HOOKS = "die_hooks"


class Order:
    """Parts by name: their place, and who may include their headers (None: all that come later)."""

    def __init__(self, text):
        rows = ROW.findall(text.partition(HEADING)[2].partition("\n## ")[0])
        self.place = {name: place for place, (name, _) in enumerate(rows)}
        self.users = {name: None if users == "all" else set(re.findall("`([^`]+)`", users))
                      for name, users in rows}

    def part_of(self, path):
        found = [name for name in self.place if path == name or path.startswith(name + "/")]
        return max(found, key=len, default=None)

    def fault(self, user, used):
        """Why a part may not use another one; None when it may."""
        if self.place[used] > self.place[user]:
            return f"{used} stands above {user}"
        users = self.users[used]
        if user != used and users is not None and user not in users:
            return f"{used} is for {' and '.join(sorted(users)) or 'tests'} only"
        return None


def sources(monitor):
    return sorted(path for path in monitor.rglob("*")
                  if path.suffix in (".c", ".h", ".S") and "tests" not in path.parts)


def check_includes(order, monitor):
    for path in sources(monitor):
        name = str(path.relative_to(monitor))
        part = order.part_of(name)
        if not part:
            yield f"{name}: no row of the table has it"
            continue
        for header in INCLUDE.findall(path.read_text()):
            used = order.part_of(header)
            why = f"no row of the table has {header}" if not used else order.fault(part, used)
            if "tests" in Path(header).parts:
                why = "that is for tests"
            if why:
                yield f"{name} includes {header}: {why}"


def symbols(path):
    """Names that an object defines for others, and those that it wants of others."""
    text = subprocess.run(["nm", "--format=posix", path], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    rows = [line.split()[:2] for line in text.splitlines()]
    return ({name for name, kind in rows if kind.isupper() and kind != "U"},
            {name for name, kind in rows if kind == "U"})


def check_symbols(order, monitor, folder):
    declared = set(re.findall(r"\b(arch_\w+)\(", (monitor / INTERFACE).read_text()))
    home, wanted = {HOOKS: None}, []
    for path in sources(monitor):
        name = str(path.relative_to(monitor))
        part = order.part_of(name)
        if path.suffix == ".h" or not part or order.users[part] == set():
            continue
        built = folder / (name.replace("/", "_") + ".o")
        if not built.is_file():
            yield f"{name}: {built} is not there"
            continue
        defined, undefined = symbols(built)
        for symbol in defined - {HOOKS}:
            home[symbol] = INTERFACE if symbol in declared else part
        wanted += [(name, part, symbol) for symbol in sorted(undefined)]
    for name, part, symbol in wanted:
        used = home.get(symbol)
        if used and order.place[used] > order.place[part]:
            yield f"{name} uses {symbol}: {used} stands above {part}"


def check(root, objects):
    order = Order((root / "docs" / "architecture.md").read_text())
    monitor = root / "monitor"
    return [*check_includes(order, monitor), *check_symbols(order, monitor, objects)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    faults = check(ROOT, Path(sys.argv[1] + ".p"))
    for fault in faults:
        print(fault)
    print(f"order of the monitor: {len(faults)} faults in {len(sources(ROOT / 'monitor'))} files")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
