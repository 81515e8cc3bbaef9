#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uses what the packages installed, as people would: a TPM, the library, a verdict, and a guest of Debian's own
kernel, initramfs and DKMS under Socle. Runs in a system that has the packages and nothing of the tree.

    use_packages.py [--kernel VERSION]

Without --kernel the guest is left out: Debian 12's own kernels know no SVSM.
"""

import argparse
import base64
import io
import secrets
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from results import Results  # noqa: E402

SHARE, LIB = Path("/usr/share/socle"), Path("/usr/lib/socle")
results = Results("packages in use")
# Only what hangs takes so long, on a computer that has other work, too.
LONGEST_S, GUEST_S = 600, 1500

# The library by python3-socle: its version, and what it says of a policy that has no such field.
PYTHON = """
import socle_verify
print(socle_verify.library_version())
try:
    socle_verify.Policy({"format": 1, "look_at": "report", "vmlp": 0})
except socle_verify.Error as error:
    print(error)
"""
# Runs in the initramfs before the root file system is looked for, and ends the guest.
SCRIPT = """#!/bin/sh
[ "$1" != prereqs ] || exit 0
exec >/dev/ttyS1
modprobe configfs
mount -t configfs none /sys/kernel/config
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ ! -c /dev/tpmrm0 ] || break
	sleep 0.5
done
mkdir /run/e
socle-guest attest --key ak-ecc-p256 --nonce NONCE -o /run/e &&
	socle-guest quote --key ak-ecc-p256 --nonce NONCE -o /run/e && /usr/bin/tar -c -f - -C /run/e . | /usr/bin/base64
poweroff -f
"""
HOOK = """#!/bin/sh
[ "${1:-}" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
copy_exec /usr/bin/socle-guest
copy_exec /usr/bin/tar
copy_exec /usr/bin/base64
manual_add_modules configfs
"""


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, check=False,
                          timeout=options.pop("timeout", LONGEST_S), **options)


def check_tpm(folder):
    process = subprocess.Popen(["socle", "vtpm", "serve", "--port", "0", "--profile",
                                SHARE / "profile/tcg.conf"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    port = process.stdout.readline().split()[-1]
    made = run("tpm2_createprimary", "-T", f"mssim:host=127.0.0.1,port={port}", "-C", "e", "-G", "ecc",
               "-c", folder / "key")
    results(made.returncode == 0, "tpm2_createprimary on socle vtpm serve", made.stderr)
    process.terminate()
    results(process.wait(LONGEST_S) == 0, "which ends with 0")


def check_library():
    said = run("python3", "-c", PYTHON, cwd="/")
    version = run("socle", "--version").stdout.decode().split()[-1]
    results(said.stdout.decode() == f"{version}\nvmlp: there is no such field\n", "libsocle-verify by python3-socle",
            said.stdout + said.stderr)
    named = list(Path("/usr/lib").glob("*/libsocle-verify.so"))
    results(len(named) == 1 and named[0].exists(), "libsocle-verify-dev names a library that is there", named)


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make_initramfs(kernel, nonce, folder):
    write_script(Path("/etc/initramfs-tools/scripts/init-premount/socle-test"),
                 SCRIPT.replace("NONCE", nonce))
    write_script(Path("/etc/initramfs-tools/hooks/socle-test"), HOOK)
    made = run("mkinitramfs", "-o", folder / "initrd", kernel)
    listed = run("lsinitramfs", folder / "initrd").stdout.decode()
    results(made.returncode == 0 and "socle_tpm.ko" in listed and "60-socle.rules" in listed,
            "the initramfs has module and rule", made.stderr)
    return folder / "initrd"


def build_image(kernel, initrd, folder):
    made = run("socle", "igvm", "build", "-q", "-o", folder / "image", "--monitor", LIB / "monitor.elf",
               "--file", f"services/services={LIB / 'services'}",
               "--file", f"services.conf={SHARE / 'services.conf'}",
               "--file", f"profile/tcg.conf={SHARE / 'profile/tcg.conf'}", "--memory", "512M",
               "--kernel", f"/boot/vmlinuz-{kernel}", "--initrd", initrd,
               "--append", "console=ttyS0 quiet")
    results(made.returncode == 0, "socle igvm build of the distribution's kernel", made.stderr)


def receive(path, box):
    """What the guest wrote to its second serial port, until the machine ends."""
    deadline = time.monotonic() + LONGEST_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        while part := line.recv(1 << 16):
            box.append(part)


def boot(folder):
    """The evidence that the guest sent, as a folder."""
    box = []
    reader = threading.Thread(target=receive, args=(folder / "line", box), daemon=True)
    reader.start()
    machine = run("socle", "run", "--quiet", "--memory", "512M", "--channel", f"unix:{folder / 'line'}",
                  "--log-dir", folder / "logs", "--certs-out", folder / "mine", "--timeout", GUEST_S,
                  folder / "image", timeout=GUEST_S + 60)
    reader.join(10)
    results(machine.returncode == 0, "Debian's guest powers off", machine.stderr)
    (folder / "evidence").mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(b"".join(box)))) as archive:
            archive.extractall(folder / "evidence")
        results(True, "its evidence")
    except tarfile.TarError as error:
        results(False, "its evidence", error)
        print((folder / "logs/guest.log").read_text(errors="replace")[-3000:])


def verify(folder, *words):
    return run("socle", "verify", "--trust-emulated", "--mine", folder / "mine", *words,
               folder / "evidence")


def check_guest(kernel, folder):
    nonce = secrets.token_bytes(64)
    build_image(kernel, make_initramfs(kernel, nonce.hex(), folder), folder)
    boot(folder)
    (folder / "mine/nonce.bin").write_bytes(nonce)
    verdict = verify(folder, "--image", folder / "image")
    results(verdict.returncode == 0, "a verdict on its evidence", verdict.stdout + verdict.stderr)
    (folder / "mine/nonce.bin").write_bytes(bytes(64))
    verdict = verify(folder, "--image", folder / "image")
    results(verdict.returncode == 5, "and another with another nonce", verdict.stdout)


def check_module(kernel):
    found = list(Path("/lib/modules", kernel).rglob("socle_tpm.ko*"))
    results(len(found) == 1, f"DKMS built the module for {kernel}", found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kernel")
    options = parser.parse_args()
    results(run("socle", "--version").stdout.startswith(b"socle "), "socle --version")
    results(run("socle-guest", "attest", "--help").returncode == 0, "socle-guest attest --help")
    with tempfile.TemporaryDirectory() as name:
        check_tpm(Path(name))
        check_library()
        if options.kernel:
            check_module(options.kernel)
            check_guest(options.kernel, Path(name))
        else:
            results.skip("a guest", "this distribution's kernel knows no SVSM")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
