# SPDX-License-Identifier: MIT
"""Result files of a trial: what the guests of tests/machine/rules said on one host. Whoever made such a
file may have written anything into it.

    socle trial 1
    host: TEXT                     any number of lines, for who reads the file
    image: NAME
    | LINE                         what the guest wrote to its serial port
    status: ended | went on | hung | not started: TEXT
"""

import re
from dataclasses import dataclass, field

import tap

FIRST_LINE = "socle trial 1"
SIZE_MAX = 4 << 20
LINES_MAX = 20000  # of an image
IMAGE = re.compile(r"^image: ([a-z0-9-]{1,40})$")
STATUS = re.compile(r"^status: (ended|went on|hung|not started: .*)$")


class Malformed(Exception):
    """What is wrong with a file, in one line."""


@dataclass
class Image:
    """rules is empty for an image of one rule that ends the VM, which ending names then."""
    status: str = ""
    lines: list = field(default_factory=list)
    rules: list = field(default_factory=list)
    ending: str = ""


def printable(text):
    return "".join(c if c.isprintable() else "?" for c in text)


def write(path, host, images):
    """images: (name, lines, status) in order."""
    text = [FIRST_LINE, *(f"host: {printable(line)}" for line in host)]
    for name, lines, status in images:
        text += [f"image: {name}", *(f"| {printable(line)}" for line in lines), f"status: {status}"]
    path.write_text("\n".join(text) + "\n")


def read(path):
    """(lines about the host, Image by name); raises Malformed."""
    with open(path, "rb") as file:
        data = file.read(SIZE_MAX + 1)
    if len(data) > SIZE_MAX:
        raise Malformed(f"it has more than {SIZE_MAX} bytes")
    lines = data.decode("utf-8", errors="replace").split("\n")
    if lines[0].rstrip("\r") != FIRST_LINE:
        raise Malformed(f"its first line is not {FIRST_LINE!r}")
    host, images, current = [], {}, None
    for number, line in enumerate((line.rstrip("\r") for line in lines[1:]), 2):
        if line.startswith("| ") and current and not current.status:
            current.lines.append(line[2:])
        elif line.startswith("host: ") and current is None:
            host.append(printable(line[6:]))
        elif IMAGE.match(line) and (current is None or current.status):
            name = IMAGE.match(line)[1]
            if name in images:
                raise Malformed(f"line {number}: {name} is there twice")
            current = images[name] = Image()
        elif STATUS.match(line) and current and not current.status:
            current.status = printable(STATUS.match(line)[1])
        elif line:
            raise Malformed(f"line {number}: it does not belong there")
    for name, image in images.items():
        _read_image(name, image)
    if not images:
        raise Malformed("no image")
    return host, images


def _read_image(name, image):
    if not image.status:
        raise Malformed(f"{name}: no status")
    if len(image.lines) > LINES_MAX:
        raise Malformed(f"{name}: more than {LINES_MAX} lines")
    # What did not come to its end has no rules to compare.
    if image.status.startswith("not started"):
        return
    try:
        image.rules, ending = tap.read(image.lines, cut=image.status == "hung")
    except tap.Malformed as error:
        raise Malformed(f"{name}: {printable(str(error))}") from error
    image.ending = ending["name"] if ending else ""
