#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether check_order.py sees what it is for, in a small monitor that has one fault at a time.

    check_order_test.py CC [ARG...]     the compiler for its objects
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import check_order  # noqa: E402

TABLE = check_order.HEADING + """
| `monitor/` | what is in it | who includes its headers |
|---|---|---|
| `base` | what all use | all |
| `arch/arch.h` | hooks | all |
| `mem` | pages | all |
| `arch/hw` | hooks, by instructions | `arch/hw` |
| `arch/model` | hooks, for tests | tests |
| `boot` | the start | all |

## Another section

| `base/not` | a table that says nothing | all |
"""

# All that is exempt, and nothing that is wrong.
SOUND = {
    "base/die.h": "extern void (*const die_hooks)(void);\nvoid die(void);\n",
    "base/die.c": '#include "monitor/base/die.h"\nvoid die(void) { die_hooks(); }\n',
    "arch/arch.h": '#include "monitor/base/die.h"\nint arch_flush(void);\n',
    "mem/page.h": "int page_take(void);\n",
    "mem/page.c": '#include "monitor/arch/arch.h"\n#include "monitor/mem/page.h"\n'
                  "int seen;\nint page_take(void) { return arch_flush(); }\n",
    "mem/tests/page_test.c": '#include "monitor/boot/boot.h"\n',
    "mem/tests/fake.h": "",
    "mem/layout.h": "",
    "arch/hw/port.h": "int port_open(void);\n",
    "arch/hw/hw.c": '#include "monitor/arch/arch.h"\n#include "monitor/arch/hw/port.h"\n'
                    "int port_open(void) { return 1; }\n"
                    "int arch_flush(void) { return port_open(); }\n",
    "arch/model/model.h": "",
    "arch/model/model.c": '#include "monitor/arch/arch.h"\nint arch_flush(void) { return 0; }\n',
    "boot/boot.h": "int boot_begin(void);\n",
    "boot/boot.c": '#include "monitor/boot/boot.h"\n#include "monitor/mem/page.h"\n'
                   "void (*const die_hooks)(void) = (void (*)(void))page_take;\n"
                   "int boot_begin(void) { return page_take(); }\n",
}

# What is wrong, the file and what is added to it, and what is said.
FAULTS = (
    ("an upward include",
     "mem/page.c", '#include "monitor/boot/boot.h"\n',
     "mem/page.c includes boot/boot.h: boot stands above mem"),
    ("one of a header",
     "base/die.h", '#include "monitor/arch/arch.h"\n',
     "base/die.h includes arch/arch.h: arch/arch.h stands above base"),
    ("one of assembly",
     "base/low.S", '#include "monitor/mem/layout.h"\n',
     "base/low.S includes mem/layout.h: mem stands above base"),
    ("a header that is not for all",
     "boot/boot.c", '#include "monitor/arch/hw/port.h"\n',
     "boot/boot.c includes arch/hw/port.h: arch/hw is for arch/hw only"),
    ("the model",
     "boot/boot.c", '#include "monitor/arch/model/model.h"\n',
     "boot/boot.c includes arch/model/model.h: arch/model is for tests only"),
    ("a header of tests",
     "mem/page.c", '#include "monitor/mem/tests/fake.h"\n',
     "mem/page.c includes mem/tests/fake.h: that is for tests"),
    ("a folder that the table has not",
     "attic/old.c", "",
     "attic/old.c: no row of the table has it"),
    ("an upward symbol",
     "mem/page.c", "int boot_begin(void);\nint up(void) { return boot_begin(); }\n",
     "mem/page.c uses boot_begin: boot stands above mem"),
    ("one of data",
     "base/die.c", "extern int seen;\nint *up(void) { return &seen; }\n",
     "base/die.c uses seen: mem stands above base"),
    ("one that arch.h does not declare",
     "mem/page.c", "int port_open(void);\nint up(void) { return port_open(); }\n",
     "mem/page.c uses port_open: arch/hw stands above mem"),
)

def write(root, files):
    for name, text in files.items():
        path = root / "monitor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n" + text if path.suffix == ".h" else text)
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "architecture.md").write_text(TABLE)


def build(compiler, root):
    objects = root / "objects"
    objects.mkdir(exist_ok=True)
    for path in (root / "monitor").rglob("*.[cS]"):
        name = str(path.relative_to(root / "monitor")).replace("/", "_") + ".o"
        if "tests" not in path.parts:
            subprocess.run([*compiler, "-I", root, "-c", "-o", objects / name, path], check=True)
    return objects


def faults_of(compiler, files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files)
        return check_order.check(root, build(compiler, root))


def main():
    compiler = sys.argv[1:]
    assert not faults_of(compiler, SOUND), faults_of(compiler, SOUND)
    for what, name, added, said in FAULTS:
        found = faults_of(compiler, {**SOUND, name: added + SOUND.get(name, "")})
        assert found == [said], f"{what}: {found}"
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), SOUND)
        found = check_order.check(Path(folder), Path(folder))
        assert len(found) == 4 and all(line.endswith("is not there") for line in found), found
    print(f"check_order.py: {len(FAULTS) + 2} cases")


if __name__ == "__main__":
    main()
