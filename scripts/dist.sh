#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The sources of what is committed, as one archive; its name is printed. The same commit always makes
# the same archive.
#
#	scripts/dist.sh [FOLDER]
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$top/build/dist}
name=socle-$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$top/meson.build")

mkdir -p "$folder"
git -C "$top" -c tar.umask=0022 archive --format=tar --prefix="$name/" HEAD |
	xz -9 --threads=1 >"$folder/$name.tar.xz"
echo "$folder/$name.tar.xz"
