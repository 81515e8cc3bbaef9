# SPDX-License-Identifier: MIT
"""What the tests share that boot Linux under Socle: their options, the image, and its run."""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
CPUS = 2
LOG_LINES = 15

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/lib")]
import channel  # noqa: E402


def parser(description, work):
    """Options of every such test; work is the folder below build/ that it writes to."""
    known = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    known.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    known.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    known.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    known.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / work)
    return known


def prepare(options):
    """Makes paths absolute, and the folder of the test an empty one."""
    for name, path in vars(options).items():
        if isinstance(path, pathlib.Path):
            setattr(options, name, path.resolve())
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)


def run(*command):
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)


def initramfs(options, init, extra=(), modules=()):
    """The first file system of a guest that runs init, which begins with common.sh. modules: more of the
    kernel's. Without a folder as options.guest it has no module of this project."""
    out = options.work / "initramfs.cpio"
    own = ["--module", options.guest / "socle_tpm.ko"] if options.guest else []
    run("guest/initramfs/build.py", "--kernel", options.kernel, *own, "--agent", options.programs / "guest/socle-guest",
        "--init", init, *(word for path in (HERE / "common.sh", *extra)
                          for word in ("--extra", path)),
        *(word for name in modules for word in ("--kernel-module", name)), "--out", out)
    return out


def vmlinuz(options):
    """The kernel's file."""
    return options.kernel / "root/boot" / f"vmlinuz-{(options.kernel / 'version').read_text().strip()}"


def fetch(*words):
    """What is wrong, if that script cannot fetch it."""
    done = subprocess.run([ROOT / "scripts" / words[0], *words[1:]], check=False, capture_output=True, text=True)
    return (done.stderr.strip() or "no reason") if done.returncode else ""


def ovmf(suite, build="OVMF"):
    """The file of a build of Debian's OVMF, and what is wrong, if it cannot be had."""
    folder = ROOT / f"build/ovmf-{suite}"
    return folder / f"{build}.fd", fetch("fetch-ovmf.sh", "--suite", suite, "--dir", folder)


def part_evidence(options):
    """The folders of the evidence and of the relying party's own, to which the root of the chain goes that
    `--certs-out` has left in the first."""
    evidence, mine = options.work / "evidence", options.work / "mine"
    mine.mkdir(exist_ok=True)
    (evidence / "ark.pem").replace(mine / "ark.pem")
    return evidence, mine


def image(options, first, *more):
    """An image of the kernel with this first file system. more: options of `socle igvm build`."""
    out = options.work / "guest.igvm"
    run(options.programs / "tools/socle", "igvm", "build", "-q", "-o", out,
        "--kernel", vmlinuz(options), "--initrd", first, *more)
    return out


def build(options, init, extra=(), cmdline=""):
    """An image of Socle with the services that a demo has, and a guest that runs init. cmdline: more words
    for its kernel."""
    return with_socle(options, initramfs(options, init, extra), f"console=ttyS0 quiet panic=-1 {cmdline}".strip(), CPUS)


def socle(options):
    """Options of `socle igvm build` for Socle with the services that a demo has."""
    return ("--monitor", options.programs / "monitor/monitor.elf",
            "--file", f"services/services={options.programs / 'services/services'}",
            "--file", f"services.conf={ROOT / 'services/services.conf'}",
            "--file", f"profile/tcg.conf={ROOT / 'profiles/tcg.conf'}")


def with_socle(options, first, append, cpus, *more):
    """The same of that first file system. more: options of `socle igvm build`."""
    return image(options, first, *socle(options), "--append", append, "--cpus", cpus, *more)


STARTS = ("firmware", "image", "socle")


def started(options, first, append):
    """Of a guest of this kernel and first file system: the image, and options of `socle run`. options.by, one of
    STARTS, says what starts the kernel: OVMF of trixie, an image of the two at VMPL0, or one of Socle and the two."""
    if options.by == "image":
        return image(options, first, "--plain-linux", "--c-bit", 47, "--append", append, "--cpus", options.cpus), []
    if options.by == "socle":
        return with_socle(options, first, append, options.cpus), []
    firmware, missing = ovmf("trixie")
    if missing:
        sys.exit(f"OVMF: {missing}")
    return None, ["--firmware", firmware, "--kernel", vmlinuz(options), "--initrd", first, "--append", append]


def boot(options, file, seconds, *more, cpus=CPUS):
    """The lines that the guest's first program writes to its second serial port, which the kernel
    leaves alone, and what went wrong with the machine, or None. more: options of `socle run`. The
    lines are in results.log, too. file: the image; None where more has firmware."""
    with tempfile.TemporaryDirectory() as folder:
        port = f"{folder}/results"
        machine = subprocess.Popen(
            [options.programs / "tools/socle", "run", "--quiet", "--cpus", str(cpus), "--log-dir",
             options.work, "--report-key-dir", ROOT / "build/report-keys", "--timeout",
             str(seconds), "--channel", f"unix:{port}", *more, *([file] if file else [])],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            text = read_port(port, machine, seconds)
            _, errors = machine.communicate()
        except BaseException:
            machine.terminate()
            machine.communicate()
            raise
    (options.work / "results.log").write_bytes(text)
    lines = text.decode(errors="replace").splitlines()
    if machine.returncode != 0:
        return lines, errors.strip() or "socle run failed"
    return lines, None


def read_port(path, machine, seconds):
    """All that comes out of the serial port until the machine ends."""
    text = bytearray()
    try:
        with channel.connect(path, lambda: machine.poll() is None,
                             time.monotonic() + seconds) as line:
            while data := line.recv(65536):
                text += data
    except (channel.ChannelError, ConnectionResetError):
        pass  # `socle run` says why
    return text


def log_of(options):
    """What the guest's kernel said."""
    log = options.work / "guest.log"
    return log.read_text(errors="replace") if log.exists() else ""


def last_words(options):
    """The end of that, for a test that failed without a verdict."""
    return log_of(options).splitlines()[-LOG_LINES:]
