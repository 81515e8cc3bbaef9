#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The SPDX document of a release: the same each time, valid for PyPI's spdx-tools, which also refuses it damaged,
with the packages that Debian's dpkg-shlibdeps finds for each program, those that the package recommends for libraries
which are loaded, and with the files' digests by sha1sum.

    sbom_test.py --programs build/out FOLDER
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

result = Results("SBOM")
SPDX_TOOLS = "spdx-tools==0.8.5"
# debian/rules names their sources as Static-Built-Using; libgcc's comes with the compiler.
STATIC = {"services": {"libssl-dev", "libtpms-dev", "libc6-dev"}, "socle-guest": {"libc6-dev"}}


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **more)


def validator(folder):
    if not (folder / "bin/pyspdxtools").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", SPDX_TOOLS], check=True)
    return folder / "bin/pyspdxtools"


def valid(tool, document, path):
    """Whether spdx-tools finds nothing; it ends with 0 either way."""
    path.write_text(json.dumps(document))
    done = run(tool, "-i", path)
    said = done.stdout + done.stderr
    return done.returncode == 0 and not re.search("ERROR|issue|invalid", said, re.IGNORECASE), said


def linked(document, name, how):
    """The names of packages that the file is linked with so."""
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    file = next(file["SPDXID"] for file in document["files"] if file["fileName"].rsplit("/", 1)[-1] == name)
    return {names[relation["relatedSpdxElement"]] for relation in document["relationships"]
            if relation["spdxElementId"] == file and relation["relationshipType"] == how}


def check_links(document, programs):
    for path in (programs / "tools/socle", programs / "tools/libsocle-verify.so.1"):
        said = run("dpkg-shlibdeps", "-O", "--ignore-missing-info", path, cwd=ROOT)
        wanted = set(re.findall(r"([a-z0-9.+-]+) \(", said.stdout))
        found = linked(document, path.name, "DYNAMIC_LINK")
        result(bool(wanted) and wanted <= found, f"{path.name}: what dpkg-shlibdeps finds", (wanted, found))
    for name, wanted in STATIC.items():
        found = linked(document, name, "STATIC_LINK")
        result(wanted == {package for package in found if not package.startswith("libgcc")},
               f"{name}: what it is linked with statically", found)
    for name in ("monitor.elf", "hv.bin"):
        result(not linked(document, name, "STATIC_LINK") | linked(document, name, "DYNAMIC_LINK"),
               f"{name}: nothing of others")


def check_loaded(document):
    """debian/control names each by what it is called in one suite or another."""
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    found = {names[relation["spdxElementId"]] for relation in document["relationships"]
             if relation["relationshipType"] == "OPTIONAL_DEPENDENCY_OF" and
             relation["relatedSpdxElement"] == "SPDXRef-File-bin-socle"}
    stanza = next(part for part in (ROOT / "debian/control").read_text().split("\n\n") if "Package: socle\n" in part)
    named = ",".join(re.findall(r"^(?:Depends|Recommends):(.*(?:\n .*)*)", stanza, re.MULTILINE))
    wanted = [set(re.findall(r"\blib[a-z0-9.+-]+", one)) for one in named.split(",") if re.search(r"\blib", one)]
    result(len(found) == len(wanted) > 0 and all(found & one for one in wanted),
           "socle: the libraries that it loads are those that the package names", (found, wanted))


def check_digests(document, programs):
    sums = {line.split()[0] for line in run("sha1sum", *(path for path in programs.rglob("*") if path.is_file() and (
        path.name in ("socle", "monitor.elf", "services", "hv.bin", "socle-guest") or
        path.name.startswith("libsocle-verify.so.")))).stdout.splitlines()}
    mine = {sum_["checksumValue"] for file in document["files"] for sum_ in file["checksums"]
            if sum_["algorithm"] == "SHA1"}
    result(len(mine) == 6 and mine <= sums, "sha1sum's digests of the six programs", mine - sums)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, default=ROOT / "build/out")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder, programs = options.folder.resolve(), options.programs.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    made = [run(ROOT / "scripts/sbom.py", "--programs", programs, folder / f"{n}.json") for n in (1, 2)]
    if not result(not any(one.returncode for one in made), "two documents are made", made[0].stderr + made[1].stderr):
        return result.finish()
    text = (folder / "1.json").read_text()
    result(text == (folder / "2.json").read_text(), "they are the same")
    document = json.loads(text)
    tool = validator(folder / "python")
    good, said = valid(tool, document, folder / "it.spdx.json")
    result(good, "it is valid for spdx-tools", said)
    damaged = json.loads(text)
    damaged["relationships"][-1]["relatedSpdxElement"] = "SPDXRef-Package-none"
    result(not valid(tool, damaged, folder / "damaged.spdx.json")[0], "one with a dangling relationship is not")
    check_links(document, programs)
    check_loaded(document)
    check_digests(document, programs)
    refused = run(ROOT / "scripts/sbom.py", "--archive", folder / "none", folder / "3.json")
    result(refused.returncode == 2 and "no archive" in refused.stderr and not (folder / "3.json").exists(),
           "an archive that is not there is refused", refused.stderr)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
