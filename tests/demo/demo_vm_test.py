#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make demo` does where something fails: which logs it shows, what it makes anew, and what it
ends.

    demo_vm_test.py
"""

import contextlib
import importlib.util
import io
import sys
import tempfile
import time
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/lib")]
import one_kernel  # noqa: E402
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
    arguments = ["demo-vm.py", "--programs", "/nowhere", "--build-dir", str(folder / "first"), "--work",
                 str(folder / "work")]
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
        result(status == 1 and words == [f"words of {fails}"], f"logs of the {fails} boot, where it fails",
               said.getvalue())


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


def kernels(result, folder):
    """A system and headers of which one is of an earlier day become one kernel's, and what cannot is said."""
    headers, system = folder / "headers", folder / "system"
    for there, fetched, made, wanted, calls in (
            (("1", "1"), "2", "2", "1", []), (("1", "2"), "2", "2", "2", ["headers"]),
            (("2", "1"), "2", "2", "2", ["headers", "system"]), (("1", "2"), "3", "4", None, ["headers", "system"])):
        done = []

        def write(where, version):
            where.mkdir(exist_ok=True)
            (where / "version").write_text(f"{version}\n")

        def again(where, version, done=done):
            done.append(where.name)
            if not (where / "version").exists():  # as the scripts do
                write(where, version)

        write(headers, there[0])
        write(system, there[1])
        try:
            one_kernel.agree(headers, system, lambda: again(headers, fetched),  # noqa: B023
                             lambda: again(system, made))  # noqa: B023
            found = one_kernel.version_of(system)
        except one_kernel.Differ:
            found = None
        result(found == wanted and done == calls, f"headers of {there[0]}, a system of {there[1]}",
               f"{found}, made {done}")


def failing_part(result, folder):
    """A fetch that fails ends the build beside it, with what that has started, and is what is told."""
    child = folder / "child"

    def fails(_):
        deadline = time.monotonic() + 60
        while not child.exists() or not child.read_text().strip():
            assert time.monotonic() < deadline, "the build did not start"
            time.sleep(0.02)
        raise demo_vm.StepFailed("firmware", "no mirror")

    def builds(_options, parts):
        parts.run("build", ["sh", "-c", f"sleep 300 & echo $! >{child}; wait"])

    said, error = [], None
    progress = types.SimpleNamespace(begin=lambda _: None, say=said.append)
    nothing = dict.fromkeys(("fetch", "make_system", "fetch_headers"), lambda *_: None)
    began = time.monotonic()
    with instead(**nothing, fetch_firmware=fails, build=builds):
        try:
            demo_vm.prepare(types.SimpleNamespace(build="1", work=folder), progress)
        except demo_vm.StepFailed as failed:
            error = failed
    took = time.monotonic() - began
    result(error and error.step == "firmware" and took < 100, "a failing part is told before the others are done",
           f"{error}, {took}")
    result(any("no mirror" in line for line in said), "  at once", str(said))
    state = Path(f"/proc/{int(child.read_text())}/stat")
    with contextlib.suppress(OSError):
        while (left := state.read_text().rpartition(")")[2].split()[0]) != "Z" and time.monotonic() < began + 100:
            time.sleep(0.05)
        result(left == "Z", "  and what they started has ended", left)
        return
    result(True, "  and what they started has ended")


def main():
    result = Results("demo-vm")
    with tempfile.TemporaryDirectory(prefix="socle-demo-vm-") as name:
        failing_boot(result, Path(name))
        interrupted(result, Path(name))
        kernels(result, Path(name))
        failing_part(result, Path(name))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
