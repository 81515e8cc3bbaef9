#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debian packages of what is committed, in FOLDER, with their lintian report.
#
#	scripts/build-deb.sh [FOLDER]
#
# They are built in a copy, so nothing that lies about here gets into them. Two builds by one toolchain
# are identical: the date is the changelog's, and paths are cut from what is compiled.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$top/build/deb}
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$top/debian/changelog")

die() {
	echo "build-deb: $*" >&2
	exit 1
}

rm -rf "$folder"
mkdir -p "$folder/socle-$version"
git -C "$top" archive HEAD | tar -x -C "$folder/socle-$version"
umask 022
(cd "$folder/socle-$version" && LC_ALL=C.UTF-8 dpkg-buildpackage -us -uc -b) >"$folder/log" 2>&1 || {
	tail -n 20 "$folder/log" >&2
	die "dpkg-buildpackage failed, see $folder/log"
}
rm -rf "$folder/socle-$version"
lintian --fail-on error --info "$folder"/*.changes >"$folder/lintian" 2>&1 || {
	cat "$folder/lintian" >&2
	die "lintian found errors"
}
ls "$folder"/*.deb
