#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks whether what the documents name is there.

    check_paths.py [FILE.md]...

A link of Markdown has to lead to a file of this tree, and its #fragment to a heading there. A path in
backquotes that begins with a room of the tree (`monitor/mem/alloc`) has to be one, as it stands or with
.c, .h, .md, .S, .py or .sh behind it, or be a pattern that fits a file; so has each such word of a code
block of commands (```sh). What `make` is told to make, in backquotes or in commands, has to be a target of the
Makefile. What a build makes is not looked at, nor is what a reader shall write: code,
and paths with NAME in them.
"""

import functools
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*```(.*)$")
ENDINGS = ("", ".c", ".h", ".md", ".S", ".py", ".sh")
# What is made by a build.
MADE = ("build",)
# At the begin of a line of the Makefile.
TARGETS = re.compile(r"^([\w-]+(?: [\w-]+)*):(?!=)", re.MULTILINE)
OTHERS = {"bindeb-pkg"}  # targets of Linux's
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)


def files_of_tree():
    found = set()
    for folder, inside, names in os.walk(ROOT):
        if Path(folder) == ROOT:
            inside[:] = [name for name in inside if name not in (*MADE, ".git")]
        found |= {str((Path(folder) / name).relative_to(ROOT)) for name in names}
    return found


def folders_of(files):
    return {str(parent) for name in files for parent in Path(name).parents} - {"."}


@functools.cache
def anchors(path):
    """The fragments by which its headings can be linked to, as GitHub makes them."""
    found = set()
    for heading in HEADING.findall((ROOT / path).read_text()):
        text = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower())
        found.add(text.replace(" ", "-"))
    return found


@functools.cache
def targets():
    """Of the Makefile."""
    return {word for words in TARGETS.findall((ROOT / "Makefile").read_text()) for word in words.split()} | OTHERS


def goals(text):
    """What the commands of a text have `make` make here: no options, variables and comments, and nothing in other
    folders."""
    for command in re.split(r"&&|\|\||;", text.split("#")[0]):
        words = command.split()
        if words[:1] == ["sudo"]:
            words = words[1:]
        if words[:1] == ["make"] and "-C" not in words:
            words = re.sub(r"\w+=(\"[^\"]*\"|\S*)", "", " ".join(words)).split()
            yield from (word for word in words[1:] if word[0] not in "-.>")


class Tree:
    def __init__(self):
        self.files = files_of_tree()
        self.folders = folders_of(self.files)
        self.rooms = {folder for folder in self.folders if "/" not in folder}

    def has(self, path):
        path = path.rstrip("/")
        if path in self.folders or any(path + ending in self.files for ending in ENDINGS):
            return True
        return "*" in path and any(Path(name).match(path) for name in self.files)

    def is_path(self, text):
        """Whether it reads like a path of this tree: one word, from a room on."""
        return (re.fullmatch(r"\.?[\w.*-]+(/[\w.*-]+)*/?", text) is not None and "/" in text
                and not re.search(r"\bNAME(_|\b)", text)
                and text.split("/")[0] in self.rooms and text.split("/")[0] not in MADE)

    def problem_of_link(self, source, target):
        if re.match(r"[a-z]+:", target):
            return None
        path, _, fragment = target.partition("#")
        there = (ROOT / source).parent / path if path else ROOT / source
        try:
            name = str(there.resolve().relative_to(ROOT))
        except ValueError:
            return f"{target} lies outside of the tree"
        if not self.has(name):
            return f"{target} is not there"
        if fragment and name.endswith(".md") and fragment not in anchors(name):
            return f"{name} has no heading #{fragment}"
        return None

    def problems(self, source):
        block = None
        for number, line in enumerate((ROOT / source).read_text().splitlines(), start=1):
            fence = FENCE.match(line)
            if fence:
                block = None if block is not None else fence.group(1).strip()
                continue
            if block is None:
                found = [self.problem_of_link(source, target) for target in LINK.findall(line)]
                commands = [line] if line.startswith("\t") else QUOTED.findall(line)
                words = " ".join(QUOTED.findall(line)).split()
            else:
                found = []
                commands = [line]
                words = line.split() if block == "sh" else []
            found += [f"make {word} is no target of the Makefile" for command in commands for word in goals(command)
                      if word not in targets()]
            found += [f"{word} is not there" for word in words
                      if self.is_path(word) and not self.has(word)]
            yield from (f"{source}:{number}: {text}" for text in found if text)


def main():
    tree = Tree()
    sources = sys.argv[1:] or sorted(name for name in tree.files if name.endswith(".md"))
    problems = [problem for source in sources for problem in tree.problems(source)]
    print("\n".join(problems), end="\n" if problems else "")
    print(f"paths: {len(sources) - len({p.split(':')[0] for p in problems})} passed, "
          f"{len({p.split(':')[0] for p in problems})} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
