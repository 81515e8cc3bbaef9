#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stock Debian 13 under Socle with what its users do with a TPM: OVMF 2026.08 and systemd-boot start it from a disk;
its first file system loads Socle's module, so that `systemd-analyze has-tpm2` says yes before udev starts; a LUKS
volume in crypttab, enrolled by systemd-cryptenroll to PCR 7, opens again in the same launch and not after a reboot,
when the recovery key does; then the same by PCR 11, in a boot without systemd's phase units. COCONUT's release tests of
a guest's TPM pass, by tpm2-tools, and the agent runs in containers of systemd-nspawn: two at once, killed, and where
something is missing.

    distro_test.py --programs BUILD [--cpus N] [--memory SIZE] [--seconds N] [--keep] [--work DIR]

The judges are Debian's: systemd, cryptsetup, tpm2-tools. Each result that a life has to give is listed here, so a guest
that stops early fails. The system is made of Debian's packages below build/debian-distro; --keep takes the one that is
there.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

import booted
import one_kernel  # booted knows where it is
from results import Results

SUITE, HOST = "forky", "kvm-svsm"  # whose OVMF has a driver for the SVSM's TPM
APPEND = "root=LABEL=debian-root rw console=ttyS0 quiet"
PACKAGES = ("cryptsetup-bin", "systemd-cryptsetup", "systemd-container", "tpm2-tools", "libtss2-rc0t64",
            "libtss2-tcti-device0t64", "dbus", "procps")
HEADERS = booted.ROOT / "build/kernel-trixie"
VOLUME_SIZE = 64 << 20
HAS_TPM2 = "TPM: has-tpm2 before udev"
FIRST_LIFE = (
    HAS_TPM2, "LUKS: a volume with a recovery key", "LUKS: enrolled to PCR 7", "LUKS: opened by crypttab",
    "LUKS: filled", "LUKS: closed", "LUKS: opened again in the same launch", "LUKS: and holds what it held",
    "LUKS: closed again", "COCONUT: seal", "COCONUT: unseal", "COCONUT: seal with PCRs", "COCONUT: unseal with PCRs",
    "COCONUT: self test", "COCONUT: event log", "COCONUT: report", "agent: two containers at once, as process 1",
    "agent: killed in its request, and started again", "agent: says that configfs is not mounted",
    "agent: says what is read-only", "agent: says that there is no TPM", "COCONUT: PCR 3 extended",
    "COCONUT: not unsealed any more", "LUKS: PCR 7 extended", "LUKS: not opened any more", "LUKS: by the recovery key",
    "phase units: masked")
SECOND_LIFE = (
    HAS_TPM2, "LUKS: crypttab's unit gives up after a reboot", "LUKS: and has not opened it",
    "LUKS: by the recovery key", "LUKS: enrolled to PCR 11", "LUKS: opened by crypttab", "LUKS: and holds what it held",
    "LUKS: closed", "LUKS: opened again in the same launch", "LUKS: closed again", "LUKS: PCR 11 extended",
    "LUKS: not opened any more")
# How each life ends, as timeline.json has it.
ENDS = ("reboot", "poweroff")


def command(*words, **options):
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"distro_test: {words[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def make_module(folder):
    """The module for Debian 13's kernel, of its headers."""
    command(booted.ROOT / "scripts/fetch-kernel.sh", "--suite", "trixie")
    command(booted.ROOT / "guest/module/build.sh", HEADERS, folder / "module")


def make_system(options, folder):
    """A Debian with the guest's side of Socle, as the package brings it, and what this test runs there; without both
    where its kernel is not the module's."""
    scripts = booted.ROOT / "scripts"
    hook = booted.HERE / "distro_hook.sh"
    agent = options.programs / "guest/socle-guest"
    made_of = hashlib.sha256()
    for path in (folder / "module/socle_tpm.ko", agent, booted.HERE / "distro_lives.sh",
                 *sorted((booted.ROOT / "guest/system").iterdir())):
        made_of.update(path.read_bytes())
    with_these = folder / "with"
    if not with_these.exists() or with_these.read_text() != made_of.hexdigest():
        (folder / "version").unlink(missing_ok=True)
    print("# " + command(scripts / "make-debian.sh", "--dir", folder, "--measuring", "--include", ",".join(PACKAGES),
                         "--hook", hook, env={**os.environ, "DISTRO_MODULE": str(folder / "module/socle_tpm.ko"),
                                              "DISTRO_AGENT": str(agent), "DISTRO_SOURCES": str(booted.ROOT)}).strip())
    with_these.write_text(made_of.hexdigest())


def make_both(options, folder):
    """Module and system, of one kernel."""
    def again():
        make_system(options, folder)

    def module_again():
        make_module(folder)
        again()

    module_again()
    try:
        one_kernel.agree(HEADERS, folder, module_again, again)
    except one_kernel.Differ as error:
        sys.exit(f"distro_test: the system: {error}")


def make_disks(options, folder):
    """The one that boots, the unified kernel on it, and an empty one."""
    command(booted.ROOT / "scripts/fetch-loaders.sh")
    disk, unified, volume = (options.work / name for name in ("disk.img", "debian.efi", "volume.img"))
    command(booted.ROOT / "scripts/make-disk.py", "--loader", "systemd-boot", "--kernel", folder / "vmlinuz",
            "--initrd", folder / "initrd.img", "--append", APPEND, "--root", folder / "root.ext4", "--keep-uki",
            unified, disk)
    with volume.open("wb") as file:
        file.truncate(VOLUME_SIZE)
    return disk, unified, volume


def make_image(options):
    firmware, missing = booted.ovmf(SUITE)
    if missing:
        sys.exit(f"distro_test: OVMF: {missing}")
    out = options.work / "socle.igvm"
    command(options.programs / "tools/socle", "igvm", "build", "-q", "-o", out, "--host", HOST, *booted.socle(options),
            "--firmware", firmware)
    return out


def predicted(options, unified):
    """PCR -> the values that it may have, by the files alone."""
    made = json.loads(command(options.programs / "tools/socle", "policy", "make", "--no-secure-boot", "--uki", unified,
                              "--loader", booted.ROOT / "build/loaders/systemd-bootx64.efi"))
    return made["pcrs"]["sha256"]


def live(options, image, disks, number):
    """The lines of this life, and how it ended."""
    options.work = options.top / f"life-{number}"
    options.work.mkdir()
    words = ["--memory", options.memory, "--host", HOST]
    for disk in disks:
        words += ["--disk", f"{disk},format=raw"]
    lines, problem = booted.boot(options, image, options.seconds, *words, cpus=options.cpus)
    timeline = json.loads((options.work / "timeline.json").read_text())
    return [line.strip() for line in lines], timeline["stop"]["reason"], problem


def judge(result, number, lines, wanted):
    """Each result of the life by name: those that it has to give, once each, and no other."""
    said = {}
    for line in lines:
        if found := re.fullmatch(rf"@{number} (ok|not ok) ([^:]+: [^:]+)(?:: (.*))?", line):
            said.setdefault(found[2], []).append((found[1] == "ok", found[3]))
    for name in wanted:
        rows = said.pop(name, None)
        result(rows and all(ok for ok, _ in rows), f"life {number}, {name}", rows[0][1] if rows else "no word of it")
    result(not said, f"life {number}: no other results", str(said))
    for line in lines:
        if line.startswith(f"@{number} #"):
            print(f"# {line}")


def pcr(lines, number, index):
    return next((line.split()[-1].lower() for line in lines if line.startswith(f"@{number} pcr {index} ")), None)


def main():
    parser = booted.parser(__doc__, "distro")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--seconds", type=int, default=1500, help="after which a life is given up")
    parser.add_argument("--keep", action="store_true", help="take the system that is there")
    options = parser.parse_args()
    booted.prepare(options)
    options.top = options.work
    folder = booted.ROOT / "build/debian-distro"
    if not options.keep:
        folder.mkdir(parents=True, exist_ok=True)
        make_both(options, folder)
    disk, unified, volume = make_disks(options, folder)
    image, result = make_image(options), Results("distro")
    values, measured = predicted(options, unified), []
    for number, (wanted, end) in enumerate(zip((FIRST_LIFE, SECOND_LIFE), ENDS, strict=True), 1):
        lines, stop, problem = live(options, image, (disk, volume), number)
        judge(result, number, lines, wanted)
        if not result(stop == end, f"life {number} ends by {end}", f"{stop}, {problem}"):
            print("\n".join(booted.last_words(options)))
        measured.append({index: pcr(lines, number, index) for index in (7, 11)})
    result(measured[0][7] is not None and measured[0][7] == measured[1][7],
           "PCR 7 is the same in both lives: the TPM is not", str(measured))
    result(measured[0][7] in values["7"], "and the predicted one", str(measured))
    result(measured[1][11] in values["11"], "PCR 11 is the predicted one without phase units", str(measured))
    result(measured[0][11] not in (None, *values["11"]), "and not with them", str(measured))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
