#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An image of Socle on a CPU that lacks what its promises rest on, on the machine.

	processor_test.py SOCLE MONITOR HOSTILE

It must refuse to start, name what is missing, and end the VM with the reason of docs/threat-model.md;
built with --allow-missing, which the measurement shows, it starts.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

LACKS = ("smap", "aes")
REFUSAL = 2, 7  # reason set of Socle, DIE_UNSUPPORTED
CONF = "service echo\n\texec hostile\n\tmemory 512K\n\tbudget 1s\n\tgrant 7 log\n"


def build(socle, monitor, hostile, allowed, folder):
    (folder / "services.conf").write_text(CONF)
    image = folder / "-".join(("image",) + allowed)
    command = [socle, "igvm", "build", "-q", "--monitor", monitor, "-o", image, "--file",
               f"services.conf={folder / 'services.conf'}", "--file", f"hostile={hostile}"]
    for feature in allowed:
        command += ["--allow-missing", feature]
    subprocess.run(command, check=True)
    return image


def show(socle, image):
    return json.loads(subprocess.run([socle, "igvm", "show", "--json", image], check=True,
                                     stdout=subprocess.PIPE).stdout)


def boot(socle, hostile, image, folder):
    """The monitor's log, and why the machine stopped."""
    logs = folder / (image.name + ".logs")
    subprocess.run([socle, "run", "--quiet", "--log-dir", logs, "--timeout", "8", "--report-key-dir",
                    pathlib.Path(hostile).parent / "keys",
                    *[f"--cpu-without={feature}" for feature in LACKS], image],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    stop = json.loads((logs / "timeline.json").read_text())["stop"]
    return (logs / "svsm.log").read_text(errors="replace"), stop


def main():
    socle, monitor, hostile = sys.argv[1:]
    results = []

    def rule(what, holds, details=""):
        results.append(bool(holds))
        print(f"{'ok' if holds else 'not ok'} - {what} {'' if holds else details}".rstrip())

    with tempfile.TemporaryDirectory(prefix="socle-processor-") as path:
        folder = pathlib.Path(path)
        strict = build(socle, monitor, hostile, (), folder)
        half = build(socle, monitor, hostile, LACKS[:1], folder)
        lenient = build(socle, monitor, hostile, LACKS, folder)
        shown = [show(socle, image) for image in (strict, half, lenient)]
        rule("each allowance is shown",
             [one["parameters"]["allow_missing"] for one in shown] == [[], ["smap"], ["smap", "aes"]])
        rule("and measured", len({one["measurement"] for one in shown}) == 3)

        text, stop = boot(socle, hostile, strict, folder)
        for feature in LACKS:
            rule(f"{feature} is missed by name",
                 re.search(f"^socle: error: no {feature}: ", text, re.MULTILINE), text)
        rule("what is there is not", not re.search("error: no (smep|umip|pclmulqdq|rdrand)", text), text)
        rule("no service starts", "is ready" not in text, text)
        rule("the VM is ended", (stop.get("set"), stop.get("code")) == REFUSAL, str(stop))

        text, stop = boot(socle, hostile, half, folder)
        rule("one allowance is not two", (stop.get("set"), stop.get("code")) == REFUSAL, str(stop))
        rule("and says which one it used", "warning: no smap, as the image allows" in text, text)

        text, stop = boot(socle, hostile, lenient, folder)
        rule("with both it starts", "services ready" in text, text)
    print(f"processor: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
