# SPDX-License-Identifier: MIT
"""A scratch copy of the project in which a mutant is built and tried."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

TIMEOUT_FACTOR = 4  # of what a test takes without a fault
TIMEOUT_LEAST_S = 15
BUILD_LIMIT_S = 600
UNIT, MACHINE, GUEST = range(3)  # how far a test is from the code, and how much it costs
# Boots of a whole guest, by their names in scripts/check.py, if it has them.
GUEST_TESTS = ("attacks", "demo", "svsm/attest in the guest", "demo negatives")


class Test:
    def __init__(self, name, argv, folder, env, targets, tier):
        self.name, self.argv, self.folder, self.env = name, argv, folder, env
        self.targets, self.tier = targets, tier
        self.inputs = set()
        self.seconds = None


def run(argv, folder, limit, env=None):
    """(status, output); the status is None when out of time. Ends all that was started."""
    process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True, env={**os.environ, **(env or {})})
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


class Scratch:
    def __init__(self, project, folder):
        self.project = project
        self.source = folder / "source"
        self.build = folder / "out"
        self.objects = {}
        self.original = {}

    # The copy.
    def update(self):
        """Makes the copy what the working tree is, touching only what differs."""
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                "--exclude-standard"], cwd=self.project, check=True,
                               stdout=subprocess.PIPE).stdout.decode().split("\0")
        names = {name for name in names if name and (self.project / name).is_file()}
        for name in names:
            here, there = self.project / name, self.source / name
            if there.is_file() and there.read_bytes() == here.read_bytes():
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, there)
        for old in self.source.rglob("*"):
            if old.is_file() and str(old.relative_to(self.source)) not in names and \
                    self.source / "build" not in old.parents:
                old.unlink()
        for name in ("kernel", "guest"):
            link = self.source / "build" / name
            if (self.project / "build" / name).exists() and not link.exists():
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(self.project / "build" / name)
        if not (self.build / "build.ninja").exists():
            self.command(["meson", "setup", "-Dwerror=false", "-Ddebug=false", self.build,
                          self.source])

    def command(self, argv, folder=None):
        status, output = run(argv, folder or self.source, BUILD_LIMIT_S * 3,
                             {"CCACHE_BASEDIR": str(self.source)})
        if status != 0:
            raise RuntimeError(f"{shlex.join(map(str, argv))}:\n{output[-4000:]}")
        return output

    def ninja(self, *words):
        return self.command(["ninja", "-C", self.build, *words])

    def build_all(self):
        self.ninja("-j2", "all", "meson-test-prereq")

    def make(self, targets):
        """Builds them. True when that worked."""
        status, _ = run(["ninja", "-C", self.build, "-j1", *targets], self.source, BUILD_LIMIT_S,
                        {"CCACHE_BASEDIR": str(self.source)})
        return status == 0

    # What there is.
    def tests(self):
        def introspect(what):
            text = self.command(["meson", "introspect", self.build, f"--{what}"])
            return json.loads(text)

        files = {target["id"]: [os.path.relpath(name, self.build) for name in target["filename"]]
                 for target in introspect("targets")}
        found = []
        for test in introspect("tests"):
            targets = sorted({name for target in test["depends"] for name in files[target]})
            tier = MACHINE if any("monitor.elf" in t or "hv.bin" in t for t in targets) else UNIT
            found.append(Test(test["name"], test["cmd"], test["workdir"] or self.build,
                              test["env"], targets, tier))
        guest_targets = [name for names in files.values() for name in names
                         if name in ("monitor/monitor.elf", "machine/hv/hv.bin", "services/services",
                                     "tools/socle", "guest/socle-guest")]
        for name, argv in self.programs_of_check():
            if name in GUEST_TESTS:
                found.append(Test(name, argv, self.source, {}, guest_targets, GUEST))
        for test in found:
            text = self.command(["ninja", "-C", self.build, "-t", "inputs", *test.targets])
            test.inputs = {self.name_of(line) for line in text.splitlines()}
        return found

    def programs_of_check(self):
        script = ("import importlib.util, json, sys; "
                  "s = importlib.util.spec_from_file_location('check', sys.argv[1]); "
                  "m = importlib.util.module_from_spec(s); s.loader.exec_module(m); "
                  "print(json.dumps([[n, list(map(str, a))] for n, a in "
                  "m.programs_of(sys.argv[2], False)]))")
        return json.loads(self.command(["python3", "-c", script,
                                        self.source / "scripts" / "check.py", str(self.build)]))

    def name_of(self, line):
        """A file's name in the project, or an object's in the build."""
        path = Path(os.path.normpath(self.build / line.strip()))
        for base in (self.build, self.source):
            if base in path.parents:
                return str(path.relative_to(base))
        return str(path)

    def compiled(self):
        """Of each source the objects it goes into that end in a product, not in a test."""
        text = self.command(["ninja", "-C", self.build, "-t", "compdb"])
        objects = {}
        for entry in json.loads(text):
            if not entry["file"].endswith(".c") or not entry["output"].endswith(".o"):
                continue
            source = self.name_of(entry["file"])
            objects.setdefault(source, []).append((entry["output"], entry["command"]))
        return objects

    def dependents(self):
        """Of each header the objects that were built with it."""
        users = {}
        target = None
        for line in self.ninja("-t", "deps").splitlines():
            match = re.match(r"^(\S+\.o): #deps", line)
            if match:
                target = match[1]
            elif line.startswith("    ") and target and line.endswith(".h"):
                users.setdefault(self.name_of(line), []).append(target)
        return users

    # The fault.
    def apply(self, mutant):
        path = self.source / mutant.path
        self.original[path] = path.read_bytes()
        path.write_bytes(mutant.apply(self.original[path]))

    def restore(self):
        for path, text in self.original.items():
            path.write_bytes(text)
        self.original = {}

    def digest(self, objects):
        """What the products' objects are, or None when one does not compile."""
        if not self.make(objects):
            return None
        digest = hashlib.sha256()
        for name in objects:
            digest.update((self.build / name).read_bytes())
        return digest.hexdigest()

    def try_test(self, test):
        """True when it passes. It fails when it is not built, too."""
        limit = max(TIMEOUT_LEAST_S * (1 + 2 * test.tier), TIMEOUT_FACTOR * (test.seconds or 60))
        start = time.monotonic()
        if not self.make(test.targets):
            return False
        status, _ = run(test.argv, test.folder, limit, test.env)
        test.last_seconds = time.monotonic() - start
        return status == 0
