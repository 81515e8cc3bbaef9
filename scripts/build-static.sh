#!/bin/sh
# SPDX-License-Identifier: MIT
#
# socle for people without Debian: one static executable and what it starts, as an archive that is unpacked
# anywhere; its name is printed. `socle verify serve`, and what fetches over HTTP, are left out.
#
#	scripts/build-static.sh [FOLDER]
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$top/build/static}
name=socle-$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$top/meson.build")-x86_64
build=$folder/out

mkdir -p "$folder"
[ -f "$build/build.ninja" ] || meson setup -Dhttp=disabled -Dserve=disabled -Dprefer_static=true \
	"$build" "$top" >"$folder/log" 2>&1 || { tail -n 3 "$folder/log" >&2; exit 1; }
ninja -C "$build" -j "${JOBS:-2}" tools/socle monitor/monitor.elf services/services machine/hv/hv.bin \
	>"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; exit 1; }
if readelf -d "$build/tools/socle" | grep -q NEEDED; then
	echo "build-static: socle still needs libraries" >&2
	exit 1
fi

# As scripts/install.sh lays it out, for socle finds its parts from where it lies itself.
rm -rf "${folder:?}/$name"
install -D -m 755 -s "$build/tools/socle" "$folder/$name/bin/socle"
install -D -m 644 -t "$folder/$name/lib/socle" "$build/monitor/monitor.elf" "$build/machine/hv/hv.bin"
install -m 755 "$build/services/services" "$folder/$name/lib/socle"
install -D -m 644 -t "$folder/$name/share/socle" "$top/services/services.conf"
install -D -m 644 -t "$folder/$name/share/socle/profile" "$top"/profiles/*.conf
install -D -m 644 "$top/LICENSE" "$folder/$name/share/doc/socle/copyright"
tar -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
	--mtime="@$(git -C "$top" log -1 --format=%ct)" -c "$name" | xz -9 --threads=1 >"$folder/$name.tar.xz"
echo "$folder/$name.tar.xz"
