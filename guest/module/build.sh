#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds a kernel module, socle_tpm.ko unless SOURCE_DIR holds another, for the kernel that
# scripts/fetch-kernel.sh left. Nothing is written outside OUT_DIR: the unpacked headers are used
# where they lie, the sources are copied. A kernel that came with its own compiler is built for with
# that one, in a chroot that needs no privilege.
#
#	guest/module/build.sh KERNEL_DIR OUT_DIR [SOURCE_DIR]
set -eu

[ $# -eq 2 ] || [ $# -eq 3 ] || {
	echo "usage: $0 KERNEL_DIR OUT_DIR [SOURCE_DIR]" >&2
	exit 1
}
PATH=$PATH:/usr/sbin:/sbin # modinfo, modprobe, chroot
root=$(cd "$(dirname "$0")/../.." && pwd)
source=${3:-$root/guest/module}
name=$(sed -n 's/^obj-m := \(.*\)\.o$/\1/p' "$source/Kbuild")
kernel=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
release=$(cat "$kernel/version")
flavour=$kernel/root/usr/src/linux-headers-$release
# Debian's flavours (cloud-amd64, amd64, rt-amd64 ...) say in one line which common headers they have. Those that the
# kernel's own "make bindeb-pkg" packs have none.
common=$(sed -n 's|^include \(/usr/src/[^ ]*\)/Makefile$|\1|p' "$flavour/Makefile" 2>/dev/null || :)
headers=$flavour
settings=include/config/auto.conf

die() {
	echo "guest/module: $*" >&2
	exit 1
}
[ -r "$flavour/$settings" ] && [ -d "$kernel/root$common" ] || die "no headers of $release under $kernel"

# Debian's flavour folder finds the common one by an absolute path, which is another here.
link_headers() {
	headers=$out/headers
	mkdir -p "$headers"
	cp -rs --remove-destination "$flavour/." "$headers/" 2>/dev/null ||
		die "cannot link the headers"
	for tree in scripts tools; do
		rm -rf "${headers:?}/$tree"
		ln -s "$(realpath "$flavour/$tree")" "$headers/$tree"
	done
	rm -f "$headers/Makefile"
	sed "s|/usr/src/|$kernel/root/usr/src/|" "$flavour/Makefile" >"$headers/Makefile"
}

# BTF would need pahole, and adds nothing to a module of this size.
make_module() {
	[ -z "$common" ] || link_headers
	make -C "$headers" M="$out/source" CONFIG_DEBUG_INFO_BTF_MODULES= modules
}

make_module_in_chroot() {
	# Who is in a chroot already has no user namespace, but is root there and needs none.
	map=--map-root-user
	unshare $map true 2>/dev/null || map=
	# shellcheck disable=SC2016,SC2086
	unshare $map --mount sh -ec '
		mount --rbind /dev "$1/dev"
		mount --rbind /proc "$1/proc"
		mount --bind "$2" "$1/mnt"
		exec chroot "$1" /usr/bin/env -i PATH=/usr/bin:/usr/sbin make \
			-C "/usr/src/linux-headers-$3" M=/mnt/source CONFIG_DEBUG_INFO_BTF_MODULES= modules
	' sh "$kernel/root" "$out" "$release"
}

mkdir -p "$out/source/include"
# cp -u keeps times, so that an unchanged source is not compiled again.
cp -pu "$source"/*.[ch] "$source/Kbuild" "$out/source/"
rm -rf "$out/source/include/abi"
cp -rp "$root/abi" "$out/source/include/abi"

build=make_module
[ ! -e "$kernel/chroot" ] || build=make_module_in_chroot
$build >"$out/log" 2>&1 || {
	tail -n 20 "$out/log" >&2
	die "the module does not build, see $out/log"
}
# Without BTF it does not matter which pahole there is, or none.
if grep -v 'pahole version differs' "$out/log" | grep -E 'warning:|WARNING:' >&2; then
	die "the module builds with warnings, see $out/log"
fi
strip --strip-debug -o "$out/$name.ko" "$out/source/$name.ko"

# What a kernel checks when it loads a module: its release, and the checksums of what it uses.
magic=$(modinfo -F vermagic "$out/$name.ko")
[ "${magic%% *}" = "$release" ] || die "the module is for '$magic', not for $release"
if grep -q '^CONFIG_MODVERSIONS=y' "$flavour/$settings"; then
	modprobe --dump-modversions "$out/$name.ko" | while read -r crc symbol; do
		want=$(awk -v s="$symbol" '$2 == s { print $1 }' "$flavour/Module.symvers")
		[ "$((crc))" = "$((want))" ] || die "$symbol has checksum $crc, the kernel $want"
	done
fi
echo "module: $out/$name.ko for $release"
