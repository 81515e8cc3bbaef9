#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every option of every command of `socle`, by the tables that it is read by: what is wrong with an
option gives one line that names it, exit status 1, and nothing else; --help says all of the table.

    options_test.py SOCLE
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402

OPTIONS_MAX = 64  # tools/options.h
POINTER = 8
NUMBERS = ("number", "size", "address")
WIDTHS = {"flag": (1,), "set": (1, 2, 4, 8), "choice": (1, 2, 4, 8),
          **{kind: (1, 2, 4, 8) for kind in NUMBERS},
          **{kind: (POINTER,) for kind in ("text", "file", "folder", "socket")}}
# A value that is taken, by what stands for it in the help.
SAMPLES = {"HEX": "00" * 48, "TIME": "2025-01-01", "BANK:N=HEX": "sha256:1=" + "00" * 32,
           "FMC,BOOTLOADER,TEE,SNP,MICROCODE": "0,0,0,0,0", "FILE": "/nowhere", "DIR": "/nowhere",
           "NAME": "name", "id:HEX": "id:00000000", "TEXT": "text", "SEED": "1",
           "NAME=PATH": "name=/nowhere", "NAME=TEXT": "name=text", "FEATURE": "smap",
           "URL": "http://127.0.0.1:1", "ADDRESS:PORT": "127.0.0.1:0",
           "PRODUCT": "Milan", "NAME[=WHEN]": "timer-lose", "LIST": "startup-clear",
           "HOST": "kvm", "47": "47", "1": "1", "PATH": "/dev/sev"}
BYTES = {"id-block": 96, "id-auth": 4096, "host-data": 32, "guest-visible-workarounds": 16}  # of BASE64
ANY = ("FILE", "DIR", "FILE[,WHAT=...]")  # of those, what may be called anything
STATUS_MISUSE = 1
# Words for one thing: of each two, the second is refused.
EXCLUSIVE = (("report-only", "keys-only"), ("bare", "json"), ("mssim", "swtpm"))

results = Results("options")


def commands_of(command, path=()):
    """(words, table) of each command that takes options."""
    for below in command["commands"]:
        yield from commands_of(below, (*path, below["name"]))
    if command["groups"] or not command["commands"]:
        yield path, command


def takes_value(option):
    return option["kind"] not in ("flag", "set")


def good(option):
    """The words that give an option a value that it takes."""
    if not takes_value(option):
        return [f"--{option['name']}"]
    value = {"socket": "unix:/nowhere", "choice": (option["words"] or [""])[0],
             **{kind: option["least"] for kind in NUMBERS}}.get(option["kind"])
    if option.get("multiple", "0") != "0" and option["kind"] in NUMBERS:
        multiple = int(option["multiple"])
        value = str(-(-int(option["least"]) // multiple) * multiple)
    if option["kind"] == "read":
        value = SAMPLES[option["value"]] if option["value"] != "BASE64" else \
            base64.b64encode(bytes(BYTES[option["name"]])).decode()
    return [f"--{option['name']}", "/nowhere" if value is None else value]


def bad_values(option):
    if option["kind"] in NUMBERS:
        least, most = int(option["least"]), int(option["most"])
        return [word for word in ("", "x", "1x", "-1", "+1", " 1", str(most + 1),
                                  str(least - 1) if least else "-2", str(1 << 64))]
    return {"choice": ["", "nonsense"], "socket": ["", "/nowhere", "unix:"],
            "read": ["", "\x01"] if option.get("value") not in ANY else []}.get(option["kind"], [])


class Command:
    def __init__(self, socle, path, table):
        self.socle, self.path, self.table = socle, path, table
        self.name = " ".join(path)
        self.options = [option for group in table["groups"] for option in group["options"]]

    def run(self, *words):
        return subprocess.run([self.socle, *self.path, *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20, check=False)

    def refused(self, what, named, *words):
        """It has to be refused with a line that holds what is named."""
        run = self.run(*words)
        results(run.returncode == STATUS_MISUSE and run.stderr.count("\n") == 1 and
                run.stderr.startswith(f"socle: {self.name}: ") and named in run.stderr and
                (not run.stdout or "--json" in words), f"{self.name}: {what}", run)

    def needed(self, without=None):
        return [word for option in self.options if option["required"] and option is not without
                for word in good(option)]

    def check_table(self):
        for option in self.options:
            widths = WIDTHS.get(option["kind"], (option["width"],))
            most = int(option["most"])
            results(option["width"] in widths and
                    (option["kind"] not in NUMBERS or int(option["least"]) <= most and
                     (most + 1 >> 8 * option["width"] == 0 or most == (1 << 64) - 1)) and
                    bool(option.get("value")) == takes_value(option),
                    f"{self.name}: the row of --{option['name']} fits its member", option)
        for what in ("name", "letter"):
            names = [option[what] for option in self.options if option[what]] + \
                [{"name": "help", "letter": "h"}[what]]
            results(len(names) == len(set(names)), f"{self.name}: each {what} is there once", names)
        results(len(self.options) < OPTIONS_MAX, f"{self.name}: there is room for all options")
        results([s["status"] for s in self.table["statuses"]][:2] == [0, STATUS_MISUSE],
                f"{self.name}: the exit statuses have success and misuse")

    def check_help(self):
        for word in ("--help", "-h"):
            run = self.run(word)
            said = " ".join(run.stdout.split())
            missing = [text for text in (
                *(f"--{option['name']}" + (f" {option['value']}" if takes_value(option) else "")
                  for option in self.options),
                *(" ".join(option[key].split()) for option in self.options
                  for key in ("help", "note")),
                *(" ".join(s["meaning"].split()) for s in self.table["statuses"]),
                *(operand["name"] for operand in self.table["operands"])) if text not in said]
            long = [line for line in run.stdout.splitlines() if len(line) > 100]
            results(run.returncode == 0 and not run.stderr and not missing and not long,
                    f"{self.name} {word}: all of the table", (missing, long, run.stderr))

    def check_option(self, option):
        name = f"--{option['name']}"
        if takes_value(option):
            self.refused(f"{name} without a value", name, name)
        else:
            self.refused(f"{name} with a value", name, f"{name}=x")
        for value in bad_values(option):
            self.refused(f"{name} {value!r}", name, name, value)
        if not option["repeats"]:
            self.refused(f"{name} twice", name, *good(option), *good(option))
        if option["required"]:
            self.refused(f"no {name}", name, *self.needed(without=option))

    def check_exclusive(self):
        names = {option["name"] for option in self.options}
        for pair in EXCLUSIVE:
            for one, other in ((pair, pair[::-1]) if names.issuperset(pair) else ()):
                self.refused(f"--{one} and --{other}", f"--{one} and --{other} exclude each other", f"--{one}",
                             f"--{other}")

    def check_operands(self):
        operands = [operand["name"] for operand in self.table["operands"]]
        for count, name in enumerate(operands):
            self.refused(f"no {name}", name, *self.needed(), *["/nowhere"] * count)
        self.refused("one argument too many", "surplus", *self.needed(),
                     *["/nowhere"] * len(operands), "surplus")

    def check(self):
        self.check_table()
        self.check_help()
        for word in ("--no-such-option", "--no-such-option=1", "-?", "-Z"):
            self.refused(word, word, word)
        for option in self.options:
            self.check_option(option)
        self.check_exclusive()
        self.check_operands()


def main():
    socle = sys.argv[1]
    tables = json.loads(subprocess.run([socle, "--tables"], capture_output=True, check=True).stdout)
    for path, table in commands_of(tables):
        Command(socle, path, table).check()
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
