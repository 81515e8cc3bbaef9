#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a build consists of, as an SPDX 2.3 document in JSON: the sources, each program that is installed, and
what of Debian's packages each is linked with, statically or not, loads when it needs it, or was made by.

    sbom.py [--programs build/out] [--archive FILE] OUT

--archive is the archive of the sources, whose digest goes in. The same build always makes the same document.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What make install installs of what was compiled (scripts/install.sh), and its name there.
PROGRAMS = {
    "tools/socle": "bin/socle",
    "tools/libsocle-verify.so.1": "lib/libsocle-verify.so.1",
    "monitor/monitor.elf": "lib/socle/monitor.elf",
    "services/services": "lib/socle/services",
    "machine/hv/hv.bin": "lib/socle/hv.bin",
    "guest/socle-guest": "bin/socle-guest",
}
# What the linker made, where strip or objcopy made the program of it.
LINKED = {"services/services": "services/services.full", "machine/hv/hv.bin": "machine/hv/hv.elf"}
# The linker's map of a program that does not have a member of each archive that it is linked with.
MAPS = {"services/services.full": "services/services.map"}
# What a static program has beside the archives that it names: -static brings them in.
IMPLIED = ("libc.a", "libgcc.a")
BUILD_TOOLS = ("gcc", "ld", "meson", "ninja")


def output(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True, **more).stdout


def owner(path):
    """The Debian package that a file belongs to. It may be listed below /lib, which is /usr/lib today."""
    path = Path(path).resolve()
    for name in (path, str(path).removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
        if not found.returncode:
            return found.stdout.split(":")[0]
    raise SystemExit(f"sbom: {path} belongs to no package")


def shared(soname):
    """Where the loader finds it."""
    for line in output("/sbin/ldconfig", "-p").splitlines():
        words = line.split()
        if words and words[0] == soname and "x86-64" in line:
            return words[-1]
    raise SystemExit(f"sbom: no library {soname}")


def used_archives(text):
    """The names of archives of which the linker's map has a member."""
    return set(re.findall(r"^/\S*?([^/\s]+\.a)\(", text, re.MULTILINE))


def linked_with(build, target):
    """(package, relationship) of each library that a program is linked with, sorted; none for bare metal."""
    command = output("ninja", "-C", build, "-t", "commands", "-s", target)
    if "-nostdlib" in command:
        return []
    if "-static" not in command.split():
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", build / target))
        return sorted({(owner(shared(name)), "DYNAMIC_LINK") for name in needed})
    archives = [name for name in output("ninja", "-C", build, "-t", "inputs", target).split()
                if name.startswith("/") and name.endswith(".a")]
    if target in MAPS:
        used = used_archives((build / MAPS[target]).read_text())
        archives = [name for name in archives if Path(name).name in used]
    archives += [output("gcc", f"-print-file-name={name}").strip() for name in IMPLIED]
    return sorted({(owner(name), "STATIC_LINK") for name in archives})


def loaded(program):
    """Packages of the libraries that a program of ours names to load them when it needs them, sorted."""
    names = re.findall(rb"\0(lib[\w+-]+\.so\.\d+)(?=\0)", Path(program).read_bytes())
    others = re.findall(r"\((?:NEEDED|SONAME)\).*\[(.*)\]", output("readelf", "-d", program))
    return sorted({owner(shared(name)) for name in {name.decode() for name in names} - set(others)})


class Document:
    def __init__(self, version, archive):
        commit = output("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=40").strip()
        # Of the commit, so that the document is the same each time.
        made = datetime.fromtimestamp(int(output("git", "-C", ROOT, "log", "-1", "--format=%ct")), timezone.utc)
        self.files, self.packages, self.relations = [], {}, []
        self.head = {
            "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"socle-{version}", "documentNamespace": f"https://socle.invalid/spdx/socle-{version}-{commit}",
            "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": ["Organization: Socle", f"Tool: sbom.py-{version}"]}}
        socle = self.package("socle", version, licence="MIT", purpose="SOURCE")
        self.packages[socle]["sourceInfo"] = f"commit {commit}"
        if archive:
            self.packages[socle]["packageFileName"] = archive.name
            self.packages[socle]["checksums"] = [digest(archive, "SHA256")]
        self.relate("SPDXRef-DOCUMENT", "DESCRIBES", socle)

    def package(self, name, version, licence="NOASSERTION", purpose="LIBRARY"):
        """Its identifier; the same for the same name."""
        identifier = "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)
        self.packages.setdefault(identifier, {
            "SPDXID": identifier, "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": licence, "licenseDeclared": licence,
            "copyrightText": "NOASSERTION", "primaryPackagePurpose": purpose})
        return identifier

    def debian(self, name, purpose="LIBRARY"):
        version, source, source_version, arch = output(
            "dpkg-query", "-W", "-f", "${Version} ${source:Package} ${source:Version} ${Architecture}",
            name).split("\n")[0].split()[:4]
        identifier = self.package(name, version, purpose=purpose)
        self.packages[identifier]["supplier"] = "Organization: Debian"
        self.packages[identifier]["sourceInfo"] = f"built from {source} {source_version}"
        self.packages[identifier]["externalRefs"] = [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={arch}"}]
        return identifier

    def file(self, path, name):
        identifier = "SPDXRef-File-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)
        self.files.append({
            "SPDXID": identifier, "fileName": f"./{name}", "fileTypes": ["BINARY"],
            "checksums": [digest(path, "SHA1"), digest(path, "SHA256")],
            "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"})
        return identifier

    def relate(self, one, how, other):
        self.relations.append({"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other})

    def text(self):
        whole = {**self.head, "packages": list(self.packages.values()), "files": self.files,
                 "relationships": self.relations}
        return json.dumps(whole, indent=1) + "\n"


def digest(path, algorithm):
    return {"algorithm": algorithm,
            "checksumValue": hashlib.new(algorithm.lower(), Path(path).read_bytes()).hexdigest()}


def describe(build, archive):
    version = re.search(r"^  version: '(.*)',$", (ROOT / "meson.build").read_text(), re.MULTILINE)[1]
    document = Document(version, archive)
    socle = "SPDXRef-Package-socle"
    for made, name in PROGRAMS.items():
        file = document.file(build / made, name)
        document.relate(file, "GENERATED_FROM", socle)
        linked = linked_with(build, LINKED.get(made, made))
        for package, how in linked:
            document.relate(file, how, document.debian(package))
        # What is linked statically has no loader, whatever its libc names.
        for package in loaded(build / made) if "DYNAMIC_LINK" in (how for _, how in linked) else []:
            document.relate(document.debian(package), "OPTIONAL_DEPENDENCY_OF", file)
    for tool in BUILD_TOOLS:
        path = output("sh", "-c", f"command -v {tool}", env={"PATH": "/usr/bin:/bin"}).strip()
        document.relate(document.debian(owner(path), "APPLICATION"), "BUILD_TOOL_OF", socle)
    # What meson found beside what the programs are linked with: the tests' library.
    for found in json.loads(output("meson", "introspect", "--dependencies", build)):
        for word in found["link_args"]:
            if word.startswith("/") and not any(owner(word) == package["name"] for package in
                                                document.packages.values()):
                document.relate(document.debian(owner(word)), "BUILD_DEPENDENCY_OF", socle)
    return document.text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, default=ROOT / "build/out")
    parser.add_argument("--archive", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.archive and not options.archive.is_file():
        parser.error(f"no archive {options.archive}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(describe(options.programs.resolve(), options.archive), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
