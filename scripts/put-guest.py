#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the guest's side of Socle into a file system of scripts/make-debian.sh, as the package socle-guest would: the
module, which the kernel's device loads by its rule, and the agent, which answers on the second serial port.

    put-guest.py --module socle_tpm.ko --agent ELF [--power-off] ROOT.ext4 OUT

OUT is a copy; debugfs writes to it, so root's rights are not needed. With --power-off the system powers off when the
relying party has said good-bye. The same inputs give the same files.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PORT = "ttyS1"
UNIT = "socle-guest@.service"
SYSTEM = "/etc/systemd/system"


class PutError(Exception):
    pass


def run(*command, text=None):
    try:
        done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise PutError(f"{error.filename} is missing (scripts/setup-packages.sh build disks)") from error
    if done.returncode:
        raise PutError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done


class FileSystem:
    """An ext4 in a file. debugfs gives no status: whatever it says beside its version is an error."""

    def __init__(self, path):
        self.path = path

    def ask(self, *requests, write=False):
        done = run("debugfs", *(["-w"] if write else []), "-f", "-", self.path, text="\n".join(requests) + "\n")
        said = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
        if said:
            raise PutError(f"debugfs: {said[0]}")
        return done.stdout

    def fetch(self, folder, to):
        """A folder with all that is in it, below `to`; whose they are here does not matter."""
        run("debugfs", "-R", f"rdump {folder} {to}", self.path)

    def make_folder(self, path):
        if "File not found" in run("debugfs", "-R", f"stat {path}", self.path).stderr:
            self.ask(f"mkdir {path}", write=True)

    def put(self, source, path, mode=0o644):
        """A file of root's, in a folder that is there; one of that name is replaced."""
        folder, name = path.rsplit("/", 1)
        if "File not found" not in run("debugfs", "-R", f"stat {path}", self.path).stderr:
            self.ask(f"rm {path}", write=True)
        self.ask(f"cd {folder}", f"write {source} {name}", f"sif {name} mode 0{0o100000 | mode:o}",
                 f"sif {name} uid 0", f"sif {name} gid 0", write=True)

    def link(self, path, target):
        self.ask(f"symlink {path} {target}", write=True)


def put_module(files, options, work):
    """With kmod's indexes made anew, which is what depmod does in a system."""
    release = run("modinfo", "-F", "vermagic", options.module).stdout.split()[0]
    folder = f"/usr/lib/modules/{release}"
    files.fetch(folder, work)
    if not (work / release).is_dir():
        raise PutError(f"{options.module} is for {release}, which the system does not have")
    base = work / "base/lib/modules"
    base.mkdir(parents=True)
    (work / release).rename(base / release)
    (base / release / "updates").mkdir()
    (base / release / "updates/socle_tpm.ko").write_bytes(options.module.read_bytes())
    run("depmod", "-b", work / "base", release)
    files.make_folder(f"{folder}/updates")
    files.put(options.module, f"{folder}/updates/socle_tpm.ko")
    for path in sorted((base / release).glob("modules.*")):
        files.put(path, f"{folder}/{path.name}")


def put_agent(files, options, work):
    run("strip", "--strip-all", "-o", work / "agent", options.agent)
    files.put(work / "agent", "/usr/bin/socle-guest", 0o755)
    files.put(ROOT / "guest/system/60-socle.rules", "/usr/lib/udev/rules.d/60-socle.rules")
    files.put(ROOT / "guest/system" / UNIT, f"/usr/lib/systemd/system/{UNIT}")
    enabled = f"{SYSTEM}/multi-user.target.wants"
    files.make_folder(enabled)
    files.link(f"{enabled}/{UNIT.replace('@', f'@{PORT}')}", f"/usr/lib/systemd/system/{UNIT}")
    if options.power_off:
        (work / "drop-in").write_text("[Unit]\nSuccessAction=poweroff\n")
        folder = f"{SYSTEM}/{UNIT.replace('@', f'@{PORT}')}.d"
        files.make_folder(folder)
        files.put(work / "drop-in", f"{folder}/power-off.conf")


def put(options, work):
    unfinished = options.out.with_name(options.out.name + ".new")
    try:
        run("cp", "--sparse=always", options.root, unfinished)
        files = FileSystem(unfinished)
        put_module(files, options, work)
        put_agent(files, options, work)
        run("e2fsck", "-f", "-n", unfinished)
        unfinished.rename(options.out)
    finally:
        unfinished.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--module", type=pathlib.Path, required=True)
    parser.add_argument("--agent", type=pathlib.Path, required=True)
    parser.add_argument("--power-off", action="store_true")
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="socle-guest-") as folder:
            put(options, pathlib.Path(folder))
    except (PutError, OSError) as error:
        print(f"put-guest: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
