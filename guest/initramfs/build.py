#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
r"""Builds the initramfs of the demo's guest: busybox, the kernel's modules, ours, the agent, and
unmodified tpm2-tools and openssl with the libraries that they load.

	guest/initramfs/build.py --kernel build/kernel [--module KO] --agent ELF --out FILE \
		[--init SCRIPT] [--extra FILE]...

The same inputs give the same bytes. The archive is not compressed: an emulated processor would
take longer to decompress it than to copy it.
"""

import argparse
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LIBRARIES = "lib/x86_64-linux-gnu"
LOADER = "lib64/ld-linux-x86-64.so.2"

# tsm gives configfs its reports, sev-guest makes them. The order is that of loading. sev-guest of
# 6.12 asks for gcm(aes) by name, so that no list of dependencies has its two parts; later ones do
# not, and later kernels have not both. They call tsm by its longer name, too.
CRYPTO_MODULES = ["ghash-generic", "gcm"]
TSM_MODULES = ["tsm-report", "tsm"]
TPM2_TOOLS = ["createek", "createak", "pcrextend", "quote", "startauthsession", "policysecret",
              "activatecredential", "getcap", "getekcertificate", "nvdefine", "nvread", "nvwrite"]
# Loaded by name at run time, so no list of needed libraries has it.
TCTI = "libtss2-tcti-device.so.0"
APPLETS = ["sh", "mount", "cat", "insmod", "nproc", "uname", "cut", "poweroff", "sleep", "echo",
           "sha256sum", "sha512sum", "xxd", "dmesg", "grep"]


class BuildError(Exception):
    pass


# modinfo is where an ordinary user's PATH does not lead.
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}


def output_of(*command, env=None, **options):
    result = subprocess.run(command, capture_output=True, text=True, env=env or ENVIRONMENT, **options)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
        raise BuildError(f"{' '.join(map(str, command))}: {lines[-1]}")
    return result.stdout


# Kernel modules


def find_modules(kernel, release):
    folder = next((kernel / "root" / lib / "modules" / release for lib in ("lib", "usr/lib")
                   if (kernel / "root" / lib / "modules" / release).is_dir()), None)
    if folder is None:
        raise BuildError(f"no modules of {release} in {kernel}/root")
    found = {}
    for path in folder.rglob("*.ko*"):
        found[path.name.split(".ko")[0].replace("_", "-")] = path
    return found


def unpack_module(path, to):
    if path.suffix == ".xz":
        to.write_bytes(lzma.decompress(path.read_bytes()))
    elif path.suffix == ".zst":
        output_of("zstd", "-q", "-d", "-f", path, "-o", to)
    else:
        shutil.copyfile(path, to)


def add_modules(stage, kernel, own, more):
    """Our module if there is one, the kernel's and more of those, each after those it depends on, in
    /lib/modules/order."""
    release = (kernel / "version").read_text().strip()
    available = find_modules(kernel, release)
    builtin = next((kernel / "root").glob(f"**/{release}/modules.builtin")).read_text()
    folder = stage / "lib/modules"
    folder.mkdir(parents=True)
    order = []

    def add(name):
        name = name.replace("_", "-")
        if f"/{name}.ko" in builtin.replace("_", "-") or f"{name}.ko" in order:
            return
        if name not in available:
            raise BuildError(f"{release} has no module {name}")
        to = folder / f"{name}.ko"
        unpack_module(available[name], to)
        for needed in output_of("modinfo", "-F", "depends", to).strip().split(","):
            if needed:
                add(needed)
        order.append(to.name)

    if all(name in available for name in CRYPTO_MODULES):
        for name in CRYPTO_MODULES:
            add(name)
    add(next((name for name in TSM_MODULES if name in available), TSM_MODULES[-1]))
    add("sev-guest")
    for name in more:
        add(name)
    if own:
        shutil.copyfile(own, folder / own.name)
        order.append(own.name)
        magic = output_of("modinfo", "-F", "vermagic", folder / own.name).split()
        if magic[0] != release:
            raise BuildError(f"{own} is for {magic[0]}, not for {release}")
    (folder / "order").write_text("\n".join(order) + "\n")


# Programs and their libraries


def needed_libraries(path):
    """Soname and file of every library that the loader would map for this file."""
    for line in output_of("ldd", path).splitlines():
        words = line.split()
        if "=>" in words:
            if words[2] == "not":
                raise BuildError(f"{path} needs {words[0]}, which is not installed")
            yield words[0], words[2]


def find_tcti():
    for folder in ("/usr/" + LIBRARIES, "/" + LIBRARIES):
        if (path := pathlib.Path(folder) / TCTI).exists():
            return path
    raise BuildError(f"{TCTI} is not installed")


def add_program(stage, path, to, mode=0o755):
    target = stage / to
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    target.chmod(mode)


def add_libraries(stage, path):
    for soname, file in needed_libraries(path):
        target = stage / LIBRARIES / soname
        if not target.exists():
            add_program(stage, file, f"{LIBRARIES}/{soname}", 0o644)


def add_tpm2_tools(stage):
    tool = shutil.which("tpm2")
    if tool is None:
        raise BuildError("tpm2-tools is not installed")
    add_program(stage, tool, "bin/tpm2")
    for name in TPM2_TOOLS:
        (stage / f"bin/tpm2_{name}").symlink_to("tpm2")
    add_program(stage, "/" + LOADER, LOADER)
    add_libraries(stage, tool)
    tcti = find_tcti()
    add_program(stage, tcti, f"{LIBRARIES}/{TCTI}", 0o644)
    add_libraries(stage, tcti)


def add_openssl(stage):
    """To verify the certificates that the TPM holds; the loader has been added before."""
    tool = shutil.which("openssl")
    if tool is None:
        raise BuildError("openssl is not installed")
    add_program(stage, tool, "bin/openssl")
    add_libraries(stage, tool)
    output_of(stage / LOADER, "--inhibit-cache", "--library-path", stage / LIBRARIES,
              stage / "bin/openssl", "version")


def check_tpm2_tools(stage):
    """The tool runs with the staged loader and libraries alone, and finds its TCTI among them."""
    loader = [str(stage / LOADER), "--inhibit-cache", "--library-path", str(stage / LIBRARIES)]
    output_of(*loader, "--argv0", "tpm2_getcap", str(stage / "bin/tpm2"), "--version")
    # The device does not exist, so the tool fails, but only after it has loaded everything.
    result = subprocess.run(
        [*loader, "--argv0", "tpm2_getcap", str(stage / "bin/tpm2"), "-T", "device:/nonexistent",
         "properties-fixed"],
        capture_output=True, text=True, env={"LD_DEBUG": "files"})
    loaded = [line.split("calling init: ")[1].strip() for line in result.stderr.splitlines()
              if "calling init: " in line]
    outside = [path for path in loaded if not path.startswith(str(stage))]
    if outside:
        raise BuildError(f"tpm2 loads {outside[0]}, which the initramfs does not have")
    if not any(path.endswith("/" + TCTI) for path in loaded):
        raise BuildError(f"tpm2 does not load {TCTI}")


def add_agent(stage, agent):
    add_program(stage, agent, "bin/socle-guest")
    output_of("strip", "--strip-all", stage / "bin/socle-guest")


def fill(stage, args):
    for folder in ("bin", "dev", "proc", "sys", "run", "etc", "tmp", LIBRARIES):
        (stage / folder).mkdir(parents=True, exist_ok=True)
    add_program(stage, shutil.which("busybox") or "/bin/busybox", "bin/busybox")
    for applet in APPLETS:
        (stage / "bin" / applet).symlink_to("busybox")
    add_program(stage, args.init, "init")
    for path in args.extra:
        add_program(stage, path, f"lib/socle/{path.name}")
    add_program(stage, HERE / "attest.sh", "lib/socle/attest.sh")
    add_agent(stage, args.agent)
    add_modules(stage, args.kernel, args.module, args.kernel_module)
    add_tpm2_tools(stage)
    check_tpm2_tools(stage)
    add_openssl(stage)
    # With it the loader opens each library once instead of looking through folders.
    output_of("/sbin/ldconfig", "-X", "-r", stage, "-C", "/etc/ld.so.cache")
    shutil.rmtree(stage / "var", ignore_errors=True)


# The archive


def newc_member(number, name, mode, data=b"", device=(0, 0)):
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def newc(stage):
    """All files below stage, sorted, owned by root, at time 0."""
    members = []
    for path in sorted(stage.rglob("*")):
        name = str(path.relative_to(stage))
        mode = path.lstat().st_mode
        if path.is_symlink():
            mode, data = 0o120777, os.readlink(path).encode()
        elif path.is_dir():
            mode, data = 0o040755, b""
        else:
            mode, data = 0o100000 | (0o755 if mode & 0o100 else 0o644), path.read_bytes()
        members.append(newc_member(len(members) + 1, name, mode, data))
    # The kernel opens the console before it runs /init, so this node must be in the archive.
    members.append(newc_member(len(members) + 1, "dev/console", 0o020600, device=(5, 1)))
    members.append(newc_member(0, "TRAILER!!!", 0))
    return b"".join(members)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", type=pathlib.Path, required=True)
    parser.add_argument("--module", type=pathlib.Path, help="socle_tpm.ko; without it the guest has none")
    parser.add_argument("--kernel-module", action="append", default=[], help="one more of the kernel's, by its name")
    parser.add_argument("--agent", type=pathlib.Path, required=True)
    parser.add_argument("--init", type=pathlib.Path, default=HERE / "init")
    parser.add_argument("--extra", type=pathlib.Path, action="append", default=[],
                        help="one more file, in /lib/socle")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(dir=args.out.parent) as folder:
            stage = pathlib.Path(folder).resolve()
            fill(stage, args)
            image = newc(stage)
    except (BuildError, OSError) as error:
        print(f"guest/initramfs: {error}", file=sys.stderr)
        return 1
    partial = args.out.with_suffix(".partial")
    partial.write_bytes(image)
    partial.replace(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
