#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keys that the SVSM makes over many calls, in a guest: cached then, two at a time, given up in the
middle, beside the guest's own TPM commands. And what calls cost there, as ratios of one run: with a
selector, against the sequence of TPM commands and a report that it replaces.

    probe_test.py --programs BUILD [--parts tests,times,hold,hold3072] [--work build/probe-test]
        [--json FILE]
"""

import json
import pathlib
import re
import statistics
import sys

import booted
from results import Results

TIMEOUT_S = 400
PARTS = {"tests": ("new-and-cached", "own-key", "own-key-3072", "two-at-once",
                   "two-of-one-template", "caller-killed", "tpm-caller-killed",
                   "tpm-meanwhile"),
         "times": (), "hold": (), "hold3072": ()}
# Name, sample and base, and what they are.
LIMIT = 0.60
RATIOS = (
    ("guest_ecc", "call_ecc", "sequence_ecc",
     "attest a P-256 key of the profile in one call / make it, read it, flush it, and a report"),
    ("guest_cached_rsa", "call_rsa", "sequence_rsa", "the same with a cached RSA-2048 key"),
    ("guest_new_ecc", "call_new_ecc", "sequence_ecc", "the same with a new P-256 template"),
)
# Part, which is the samples' name, and what it is called and is.
HOLDS = (("hold", "guest_rsa_hold", "the guest's own RSA-2048 TPM2_CreatePrimary"),
         ("hold3072", "guest_rsa3072_hold", "the guest's own RSA-3072 TPM2_CreatePrimary"))
HOLD_LIMIT_US = 10e6  # half of what Linux takes for a soft lockup
TIME = re.compile(r"^time (\w+) (\d+)\s*$", re.MULTILINE)


def build(options):
    parts = options.work / "parts"
    parts.write_text("\n".join(options.parts) + "\n")
    return booted.build(options, booted.HERE / "probe_init",
                        [options.programs / "tests/guest/attest-probe", parts])


def boot(options, image):
    """The guest's lines, and what went wrong with it or with the machine, or None."""
    lines, problem = booted.boot(options, image, TIMEOUT_S)
    if not problem and "ok all parts" not in lines:
        problem = "the guest does not end well"
    return "\n".join(lines), problem


def ratios(samples):
    for name, value, base, what in RATIOS:
        value, base = statistics.median(samples[value]), statistics.median(samples[base])
        yield {"name": name, "what": what, "us": value, "base_us": base,
               "ratio": round(value / base, 4), "limit": LIMIT}


def holds(samples):
    for part, name, what in HOLDS:
        if part in samples:
            yield {"name": name, "what": what, "us": max(samples[part]),
                   "samples_us": samples[part], "limit_us": HOLD_LIMIT_US}


def judge(result, options, text, problem):
    """Every result, and the measurements."""
    result(not problem, "machine", problem or "")
    done = set(re.findall(r"^ok (.*)$", text, re.MULTILINE))
    failed = re.findall(r"^FAIL ([\w-]*)(?:: )?(.*)$", text, re.MULTILINE)
    for name, detail in failed:
        result(False, name, detail)
    for name in (name for part in options.parts for name in PARTS[part]):
        if name not in dict(failed):
            result(name in done, name, "not run")
    samples = {}
    for name, us in TIME.findall(text):
        samples.setdefault(name, []).append(int(us))
    for part, name, _ in HOLDS:
        if part in options.parts and part not in samples:
            result(False, name, "nothing was measured")
    found = {"format": 1, "results": [], "holds": [], "new_rsa_us": samples.get("new_rsa", [])}
    if not result.failed:
        found["results"] = list(ratios(samples)) if "times" in options.parts else []
        found["holds"] = list(holds(samples))
    for r in found["results"]:
        result(r["ratio"] <= LIMIT, r["name"], f"{r['ratio']} is above {LIMIT}")
    for h in found["holds"]:
        result(h["us"] <= HOLD_LIMIT_US, h["name"], f"{h['us']} us is above {HOLD_LIMIT_US:.0f}")
    return found


def show(found):
    for r in found["results"]:
        print(f"{r['name']:18} {r['us']:9.0f} us / {r['base_us']:9.0f} us = {r['ratio']:.3f}  "
              f"(limit {LIMIT})")
    for h in found["holds"]:
        print(f"{h['name']:18} {h['us']:9.0f} us at most, of {len(h['samples_us'])}  "
              f"(limit {HOLD_LIMIT_US:.0f})")


def parse_arguments():
    parser = booted.parser(__doc__, "probe-test")
    parser.add_argument("--json", type=pathlib.Path,
                        default=booted.ROOT / "build/guest-times.json")
    parser.add_argument("--parts", default=",".join(PARTS),
                        help=f"what to run, of {','.join(PARTS)}")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    if not set(options.parts) <= set(PARTS):
        parser.error(f"--parts takes some of {','.join(PARTS)}")
    return options


def main():
    options = parse_arguments()
    booted.prepare(options)
    text, problem = boot(options, build(options))
    if problem:
        print("\n".join([*booted.last_words(options), text]))
    result = Results("probe")
    found = judge(result, options, text, problem)
    options.json.write_text(json.dumps(found, indent=2) + "\n")
    show(found)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
