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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import machine  # noqa: E402
from results import Results  # noqa: E402

LACKS = ("smap", "aes")
REFUSAL = 2, 7  # reason set of Socle, DIE_UNSUPPORTED
CONF = "service echo\n\texec hostile\n\tmemory 512K\n\tbudget 1s\n\tgrant 7 log\n"


def build(socle, monitor, hostile, allowed, folder):
    (folder / "services.conf").write_text(CONF)
    return machine.must_build(
        socle, folder / "-".join(("image",) + allowed), "--monitor", monitor,
        *(f"--allow-missing={feature}" for feature in allowed),
        files={"services.conf": folder / "services.conf", "hostile": hostile})


def show(socle, image):
    return json.loads(subprocess.run([socle, "igvm", "show", "--json", image], check=True,
                                     stdout=subprocess.PIPE).stdout)


def boot(socle, hostile, image, folder):
    """The monitor's log, and why the machine stopped."""
    logs = folder / (image.name + ".logs")
    stop, _ = machine.run(socle, image, logs, pathlib.Path(hostile).parent / "keys",
                          *(f"--cpu-without={feature}" for feature in LACKS), seconds=8)
    return machine.log_of(logs), stop


def main():
    socle, monitor, hostile = sys.argv[1:]
    result = Results("processor")

    def rule(what, holds, details=""):
        result(holds, what, details)

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
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
