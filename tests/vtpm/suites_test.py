#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test suites of others, unmodified, each against swtpm and against `socle vtpm serve` in one run: a group
of tests that passes with the one passes with the other.

    suites_test.py SOCLE PROFILE_DIR [--source DIR] [--work DIR] [--report FILE] [--only SUITE]...

The suites of Go, Rust and Python come by their languages' own commands (go, cargo, pip). Those in C and shell
are taken from the folders of DIR whose names begin with the suite's: unpacked sources, which are copied and
built by their own make. A suite that is not to be had is skipped by name.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import (INIT, MANAGER, POWER_ON, SEND, SESSION_END, STOP, World, managed, number,  # noqa: E402
                    raw, swtpm, take)  # noqa: E402

result = Results("vtpm suites")
HERE = Path(__file__).resolve().parent
# Limits are against a hang: on a computer that has far more to do a group takes ten times what it takes alone.
GROUP_S = 3600
SUITE_S = 4 * 3600
IBM_LEAST = 33  # of its groups, by what was reached before
KINDS = ("swtpm", "ours")


class Missing(Exception):
    """What a suite needs and is not there."""


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise Missing(f"no {' '.join(missing)}")


def call(*words, log, cwd, **more):
    """Runs a command to its end, with its output in log; whether it succeeded."""
    environment = {**os.environ, **more.pop("env", {})}
    with open(log, "a", encoding="utf-8") as out:
        try:
            return subprocess.run([str(word) for word in words], cwd=cwd, env=environment, stdout=out,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False,
                                  timeout=more.pop("timeout", GROUP_S)).returncode == 0
        except subprocess.TimeoutExpired:
            out.write("\nout of time\n")
            return False


def build(*words, log, cwd):
    if not call(*words, log=log, cwd=cwd, timeout=SUITE_S):
        raise Missing(f"it could not be built: see {log}")


def copy_of(source, name, folder):
    """The suite's sources, copied, so that what is given stays as it is; once, so that what was built of it stays."""
    if source is None:
        raise Missing("no --source DIR with its sources")
    found = sorted(path for path in source.iterdir() if path.is_dir() and path.name.startswith(name))
    if not found:
        raise Missing(f"nothing in {source} begins with {name}")
    whole = folder.with_name(f"{folder.name}.from")
    if not whole.exists() or whole.read_text(encoding="utf-8") != str(found[-1]):
        whole.unlink(missing_ok=True)
        folder.with_name(f"{folder.name}.built").unlink(missing_ok=True)
        copy_anew(found[-1], folder)
        whole.write_text(str(found[-1]), encoding="utf-8")
    return folder


def copy_anew(source, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, symlinks=True)


def built(folder, *commands, log):
    """Builds in folder, a copy of copy_of's, once by the same commands: what was cut off, or was built by others, is
    begun anew in a clean copy, and what came to its end is kept."""
    done = folder.with_name(f"{folder.name}.built")
    wanted = "\n".join(map(shlex.join, commands))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    done.unlink(missing_ok=True)
    copy_anew(folder.with_name(f"{folder.name}.from").read_text(encoding="utf-8"), folder)
    for command in commands:
        build(*command, log=log, cwd=folder)
    done.write_text(wanted, encoding="utf-8")


class Bench:
    """Gives each suite the TPM that it wants, of either kind, new and in swtpm's shape."""

    def __init__(self, socle, profiles, work):
        self.work, self.socle, self.profiles = work, Path(socle).resolve(), Path(profiles).resolve()
        self.world = World(str(self.socle), self.profiles, work)

    @contextlib.contextmanager
    def tpm(self, kind, flags="not-need-init,startup-clear"):
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            if kind == "swtpm":
                with swtpm(Path(folder), "--flags", flags) as port:
                    yield port
            else:
                with self.world.served("--swtpm", "--flags", flags, profile="suite") as it:
                    yield it.port

    @contextlib.contextmanager
    def simulator(self, kind):
        """In the shape of the reference simulator: ours has it, and swtpm gets it here."""
        if kind == "swtpm":
            with self.tpm(kind, "not-need-init") as port, SimulatorShape(port) as shape:
                yield shape.port
        else:
            with self.world.served(profile="suite") as it:
                yield it.port

    def swtpm_command(self, kind):
        """A folder whose `swtpm` is of this kind: for suites that start it themselves."""
        folder = self.work / f"bin-{kind}"
        folder.mkdir(exist_ok=True)
        program = folder / "swtpm"
        if kind == "swtpm":
            program.unlink(missing_ok=True)
            program.symlink_to(shutil.which("swtpm"))
        else:
            program.write_text(f"""#!/bin/sh
# swtpm socket --tpm2 --server port=P --ctrl type=tcp,port=P+1 --flags F --tpmstate dir=D, and no other
while [ $# -gt 0 ]; do
	case $1 in
	--server) port=${{2##*port=}} ;;
	--flags) flags=$2 ;;
	esac
	shift
done
exec {self.socle} vtpm serve --swtpm --profile {self.profiles}/suite.conf --port "$port" --flags "$flags"
""")
            program.chmod(0o755)
        return folder


class SimulatorShape:
    """The reference simulator's two ports in front of swtpm's: commands in their frame, and the power switch."""

    def __init__(self, port):
        self.behind = port
        self.listeners = []

    def __enter__(self):
        while True:
            first, second = socket.socket(), socket.socket()
            first.bind(("127.0.0.1", 0))
            self.port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", self.port + 1))
                break
            first.close()
            second.close()
        self.listeners = [first, second]
        for listener, serve in ((first, self.commands), (second, self.platform)):
            listener.listen(8)
            threading.Thread(target=self.accept, args=(listener, serve), daemon=True).start()
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.close()

    def accept(self, listener, serve):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(EOFError, ConnectionError):
                serve(client)

    def commands(self, client):
        with socket.create_connection(("127.0.0.1", self.behind)) as tpm:
            while (code := number(client)) not in (SESSION_END, STOP):
                if code != SEND:
                    client.sendall(bytes(4))
                    continue
                take(client, 1)
                response = raw(tpm, take(client, number(client)))
                client.sendall(len(response).to_bytes(4, "big") + response + bytes(4))

    def platform(self, client):
        with socket.create_connection(("127.0.0.1", self.behind + 1)) as control:
            while (code := number(client)) not in (SESSION_END, STOP):
                if code == POWER_ON:
                    control.sendall(INIT.to_bytes(4, "big") + bytes(4))
                    take(control, 4)
                client.sendall(bytes(4))


class Ibm:
    """The regression tests of IBM's TSS: reg.sh's groups, in the simulator's shape."""

    name = "ibmtss"

    def prepare(self, bench, source, folder):
        need("autoreconf", "make", "libtoolize")
        copy_of(source, self.name, folder)
        self.utils = folder / "utils"
        log = folder / "build.log"
        built(folder, ("autoreconf", "-i"), ("./configure", "--disable-tpm-1.2"), ("make", "-j", "2"), log=log)
        # Its list of roots has the paths of its author.
        roots = self.utils / "certificates/rootcerts.txt"
        roots.write_text("".join(f"{self.utils}/certificates/{line.rsplit('/', 1)[-1]}\n"
                                 for line in roots.read_text().split()))

    def run(self, bench, kind, log):
        text = (self.utils / "reg.sh").read_text()
        groups = [found for found in re.findall(r'echo "-(\d+) (.*)"', text) if found[0] != "40"]
        passed = {}
        with bench.simulator(kind) as port:
            environment = {"TPM_INTERFACE_TYPE": "socsim", "TPM_COMMAND_PORT": str(port), "TPM_DATA_DIR": ".",
                           "TPM_PLATFORM_PORT": str(port + 1), "TPM_SERVER_NAME": "localhost"}
            # The seeds are rolled by 50, so it is the last.
            for group, what in sorted(groups, key=lambda found: (found[0] == "50", int(found[0]))):
                passed[f"{group} {what}"] = call("./reg.sh", f"-{group}", log=log, cwd=self.utils, env=environment)
        return passed


class Tools:
    """tpm2-tools' integration tests, by the tools that are installed, with tpm2-abrmd before the TPM."""

    name = "tpm2-tools"

    def prepare(self, bench, source, folder):
        need("tpm2", "xxd", "shasum", "python3", "tpm2-abrmd", "dbus-run-session")
        copy_of(source, self.name, folder)
        self.folder = folder
        self.tests = sorted((folder / "test/integration/tests").glob("*.sh"))

    def run(self, bench, kind, log):
        passed = {}
        integration = self.folder / "test/integration"
        for test in self.tests:
            with bench.tpm(kind, "not-need-init") as port, tempfile.TemporaryDirectory() as work:
                environment = {"TPM2TOOLS_TEST_TCTI": MANAGER, "PYTHON": sys.executable,
                               "PATH": f"{integration}:{os.environ['PATH']}", "srcdir": str(self.folder),
                               "abs_srcdir": str(self.folder), "abs_builddir": str(self.folder), "TMPDIR": work,
                               "TPM2_TOOLS_TEST_FIXTURES": str(integration / "fixtures")}
                passed[test.stem] = call(*managed(f"swtpm:host=127.0.0.1,port={port}", "bash", test), log=log,
                                         cwd=integration, env=environment)
        return passed


class Wolf:
    """wolfTPM's unit tests and examples: run_examples.sh's headings, each of which ends the script where it fails."""

    name = "wolfTPM"
    # The certificates in both sources are good on this day; those of wolfSSL 5.5.4 ended in September 2025.
    day = "2025-01-01 12:00:00"
    # An example that fails says so, and the script goes on here. All its TLS servers have one port, and it takes one
    # that is about to end for the next: none is left when a test begins, nor at the end.
    script = """
exit() { return 0; }
settle() {
	for _ in $(seq 100); do
		[ -n "$(jobs -rp)" ] || return 0
		sleep 0.1
	done
	kill $(jobs -rp)
	wait
}
echo() {
	case $* in *"TLS test "*) settle ;; esac
	builtin echo "$@"
}
. examples/run_examples.sh
settle
"""

    def prepare(self, bench, source, folder):
        need("autoreconf", "make", "libtoolize", "faketime")
        copy_of(source, self.name, folder)
        self.folder, self.other_side = folder, folder.parent / "wolfssl"
        self.certificates = Path(folder.with_name(f"{folder.name}.from").read_text(encoding="utf-8")) / "certs"
        log = folder / "build.log"
        # Its examples of TLS talk with wolfSSL's.
        copy_of(source, "wolfssl", self.other_side)
        built(self.other_side, ("./autogen.sh",), ("./configure", "--disable-crypttests", "--disable-shared"),
              ("make", "-j", "2"), log=log)
        # Its own TPM is not built: it wants a newer wolfSSL than Debian has.
        built(folder, ("./autogen.sh",), ("./configure", "--enable-swtpm", "--disable-fwtpm"), ("make", "-j", "2"),
              log=log)

    def run(self, bench, kind, log):
        def where(port):
            return {"TPM2_SWTPM_HOST": "127.0.0.1", "TPM2_SWTPM_PORT": str(port)}

        with bench.tpm(kind) as port:
            passed = {"unit tests": call("tests/unit.test", log=log, cwd=self.folder, env=where(port))}
        # An authority that the last run made would not be good yet in the same minutes of that day.
        certificates = self.folder / "certs"
        shutil.rmtree(certificates)
        shutil.copytree(self.certificates, certificates)
        with bench.tpm(kind) as port:
            own = log.with_suffix(".examples")
            own.unlink(missing_ok=True)
            call("faketime", self.day, "bash", "-c", self.script, log=own, cwd=self.folder, timeout=SUITE_S,
                 env={**where(port), "WOLFSSL_PATH": str(self.other_side), "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        heading = "start"
        for line in own.read_text(errors="replace").splitlines():
            # "seal failed! 1"; where an example should have failed: "should be locked! 0"
            if re.search(r"! -?\d+$|failed", line):
                passed[heading] = False
            elif line and not line.startswith((" ", ".", "Using port ")):
                heading = line
                passed.setdefault(heading, True)
        # Its last word.
        passed["run_examples.sh comes to its end"] = "Success!" in own.read_text(errors="replace").splitlines()[-1:]
        return passed


class Pytss:
    """tpm2-pytss's tests, of the version that is installed; they start swtpm themselves."""

    name = "tpm2-pytss"

    def prepare(self, bench, source, folder):
        need("pip", "/usr/bin/python3")
        version = subprocess.run(["/usr/bin/python3", "-c", "import importlib.metadata as m, pytest, tpm2_pytss\n"
                                  "print(m.version('tpm2-pytss'))"], capture_output=True, text=True, check=False)
        if version.returncode:
            raise Missing("no python3-tpm2-pytss or python3-pytest")
        release = version.stdout.strip()
        folder.mkdir(parents=True, exist_ok=True)
        archives = f"tpm2[-_]pytss-{release}.tar.gz"
        if not any(folder.glob(archives)):  # pip makes ready to build what it fetches, which takes minutes
            build("pip", "download", "--no-deps", "--no-binary", "tpm2-pytss", "-d", folder, f"tpm2-pytss=={release}",
                  log=folder / "build.log", cwd=folder)
        subprocess.run(["tar", "-C", folder, "--no-same-owner", "-xf", next(folder.glob(archives))], check=True)
        self.tests = next(folder.glob(f"tpm2[-_]pytss-{release}/test"))

    def run(self, bench, kind, log):
        passed = {}
        report = self.tests / f"{kind}.xml"
        for test in sorted(self.tests.glob("test_*.py")):
            report.unlink(missing_ok=True)
            call("/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", test.name,
                 log=log, cwd=self.tests, timeout=SUITE_S, env={
                     "PATH": f"{bench.swtpm_command(kind)}:{os.environ['PATH']}"})
            cases = xml.etree.ElementTree.parse(report).iter("testcase") if report.exists() else ()
            passed.update({f"{case.get('classname')}.{case.get('name')}": not case.findall("failure")
                           and not case.findall("error") for case in cases})
        return passed


class Esapi:
    """tss-esapi's integration tests."""

    name = "tss-esapi"
    version = "7.6.0"

    def prepare(self, bench, source, folder):
        need("cargo", "pkg-config")
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "build.log"
        if not (folder / "Cargo.toml").exists():
            build("cargo", "init", "--quiet", "--vcs", "none", "--name", "user", log=log, cwd=folder)
        build("cargo", "add", "--quiet", f"tss-esapi@={self.version}", log=log, cwd=folder)
        build("cargo", "vendor", "--quiet", "vendor", log=log, cwd=folder)
        self.crate, self.log = folder / "vendor/tss-esapi", folder / "build.log"
        self.target = {"CARGO_TARGET_DIR": str(folder / "target")}
        if not call("cargo", "test", "--quiet", "--no-run", log=log, cwd=self.crate, env=self.target,
                    timeout=SUITE_S):
            raise Missing(f"it could not be built: see {log}")

    def run(self, bench, kind, log):
        with bench.tpm(kind) as port:
            environment = {**self.target, "TEST_TCTI": f"swtpm:host=127.0.0.1,port={port}"}
            own = log.with_suffix(".tests")
            own.unlink(missing_ok=True)
            call("cargo", "test", "--test", "integration_tests", "--", "--test-threads=1", log=own, cwd=self.crate,
                 env=environment, timeout=SUITE_S)
        return {name: verdict == "ok" for name, verdict in
                re.findall(r"^test (\S+) .*?(ok|FAILED)$", own.read_text(), re.MULTILINE)}


class GoTpm:
    """go-tpm's tests; the simulator that they open is a connection to the TPM under test (go_simulator)."""

    name = "go-tpm"

    def prepare(self, bench, source, folder):
        need("go")
        folder.parent.mkdir(parents=True, exist_ok=True)
        found = subprocess.run(["go", "mod", "download", "-json", "github.com/google/go-tpm@latest"], text=True,
                               capture_output=True, cwd=bench.work, check=False)
        if found.returncode:
            raise Missing("go mod download gives none")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(json.loads(found.stdout)["Dir"], folder)
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        self.folder = folder
        build("go", "mod", "edit", "-replace", f"github.com/google/go-tpm-tools={HERE / 'go_simulator'}",
              log=folder / "build.log", cwd=folder)
        build("go", "vet", "-mod=mod", "./tpm2/test", log=folder / "build.log", cwd=folder)

    def run(self, bench, kind, log):
        passed = {}
        with bench.tpm(kind, "not-need-init") as port:
            own = log.with_suffix(".json")
            own.unlink(missing_ok=True)
            call("go", "test", "-mod=mod", "-json", "-timeout", f"{SUITE_S}s", "-p", "1", "-count", "1", "./tpm2/...",
                 "./legacy/...", log=own, cwd=self.folder, timeout=SUITE_S, env={"SOCLE_TEST_PORT": str(port)})
            for line in own.read_text().splitlines():
                event = json.loads(line) if line.startswith("{") else {}
                if event.get("Test") and "/" not in event["Test"] and event["Action"] in ("pass", "fail"):
                    passed[f"{event['Package'].split('/go-tpm/')[-1]} {event['Test']}"] = event["Action"] == "pass"
        return passed


SUITES = (Ibm(), Tools(), Wolf(), Pytss(), Esapi(), GoTpm())


def run_suite(suite, bench, options):
    """Its groups by kind, or None where it is not to be had."""
    try:
        suite.prepare(bench, options.source, options.work / suite.name)
    except Missing as reason:
        result.skip(suite.name, str(reason))
        return None
    groups = {}
    for kind in KINDS:
        log = options.work / f"{suite.name}-{kind}.log"
        log.unlink(missing_ok=True)
        groups[kind] = suite.run(bench, kind, log)
    names = list(dict.fromkeys([*groups["swtpm"], *groups["ours"]]))
    for name in names:
        theirs, mine = (groups[kind].get(name, False) for kind in KINDS)
        if mine or theirs:
            result(mine, f"{suite.name}, {name}", f"passes with swtpm; see {options.work / suite.name}-ours.log")
        else:
            print(f"# {suite.name}, {name}: fails with both")
    result(any(groups["ours"].values()), f"{suite.name} ran")
    if suite.name == "ibmtss":
        result(sum(groups["ours"].values()) >= IBM_LEAST, f"at least {IBM_LEAST} groups of IBM's",
               sum(groups["ours"].values()))
    return len(names), *(sum(groups[kind].values()) for kind in KINDS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("socle")
    parser.add_argument("profiles")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/suites"))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--only", action="append", choices=[suite.name for suite in SUITES])
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.source = options.source and options.source.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.socle, options.profiles, options.work)
    lines = ["| suite | groups | swtpm | ours |", "|---|---|---|---|"]
    for suite in SUITES:
        if options.only and suite.name not in options.only:
            continue
        counts = run_suite(suite, bench, options)
        lines.append(f"| {suite.name} | " + (" | ".join(map(str, counts)) if counts else "not to be had | |") + " |")
    print("\n".join(lines))
    if options.report:
        options.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
