#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what was built, or removes what this installed.
#
#	PREFIX=/usr/local DESTDIR= LIBDIR=lib scripts/install.sh install|uninstall BUILD
#
# Everything lies below DESTDIR and PREFIX, in the folders that Debian's packages use. What a guest
# needs comes with it: the agent, the module's sources for DKMS, and what loads and starts them.
set -eu

[ $# -eq 2 ] || {
	sed -n 's/^#	//p' "$0" >&2
	exit 1
}
action=$1 build=$2
top=$(dirname "$0")/..
root=${DESTDIR:-}${PREFIX:-/usr/local}
libdir=${LIBDIR:-lib}
made=$build/command-files
version=$("$build/tools/socle" --version)
version=${version##* }
# The name that the loader looks for, and the compiler's.
library=libsocle-verify.so.1
link=libsocle-verify.so
# What versions before installed instead.
old_libraries='libsocle-verify.so.0 libsocle-verify.so.0.1.0'
module=src/socle-tpm-$version

# Mode, where it goes, and the file.
list() {
	echo "755 bin/socle $build/tools/socle"
	echo "644 include/socle-verify.h $top/tools/libverify/socle-verify.h"
	echo "644 $libdir/$library $build/tools/$library"
	echo "644 $libdir/pkgconfig/socle-verify.pc $made/socle-verify.pc"
	echo "644 lib/socle/hv.bin $build/machine/hv/hv.bin"
	echo "644 lib/socle/monitor.elf $build/monitor/monitor.elf"
	echo "755 lib/socle/services $build/services/services"
	echo "644 share/socle/services.conf $top/services/services.conf"
	for profile in "$top"/profiles/*.conf; do
		echo "644 share/socle/profile/${profile##*/} $profile"
	done
	echo "644 share/doc/socle/copyright $top/LICENSE"
	echo "644 share/bash-completion/completions/socle $made/socle.bash"
	echo "644 share/zsh/site-functions/_socle $made/_socle"
	echo "644 share/fish/vendor_completions.d/socle.fish $made/socle.fish"
	for page in "$made"/*.1; do
		echo "644 share/man/man1/${page##*/} $page"
	done
}

# The module's folder is one as guest/module/build.sh makes it: abi/ below include/.
list_guest() {
	echo "755 bin/socle-guest $build/guest/socle-guest"
	echo "644 share/man/man1/socle-guest.1 $top/guest/agent/socle-guest.1"
	echo "755 lib/socle/attest.sh $top/guest/initramfs/attest.sh"
	echo "644 lib/systemd/system/socle-guest@.service $top/guest/system/socle-guest@.service"
	echo "644 lib/udev/rules.d/60-socle.rules $top/guest/system/60-socle.rules"
	echo "755 share/initramfs-tools/hooks/socle $top/guest/system/initramfs-hook"
	for file in "$top"/guest/module/*.[ch] "$top"/guest/module/Kbuild; do
		echo "644 $module/${file##*/} $file"
	done
	for file in "$top"/abi/*.h; do
		echo "644 $module/include/abi/${file##*/} $file"
	done
	echo "644 $module/dkms.conf $build/dkms.conf"
}

rm -rf "$made"
"$top"/scripts/command-files.py "$build/tools/socle" "$made"
sed -e "s|@PREFIX@|${PREFIX:-/usr/local}|" -e "s|@LIBDIR@|$libdir|" -e "s|@VERSION@|$version|" \
	"$top/tools/libverify/socle-verify.pc.in" >"$made/socle-verify.pc"
sed "s/#MODULE_VERSION#/$version/" "$top/guest/module/dkms.conf" >"$build/dkms.conf"
{ list && list_guest; } | while read -r mode to from; do
	case $action in
	install) install -D -m "$mode" "$from" "$root/$to" ;;
	uninstall) rm -f "$root/$to" ;;
	esac
done
for old in $old_libraries; do
	rm -f "$root/$libdir/$old"
done
case $action in
install) ln -sf "$library" "$root/$libdir/$link" ;;
uninstall) rm -f "$root/$libdir/$link" ;;
esac
# Folders of others stay, and these when somebody put a file there.
[ "$action" = install ] || rmdir "$root/share/socle/profile" "$root/share/socle" "$root/lib/socle" \
	"$root/share/doc/socle" "$root/$module/include/abi" "$root/$module/include" "$root/$module" \
	2>/dev/null || true
