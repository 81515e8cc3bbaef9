#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the benches do before and behind what they measure: the services of each side, options that exclude each other,
costs without limits and the other way round, limits of which a page tells, and why a process failed.

    bench_test.py

What they compare is one service apart only if all others are on both sides.
"""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/lib")]
import boot_speed  # noqa: E402
import device_speed  # noqa: E402
import exit_cost  # noqa: E402
import interrupts  # noqa: E402
import machine  # noqa: E402
import machine_speed  # noqa: E402
from results import Results  # noqa: E402


def sides(result):
    usual = machine.services_of(interrupts.services(True))
    left = machine.services_of(interrupts.services(False))
    result("ahead" in usual and left == [name for name in usual if name != "ahead"],
           "without work ahead: all other services", str(left))
    conf = (ROOT / "services/services.conf").read_text()
    left = machine.services_of(boot_speed.without_tpm(conf))
    result(left == [name for name in usual if name not in boot_speed.TPM] and left, "without a TPM: all other services",
           str(left))
    for name in usual:
        lines = [line for line in machine.without_service(conf, name).splitlines() if line.startswith("\t")]
        rest = [line for line in conf.splitlines() if line.startswith("\t")]
        result(all(line in rest for line in lines) and len(lines) < len(rest),
               f"without {name}: fewer lines, and none new")
    try:
        machine.without_service(conf, "nobody")
        result(False, "a service that is not there is not taken out")
    except ValueError as error:
        result("nobody" in str(error), "a service that is not there is not taken out", str(error))


def exclusions(result):
    for bench, words in (("device_speed", "--floor --only machine"), ("device_speed", "--floor --work trips"),
                         ("device_speed", "--floor --check"), ("device_speed", "--only plain --check"),
                         ("device_speed", "--work trips"), ("device_speed", "--floor --json out"),
                         ("boot_speed", "--only alone --check"), ("boot_speed", "--only alone --json out"),
                         ("machine_speed", "--floor --only plain"), ("machine_speed", "--floor --check"),
                         ("machine_speed", "--only machine --check")):
        run = subprocess.run([ROOT / f"bench/{bench}.py", "--programs", "/nowhere", *words.split()], check=False,
                             capture_output=True, text=True)
        last = (run.stderr.strip() or "nothing").splitlines()[-1]
        result(run.returncode == 2 and f"{bench}.py: error: " in last, f"{bench} takes no {words}", last)


def limits(result):
    """Whether it is said what was not measured, and what has no limit."""
    for costs, fine, wanted in (({"one": 110, "two": 10}, True, None),
                                ({"one": 111, "two": 10}, False, "above the limit"),
                                ({"one": 100}, False, "two"), ({"one": 100, "two": 10, "three": 1}, False, "three")):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            judged = exit_cost.show(costs, {"one": 100, "two": 10})
        result(judged == fine and (wanted or "one") in said.getvalue(), f"costs {costs}", said.getvalue())


def boot_ratios(result):
    """Each boot beside the one that it is to be compared with, and none above its limit unsaid."""
    def starts(**seconds):
        return {side: [SimpleNamespace(times=dict.fromkeys(boot_speed.PARTS, [value]))]
                for side, value in seconds.items()}

    for times, fine in (({"socle": 10, "tpm": 10, "tpmless": 11.4, "alone": 10}, True),
                        ({"socle": 10.1, "tpm": 10, "tpmless": 10, "alone": 10}, False),
                        ({"socle": 10, "tpm": 10, "tpmless": 11.6, "alone": 10}, False),
                        ({"socle": 16.1, "tpm": 30, "tpmless": 10, "alone": 10}, False),
                        ({"socle": 15.9, "tpm": 30, "tpmless": 10, "alone": 10}, True)):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            judged = boot_speed.show(boot_speed.results_of(starts(**times)))
        result(judged == fine and ("above the limit" in said.getvalue()) != fine, f"boots of {times}", said.getvalue())


def documented(result):
    """Goals and limits of firmware, disk and network are those of the page's table, in its order."""
    text = (ROOT / "docs/machine-limits.md").read_text()
    text = text[text.index("### Firmware, disks and networks"):]
    rows = [line.strip("|").split("|") for line in text[text.index("|---"):].split("\n\n")[0].splitlines()[1:]]
    told = [(float(row[1].split(",")[0]), float(row[-1])) for row in rows]
    has = [(device_speed.GOALS[name], device_speed.LIMITS[name]) for name in device_speed.WHAT]
    result(told == has, "limits of device_speed as docs/machine-limits.md has them", f"{told}, {has}")
    ratios = [float(row[-2]) for row in rows]
    most = [1.2 * (ratio + 0.05) for ratio in ratios]  # the page rounds
    result(all(limit <= at for (_, limit), at in zip(has, most, strict=True)), "  each 1.2 times what was measured",
           f"{has}, {ratios}")


def words(result):
    """Why a process failed is in the error: before there was a port, while it was used, and where it only ends
    badly."""
    def nothing():
        pass

    def port_fails():
        raise RuntimeError("no port")

    for script, use in (("echo begun >&2; echo why >&2; exit 3", port_fails),
                        ("echo begun >&2; echo why >&2; exit 3", nothing),
                        ("trap 'echo why >&2; exit 3' TERM; echo begun >&2; while :; do sleep 0.05; done", port_fails)):
        process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if "trap" in script:
            process.stderr.readline()
        else:
            process.wait()
        try:
            with machine_speed.ends(process):
                use()
            error = "none"
        except RuntimeError as failed:
            error = str(failed)
        result("why" in error and process.poll() is not None, f"a process's words: {script}, {use.__name__}", error)


def main():
    result = Results("benches")
    sides(result)
    exclusions(result)
    limits(result)
    boot_ratios(result)
    documented(result)
    words(result)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
