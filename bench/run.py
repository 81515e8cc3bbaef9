#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what Socle's vTPM costs, as Linux processes and in a guest: medians, and ratios of medians
of one run, for times alone say more about the computer than about the program.

    run.py --programs BUILD_DIR [--output FILE] [--rounds N] [--check]

With --check it fails when a ratio is above its limit.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
from served import running  # noqa: E402

# A report with a known chain takes at most a third more than the ECDSA in it; a whole process at most half of
# another's, or on one processor, where its start weighs more, a little more than half. Measured with OpenSSL 3.0, both
# with real-time priority on a busy computer: 0.42 and 0.46 (before the keys of certificates were taken apart by
# core/evidence/host/certificate.c in the same runs 0.50 and 0.53); with OpenSSL 3.5 0.50 (0.60), for its start is
# longer, and go-sev-guest is the same program. A fifth is the loader's work on libcrypto, and two fifths the ECDSA.
LIMITS = {"verify_known_chain": 1 / 0.75, "verify_process": 0.5, "verify_process_one_cpu": 0.6,
          "create_and_attest_ecc": 6.0, "cached_rsa": 0.05, "command_mix": 1.0, "command_mix_mssim": 1.0,
          **{f"{name}_{shape}": 1.1 for name in ("get_random", "pcr_extend") for shape in ("swtpm", "mssim")}}


def steady():
    """One processor for all, and before anything else that runs there: programs that wait for each
    other would measure the scheduler, and what else the computer does, more than themselves. In turns (RR),
    so that a swtpm which goes on when its client has left (0.10 does) can be ended from here."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("no real-time priority: the results depend on what else runs", file=sys.stderr)


def output_of(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=True, timeout=300).stdout


def create_and_attest(programs, profile, rounds):
    """The two programs in turns, so that both see the same computer."""
    bare, made = [], []
    for _ in range(rounds):
        bare.append(float(output_of(programs / "bench/create_primary", 60)))
        made.append(float(output_of(programs / "bench/create_attest", programs / "services/vtpm",
                                    profile, "ecc", 20).split()[0]))
    return ratio("create_and_attest_ecc", statistics.median(made), statistics.median(bare),
                 "create and attest a new P-256 key / TPM2_CreatePrimary within the process")


def cached_rsa(programs, profile, rounds):
    made, cached = [], []
    for _ in range(rounds):
        answer = output_of(programs / "bench/create_attest", programs / "services/vtpm", profile,
                           "rsa", 15).split()
        made.append(float(answer[0]))
        cached.append(float(answer[1]))
    return ratio("cached_rsa", statistics.median(cached), statistics.median(made),
                 "attest an RSA-2048 key from the cache / with making it")


def free_ports():
    """Two free ports in a row."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def wait_for(port):
    """Until the port is listened on, without connecting: swtpm serves the first connection only."""
    wanted = f"0100007F:{port:04X}"
    for _ in range(200):
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(line[1] == wanted and line[3] == "0A" for line in lines):
            return
        time.sleep(0.05)
    raise RuntimeError("swtpm does not listen")


def command_mix(programs, profile, rounds, shape):
    """To both in one shape: the mix, and two commands of it that cost next to nothing themselves."""
    port = free_ports()
    # Not on a disk: swtpm leaves what it wrote to the cache, and socle waits until the disk has it.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
        (Path(work) / "swtpm").mkdir()
        socle = [programs / "tools/socle", "vtpm", "serve", f"--{shape}", "--profile", profile,
                 "--flags", "startup-clear", "--port", 0, "--state", Path(work) / "socle"]
        swtpm = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={work}/swtpm", "--server",
                 f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}", "--flags",
                 "not-need-init,startup-clear"]
        with running(socle, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as ours, \
                running(swtpm):
            ours_port = ours.stdout.readline().split()[1]
            wait_for(port)
            text = output_of(programs / "bench/command_mix", ours_port, port, 60 * rounds,
                             "raw" if shape == "swtpm" else "framed")
    commands = {}
    for line in text.splitlines():
        name, first, second = line.split("\t")
        commands[name] = {"socle_us": float(first), "swtpm_us": float(second)}
    total = commands.pop("round")
    result = ratio("command_mix" if shape == "swtpm" else "command_mix_mssim", total["socle_us"],
                   total["swtpm_us"], f"the mix of commands to socle vtpm serve / to swtpm, as --{shape}")
    result["commands"] = commands
    return [result, *(ratio(f"{name}_{shape}", commands[command]["socle_us"], commands[command]["swtpm_us"],
                            f"{command} to socle vtpm serve / to swtpm, as --{shape}")
                      for name, command in (("get_random", "GetRandom"), ("pcr_extend", "PCR_Extend")))]


def vector_folder(folder):
    """A report and its certificates, of the test vectors: files that verify_reports takes."""
    everything = json.loads((ROOT / "docs/spec/vectors/verdicts.json").read_text())
    vector = next(v for v in everything["verdicts"] if v["expected"]["status"] == 0)
    for name, key in {**vector["files"], **vector["mine"]}.items():
        (folder / name).write_bytes(bytes.fromhex(everything["files"][key]))
    return folder


def openssl_verify():
    """Microseconds of one verification with P-384 by `openssl speed`."""
    line = output_of("openssl", "speed", "-seconds", "1", "ecdsap384").splitlines()[-1]
    return 1e6 / float(line.split()[-1])


def verify_known_chain(programs, rounds):
    with tempfile.TemporaryDirectory() as work:
        folder = vector_folder(Path(work))
        turns = [(float(output_of(programs / "bench/verify_reports", folder, 1000)), openssl_verify())
                 for _ in range(rounds)]
    ours, theirs = (statistics.median(times) for times in zip(*turns))
    return ratio("verify_known_chain", ours, theirs,
                 "a verdict on a report whose chain is known / openssl speed's verification with P-384")


def time_of(command):
    """Of a process that writes nowhere, without what Python adds to it."""
    words = [str(word) for word in command]
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)]
    start = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(words[0], words, os.environ, file_actions=quiet), 0)
    if status:
        raise RuntimeError(f"{words[0]} ended with {status}")
    return (time.perf_counter() - start) * 1e6


def verify_process(name, programs, rounds, evidence):
    """A genuine report by a whole process, and by one of go-sev-guest's, in turns; None without either."""
    sys.path.insert(0, str(ROOT / "tests/peers"))
    try:
        import peers_test  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        print(f"{name} is not measured: {error}", file=sys.stderr)
        return None
    work = ROOT / "build/peers"
    work.mkdir(parents=True, exist_ok=True)
    check = peers_test.install(work, "check") if evidence.is_dir() else None
    if not check:
        print(f"{name} is not measured: no genuine evidence, or no go-sev-guest", file=sys.stderr)
        return None
    case = peers_test.Case("genuine", evidence, ["--vmpl", "1"], genuine=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "attestation").write_bytes(case.attestation())
        ours = [programs / "tools/socle", "verify", "--quiet", "--report-only", "--vmpl", "1", evidence]
        theirs = [check, "-in", Path(folder) / "attestation", "-inform", "bin", "-network=false", "-provisional=true",
                  "-guest_policy", peers_test.POLICY, "-vmpl", "1", "-product_name", "Milan-B0", "-quiet"]
        turns = [(time_of(ours), time_of(theirs)) for _ in range(8 * rounds)]
    mine, other = (statistics.median(times) for times in zip(*turns))
    return ratio(name, mine, other, "socle verify / go-sev-guest's check, of one genuine report")


def in_guest(programs, guest, output):
    """What tests/guest/probe_test.py measures in a guest, with all processors."""
    output.unlink(missing_ok=True)
    subprocess.run([ROOT / "tests/guest/probe_test.py", "--programs", programs, "--guest",
                    guest, "--parts", "times,hold,hold3072", "--work", ROOT / "build/bench-guest",
                    "--json", output], check=False, stdout=subprocess.DEVNULL,
                   timeout=600)
    measured = json.loads(output.read_text()) if output.exists() else {}
    if not measured.get("results") or not measured.get("holds"):
        raise RuntimeError(f"the guest measured nothing: {ROOT / 'build/bench-guest/results.log'}")
    return measured


def ratio(name, value, base, what):
    return {"name": name, "what": what, "us": value, "base_us": base, "ratio": round(value / base, 4),
            "limit": LIMITS[name]}


def is_above(result):
    return result["ratio"] > result["limit"] if "ratio" in result else \
        result["us"] > result["limit_us"]


def show(results, holds):
    for result in results:
        verdict = "  above the limit" if is_above(result) else ""
        print(f"{result['name']:24} {result['us']:10.1f} us / {result['base_us']:10.1f} us = "
              f"{result['ratio']:.3f}  (limit {result['limit']}){verdict}")
        for name, command in result.get("commands", {}).items():
            print(f"    {name:26} {command['socle_us']:8.1f} {command['swtpm_us']:8.1f}")
    for hold in holds:
        verdict = "  above the limit" if is_above(hold) else ""
        print(f"{hold['name']:24} {hold['us']:10.1f} us at most: {hold['what']} "
              f"(limit {hold['limit_us']:.0f}){verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--profile", type=Path, default=ROOT / "profiles/tcg.conf")
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench.json")
    parser.add_argument("--guest", type=Path, default=ROOT / "build/guest")
    parser.add_argument("--evidence", type=Path, default=ROOT.parent / "shared/evidence/milan-v5-vmpl1",
                        help="a genuine report by a VCEK of Milan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    guest = None
    if (options.guest / "socle_tpm.ko").exists():
        guest = in_guest(options.programs, options.guest, ROOT / "build/guest-times.json")
    else:
        print("no guest is built: nothing is measured in one", file=sys.stderr)
    # With all processors, as both are used: the other starts threads. And on one.
    processes = [verify_process("verify_process", options.programs, options.rounds, options.evidence)]
    steady()
    processes.append(verify_process("verify_process_one_cpu", options.programs, options.rounds, options.evidence))
    results = [create_and_attest(options.programs, options.profile, options.rounds),
               cached_rsa(options.programs, options.profile, options.rounds)]
    if shutil.which("swtpm"):
        for shape in ("swtpm", "mssim"):
            results += command_mix(options.programs, options.profile, options.rounds, shape)
    else:
        print("swtpm is not installed: the mix of commands is not measured", file=sys.stderr)
    results.append(verify_known_chain(options.programs, options.rounds))
    results += [one for one in processes if one]
    results += guest["results"] if guest else []
    document = {"format": 1, "results": results, "holds": guest["holds"] if guest else []}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n")
    show(results, document["holds"])
    above = any(is_above(measured) for measured in results + document["holds"])
    return 1 if options.check and above else 0


if __name__ == "__main__":
    sys.exit(main())
