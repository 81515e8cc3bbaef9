#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a disk that UEFI firmware boots Linux from: a GPT with an EFI system partition and, if there is one, a root
file system.

    make-disk.py --loader systemd-boot|grub --kernel FILE --initrd FILE --append TEXT [--root FILE] [--loaders DIR]
                 [--keep-uki FILE] OUT

systemd-boot starts a unified kernel image, which is made here: the stub of systemd with kernel, first file system
and command line as sections of it (UAPI group, "Unified Kernel Image"). GRUB finds kernel, file system and its
configuration as files. The loaders are Debian's (scripts/fetch-loaders.sh). The same inputs give the same bytes.
"""

import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTOR, MIB = 512, 1 << 20
ESP_START, ESP_LEAST = MIB, 36 * MIB  # FAT32 has at least 65525 clusters
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"  # of x86-64 (UAPI group, "Discoverable Partitions")
GUIDS = ("5d1ce000-0000-4000-8000-%012x" % number for number in range(1, 4))
OS_RELEASE = 'ID=debian\nNAME="Debian"\nPRETTY_NAME="Debian, of a disk for tests"\nVERSION_ID=13\n'


class DiskError(Exception):
    pass


def run(*command, text=None):
    try:
        done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise DiskError(f"{error.filename} is missing (scripts/setup-packages.sh disks)") from error
    if done.returncode:
        raise DiskError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")


def align(size, unit):
    return -(-size // unit) * unit


def image_end(stub):
    """Where sections of a PE image may follow: its base, and the offset behind its last section (PE format, optional
    header and section table)."""
    at = struct.unpack_from("<I", stub, 0x3c)[0]
    if stub[at:at + 4] != b"PE\0\0":
        raise DiskError("the stub is no PE image")
    count, optional_size = struct.unpack_from("<H", stub, at + 6)[0], struct.unpack_from("<H", stub, at + 20)[0]
    base, = struct.unpack_from("<Q", stub, at + 24 + 24)
    unit, = struct.unpack_from("<I", stub, at + 24 + 32)
    table = at + 24 + optional_size
    ends = [sum(struct.unpack_from("<II", stub, table + 40 * number + 8)) for number in range(count)]
    return base, max(ends), unit


def unified_kernel(folder, options):
    """The stub with its sections, each behind the one before."""
    stub = options.loaders / "linuxx64.efi.stub"
    base, end, unit = image_end(stub.read_bytes())
    (folder / "osrel").write_text(OS_RELEASE)
    (folder / "cmdline").write_text(options.append)
    words = []
    for name, path in ((".osrel", folder / "osrel"), (".cmdline", folder / "cmdline"), (".initrd", options.initrd),
                       (".linux", options.kernel)):
        end = align(end, unit)
        words += ["--add-section", f"{name}={path}", "--set-section-flags", f"{name}=data,readonly",
                  "--change-section-vma", f"{name}={base + end:#x}"]
        end += path.stat().st_size
    out = options.keep_uki or folder / "linux.efi"
    unfinished = out.with_name(out.name + ".new")
    run("objcopy", "--preserve-dates", *words, stub, unfinished)  # or the time of now is in its header
    return unfinished.rename(out)


def grub_configuration(folder, options):
    path = folder / "grub.cfg"
    path.write_text("serial --unit=0 --speed=115200\nterminal_output serial\nset timeout=0\n"
                    f"linux /vmlinuz {options.append}\ninitrd /initrd.img\nboot\n")
    return path


def esp_files(folder, options):
    """(place, file) of all that is on the EFI system partition."""
    if options.loader == "grub":
        return [("EFI/BOOT/BOOTX64.EFI", options.loaders / "grubx64.efi"),
                ("EFI/debian/grub.cfg", grub_configuration(folder, options)),
                ("vmlinuz", options.kernel), ("initrd.img", options.initrd)]
    (folder / "loader.conf").write_text("timeout 0\n")
    return [("EFI/BOOT/BOOTX64.EFI", options.loaders / "systemd-bootx64.efi"),
            ("EFI/Linux/debian.efi", unified_kernel(folder, options)), ("loader/loader.conf", folder / "loader.conf")]


def make_esp(folder, options):
    files = esp_files(folder, options)
    path = folder / "esp"
    needed = sum(align(file.stat().st_size, MIB) for _, file in files) + 4 * MIB
    with path.open("wb") as esp:
        esp.truncate(max(ESP_LEAST, needed))
    run("mkfs.fat", "-F", "32", "-i", "50c1e000", "-n", "ESP", "--invariant", path)
    known = set()
    for place, file in files:
        for parent in reversed(pathlib.PurePosixPath(place).parents[:-1]):
            if parent not in known:
                run("mmd", "-i", path, f"::{parent}")
                known.add(parent)
        run("mcopy", "-i", path, file, f"::{place}")
    return path


def copy(disk, at, path):
    """Puts the file's bytes there, and leaves holes where it has zeros."""
    with path.open("rb") as source:
        while block := source.read(MIB):
            if any(block):
                disk.seek(at)
                disk.write(block)
            at += len(block)


def make(options, folder):
    parts = [(make_esp(folder, options), ESP_TYPE)]
    if options.root:
        parts.append((options.root, LINUX_ROOT_TYPE))
    at, table, places = ESP_START, [f"label: gpt\nlabel-id: {next(GUIDS)}"], []
    for path, kind in parts:
        size = align(path.stat().st_size, MIB)
        table.append(f"start={at // SECTOR}, size={size // SECTOR}, type={kind}, uuid={next(GUIDS)}")
        places.append((at, path))
        at += size
    unfinished = options.out.with_name(options.out.name + ".new")
    with unfinished.open("wb") as disk:
        disk.truncate(at + MIB)  # the second table
    run("sfdisk", "--quiet", unfinished, text="\n".join(table) + "\n")
    with unfinished.open("r+b") as disk:
        for place, path in places:
            copy(disk, place, path)
    unfinished.rename(options.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--loader", choices=("systemd-boot", "grub"), required=True)
    for name in ("kernel", "initrd"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--append", required=True, help="the kernel's command line")
    parser.add_argument("--root", type=pathlib.Path, help="a root file system: the second partition")
    parser.add_argument("--loaders", type=pathlib.Path, default=ROOT / "build/loaders")
    parser.add_argument("--keep-uki", type=pathlib.Path, help="where the unified kernel image is left, too")
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="socle-disk-") as folder:
            make(options, pathlib.Path(folder))
    except (DiskError, OSError) as error:
        print(f"make-disk: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
