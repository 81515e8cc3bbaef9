# SPDX-License-Identifier: MIT
"""Images, and their runs on the emulated machine, as `socle igvm` and `socle run` make them."""

import json
import re
import signal
import subprocess
import time

READY = "services ready"  # of Socle's log: it has started
SECONDS = 60


# One thread for all processors, which -icount needs. The clock goes on by a nanosecond an instruction, and so does the
# TSC.
ICOUNT_HZ = 10 ** 9
ICOUNT_QEMU = """#!/bin/sh
for word; do
	shift
	[ "$word" = tcg,thread=multi ] && word=tcg,thread=single
	set -- "$@" "$word"
done
exec qemu-system-x86_64 -icount shift=0,sleep=off "$@"
"""


def icount_qemu(path):
    """A QEMU for `socle run --qemu` at that path, whose clock counts instructions."""
    path.write_text(ICOUNT_QEMU)
    path.chmod(0o755)
    return path


def services_of(conf):
    """Names of the services in the text of a services.conf."""
    return re.findall(r"^service (\S+)$", conf, re.MULTILINE)


def without_service(conf, name):
    """The text of a services.conf without one service's block; all others stay."""
    start = re.search(rf"^service {re.escape(name)}$", conf, re.MULTILINE)
    if not start:
        raise ValueError(f"services.conf has no service {name}")
    after = re.search(r"^service ", conf[start.end():], re.MULTILINE)
    left = conf[:start.start()] + (conf[start.end() + after.start():] if after else "")
    wanted = [other for other in services_of(conf) if other != name]
    if services_of(left) != wanted:
        raise ValueError(f"services.conf without {name} has {services_of(left)}, not {wanted}")
    return left


def with_memory(conf, name, size):
    """The text of a services.conf in which one service has so much memory."""
    text, count = re.subn(rf"(^service {re.escape(name)}\n(?:(?!service ).*\n)*?\tmemory )\S+", rf"\g<1>{size}", conf,
                          flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"services.conf has {count} services {name} with memory")
    return text


def command(*words):
    """Exit status and output of a program."""
    run = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", check=False)
    return run.returncode, run.stdout.strip()


def build(socle, image, *options, files=None):
    """Makes an image; files is what goes into the archive, by name. What is wrong, or nothing."""
    added = [word for name, path in (files or {}).items() for word in ("--file", f"{name}={path}")]
    status, output = command(socle, "igvm", "build", "--quiet", "-o", image, *options, *added)
    return output if status else ""


def must_build(socle, image, *options, files=None):
    wrong = build(socle, image, *options, files=files)
    if wrong:
        raise RuntimeError(wrong)
    return image


def run_words(socle, image, logs, keys, *options, seconds=SECONDS):
    return [str(word) for word in (socle, "run", "--quiet", "--log-dir", logs, "--report-key-dir", keys,
                                   "--timeout", seconds, *options, image)]


def run(socle, image, logs, keys, *options, seconds=SECONDS):
    """Runs a machine until it ends: why it stopped, None when it did not start, and the output."""
    _, output = command(*run_words(socle, image, logs, keys, *options, seconds=seconds))
    timeline = logs / "timeline.json"
    return json.loads(timeline.read_text())["stop"] if timeline.exists() else None, output


def log_of(logs, name="svsm.log"):
    path = logs / name
    return path.read_text(errors="replace") if path.exists() else ""


def run_until_ready(socle, image, logs, keys, *options, seconds=SECONDS, watch=None):
    """Runs a machine until Socle's log says READY, or it ends: that log. watch is called with the
    process and the log as it grows."""
    process = subprocess.Popen(run_words(socle, image, logs, keys, *options, seconds=seconds),
                               stderr=subprocess.DEVNULL)
    text = ""
    try:
        while process.poll() is None and READY not in text:
            time.sleep(0.1)
            text = log_of(logs)
            if watch:
                watch(process, text)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    return text
