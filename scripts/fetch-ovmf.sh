#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gets OVMF, the UEFI firmware of virtual machines, as a suite of Debian packages it, and unpacks it under
# build/ovmf-SUITE. Nothing is installed.
#
#	scripts/fetch-ovmf.sh [--suite trixie|forky] [--dir DIR]
#
# Leaves DIR/OVMF.fd (the generic build), DIR/OVMF.amdsev.fd where the suite has it (forky), DIR/version (that of
# the package) and DIR/packages (name, version and SHA-256 of each package). With those there, it does nothing.
set -eu

usage() {
	echo "usage: $0 [--suite trixie|forky] [--dir DIR]" >&2
	exit 1
}
suite=trixie
here=$(cd "$(dirname "$0")/.." && pwd)
dir=
while [ $# -gt 0 ]; do
	[ -n "${2:-}" ] || usage
	case $1 in
	--suite) suite=$2 ;;
	--dir) dir=$2 ;;
	*) usage ;;
	esac
	shift 2
done
# least: the version that boots here; older ones are refused by name.
case $suite in
trixie) packages=ovmf files=OVMF.fd least=2025.02 ;;
forky) packages="ovmf-generic ovmf-amdsev" files="OVMF.fd OVMF.amdsev.fd" least=2026.08 ;;
*) usage ;;
esac
: "${dir:=$here/build/ovmf-$suite}"

die() {
	echo "fetch-ovmf: $*" >&2
	exit 1
}

if [ -s "$dir/version" ] && [ -s "$dir/packages" ]; then
	echo "ovmf: $(cat "$dir/version") of $suite"
	exit 0
fi

. "$here/scripts/debian-suite.sh"
suite_mirror
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# What an earlier run left unfinished is of no use.
rm -rf "$dir/root" "$dir/apt"
suite_open "$dir/apt" "$suite"

for package in $packages; do
	suite_unpack "$dir/root" "$package"
	dpkg --compare-versions "$version" ge "$least" || die "$package of $suite is $version: $least or newer is needed"
done
for file in $files; do
	mv "$dir/root/usr/share/ovmf/$file" "$dir/$file" || die "$file is not in $packages of $suite"
done
mv "$apt/packages" "$dir/packages"
rm -rf "$dir/root" "$apt"
echo "$version" >"$dir/version"
echo "ovmf: $version of $suite"
