#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make demo` does where something fails: which logs it shows, and what it makes anew.

    demo_vm_test.py
"""

import contextlib
import importlib.util
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/lib")]
from results import Results  # noqa: E402


def script(name):
    """A script whose name no import statement could have."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"scripts/{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


demo_vm = script("demo-vm")


@contextlib.contextmanager
def instead(**names):
    """Other functions of demo-vm.py for a while."""
    had = {name: getattr(demo_vm, name) for name in names}
    for name, other in names.items():
        setattr(demo_vm, name, other)
    try:
        yield
    finally:
        for name, other in had.items():
            setattr(demo_vm, name, other)


def failing_boot(result, folder):
    """The second boot's logs are shown where that one fails, and the first one's where that fails."""
    def boot(_options, _image, where, _disk, _progress):
        (where / "guest.log").write_text(f"words of {where.name}\n")
        if where.name == fails:
            raise demo_vm.StepFailed("guest", "it ends", "guest.log")

    nothing = dict.fromkeys(("prepare", "make_root", "make_policy", "first_half"), lambda *_: None)
    arguments = ["demo-vm.py", "--programs", "/nowhere", "--build-dir", str(folder / "first"), "--work", str(folder / "work")]
    for fails in ("first", "changed"):
        said = io.StringIO()
        with instead(**nothing, boot=boot, make_disk=lambda *_: (None, None)), contextlib.redirect_stderr(said), \
                contextlib.redirect_stdout(io.StringIO()):
            built, demo_vm.demo.build_image = demo_vm.demo.build_image, lambda *_: (None, "00")
            had, sys.argv = sys.argv, arguments
            try:
                status = demo_vm.main()
            finally:
                demo_vm.demo.build_image, sys.argv = built, had
        words = [line for line in said.getvalue().splitlines() if line.startswith("words of")]
        result(status == 1 and words == [f"words of {fails}"], f"logs of the {fails} boot, where it fails", said.getvalue())


def interrupted(result, folder):
    """What was made of other files is not taken for what it was to be, when its making was interrupted."""
    out = folder / "thing"
    with demo_vm.making(out, "old"):
        out.write_text("old")
    with contextlib.suppress(KeyboardInterrupt), demo_vm.making(out, "new"):
        out.write_text("half of the new")
        raise KeyboardInterrupt
    result(not demo_vm.made_of(out, "old") and not demo_vm.made_of(out, "new"), "half of a file fits no key")
    with demo_vm.making(out, "new"):
        pass
    result(demo_vm.made_of(out, "new"), "and a whole one its own")


def main():
    result = Results("demo-vm")
    with tempfile.TemporaryDirectory(prefix="socle-demo-vm-") as name:
        failing_boot(result, Path(name))
        interrupted(result, Path(name))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
