#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The static archive in a root that has nothing else: a TPM that tpm2-tools use, and an image with the same
measurement as by the socle of this build. It needs root, for chroot.

    static_test.py --programs build/out [--archive FILE] FOLDER
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402
from served import Served  # noqa: E402

result = Results("static archive")


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=120)


def image_words(top, memory="512M"):
    """Options of socle igvm build, for parts that lie below top."""
    return ["-q", "--monitor", f"{top}/lib/socle/monitor.elf", "--file", f"services/services={top}/lib/socle/services",
            "--file", f"services.conf={top}/share/socle/services.conf", "--file",
            f"profile/tcg.conf={top}/share/socle/profile/tcg.conf", "--memory", memory, "--kernel", "/kernel",
            "--append", "console=ttyS0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, default=ROOT / "build/out")
    parser.add_argument("--archive", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    archive = options.archive or Path(run(ROOT / "scripts/build-static.sh", folder).stdout.strip())
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    subprocess.run(["tar", "-C", root, "--no-same-owner", "-xf", archive], check=True)
    top = "/" + next(path.name for path in root.iterdir() if path.name.startswith("socle-"))
    inside = ["chroot", root, f"{top}/bin/socle"]

    said = run(*inside, "--version")
    result(said.stdout.startswith("socle "), "it runs where nothing else is", said.stderr)
    it = Served([str(word) for word in (*inside, "vtpm", "serve", "--swtpm", "--flags", "startup-clear", "--port", "0",
                                        "--profile", f"{top}/share/socle/profile/suite.conf", "--state", "/tpm")])
    made = it.tool("swtpm", "tpm2_createprimary", "-C", "e", "-G", "ecc", "-c", folder / "key")
    result(made.returncode == 0, "a TPM for tpm2_createprimary", made.stderr)
    result(it.end() == 0, "which ends with 0")

    kernel = next(iter(sorted(Path("/boot").glob("vmlinuz-*")) or (ROOT / "build").glob("kernel*/**/vmlinuz*")), None)
    if kernel:
        shutil.copy(kernel, root / "kernel")
        built = run(*inside, "igvm", "build", "-o", "/image", *image_words(top))
        mine = [word.replace("/kernel", f"{root}/kernel") if word == "/kernel" else word
                for word in image_words(f"{root}{top}")]
        other = run(options.programs / "tools/socle", "igvm", "build", "-o", folder / "image", *mine)
        digests = [run(*words).stdout for words in ((*inside, "igvm", "measure", "/image"), (
            options.programs / "tools/socle", "igvm", "measure", folder / "image"))]
        result(not built.returncode and re.search("[0-9a-f]{96}", digests[0]) and digests[0] == digests[1],
               "an image measures the same by both", (built.stderr, other.stderr, digests))
    else:
        result.skip("an image", "no kernel is here")
    needed = run("readelf", "-d", f"{root}{top}/bin/socle")
    result("NEEDED" not in needed.stdout and not needed.returncode, "readelf finds no library that it needs",
           needed.stdout)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
