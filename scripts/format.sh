#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Formats the C files with clang-format 14; with --check only says what is not formatted. Other
# versions format otherwise, so they do not count. guest/module has the kernel's style.
#
#	scripts/format.sh [--check]
set -eu

cd "$(dirname "$0")/.."
[ $# -eq 0 ] || [ "$*" = --check ] || {
	echo "usage: $0 [--check]" >&2
	exit 1
}

# What clang-format leaves alone, comments and assembly among it: the file, and the number of the line.
long_lines() {
	find . -path ./build -prune -o -name '*.[chS]' -print | while read -r file; do
		expand -t 8 "$file" | awk -v file="$file" 'length > 100 { print file ":" NR ": over 100 columns" }'
	done
}

# Of Python, whose lines nothing here formats.
long_python() {
	find . -path ./build -prune -o -name '*.py' -print |
		xargs awk 'length > 120 { print FILENAME ":" FNR ": over 120 columns" }'
}

# An excuse counts for the line behind the one that it stands on, so its comment ends there.
open_excuses() {
	find . -path ./build -prune -o -name '*.[ch]' -print |
		xargs awk '/NOLINTNEXTLINE/ && !/\*\// {
			print FILENAME ":" FNR ": the comment of NOLINTNEXTLINE ends on another line" }'
}

files() {
	find . -path ./build -prune -o -path ./guest/module -prune -o -name '*.[ch]' -print
}

tool=
for candidate in clang-format-14 clang-format; do
	if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
		tool=$candidate
		break
	fi
done
if [ $# -eq 0 ]; then
	[ -n "$tool" ] || {
		echo "format: clang-format 14 is not installed" >&2
		exit 1
	}
	files | xargs "$tool" -i
	exit 0
fi
if [ -z "$tool" ]; then
	echo "skipped format: clang-format 14 is not installed"
	echo "format: 0 passed, 0 failed, 1 skipped"
	exit 0
fi
wrong=$(long_lines && long_python && open_excuses)
[ -z "$wrong" ] || echo "$wrong" >&2
files | xargs -n 16 -P 2 "$tool" --dry-run -Werror
[ -z "$wrong" ]
