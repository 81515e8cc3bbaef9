#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/budget.md against what is built: each part of Socle's region is within its row, the rows fit into the region,
and what grows is what the monitor's source says.

    budget_test.py SOCLE MONITOR SERVICES LIBCRYPTO

LIBCRYPTO is its version. Most of the archive is libcrypto's, so the page has a row for each that the services are
linked with, within the archive's part of the region; one that it does not have is held to that part.
"""

import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/lib"), str(ROOT / "tests/machine")]
import machine  # noqa: E402
import svsm_firmware_test  # noqa: E402
from results import Results  # noqa: E402

REGION_KIB = 16384
HOLE_GIB = 2  # below 4 GiB, of addresses without RAM
PROFILES = ("tcg", "google", "azure", "aws")
UNITS = {"K": 1, "M": 1024}


def table(title):
    """Rows of the page's table whose first column is called so, as lists of cells."""
    text = (ROOT / "docs/budget.md").read_text()
    lines = text[text.index(f"| {title} |"):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def show(socle, image):
    """Sizes in KiB, by the names that `socle igvm show` gives them."""
    _, text = machine.command(socle, "igvm", "show", image)
    found = re.findall(r"^  (region|image|page tables|archive|free) +0x([0-9a-f]+) +(\d+) KiB", text, re.MULTILINE)
    return {name: int(size) for name, _, size in found}, {name: int(at, 16) for name, at, _ in found}


def services_kib():
    """Work ahead is among them, which has what is left, so that it is there in every VM of the page's size."""
    text = (ROOT / "services/services.conf").read_text()
    return sum(int(number) * UNITS[unit]
               for number, unit in re.findall(r"^\s+memory (\d+)([KM])\b", text, re.MULTILINE))


def constant(name):
    text = (ROOT / "monitor/boot/growth.h").read_text()
    number, shift = re.search(rf"#define {name} \(?(\d+)u(?: << (\d+))?", text).groups()
    return int(number) << int(shift or 0)


def parts(socle, image):
    """The rows' names, and what an image has."""
    size, at = show(socle, image)
    loaded = (at["free"] - at["region"]) // 1024
    return {"image with its data": size["image"], "archive": size["archive"],
            "page tables, parameters, CPUID, secrets, VMSAs, the host's words":
                loaded - size["image"] - (size["archive"] + 3) // 4 * 4,
            "services' memory, all budgets": services_kib(),
            "states of pages, 16 GiB": (16 + HOLE_GIB) * 64}


def taken_kib(ram, cpus):
    number, unit = ram.split()
    gib = int(number) if unit == "GiB" else 1
    more = max(gib - constant("GROWTH_FREE_GIB"), 0) * constant("GROWTH_BYTES_PER_GIB")
    return (more + max(cpus - constant("GROWTH_FREE_CPUS"), 0) * constant("GROWTH_BYTES_PER_CPU")) // 1024


def main():
    socle, monitor, services = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    result = Results("budget")
    budget = {name: int(kib) for name, kib in table("part")}
    result(sum(budget.values()) <= REGION_KIB, "the parts fit into the region", str(sum(budget.values())))
    archives = {version: int(kib) for version, _, kib in table("libcrypto")}
    result(max(archives.values()) <= budget["archive"], "archives fit into their part", str(archives))
    budget["archive"] = archives.get(".".join(sys.argv[4].split(".")[:2]), budget["archive"])
    with tempfile.TemporaryDirectory(prefix="socle-budget-") as name:
        folder = pathlib.Path(name)
        (folder / "firmware.fd").write_bytes(svsm_firmware_test.firmware())
        for profile in PROFILES:
            conf = folder / "services.conf"
            conf.write_text((ROOT / "services/services.conf").read_text().replace("profile/tcg.conf",
                                                                                  f"profile/{profile}.conf"))
            image = machine.must_build(
                socle, folder / f"{profile}.igvm", "--monitor", monitor, "--firmware", folder / "firmware.fd",
                files={"services/services": services, "services.conf": conf,
                       f"profile/{profile}.conf": ROOT / f"profiles/{profile}.conf"})
            for part, kib in parts(socle, image).items():
                result(0 < kib <= budget[part], f"{profile}: {part}", f"{kib} KiB, {budget[part]} KiB are the budget")
    for ram, cpus, kib in table("RAM"):
        result(taken_kib(ram, int(cpus)) == int(kib), f"{ram} and {cpus} vCPUs take {kib} KiB",
               str(taken_kib(ram, int(cpus))))
    result(constant("GROWTH_BYTES_PER_GIB") <= 96 << 10 and constant("GROWTH_BYTES_PER_CPU") <= 96 << 10,
           "growth is at most 96 KiB")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
