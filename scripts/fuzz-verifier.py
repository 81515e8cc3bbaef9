#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fuzzes each reader of the verifier from what the tests have of its input, and says what that reaches.

    fuzz-verifier.py [--seconds N] [--lines] [READER]...

Runs scripts/fuzz.sh for N seconds (3) each, so that the eleven together take as long as six of them did at 6; any
finding fails. --lines, by hand: a build by gcc runs each corpus once more and counts the lines of the reader's files
that have run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

# The fuzzer's file, and the files that read for it.
READERS = {
    "report": ("core/evidence/tests/fuzz_report_input.c", [f"core/evidence/host/{name}.c" for name in (
        "report_input", "report_json", "report_proto", "cert_table", "amd_crl")]),
    "log": ("core/evidence/tests/fuzz_event_log.c", [f"core/evidence/host/{name}.c" for name in (
        "event_log", "event_words", "uefi_variable")]),
    "selector": ("core/tpm/tests/fuzz_selector.c", ["core/tpm/selector.c", "core/evidence/vtpm_manifest.c"]),
    "policy": ("tools/libverify/tests/fuzz_policy.c", ["tools/libverify/policy.c"]),
    "evidence": ("tools/libverify/tests/fuzz_evidence.c", [
        "tools/libverify/evidence.c", "tools/libverify/boot_checks.c", "core/evidence/host/event_log.c",
        "core/evidence/host/event_words.c", "core/tpm/host/tpm_quote.c", "core/tpm/host/tpm_public.c",
        "core/evidence/vtpm_manifest.c"]),
    "request": ("tools/verify_serve/tests/fuzz_request.c", ["tools/verify_serve/judge.c"]),
    "chain": ("core/evidence/tests/fuzz_chain.c", [f"core/evidence/host/{name}.c" for name in (
        "amd_chain", "amd_certificates", "certificate", "ek_certificate", "public_key")]),
    "quote": ("core/tpm/tests/fuzz_quote.c",
              ["core/tpm/host/tpm_quote.c", "core/tpm/host/tpm_public.c", "core/tpm/wire.c"]),
    "parts": ("tools/libverify/tests/fuzz_parts.c", ["tools/libverify/evidence.c"]),
    "folder": ("tools/verify/tests/fuzz_folder.c", ["tools/verify/folder.c"]),
    "fetched": ("tools/certs/tests/fuzz_fetched.c", ["tools/certs/kds.c", "core/evidence/host/amd_crl.c"]),
}
# What a fuzzer needs besides the library.
COMMAND = [f"tools/{name}.c" for name in ("cmd", "options", "options_help")]
MORE = {"request": [*COMMAND, "tools/verify_serve/judge.c", "tools/verify/ear.c"], "fetched": ["tools/certs/kds.c"],
        "folder": [*COMMAND, "tools/verify/folder.c", "tests/lib/scratch_dir.c"]}
PEM = ["core/evidence/tests/fuzz_pem.c"]  # of the fuzzers of certificates

result = Results("verifier fuzz")


def fuzz(name, seconds):
    run = subprocess.run([ROOT / "scripts/fuzz.sh", name, str(seconds)], capture_output=True, text=True,
                         errors="replace", check=False)
    done = re.search(r"stat::number_of_executed_units: (\d+)", run.stderr)
    reached = re.findall(r"cov: (\d+)", run.stderr)
    result(run.returncode == 0 and done and int(done[1]) > 0,
           f"{name}: nothing is found in {done[1] if done else 'no'} inputs, "
           f"{reached[-1] if reached else 'no'} edges are reached", run.stderr[-2000:])


def library_sources():
    """What the library is made of, as the build files list it."""
    sources = []
    for folder, name in (("tools", "verify_library_sources"), ("core", "core_verify_free_sources"),
                         ("core", "core_verify_host_sources")):
        lists = (ROOT / folder / "meson.build").read_text()
        listed = re.search(rf"^{name} = files\((.*?)\)", lists, re.S | re.M)[1]
        sources += [f"{folder}/{path}" for path in re.findall(r"'(.*?)'", listed)]
    return sources


def count_lines(name):
    fuzzer, files = READERS[name]
    sources = library_sources() + [fuzzer, "core/image/tests/fuzz_files.c", *MORE.get(name, []),
                                   *(PEM if name in ("chain", "fetched") else [])]
    with tempfile.TemporaryDirectory(prefix="socle-coverage-") as folder:
        program = Path(folder) / "reader"
        subprocess.run(["gcc", "-std=gnu17", "-O0", "--coverage", "-D_GNU_SOURCE", '-DSOCLE_VERSION="0"', "-I", ROOT,
                        "-o", program, *(ROOT / path for path in sources), "-ljansson", "-lcrypto"],
                       cwd=folder, check=True)
        subprocess.run([program, ROOT / "build/fuzz" / name], cwd=folder, check=True, capture_output=True)
        run = subprocess.run(["gcov", "-n", *(f"reader-{Path(path).stem}.gcda" for path in files)], cwd=folder,
                             check=True, capture_output=True, text=True)
    found = dict(re.findall(r"File '.*/((?:core|tools)/\S+\.c)'\nLines executed:([\d.]+%) of", run.stdout))
    print(f"# {name}: " + ", ".join(f"{path} {found.get(path, 'not at all')}" for path in files))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("readers", nargs="*", metavar="READER", default=list(READERS))
    options = parser.parse_args()
    for name in options.readers:
        if options.seconds:
            fuzz(name, options.seconds)
        if options.lines:
            count_lines(name)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
