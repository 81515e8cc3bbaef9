#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the folders of a room keep their order: each uses only what stands before it.

    layers_test.py ROOM OBJECTS...
    layers_test.py --arrows
    layers_test.py --documents
    layers_test.py --self

ROOM is one of ROOMS below, OBJECTS the folders with the objects of its programs. An upward include, and
an upward symbol (by nm), is a failure. --arrows looks whether the rooms include only what they may, --documents whether
their documents have the same orders. --self looks whether the check sees what it should.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# From the lowest up. A layer is a folder or a header of the room. Those of one line may not use
# each other. A header stands for what it declares, wherever that is defined. What has to call
# upward does so through a table of hooks, and a line "hooks" names those. The headers of a "private"
# layer are for itself and for those behind "to". What lies in a folder tests is exempt: it may use and
# replace what it likes, and nothing else may include it. A room keeps all its orders.
ROOMS = {
    "core": ("""
        base
        snp
        image
        tpm
        evidence
    """, """
        base
        snp
        image
        tpm
        evidence
        base/host
        image/host
        tpm/host
        evidence/host
    """),
    "monitor": """
        base
        arch/arch.h
        lock
        log
        mem
        cpu
        ghcb
        arch/hw, arch/model
        trap
        vcpu
        apic
        service
        protocol
        run
        boot
        hooks die_hooks
        private ghcb to arch/hw
        private arch/hw
        private arch/model
    """,
    "machine/hv": """
        base
        memory
        plane
        event
        device
        vmgexit
        insn
        run
    """,
}

# Which of them have a table of their first order.
DOCUMENTS = {"core": "docs/architecture.md", "monitor": "docs/architecture.md", "machine/hv": "docs/machine.md"}

# What the includes of a room may begin with, besides its own name.
ARROWS = {
    "abi": (),
    "core": ("abi/",),
    "monitor": ("abi/", "core/"),
    "services": ("abi/", "core/"),
    "machine/hv": ("abi/", "core/", "machine/layout.h", "machine/mailbox.h"),
    "machine/host": ("abi/", "core/", "machine/layout.h", "machine/mailbox.h"),
    "tools": ("abi/", "core/", "machine/host/", "machine/mailbox.h", "services/"),
    # The library stands for itself, and the command knows no more of it than others do.
    "tools/libverify": ("abi/", "core/"),
    "tools/verify": ("core/base/", "core/evidence/limits.h", "tools/cmd.h", "tools/policy_options.h",
                     "tools/libverify/socle-verify.h"),
    "tools/cmd_verify.c": ("tools/cmd.h", "tools/options.h", "tools/verify/"),
    "tools/http": ("core/base/", "tools/load_library.h"),
    "tools/verify_serve": ("core/base/", "tools/cmd.h", "tools/http/client.h", "tools/load_library.h",
                           "tools/verify/ear.h", "tools/libverify/socle-verify.h"),
    "tools/cmd_verify_serve.c": ("core/base/", "tools/cmd.h", "tools/options.h", "tools/verify/",
                                 "tools/verify_serve/"),
    "tools/cmd_policy.c": ("tools/cmd.h", "tools/options.h", "tools/policy_predict.h", "tools/verify/"),
    "guest/module": ("abi/",),
    "guest/agent": ("abi/", "core/"),
    "bench": ("abi/", "core/", "services/", "tools/libverify/socle-verify.h"),
}
# They have no hosted world, and so nothing of a folder host/.
FREESTANDING = ("monitor", "machine/hv", "guest/module")

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def orders(name):
    return ROOMS[name] if isinstance(ROOMS[name], tuple) else (ROOMS[name],)


class Room:
    def __init__(self, root, name, order):
        self.root, self.name = root, name
        lines = [line.replace(",", " ").split() for line in order.split("\n") if line.strip()]
        self.hooks = {name for line in lines if line[0] == "hooks" for name in line[1:]}
        self.private = {line[1]: line[3:] for line in lines if line[0] == "private"}
        self.rank = {layer: i for i, line in enumerate(lines) for layer in line
                     if line[0] not in ("hooks", "private")}
        self.sources = [path for path in sorted((root / name).rglob("*"))
                        if path.suffix in (".c", ".h", ".S") and "tests" not in path.parts]

    def layer(self, path):
        """The layer of a file of the room, None when it has no place in the order."""
        inside = Path(path).relative_to(self.name)
        names = [str(inside)] + [str(parent) for parent in inside.parents]
        return next((name for name in names if name in self.rank), None)

    def closed(self, user, used):
        return user != used and user not in self.private.get(used, [user])

    def up(self, user, used):
        return user != used and self.rank[user] <= self.rank[used]

    def misplaced(self):
        for path in self.sources:
            name = path.relative_to(self.root)
            if self.layer(name) is None:
                yield f"{name}: stands in no folder of the order"

    def includes(self):
        for path in self.sources:
            name = path.relative_to(self.root)
            for other in INCLUDE.findall(path.read_text()):
                if not other.startswith(self.name + "/"):
                    continue
                user, used = self.layer(name), self.layer(other)
                bad = user and used and (self.up(user, used) or self.closed(user, used))
                if bad or "tests" in Path(other).parts:
                    yield f"{name}: includes {other}"

    def declared(self):
        """Words of the headers that are layers, with their layer."""
        for layer in self.rank:
            if layer.endswith(".h"):
                text = (self.root / self.name / layer).read_text()
                yield from ((word, layer) for word in re.findall(r"\w+", text))

    def objects(self, folders):
        """Objects with their layers, by the names that Meson gives them."""
        for path in self.sources:
            inside = str(path.relative_to(self.root / self.name))
            for found in (Path(folder) / (inside.replace("/", "_") + ".o") for folder in folders):
                if found.exists():
                    yield found, self.layer(path.relative_to(self.root)), inside

    def symbols(self, *folders):
        defined, used = {}, []
        for found, layer, name in self.objects(folders):
            output = subprocess.run(["nm", "-g", found], check=True, capture_output=True, text=True)
            for line in output.stdout.splitlines():
                kind, symbol = line.split()[-2:]
                if kind == "U":
                    used.append((layer, name, symbol))
                elif layer:
                    defined[symbol] = layer
        if not defined:
            yield f"{' '.join(map(str, folders))}: no objects"
        defined.update((word, layer) for word, layer in self.declared() if word in defined)
        for layer, name, symbol in used:
            if symbol not in self.hooks and layer and self.up(layer, defined.get(symbol, layer)):
                yield f"{self.name}/{name}: uses {symbol} of {defined[symbol]}"


def arrows(root, allowed):
    for room, may in allowed.items():
        for path in sorted((root / room).rglob("*.[chS]")) or [root / room]:
            name = path.relative_to(root)
            for other in INCLUDE.findall(path.read_text()) if "tests" not in path.parts else ():
                if "/" in other and not other.startswith((room + "/", *may)) or \
                        "/host/" in other and room in FREESTANDING:
                    yield f"{name}: includes {other}"


def tables(text):
    """The cells of the tables of a document, without the heads: rows of each."""
    found = re.findall(r"^(?:\|.*\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
            for table in found]


def documented(text, room):
    """What a document says of a room's order that is not so: in a table of the layers, and, if it has
    a third column, of who includes their headers."""
    order = [f"`{layer}`" for layer in room.rank]
    said = [table for table in tables(text) if [row[0].replace("/`", "`") for row in table] == order]
    if len(said) != 1:
        yield f"{len(said)} tables of a document have the order of {room.name}"
    for layer, _, *users in said[0] if said else ():
        allowed = room.private.get(layer.strip("`/"))
        if users and (users == ["all"] if allowed is not None else users != ["all"]) or \
                users and allowed and users != [", ".join(f"`{user}`" for user in allowed)]:
            yield f"{room.name}: {layer} is not for {users[0]}"


def made_up(folder, order):
    """The complaints about a room of two files, of which the lower uses the upper one."""
    root = Path(folder)
    for name, text in {"low/a.c": '#include "room/high/b.h"\nint a(void)\n{\n\treturn b();\n}\n',
                       "high/b.c": "int b(void)\n{\n\treturn 1;\n}\n",
                       "high/b.h": "int b(void);\n"}.items():
        (root / "room" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "room" / name).write_text(text)
    for name in ("low/a.c", "high/b.c"):
        subprocess.run(["cc", "-w", "-I", root, "-c", root / "room" / name, "-o",
                        root / (name.replace("/", "_") + ".o")], check=True)
    room = Room(root, "room", order)
    return [len(list(found)) for found in (room.misplaced(), room.includes(), room.symbols(root))]


def look_at_self():
    failed = 0
    cases = {"low\nhigh": [0, 1, 1], "high\nlow": [0, 0, 0], "low high": [0, 1, 1],
             "low": [2, 0, 0], "high/b.h\nlow\nhigh": [0, 0, 0], "low\nhigh\nhooks b": [0, 1, 0],
             "high\nlow\nprivate high": [0, 1, 0], "high\nlow\nprivate high to low": [0, 0, 0],
             "high\nlow\nprivate low": [0, 0, 0]}
    for order, wanted in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            if made_up(folder, order) != wanted:
                print(f"order {order.split()}: {made_up(folder, order)}, not {wanted}")
                failed += 1
            wrong = [len(list(arrows(Path(folder), {"room/low": may}))) for may in ((), ("room/high/",))]
            if wrong != [1, 0]:
                print(f"arrows: {wrong}")
                failed += 1
    room = Room(ROOT, "tests", "low\nhigh\nprivate low to high")
    low, high, open_low = "|`low/`|a|`high`|\n", "|`high/`|b|all|\n", "|`low/`|a|all|\n"
    for rows, wanted in ((low + high, 0), (open_low + high, 1), (high + low, 1), (low, 1), ("", 1)):
        found = list(documented(f"|name|what|who|\n|---|---|---|\n{rows}\n", room))
        if len(found) != wanted:
            print(f"documents: {found} for {rows!r}")
            failed += 1
    print(f"layers: {len(cases) + 5 - failed} passed, {failed} failed")
    return failed


def main():
    if sys.argv[1:] == ["--self"]:
        return look_at_self()
    if sys.argv[1:] == ["--arrows"]:
        complaints = list(arrows(ROOT, ARROWS))
    elif sys.argv[1:] == ["--documents"]:
        complaints = [line for name, document in DOCUMENTS.items()
                      for line in documented((ROOT / document).read_text(), Room(ROOT, name, orders(name)[0]))]
    else:
        name, *objects = sys.argv[1:]
        rooms = [Room(ROOT, name, order) for order in orders(name)]
        complaints = [line for room in rooms for line in (*room.misplaced(), *room.includes(),
                                                          *room.symbols(*objects))]
    print("\n".join(complaints))
    print(f"layers: {0 if complaints else 1} passed, {len(complaints)} failed")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
