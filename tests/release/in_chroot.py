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


MOUNTS = Path("/proc/self/mountinfo")
# What this system says of its mirror holds for the new one, which has the same: a snapshot's lists have expired.
MIRROR = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy")


def mirror_options():
    """Those that are set here, for mmdebstrap."""
    for name in MIRROR:
        said = subprocess.run(["apt-config", "shell", "VALUE", name], capture_output=True, text=True, check=True).stdout
        if said:
            yield f'--aptopt={name} "{shlex.split(said)[0].partition("=")[2]}"'


def make_system(suite, root):
    subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io", *mirror_options(), suite,
                    root],
                   check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


def unmount(root):
    """What is mounted there is this computer's own, and an rmtree would empty it. A run that was killed leaves it, too."""
    if any(Path(line.split()[4]).is_relative_to(root) for line in MOUNTS.read_text().splitlines()):
        subprocess.run(["umount", "--recursive", "--lazy", root], check=True)


@contextlib.contextmanager
def mounted(root):
    """It is a mount of its own, as a system's root is, with /dev, /proc and /sys; gone afterwards."""
    subprocess.run(["mount", "--bind", "--make-private", root, root], check=True)
    try:
        for place in ("/dev", "/proc", "/sys"):
            subprocess.run(["mount", "--rbind", "--make-rslave", place, f"{root}{place}"], check=True)
        yield
    finally:
        unmount(root)


def inside(root, *words, check=True, **more):
    """Runs a command in the system, with none of this environment; more is subprocess.run's."""
    return subprocess.run(["chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                           "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *words], check=check, **more)


def install(root, *words):
    inside(root, "apt-get", "install", "-y", "-q", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends", *words)


@contextlib.contextmanager
def system(suite, folder, name):
    """A new system, which is gone afterwards."""
    root = folder / f"{suite}-{name}"
    unmount(root)
    if root.exists():
        shutil.rmtree(root)
    try:
        make_system(suite, root)
        with mounted(root):
            inside(root, "apt-get", "update", "-q")
            yield root
    finally:
        unmount(root)
        shutil.rmtree(root, ignore_errors=True)


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
    use(options.suite, build(options.suite, folder), folder)


if __name__ == "__main__":
    main()
