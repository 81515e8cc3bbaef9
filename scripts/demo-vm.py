#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A user's VM under Socle, attested, and then the same VM with its command line changed by the host.

    demo-vm.py --programs BUILD [--build-dir build/demo-firmware] [--cpus N] [--memory SIZE] [--timeout SECONDS]

The VM is a Debian on a disk: OVMF 2026.08, which Socle's image has, finds systemd-boot on the disk, and that a unified
kernel image. The relying party has those files and says from them what will be measured (`socle policy make`); it sends
one nonce, and has report, attested key, quote, certificates and the boot's log in one answer. In the second half the
host has put another command line into the kernel image: `socle verify` does not trust that boot, which is the wanted end, and the
last lines say what differed. Firmware, loader and system are Debian's packages, fetched and made below build/ the first
time.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

import channel
import demo
from demo import ROOT, StepFailed, run, shown

SUITE = "forky"  # whose OVMF has a driver for the SVSM's TPM
APPEND = "root=LABEL=debian-root rw console=ttyS0 quiet"
# A root shell on the console, which is the host's.
CHANGED = f"{APPEND} systemd.debug_shell=ttyS0"
NOT_TRUSTED = 6  # the first check that fails is that of the PCRs' values
# The checks that a changed command line has to fail, and no others: the kernel image has other bytes, and so
# has what PCR 4 and PCR 11 hold.
DIFFER = {"pcr-values", "boot-programs", "boot-files", "boot-command-line"}


def fetch(progress, step, script, *words):
    """What is fetched or made once; its last line says what is there."""
    said = run(step, [ROOT / "scripts" / script, *words]).decode(errors="replace").strip().splitlines()
    progress.say(said[-1] if said else step)


def prepare(options, progress):
    """Debian's packages, below build/."""
    try:
        fetch(progress, "firmware", "fetch-ovmf.sh", "--suite", SUITE)
    except StepFailed as error:
        raise StepFailed("firmware", f"OVMF 2026.08 of Debian's {SUITE} cannot be had ({error}); `make demo-direct` "
                         "boots a guest without firmware") from error
    fetch(progress, "loader", "fetch-loaders.sh")
    fetch(progress, "system", "make-debian.sh")
    fetch(progress, "kernel's headers", "fetch-kernel.sh", "--suite", "trixie")
    of_system, of_headers = ((ROOT / f"build/{name}/version").read_text().strip()
                             for name in ("debian-trixie", "kernel-trixie"))
    if of_system != of_headers:
        raise StepFailed("system", f"its kernel is {of_system}, and the headers are of {of_headers}: "
                         "remove build/debian-trixie and build/kernel-trixie, which are of different days")
    fetch(progress, "module", "../guest/module/build.sh", ROOT / "build/kernel-trixie", options.work / "module")


def make_root(options):
    """The system with the guest's side of Socle in it; made anew when one of them has changed."""
    system, out = ROOT / "build/debian-trixie/root.ext4", options.work / "root.ext4"
    module, agent = options.work / "module/socle_tpm.ko", options.programs / "guest/socle-guest"
    sources = (system, module, agent, ROOT / "scripts/put-guest.py", *(ROOT / "guest/system").iterdir())
    if out.exists() and all(path.stat().st_mtime < out.stat().st_mtime for path in sources):
        return out
    run("system", [ROOT / "scripts/put-guest.py", "--module", module, "--agent", agent, "--power-off", system, out])
    return out


def make_disk(folder, root, append):
    """A disk that boots this command line, and the unified kernel image on it."""
    system = ROOT / "build/debian-trixie"
    disk, unified = folder / "disk.img", folder / "debian.efi"
    run("disk", [ROOT / "scripts/make-disk.py", "--loader", "systemd-boot", "--kernel", system / "vmlinuz", "--initrd",
                 system / "initrd.img", "--append", append, "--root", root, "--keep-uki", unified, disk])
    return disk, unified


def make_policy(options, unified, folder):
    """What the relying party demands of a boot, by the files alone."""
    policy = folder / "policy.json"
    run("policy", [options.socle, "policy", "make", "--uki", unified, "--loader",
                   ROOT / "build/loaders/systemd-bootx64.efi", "--no-secure-boot", "-o", policy])
    return policy


def talk(line, authority, folder, mine, options, progress):
    """One nonce, and one answer."""
    hello = demo.check_hello(line.expect(channel.HELLO, time.monotonic() + options.timeout), options)
    progress.say(f"the guest is up: Linux {hello.get('kernel')}, {hello['cpus']} processors")
    demo.attest_key(line, folder, mine, options)
    if not (folder / demo.EVENT_LOG).exists():
        raise StepFailed("evidence", "the guest sent no log of its boot", "guest.log")
    progress.say(f"in one answer: the report, {options.profile.key} that the SVSM attested, its quote, certificates "
                 "and the log of the boot")
    line.send(channel.BYE)


def boot(options, image, folder, disk, progress):
    demo.run_machine(options, image, folder, progress, ["--disk", f"{disk},format=raw,snapshot=on"], talk)


def words_of(image, policy, folder):
    return ["--trust-emulated", "--policy", policy, "--image", image, "--mine", folder / "mine",
            folder / "evidence"]


def events_of(verdict):
    return verdict.get("boot", {}).get("events", [])


def first_half(options, image, policy, progress):
    """It is trusted, and by name: firmware, loader and kernel."""
    words = ["--explain", *words_of(image, policy, options.build_dir)]
    verdict = demo.run_verify(options, options.build_dir / "verdict.json", words)
    measured = next(check for check in verdict["checks"] if check["name"] == "measurement")
    progress.say(f"the image is {measured['found']}")
    for event in events_of(verdict):
        if event["standing"] == "named":
            progress.say(f"PCR {event['pcr']}: {event['words']}")
    progress.say(f"socle verify: {len(verdict['checks'])} checks passed")
    progress.say("that was: socle verify " + " ".join(map(shown, words)))


def second_half(options, image, policy, unified, progress):
    """What `socle verify` has against the other boot: for the right reasons, and no others. unified: what was booted, of
    which a policy holds, so that nothing else differs."""
    folder = options.build_dir / "changed"
    status, verdict = demo.judge(options, folder / "verdict.json", words_of(image, policy, folder))
    failing = {check["name"]: check["error"] for check in verdict["checks"] if check["result"] == "fail"}
    if status != NOT_TRUSTED or not failing or not set(failing) <= DIFFER or "boot-command-line" not in failing:
        raise StepFailed("verify", f"exit status {status} for the changed command line, failing: "
                         f"{', '.join(failing) or 'nothing'}")
    progress.say("socle verify does not trust the boot whose command line the host has changed")
    demo.run_verify(options, folder / "verdict-changed.json", words_of(image, make_policy(options, unified, folder), folder))
    progress.say("it would by a policy with that command line: nothing else differs")
    return failing


def demo_vm(options, progress):
    folder, changed = options.build_dir, options.build_dir / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    changed.mkdir(parents=True)
    options.work.mkdir(parents=True, exist_ok=True)
    prepare(options, progress)
    image, measurement = demo.build_image(options, folder)
    root = make_root(options)
    disk, unified = make_disk(folder, root, APPEND)
    policy = make_policy(options, unified, folder)
    progress.say(f"socle.igvm with OVMF is built, measurement {measurement[:16]}..., and a disk with a Debian")
    boot(options, image, folder, disk, progress)
    first_half(options, image, policy, progress)
    progress.say("verdict: trusted (emulated)")
    disk, unified = make_disk(changed, root, CHANGED)
    progress.say(f"now the host puts another command line on the disk: {CHANGED!r}")
    boot(options, image, changed, disk, progress)
    return second_half(options, image, policy, unified, progress)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build/demo-firmware")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/demo-system",
                        help="what is made once and used again")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--timeout", type=int, default=420, help="seconds for the machine, each time")
    options = parser.parse_args()
    options.programs = options.programs.resolve()
    options.build_dir, options.work = options.build_dir.resolve(), options.work.resolve()
    options.socle, options.keys = options.programs / "tools/socle", ROOT / "build/report-keys"
    options.firmware, options.host = ROOT / f"build/ovmf-{SUITE}/OVMF.fd", "kvm-svsm"
    options.profile = demo.PROFILES["tcg"]
    options.machine_option, options.image_option = [], []
    return options


def main():
    options = parse_arguments()
    progress = demo.Progress()
    try:
        failing = demo_vm(options, progress)
    except StepFailed as error:
        print(f"demo: failed: {error.step}: {error}", file=sys.stderr)
        if error.log:
            demo.show_log(options.build_dir, error.log)
        return 1
    except (OSError, KeyboardInterrupt, subprocess.SubprocessError, json.JSONDecodeError) as error:
        print(f"demo: {error or 'interrupted'}", file=sys.stderr)
        return 1
    print(f"what differed, for the demanded command line {APPEND!r}:")
    for name, why in failing.items():
        print(f"  {name}: {why}")
    print("verdict: trusted (emulated); with the command line changed: not trusted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
