#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the packages in a clean system of Debian's, and installs and uses them in another; root's work.

    in_chroot.py --suite bookworm|trixie FOLDER

The systems are made anew below FOLDER from the distribution's packages, with mmdebstrap; what was built
stays in FOLDER/packages-SUITE. Where the distribution's kernel knows an SVSM, a guest of it boots under
Socle, with the module that DKMS built.
"""

import argparse
import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ["tpm2-tools", "python3", "qemu-system-x86"]
KERNEL = "linux-image-cloud-amd64"
# What else is installed beside the packages. Debian 12's own kernel, 6.1, knows no SVSM.
SUITES = {
    "bookworm": ["libtss2-tcti-mssim0"],
    "trixie": ["libtss2-tcti-mssim0t64", KERNEL, "linux-headers-cloud-amd64", "initramfs-tools", "zstd",
               "xz-utils"],
}


# What this system says of its mirror holds for the new one, which has the same: a snapshot's lists have expired.
MIRROR = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy")


def mirror_options():
    """Those that are set here, for mmdebstrap."""
    for name in MIRROR:
        said = subprocess.run(["apt-config", "shell", "VALUE", name], capture_output=True, text=True, check=True).stdout
        if said:
            yield f'--aptopt={name} "{shlex.split(said)[0].partition("=")[2]}"'


# Mounts and processes in name spaces of their own: whatever ends a run, nothing stays mounted, and nothing runs on.
ALONE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def mounts_below(folder):
    """Where something is mounted at the folder or below it."""
    folder = folder.resolve()
    # The fifth word of each line is the place, with \\040 for a space (proc_pid_mountinfo(5)).
    words = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines())
    places = [Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), word)) for word in words]
    return sorted({place for place in places if place.is_relative_to(folder)})


def remove(root, **more):
    """A system's folder, but not through a mount, behind which may be this computer's /dev; more is shutil.rmtree's."""
    if mounted := mounts_below(root):
        raise RuntimeError(f"{root} is not removed, for these are mounted: {' '.join(map(str, mounted))}")
    shutil.rmtree(root, **more)


def make_system(suite, root):
    subprocess.run([*ALONE, "mmdebstrap", "--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io", *mirror_options(),
                    suite, root],
                   check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


# The system's root is a mount, as systems' are, with this computer's /dev, /proc and /sys. The shell stays outside as
# process 1, by which packages know that they are in a chroot.
ENTER = """
root=$1; shift
mount --bind "$root" "$root"
for place in /dev /proc /sys; do mount --rbind --make-rslave "$place" "$root$place"; done
chroot "$root" "$@" || exit
"""


def entering(root):
    """The words before a command that runs in the system."""
    return [*ALONE, "sh", "-ec", ENTER, "sh", root]


def inside(root, *words, check=True, **more):
    """Runs a command in the system, with none of this environment; more is subprocess.run's."""
    return subprocess.run([*entering(root), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                           "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *words], check=check, **more)


def install(root, *words):
    inside(root, "apt-get", "install", "-y", "-q", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends", *words)


@contextlib.contextmanager
def system(suite, folder, name, keep=False):
    """A new system, which is gone afterwards. With keep an interrupted run leaves it, for the next to go on with."""
    root = folder / f"{suite}-{name}"
    made = folder / f"{suite}-{name}.made"
    left = False
    try:
        if not (keep and made.exists()):
            if root.exists():
                remove(root)
            make_system(suite, root)
            made.touch()
        # The interruption may have been apt's.
        inside(root, "dpkg", "--configure", "-a")
        inside(root, "apt-get", "update", "-q")
        yield root
    except (KeyboardInterrupt, SystemExit):
        left = keep
        raise
    finally:
        if not left:
            made.unlink(missing_ok=True)
            remove(root, ignore_errors=True)


def build(suite, folder):
    """The packages of what is committed, and their lintian report."""
    packages = folder / f"packages-{suite}"
    shutil.rmtree(packages, ignore_errors=True)
    with system(suite, folder, "build") as root:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / "socle"], check=True)
        install(root, "git", "lintian")
        inside(root, "apt-get", "build-dep", "-y", "-q", "--no-install-recommends", "/socle")
        inside(root, "/socle/scripts/build-deb.sh", "/packages")
        shutil.copytree(root / "packages", packages)
    return packages


def left_of(root):
    """What a purge left of the packages."""
    return [path for folder in ("usr", "etc", "lib", "var/lib/dkms") for path in (root / folder).rglob("*socle*")
            if not path.name.startswith("socle-test") and "lib/dpkg" not in str(path)]


def use(suite, packages, folder):
    with system(suite, folder, "use") as root:
        (root / "packages").mkdir()
        names = [package.name for package in packages.glob("*.deb") if "-dbgsym_" not in package.name]
        for file in [packages / name for name in names] + [HERE / "use_packages.py",
                                                           HERE.parent / "lib/results.py"]:
            shutil.copy(file, root / "packages")
        install(root, *TOOLS, *SUITES[suite])
        install(root, *(f"/packages/{name}" for name in names))
        kernel = KERNEL in SUITES[suite]
        inside(root, "python3", "/packages/use_packages.py",
               *(["--kernel", next((root / "lib/modules").iterdir()).name] if kernel else []))
        inside(root, "apt-get", "purge", "-y", "-q", *(name.split("_")[0] for name in names))
        left = left_of(root)
    if left:
        sys.exit(f"in_chroot: left after a purge: {left}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--suite", choices=sorted(SUITES), required=True)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        use(options.suite, build(options.suite, folder), folder)
    except RuntimeError as error:
        sys.exit(f"in_chroot: {error}")


if __name__ == "__main__":
    main()
