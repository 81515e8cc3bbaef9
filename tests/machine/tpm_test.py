#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A TPM of the host's (--tpm): what a guest finds and starts, ours and swtpm, and what the host says where there is
none.

    tpm_test.py SOCLE GUEST HV KEYS
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402
from served import running  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = 14
VMSA, CPUID_PAGE, SECRETS_PAGE = 0x700000, 0x701000, 0x702000
SECONDS = 60  # of each machine; the whole test has the time of three, and of two TPMs that start and end
ENDS = 7  # of `socle run`, where the emulator failed


def tpms(result, socle, folder):
    """Each, its command and its socket."""
    state, path = folder / "swtpm", folder / "swtpm.sock"
    state.mkdir()
    if shutil.which("swtpm"):
        yield "swtpm", ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl",
                        f"type=unixio,path={path}"], path
    else:
        result.skip("swtpm", "it is not installed")
    path = folder / "socle.sock"
    yield "socle vtpm serve", [socle, "vtpm", "serve", "--profile", ROOT / "profiles/firmware.conf", "--socket",
                               path], path


def try_tpm(result, name, tpm, start):
    with running(*tpm, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        stop, output, logs = start(name.replace(" ", "-"), tpm[1])
    lines = machine.log_of(logs).splitlines()
    for line in lines:
        if line.startswith(("ok ", "not ok ")):
            result(line.startswith("ok "), f"{name}: {line.partition('ok ')[2]}")
    result(stop and stop.get("code") == 0 and sum(line.startswith("ok ") for line in lines) == RULES,
           f"{name}: {RULES} rules, and the guest ends", f"{stop} {output} {lines[-3:]}")


def main():
    socle, guest, hv, keys = (pathlib.Path(word).resolve() for word in sys.argv[1:5])
    result = Results("tpm")
    with tempfile.TemporaryDirectory(prefix="socle-tpm-") as name:
        folder = pathlib.Path(name)
        image = machine.must_build(socle, folder / "guest.igvm", "--memory", "64M", "--bare", guest, "--vmsa",
                                   hex(VMSA), "--cpuid-page", hex(CPUID_PAGE), "--secrets-page", hex(SECRETS_PAGE))

        def start(what, path):
            return *machine.run(socle, image, folder / what, keys, "--cpus", 1, "--memory", "64M", "--hv", hv, "--tpm",
                                f"unix:{path}", seconds=SECONDS), folder / what

        for which, command, path in tpms(result, socle, folder):
            try_tpm(result, which, (command, path), start)
        stop, output, _ = start("none", folder / "nobody")
        wanted = f"QEMU ended with status 1: .*Failed to connect to '{re.escape(str(folder / 'nobody'))}'"
        result(stop and (stop.get("reason"), stop.get("status")) == ("qemu_died", ENDS) and re.search(wanted, output),
               "where nobody listens it says so", f"{stop} {output}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
