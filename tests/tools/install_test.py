#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed is used from there: the command finds its hypervisor, serves a vTPM and builds an
image, below a DESTDIR and without the build. What is uninstalled leaves nothing.

    install_test.py BUILD
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

results = Results("install")
EXPECTED = ("bin/socle", "bin/socle-guest", "lib/socle/hv.bin", "lib/socle/monitor.elf",
            "lib/socle/services", "include/socle-verify.h", "lib/libsocle-verify.so",
            "lib/libsocle-verify.so.1", "lib/pkgconfig/socle-verify.pc", "share/socle/services.conf",
            "share/socle/profile/tcg.conf", "share/man/man1/socle.1", "share/man/man1/socle-run.1",
            "share/bash-completion/completions/socle", "share/zsh/site-functions/_socle",
            "share/fish/vendor_completions.d/socle.fish", "share/doc/socle/copyright")


# What an installation before had.
OLD = ("lib/libsocle-verify.so.0", "lib/libsocle-verify.so.0.1.0")


def script(action, build, destination, prefix):
    run = subprocess.run([ROOT / "scripts/install.sh", action, build], capture_output=True, text=True,
                         env=dict(os.environ, DESTDIR=str(destination), PREFIX=prefix), check=False)
    results(run.returncode == 0 and not run.stderr, f"{action} below {prefix}", run.stderr)


def install_old(root):
    (root / "lib").mkdir(parents=True, exist_ok=True)
    (root / OLD[1]).touch()
    (root / OLD[0]).symlink_to(Path(OLD[1]).name)


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def socle(root, *words):
    return subprocess.run([root / "bin/socle", *words], capture_output=True, text=True, timeout=60,
                          check=False, env={"HOME": str(root), "PATH": os.environ["PATH"]})


def check_serve(root):
    process = subprocess.Popen([root / "bin/socle", "vtpm", "serve", "--port", "0", "--profile",
                                root / "share/socle/profile/tcg.conf"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    process.terminate()
    _, errors = process.communicate()
    results(line.startswith("listening "), "socle vtpm serve", errors)


def check_image(root):
    """A whole image from installed files; the machine finds its hypervisor and stops at QEMU."""
    image, share, lib = root / "image", root / "share/socle", root / "lib/socle"
    made = socle(root, "igvm", "build", "-q", "-o", image, "--monitor", lib / "monitor.elf", "--file",
                 f"services/services={lib / 'services'}", "--file",
                 f"services.conf={share / 'services.conf'}", "--file",
                 f"profile/tcg.conf={share / 'profile/tcg.conf'}")
    results(made.returncode == 0, "socle igvm build with installed files", made.stderr)
    run = socle(root, "run", "--quiet", "--qemu", "/bin/false", image)
    results(run.returncode != 0 and "hypervisor" not in run.stderr and run.stderr.count("\n") == 1,
            "socle run finds its hypervisor", run.stderr)
    (lib / "hv.bin").unlink()
    run = socle(root, "run", "--quiet", "--qemu", "/bin/false", image)
    results(run.returncode == 1 and "--hv" in run.stderr, "and says when it is not there", run.stderr)
    image.unlink()


def main():
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        for prefix in ("/usr", "/opt/so cle"):
            top = Path(name) / "top"
            root = top / prefix.lstrip("/")
            install_old(root)
            script("install", build, top, prefix)
            found = files_below(root)
            results(found >= set(EXPECTED), f"what is there below {prefix}", set(EXPECTED) - found)
            results(not found & set(OLD), f"an older library is gone from {prefix}", found & set(OLD))
            results(files_below(top) == {str(root.relative_to(top) / file) for file in found},
                    f"nothing is elsewhere than below {prefix}")
            (root / "share/socle/mine").touch()
            install_old(root)
            script("uninstall", build, top, prefix)
            results(files_below(top) == {str(root.relative_to(top) / "share/socle/mine")},
                    f"what is left below {prefix}", files_below(top))
            (root / "share/socle/mine").unlink()
        root = Path(name) / "used/usr"
        script("install", build, Path(name) / "used", "/usr")
        version = socle(root, "--version")
        results(version.returncode == 0 and version.stdout.startswith("socle "), "socle --version",
                version.stderr)
        check_serve(root)
        check_image(root)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
