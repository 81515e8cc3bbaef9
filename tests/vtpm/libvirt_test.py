#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest of libvirt's whose TPM is ours, by its external backend (libvirt 9.0 and later): SeaBIOS measures
what it measures in a plain QEMU guest, and the program ends with the guest. Without virsh it is skipped.

    libvirt_test.py SOCLE PROFILE_DIR
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from firmware_test import READY_S, boot, pcrs, serve_on, until_measured  # noqa: E402
from results import Results  # noqa: E402
from served import World, raw  # noqa: E402

result = Results("vtpm libvirt")

NAME = "socle-vtpm-test"
DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <tpm model='tpm-tis'>
      <backend type='external'>
        <source type='unix' mode='connect' path='{path}'/>
      </backend>
    </tpm>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-chardev'/><qemu:arg value='file,id=firmware,path={log}'/>
    <qemu:arg value='-device'/><qemu:arg value='isa-debugcon,iobase=0x402,chardev=firmware'/>
  </qemu:commandline>
</domain>
"""


def as_user(home, *words):
    """A command, and its environment, of libvirt's session, which root has none of: then it is nobody's."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    return {"args": [*drop, *map(str, words)],
            "env": dict(os.environ, HOME=str(home), XDG_RUNTIME_DIR=str(home), XDG_CONFIG_HOME=str(home),
                        XDG_CACHE_HOME=str(home))}


def virsh(home, *words):
    return subprocess.run(**as_user(home, "virsh", "-c", "qemu:///session", *words), capture_output=True, text=True,
                          check=False, timeout=60)


def boot_by_libvirt(home, path, log):
    """Until SeaBIOS has found nothing to boot."""
    log.parent.chmod(0o777)
    path.chmod(0o666)
    (log.parent / "domain.xml").write_text(DOMAIN.format(name=NAME, path=path, log=log))
    created = virsh(home, "create", log.parent / "domain.xml")
    result(created.returncode == 0, "libvirt starts a guest with an external TPM", created.stderr)
    try:
        for _ in range(READY_S * 10):
            if log.exists() and "No bootable device" in log.read_text(errors="replace"):
                break
            time.sleep(0.1)
        else:
            result(False, "its firmware comes to its end", log.exists() and log.read_text(errors="replace")[-500:])
    finally:
        gone = virsh(home, "destroy", NAME)
    result(gone.returncode == 0, "and ends it", gone.stderr)


def measured(world, start):
    """What a boot leaves in the PCRs; start(folder, path, log) boots."""
    def run(folder):
        state, path = folder / "state", folder / "socket"
        with serve_on(world, state, path) as it:
            start(folder, path, folder / "log")
            ended = it.wait(timeout=20)
        with world.served("--state", state, "--swtpm", "--flags", "startup-state",
                          profile="firmware") as it, it.client() as client:
            return pcrs(lambda command: raw(client, command)), ended
    return run


def main():
    socle, profiles = sys.argv[1:3]
    if not shutil.which("virsh") or not shutil.which("libvirtd"):
        result.skip("libvirt", "no virsh, or no libvirtd")
        print("vtpm libvirt: 0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        home = Path(work) / "home"
        home.mkdir()
        Path(work).chmod(0o755)
        home.chmod(0o777)
        daemon = subprocess.Popen(**as_user(home, "libvirtd", "--timeout", "120"), stderr=subprocess.DEVNULL)
        try:
            ours, ended = until_measured(world.work, "libvirt", measured(
                world, lambda _, path, log: boot_by_libvirt(home, path, log)))
        finally:
            daemon.terminate()
            daemon.wait()
        result(ended == 0, "socle vtpm serve ends with the guest", ended)
        plain, _ = until_measured(world.work, "plain", measured(world, lambda _, path, log: boot(path, log)))
        # PCR 1 has the SMBIOS tables, in which libvirt says which machine it is.
        result(all(any(pcr) for pcr in ours) and ours[:1] + ours[2:] == plain[:1] + plain[2:],
               "the PCRs but 1 are those of a plain QEMU guest", [(a.hex(), b.hex()) for a, b in zip(ours, plain)])
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
