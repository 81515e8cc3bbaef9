#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is made of the tables of options: completions that the shells themselves are asked for, where
they are installed, and manual pages that groff has nothing to say against.

    command_files_test.py SOCLE
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lib"))
from results import Results  # noqa: E402

HELP = {"name": "help", "letter": "h", "kind": "flag", "words": []}

results = Results("command files")


def commands_of(command, path=()):
    for below in command["commands"]:
        if "summary" in below:
            yield from commands_of(below, (*path, below["name"]))
    yield path, command


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, **more)


def bash_completes(folder, *words):
    """What bash offers for the last of these words behind "socle"."""
    script = f"source {shlex.quote(str(folder / 'socle.bash'))}\n" \
        f"COMP_WORDS=(socle {' '.join(map(shlex.quote, words))})\n" \
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_socle\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    done = run("bash", "-euc", script, cwd=folder)
    return set(done.stdout.split()) if done.returncode == 0 else {done.stderr}


def fish_completes(folder, *words):
    line = " ".join(("socle", *words))
    done = run("fish", "--no-config", "-c", f"source {folder / 'socle.fish'}; complete -C '{line}'")
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


ZSH = r"""
_arguments() {
	local spec name
	for spec in "${@:2}"; do
		name=${${spec#\*}%%\[*}
		[[ $spec == -*\[* || $spec == \*-* ]] && print -r -- "$name"
		[[ $spec == "${previous:-none}["* || $spec == "*${previous:-none}["* ]] && \
			print -r -- "values ${${spec##*:\(}%\)}"
	done
	return 0
}
_describe() { print -rl -- ${(P)2%%:*} }
CURRENT=$#words
"""


def zsh_completes(folder, *words):
    """What _socle tells zsh's own functions, which stand-ins print, of the last of these words."""
    previous = words[-2] if not words[-1] and words[-2:-1] and words[-2].startswith("--") else ""
    script = f"words=(socle {' '.join(map(shlex.quote, words))}); previous={previous!r}\n{ZSH}\n" \
        f"source {shlex.quote(str(folder / '_socle'))}"
    done = run("zsh", "-fc", script)
    lines = done.stdout.splitlines() if done.returncode == 0 and not done.stderr else [done.stderr]
    if previous:
        return {word for line in lines if line.startswith("values ") for word in line.split()[1:]}
    return set(lines)


def options_of(command):
    return [option for group in command["groups"] for option in group["options"]] + [HELP]


def check_shell(name, completes, folder, commands):
    for path, command in commands:
        if command["commands"] and not command["groups"]:
            wanted = {below["name"] for below in command["commands"] if "summary" in below}
            offered = {word for word in completes(folder, *path, "") if not word.startswith("--h")}
            results(wanted <= offered and not any(w.startswith("-") and w not in wanted for w in offered),
                    f"{name}: commands of socle {' '.join(path)}", offered)
            continue
        wanted = {f"--{option['name']}" for option in options_of(command)}
        offered = {word for word in completes(folder, *path, "--") if word.startswith("--")}
        results(wanted == offered, f"{name}: options of socle {' '.join(path)}", wanted ^ offered)
        for option in options_of(command):
            if option["words"]:
                offered = completes(folder, *path, f"--{option['name']}", "")
                results(offered == set(option["words"]),
                        f"{name}: values of socle {' '.join(path)} --{option['name']}", offered)


def check_bash_files(folder):
    (folder / "a-file").touch()
    (folder / "a-folder").mkdir()
    for words, wanted in ((("run", "--hv", "a-"), {"a-file", "a-folder"}),
                          (("run", "--log-dir", "a-"), {"a-folder"}),
                          (("run", "a-"), {"a-file", "a-folder"}),
                          (("verify", "a-"), {"a-folder"}),
                          (("verify", "s"), {"serve"}),
                          (("verify", "serve", "a-"), set()),
                          (("run", "--cpus", "a-"), set()),
                          (("igvm", "build", "-o", "a-"), {"a-file", "a-folder"})):
        offered = bash_completes(folder, *words)
        results(offered == wanted, f"bash: socle {' '.join(words)}", offered)


def check_pages(folder, commands):
    for path, command in commands:
        if path and path[-1].startswith("-"):
            continue
        name = "-".join(("socle", *path)) + ".1"
        if not shutil.which("groff"):
            results.skip(name, "groff is not installed")
            continue
        page = run("groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=500n", folder / name)
        text = " ".join(page.stdout.split())
        missing = [option["name"] for option in options_of(command)[:-1]
                   if f"--{option['name']}" not in text or
                   " ".join(option["help"].split()) not in text]
        missing += [status["meaning"] for status in command["statuses"]
                    if (command["groups"] or not command["commands"]) and status["meaning"] not in text]
        results(page.returncode == 0 and not page.stderr and not missing, name,
                (missing, page.stderr))


def main():
    socle = sys.argv[1]
    tables = json.loads(run(socle, "--tables").stdout)
    commands = list(commands_of(tables))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = run(sys.executable, ROOT / "scripts/command-files.py", socle, folder)
        results(made.returncode == 0, "made", made.stderr)
        check_shell("bash", bash_completes, folder, commands)
        check_bash_files(folder)
        for shell, completes in (("fish", fish_completes), ("zsh", zsh_completes)):
            if shutil.which(shell):
                check_shell(shell, completes, folder, commands)
            else:
                results.skip(shell, "it is not installed")
        check_pages(folder, commands)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
