#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the demo of a user's VM left is judged with the evidence of something else in its place, or for somebody who
wants something else: the log of another boot, the TPM of another VM, another firmware, an older image. `socle verify`
refuses each by the check and with the exit status that docs/evidence.md names for it. The demo's second boot is the
other VM: of the same image, with keys of its own.

    vm_negatives_test.py --programs BUILD [--demo FOLDER]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/demo")]
import demo  # noqa: E402
import negatives_test as negatives  # noqa: E402
from results import Results  # noqa: E402

FILES = {"report.bin", "manifest.bin", "selector.bin", "context.bin", "certs.bin", "quote.msg", "quote.sig",
         "quote.pcrs", "eventlog.bin", "ask.pem", "vcek.pem"}
QUOTE = ("quote.msg", "quote.sig", "quote.pcrs")
KEY = ("manifest.bin", "selector.bin", "context.bin")
UNUSED = 0x40000  # of the flash: behind the variables that a real machine keeps there, far before what is compressed
FIRMWARE = ROOT / "build/ovmf-forky/OVMF.fd"


def measure(socle, image):
    return subprocess.run([socle, "igvm", "measure", image], capture_output=True, text=True, check=True).stdout.strip()


def with_patched_firmware(options, folder):
    """The measurement of the same Socle with a firmware of which one byte is another."""
    flash = bytearray(FIRMWARE.read_bytes())
    flash[UNUSED] ^= 1
    patched = folder / "OVMF.fd"
    patched.write_bytes(flash)
    words = types.SimpleNamespace(programs=options.programs, socle=options.socle, profile=demo.PROFILES["tcg"],
                                  firmware=patched, host="kvm-svsm", image_option=[])
    return demo.build_image(words, folder)[1]


def of_older_image(options, folder):
    """The measurement of an image that differs in one bit of what Socle brings."""
    image = folder / "older.igvm"
    negatives.flip_archive_byte(options.demo / "socle.igvm", image)
    return measure(options.socle, image)


def policies(options, work):
    """What another relying party demands: the demo's policy with one rule that is another, by name."""
    rules = json.loads((options.demo / "policy.json").read_text())
    firmware = rules["boot"] | {"firmware": rules["boot"]["firmware"] | {"volume of the second phase": "11" * 32}}
    changes = {
        "patched": {"measurements": {"a firmware with one byte patched": with_patched_firmware(options, work)}},
        "newer": {"measurements": {"a newer Socle": of_older_image(options, work)}},
        "svn": {"id_key_digests": {"an owner": "22" * 48}, "minimum_svn": 2},
        "volume": {"boot": firmware},
    }
    paths = {"own": options.demo / "policy.json"}
    for name, change in changes.items():
        paths[name] = work / f"{name}.json"
        paths[name].write_text(json.dumps(rules | change))
    return paths


def cases():
    """Name, exit status, checks that have to fail, files from the other VM, whose policy."""
    return [
        ("the VM's own evidence", 0, set(), (), "own"),
        ("the log of another boot", 7, {"event-log-quote"}, ("eventlog.bin",), "own"),
        ("quote and log of another VM's TPM", 6, {"quote-signature", "quote-nonce"}, (*QUOTE, "eventlog.bin"), "own"),
        ("the key of another VM's TPM", 5, {"report-data", "quote-signature"}, KEY, "own"),
        ("another VM's TPM, with its quote", 5, {"report-data", "quote-nonce"}, (*KEY, *QUOTE, "eventlog.bin"), "own"),
        ("all of another VM's evidence", 5, {"report-data", "quote-nonce"}, tuple(FILES), "own"),
        ("another firmware in the image", 4, {"measurement"}, (), "patched"),
        ("another firmware in the log", 7, {"boot-firmware"}, (), "volume"),
        ("an older image", 4, {"measurement"}, (), "newer"),
        ("an image of an older security version", 3, {"guest-svn"}, (), "svn"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--demo", type=Path, default=ROOT / "build/demo")
    options = parser.parse_args()
    options.socle = options.programs / "tools/socle"
    result = Results("demo of a VM, negatives")
    for folder in ("evidence", "changed/evidence"):
        found = {path.name for path in (options.demo / folder).iterdir()}
        result(found == FILES, f"files of {folder}", sorted(found ^ FILES))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "evidence"
        wanted = policies(options, Path(work))
        for name, status, checks, files, policy in cases():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(options.demo / "evidence", folder)
            for file in files:
                shutil.copy(options.demo / "changed/evidence" / file, folder / file)
            code, failing, error = negatives.verify(options.socle, folder, "--trust-emulated", "--policy",
                                                    wanted[policy], "--mine", options.demo / "mine")
            result(code == status and checks <= failing and bool(checks) == bool(failing), name,
                   f"exit status {code}, failing {sorted(failing)} {error}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
