#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gets one exact version of Debian's unmodified cloud kernel with its headers, and unpacks them
# under build/kernel (series 6.12) or build/kernel7 (the newest 7.x). The system's own apt state is
# neither changed nor needed up to date: the mirror and the keyring come from the configured Debian
# entry, all else lies under build/. The cloud kernel has no drivers for most of what is no cloud's: --flavour generic gets
# the kernel that has them, under build/kernel-generic, of series 6.12 and without headers.
#
#	scripts/fetch-kernel.sh [--series 6.12|7] [--flavour cloud|generic] [--suite trixie] [--dir DIR]
#
# With --suite trixie it is the cloud kernel of a Debian 13 (scripts/make-debian.sh), under build/kernel-trixie, whatever
# the system is.
#
# Leaves DIR/root (the unpacked packages), DIR/version (the kernel's release name) and
# DIR/packages (name, version and SHA-256 of each package). With those there, it does nothing.
# A suite that is not the system's own has another compiler: DIR/root then holds that compiler too, complete
# enough to chroot into, and DIR/chroot says so. Series 7 has its own on all but forky.
set -eu

usage() {
	echo "usage: $0 [--series 6.12|7] [--flavour cloud|generic] [--suite trixie] [--dir DIR]" >&2
	exit 1
}
series=6.12
flavour=cloud
suite=
here=$(cd "$(dirname "$0")/.." && pwd)
dir=
while [ $# -gt 0 ]; do
	[ -n "${2:-}" ] || usage
	case $1 in
	--series) series=$2 ;;
	--flavour) flavour=$2 ;;
	--suite) suite=$2 ;;
	--dir) dir=$2 ;;
	*) usage ;;
	esac
	shift 2
done
case $series-$flavour-$suite in
6.12-cloud-) default=kernel ending=cloud-amd64 ;;
6.12-cloud-trixie) default=kernel-trixie ending=cloud-amd64 ;;
6.12-generic-) default=kernel-generic ending=amd64 ;;
7-cloud-) default=kernel7 ending=cloud-amd64 ;;
*) usage ;;
esac
: "${dir:=$here/build/$default}"

die() {
	echo "fetch-kernel: $*" >&2
	exit 1
}

report() {
	echo "kernel: linux-image-$(cat "$dir/version") ($(awk '/^linux-image-/ { print $2 }' "$dir/packages"))"
}

if [ -s "$dir/version" ] && [ -s "$dir/packages" ]; then
	report
	exit 0
fi

. "$here/scripts/debian-suite.sh"
suite_mirror
case $series-$codename-$suite in
6.12-*-trixie) ;;
6.12-bookworm-) suite=bookworm-backports ;;
6.12-trixie- | 6.12-forky-) suite=trixie ;;
7-bookworm- | 7-trixie-) suite=trixie-backports ;;
7-forky-) suite=forky ;;
*) die "Debian 12 (bookworm), 13 (trixie) or 14 (forky) is needed to find a $series kernel, not '$codename'" ;;
esac
# The system's own compiler will do for a kernel of its own suite and that one's backports.
own_compiler=
case $series-$suite in
"6.12-$codename" | "6.12-$codename-backports" | 7-forky) own_compiler=yes ;;
esac
# Without headers nothing is compiled.
[ "$flavour" = cloud ] || own_compiler=yes

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt=$dir/apt
# What an earlier run left unfinished is of no use.
rm -rf "$dir/root.new"
# What another compiler depends on is of the release that its suite belongs to.
if [ -n "$own_compiler" ] || [ "$suite" = "${suite%-backports}" ]; then
	suite_open "$apt" "$suite"
else
	suite_open "$apt" "$suite" "${suite%-backports}"
fi

image=$(private apt-cache pkgnames "linux-image-$series." | grep -- "[0-9]-$ending\$" |
	sort -V | tail -n 1)
[ -n "$image" ] || die "$uri $suite has no linux-image-$series.*-$ending"
release=${image#linux-image-}
version=$(private apt-cache show "$image" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
headers=linux-headers-$release
wanted=$image

# The headers and, from 7.x on, the image name companions of the same version.
if [ "$flavour" = cloud ]; then
	companions=$(private apt-cache show "$headers=$version" "$image=$version" |
		sed -n 's/^Depends: //p' | tr ',' '\n' | sed -n 's/^ *\(linux-[^ ]*\).*/\1/p' |
		grep -E '^linux-(headers|kbuild|base|binary|modules)-[0-9]' | sort -u)
	[ -n "$companions" ] || die "$headers $version names no companion packages"
	wanted="$image $headers $companions"
fi

# Everything that compiles, down to the shell, as if nothing were installed. Only the files are
# wanted: no package is configured.
unpack_compiler() {
	mkdir -p "$dir/root.new"
	compiler=$(private apt-cache show "$headers=$version" | sed -n 's/^Depends: //p' |
		tr ',' '\n' | sed -n 's/^ *\(gcc-[^ ]*\).*/\1/p' | head -n 1)
	[ -n "$compiler" ] || die "$headers $version names no compiler"
	# shellcheck disable=SC2086
	private apt-get install --download-only --yes --no-install-recommends "$compiler" make \
		base-files bash binutils coreutils dash diffutils findutils grep libelf1 mawk sed \
		>>"$apt/log" 2>&1 || {
		tail -n 5 "$apt/log" >&2
		die "cannot download $compiler from $uri"
	}
	# base-files first: it makes /bin and /lib links to /usr.
	for deb in "$apt"/cache/archives/base-files_*.deb "$apt"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir/root.new"
	done
	mkdir -p "$dir/root.new/dev" "$dir/root.new/proc" "$dir/root.new/mnt"
	[ -e "$dir/root.new/usr/bin/awk" ] || ln -s mawk "$dir/root.new/usr/bin/awk"
	[ -e "$dir/root.new/usr/bin/sh" ] || ln -s dash "$dir/root.new/usr/bin/sh"
	echo "$compiler" >"$apt/chroot"
}
[ -n "$own_compiler" ] || unpack_compiler

for package in $wanted; do
	suite_unpack "$dir/root.new" "$package" "$version"
done

# From 7.x on the kernel lies beside its modules.
if [ ! -e "$dir/root.new/boot/vmlinuz-$release" ]; then
	mkdir -p "$dir/root.new/boot"
	cp "$dir/root.new/usr/lib/modules/$release/vmlinuz" "$dir/root.new/boot/vmlinuz-$release"
fi
rm -rf "$dir/root"
mv "$dir/root.new" "$dir/root"
[ ! -e "$apt/chroot" ] || mv "$apt/chroot" "$dir/chroot"
mv "$apt/packages" "$dir/packages"
[ -r "$dir/root/boot/vmlinuz-$release" ] || die "$image holds no boot/vmlinuz-$release"
echo "$release" >"$dir/version"
rm -rf "$apt"
report
