#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes a disk with packages of Debian 13's for a guest to install: a file system with jq and what it depends on, below
# build/debian-trixie. Without root's rights.
#
#	scripts/make-package-disk.sh [--dir DIR]
#
# Leaves DIR/packages.img (ext4, label "debian-debs") and DIR/packages.img.list (name, version and SHA-256 of each). With
# those there, it does nothing.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
dir=$here/build/debian-trixie
while [ $# -gt 0 ]; do
	case $1 in
	--dir) dir=$2 && shift 2 ;;
	*)
		echo "usage: $0 [--dir DIR]" >&2
		exit 1
		;;
	esac
done

die() {
	echo "make-package-disk: $*" >&2
	exit 1
}

report() {
	echo "packages: $(cut -d ' ' -f 1,2 "$dir/packages.img.list" | paste -s -d ',' | sed 's/,/, /g')"
}

if [ -s "$dir/packages.img" ] && [ -s "$dir/packages.img.list" ]; then
	report
	exit 0
fi

PATH=$PATH:/usr/sbin:/sbin # mke2fs
. "$here/scripts/debian-suite.sh"
suite_mirror
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# What an earlier run left unfinished is of no use.
rm -rf "$dir/debs"
mkdir -p "$dir/debs/files"
suite_open "$dir/debs/apt" "$suite"
for package in libonig5 libjq1 jq; do
	suite_unpack "$dir/debs/root" "$package"
	cp "$deb" "$dir/debs/files"
done
mke2fs -q -t ext4 -L debian-debs -d "$dir/debs/files" "$dir/debs/img" 8M >"$dir/debs/log" 2>&1 || {
	tail -n 5 "$dir/debs/log" >&2
	die "mke2fs made no file system"
}
mv "$dir/debs/img" "$dir/packages.img"
mv "$apt/packages" "$dir/packages.img.list"
rm -rf "$dir/debs"
report
