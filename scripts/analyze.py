#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks for mistakes in the C files without running them. A finding is a failure.

    analyze.py --programs BUILD [--deep] [--times] [--jobs N] clang-tidy|gcc [FILE]...

clang-tidy is version 14, with the checks of .clang-tidy; gcc is version 12, with -fanalyzer. Others
find other things, so where these are missing the test is skipped. Each file is looked at once, with
the arguments by which BUILD compiles it, a product's before a test's.

All files are looked at, but clang's own analyzer follows no more than NODES states in a function: that is
a sixth of its time. With --deep it has its default of ten times as many, by hand.

What is found and is no mistake is marked with its reason: for clang-tidy at the line, for gcc in
analyzer/gcc.txt beside this script. An entry there that fits nothing is a failure, too.
"""

import argparse
import concurrent.futures
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent / "analyzer"
NOTES = HERE / "gcc.txt"
NODES = 80000
# Arguments with a value that only say where the results go.
OUTPUT = ("-o", "-MF", "-MQ", "-MT")
DROPPED = re.compile(r"ccache|-MD|-Werror|-O.|-g|-c|-f(no-)?sanitize.*|-fdiagnostics-color.*")
FINDING = re.compile(r"^(?P<path>\S+?):(?P<line>\d+):\d+: (?:warning|error): "
                     r"(?P<text>.*?) \[(?P<check>[^][]+)\]$", re.MULTILINE)
# What is not asked of tests. One that meets NULL where something should be dies, and has failed;
# literals fit their buffers; locals may be known elsewhere while they live; what stands in for a
# function names its parameters as it likes; a folder is removed by a command.
NOT_IN_TESTS = {
    "gcc": ["-Wno-analyzer-possible-null-argument", "-Wno-analyzer-possible-null-dereference",
            "-Wno-analyzer-null-dereference", "-Wno-analyzer-malloc-leak"],
    "clang-tidy": ["--checks=-clang-analyzer-security.insecureAPI.strcpy,"
                   "-bugprone-not-null-terminated-result,-cert-env33-c,"
                   "-clang-analyzer-core.StackAddressEscape,"
                   "-readability-inconsistent-declaration-parameter-name"],
}


def output_of(argv, folder):
    done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode, done.stdout


def program_of(tool):
    """The tool's program of the one version that counts, or None."""
    names = {"clang-tidy": ("clang-tidy-14", "clang-tidy"), "gcc": ("gcc-12", "gcc")}[tool]
    version = {"clang-tidy": r"version 14\.", "gcc": r" 12\.\d+\.\d+"}[tool]
    for name in names:
        if shutil.which(name) and re.search(version, output_of([name, "--version"], ROOT)[1]):
            return name
    return None


def arguments_of(command):
    """How a file is compiled, without the compiler, the file and what only concerns results."""
    words = iter(shlex.split(command))
    kept = []
    for word in words:
        if word in OUTPUT:
            next(words)
        elif not DROPPED.fullmatch(word):
            kept.append(word)
    return kept[1:-1]


def rank(command):
    """A product's command comes first: those of tests have sanitizers, stand-ins and macros."""
    return "-fsanitize" in command, "/tests/" in command, len(command)


def compilations(build):
    """{path in the tree: (path as the build says it, arguments)}"""
    best = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = os.path.relpath(build / entry["file"], ROOT)
        if path.endswith(".c") and not path.startswith(("..", "build")):
            if path not in best or rank(entry["command"]) < rank(best[path]["command"]):
                best[path] = entry
    return {path: (entry["file"], arguments_of(entry["command"]))
            for path, entry in sorted(best.items())}


def defines_model(source):
    """Whether it has what a file *.model stands for: then it needs none, and may not have it twice."""
    return any(re.search(rf"^\w[^;{{}}]*\b{model.stem}\([^;{{}}]*\)\n{{", source, re.MULTILINE)
               for model in HERE.glob("*.model"))


def argv_of(options, program, path, file, arguments):
    unwanted = NOT_IN_TESTS[options.tool] if "tests" in Path(path).parts else []
    if options.tool == "gcc":
        # The analyzer looks at the code before it is optimized: -O0 only spares the rest.
        return [program, *arguments, *unwanted, "-O0", "-fanalyzer", "-c", "-o", "/dev/null", file]
    config = [] if options.deep else [f"max-nodes={NODES}"]
    if not defines_model((ROOT / path).read_text()):
        config.append(f"model-path={HERE}")
    return [program, "--quiet", f"--config-file={ROOT}/.clang-tidy", *unwanted, file, "--",
            *arguments,
            *(["-Xclang", "-analyzer-config", "-Xclang", ",".join(config)] if config else [])]


def notes():
    """{(path, check, line of source)} of gcc.txt, whose reasons stand indented."""
    lines = NOTES.read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith(("#", "\t"))]
    return {tuple(entry.split(" ", 2)) for entry in entries}


def finding(match, build):
    """(path, check, line of source), as gcc.txt has it."""
    path = os.path.relpath(build / match["path"], ROOT)
    lines = (ROOT / path).read_text(errors="replace").splitlines()
    return path, match["check"], lines[int(match["line"]) - 1].strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--deep", action="store_true", help="do not bound clang's analyzer")
    parser.add_argument("--times", action="store_true", help="say which files take longest")
    parser.add_argument("tool", choices=("clang-tidy", "gcc"))
    parser.add_argument("file", nargs="*", help="these files, and no others")
    options = parser.parse_args()
    program = program_of(options.tool)
    if program is None:
        print(f"skipped {options.tool}: Debian 12's version is not installed")
        print(f"{options.tool}: 0 passed, 0 failed, 1 skipped")
        return 0
    build = options.programs.resolve()
    files = compilations(build)
    chosen = options.file or list(files)
    if strangers := [path for path in chosen if path not in files]:
        parser.error(f"the build has no {', '.join(strangers)}")
    known = notes() if options.tool == "gcc" else set()

    def look(path):
        start = time.monotonic()
        status, text = output_of(argv_of(options, program, path, *files[path]), build)
        found = {finding(match, build) for match in FINDING.finditer(text)}
        found = {entry for entry in found if not entry[0].startswith("..")}  # a system's header
        if status != 0 and not found:
            found = {(path, "status", text)}
        return path, found, text, time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(look, chosen))
    failed, said, used = 0, set(), set()
    for _, found, text, _ in results:
        used |= found & known
        failed += bool(found - known)
        # A header's finding comes with each file that includes it.
        if found - known - said:
            print(text, end="")
        said |= found
    stale = known - used if not options.file else set()
    for entry in sorted(stale):
        print(f"{NOTES.name}: nothing is found for: {' '.join(entry)}")
    if options.times:
        for path, _, _, seconds in sorted(results, key=lambda result: -result[3])[:15]:
            print(f"{seconds:6.1f} s  {path}")
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{usage.ru_utime + usage.ru_stime:6.1f} s of CPU time")
    failed += bool(stale)
    print(f"{options.tool}: {len(results) + bool(stale) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
