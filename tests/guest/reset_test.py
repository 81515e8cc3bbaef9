#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a reset is under Socle: the guest resets the machine by a port, and the host launches it anew. Each line of
docs/reset.md that says what becomes of something has a result here, of two lives of one machine.

    reset_test.py --programs BUILD [--kernel DIR] [--guest DIR] [--work DIR]
"""

import json
import re
import subprocess
import sys

import booted
from results import Results  # booted knows where it is

TIMEOUT_S = 1200  # of both, as a busy computer needs
LIVES = 2
STARTED = re.compile("started, .* measurement ([0-9a-f]{96})$")
TOLD = re.compile(r"@reset (\S+) (\S+) ?([^\r\n]*)")
ZEROS = "0" * 64
INDEX = "0x1500016"  # the guest's, as reset_init has it


def run(options, image):
    """The digests of the launches, until the last life has told all or there is an end."""
    digests = []
    words = [options.programs / "tools/socle", "run", "--cpus", booted.CPUS, "--log-dir", options.work,
             "--report-key-dir", booted.ROOT / "build/report-keys", "--timeout", TIMEOUT_S, "--on-reboot", "restart",
             image]
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as process:
        for line in process.stdout:
            found = STARTED.search(line)
            digests += [found[1]] if found else []
            if len(digests) == LIVES + 1:
                process.terminate()
                process.stdout.read()  # until it has said why it ends, and written it down
                break
    return digests


def lives_of(log):
    """Of each life what it told: (when, what) -> value."""
    lives, now = [], {}
    for when, what, value in TOLD.findall(log):
        now[when, what] = value.strip()
        if (when, what) == ("boot", "ends"):
            lives.append(now)
            now = {}
    return lives


def main():
    options = booted.parser(__doc__, "reset").parse_args()
    booted.prepare(options)
    result = Results("reset")
    digests = run(options, booted.build(options, booted.HERE / "reset_init"))
    lives = lives_of(booted.log_of(options))[:LIVES]
    svsm = (options.work / "svsm.log").read_text(errors="replace")
    timeline = json.loads((options.work / "timeline.json").read_text())
    if not result(len(lives) == LIVES and timeline["restarts"] >= LIVES, "the machine has two lives",
                  f"{len(lives)}, {timeline['stop']}, {booted.last_words(options)}"):
        return result.finish()

    def each(name, when, what, wanted):
        values = [life.get((when, what)) for life in lives]
        result(all(wanted(value) for value in values), name, str(values))
        return values

    result(len(set(digests)) == 1, "measurement: the same launch digest", str(set(digests)))
    reported = each("  which reports have", "boot", "measurement", lambda value: value == digests[0])
    result(len(set(reported)) == 1, "  in every life", str(reported))
    result(svsm.count("socle: services ready") >= LIVES, "Socle: starts anew each time", svsm[-300:])
    each("PCRs: as they start", "before", "pcr16", lambda value: value == ZEROS)
    extended = each("  and extended by the guest", "after", "pcr16", lambda value: value not in (None, ZEROS))
    result(len(set(extended)) == 1, "  to the same value in each life", str(extended))
    indices = each("NV: no index of the guest's", "before", "indices",
                   lambda value: value not in (None, "failed") and INDEX not in value)
    result(len(set(indices)) == 1, "  the same ones in each life", str(indices))
    each("  and then that one", "after", "indices", lambda value: INDEX in (value or ""))
    each("counters: a new one, at the count of all that were", "after", "nv", lambda value: value == "0000000000000001")
    each("sessions: none", "before", "sessions", lambda value: value == "0")
    each("  and one that the guest saves", "after", "sessions", lambda value: value == "1")
    resets = each("resetCount: that of a TPM that was just made", "before", "resets",
                  lambda value: value not in (None, ""))
    result(len(set(resets)) == 1, "  the same in each life", str(resets))
    clocks = [[int(life.get((when, "clock")) or 0) for when in ("before", "after")] for life in lives]
    ahead = [clock[0] - 1000 * float(life.get(("before", "uptime")) or 0)
             for clock, life in zip(clocks, lives, strict=True)]
    result(all(0 < before < after for before, after in clocks), "clock: goes in each life", str(clocks))
    # One that went on would have all of the life before, ahead of the kernel's.
    result(all(value < clocks[0][1] for value in ahead), "  and begins with it",
           f"ahead of the kernel's by {ahead} ms")
    print(f"# clock {clocks} ms, NV indices {set(indices)}, resetCount {set(resets)}")
    manifests = each("attested keys: there are such", "boot", "manifest",
                     lambda value: re.fullmatch("[0-9a-f]{64}", value or ""))
    result(len(set(manifests)) == LIVES, "  others in each life", str(manifests))
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
