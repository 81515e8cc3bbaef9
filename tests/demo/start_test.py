#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A demo on a busy computer: a machine that takes its time to start is waited for, and one that does not start, that
ends before or that does not end is called what it is. The machine is a stand-in for `socle run`."""

import pathlib
import sys
import tempfile
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/lib")]
import demo  # noqa: E402
from results import Results  # noqa: E402

# The folder for its sockets is that of the word behind --vmpl0-channel.
STAND_IN = """#!/bin/sh
while [ "$1" != --vmpl0-channel ]; do shift; done
{script}
"""


def machine(folder, script):
    socle = folder / "socle"
    socle.write_text(STAND_IN.format(script=script))
    socle.chmod(0o755)
    options = types.SimpleNamespace(socle=socle, cpus=1, memory="64M", keys=folder, timeout=1, host=None,
                                    machine_option=[])
    return demo.Machine(options, folder / "image", folder, folder, types.SimpleNamespace(say=lambda *words: None))


def outcome(folder, script, wait):
    """What comes of waiting: None, or the step that failed and why."""
    started = machine(folder, script)
    try:
        wait(started)
        return None
    except demo.StepFailed as error:
        return f"{error.step}: {error}"
    finally:
        started.stop()


def main():
    result = Results("start of the demo")
    make = 'touch "${2#unix:}"'
    for name, script, wait, wanted in (
            ("a slow start is waited for", f"sleep 1; {make}; exec sleep 60", lambda m: m.wait_for(m.vmpl0_socket, 60),
             None),
            ("a machine that does not start", "exec sleep 60", lambda m: m.wait_for(m.vmpl0_socket, 0.5),
             "start: the machine has not started within 0.5 s"),
            ("a machine that ends before", "echo socle: no memory >&2; exit 1",
             lambda m: m.wait_for(m.vmpl0_socket, 60), "start: socle: no memory"),
            ("a machine that does not end", "exec sleep 60", lambda m: m.wait(0.5),
             "power off: the machine has not ended within 0.5 s")):
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(pathlib.Path(folder), script, wait)
        result(found == wanted, name, found)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
