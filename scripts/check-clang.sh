#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds everything with clang, the second compiler, and runs the tests of that build.
#
#	scripts/check-clang.sh BUILD
set -eu

[ $# -eq 1 ] || {
	echo "usage: $0 BUILD" >&2
	exit 1
}
cd "$(dirname "$0")/.."
. scripts/clang.sh
if [ -z "$compiler" ]; then
	echo "skipped clang: it is not installed"
	echo "clang: 0 passed, 0 failed, 1 skipped"
	exit 0
fi
[ -f "$1/build.ninja" ] || CC=$compiler meson setup "$1"
ninja -C "$1" -j 2 all meson-test-prereq
exec scripts/check.py --programs "$1" --unit
