#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completions for bash, zsh and fish, and manual pages, out of the tables that `socle` reads its
command lines by.

    command-files.py SOCLE FOLDER

FOLDER gets socle.bash, _socle (zsh), socle.fish, and socle.1, socle-run.1 and so on.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

FILES, FOLDERS = ("file",), ("folder",)
HELP = {"name": "help", "letter": "h", "kind": "flag", "help": "print this", "note": "", "words": []}


def walk(command, path=()):
    """(path, table) of a group or command and all below it."""
    yield path, command
    for below in command["commands"]:
        if "summary" in below:  # what has none is not shown
            yield from walk(below, (*path, below["name"]))


def options_of(command):
    return [option for group in command["groups"] for option in group["options"]] + [HELP]


def is_group(command):
    """Some commands take options, and have others below them besides."""
    return command["commands"] and not command["groups"]


def names_below(command):
    return [below["name"] for below in command["commands"] if "summary" in below]


def takes_value(option):
    return option["kind"] not in ("flag", "set")


def forms(option):
    return [f"--{option['name']}"] + ([f"-{option['letter']}"] if option["letter"] else [])


def summary_of(option):
    return option["help"] + (f" {option['note']}" if option["note"] else "")


# bash

def bash_values(option):
    if option["words"]:
        return f"compgen -W '{' '.join(option['words'])}'"
    if option["kind"] in FILES + FOLDERS:
        return "compgen -f" if option["kind"] in FILES else "compgen -d"
    return ":"  # nothing is known of it


def bash_operand(command):
    kinds = {operand["kind"] for operand in command["operands"]}
    offer = "compgen -d" if kinds == set(FOLDERS) else "compgen -f" if kinds else ":"
    return offer + (f" -W '{' '.join(names_below(command))}'" if command["commands"] else "")


def bash(tree):
    paths, values, words = [], [], []
    for path, command in tree:
        name = " ".join(path)
        if path:
            paths.append(f"\t\t'{' '.join(path[:-1])}/{path[-1]}') path='{name}' ;;")
        if is_group(command):
            known = names_below(command) + ["--help"]
            words.append(f"\t'{name}') _socle_reply \"$current\" compgen -W '{' '.join(known)}' ;;")
            continue
        known = [form for option in options_of(command) for form in forms(option)]
        words.append(f"\t'{name}') if [[ $current == -* ]]; then\n"
                     f"\t\t_socle_reply \"$current\" compgen -W '{' '.join(known)}'\n"
                     f"\telse\n\t\t_socle_reply \"$current\" {bash_operand(command)}\n\tfi ;;")
        for option in filter(takes_value, options_of(command)):
            matches = "|".join(f"'{name} {form}'" for form in forms(option))
            values.append(f"\t{matches}) _socle_reply \"$current\" {bash_values(option)}; return ;;")
    newline = "\n"
    return f"""# bash completion for socle; made from the tables of its options

_socle_reply() {{
	local word=$1

	shift
	mapfile -t COMPREPLY < <("$@" -- "$word")
}}

_socle() {{
	local current=${{COMP_WORDS[COMP_CWORD]}} path='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$path/${{COMP_WORDS[i]}}" in
{newline.join(paths)}
		esac
	done
	case "$path ${{COMP_WORDS[COMP_CWORD - 1]}}" in
{newline.join(values)}
	esac
	case "$path" in
{newline.join(words)}
	esac
}}
complete -o filenames -F _socle socle
"""


# zsh

def zsh_quote(text):
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh_option(option):
    action = ""
    if takes_value(option):
        action = f"({' '.join(option['words'])})" if option["words"] else \
            {"file": "_files", "folder": "_files -/"}.get(option["kind"], " ")
        action = f":{zsh_quote(option['value'])}:{action}"
    many = "*" if option.get("repeats") else ""
    return [f"'{many}{form}[{zsh_quote(summary_of(option))}]{action}'" for form in forms(option)]


def zsh_name(path):
    return "_".join(("_socle", *(re.sub(r"\W", "", word) for word in path)))


def zsh(tree):
    functions = []
    for path, command in tree:
        if is_group(command):
            below = [c for c in command["commands"] if "summary" in c]
            names = "\n".join(f"\t\t'{zsh_quote(c['name'])}:{zsh_quote(c['summary'])}'" for c in below)
            cases = "\n".join(f"\t{c['name']}) {zsh_name((*path, c['name']))} ;;" for c in below)
            functions.append(f"""{zsh_name(path)}() {{
	local -a commands=(
{names}
	)

	if ((CURRENT == 2)); then
		_describe command commands
		return
	fi
	shift words
	((CURRENT--))
	case $words[1] in
{cases}
	esac
}}
""")
            continue
        specs = [spec for option in options_of(command) for spec in zsh_option(option)]
        specs += [f"':{operand['name']}:_files{' -/' * (operand['kind'] in FOLDERS)}'"
                  for operand in command["operands"]]
        lines = " \\\n\t\t".join(specs)
        below = "".join(f"\tif [[ $words[2] == {name} ]] && ((CURRENT > 2)); then\n\t\tshift words\n"
                        f"\t\t((CURRENT--))\n\t\t{zsh_name((*path, name))}\n\t\treturn\n\tfi\n"
                        for name in names_below(command))
        functions.append(f"{zsh_name(path)}() {{\n{below}\t_arguments -S \\\n\t\t{lines}\n}}\n")
    return "#compdef socle\n# made from the tables of socle's options\n\n" + "\n".join(functions) + \
        "\n_socle \"$@\"\n"


# fish

def fish_quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(path, option, below=()):
    at = "; and not ".join(" ".join(("__socle_at", *path, *name)) for name in ((), *((n,) for n in below)))
    line = f"complete -c socle -n {fish_quote(at)} -l {option['name']}"
    line += f" -s {option['letter']}" if option["letter"] else ""
    if takes_value(option):
        if option["words"]:
            line += f" -x -a {fish_quote(' '.join(option['words']))}"
        elif option["kind"] in FOLDERS:
            line += " -x -a '(__fish_complete_directories)'"
        else:
            line += " -r" + (" -F" if option["kind"] in FILES else " -f")
    return line + f" -d {fish_quote(summary_of(option))}"


def fish(tree):
    lines = ["# made from the tables of socle's options", "function __socle_at",
             "\tset -l words (commandline -opc)[2..]", "\tset -l wanted $argv",
             "\ttest (count $words) -ge (count $wanted)", "\tor return 1",
             "\tfor i in (seq (count $wanted))", "\t\ttest \"$words[$i]\" = \"$wanted[$i]\"",
             "\t\tor return 1", "\tend", "end", "function __socle_just_at",
             "\tset -l words (commandline -opc)[2..]",
             "\ttest (count $words) -eq (count $argv)", "\tand __socle_at $argv", "end"]
    for path, command in tree:
        for below in command["commands"]:
            if "summary" in below:
                lines.append(f"complete -c socle -f -n {fish_quote(' '.join(('__socle_just_at', *path)))}"
                             f" -a {below['name']} -d {fish_quote(below['summary'])}")
        if not is_group(command):
            lines += [fish_option(path, option, names_below(command)) for option in options_of(command)]
    return "\n".join(lines) + "\n"


# Manual pages, in the order of OpenBSD's: name, synopsis, description, options, exit status.

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(['.])", r"\\&\1", text, flags=re.MULTILINE)


def page_name(path):
    return "-".join(("socle", *path))


def page_head(path, summary, version):
    return [f".TH {page_name(path).upper()} 1 \"\" \"socle {version}\"", ".SH NAME",
            f"{roff(page_name(path))} \\- {roff(summary)}", ".SH SYNOPSIS"]


def page_option(option, dashes="--"):
    names = [f"\\fB{roff(dashes + option['name'])}\\fR"]
    if option.get("letter"):
        names.append(f"\\fB\\-{option['letter']}\\fR")
    value = f" \\fI{roff(option['value'])}\\fR" if "value" in option and dashes else ""
    return [".TP", ", ".join(names) + value, roff(summary_of(option))]


def page(path, command, version):
    needed = [f"\\fB{roff('--' + option['name'])}\\fR \\fI{roff(option['value'])}\\fR"
              for option in options_of(command) if option.get("required")]
    operands = [f"\\fI{roff(operand['name'])}\\fR" for operand in command["operands"]]
    lines = page_head(path, command["summary"], version)
    lines += [" ".join((f"\\fB{roff(' '.join(('socle', *path)))}\\fR", "[\\fIOPTION\\fR]...", *needed,
                        *operands)), ".SH DESCRIPTION",
              "\n.PP\n".join(map(roff, filter(None, command["about"].split("\n"))))]
    lines.append(".SH OPTIONS")
    for group in command["groups"]:
        if "title" in group:
            lines += [f".SS {roff(group['title'])}"]
        for option in group["options"]:
            lines += page_option(option)
            if option["words"]:
                lines += [".IP", "One of " + roff(", ".join(option["words"])) + "."]
    lines.append(".SH EXIT STATUS")
    for status in command["statuses"]:
        lines += [".TP", f"\\fB{status['status']}\\fR", roff(status["meaning"])]
    if command["commands"]:
        lines += see_also(path, command)
    return "\n".join(lines) + "\n"


def see_also(path, command):
    return [".SH SEE ALSO", ", ".join(
        f"\\fB{roff(page_name((*path, name)))}\\fR(1)" for name in names_below(command)
        if not name.startswith("-"))]


def group_page(path, command, version):
    lines = page_head(path, command.get("summary", "a Secure VM Service Module's images, machine, "
                                        "evidence and TPMs"), version)
    lines += [f"\\fB{roff(' '.join(('socle', *path)))}\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...",
              ".SH COMMANDS"]
    for below in command["commands"]:
        if "summary" in below:
            lines += [".TP", f"\\fB{roff(below['name'])}\\fR", roff(below["summary"])]
    lines += see_also(path, command)
    return "\n".join(lines) + "\n"


def make(socle):
    """The files' contents by their names."""
    def output(*words):
        return subprocess.run([socle, *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    tree = list(walk(json.loads(output("--tables"))))
    version = output("--version").split()[1]
    files = {"socle.bash": bash(tree), "_socle": zsh(tree), "socle.fish": fish(tree)}
    for path, command in tree:
        if path and path[-1].startswith("-"):
            continue
        write = group_page if is_group(command) else page
        files[f"{page_name(path)}.1"] = write(path, command, version)
    return files


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in make(sys.argv[1]).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
