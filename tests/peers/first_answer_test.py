#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a guest's firmware has from an SVSM's vTPM first, by one guest under Socle and under COCONUT-SVSM:
TPM2_Startup, TPM2_GetRandom and a key, and how often VMPL0 had left the processor by then.

    first_answer_test.py SOCLE MONITOR SERVICES GUEST PAGE KEYS [--coconut FILE] [--firmware FILE]

GUEST is tests/peers/guest/first_answer.c. FILE is an image of COCONUT-SVSM, with its vTPM, with that guest as its
firmware, made by its own builder from what --firmware writes; without it that half is skipped. docs/peers.md has
what the instructions were.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import firmware

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

COUNTED = ("hlt", "nae.", "msr.")  # as in bench/start.py
result = Results("first answer")


def exits_of_vmpl0(logs):
    kinds = json.loads((logs / "timeline.json").read_text())["exits"]
    return sum(kind["by_vmpl"][0] for kind in kinds if kind["kind"].startswith(COUNTED))


def judge(options, folder, name, image):
    logs = folder / name
    stop, output = machine.run(options.socle, image, logs, options.keys, "--host", "kvm-svsm", "--cpus", "1",
                               "--memory", "512M")
    good = stop and stop["reason"] == "guest_terminated" and stop["set"] == 10 and stop["code"] == 0
    said = machine.log_of(logs, "guest.log").replace("\r", "")
    result(good and "ok 1 - " in said, f"under {name}", f"{output} {said[-300:]}")
    if good:
        print(f"# under {name} VMPL0 had {exits_of_vmpl0(logs)} exits by then")


def socle_image(options, folder, packed):
    file = folder / "firmware.fd"
    file.write_bytes(packed)
    return machine.must_build(
        options.socle, folder / "socle.igvm", "--monitor", options.monitor, "--host", "kvm-svsm", "--firmware", file,
        files={"services/services": options.services, "services.conf": ROOT / "services/services.conf",
               "profile/tcg.conf": ROOT / "profiles/tcg.conf"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    for name in ("socle", "monitor", "services", "guest", "page", "keys"):
        parser.add_argument(name, type=lambda word: Path(word).resolve())
    parser.add_argument("--coconut", type=Path)
    parser.add_argument("--firmware", type=Path)
    options = parser.parse_args()
    packed = firmware.pack(options.guest.read_bytes(), options.page.read_bytes(), for_socle=True)
    if options.firmware:
        options.firmware.write_bytes(packed)
    with tempfile.TemporaryDirectory(prefix="socle-first-answer-") as name:
        folder = Path(name)
        judge(options, folder, "Socle", socle_image(options, folder, packed))
        if options.coconut:
            judge(options, folder, "COCONUT", options.coconut)
        else:
            result.skip("under COCONUT", "no image was given")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
