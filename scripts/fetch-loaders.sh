#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gets the boot loaders of disks as Debian 13 packages them, and unpacks them under build/loaders. Nothing is installed.
#
#	scripts/fetch-loaders.sh [--dir DIR]
#
# Leaves DIR/systemd-bootx64.efi and DIR/linuxx64.efi.stub (systemd-boot, and the stub of a unified kernel image),
# DIR/grubx64.efi (GRUB with its modules built in, whose prefix is /EFI/debian), DIR/version (that of each package) and
# DIR/packages (name, version and SHA-256). With those there, it does nothing.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
dir=$here/build/loaders
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
	echo "fetch-loaders: $*" >&2
	exit 1
}

if [ -s "$dir/version" ] && [ -s "$dir/packages" ]; then
	echo "loaders: $(cat "$dir/version")"
	exit 0
fi

. "$here/scripts/debian-suite.sh"
suite_mirror
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# What an earlier run left unfinished is of no use.
rm -rf "$dir/root" "$dir/apt"
suite_open "$dir/apt" "$suite"

versions=
for package in systemd-boot-efi grub-efi-amd64-signed; do
	suite_unpack "$dir/root" "$package"
	versions="$versions${versions:+, }$package $version"
done
mv "$dir/root/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$dir/root/usr/lib/systemd/boot/efi/linuxx64.efi.stub" "$dir"
mv "$dir/root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$dir/grubx64.efi"
mv "$apt/packages" "$dir/packages"
rm -rf "$dir/root" "$apt"
echo "$versions" >"$dir/version"
echo "loaders: $versions"
