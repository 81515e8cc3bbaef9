#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The disk of VMPL0 and the channel of tests: what a guest does with them, and what the host sees of it.

    devices_test.py SOCLE GUEST HV KEYS
"""

import fcntl
import pathlib
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

SECTOR, SECTORS, RULES = 512, 64, 56
VMSA, CPUID_PAGE, SECRETS_PAGE = 0x700000, 0x701000, 0x702000
WRITTEN = {5: 0xa5, 6: 0xa5, 63: 0x5a}  # by the guest: tests/machine/guest/svsm_disk.c
QUESTION, ANSWER = b"how much?\n", b"4711\n"


def contents(written=()):
    return b"".join(bytes([dict(written).get(n, (7 * n + 1) & 0xff)]) * SECTOR for n in range(SECTORS))


def answer(path, asked):
    """Plays the program at the other end of COM4, once."""
    for _ in range(300):
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(60)
            try:
                channel.connect(str(path))
                while not asked or asked[-1:] != b"\n":
                    asked += channel.recv(1)
                channel.sendall(ANSWER)
                channel.recv(1)  # until the machine ends
            except FileNotFoundError:
                time.sleep(0.1)
                continue
            except OSError:
                pass
            return


def try_guest(result, socle, image, hv, keys, folder):
    disk, path, logs, asked = folder / "disk.raw", folder / "channel", folder / "logs", bytearray()
    disk.write_bytes(contents())
    host = threading.Thread(target=answer, args=(path, asked), daemon=True)
    host.start()
    stop, output = machine.run(socle, image, logs, keys, "--cpus", 2, "--memory", "64M", "--hv", hv, "--svsm-disk",
                               disk, "--test-channel", f"unix:{path}")
    host.join(10)
    lines = machine.log_of(logs).splitlines()
    for line in lines:
        if line.startswith(("ok ", "not ok ")):
            result(line.startswith("ok "), line.partition("ok ")[2])
    result(stop and stop.get("code") == 0 and sum(line.startswith("ok ") for line in lines) == RULES,
           f"{RULES} rules, and the guest ends", f"{stop} {output} {lines[-3:]} "
           f"{sum(line.startswith('ok ') for line in lines)}")
    result(disk.read_bytes() == contents(WRITTEN), "on the host the sectors that it wrote have changed, and no others")
    result(bytes(asked) == QUESTION, "the host was asked at COM4", asked)
    result(not path.exists(), "and the socket is gone")


def try_misuse(result, socle, image, hv, keys, folder):
    """Disks that are none; nothing starts."""
    def refusal(disk):
        return machine.command(socle, "run", "--quiet", "--hv", hv, "--memory", "64M", "--report-key-dir", keys,
                               "--timeout", 20, "--svsm-disk", disk, image)

    empty, odd, used = folder / "empty", folder / "odd", folder / "used"
    empty.write_bytes(b"")
    odd.write_bytes(b"x" * 513)
    used.write_bytes(b"x" * 512)
    for disk, what in ((folder / "missing", "No such file"), (folder, "Is a directory"), (empty, "its size"),
                       (odd, "its size"), (pathlib.Path("/dev/null"), "neither a regular file")):
        status, output = refusal(disk)
        result(status == 1 and output.count("\n") == 0 and str(disk) in output and what in output,
               f"no disk: {disk.name}", f"{status} {output}")
    with used.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        status, output = refusal(used)
    result(status == 1 and "another machine" in output, "nor one that another machine has", f"{status} {output}")


def main():
    socle, guest, hv, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
    result = Results("devices")
    with tempfile.TemporaryDirectory(prefix="socle-devices-") as name:
        folder = pathlib.Path(name)
        image = machine.must_build(socle, folder / "guest.igvm", "--memory", "64M", "--bare", guest, "--vmsa",
                                   hex(VMSA), "--cpuid-page", hex(CPUID_PAGE), "--secrets-page", hex(SECRETS_PAGE))
        try_guest(result, socle, image, hv, keys, folder)
        try_misuse(result, socle, image, hv, keys, folder)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
