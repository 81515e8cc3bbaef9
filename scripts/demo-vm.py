#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A user's VM under Socle, attested, and then the same VM with its command line changed by the host.

    demo-vm.py --programs BUILD [--build JOBS] [--build-dir build/demo] [--cpus N] [--memory SIZE]
               [--timeout SECONDS]

The VM is a Debian on a disk: OVMF 2026.08, which Socle's image has, finds systemd-boot on the disk, and that a unified
kernel image. The relying party has those files and says from them what will be measured (`socle policy make`); it sends
one nonce, and has report, attested key, quote, certificates and the boot's log in one answer. In the second half the
host has put another command line into the kernel image: `socle verify` does not trust that boot, which is the wanted
end, and the last lines say what differed. Firmware, loader and system are Debian's packages, fetched and made below
build/ the first time. With --build what the demo needs of the programs is built meanwhile, which is a sixth of all.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import channel
import demo
import one_kernel
from demo import ROOT, StepFailed, run, shown

SUITE = "forky"  # whose OVMF has a driver for the SVSM's TPM
APPEND = "root=LABEL=debian-root rw console=ttyS0 quiet"
# A root shell on the console, which is the host's.
CHANGED = f"{APPEND} systemd.debug_shell=ttyS0"
SYSTEM, KERNEL = "debian-trixie", "kernel-trixie"  # what make-debian.sh and fetch-kernel.sh leave below build/
PROGRAMS = ("tools/socle", "machine/hv/hv.bin", "monitor/monitor.elf", "services/services", "guest/socle-guest")
LARGE = 64 << 20  # files of more bytes are known by their time
END_S = 10  # for a program that is to end
NOT_TRUSTED = 6  # the first check that fails is that of the PCRs' values
# The checks that a changed command line has to fail, and no others: the kernel image has other bytes, and so
# has what PCR 4 and PCR 11 hold.
DIFFER = {"pcr-values", "boot-programs", "boot-files", "boot-command-line"}


class Parts:
    """What is fetched and built at once: where the block fails, all is ended that is under way, programs with their
    own."""

    def __init__(self, progress):
        self.progress = progress
        self.lock = threading.Lock()
        self.processes, self.ended = [], False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is not None:
            self.end()

    def start(self, step, command, **options):
        """In a session of its own, so that it can be ended with what it has started."""
        with self.lock:
            if self.ended:
                raise StepFailed(step, "another part failed")
            try:
                process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, start_new_session=True, **options)
            except OSError as error:
                raise StepFailed(step, str(error)) from error
            self.processes.append(process)
        return process

    def run(self, step, command):
        process = self.start(step, command, stderr=subprocess.PIPE)
        output, errors = process.communicate()
        return demo.output_of(step, command[0],
                              subprocess.CompletedProcess(command, process.returncode, output, errors))

    def end(self):
        with self.lock:
            self.ended = True
        for number, seconds in ((signal.SIGTERM, END_S), (signal.SIGKILL, None)):
            running = [process for process in self.processes if process.poll() is None]
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)


def fetch(parts, step, script, *words):
    """What is fetched or made once; its last line says what is there."""
    said = parts.run(step, [ROOT / "scripts" / script, *words]).decode(errors="replace").strip().splitlines()
    parts.progress.say(said[-1] if said else step)


def fetch_firmware(parts):
    try:
        fetch(parts, "firmware", "fetch-ovmf.sh", "--suite", SUITE)
    except StepFailed as error:
        raise StepFailed("firmware", f"OVMF 2026.08 of Debian's {SUITE} cannot be had ({error}); `make demo-direct` "
                         "boots a guest without firmware") from error


def fetch_headers(parts):
    fetch(parts, "kernel's headers", "fetch-kernel.sh", "--suite", "trixie")


def make_system(parts):
    fetch(parts, "system", "make-debian.sh")


def build(options, parts):
    """The programs that the demo needs, by ninja, which says how many steps it has done."""
    command = ["ninja", "-C", options.programs, "-j", options.build, *PROGRAMS]
    lines = []
    with parts.start("build", command, stderr=subprocess.STDOUT, text=True, errors="replace") as ninja:
        for line in ninja.stdout:
            lines.append(line)
            if found := re.match(r"\[(\d+)/(\d+)\]", line):
                parts.progress.go_on(f"{found[1]} of {found[2]} steps of the build are done")
    if ninja.returncode:
        if not parts.ended:
            print("".join(lines[-demo.LOG_LINES:]), file=sys.stderr)
        raise StepFailed("build", f"ninja exited with {ninja.returncode}")
    parts.progress.say("the programs are built")


def prepare(options, progress):
    """Debian's packages, below build/, and the programs: what waits for the network beside what computes."""
    progress.begin("Debian's packages are fetched, and a system made of them, which takes minutes the first time")
    with concurrent.futures.ThreadPoolExecutor() as pool, Parts(progress) as parts:
        works = [pool.submit(fetch_firmware, parts), pool.submit(fetch, parts, "loader", "fetch-loaders.sh"),
                 pool.submit(make_system, parts), pool.submit(fetch_headers, parts)]
        if options.build:
            works.append(pool.submit(build, options, parts))
        for made in concurrent.futures.as_completed(works):
            if made.exception():
                progress.say(f"{made.exception()}; the others are ended")
            made.result()
        try:
            one_kernel.agree(ROOT / "build" / KERNEL, ROOT / "build" / SYSTEM, lambda: fetch_headers(parts),
                             lambda: make_system(parts))
        except one_kernel.Differ as error:
            raise StepFailed("system", str(error)) from error
        fetch(parts, "module", "../guest/module/build.sh", ROOT / "build" / KERNEL, options.work / "module")


def key_of(files, *words):
    """What something is made of: files by their content, large ones by size and time."""
    key = hashlib.sha256()
    for path in files:
        state = path.stat()
        large = state.st_size > LARGE
        key.update(f"{path.name} {state.st_size} {state.st_mtime_ns if large else ''}\n".encode())
        key.update(b"" if large else path.read_bytes())
    key.update("\n".join(words).encode())
    return key.hexdigest()


def made_of(out, key):
    """Whether it is there and was made of that."""
    note = out.with_suffix(".key")
    return out.exists() and note.exists() and note.read_text() == key


@contextlib.contextmanager
def making(out, key):
    """Notes what it is made of when it is made; until then nothing says that it fits, whatever interrupts."""
    note = out.with_suffix(".key")
    note.unlink(missing_ok=True)
    yield
    note.write_text(key)


def make_root(options):
    """The system with the guest's side of Socle in it; made anew when one of them has changed."""
    system, out = ROOT / "build" / SYSTEM / "root.ext4", options.work / "root.ext4"
    module, agent = options.work / "module/socle_tpm.ko", options.programs / "guest/socle-guest"
    key = key_of((system, module, agent, ROOT / "scripts/put-guest.py", *sorted((ROOT / "guest/system").iterdir())))
    if not made_of(out, key):
        with making(out, key):
            run("system",
                [ROOT / "scripts/put-guest.py", "--module", module, "--agent", agent, "--power-off", system, out])
    return out


def make_disk(options, root, name, append):
    """A disk that boots this command line, and the unified kernel image on it; anew when what is on it has changed."""
    system, loaders = ROOT / "build" / SYSTEM, ROOT / "build/loaders"
    disk, unified = options.work / f"{name}.img", options.work / f"{name}.efi"
    maker = ROOT / "scripts/make-disk.py"
    key = key_of((root, system / "vmlinuz", system / "initrd.img", *sorted(loaders.iterdir()), maker), append)
    if not (made_of(disk, key) and unified.exists()):
        with making(disk, key):
            run("disk",
                [maker, "--loader", "systemd-boot", "--kernel", system / "vmlinuz", "--initrd", system / "initrd.img",
                         "--append", append, "--root", root, "--keep-uki", unified, disk])
    return disk, unified


def make_policy(options, image, unified, folder):
    """What the relying party demands of image and boot, by the files alone."""
    policy = folder / "policy.json"
    run("policy", [options.socle, "policy", "make", "--image", image, "--firmware", options.firmware, "--uki", unified,
                   "--loader", ROOT / "build/loaders/systemd-bootx64.efi", "--no-secure-boot", "-o", policy])
    return policy


def talk(line, authority, folder, mine, options, progress):
    """One nonce, and one answer."""
    hello = demo.check_hello(line.expect(channel.HELLO, time.monotonic() + options.timeout), options)
    options.marks["guest_up"] = time.monotonic_ns()
    progress.say(f"the guest is up: Linux {hello.get('kernel')}, {hello['cpus']} processors",
                 "the guest attests its key")
    demo.attest_key(line, folder, mine, options)
    if not (folder / demo.EVENT_LOG).exists():
        raise StepFailed("evidence", "the guest sent no log of its boot", "guest.log")
    progress.say(f"in one answer: the report, {options.profile.key} that the SVSM attested, its quote, certificates "
                 "and the log of the boot", "the guest powers off")
    line.send(channel.BYE)


def boot(options, image, folder, disk, progress):
    progress.begin("the machine starts")
    options.marks = {}
    _, marks = demo.run_machine(options, image, folder, progress, ["--disk", f"{disk},format=raw,snapshot=on"], talk)
    demo.add_events(folder, options.marks | marks)


def times_of(folder):
    """How long each part of a boot took, in words."""
    events = json.loads((folder / "timeline.json").read_text())["events"]
    parts = (("Socle's start", "machine_start", "vmpl2_entry"),
             ("firmware, loader and system", "vmpl2_entry", "guest_up"),
             ("evidence", "guest_up", "evidence"), ("power-off", "evidence", "end"))
    return ", ".join(f"{name} {(events[end]['ns'] - events[start]['ns']) / 1e9:.0f} s" for name, start, end in parts)


def words_of(policy, folder):
    return ["--trust-emulated", "--policy", policy, "--mine", folder / "mine", folder / "evidence"]


def events_of(verdict):
    return verdict.get("boot", {}).get("events", [])


def first_half(options, policy, progress):
    """It is trusted, and by name: firmware, loader and kernel."""
    words = ["--explain", *words_of(policy, options.build_dir)]
    verdict = demo.run_verify(options, options.build_dir / "verdict.json", words)
    measured = next(check for check in verdict["checks"] if check["name"] == "measurement")
    progress.say(f"the image is {measured['found']}")
    for event in events_of(verdict):
        if event["standing"] == "named":
            progress.say(f"PCR {event['pcr']}: {event['words']}")
    progress.say(f"socle verify: {len(verdict['checks'])} checks passed")
    progress.say("that was: socle verify " + " ".join(map(shown, words)))


def second_half(options, image, policy, unified, progress):
    """What `socle verify` has against the other boot: for the right reasons, and no others. unified: what was booted,
    of which a policy holds, so that nothing else differs."""
    folder = options.build_dir / "changed"
    status, verdict = demo.judge(options, folder / "verdict.json", words_of(policy, folder))
    failing = {check["name"]: check["error"] for check in verdict["checks"] if check["result"] == "fail"}
    if status != NOT_TRUSTED or not failing or not set(failing) <= DIFFER or "boot-command-line" not in failing:
        raise StepFailed("verify", f"exit status {status} for the changed command line, failing: "
                         f"{', '.join(failing) or 'nothing'}")
    progress.say("socle verify does not trust the boot whose command line the host has changed")
    own = make_policy(options, image, unified, folder)
    demo.run_verify(options, folder / "verdict-changed.json", words_of(own, folder))
    progress.say("it would by a policy with that command line: nothing else differs")
    return failing


@contextlib.contextmanager
def logs_in(folder):
    """A step that fails here has left its logs there."""
    try:
        yield
    except StepFailed as error:
        error.folder = folder
        raise


def demo_vm(options, progress):
    folder, changed = options.build_dir, options.build_dir / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    changed.mkdir(parents=True)
    options.work.mkdir(parents=True, exist_ok=True)
    prepare(options, progress)
    progress.begin("image and disk are made")
    image, measurement = demo.build_image(options, folder)
    root = make_root(options)
    disk, unified = make_disk(options, root, "demanded", APPEND)
    policy = make_policy(options, image, unified, folder)
    progress.say(f"socle.igvm with OVMF is built, measurement {measurement[:16]}..., and a disk with a Debian")
    # The second disk is made while the first boots.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        other = pool.submit(make_disk, options, root, "changed", CHANGED)
        boot(options, image, folder, disk, progress)
        first_half(options, policy, progress)
        progress.say("verdict: trusted (emulated)")
        disk, unified = other.result()
    progress.say(f"now the host puts another command line on the disk: {CHANGED!r}")
    with logs_in(changed):
        boot(options, image, changed, disk, progress)
        return second_half(options, image, policy, unified, progress)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--build", metavar="JOBS", help="build the programs first, with as many jobs")
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build/demo")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/demo-system",
                        help="what is made once and used again")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--timeout", type=int, default=1200, help="seconds for the machine, each time")
    parser.add_argument("--machine-option", action="append", default=[], help="one more word for socle run")
    options = parser.parse_args()
    options.programs = options.programs.resolve()
    options.build_dir, options.work = options.build_dir.resolve(), options.work.resolve()
    options.socle, options.keys = options.programs / "tools/socle", ROOT / "build/report-keys"
    options.firmware, options.host = ROOT / f"build/ovmf-{SUITE}/OVMF.fd", "kvm-svsm"
    options.profile = demo.PROFILES["tcg"]
    options.image_option = []
    return options


def main():
    options = parse_arguments()
    progress = demo.Progress()
    try:
        failing = demo_vm(options, progress)
    except StepFailed as error:
        print(f"demo: failed: {error.step}: {error}", file=sys.stderr)
        if error.log:
            demo.show_log(error.folder or options.build_dir, error.log)
        return 1
    except (OSError, KeyboardInterrupt, subprocess.SubprocessError, json.JSONDecodeError) as error:
        print(f"demo: {error or 'interrupted'}", file=sys.stderr)
        return 1
    progress.begin(None)
    for name, folder in (("first boot", options.build_dir), ("second boot", options.build_dir / "changed")):
        print(f"{name}: {times_of(folder)}")
    print(f"what differed, for the demanded command line {APPEND!r}:")
    for name, why in failing.items():
        print(f"  {name}: {why}")
    print("verdict: trusted (emulated); with the command line changed: not trusted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
